"""Seeded faults, each with the cause that `diagnose` is to name, and its healthy twin; tests/cases/README.md."""

import json
import shlex
from pathlib import Path

import pytest
import yaml

from simcore.cli.run import run

CASES = Path(__file__).resolve().parent / "cases/diagnose"
FOLDERS = sorted(path.parent for path in CASES.glob("*/question.yaml"))


def question(folder):
    return yaml.safe_load((folder / "question.yaml").read_text("utf-8"))


def diagnosed(folder, name, ask, capsys):
    """The exit code of `diagnose`, and its JSON."""
    own = folder / name
    given = {kind: own / kind if (own / kind).exists() else folder / kind for kind in ("cluster.yaml", "policies.yaml")}
    words = ["-c", str(given["cluster.yaml"]), "-p", str(given["policies.yaml"])]
    code = run(["diagnose", *words, *shlex.split(ask), "--format", "json"])
    out, err = capsys.readouterr()
    assert out, err
    return code, json.loads(out)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_fault_is_named(folder, capsys):
    asked = question(folder)
    code, found = diagnosed(folder, ".", asked["ask"], capsys)
    assert (found["cause"], code) == (asked["cause"], 1), found["sentence"]
    assert set(asked.get("others", ())) <= {other["cause"] for other in found["others"]}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_its_healthy_twin_is_fine(folder, capsys):
    asked = question(folder)
    code, found = diagnosed(folder, "healthy", asked["ask"], capsys)
    assert (found["cause"], code) == (asked.get("healthy", "allowed"), 0), found["sentence"]
    assert [step["status"] for step in found["steps"] if step["findings"]] == []
