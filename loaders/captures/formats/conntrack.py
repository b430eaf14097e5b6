"""Tracked connections: ``conntrack -L``, ``conntrack -E`` and ``/proc/net/nf_conntrack``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pyarrow as pa

from simcore.errors import LoadError

from ..conntrack.entries import COLUMNS, MOST_OPEN, Entries, Row
from ..conntrack.lines import Line, read_line
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..streams import Lines, Source, read_lines

BATCH_ROWS = 32_768
_LOOKED_AT = 200
_WORDS = (
    b"conntrack v",
    b"WARNING: We have hit ENOBUFS",
    b"This message means that the current netlink socket buffer",
    b"Please, check --buffer-size",
)
_LOST = b"WARNING: We have hit ENOBUFS"
_TYPES = {
    "time": pa.timestamp("ns"),
    "end_time": pa.timestamp("ns"),
    "packets": pa.int64(),
    "bytes": pa.int64(),
}


def _recognise(sample: Sample) -> bool:
    return any(_is_entry(line) for line in sample.lines[:_LOOKED_AT])


def _is_entry(line: bytes) -> bool:
    try:
        return read_line(line.decode()) is not None
    except ValueError:
        return False


def _fields(_sample: Sample) -> Sequence[str]:
    return COLUMNS


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    rows = _rows(source, reading)
    while block := list(islice(rows, BATCH_ROWS)):
        columns = zip(*block, strict=True)
        arrays = [
            pa.array(values, _TYPES.get(name, pa.string())) for name, values in zip(COLUMNS, columns, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, list(COLUMNS))


def _rows(source: Source, reading: Reading) -> Iterator[Row]:
    """Yield connections as their ends come, and those that are still open last."""
    entries = Entries()
    lines = rows = 0
    for line in _entries(source, reading):
        lines += 1
        for row in entries.take(line):
            rows += 1
            yield row
    for row in entries.rest():
        rows += 1
        yield row
    reading.leave_out("further lines of connections that have a row", lines - rows)
    if entries.pushed_out:
        told = f"{entries.pushed_out:,} connections were still open when {MOST_OPEN:,} others were"
        reading.note(source, f"{told}: what came of them later is another row. Convert shorter files")


def _entries(source: Source, reading: Reading) -> Iterator[Line]:
    for number, line in _lines(source, reading):
        if line is None:
            reading.complain(source, number, "this line is too long for an entry")
            continue
        if line.startswith(_WORDS):
            _leave_out(source, reading, line)
            continue
        try:
            entry = read_line(line.decode())
        except UnicodeDecodeError:
            reading.complain(source, number, "it is not UTF-8 text")
            continue
        except ValueError as error:
            reading.complain(source, number, str(error))
            continue
        if entry is not None:
            _note_clock(source, reading, entry)
            yield entry
        elif b" mask-src=" in line:
            reading.leave_out("expectations: no connection yet")
        else:
            reading.complain(source, number, "it is no entry as conntrack prints it. Was it cut off?")


def _lines(source: Source, reading: Reading) -> Lines:
    try:
        yield from read_lines(source)
    except LoadError as error:
        reading.complain(source, "", error.diagnostics[0].message)


def _leave_out(source: Source, reading: Reading, line: bytes) -> None:
    reading.leave_out("words of the tool")
    if line.startswith(_LOST):
        reading.note(source, "conntrack lost events (ENOBUFS): connections lack their ends, or are missing")


def _note_clock(source: Source, reading: Reading, entry: Line) -> None:
    if entry.start is not None:
        reading.note(source, "[start=] is the local time of its node, without a zone: it is taken for UTC")


FORMAT = Format(
    "conntrack",
    "conntrack -L, conntrack -E, /proc/net/nf_conntrack",
    "connection",
    _recognise,
    _fields,
    _read,
    lacks=(
        "what policy denied: the kernel forgets a connection whose first packet is dropped",
        "the address that was dialled: the destination is the real one, behind a Service",
        "times of a list, unless it has [start=]",
    ),
)
