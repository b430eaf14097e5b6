"""Tallies: flows counted by group, in a form that merges in any order to the same result."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import (
    ADDRESSES,
    CELLS,
    END,
    EXAMPLE,
    FIRST_SEEN,
    FLOWS,
    LABELS,
    MISSING,
    ORIGIN,
    PODS,
    PORT_BITS,
    SEQUENCE,
    SERVICE,
    TILE,
    VERDICTS,
    absorb_flows,
    absorb_groups,
    enlarge,
    write_examples,
)
from ..model.flows import Split
from ..tables.layout import Tables
from .ends import raw_values, validity
from .judging import Judged, objects_of

GROUPED_COLUMNS = ("time", "end_time", "packets", "bytes", "source_port")
"""What groups tell beside what a verdict needs."""
_COUNTED = ("packets", "bytes", "time", "end_time")

_FIRST_ROOM = 1 << 20
_FIRST_SLOTS = 1 << 12
SOURCE, DESTINATION, PROTOCOL, PORT, EGRESS, INGRESS, VERDICT = 0, 1, 2, 3, 4, 5, 6
"""Columns of keys, the last three those of the first policy set; each further one has three more."""
_WORD = 63
"""Bits of a key that are sorted at a time."""
_LINE = 64
"""Bytes that a processor fetches at a time."""


@dataclass(frozen=True)
class Tally:
    """Groups of flows, in no order.

    Attributes
    ----------
    groups : int64[n, 7 + sets]
        Their keys and counts; see `simcore.kernels.groups`.
    examples : int64[n, 7]
        A flow of each.
    """

    groups: NDArray[np.int64]
    examples: NDArray[np.int64]

    @property
    def size(self) -> int:
        """How many groups there are."""
        return len(self.groups)

    def take(self, rows: NDArray[np.int64]) -> Tally:
        """Return some groups, in the order given."""
        return Tally(self.groups.take(rows, axis=0), self.examples.take(rows, axis=0))

    @property
    def keys(self) -> NDArray[np.int64]:
        """Keys, ``int64[n, 4 + 3 * sets]``.

        Labels of source and destination, protocol, port (-1 where missing), then egress cell, ingress cell and
        verdict under each policy set.
        """
        return np.stack([self.column(number) for number in range(len(_parts(self._sets)))], axis=1)

    def column(self, number: int, rows: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.int64]:
        """Return one column of `keys`, of all groups or of some."""
        part = _part_of(self.groups[rows], _parts(self._sets)[number])
        return part + MISSING if number == PORT else part

    def cell_pairs(self, number: int) -> NDArray[np.int64]:
        """Both cells of each group under policy set `number`: the egress one in the upper half."""
        return self.groups[:, CELLS + number]

    def verdicts(self, number: int) -> NDArray[np.int64]:
        """Verdict of each group under policy set `number`."""
        return self.column(VERDICT + 3 * number)

    @property
    def sums(self) -> NDArray[np.int64]:
        """Flows, packets, bytes: ``int64[n, 3]``."""
        return self._part(FLOWS, FIRST_SEEN)

    @property
    def times(self) -> NDArray[np.int64]:
        """First and last seen, ``int64[n, 2]``; NO_TIME and NEVER where missing."""
        return self._part(FIRST_SEEN, END)

    @property
    def sequence(self) -> NDArray[np.int64]:
        """Where the example is, ``int64[n]``: ``file << 40 | row``."""
        return self.examples[:, SEQUENCE]

    @property
    def addresses(self) -> NDArray[np.uint64]:
        """Addresses of the example, ``uint64[n, 4]``: halves of source and destination."""
        return self.examples[:, ADDRESSES:PODS].view(np.uint64)

    @property
    def details(self) -> NDArray[np.int64]:
        """The example's source and destination pod, whether it has either address, its source port: ``int64[n, 5]``.

        Pods are -1 where there is none, -2 where the cluster does not hold them.
        """
        pods, origin = self.examples[:, PODS], self.examples[:, ORIGIN]
        return np.stack([pods >> 32, pods << 32 >> 32, origin >> 1 & 1, origin & 1, origin >> 2], axis=1)

    @property
    def _sets(self) -> int:
        return int(self.groups.shape[1]) - END - CELLS

    def _part(self, first: int, last: int) -> NDArray[np.int64]:
        width = CELLS + self._sets
        return self.groups[:, width + first : width + last]

    def order(self, rows: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return some rows in the order of a number from 0 up, one for each of them, then of their keys.

        As `numpy.lexsort` would, many times as fast: numbers are packed into words, since sorting single integers takes
        vector instructions, and what does not fit into the first word is looked at only where words are equal.
        """
        return rows[_order(self.groups.take(rows, axis=0), before, 0)] if rows.size else rows


_Part = tuple[int, int, int]
"""Where a part of a key is: word, lowest bit, how many bits."""


def _parts(sets: int) -> list[_Part]:
    """List the parts of keys, in the order of the columns of `Tally.keys`."""
    parts = [(LABELS, 32, 32), (LABELS, 0, 32), (SERVICE, PORT_BITS, 8), (SERVICE, 0, PORT_BITS)]
    for number in range(sets):
        parts += [(CELLS + number, 32, 32), (CELLS + number, 0, 32), (SERVICE, VERDICTS + 2 * number, 2)]
    return parts


def _part_of(groups: NDArray[np.int64], part: _Part) -> NDArray[np.int64]:
    word, shift, bits = part
    return np.asarray(groups[:, word] >> shift & (1 << bits) - 1)


def _order(groups: NDArray[np.int64], word: NDArray[np.int64], place: int) -> NDArray[np.int64]:
    """Return the order of groups by a word each, then by the parts of their keys from `place` on."""
    parts = _parts(groups.shape[1] - END - CELLS)
    used = int(word.max()).bit_length()
    while place < len(parts):
        part = _part_of(groups, parts[place])
        bits = int(part.max()).bit_length()
        if used + bits > _WORD:
            break
        word, used, place = word << bits | part, used + bits, place + 1
    order = np.argsort(word)
    ordered = word[order]
    same = ordered[1:] == ordered[:-1]
    if place == len(parts) or not same.any():
        return order
    # What is equal stays where it is, and is put in order among itself.
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    ranks = np.insert(np.cumsum(~same), 0, 0)[tied]
    order[tied] = order[tied][_order(groups[order[tied]], ranks, place)]
    return order


class Merger:
    """Counts flows by group as they come, and merges with others of its kind.

    What is held is at most twice what there is to tell: pages that no group needs are never touched.
    """

    def __init__(self, sets: int) -> None:
        self._groups = _room(_FIRST_ROOM, CELLS + sets + END)
        self._examples = _room(_FIRST_ROOM, EXAMPLE)
        self._table = np.zeros(_FIRST_SLOTS, np.uint64)
        self._found = 0

    def add(self, tally: Tally) -> None:
        """Take in the groups of one more tally."""
        done = 0
        while done < tally.size:
            self._make_room(tally.size - done)
            self._found, done = absorb_groups(
                self._groups, self._examples, self._found, self._table, tally.groups, tally.examples, done
            )

    def joined(self, other: Merger) -> Merger:
        """Return what both hold in one of them; the other is of no more use."""
        larger, smaller = (self, other) if self._found >= other._found else (other, self)
        larger.add(smaller.merged())
        return larger

    def add_flows(
        self,
        tables: Tables,
        judged: Judged,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64],
        split: Split,
        first_row: int,
        room: NDArray[np.int32],
    ) -> None:
        """Take in some flows of a batch.

        Parameters
        ----------
        rows : int64[m]
            Which flows of the batch.
        first_row : int
            Row number, within the file, of the batch's first flow.
        room : int32[2, m or more]
            Written.
        """
        ends = judged.source.some(rows), judged.destination.some(rows)
        labels = [tables.label_of[objects_of(tables, end)] for end in ends]
        columns = [part for name in _COUNTED for part in _column(batch, name, np.int64)]
        ports, port_known = _column(batch, "source_port", np.uint16)
        sequence = (split.file << 40) + first_row
        done = 0
        while done < rows.size:
            self._make_room(rows.size - done)
            self._found, counted, written = absorb_flows(
                self._groups,
                self._examples,
                self._found,
                self._table,
                rows[done:],
                sequence,
                labels[0][done:],
                labels[1][done:],
                judged.ports.protocol,
                judged.ports.port,
                judged.ports.port_known,
                judged.egress,
                judged.ingress,
                judged.verdict,
                *columns,
                room,
            )
            fresh = room[1, :written] + done
            source, destination = (end.take(fresh) for end in ends)
            write_examples(
                self._examples,
                room[0, :written],
                rows[fresh],
                ports,
                port_known,
                source.high,
                source.low,
                source.known,
                source.pods,
                destination.high,
                destination.low,
                destination.known,
                destination.pods,
            )
            done += counted

    def _make_room(self, left: int) -> None:
        """Make room for so many more records, or for a tile of them at least."""
        wanted = self._found + min(left, TILE)
        if wanted > len(self._groups):
            rows = max(2 * len(self._groups), wanted)
            self._groups = _grown(self._groups, self._found, rows)
            self._examples = _grown(self._examples, self._found, rows)
        if 2 * wanted > self._table.size:
            larger = np.zeros(1 << (4 * wanted - 1).bit_length(), np.uint64)
            enlarge(self._table, larger)
            self._table = larger

    def merged(self) -> Tally:
        """Return all that was taken in as one tally."""
        return Tally(self._groups[: self._found], self._examples[: self._found])


def _room(rows: int, width: int) -> NDArray[np.int64]:
    """Make an array of rows that begins where a line of memory does."""
    flat = np.empty(rows * width + _LINE // 8, np.int64)
    start = -flat.ctypes.data % _LINE // 8
    return flat[start : start + rows * width].reshape(rows, width)


def _grown(array: NDArray[np.int64], used: int, rows: int) -> NDArray[np.int64]:
    grown = _room(rows, array.shape[1])
    grown[:used] = array[:used]
    return grown


def _column(batch: pa.RecordBatch, name: str, kind: type[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    """Return the numbers of a column and which of them are there, as `absorb_flows` takes them."""
    column = batch.column(name) if name in batch.schema.names else None
    if column is None or column.null_count == len(column):
        values = np.empty(0, kind)
    else:
        values = np.asarray(raw_values(column), kind)
    # Kernels are compiled anew for arrays that may be written.
    values.setflags(write=False)
    return values, validity(column) if column is not None and column.null_count else np.empty(0, bool)
