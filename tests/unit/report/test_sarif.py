"""SARIF 2.1.0: what its schema demands, and what code scanners ask for."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from simcore.report.sarif import sarif
from tests.linting import linted

CASES = Path(__file__).resolve().parents[2] / "cases" / "lint"
KEYS = {
    "log": {"$schema", "version", "runs"},
    "run": {"tool", "columnKind", "results"},
    "driver": {"name", "version", "informationUri", "rules"},
    "rule": {
        "id",
        "name",
        "shortDescription",
        "fullDescription",
        "helpUri",
        "help",
        "defaultConfiguration",
        "properties",
    },
    "result": {
        "ruleId",
        "ruleIndex",
        "level",
        "message",
        "locations",
        "partialFingerprints",
        "suppressions",
    },
    "region": {"startLine", "startColumn", "endColumn", "snippet"},
}
"""The properties of SARIF 2.1.0 that are used; its schema allows no others than its own."""
LEVELS = {"none", "note", "warning", "error"}


def log_of(folder, *codes):
    result = linted(folder, *codes)
    return json.loads(json.dumps(sarif(result, result.findings, "1.2.3")))


@pytest.fixture(params=["FV000/bad", "FV000/good", "FV004/bad", "FV006/bad"])
def log(request):
    return log_of(CASES / request.param)


def test_the_log_is_of_one_run(log):
    assert log.keys() == KEYS["log"]
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("/sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    assert run.keys() == KEYS["run"]
    assert run["columnKind"] in ("utf16CodeUnits", "unicodeCodePoints")
    assert run["tool"].keys() == {"driver"}


def test_rules_are_described(log):
    driver = log["runs"][0]["tool"]["driver"]
    assert driver.keys() == KEYS["driver"]
    assert (driver["name"], driver["version"]) == ("flowverdict", "1.2.3")
    for rule in driver["rules"]:
        assert rule.keys() == KEYS["rule"]
        assert rule["shortDescription"].keys() == rule["help"].keys() == {"text"}
        assert rule["defaultConfiguration"]["level"] in LEVELS
        assert urlsplit(rule["helpUri"]).scheme == "https"
    assert len({rule["id"] for rule in driver["rules"]}) == len(driver["rules"])


def test_results_lead_to_rules_and_lines(log):
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert run["results"]
    for result in run["results"]:
        assert result.keys() <= KEYS["result"]
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["message"]["text"]
        (location,) = result["locations"]
        physical = location["physicalLocation"]
        assert physical["artifactLocation"]["uri"]
        assert physical["region"].keys() <= KEYS["region"]
        assert physical["region"]["startLine"] >= 1
        assert 1 <= physical["region"]["startColumn"] < physical["region"]["endColumn"]


def test_fingerprints_tell_results_apart_and_outlive_moved_lines(tmp_path):
    texts = {path.name: path.read_text("utf-8") for path in (CASES / "FV008/bad").glob("*.yaml")}
    found = []
    for text in ("", "# moved\n\n"):
        for name in texts:
            (tmp_path / name).write_text(text + texts[name], "utf-8")
        results = log_of(tmp_path, "FV007", "FV008")["runs"][0]["results"]
        found.append([result["partialFingerprints"]["flowverdict/v1"] for result in results])
    assert found[0] == found[1]
    assert len(set(found[0])) == len(found[0]) > 1


def test_what_comments_let_pass_is_told_as_suppressed_with_its_reason():
    results = log_of(CASES / "FV000/good", "FV007")["runs"][0]["results"]
    assert [result["suppressions"] for result in results] == [
        [{"kind": "inSource", "justification": "generated, and never edited by hand"}],
        [{"kind": "inSource", "justification": "likewise"}],
    ]


def test_a_path_becomes_a_uri(tmp_path):
    folder = tmp_path / "my policies"
    folder.mkdir()
    for path in (CASES / "FV007/bad").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    for result in log_of(folder, "FV007")["runs"][0]["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert "my%20policies/policies.yaml" in uri
