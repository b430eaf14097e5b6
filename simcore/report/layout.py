"""Layout: a report as lines of at most some width, broken between words only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .structure import Choice, Entry, Line, Report, Section, Span, Table, Tone, strong

GAP = 2
STEP = 2
FIELD = 8
"""Where an entry's labels begin."""

_PIECE = re.compile(" +|[^ ]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """How much room there is.

    Attributes
    ----------
    prose : int
        Columns for text that can be wrapped.
    table : int or None
        Columns for tables; None where they may grow, because nobody cuts them off.
    """

    prose: int
    table: int | None


def lay_out(report: Report, layout: Layout) -> Iterator[Line]:
    """Yield the lines of a report; an empty line separates its parts."""
    yield from wrap(tuple(Span(span.text, Tone.STRONG) for span in report.title), layout.prose)
    for warning in report.warnings:
        yield ()
        yield from wrap((Span("WARNING", Tone.BAD), Span("  "), *warning), layout.prose, hanging=9)
    if report.summary:
        yield ()
    for summary in report.summary:
        yield from wrap(summary, layout.prose, hanging=STEP)
    for section in report.sections:
        yield ()
        yield from _section(section, layout)
    for position, note in enumerate(report.notes):
        if position == 0:
            yield ()
        yield from wrap((Span("note", Tone.FAINT), Span("  "), *note), layout.prose, hanging=6)


def _section(section: Section, layout: Layout) -> Iterator[Line]:
    if section.title:
        yield from wrap(section.title, layout.prose, hanging=STEP)
    before: Table | Choice | Entry | Line | None = None
    for item in section.items:
        if isinstance(before, Entry) and isinstance(item, Entry) and before.fields:
            yield ()
        if isinstance(item, Table):
            yield from _table(item, layout)
        elif isinstance(item, Choice):
            yield from _choice(item, layout)
        elif isinstance(item, Entry):
            yield from _entry(item, layout)
        else:
            yield from wrap(item, layout.prose, start=STEP, hanging=2 * STEP)
        before = item


def _entry(entry: Entry, layout: Layout) -> Iterator[Line]:
    yield from wrap(entry.heading, layout.prose, start=STEP, hanging=FIELD)
    label_width = max((len(label) for label, _ in entry.fields), default=0)
    for label, value in entry.fields:
        head = Span(f"{' ' * FIELD}{label:<{label_width}}{' ' * GAP}", Tone.FAINT)
        lines = wrap(value, layout.prose, hanging=len(head.text), used=len(head.text))
        yield (head, *next(lines, ()))
        yield from lines
    lead_width = max((len(member.lead) for member in entry.members), default=0)
    for member in entry.members:
        head = Span(f"{' ' * 2 * STEP}{member.lead:>{lead_width}}{' ' * GAP}")
        for number, line in enumerate(member.lines):
            lines = wrap(line, layout.prose, hanging=len(head.text), used=len(head.text))
            yield (head if number == 0 else Span(" " * len(head.text)), *next(lines, ()))
            yield from lines


def _choice(choice: Choice, layout: Layout) -> Iterator[Line]:
    if _fits(_widths(choice.wide), layout):
        yield from _table(choice.wide, layout)
        return
    for number, table in enumerate(choice.narrow):
        if number:
            yield ()
        yield from _table(table, layout)


def _widths(table: Table) -> list[int]:
    return [
        max([len(column.name), *(width_of(row[number]) for row in table.rows)])
        for number, column in enumerate(table.columns)
    ]


def _fits(widths: list[int], layout: Layout) -> bool:
    return layout.table is None or STEP + sum(widths) + GAP * (len(widths) - 1) <= layout.table


def _table(table: Table, layout: Layout) -> Iterator[Line]:
    widths = _widths(table)
    if not _fits(widths, layout):
        yield from _stacked(table, layout)
        return
    heads = tuple(line_of(column.name) for column in table.columns)
    yield _row(table, tuple((strong(head[0].text),) if head else () for head in heads), widths)
    yield (Span(" " * STEP), Span((" " * GAP).join("-" * width for width in widths), Tone.FAINT))
    for row in table.rows:
        yield _row(table, row, widths)


def line_of(text: str) -> Line:
    """Make a plain line; the empty text is the empty line."""
    return (Span(text),) if text else ()


def _row(table: Table, cells: tuple[Line, ...], widths: list[int]) -> Line:
    spans: list[Span] = [Span(" " * STEP)]
    last = len(widths) - 1
    for number, (column, cell, width) in enumerate(zip(table.columns, cells, widths, strict=True)):
        padding = width - width_of(cell)
        if column.right:
            spans += [Span(" " * padding), *cell]
        elif number == last:
            spans += cell
        else:
            spans += [*cell, Span(" " * padding)]
        if number != last:
            spans.append(Span(" " * GAP))
    return _stripped(tuple(spans))


def _stripped(spans: Line) -> Line:
    while spans and not spans[-1].text.strip():
        spans = spans[:-1]
    return spans


def _stacked(table: Table, layout: Layout) -> Iterator[Line]:
    """Turn each row into an entry: its first cell the heading, the others labelled lines."""
    for number, row in enumerate(table.rows):
        if number:
            yield ()
        fields = tuple((column.name, cell) for column, cell in zip(table.columns[1:], row[1:], strict=True) if cell)
        yield from _entry(Entry(row[0], fields), layout)


def width_of(line: Line) -> int:
    """Count the columns that a line takes unbroken."""
    return sum(len(span.text) for span in line)


def wrap(line: Line, width: int, start: int = 0, hanging: int = 0, used: int = 0) -> Iterator[Line]:
    """Break a line between words.

    Parameters
    ----------
    line : Line
        What to break.
    width : int
        Columns there are; a word that is longer stays whole.
    start, hanging : int
        Indentation of the first line and of those that follow.
    used : int
        Columns of the first line that are taken already.
    """
    spans: list[Span] = [Span(" " * start)] if start else []
    column, is_empty = start + used, True
    for blanks, word in _words(line):
        length = width_of(word)
        if is_empty:
            blanks = ""
        elif column + len(blanks) + length > width:
            yield tuple(spans)
            spans, column, blanks = [Span(" " * hanging)] if hanging else [], hanging, ""
        if blanks:
            spans.append(Span(blanks))
        spans += word
        column += len(blanks) + length
        is_empty = False
    yield tuple(spans)


def _words(line: Line) -> Iterator[tuple[str, Line]]:
    """Split a line into words, each with the blanks before it; a word may have several tones."""
    blanks = ""
    word: list[Span] = []
    for span in line:
        for piece in _PIECE.findall(span.text):
            if piece[0] != " ":
                word.append(Span(piece, span.tone))
                continue
            if word:
                yield blanks, tuple(word)
                blanks, word = "", []
            blanks += piece
    if word:
        yield blanks, tuple(word)
