import json

import pytest

from simcore.model.groups import Change
from simcore.model.verification import Suspicion
from simcore.report import replay, verify, whatif
from simcore.report.layout import Layout
from simcore.report.render import PIPE, json_text, plain_text
from tests import golden
from tests.samples import NO_CHANGE, REPLAY, VERIFIED, VERIFY, WHATIF

WIDTHS = {"pipe": PIPE, "80": Layout(80, 80), "140": Layout(120, 140)}


@pytest.mark.parametrize("width", WIDTHS)
def test_whatif_text(width, update_golden):
    text = plain_text(whatif.whatif(WHATIF, 20, "keep"), WIDTHS[width])
    golden.compare(f"whatif-{width}.txt", text, update_golden)


def test_replay_text(update_golden):
    golden.compare("replay.txt", plain_text(replay.replay(REPLAY, 2)), update_golden)


def test_whatif_json(update_golden):
    golden.compare("whatif.json", json_text(whatif.whatif_json(WHATIF)), update_golden)


def test_replay_json(update_golden):
    golden.compare("replay.json", json_text(replay.replay_json(REPLAY)), update_golden)


def test_whatif_json_has_the_documented_keys():
    result = json.loads(json_text(whatif.whatif_json(WHATIF)))
    assert list(result) == ["flows", "lost", "gained", "unknown", "unchanged", "groups"]
    assert len(result["groups"]) == len(WHATIF.groups)


def test_lost_name_resolution_is_told_before_anything_else():
    lines = plain_text(whatif.whatif(WHATIF, 20, "keep")).splitlines()
    assert lines[2].startswith("WARNING  DNS: 12,345 lookups from 1 workload would be lost")


def test_a_limit_hides_groups_of_the_text_and_says_so():
    text = plain_text(whatif.whatif(WHATIF, 1, "keep"))
    assert "2 more pairs with 2,223 flows" in text
    assert "checkout" not in text


def test_a_change_without_effect_is_told_in_a_sentence():
    text = plain_text(whatif.whatif(NO_CHANGE, 20, "keep"))
    assert "makes no difference to any flow" in text
    assert "note" not in text and "WARNING" not in text


def test_every_change_has_a_meaning():
    assert set(whatif.MEANINGS) == set(Change)


@pytest.mark.parametrize("width", [80, 120])
def test_verify_text(width, update_golden):
    text = plain_text(verify.verify(VERIFY, 20), Layout(width, width))
    golden.compare(f"verify-{width}.txt", text, update_golden)


def test_verify_json(update_golden):
    golden.compare("verify.json", json_text(verify.verify_json(VERIFY)), update_golden)


def test_agreement_throughout_is_told_in_a_sentence():
    text = plain_text(verify.verify(VERIFIED, 20))
    assert "every one of 1,000 flows: 100%" in text
    assert "Causes" not in text and "note" not in text


def test_a_limit_hides_pairs_of_a_cause_and_says_so():
    text = plain_text(verify.verify(VERIFY, 1))
    assert "1 more pair with 1 flow" in text


def test_every_suspicion_has_its_words():
    assert set(verify.HEADLINES) == set(verify.ADVICE) == set(Suspicion)
