"""Report: what there is to say, before anyone decides how it looks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..model.flows import Verdict


class Tone(StrEnum):
    """How a piece of text is meant; a terminal shows it as a colour, a pipe not at all."""

    PLAIN = "plain"
    STRONG = "strong"
    FAINT = "faint"
    GOOD = "good"
    BAD = "bad"
    DOUBT = "doubt"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text of one tone."""

    text: str
    tone: Tone = Tone.PLAIN


Line = tuple[Span, ...]
"""One logical line; rendering may break it between words."""


def line(*parts: str | Span) -> Line:
    """Make a line of texts and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts if part)


def join(lines: Iterable[Line], separator: str) -> Line:
    """Make one line of several."""
    result: list[Span] = []
    for position, part in enumerate(lines):
        if position:
            result.append(Span(separator))
        result.extend(part)
    return tuple(result)


UNBROKEN = "\u00a0"
"""A blank at which no line is broken; it is written as an ordinary one."""


def unbroken(text: str) -> str:
    """Keep a text on one line."""
    return text.replace(" ", UNBROKEN)


def strong(text: str) -> Span:
    """Make a text stand out."""
    return Span(text, Tone.STRONG)


def faint(text: str) -> Span:
    """Make a text step back."""
    return Span(text, Tone.FAINT)


VERDICT_TONES = {Verdict.ALLOW: Tone.GOOD, Verdict.DENY: Tone.BAD, Verdict.UNKNOWN: Tone.DOUBT}


def verdict_span(verdict: Verdict) -> Span:
    """Write a verdict in capitals, in its colour."""
    return Span(verdict.name, VERDICT_TONES[verdict])


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a table's column; `right` for numbers."""

    name: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; where they are too wide for a terminal, each row is stacked instead."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Line, ...], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A table, and tables that say the same in less room, for where it is too wide for a terminal."""

    wide: Table
    narrow: tuple[Table, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One of several things under an entry: what leads it, a number for instance, and its lines."""

    lead: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that has more to say than fits a row: a heading, labelled lines below it, and its members."""

    heading: Line
    fields: tuple[tuple[str, Line], ...] = ()
    members: tuple[Member, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of a report; tables, entries, and plain lines that may wrap."""

    title: Line
    items: tuple[Table | Choice | Entry | Line, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything one command has to say.

    Attributes
    ----------
    title : Line
        What was asked.
    summary : tuple of Line
        The answer in short.
    warnings : tuple of Line
        What must not be overlooked.
    sections : tuple of Section
        The details.
    notes : tuple of Line
        What to keep in mind.
    """

    title: Line
    summary: tuple[Line, ...] = ()
    warnings: tuple[Line, ...] = ()
    sections: tuple[Section, ...] = ()
    notes: tuple[Line, ...] = ()
