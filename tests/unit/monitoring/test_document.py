"""The document shows what the command says."""

import shlex
from pathlib import Path

from loaders.synthetic.demo import write_demo
from simcore.cli.run import run

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/monitoring.md"


def test_the_transcript_is_real(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_demo("demo-output")
    _, _, rest = DOCUMENT.read_text("utf-8").partition("\n$ ")
    command, _, told = rest.partition("\n```")[0].partition("\n")
    assert run(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out.strip() == told.strip()
