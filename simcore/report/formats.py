"""The report of `formats`: what captures can be read, and what cannot be judged from them."""

from __future__ import annotations

from collections.abc import Sequence

from .structure import Entry, Line, Report, Section, line, strong

About = tuple[str, str, str, Sequence[str]]
"""A format's name, what writes it, what a row of it is, and what it lacks."""


def formats(known: Sequence[About]) -> Report:
    """Make the report, one entry a format."""
    return Report(
        line("Captures that can be read"),
        summary=(
            line("Formats are told by what files hold; --capture-format NAME says it. docs/formats.md has more."),
        ),
        sections=(Section((), tuple(_entry(*each) for each in known)),),
    )


def formats_json(known: Sequence[About]) -> dict[str, object]:
    """Make the JSON of `formats --format json`."""
    return {
        "formats": [
            {"name": name, "title": title, "row": row, "lacks": list(lacks)} for name, title, row, lacks in known
        ]
    }


def _entry(name: str, title: str, row: str, lacks: Sequence[str]) -> Entry:
    fields: list[tuple[str, Line]] = [("a row is", line(row))]
    fields += [("note" if not position else "", line(text)) for position, text in enumerate(lacks)]
    return Entry(line(strong(name), f"  {title}"), tuple(fields))
