"""Following connections: a capture's records oriented, judged, put in order, and shown to tables of connections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...kernels.places import NODES, PODS
from ...kernels.sessions import records
from ...kernels.sessions.sessions import EVIDENCE, FLAGS, family_of
from ...model.conntrack import LINUX, SECOND, Cilium, Conntrack
from ...model.flows import Capture, Split
from ...tables.layout import Tables
from ..ends import EndColumn, PortColumns, judged_columns, read_ports
from ..identified import read_ends
from ..judging import Workspace, judge_columns, objects_of
from ..shards import Threads
from ..sweep import DEFAULT_BATCH_ROWS, Progress
from ..timely import times_of
from .orientation import (
    RECORD_COLUMNS,
    Habits,
    Orientation,
    Records,
    habits_of,
    methods_of,
    served_ports,
    skew_of,
)
from .reorder import Reordered, Span, find_spans
from .sessions import Changes, Sessions, longest_timeouts
from .translated import Joined

DEFAULT_REORDER = 60 * SECOND
FAMILY_OF = np.array([family_of.py_func(protocol) for protocol in range(256)])


class Variant(NamedTuple):
    """One way of looking at the connections of a capture: with these timeouts, under one of the policy sets."""

    settings: Conntrack | Cilium = LINUX
    policy_set: int = 0


class Window(NamedTuple):
    """What happened to entries before `until` (ns), since the window before: for each variant."""

    until: int
    changes: tuple[Changes, ...]


@dataclass(frozen=True)
class StatefulOptions:
    """How connections are followed.

    Attributes
    ----------
    settings : Conntrack or Cilium
        Whose timeouts hold.
    orientation : Orientation
        What may tell which end opened a connection.
    reorder : int
        How far behind the latest one of its row group a record may come, ns.
    """

    settings: Conntrack | Cilium = LINUX
    orientation: Orientation = Orientation.AUTO
    reorder: int = DEFAULT_REORDER


class Following:
    """The connections of a capture, followed from its begin to its end.

    Parameters
    ----------
    capture : Capture
    tables : Tables
        With one or two policy sets.
    variants : sequence of Variant
        Followed side by side, in one reading of the capture.
    options : StatefulOptions
        `settings` is not looked at: the variants have theirs.
    threads, batch_rows
        As for `simcore.analyses.replay.replay`; neither changes a result.
    keep_results : bool
        Keep what is said of each row under the first variant: a byte a row.
    joined : Joined, optional
        Records of the capture that were made before translation. Those that have a twin made after it are not shown to
        the tables.

    Attributes
    ----------
    results : uint8[rows] or uint8[0]
        See `simcore.kernels.sessions.session_table.take_rows`. In the order of the capture's splits.
    sessions : tuple of Sessions
        The tables of connections; once all windows are taken, with what is open at the end.
    node_sources : int
        Rows from a node to a pod on another one, where results are kept: the node may stand for somebody else.
    """

    def __init__(
        self,
        capture: Capture,
        tables: Tables,
        variants: Sequence[Variant],
        options: StatefulOptions,
        *,
        threads: int | None = None,
        batch_rows: int = DEFAULT_BATCH_ROWS,
        keep_results: bool = False,
        joined: Joined | None = None,
        progress: Progress | None = None,
    ) -> None:
        if tables.sets > 2:
            raise ValueError("connections are followed under one policy set or two")
        self._tables = tables
        self._engine = Threads(threads)
        self._batch_rows = batch_rows
        self._progress = progress
        self.habits: Habits = habits_of(capture)
        self._methods = methods_of(options.orientation, self.habits)
        self.spans: list[Span] = find_spans(capture, self._engine, batch_rows)
        rows = sum(split.rows for split in capture.splits)
        self.results = np.empty(rows if keep_results else 0, np.uint8)
        none = np.empty(0, np.uint8)
        self.sessions = tuple(
            Sessions(
                variant.settings,
                self.begin,
                policy_set=variant.policy_set,
                engine=self._engine,
                shards=self._engine.count,
                results=none if number else self.results,
            )
            for number, variant in enumerate(variants)
        )
        self._certain = self.begin + np.min([longest_timeouts(variant.settings) for variant in variants], axis=0)
        wanted = dict.fromkeys([*RECORD_COLUMNS, *judged_columns(tables)])
        columns = [name for name in wanted if name in capture.columns]
        self._reordered = Reordered(capture, self.spans, columns, self.rows_of, options.reorder)
        self._rows = rows
        self.joined = joined
        self.node_sources = 0
        self._reorder = options.reorder

    @property
    def begin(self) -> int:
        """The earliest time of the capture, ns."""
        return min((span.first for span in self.spans), default=0)

    @property
    def end(self) -> int:
        """The latest time at which a record of the capture begins, ns."""
        return max((span.last for span in self.spans), default=0)

    @property
    def late_rows(self) -> int:
        """Records that came later than the reorder window; they count at the end of it."""
        return self._reordered.late_rows

    @property
    def untimed_rows(self) -> int:
        """Records without time; they count when they come."""
        return self._reordered.untimed_rows

    @cached_property
    def _served(self) -> NDArray[np.uint8]:
        return served_ports(self._tables.cluster)

    def windows(self) -> Iterator[Window]:
        """Follow the connections window by window, to the last record; what is open then stays in `sessions`."""
        done = 0
        self._served  # noqa: B018 made once, before threads ask for it
        for rows, until in self._reordered.windows(self._engine, self._batch_rows, self.results):
            yield Window(until, tuple(sessions.advance(rows, until) for sessions in self.sessions))
            done += rows.size
            if self.results.size:
                self.node_sources += self._from_nodes(rows)
            if self._progress is not None:
                self._progress(min(done, self._rows), self._rows)
        if self.joined is not None and self.results.size:
            self.joined.settle(self.results)

    def _from_nodes(self, rows: NDArray[np.void]) -> int:
        """Count the rows from a node to a pod on another one."""
        limits, nodes = self._tables.arrays.limits, self._tables.arrays.object_node
        found = rows[(rows["source"] >= limits[PODS]) & (rows["source"] < limits[PODS] + limits[NODES])]
        found = found[found["destination"] < limits[PODS]]
        return int((nodes[found["source"]] != nodes[found["destination"]]).sum())

    def run(self) -> None:
        """Follow the connections to the end; what happened to entries is of no interest."""
        for _ in self.windows():
            pass

    def rows_of(self, split: Split, position: int, batch: pa.RecordBatch, seen: NDArray[np.int64]) -> NDArray[np.void]:
        """Orient and judge the records of a batch; who follows something else of them too extends this.

        Parameters
        ----------
        split : Split
        position : int
            Of the batch's first row among all rows of the capture.
        batch : RecordBatch
        seen : int64[3]
            Changed; see `simcore.kernels.sessions.records.settle_times`.

        Returns
        -------
        ROW[n]
            What the tables of connections are shown, called from several threads.
        """
        tables = self._tables
        ends = read_ends(tables, batch)
        habits = records.ONE_WAY if self.habits.one_way else 0
        habits |= records.SPARSE_FLAGS if split.file in self.habits.sparse else 0
        record = Records(batch, ends, read_ports(batch), self._served, self._methods, habits)
        count = batch.num_rows
        workspace = Workspace(tables, count)
        codes = np.zeros(count, np.uint8)
        source, destination, ports = record.oriented
        times = times_of(tables, batch)
        self._judge(source, destination, ports, workspace, codes, 0, times)
        objects = objects_of(tables, source.widened()), objects_of(tables, destination.widened())
        rows = record.rows(*objects, codes, seen, self._reorder, skew_of(split, self.habits), position)
        self._judge_turned(record, rows, workspace, times)
        if self.joined is not None:
            rows["protocol"][self.joined.doubles(position, count)] = records.UNTRACKED
        return rows

    def _judge(
        self,
        source: EndColumn,
        destination: EndColumn,
        ports: PortColumns,
        workspace: Workspace,
        codes: NDArray[np.uint8],
        shift: int,
        times: NDArray[np.int64] | None,
    ) -> None:
        """Judge connections, and write who stops them at two bits of each policy set's four."""
        judged = judge_columns(self._tables, source, destination, ports, workspace, times)
        for number in range(2):
            used = min(number, self._tables.sets - 1)
            egress, ingress, verdict = judged.egress[used], judged.ingress[used], judged.verdict[used]
            records.verdict_codes(egress, ingress, verdict, shift + 4 * number, codes)

    def _judge_turned(
        self, record: Records, rows: NDArray[np.void], workspace: Workspace, times: NDArray[np.int64] | None
    ) -> None:
        """Judge answers the other way round too, where nothing may be there for them to answer."""
        weak = record.reverse & ((record.what >> EVIDENCE & 3) != FLAGS)
        alone = np.flatnonzero(weak)
        alone = alone[rows["time"][alone] > self._certain[FAMILY_OF[rows["protocol"][alone]]]]
        if not alone.size:
            return
        source, destination, ports = record.as_recorded
        codes = np.zeros(alone.size, np.uint8)
        some, moments = ports.take(alone), None if times is None else times[alone]
        self._judge(source.take(alone), destination.take(alone), some, workspace, codes, 2, moments)
        rows["codes"][alone] |= codes
