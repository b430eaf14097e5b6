"""Tallies: flows counted by group, in a form that merges in any order to the same result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import (
    ADDRESSES,
    DETAILS,
    END,
    FIRST_SEEN,
    FLOWS,
    MISSING,
    NEVER,
    NO_TIME,
    SEQUENCE,
    absorb,
    gather,
    index_groups,
)
from ..model.flows import Split
from ..tables.layout import Tables
from .ends import raw_values, validity
from .judging import Judged, objects_of

GROUPED_COLUMNS = ("time", "end_time", "packets", "bytes", "source_port")
"""What groups tell beside what a verdict needs."""

_FIRST_ROOM = 1 << 12
SOURCE, DESTINATION, PROTOCOL, PORT = 0, 1, 2, 3
"""Columns of keys."""


def cell_columns(number: int) -> slice:
    """Return the columns of keys that hold egress cell, ingress cell and verdict under policy set `number`."""
    return slice(4 + 3 * number, 7 + 3 * number)


def record_width(sets: int) -> int:
    """Return how many numbers a group has under so many policy sets."""
    return 4 + 3 * sets + END


@dataclass(frozen=True)
class Tally:
    """Groups of flows.

    Attributes
    ----------
    records : int64[n, 19 + 3 * sets]
        A group each: its key, and what `sums` and the others are views of.
    """

    records: NDArray[np.int64]

    @property
    def keys(self) -> NDArray[np.int64]:
        """Keys, ``int64[n, 4 + 3 * sets]``.

        Labels of source and destination, protocol, port (-1 where missing), then egress cell, ingress cell and
        verdict under each policy set.
        """
        return self.records[:, : self._width]

    @property
    def sums(self) -> NDArray[np.int64]:
        """Flows, packets, bytes: ``int64[n, 3]``."""
        return self._part(FLOWS, FIRST_SEEN)

    @property
    def times(self) -> NDArray[np.int64]:
        """First and last seen, ``int64[n, 2]``; NO_TIME and NEVER where missing."""
        return self._part(FIRST_SEEN, SEQUENCE)

    @property
    def sequence(self) -> NDArray[np.int64]:
        """Where the example is, ``int64[n]``: ``file << 40 | row``."""
        return self.records[:, self._width + SEQUENCE]

    @property
    def addresses(self) -> NDArray[np.uint64]:
        """Addresses of the example, ``uint64[n, 4]``: halves of source and destination."""
        return self._part(ADDRESSES, DETAILS).view(np.uint64)

    @property
    def details(self) -> NDArray[np.int64]:
        """The example's source and destination pod, whether it has either address, its source port: ``int64[n, 5]``.

        Pods are -1 where there is none, -2 where the cluster does not hold them.
        """
        return self._part(DETAILS, END)

    @property
    def _width(self) -> int:
        return int(self.records.shape[1]) - END

    def _part(self, first: int, last: int) -> NDArray[np.int64]:
        return self.records[:, self._width + first : self._width + last]

    def sorted(self) -> Tally:
        """Return the same groups in the order of their keys, which depends on nothing else."""
        return Tally(self.records[_order(self.keys)])

    def verdicts(self, number: int) -> NDArray[np.int64]:
        """Verdict of each group under policy set `number`."""
        return self.keys[:, cell_columns(number)][:, 2]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.records)


_BITS = (31, 31, 8, 17)
_BITS_OF_SET = (32, 32, 2)
"""How many bits the columns of keys take: labels, protocol, port; cells and verdict."""


def _order(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order of distinct keys.

    As `numpy.lexsort` would, four times as fast: columns are packed into words, and ranks of words into one number,
    since sorting single integers takes vector instructions.
    """
    bits = (*_BITS, *_BITS_OF_SET * ((keys.shape[1] - len(_BITS)) // len(_BITS_OF_SET)))
    words: list[NDArray[np.int64]] = []
    room = 0
    for column, width in zip(keys.T, bits, strict=True):
        values = column - MISSING if width == _BITS[PORT] else column
        if width > room:
            words.append(np.zeros(len(keys), np.int64))
            room = 63
        words[-1] = words[-1] << width | values
        room -= width
    ranks, order = _ranked(words[0])
    for word in words[1:]:
        ranks, order = _ranked(ranks << 32 | _ranked(word)[0])
    return order


def _ranked(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rank of each number, equal ones sharing theirs, and an order of them."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    ranks = np.empty(numbers.size, np.int64)
    ranks[order] = np.cumsum(np.diff(ordered, prepend=ordered[:1]) != 0)
    return ranks, order


class Merger:
    """Merges tallies into one as they come; what is held is at most twice what there is to tell."""

    def __init__(self, sets: int) -> None:
        self._width = record_width(sets) - END
        self._records = np.empty((_FIRST_ROOM, record_width(sets)), np.int64)
        self._table = np.full(2 * _FIRST_ROOM, -1, np.int32)
        self._found = 0

    def add(self, tally: Tally) -> None:
        """Take in the groups of one more tally, or flows that are groups of one."""
        self._make_room(self._found + tally.size)
        self._found = absorb(self._records, self._found, self._table, tally.records, self._width)

    def _make_room(self, wanted: int) -> None:
        room = len(self._records)
        if wanted <= room:
            return
        while room < wanted:
            room *= 2
        records = np.empty((room, self._records.shape[1]), np.int64)
        records[: self._found] = self._records[: self._found]
        self._records, self._table = records, np.full(2 * room, -1, np.int32)
        index_groups(self._records, self._found, self._table, self._width)

    def merged(self) -> Tally:
        """Return all that was taken in as one tally."""
        return Tally(self._records[: self._found])


def tally_rows(
    tables: Tables,
    judged: Judged,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    split: Split,
    first_row: int,
    room: NDArray[np.int64],
) -> Tally:
    """Make a tally of some flows of a batch, a row a flow; merging it groups them.

    Parameters
    ----------
    rows : int64[m]
        Which flows of the batch.
    first_row : int
        Row number, within the file, of the batch's first flow.
    room : int64[m or more, record_width(sets)]
        Written; the result is a view of it.
    """
    ends = judged.source.some(rows), judged.destination.some(rows)
    source_label, destination_label = (tables.label_of[objects_of(tables, end)] for end in ends)
    source, destination = (end.widened() for end in ends)
    records = room[: rows.size]
    gather(
        rows,
        (split.file << 40) + first_row,
        source_label,
        destination_label,
        judged.ports.protocol,
        judged.ports.port,
        judged.ports.port_known,
        judged.egress,
        judged.ingress,
        judged.verdict,
        _integers(batch, "packets", rows, 0),
        _integers(batch, "bytes", rows, 0),
        _integers(batch, "time", rows, NO_TIME),
        _integers(batch, "end_time", rows, NEVER),
        _integers(batch, "source_port", rows, MISSING),
        source.high,
        source.low,
        source.known,
        source.pods,
        destination.high,
        destination.low,
        destination.known,
        destination.pods,
        records,
    )
    return Tally(records)


def _integers(batch: pa.RecordBatch, name: str, rows: NDArray[np.int64], missing: int | np.int64) -> NDArray[np.int64]:
    """Read some values of a column as integers; what is missing is what the caller says."""
    if name not in batch.schema.names:
        return np.full(rows.size, missing, np.int64)
    column = batch.column(name)
    integers = raw_values(column)[rows].astype(np.int64)
    if column.null_count:
        integers[~validity(column, rows)] = missing
    return integers
