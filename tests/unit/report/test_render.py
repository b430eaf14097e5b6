import io

import pytest

from simcore.report.render import write_report
from simcore.report.structure import Report, Span, Tone, line

REPORT = Report(line("title"), summary=(line(Span("DENY", Tone.BAD), " with some words to wrap " * 4),))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")


def test_a_terminal_gets_colour():
    terminal = Terminal()
    write_report(REPORT, terminal)
    assert "\x1b[" in terminal.getvalue()


def test_no_color_is_heeded(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    write_report(REPORT, terminal)
    assert "\x1b[" not in terminal.getvalue()
    assert max(map(len, terminal.getvalue().splitlines())) <= 60


def test_a_pipe_gets_plain_text():
    pipe = io.StringIO()
    write_report(REPORT, pipe)
    assert "\x1b" not in pipe.getvalue()


def test_the_words_are_the_same_with_and_without_colour():
    import re

    pipe, terminal = io.StringIO(), Terminal()
    write_report(REPORT, pipe)
    write_report(REPORT, terminal)
    assert re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue()).split() == pipe.getvalue().split()
