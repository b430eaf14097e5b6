"""What the documents promise: every command, option and public name, and nothing that is not there."""

import inspect
import re
import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path

import click
import pytest

import loaders
import simcore
from loaders.synthetic.demo import write_demo
from simcore.analyses.replay import RESULT_SCHEMA
from simcore.analyses.sizing.curves import CURVE_SCHEMA
from simcore.analyses.whatif import CHANGE_SCHEMA
from simcore.cli.commands import flowverdict
from simcore.model.flows import Reason
from simcore.model.profile import Profile

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
RESULTS = (ROOT / "docs/results.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
RULE_COLUMNS = (
    "rule",
    "kind",
    "namespace",
    "name",
    "direction",
    "index",
    "action",
    "file",
    "document",
    "line",
    "field",
)


def commands(group=flowverdict, path=("flowverdict",)):
    """Every command with its full name, groups included."""
    yield " ".join(path), group
    if isinstance(group, click.Group):
        for name in group.list_commands(None):
            yield from commands(group.get_command(None, name), (*path, name))


COMMANDS = dict(commands())


def options_of(command):
    found = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    return found | {"--help", "-h"}


def examples():
    """Every line of a fenced block that runs flowverdict, with its document."""
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        blocks = [block for _, block in FENCED.findall(text)]
        blocks += re.findall(r"(?:^(?: {4}.*)\n)+", FENCED.sub("", text), re.MULTILINE)
        for line in "\n".join(blocks).splitlines():
            line = line.strip().removeprefix("$ ")
            if line.startswith("flowverdict "):
                yield str(path.relative_to(ROOT)), line


EXAMPLES = list(examples())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    page = ROOT / f"docs/{name.rpartition(' ')[2]}.md"
    text = README + (page.read_text("utf-8") if page.exists() else "")
    assert name in text
    assert [
        option for option in options_of(COMMANDS[name]) if f"`{option}" not in text and f" {option}" not in text
    ] == []


@pytest.mark.parametrize(("document", "example"), EXAMPLES, ids=[f"{d}: {e[:40]}" for d, e in EXAMPLES])
def test_every_example_is_of_a_command_and_its_options(document, example):
    words = shlex.split(example)
    name = max((name for name in COMMANDS if f"{example} ".startswith(f"{name} ")), key=len)
    used = {word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word)}
    assert used <= options_of(COMMANDS[name]), f"{document}: {example}"


def test_every_reason_has_a_row():
    table = README.partition("## Reasons")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
    assert sorted(rows) == sorted(map(str, Reason))


def test_every_setting_has_a_row_with_its_words_the_default_first():
    for name, words in {**Profile.choices(), **Profile.agent_choices()}.items():
        values = ", ".join(f"`{word}`" for word in words) or "a name"
        assert f"| `{name}` | {values} |" in README


@pytest.mark.parametrize(
    "column", dict.fromkeys([*RESULT_SCHEMA.names, *CHANGE_SCHEMA.names, *RULE_COLUMNS, *CURVE_SCHEMA.names])
)
def test_every_result_column_is_documented(column):
    assert f"`{column}`" in RESULTS


def json_keys(value):
    if isinstance(value, dict):
        for key, below in value.items():
            yield key
            yield from json_keys(below)
    elif isinstance(value, list):
        for item in value:
            yield from json_keys(item)


@pytest.mark.parametrize("path", sorted((ROOT / "tests/golden").glob("*.json")), ids=lambda path: path.name)
def test_every_json_key_is_documented(path):
    import json

    golden = json.loads(path.read_text("utf-8"))
    golden.pop("unknown_reasons", None)
    assert [key for key in dict.fromkeys(json_keys(golden)) if not re.search(rf"[`\"]{key}[`\"]", RESULTS)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def public():
    for package in (simcore, loaders):
        for name in package.__all__:
            yield f"{package.__name__}.{name}", getattr(package, name)


PUBLIC = dict(public())


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring(name):
    value = PUBLIC[name]
    assert inspect.getdoc(value)
    if inspect.isclass(value):
        members = [member for member in vars(value) if not member.startswith("_")]
        own = {field.name for field in fields(value)} if is_dataclass(value) else set()
        assert [member for member in members if member not in own and not inspect.getdoc(getattr(value, member))] == []


def test_the_readme_lists_the_make_targets_that_it_names():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"`?make ([a-z-]+)", "\n".join(re.findall(r"^make .*|`make [a-z-]+`", README, re.M)))):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_demo("demo-output")
    (code,) = [block for language, block in FENCED.findall(README) if language == "python"]
    exec(compile(code, "README.md", "exec"), {"__name__": "readme"})
    assert "25,857 of 200,000 flows would be lost" in capsys.readouterr().out


BLOCKS = [block for _, block in FENCED.findall(README)]
TRANSCRIPTS = [block for block in BLOCKS if block.startswith("$ flowverdict")]


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda block: block.split()[2])
def test_the_transcripts_of_the_readme_are_real(transcript, tmp_path, monkeypatch, capsys):
    from simcore.cli.run import run

    monkeypatch.chdir(tmp_path)
    write_demo("demo-output")
    (tiers,) = [block for block in BLOCKS if block.startswith("# tiers.yaml")]
    Path("tiers.yaml").write_text(tiers, "utf-8")
    command, *told = transcript.splitlines()
    assert run(shlex.split(command)[2:]) == 0
    printed = set(capsys.readouterr().out.splitlines())
    assert [line for line in told if line.strip() != "[...]" and line not in printed] == []
    for plot in Path("demo-output").glob("*.svg"):
        assert plot.read_text("utf-8") == (ROOT / "docs" / plot.name).read_text("utf-8"), "draw it anew"


def test_the_test_file_of_the_readme_is_one(tmp_path, monkeypatch, capsys):
    from simcore.cli.run import run

    monkeypatch.chdir(tmp_path)
    files = write_demo("demo-output")
    (tests,) = [block for block in BLOCKS if block.startswith("tests:")]
    (tmp_path / "tests.yaml").write_text(tests)
    assert run(["check", "tests.yaml", "-c", str(files.cluster), "-p", str(files.policies)]) == 0
    assert "3 passed, 0 failed" in capsys.readouterr().out
