"""The examples: each holds its promises, needs every one of its policies, and is run as its page says."""

import re
import shlex
from pathlib import Path

import pytest

from loaders import load_policies
from simcore.cli.run import run

ROOT = Path(__file__).resolve().parent.parent / "examples"
COMMANDS = re.findall(r"^flowverdict (check .+)$", (ROOT / "README.md").read_text("utf-8"), re.M)
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/tests.yaml"))


def folder_of(command):
    return shlex.split(command)[1].split("/")[1]


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT.parent)


def test_the_page_names_every_example():
    assert sorted(map(folder_of, COMMANDS)) == FOLDERS
    rows = re.findall(r"^\| \[(.+?)\]\(\1\) \|", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert sorted(rows) == FOLDERS


@pytest.mark.parametrize("command", COMMANDS, ids=folder_of)
def test_an_example_holds_its_promises(command, capsys):
    assert run(shlex.split(command)) == 0, capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS, ids=folder_of)
def test_an_example_needs_each_of_its_policies(command, capsys):
    words = shlex.split(command)
    policies = load_policies([words[words.index("-p") + 1]])
    idle = []
    for policy in policies:
        name = "/".join(filter(None, (policy.ref.kind, policy.ref.namespace, policy.ref.name)))
        code = run([*words, "--delete", name])
        assert code != 2, capsys.readouterr().err
        if code == 0:
            idle.append(name)
    assert not idle


@pytest.mark.parametrize("command", COMMANDS, ids=folder_of)
def test_an_example_breaks_nothing_that_lint_knows(command, capsys):
    words = shlex.split(command)
    cluster = words.index("-c")
    assert run(["lint", *words[cluster : cluster + 4]]) == 0, capsys.readouterr().out
