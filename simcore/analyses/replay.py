"""Replay: every flow of a capture judged under one policy set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from ..model.cluster import Cluster
from ..model.flows import Capture, Split
from ..model.profile import UPSTREAM, Profile
from ..tables.layout import Tables
from .carried import NO_REQUESTS, RequestCounts
from .examples import ExampleRequests
from .groups import Groups
from .judging import Judged
from .names import NO_NAMES, NameReport
from .prepared import Policies, prepare_with_names
from .results import ResultColumns, check_output, result_fields, rule_table, write_rules
from .sessions.oriented import STATE_FIELDS, OrientedCapture, StateCounts, count_states, follow, state_columns
from .sessions.stateful import StatefulOptions
from .shards import Threads
from .sweep import DEFAULT_BATCH_ROWS, Observer, Output, Progress, not_allowed, sweep

RESULT_SCHEMA = pa.schema(result_fields())
"""What `replay` writes: one row a flow, in the order of the capture (files in order, rows in order)."""

STATEFUL_SCHEMA = pa.schema([*result_fields(), *STATE_FIELDS])
"""What a stateful `replay` writes."""


Observing = Callable[[Tables, OrientedCapture | None], Observer]
"""Makes an observer of a sweep: given the tables, and the capture that is judged where connections are followed."""


@dataclass(frozen=True)
class ReplayResult:
    """Verdicts of a capture, counted.

    Attributes
    ----------
    flows, allowed, denied, unknown : int
    groups : sequence of FlowGroup
        The denied and the unknown flows; most flows first.
    unknown_reasons : mapping
        Reason to the number of flows that it leaves unknown, most first.
    rules : pyarrow.Table
        The rule table, see `simcore.analyses.results.rule_table`.
    state : StateCounts or None
        What was found of connections; None where each flow was judged by itself.
    settled : int
        Flows that were decided by their source port, or by their ICMP type or code.
    names : NameReport
        What is known of the domain names that rules go by.
    requests : RequestCounts
        What is told of requests.
    not_there : int
        Flows of times at which one of their ends was nobody's, was several pods', or was a pod that was not there.
    """

    flows: int
    allowed: int
    denied: int
    unknown: int
    groups: Groups
    unknown_reasons: Mapping[str, int]
    rules: pa.Table
    state: StateCounts | None = None
    settled: int = 0
    names: NameReport = NO_NAMES
    requests: RequestCounts = NO_REQUESTS
    not_there: int = 0


@overload
def replay(
    capture: Capture,
    cluster: Cluster,
    policies: Policies,
    profile: Profile = UPSTREAM,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> ReplayResult: ...


@overload
def replay(
    capture: Capture,
    cluster: Tables,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> ReplayResult: ...


def replay(
    capture: Capture,
    cluster: Cluster | Tables,
    policies: Policies | None = None,
    profile: Profile | None = None,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> ReplayResult:
    """Judge every flow of a capture: ``replay(capture, cluster, policies)``, or ``replay(capture, tables)``.

    Parameters
    ----------
    capture : Capture
        As `loaders.open_capture` gives it.
    cluster : Cluster or Tables
        The cluster; pods without address get those that the capture names them with. Or tables of one policy set, from
        `simcore.build_tables`, which many captures can share: they are taken as they are, and pods without address
        stay so, unless `simcore.learn_addresses` gave them some before the tables were built.
    policies : sequence of Policy or PolicyHistory
        Of a history, those of each flow's time judge it. Not beside tables.
    profile : Profile
        The habits of the dataplane that enforces; UPSTREAM if not given. Not beside tables, which have theirs.
    threads : int, optional
        How many splits are judged at a time; one a processor if not given. Does not change the result.
    batch_rows : int
        Flows held decoded at a time and thread. Does not change the result.
    output : Path, optional
        Parquet file to write in RESULT_SCHEMA, one row a flow; its rule table goes beside it.
    progress : callable, optional
        Called with the rows done and the rows there are.
    stateful : StatefulOptions, optional
        Judge connections rather than rows: an answer has the verdict of what it answers, and each row its conntrack
        class. Reads the capture twice more.
    observing : callable, optional
        Makes somebody who looks at every judged batch as well, as `simcore.monitoring.counting.Counting` does.

    Raises
    ------
    LoadError
        A part of the capture cannot be read, or the output cannot be written there.
    ValueError
        The tables are not of one policy set.
    """
    if output:
        check_output(output, capture)
    engine = Threads(threads)
    tables, names = prepare_with_names(capture, cluster, [policies], profile, engine, batch_rows)
    oriented, state = None, None
    if stateful is not None:
        following, oriented, progress = follow(capture, tables, stateful, threads, batch_rows, progress)
        state = count_states(following)
    found = sweep(
        oriented or capture,
        tables,
        not_allowed,
        engine,
        batch_rows,
        _output(tables, output, oriented) if output else None,
        progress,
        observing(tables, oriented) if observing else None,
    )
    if output:
        write_rules(tables, output)
    groups = Groups(tables, found.tally, capture.files, ExampleRequests(capture, tables).of_group)
    allowed, denied, unknown = np.diagonal(found.counts).tolist()
    return ReplayResult(
        flows=allowed + denied + unknown,
        allowed=allowed,
        denied=denied,
        unknown=unknown,
        groups=groups,
        unknown_reasons=groups.reasons(),
        rules=rule_table(tables),
        state=state,
        settled=found.settled,
        names=names,
        requests=found.requests.counts(tables),
        not_there=found.not_there,
    )


def _output(tables: Tables, path: Path, oriented: OrientedCapture | None) -> Output:
    columns = ResultColumns(tables)

    def describe(split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(columns.of(judged, 0), schema=RESULT_SCHEMA)

    def describe_states(split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> pa.RecordBatch:
        assert oriented is not None
        here = split, first_row, batch.num_rows
        states = state_columns(oriented.results_of(*here), oriented.kinds_of(*here), judged.verdict[0])
        return pa.RecordBatch.from_arrays([*columns.of(judged, 0), *states], schema=STATEFUL_SCHEMA)

    return Output(path, RESULT_SCHEMA, describe) if oriented is None else Output(path, STATEFUL_SCHEMA, describe_states)
