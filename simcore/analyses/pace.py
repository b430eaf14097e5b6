"""Pace: how fast this machine builds tables, judges flows and replays a capture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter

import numpy as np
import pyarrow as pa

from ..model.addresses import Family
from ..model.cluster import Cluster
from ..model.flows import Capture, End, Flow, Split, Verdict
from ..model.policy import Policy
from ..tables.build import build_tables
from ..tables.layout import Tables
from .ends import JUDGED_COLUMNS, EndColumn, PortColumns, judged_columns
from .judging import Workspace, judge_batch, judge_columns
from .shards import Threads
from .sweep import DEFAULT_BATCH_ROWS, sweep
from .tally import GROUPED_COLUMNS

ROUNDS = 5
_MOST_HELD = 2_000_000
_MAPPED = 0xFFFF << 32
_UNKNOWN_PROTOCOL = 255


@dataclass(frozen=True, slots=True)
class Pace:
    """What was measured: medians of some rounds.

    Attributes
    ----------
    pods, policies, flows, threads : int
        What on.
    build_seconds : float
        To build tables.
    table_bytes : int
    one_thread, all_threads : float
        Flows a second judged, their columns in memory.
    replay : float
        Flows a second, from Parquet to groups, on all threads.
    to_decode : float
        What a replay takes of the time in which as many threads decode the same columns and drop them; both take turns.
    """

    pods: int
    policies: int
    flows: int
    threads: int
    build_seconds: float
    table_bytes: int
    one_thread: float
    all_threads: float
    replay: float
    to_decode: float


def measure_pace(
    cluster: Cluster,
    policies: Sequence[Policy],
    capture: Capture,
    *,
    threads: int | None = None,
    rounds: int = ROUNDS,
    progress: Callable[[int, int], None] | None = None,
) -> Pace:
    """Measure the pace on a cluster, its policies and a capture.

    The first round does not count, as it may have kernels compiled; building is done once, and should not be the first.

    Parameters
    ----------
    threads : int, optional
        How many are all of them; one a processor if not given.
    rounds : int
        How often everything is done but for building.
    progress : callable, optional
        Called with the flows judged or decoded and how many that will be.
    """
    engine, one = Threads(threads), Threads(1)
    done = 0
    rows = sum(split.rows for split in capture.splits)
    total = 2 * (rounds + 1) * (min(rows, _MOST_HELD) + rows)

    def timed(task: Callable[[], object], worked_on: int) -> float:
        nonlocal done
        start = perf_counter()
        task()
        seconds = perf_counter() - start
        done += worked_on
        if progress is not None:
            progress(done, total)
        return seconds

    start = perf_counter()
    tables = build_tables(cluster, policies)
    build = perf_counter() - start
    held = _held(capture, tables)
    in_memory = sum(batch.num_rows for batch in held)
    judging = [
        [timed(partial(_judge, tables, held, each), in_memory) for each in (one, engine)] for _ in range(rounds + 1)
    ][1:]
    replaying = [
        (
            timed(lambda: _decode(capture, engine), rows),
            timed(lambda: sweep(capture, tables, lambda verdict: verdict[0] != Verdict.ALLOW, engine), rows),
        )
        for _ in range(rounds + 1)
    ][1:]
    one_thread, all_threads = (in_memory / median(seconds) for seconds in zip(*judging, strict=True))
    return Pace(
        pods=sum(pod.is_plain for pod in cluster.pods),
        policies=len(policies),
        flows=rows,
        threads=engine.count,
        build_seconds=build,
        table_bytes=tables.size,
        one_thread=one_thread,
        all_threads=all_threads,
        replay=rows / median(replay for _, replay in replaying),
        to_decode=median(replay / decode for decode, replay in replaying),
    )


def allowing(tables: Tables) -> Callable[[Flow], bool]:
    """Return what tells whether a flow is allowed: for drawing flows that a cluster is there for."""
    known: dict[Flow, bool] = {}
    workspace = Workspace(tables, 1)

    def is_allowed(flow: Flow) -> bool:
        if flow not in known:
            numbers = tables.cluster.pod_numbers
            source, destination = _end_column(flow.source, numbers), _end_column(flow.destination, numbers)
            protocol = _UNKNOWN_PROTOCOL if flow.protocol is None else flow.protocol
            port_known = np.array([flow.port is not None])
            ports = PortColumns(np.array([protocol], np.uint8), np.array([flow.port or 0], np.uint16), port_known)
            known[flow] = bool(
                judge_columns(tables, source, destination, ports, workspace).verdict[0, 0] == Verdict.ALLOW
            )
        return known[flow]

    return is_allowed


def _end_column(end: End, pod_numbers: dict[str, int]) -> EndColumn:
    value = 0
    if end.address is not None:
        value = end.address.value | (_MAPPED if end.address.family is Family.V4 else 0)
    return EndColumn(
        None,
        np.array([value >> 64], np.uint64),
        np.array([value & (1 << 64) - 1], np.uint64),
        np.array([end.address is not None]),
        np.array([-1 if end.pod is None else pod_numbers.get(end.pod, -2)], np.int32),
    )


def _held(capture: Capture, tables: Tables) -> list[pa.RecordBatch]:
    """Read what judging needs of the first flows."""
    columns = [name for name in judged_columns(tables) if name in capture.columns]
    found: list[pa.RecordBatch] = []
    rows = 0
    for split in capture.splits:
        for batch in capture.read(split, columns, DEFAULT_BATCH_ROWS):
            if rows < _MOST_HELD:
                found.append(batch.slice(0, _MOST_HELD - rows))
                rows += found[-1].num_rows
    return found


def _judge(tables: Tables, batches: Sequence[pa.RecordBatch], engine: Threads) -> None:
    """Judge batches, each thread with arrays of its own."""

    def judge_some(number: int) -> None:
        workspace = Workspace(tables, DEFAULT_BATCH_ROWS)
        for batch in batches[number :: engine.count]:
            judge_batch(tables, batch, workspace)

    list(engine.map(judge_some, range(engine.count)))


def _decode(capture: Capture, engine: Threads) -> None:
    """Decode the columns that a replay needs, and drop them."""
    columns = [name for name in (*JUDGED_COLUMNS, *GROUPED_COLUMNS) if name in capture.columns]

    def decode(split: Split) -> int:
        return sum(batch.num_rows for batch in capture.read(split, columns, DEFAULT_BATCH_ROWS))

    list(engine.map(decode, capture.splits))
