"""Tallies: flows counted by group, in a form that merges in any order to the same result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import MISSING, NEVER, NO_TIME, gather, group
from ..model.flows import Split
from ..tables.layout import Tables
from .ends import raw_values, validity
from .judging import Judged, objects_of

GROUPED_COLUMNS = ("time", "end_time", "packets", "bytes", "source_port")
"""What groups tell beside what a verdict needs."""

_MERGE_AT = 100_000
SOURCE, DESTINATION, PROTOCOL, PORT = 0, 1, 2, 3
"""Columns of keys."""


def cell_columns(number: int) -> slice:
    """Return the columns of keys that hold egress cell, ingress cell and verdict under policy set `number`."""
    return slice(4 + 3 * number, 7 + 3 * number)


@dataclass(frozen=True)
class Tally:
    """Groups of flows, one a row.

    Attributes
    ----------
    keys : int64[n, 4 + 3 * sets]
        Labels of source and destination, protocol, port (-1 where missing), then egress cell, ingress cell and
        verdict under each policy set.
    sums : int64[n, 3]
        Flows, packets, bytes.
    times : int64[n, 2]
        First and last seen; NO_TIME and the lowest integer where missing.
    sequence : int64[n]
        ``file << 40 | row`` of the example.
    example : uint64[n, 4], int64[n, 5]
        Addresses of the example (halves of source and destination); its source and destination pod (-1 none,
        -2 not in the cluster), whether it has a source and a destination address, and its source port.
    """

    keys: NDArray[np.int64]
    sums: NDArray[np.int64]
    times: NDArray[np.int64]
    sequence: NDArray[np.int64]
    addresses: NDArray[np.uint64]
    details: NDArray[np.int64]

    @classmethod
    def merged(cls, tallies: Sequence[Tally]) -> Tally:
        """Merge tallies."""
        joined = cls(*(np.concatenate(parts) for parts in zip(*(tally._parts for tally in tallies), strict=True)))
        return joined._grouped()

    @property
    def _parts(self) -> tuple[NDArray[np.generic], ...]:
        return self.keys, self.sums, self.times, self.sequence, self.addresses, self.details

    def _grouped(self) -> Tally:
        count = self.keys.shape[0]
        members = np.empty(count, np.int64)
        sums = np.empty((count, 3), np.int64)
        times = np.empty((count, 2), np.int64)
        examples = np.empty(count, np.int64)
        found = group(
            self.keys,
            self.sums,
            self.times,
            self.sequence,
            members,
            sums,
            times,
            examples,
        )
        examples = examples[:found]
        return Tally(
            self.keys[members[:found]],
            sums[:found],
            times[:found],
            self.sequence[examples],
            self.addresses[examples],
            self.details[examples],
        )

    def sorted(self) -> Tally:
        """Return the same groups in the order of their keys, which depends on nothing else."""
        order = _order(self.keys)
        return Tally(
            self.keys[order],
            self.sums[order],
            self.times[order],
            self.sequence[order],
            self.addresses[order],
            self.details[order],
        )

    def verdicts(self, number: int) -> NDArray[np.int64]:
        """Verdict of each group under policy set `number`."""
        return self.keys[:, cell_columns(number)][:, 2]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.keys)


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
    """Collects tallies, merging as they come, so that what is held stays within twice what there is to tell."""

    def __init__(self, sets: int) -> None:
        self._merged = _unfilled(0, sets)
        self._pending: list[Tally] = []

    def add(self, tally: Tally) -> None:
        """Take one more tally in."""
        self._pending.append(tally)
        if sum(each.size for each in self._pending) > max(_MERGE_AT, self._merged.size):
            self.merged()

    def merged(self) -> Tally:
        """Return all that was taken in as one tally."""
        if self._pending:
            self._merged = Tally.merged([self._merged, *self._pending])
            self._pending = []
        return self._merged


def _unfilled(count: int, sets: int) -> Tally:
    """Return a tally whose rows are yet to be written."""
    return Tally(
        np.empty((count, 4 + 3 * sets), np.int64),
        np.empty((count, 3), np.int64),
        np.empty((count, 2), np.int64),
        np.empty(count, np.int64),
        np.empty((count, 4), np.uint64),
        np.empty((count, 5), np.int64),
    )


def tally_rows(
    tables: Tables,
    judged: Judged,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    split: Split,
    first_row: int,
) -> Tally:
    """Make a tally of some flows of a batch, a row a flow; merging it groups them.

    Parameters
    ----------
    rows : int64[m]
        Which flows of the batch.
    first_row : int
        Row number, within the file, of the batch's first flow.
    """
    ends = judged.source.some(rows), judged.destination.some(rows)
    source_label, destination_label = (tables.label_of[objects_of(tables, end)] for end in ends)
    source, destination = (end.widened() for end in ends)
    tally = _unfilled(rows.size, tables.sets)
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
        tally.keys,
        tally.sums,
        tally.times,
        tally.sequence,
        tally.addresses,
        tally.details,
    )
    return tally


def _integers(batch: pa.RecordBatch, name: str, rows: NDArray[np.int64], missing: int | np.int64) -> NDArray[np.int64]:
    """Read some values of a column as integers; what is missing is what the caller says."""
    if name not in batch.schema.names:
        return np.full(rows.size, missing, np.int64)
    column = batch.column(name)
    integers = raw_values(column)[rows].astype(np.int64)
    if column.null_count:
        integers[~validity(column, rows)] = missing
    return integers
