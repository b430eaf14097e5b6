"""What-if: every flow of a capture judged under two policy sets, and what changes between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import pyarrow as pa

from ..errors import Place
from ..model.cluster import Cluster
from ..model.flows import Capture, Split
from ..model.groups import Cause, Change, Edit, FlowGroup
from ..model.policy import Direction, Policy, PolicyRef, Rule
from ..model.profile import UPSTREAM, Profile
from ..model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from ..model.timeline import PolicyHistory
from ..tables.layout import Tables
from .carried import NO_REQUESTS, RequestCounts
from .ends import ENDS
from .examples import ExampleRequests
from .groups import CHANGE_OF, CHANGES, Groups
from .judging import Judged
from .names import NO_NAMES, NameReport
from .prepared import Policies, prepare_with_names
from .replay import Observing
from .results import WORDS, ResultColumns, check_output, result_fields, write_rules
from .sessions.oriented import OpenLost, StateCounts, count_lost, count_states, follow
from .sessions.stateful import StatefulOptions
from .shards import Threads
from .sweep import DEFAULT_BATCH_ROWS, Output, Progress, sweep

_FILE = pa.dictionary(pa.int32(), pa.string())
_COPIED = (
    "time",
    "source_port",
    "destination_port",
    "protocol",
    "packets",
    "bytes",
    "source_pod",
    "destination_pod",
)
CHANGE_SCHEMA = pa.schema(
    [
        pa.field("file", _FILE, nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("change", WORDS, nullable=False),
        *(pa.field(f"{end}_address", WIDE_ADDRESS) for end in ENDS),
        *(pa.field(name, pa.string() if name.endswith("_pod") else FLOW_SCHEMA.field(name).type) for name in _COPIED),
        *result_fields("_before"),
        *result_fields("_after"),
    ]
)
"""What `whatif` writes: one row a changed flow, in the order of the capture; addresses of 16 bytes, IPv4 mapped."""


@dataclass(frozen=True)
class WhatIfResult:
    """What changes from the baseline to the candidate, counted in flows.

    Attributes
    ----------
    flows : int
    lost : int
        ALLOW to DENY.
    gained : int
        DENY to ALLOW.
    unknown : int
        To or from UNKNOWN.
    unchanged : int
    groups : sequence of FlowGroup
        The changed flows: lost name resolution first, then lost, gained, unknown; most flows first in each.
    state : StateCounts or None
        What was found of connections; None where each flow was judged by itself.
    cut : OpenLost or None
        The connections that the change cuts.
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
    lost: int
    gained: int
    unknown: int
    unchanged: int
    groups: Groups
    state: StateCounts | None = None
    cut: OpenLost | None = None
    settled: int = 0
    names: NameReport = NO_NAMES
    requests: RequestCounts = NO_REQUESTS
    not_there: int = 0


@overload
def whatif(
    capture: Capture,
    cluster: Cluster,
    baseline: Policies,
    candidate: Policies,
    profile: Profile = UPSTREAM,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> WhatIfResult: ...


@overload
def whatif(
    capture: Capture,
    cluster: Tables,
    baseline: Policies | None = None,
    candidate: Policies | None = None,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> WhatIfResult: ...


def whatif(
    capture: Capture,
    cluster: Cluster | Tables,
    baseline: Policies | None = None,
    candidate: Policies | None = None,
    profile: Profile | None = None,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
    observing: Observing | None = None,
) -> WhatIfResult:
    """Judge every flow of a capture under two policy sets, in one sweep.

    ``whatif(capture, cluster, baseline, candidate)``, or ``whatif(capture, tables, baseline, candidate)``.

    Parameters
    ----------
    capture : Capture
        As `loaders.open_capture` gives it.
    cluster : Cluster or Tables
        As for `replay`; tables are of two policy sets, the baseline first.
    baseline, candidate : sequence of Policy or PolicyHistory
        Full sets, or those of all times, each edited; see `loaders.edits` for making one from the other. Beside tables,
        those that they were built from; they may be left out, and then no group tells the edit behind it.
    profile : Profile
        The habits of the dataplane that enforces; UPSTREAM if not given. Not beside tables, which have theirs.
    threads, batch_rows, progress, stateful, observing
        As for `replay`.
    output : Path, optional
        Parquet file to write in CHANGE_SCHEMA, one row a changed flow; the rule table goes beside it.

    Raises
    ------
    LoadError
        A part of the capture cannot be read, or the output cannot be written there.
    ValueError
        The tables are not of two policy sets, or of others than those given.
    """
    if output:
        check_output(output, capture)
    engine = Threads(threads)
    tables, names = prepare_with_names(capture, cluster, [baseline, candidate], profile, engine, batch_rows)
    oriented, state, cut = None, None, None
    if stateful is not None:
        following, oriented, progress = follow(capture, tables, stateful, threads, batch_rows, progress)
        state, cut = count_states(following), count_lost(following)
    found = sweep(
        oriented or capture,
        tables,
        lambda verdict: verdict[0] != verdict[1],
        engine,
        batch_rows,
        _output(tables, output, capture.files) if output else None,
        progress,
        observing(tables, oriented) if observing else None,
    )
    if output:
        write_rules(tables, output)
    edits = {} if baseline is None or candidate is None else _edits_of(baseline, candidate)
    requests = ExampleRequests(capture, tables)
    counts = {change: int(found.counts[number == CHANGE_OF].sum()) for number, change in enumerate(CHANGES)}
    return WhatIfResult(
        flows=int(found.counts.sum()),
        lost=counts[Change.LOST],
        gained=counts[Change.GAINED],
        unknown=counts[Change.UNKNOWN],
        unchanged=counts[Change.UNCHANGED],
        groups=Groups(
            tables,
            found.tally,
            capture.files,
            lambda group: requests.of_group(replace(group, cause=_cause(group, edits))),
        ),
        state=state,
        cut=cut,
        settled=found.settled,
        names=names,
        requests=found.requests.counts(tables),
        not_there=found.not_there,
    )


def _edits_of(baseline: Policies, candidate: Policies) -> dict[PolicyRef, Cause]:
    """List the policies that are not the same in both sets, at any time."""
    before, after = (
        policies if isinstance(policies, PolicyHistory) else PolicyHistory.constant(policies)
        for policies in (baseline, candidate)
    )
    edits: dict[PolicyRef, Cause] = {}
    for begin in sorted({first for history in (before, after) for (first, _), _ in history}):
        edits |= _edits(before.at(begin), after.at(begin))
    return edits


def _edits(baseline: Sequence[Policy], candidate: Sequence[Policy]) -> dict[PolicyRef, Cause]:
    """List the policies that are not the same in both sets."""
    before = {policy.ref: policy for policy in baseline}
    after = {policy.ref: policy for policy in candidate}
    edits = {ref: Cause(ref, Edit.REMOVED, policy.place) for ref, policy in before.items() if ref not in after}
    for ref, policy in after.items():
        if ref not in before:
            edits[ref] = Cause(ref, Edit.ADDED, policy.place)
        elif _content(policy) != _content(before[ref]):
            edits[ref] = Cause(ref, Edit.CHANGED, policy.place)
    return edits


def _content(policy: Policy) -> list[Rule]:
    """Return what a policy says, wherever it is written."""
    nowhere = Place("")
    return [replace(rule, place=nowhere) for rule in policy.rules]


def _cause(group: FlowGroup, edits: dict[PolicyRef, Cause]) -> Cause | None:
    """Find the edited policy behind a change.

    What is lost was allowed by a rule that is gone, or by no isolation where there is one now; what is gained is
    allowed by a rule that is new, or by no isolation where there was one.
    """
    if group.before is None:
        return None
    for direction in Direction:
        before, after = group.before.outcome(direction), group.after.outcome(direction)
        if before.verdict != after.verdict:
            deciders = (before.rule, after.rule) if after.verdict > before.verdict else (after.rule, before.rule)
            for rule in deciders:
                if rule is not None and rule.policy in edits:
                    return edits[rule.policy]
    return None


def _output(tables: Tables, path: Path, files: Sequence[str]) -> Output:
    columns = ResultColumns(tables)
    changes = pa.array([str(change) for change in CHANGES], pa.string())

    def describe(split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> pa.RecordBatch:
        rows = np.flatnonzero(judged.verdict[0] != judged.verdict[1])
        change = CHANGE_OF[judged.verdict[0, rows], judged.verdict[1, rows]]
        ends = [end.take(rows) for end in (judged.source, judged.destination)]
        return pa.RecordBatch.from_arrays(
            [
                _repeated(files[split.file], rows.size),
                pa.array(first_row + rows),
                pa.DictionaryArray.from_arrays(pa.array(change), changes),
                *(_packed(end.high, end.low, end.known) for end in ends),
                *(_copied(batch, name, rows) for name in _COPIED),
                *columns.of(judged, 0, rows),
                *columns.of(judged, 1, rows),
            ],
            schema=CHANGE_SCHEMA,
        )

    return Output(path, CHANGE_SCHEMA, describe, _COPIED)


def _repeated(file: str, count: int) -> pa.Array:
    """Name one file in every row; a row group is of one file, and need not hold the names of all."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([file], pa.string()))


def _packed(high: np.ndarray, low: np.ndarray, known: np.ndarray) -> pa.Array:
    """Pack halves of addresses into 16 bytes in network order."""
    data = np.stack([high, low], axis=1).astype(">u8").tobytes()
    mask = pa.array(known).buffers()[1]
    return pa.Array.from_buffers(WIDE_ADDRESS, high.size, [mask, pa.py_buffer(data)])


def _copied(batch: pa.RecordBatch, name: str, rows: np.ndarray) -> pa.Array:
    """Copy some rows of a column; one that the capture lacks is all missing."""
    kind = CHANGE_SCHEMA.field(name).type
    if name not in batch.schema.names:
        return pa.nulls(rows.size, kind)
    return batch.column(name).take(pa.array(rows)).cast(kind)
