"""`lint` with a capture: the table of rules by their flows, and the rules that look at traffic."""

import json
from pathlib import Path

import pytest

from tests import golden

ROOT = Path(__file__).resolve().parents[3]
NEVER_HIT = "tests/cases/lint/FV060/bad"
ARGUMENTS = ["lint", "-c", NEVER_HIT, f"{NEVER_HIT}/flows.log", "--select", "FV06"]


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_rules_are_listed_by_the_flows_that_they_decide(call, update_golden):
    code, out, _ = call(*ARGUMENTS)
    assert code == 0
    golden.compare("lint-capture.text", out, update_golden)


def test_a_limit_holds_for_the_list_and_not_for_its_count(call):
    _, out, _ = call(*ARGUMENTS, "--limit", "1")
    assert "shop/db ingress[0]  allow" in out
    assert "ingress[1]  allow" not in out
    assert "1 more rule; JSON has all. 1 of 2 rules decide no flow." in out


def test_json_has_every_rule(call):
    _, out, _ = call(*ARGUMENTS, "--format", "json")
    found = json.loads(out)
    assert found["flows"] == 60
    assert [(hit["rule"], hit["action"], hit["line"], hit["flows"]) for hit in found["hits"]] == [
        ("NetworkPolicy shop/db ingress[0]", "allow", 9, 60),
        ("NetworkPolicy shop/db ingress isolation", "deny", 1, 0),
        ("NetworkPolicy shop/db ingress[1]", "allow", 14, 0),
    ]


def test_without_a_capture_nothing_is_said_of_traffic(call):
    _, out, _ = call("lint", "-c", NEVER_HIT, "--select", "FV06", "--format", "json")
    found = json.loads(out)
    assert found["findings"] == found["rules"] == []
    assert "hits" not in found


def test_a_capture_that_cannot_be_opened_is_wrong_use(call):
    code, _, err = call("lint", "-c", NEVER_HIT, "no-such.log")
    assert code == 2
    assert "no-such.log: there is no such file or folder" in err
