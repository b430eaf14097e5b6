"""`lint` as a user runs it; `tests/data/lint` is the cluster."""

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from loaders.snapshots.notes import Notes
from loaders.snapshots.writing import write_snapshot
from simcore.report.render import write_report
from tests import golden

DATA = Path(__file__).resolve().parents[2] / "data" / "lint"
CHOSEN = ["--select", "FV001,FV004,FV006,FV007"]
SCRAPE = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: scrape, namespace: shop}
spec: {podSelector: {}}
"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(DATA)
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def codes(out):
    return [finding["code"] for finding in json.loads(out)["findings"]]


@pytest.mark.parametrize("format_", ["text", "json", "github"])
def test_lint(format_, call, update_golden):
    code, out, err = call("lint", "-c", ".", *CHOSEN, "--format", format_)
    assert (code, err) == (1, "")
    golden.compare(f"lint.{format_}", out, update_golden)


@pytest.mark.parametrize("columns", [80, 120])
def test_lint_in_a_terminal(columns, call, monkeypatch, update_golden):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    monkeypatch.setattr("simcore.report.render.write_report", lambda report: write_report(report, terminal))
    call("lint", "-c", ".", *CHOSEN)
    golden.compare(f"lint-{columns}.txt", terminal.getvalue(), update_golden)


def test_codes_are_selected_and_ignored_by_their_beginnings(call):
    _, out, _ = call("lint", "-c", ".", "--select", "fv00", "--ignore", "FV005, FV006", "--format", "json")
    assert codes(out) == ["FV004", "FV001"]


def test_an_unknown_code_is_wrong_use(call):
    code, out, err = call("lint", "-c", ".", "--select", "FV9")
    assert (code, out) == (2, "")
    assert "'FV9' is no code, and no code begins so" in err


def test_a_choice_by_which_no_rule_would_look_is_refused(call):
    code, out, err = call("lint", "-c", ".", "--select", "FV001", "--ignore", "FV00")
    assert (code, out) == (2, "")
    assert "--ignore takes out every rule that --select names" in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--select", "FV004"], 0),
        (["--select", "FV004", "--fail-on", "warning"], 1),
        (["--select", "FV004", "--fail-on", "info"], 1),
        (["--select", "FV005", "--fail-on", "warning"], 0),
        (["--select", "FV001"], 1),
        (["--select", "FV001", "--fail-on", "never"], 0),
        (["--select", "FV002"], 0),
    ],
)
def test_the_exit_code_goes_by_severity(arguments, expected, call):
    assert call("lint", "-c", ".", *arguments)[0] == expected


def test_severity_hides_what_is_less_severe_and_says_so(call):
    arguments = ["lint", "-c", ".", "--select", "FV001,FV005", "--severity", "warning"]
    _, out, _ = call(*arguments)
    assert "2 findings of lower severity not shown" in out
    _, out, _ = call(*arguments, "--format", "json")
    assert codes(out) == ["FV001"]
    assert json.loads(out)["counts"] == {"error": 1, "warning": 0, "info": 2}


def test_policies_stand_in_for_those_of_the_cluster(call, tmp_path):
    path = tmp_path / "scrape.yaml"
    path.write_text(SCRAPE, "utf-8")
    _, out, _ = call("lint", "-c", ".", "-p", str(path), "--select", "FV000,FV006,FV007", "--format", "json")
    assert [(finding["file"], finding["line"]) for finding in json.loads(out)["findings"]] == [(str(path), 4)]


def test_standard_input_has_source_lines_and_comments_too(call, monkeypatch):
    text = SCRAPE + "  # flowverdict: ignore[FV007] no\n---\n" + SCRAPE.replace("scrape", "other")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    _, out, _ = call("lint", "-c", "cluster.yaml", "-p", "-", "--select", "FV007")
    assert "   4 | spec: {podSelector: {}}" in out
    assert sys.stdin.buffer.read() == b""


def test_json_has_lines_and_columns(call, tmp_path):
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "scrape", "namespace": "shop"},
        "spec": {"podSelector": {}},
    }
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [policy]}, indent=2), "utf-8")
    _, out, _ = call("lint", "-c", "cluster.yaml", "-p", str(path), "--select", "FV007", "--format", "json")
    (finding,) = json.loads(out)["findings"]
    assert (finding["line"], finding["column"]) == (12, 7)
    assert path.read_text("utf-8").split("\n")[11][6:].startswith('"spec"')


def test_in_a_snapshot_in_parquet_a_finding_has_an_object_and_no_line(call, tmp_path):
    objects = [document for path in DATA.glob("*.yaml") for document in yaml.safe_load_all(path.read_text("utf-8"))]
    path = tmp_path / "snap.parquet"
    write_snapshot(objects, path, Notes("2026-11-20T10:00:00Z", []))
    _, out, _ = call("lint", "-c", str(path), "--select", "FV006,FV007", "--format", "json")
    found = [(finding["code"], finding["line"], finding["field"]) for finding in json.loads(out)["findings"]]
    assert found == [
        ("FV006", None, "object NetworkPolicy shop/scrape, spec.ingress[0].from[1]"),
        ("FV007", None, "object NetworkPolicy shop/web, spec"),
    ]
    _, out, _ = call("lint", "-c", str(path), "--select", "FV007")
    assert "object NetworkPolicy shop/web" in out


def test_annotations_escape_what_github_would_read_otherwise(call, tmp_path):
    folder = tmp_path / "a,b:c 100%"
    folder.mkdir()
    (folder / "scrape.yaml").write_text(SCRAPE, "utf-8")
    _, out, _ = call("lint", "-c", "cluster.yaml", "-p", str(folder), "--select", "FV007", "--format", "github")
    (line,) = out.splitlines()
    assert line.startswith("::notice file=")
    assert "/a%2Cb%3Ac 100%25/scrape.yaml,line=4,title=FV007 policy-types-absent,col=1::policyTypes is absent" in line
    assert line.count("::") == 2


def test_input_that_does_not_load_is_told_as_ever(call, tmp_path):
    path = tmp_path / "bad.yaml"
    path.write_text(SCRAPE.replace("podSelector: {}", "podSelector: 1"), "utf-8")
    code, out, err = call("lint", "-c", "cluster.yaml", "-p", str(path))
    assert (code, out) == (2, "")
    assert "expected a mapping" in err
