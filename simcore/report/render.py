"""Render: a report as text for a terminal or a pipe, results as JSON text."""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from .layout import Layout, lay_out
from .structure import UNBROKEN, Line, Report, Tone

PIPE = Layout(prose=110, table=None)
"""Nobody cuts a pipe's lines: tables keep one line a row, only prose is wrapped."""

WIDEST_PROSE = 120
NARROWEST = 40

_STYLES = {
    Tone.PLAIN: "",
    Tone.STRONG: "bold",
    Tone.FAINT: "dim",
    Tone.GOOD: "bold green",
    Tone.BAD: "bold red",
    Tone.DOUBT: "bold yellow",
}


def plain_text(report: Report, layout: Layout = PIPE) -> str:
    """Write a report without any colour."""
    text = "".join("".join(span.text for span in line).rstrip() + "\n" for line in lay_out(report, layout))
    return text.replace(UNBROKEN, " ")


def json_text(value: object) -> str:
    """Write results as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def write_report(report: Report, file: TextIO | None = None) -> None:
    """Write a report to standard output or `file`: coloured and made to measure on a terminal, else plain."""
    file = sys.stdout if file is None else file
    if not file.isatty():
        file.write(plain_text(report))
        return
    layout = terminal_layout(file)
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        file.write(plain_text(report, layout))
        return
    _write_styled(report, layout, file)


def terminal_layout(file: TextIO) -> Layout:
    """Measure the terminal behind a file."""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(file.fileno()).columns
    except (OSError, ValueError):
        columns = 80
    width = max(columns or 80, NARROWEST)
    return Layout(prose=min(width, WIDEST_PROSE), table=width)


def _write_styled(report: Report, layout: Layout, file: TextIO) -> None:
    from rich.console import Console

    console = Console(file=file, highlight=False, soft_wrap=True)
    for line in lay_out(report, layout):
        console.print(_rich_text(line))


def _rich_text(line: Line) -> object:
    from rich.text import Text

    return Text.assemble(*((span.text.replace(UNBROKEN, " "), _STYLES[span.tone]) for span in line))
