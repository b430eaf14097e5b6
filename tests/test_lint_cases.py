"""Every lint rule with what it finds and what it lets pass; tests/cases/README.md says how to add one."""

import re
import shlex
from pathlib import Path

import pytest

from simcore.cli.run import run
from simcore.lint.registry import CODES, RULES
from tests.linting import linted, told, with_fix

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests/cases/lint"
PAGE = (ROOT / "docs/lint.md").read_text("utf-8")
RULE = {rule.code: rule for rule in RULES}


def key(finding):
    return finding.code, finding.policy, finding.message


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_bad_example_is_found(code, update_golden):
    folder = CASES / code / "bad"
    found = told(linted(folder, code), folder)
    path = CASES / code / "expected.txt"
    if update_golden:
        path.write_text(found, "utf-8")
    assert found
    assert found == path.read_text("utf-8")


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_good_example_is_not(code):
    folder = CASES / code / "good"
    assert told(linted(folder, code), folder) == ""


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_fix_of_the_bad_example_mends_it(code, tmp_path):
    folder = CASES / code / "bad"
    for number, finding in enumerate(linted(folder, code).findings):
        if finding.fix is None:
            continue
        mended = tmp_path / str(number)
        mended.mkdir()
        with_fix(folder, mended, finding.fix)
        assert key(finding) not in map(key, linted(mended, code).findings)


def test_every_code_has_its_examples_and_no_other_has():
    assert {path.name for path in CASES.iterdir()} == set(CODES)
    for code in CODES:
        assert {path.name for path in (CASES / code).iterdir()} == {"bad", "good", "expected.txt"}


def test_rules_are_in_order_and_told_apart():
    assert [rule.code for rule in RULES] == sorted(CODES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"FV\d{3}", rule.code)
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", rule.name)


def test_the_page_has_a_section_and_a_row_for_every_rule_and_no_other():
    sections = re.findall(r"^### (FV\d{3}) ([a-z0-9-]+)$", PAGE, re.MULTILINE)
    assert sections == [(rule.code, rule.name) for rule in RULES]
    rows = re.findall(r"^\| \[(FV\d{3})\]\(#[^)]*\) \| (\w+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [(rule.code, str(rule.severity), rule.summary) for rule in RULES]


@pytest.mark.parametrize("code", sorted(CODES))
def test_the_page_says_when_a_rule_keeps_silent(code):
    section = PAGE.partition(f"### {code} ")[2].partition("\n### ")[0]
    assert "Silent" in section


TRANSCRIPTS = [block for block in re.findall(r"^```\n(.*?)^```", PAGE, re.M | re.S) if block.startswith("$ ")]


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda block: block.split("\n")[0][-30:])
def test_the_transcripts_of_the_page_are_real(transcript, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    command, *told = transcript.splitlines()
    assert run(shlex.split(command)[2:]) == 0
    printed = set(capsys.readouterr().out.splitlines())
    assert [line for line in told if line.strip() != "[...]" and line not in printed] == []
