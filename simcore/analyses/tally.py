"""Tallies: flows counted by group, in a form that merges in any order to the same result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import NO_TIME, group
from ..model.flows import Split
from ..tables.layout import Tables
from .ends import validity
from .judging import Judged, objects_of

GROUPED_COLUMNS = ("time", "end_time", "packets", "bytes", "source_port")
"""What groups tell beside what a verdict needs."""

NEVER = np.int64(-0x8000000000000000)
"""Stands for a missing last time: earlier than any other."""
MISSING = -1
"""Stands for a missing port."""
_MERGE_AT = 250_000
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
        order = np.lexsort(self.keys.T[::-1])
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


class Merger:
    """Collects tallies, merging as they come, so that what is held stays within twice what there is to tell."""

    def __init__(self, sets: int) -> None:
        self._merged = empty_tally(sets)
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


def empty_tally(sets: int) -> Tally:
    """Return the tally of nothing."""
    return Tally(
        np.empty((0, 4 + 3 * sets), np.int64),
        np.empty((0, 3), np.int64),
        np.empty((0, 2), np.int64),
        np.empty(0, np.int64),
        np.empty((0, 4), np.uint64),
        np.empty((0, 5), np.int64),
    )


def tally_rows(
    tables: Tables,
    judged: Judged,
    batch: pa.RecordBatch,
    rows: NDArray[np.int64],
    split: Split,
    first_row: int,
) -> Tally:
    """Count some flows of a batch by group.

    Parameters
    ----------
    rows : int64[m]
        Which flows of the batch.
    first_row : int
        Row number, within the file, of the batch's first flow.
    """
    source, destination = judged.source.take(rows), judged.destination.take(rows)
    labels = [tables.label_of[objects_of(tables, end, rows)] for end in (judged.source, judged.destination)]
    port = judged.ports.port[rows].astype(np.int64)
    if judged.ports.port_known.size:
        port[~judged.ports.port_known[rows]] = MISSING
    columns = [*labels, judged.ports.protocol[rows], port]
    for number in range(tables.sets):
        columns += [judged.egress[number, rows], judged.ingress[number, rows], judged.verdict[number, rows]]
    keys = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
    time = _integers(batch, "time", rows, NO_TIME)
    end_time = _integers(batch, "end_time", rows, NEVER)
    last = np.maximum(end_time, np.where(time == NO_TIME, NEVER, time))
    return Tally(
        keys,
        np.stack(
            [
                np.ones(rows.size, np.int64),
                _integers(batch, "packets", rows, 0),
                _integers(batch, "bytes", rows, 0),
            ],
            axis=1,
        ),
        np.stack([time, last], axis=1),
        (split.file << 40 | first_row) + rows,
        np.stack([source.high, source.low, destination.high, destination.low], axis=1),
        np.stack(
            [
                source.pods.astype(np.int64),
                destination.pods.astype(np.int64),
                source.known.astype(np.int64),
                destination.known.astype(np.int64),
                _integers(batch, "source_port", rows, MISSING),
            ],
            axis=1,
        ),
    )._grouped()


def _integers(batch: pa.RecordBatch, name: str, rows: NDArray[np.int64], missing: int | np.int64) -> NDArray[np.int64]:
    """Read some values of a column as integers; what is missing is what the caller says."""
    if name not in batch.schema.names:
        return np.full(rows.size, missing, np.int64)
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    values = (column.fill_null(0) if column.null_count else column).to_numpy(zero_copy_only=False)[rows]
    integers = np.asarray(values, np.int64)
    return np.where(validity(column)[rows], integers, missing) if column.null_count else integers
