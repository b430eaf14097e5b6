"""Sightings: who was seen to speak to whom among the flows that a change of policies would cut."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import NEVER, NO_TIME
from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import Capture, Judgement, Split, Verdict
from ..model.profile import UPSTREAM, Profile
from ..tables.layout import Tables
from ..tables.ports import UNKNOWN_PROTOCOL
from .ends import EndColumn, judged_columns, raw_values, validity
from .judging import Judged, Workspace, judge_batch, judgement_of, objects_of
from .prepared import Policies, prepare
from .sessions.oriented import follow
from .sessions.stateful import StatefulOptions
from .shards import Engine, Threads
from .sweep import DEFAULT_BATCH_ROWS, Progress

_NO_PORT = -1
_NO_POD = -1
_SEATS = [f"{end}_{part}" for end in ("source", "destination") for part in ("pod", "high", "low")]
_KEYS = [*_SEATS, "protocol", "port", "egress", "ingress", "before", "after"]
_COUNTED = [("flows", "sum"), ("first", "min"), ("last", "max")]


@dataclass(frozen=True, slots=True)
class Seat:
    """One end of flows: a pod by its position in the cluster, else (-1) an address, or neither where none is told."""

    pod: int
    address: Address | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Flows from one seat to another on one port, with the same fate.

    Attributes
    ----------
    protocol, port : int or None
        As recorded; None where the record has none.
    first, last : int or None
        When the first and the last of them began, nanoseconds since 1970.
    before, after : Judgement
        Under the first and under the last policy set.
    """

    source: Seat
    destination: Seat
    protocol: int | None
    port: int | None
    flows: int
    first: int | None
    last: int | None
    before: Judgement
    after: Judgement


@dataclass(frozen=True, slots=True)
class Sightings:
    """What was seen.

    Attributes
    ----------
    lost : tuple of Sighting
        Allowed under the first policy set, and not under the last; ordered by their ends and ports.
    flows, allowed, unknown : int
        All flows of the capture; those that the first policy set allows, and those of which it cannot be told.
    """

    lost: tuple[Sighting, ...]
    flows: int
    allowed: int
    unknown: int


def sightings(
    capture: Capture,
    cluster: Cluster,
    baseline: Policies,
    candidate: Policies,
    profile: Profile = UPSTREAM,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
) -> Sightings:
    """Collect the flows that the baseline allows and the candidate does not; arguments as for `whatif`.

    Pods are told by their place in the cluster, everybody else by address: of what is outside, no address is lost.
    """
    engine = Threads(threads)
    tables = prepare(capture, cluster, [baseline, candidate], profile, engine, batch_rows)
    if stateful is not None:
        _, capture, progress = follow(capture, tables, stateful, threads, batch_rows, progress)
    return _collected(capture, tables, engine, batch_rows, progress)


def _collected(
    capture: Capture, tables: Tables, engine: Engine, batch_rows: int, progress: Progress | None
) -> Sightings:
    wanted = dict.fromkeys([*judged_columns(tables), "time"])
    columns = [name for name in wanted if name in capture.columns]

    def collect(split: Split) -> tuple[NDArray[np.int64], pa.Table, int]:
        counts = np.zeros(3, np.int64)
        workspace = Workspace(tables, min(batch_rows, split.rows))
        found: list[pa.Table] = []
        for batch in capture.read(split, columns, batch_rows):
            judged = judge_batch(tables, batch, workspace)
            counts += np.bincount(judged.verdict[0], minlength=3)
            rows = np.flatnonzero((judged.verdict[0] == Verdict.ALLOW) & (judged.verdict[-1] != Verdict.ALLOW))
            if rows.size:
                found.append(_counted(_table(tables, judged, batch, rows)))
        return counts, _merged(found), split.rows

    counts, tallied, done = np.zeros(3, np.int64), [], 0
    total = sum(split.rows for split in capture.splits)
    for part_counts, part, rows in engine.map(collect, capture.splits):
        counts += part_counts
        tallied.append(part)
        done += rows
        if progress is not None:
            progress(done, total)
    lost = tuple(_sightings(tables, _merged(tallied)))
    return Sightings(lost, int(counts.sum()), int(counts[Verdict.ALLOW]), int(counts[Verdict.UNKNOWN]))


def _table(tables: Tables, judged: Judged, batch: pa.RecordBatch, rows: NDArray[np.int64]) -> pa.Table:
    """Tell of some flows what a sighting does, a row each."""
    seats = [part for end in (judged.source, judged.destination) for part in _seats(tables, end, rows)]
    ports = judged.ports.take(rows)
    port = ports.port.astype(np.int32)
    if ports.port_known.size:
        port[~ports.port_known] = _NO_PORT
    times = np.full(rows.size, NO_TIME, np.int64)
    if "time" in batch.schema.names:
        column = batch.column("time")
        known = validity(column)[rows]
        times[known] = np.asarray(raw_values(column), np.int64)[rows][known]
    columns = [
        *seats,
        ports.protocol,
        port,
        judged.egress[-1, rows],
        judged.ingress[-1, rows],
        judged.egress[0, rows].astype(np.uint64) << np.uint64(32) | judged.ingress[0, rows],
        judged.verdict[-1, rows],
        np.ones(rows.size, np.int64),
        times,
        np.where(times == NO_TIME, NEVER, times),
    ]
    return pa.table(dict(zip([*_KEYS, "flows", "first", "last"], map(pa.array, columns), strict=True)))


def _seats(
    tables: Tables, end: EndColumn, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.uint64], NDArray[np.uint64]]:
    """Tell who sits at one end of some flows: the pod, and where there is none, the address."""
    some = end.some(rows)
    objects, wide = objects_of(tables, some), some.widened()
    count = len(tables.cluster.pods)
    pods = np.where(objects < count, objects, np.where((wide.pods >= 0) & (wide.pods < count), wide.pods, _NO_POD))
    told = (objects < count) | ~wide.known
    return pods.astype(np.int32), np.where(told, 0, wide.high), np.where(told, 0, wide.low)


def _counted(table: pa.Table) -> pa.Table:
    """Merge rows that agree in all but counts and times."""
    counted = table.group_by(_KEYS, use_threads=False).aggregate(_COUNTED)
    return counted.rename_columns(
        [name.removesuffix("_sum").removesuffix("_min").removesuffix("_max") for name in counted.column_names]
    )


def _merged(tables: Iterable[pa.Table]) -> pa.Table | None:
    found = [table for table in tables if table is not None]
    return _counted(pa.concat_tables(found)) if found else None


def _sightings(tables: Tables, found: pa.Table | None) -> Iterator[Sighting]:
    if found is None:
        return
    ordered = found.sort_by([(name, "ascending") for name in _KEYS])
    for row in ordered.to_pylist():
        before = row["before"] >> 32, row["before"] & 0xFFFFFFFF
        first, last = row["first"], row["last"]
        yield Sighting(
            _seat(row, "source"),
            _seat(row, "destination"),
            None if row["protocol"] == UNKNOWN_PROTOCOL else row["protocol"],
            None if row["port"] == _NO_PORT else row["port"],
            row["flows"],
            None if first == NO_TIME else first,
            None if last == NEVER else last,
            judgement_of(tables, *before, Verdict.ALLOW),
            judgement_of(tables, row["egress"], row["ingress"], row["after"]),
        )


def _seat(row: dict[str, int], end: str) -> Seat:
    value = row[f"{end}_high"] << 64 | row[f"{end}_low"]
    return Seat(row[f"{end}_pod"], Address.from_bytes(value.to_bytes(16, "big")) if value else None)
