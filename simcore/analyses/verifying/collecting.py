"""Collects flows whose verdicts differ, group by group, in a form that merges to the same whatever the batches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...kernels.groups import MISSING, NO_TIME
from ...model.addresses import Address
from ...model.flows import Split
from ...model.groups import Example
from ...tables.layout import Tables
from ..ends import EndColumn, raw_values, validity
from ..examples import request_at
from ..judging import Judged, objects_of
from .recorded import SIDES, WHOLE, Names, RecordedBatch

GROUPED_COLUMNS = ("time", "source_port", "source_pod", "destination_pod")
"""What groups and their examples are told by, beside what a verdict needs."""

_FIRST_EPHEMERAL = 32_768
_UNKNOWN_POD = -2
_LONGEST_ROW = 40


@dataclass(frozen=True, slots=True)
class Found:
    """What is told of a group of flows.

    Attributes
    ----------
    order : tuple of int
        Time and place of the example, which is the first by them.
    """

    flows: int
    order: tuple[int, int]
    example: Example


@dataclass(frozen=True, slots=True)
class Group:
    """What flows of a group have in common.

    Attributes
    ----------
    side : int
        Position in `SIDES`.
    meaning : int
        ALLOWED or DENIED.
    source, destination : int
        Labels.
    cells : int
        Both: the egress one in the upper half.
    source_pod, destination_pod : str
        Set where the cluster does not hold the pod.
    """

    side: int
    meaning: int
    source: int
    destination: int
    protocol: int
    port: int
    cells: int
    verdict: int
    reply: int
    word: str
    reason: str
    policies: str
    record: str
    source_pod: str
    destination_pod: str


class Collector:
    """Collects groups."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._files = files
        self.groups: dict[Group, Found] = {}

    def join(self, other: Collector) -> None:
        """Take in what another one holds."""
        for group, found in other.groups.items():
            self._add(group, found)

    def _add(self, group: Group, found: Found) -> None:
        known = self.groups.get(group)
        if known is None:
            self.groups[group] = found
            return
        first = min(known, found, key=lambda each: each.order)
        self.groups[group] = Found(known.flows + found.flows, first.order, first.example)

    def collect(
        self,
        tables: Tables,
        judged: Judged,
        recorded: RecordedBatch,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64],
        sides: NDArray[np.int64],
        split: Split,
        first_row: int,
    ) -> None:
        """Take in some flows of a batch.

        Parameters
        ----------
        rows : int64[m]
            Which flows of the batch.
        sides : int64[m]
            Of each, the side at which verdicts differ.
        first_row : int
            Row number, within the file, of the batch's first flow.
        """
        reader = _Reader(tables, judged, recorded, batch, rows, sides)
        times, known = _values(batch, "time", rows)
        times = np.where(known, times, NO_TIME)
        order = np.lexsort((rows, times, reader.numbers))
        starts = np.flatnonzero(np.diff(reader.numbers[order], prepend=-1))
        counts = np.diff(starts, append=rows.size)
        for at, count in zip(order[starts].tolist(), counts.tolist(), strict=True):
            row, time = first_row + int(rows[at]), int(times[at])
            example = reader.example(at, self._files[split.file], row, None if time == NO_TIME else time)
            place = (split.file << _LONGEST_ROW) + row
            self._add(reader.group(at), Found(count, (time, place), example))


class _Reader:
    """Reads what groups are told by from some rows of a batch."""

    def __init__(
        self,
        tables: Tables,
        judged: Judged,
        recorded: RecordedBatch,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64],
        sides: NDArray[np.int64],
    ) -> None:
        self._tables = tables
        self._sides = sides
        self._batch, self._rows = batch, rows
        self._ends = judged.source.take(rows), judged.destination.take(rows)
        ports, port_known = judged.ports.port[rows], judged.ports.port_known
        known = port_known[rows] if port_known.size else np.ones(rows.size, bool)
        self._ports = np.where(known, ports.astype(np.int64), MISSING)
        self._source_ports, source_known = _values(batch, "source_port", rows)
        self._source_ports = np.where(source_known, self._source_ports, MISSING)
        self._pods = [_some(Names.of(batch, f"{end}_pod"), rows) for end in ("source", "destination")]
        told = [names for pair in zip(recorded.reasons, recorded.policies, strict=True) for names in pair]
        self._texts = [_some(names, rows) for names in (recorded.record, *recorded.words, *told)]
        cells = judged.egress[0, rows].astype(np.int64) << 32 | judged.ingress[0, rows]
        labels = [tables.label_of[objects_of(tables, end)] for end in self._ends]
        reply = (self._ports >= _FIRST_EPHEMERAL) & (self._source_ports < _FIRST_EPHEMERAL) & (self._source_ports >= 0)
        self._columns = [
            sides,
            recorded.meaning[sides, rows],
            *labels,
            judged.ports.protocol[rows],
            self._ports,
            cells,
            judged.verdict[0, rows],
            reply,
        ]
        codes = [names.codes for names in self._texts]
        unknown = [np.where(e.pods == _UNKNOWN_POD, p.codes, -1) for e, p in zip(self._ends, self._pods, strict=True)]
        self._unknown = unknown
        self.numbers = _numbered([*self._columns, *codes, *unknown])

    def group(self, at: int) -> Group:
        """Return the group of a row."""
        side = int(self._sides[at])
        record, *others = (names.words[names.codes[at]] for names in self._texts)
        words, told = others[: len(SIDES)], others[len(SIDES) :]
        reason, policies = ("", "") if side == WHOLE else told[2 * side : 2 * side + 2]
        pods = ["" if u[at] < 0 else p.words[u[at]] for u, p in zip(self._unknown, self._pods, strict=True)]
        _, meaning, source, destination, protocol, port, cells, verdict, reply = (int(c[at]) for c in self._columns)
        flow = source, destination, protocol, port, cells, verdict, reply
        return Group(side, meaning, *flow, words[side], reason, policies, record, *pods)

    def example(self, at: int, file: str, row: int, time: int | None) -> Example:
        """Return a row as an example."""
        source, destination = (self._end(end, pods, at) for end, pods in zip(self._ends, self._pods, strict=True))
        source_port, port = (
            None if number == MISSING else int(number) for number in (self._source_ports[at], self._ports[at])
        )
        request = request_at(self._batch, int(self._rows[at]))
        return Example(file, row, time, source, destination, source_port, port, request)

    def _end(self, end: EndColumn, pods: Names, at: int) -> str:
        address = None
        if end.known[at]:
            address = Address.from_bytes((int(end.high[at]) << 64 | int(end.low[at])).to_bytes(16, "big"))
        name = pods.words[pods.codes[at]]
        owners = () if name or address is None else self._tables.cluster.pods_at.get(address, ())
        if len(owners) == 1:
            name = self._tables.cluster.pods[owners[0]].full_name
        if address is None:
            return name or "unknown"
        return f"{address} ({name})" if name else str(address)


def _numbered(columns: Iterable[NDArray[np.generic]]) -> NDArray[np.int64]:
    """Number rows such that those, and only those, that are alike in every column have the same number."""
    numbers: NDArray[np.int64] | None = None
    for column in columns:
        _, codes = np.unique(column, return_inverse=True)
        if numbers is None:
            numbers = codes
        elif codes.any():
            _, numbers = np.unique(numbers * (int(codes.max()) + 1) + codes, return_inverse=True)
    assert numbers is not None
    return numbers


def _some(names: Names, rows: NDArray[np.int64]) -> Names:
    return Names(names.words, names.codes[rows])


def _values(batch: pa.RecordBatch, name: str, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return some numbers of a column, and which of them are there."""
    if name not in batch.schema.names:
        return np.zeros(rows.size, np.int64), np.zeros(rows.size, bool)
    column = batch.column(name)
    return raw_values(column)[rows].astype(np.int64), validity(column, rows)
