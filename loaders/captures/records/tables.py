"""Files of lines that are tables, to columns of text: bulk reading where a block is sound, line by line where not."""

from __future__ import annotations

import csv
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pacsv

from simcore.errors import LoadError

from ..streams import LONGEST, MARK, Source, read_blocks
from .reading import Reading

_BLOCK = 1 << 20
"""Bytes of lines read at a time."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a line is cut into columns.

    Attributes
    ----------
    columns : tuple of str
        The name of each, an empty one where nobody wants to know.
    separator : str
        Stands between two columns.
    quote : str
        Stands around a column that holds separators; empty where none does.
    absent : tuple of str
        Texts that stand for nothing.
    is_open : bool
        A line may have more columns than are named, as of one that is not quoted.
    """

    columns: tuple[str, ...]
    separator: str = ","
    quote: str = ""
    absent: tuple[str, ...] = ("", "-")
    is_open: bool = False


class Table(ABC):
    """What is known of a table while its lines go by.

    Attributes
    ----------
    wanted : tuple of str
        Columns that are given out; null where the lines lack one.
    layout : Layout or None
        How the next lines are cut; None where that is not known, or where they are no rows.
    why : str
        Why the next lines are no rows; empty where they may be some.
    """

    marks: re.Pattern[bytes]
    """What begins a line that is not a row."""
    hints: tuple[bytes, ...]
    """One of these is in each such line, and they are found sooner."""

    def __init__(self, wanted: Sequence[str]) -> None:
        self.wanted = tuple(wanted)
        self.layout: Layout | None = None
        self.why = ""

    @abstractmethod
    def turn(self, line: str) -> str | None:
        """Read a line that is no row, and change the layout by it; return what is wrong with it, if anything."""

    def guess(self, _line: str) -> Layout | None:
        """Tell from a row how rows are cut where no header says so; None where it cannot be told."""
        return None


def read_table(source: Source, reading: Reading, table: Table) -> Iterator[pa.RecordBatch]:
    """Read a file's rows, in its order; lines that cannot be read are told and left out."""
    for number, data in _whole_lines(source, reading):
        first = 0
        for mark in table.marks.finditer(data) if any(hint in data for hint in table.hints) else ():
            if mark.start() < first:
                continue
            yield from _rows(source, reading, table, number, data[first : mark.start()])
            number += data.count(b"\n", first, mark.start())
            end = data.find(b"\n", mark.start()) + 1 or len(data)
            line = data[mark.start() : end].decode("utf-8", "replace").rstrip("\r\n")
            if wrong := table.turn(line):
                reading.complain(source, number, wrong)
            number += 1
            first = end
        yield from _rows(source, reading, table, number, data[first:])


def _whole_lines(source: Source, reading: Reading) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of whole lines, each with the number of its first one."""
    number, rest, is_skipping = 1, b"", False
    blocks, more, error = read_blocks(source), True, None
    while more:
        data, more, error = _gather(blocks, rest)
        if number == 1:
            data = data.removeprefix(MARK)
        if is_skipping:
            data, is_skipping = _after_line(data)
            number += not is_skipping
        end = data.rfind(b"\n") + 1 if more or error else len(data)
        if end:
            yield number, data[:end]
            number += data.count(b"\n", 0, end)
        rest = data[end:]
        if len(rest) > LONGEST:
            reading.complain(source, number, f"this line is longer than {LONGEST:,} bytes")
            rest, is_skipping = b"", True
    if error:
        reading.complain(source, "", error.diagnostics[0].message)


def _gather(blocks: Iterator[bytes], rest: bytes) -> tuple[bytes, bool, LoadError | None]:
    """Read on behind `rest`; return what is there, whether there may be more, and why there is not."""
    parts, size = [rest], len(rest)
    try:
        for block in blocks:
            parts.append(block)
            size += len(block)
            if size >= _BLOCK:
                return b"".join(parts), True, None
    except LoadError as error:
        return b"".join(parts), False, error
    return b"".join(parts), False, None


def _after_line(data: bytes) -> tuple[bytes, bool]:
    """Return what follows the end of a line, and whether that end is yet to come."""
    end = data.find(b"\n")
    return (b"", True) if end < 0 else (data[end + 1 :], False)


def _rows(source: Source, reading: Reading, table: Table, number: int, data: bytes) -> Iterator[pa.RecordBatch]:
    """Read lines between two marks."""
    if not data or data.isspace():
        return
    if table.why:
        reading.leave_out(table.why, sum(bool(line.strip()) for line in data.split(b"\n")))
        return
    if table.layout is None:
        lines = (line.decode("utf-8", "replace").rstrip("\r") for line in data.split(b"\n"))
        table.layout = next(filter(None, map(table.guess, filter(None, lines))), None)
    batch = _in_bulk(data, table.layout, table.wanted) if table.layout else None
    if batch is None:
        batch = _one_by_one(source, reading, table.layout, table.wanted, number, data)
    if batch.num_rows:
        yield batch


def _in_bulk(data: bytes, layout: Layout, wanted: Sequence[str]) -> pa.RecordBatch | None:
    """Read sound lines; None where one of them is not."""
    named = {name: str(position) for position, name in enumerate(layout.columns) if name in wanted}
    if not named:
        return None
    names = [str(position) for position in range(len(layout.columns))]
    try:
        table = pacsv.read_csv(
            pa.BufferReader(data),
            pacsv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
            pacsv.ParseOptions(delimiter=layout.separator, quote_char=layout.quote or False),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(named.values(), pa.string()),
                include_columns=list(named.values()),
                null_values=list(layout.absent),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        ).combine_chunks()
    except pa.ArrowInvalid:
        return None
    if table.num_rows != data.count(b"\n") + (not data.endswith(b"\n")):
        return None
    missing = pa.nulls(table.num_rows, pa.string())
    arrays = [_only_chunk(table.column(named[name])) if name in named else missing for name in wanted]
    return pa.RecordBatch.from_arrays(arrays, list(wanted))


def _only_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _one_by_one(
    source: Source, reading: Reading, layout: Layout | None, wanted: Sequence[str], number: int, data: bytes
) -> pa.RecordBatch:
    """Read lines of which some are not sound, telling those."""
    rows: dict[str, list[str | None]] = {name: [] for name in wanted}
    positions = {name: layout.columns.index(name) for name in wanted if layout and name in layout.columns}
    for offset, line in enumerate(data.removesuffix(b"\n").split(b"\n")):
        if not line or line.isspace():
            continue
        try:
            parts = _cut(line.removesuffix(b"\r").decode(), layout)
        except (UnicodeDecodeError, ValueError) as error:
            reading.complain(source, number + offset, _complaint(error))
            continue
        for name, values in rows.items():
            value = parts[positions[name]] if name in positions else None
            values.append(None if layout is None or value in layout.absent else value)
    return pa.RecordBatch.from_pydict({name: pa.array(values, pa.string()) for name, values in rows.items()})


def _cut(line: str, layout: Layout | None) -> list[str]:
    """Cut a line into its columns.

    Raises
    ------
    ValueError
        It has too few or too many, or it is not known which is which.
    """
    if layout is None:
        raise ValueError("no header says which column is which. Put the header line before it")
    if layout.quote:
        try:
            parts = next(csv.reader([line], delimiter=layout.separator, quotechar=layout.quote, strict=True))
        except csv.Error as error:
            raise ValueError(f"its quotes do not match: {error}") from None
    else:
        parts = line.split(layout.separator)
    expected = len(layout.columns)
    if len(parts) < expected or (len(parts) > expected and not layout.is_open):
        raise ValueError(f"{expected:,} columns are expected, and it has {len(parts):,}. Was it cut off?")
    return parts


def _complaint(error: ValueError) -> str:
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
