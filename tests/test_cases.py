"""The cases of tests/cases, by every way to a verdict; tests/cases/README.md says how to add one."""

import csv
import re
from pathlib import Path

import pytest

import loaders
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow, Verdict
from simcore.model.plugins import plugin_named
from simcore.model.policy import Direction
from simcore.model.ports import PROTOCOL_NUMBERS
from tests.engines import engines

CASES = Path(__file__).resolve().parent / "cases"
FOLDERS = sorted(path.parent for path in CASES.glob("*/*/flows.csv"))
COLUMNS = ["from", "to", "protocol", "port", "set", "verdict", "rule", "number"]
SEMANTICS = (CASES.parents[1] / "docs" / "semantics").glob("*.md")
PLUGINS = {"antrea": "antrea", "cilium": "cilium"}
"""The network plugin of a dialect that is one's own."""
NUMBERS = {number for page in SEMANTICS for number in re.findall(r"^\| ([A-Z]+-\w+) \|", page.read_text("utf-8"), re.M)}


def rows_of(folder):
    """Each line of a flows.csv with its number; remarks and empty lines left out."""
    lines = (folder / "flows.csv").read_text("utf-8").splitlines()
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    header, *rows = zip((number for number, _ in numbered), csv.reader(line for _, line in numbered), strict=True)
    assert header[1] == COLUMNS, f"{folder.name}/flows.csv:{header[0]}: the columns are {','.join(COLUMNS)}"
    for number, row in rows:
        assert len(row) == len(COLUMNS), f"{folder.name}/flows.csv:{number}: there are {len(COLUMNS)} columns"
        yield number, dict(zip(COLUMNS, row, strict=True))


def end_of(text):
    return End(pod=text) if "/" in text else End(Address.parse(text))


def flow_of(row):
    protocol = row["protocol"].upper()
    number = int(protocol) if protocol.isdigit() else PROTOCOL_NUMBERS[protocol]
    return Flow(end_of(row["from"]), end_of(row["to"]), number, int(row["port"]) if row["port"] else None)


def profile_of(row, dialect):
    profile = plugin_named(PLUGINS.get(dialect, "upstream")).profile
    for setting in row["set"].split():
        profile = profile.with_setting(*setting.split("=", 1))
    return profile


def told(judgement):
    """Verdict and deciding rules, as a flows.csv has them."""
    outcomes = [judgement.outcome(direction) for direction in Direction]
    if judgement.verdict is not Verdict.ALLOW:
        outcomes = [outcome for outcome in outcomes if outcome.verdict is judgement.verdict]
    rules = [str(outcome.rule).partition(" ")[2] for outcome in outcomes if outcome.rule is not None]
    return judgement.verdict.word, "; ".join(rules)


def identity(folder):
    return f"{folder.parent.name}/{folder.name}"


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("folder", FOLDERS, ids=identity)
def test_case(folder, engine):
    snapshot = loaders.load_manifests([str(folder)])
    wrong = []
    for number, row in rows_of(folder):
        (judgement,) = engines()[engine](
            snapshot.cluster, snapshot.policies, [flow_of(row)], profile_of(row, folder.parent.name)
        )
        expected = row["verdict"], row["rule"]
        if told(judgement) != expected:
            wrong.append(f"{folder.name}/flows.csv:{number}: expected {expected}, found {told(judgement)}")
    assert wrong == []


@pytest.mark.parametrize("folder", FOLDERS, ids=identity)
def test_the_numbers_of_a_case_are_those_of_the_semantics(folder):
    for number, row in rows_of(folder):
        cited = row["number"].split()
        assert cited and set(cited) <= NUMBERS, f"{folder.name}/flows.csv:{number}: {row['number'] or 'no number'}"


def test_every_case_is_whole():
    assert FOLDERS
    dialects = [path for path in CASES.iterdir() if path.is_dir() and path.name not in ("diagnose", "lint")]
    folders = sorted(path for dialect in dialects for path in dialect.iterdir())
    assert folders == FOLDERS
    for folder in FOLDERS:
        assert {path.name for path in folder.iterdir()} >= {"cluster.yaml", "flows.csv"}
        assert list(rows_of(folder))
