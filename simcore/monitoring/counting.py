"""Counts what metrics tell, in steps of time, while a sweep judges: the same whatever the threads and batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..analyses.ends import raw_values, validity
from ..analyses.judging import Judged, objects_of
from ..analyses.sessions.oriented import OrientedCapture
from ..analyses.timely import read_times
from ..errors import CapacityError
from ..kernels.sessions.sessions import PART
from ..model.conntrack import SECOND
from ..model.flows import Reason, Split, Verdict
from ..model.groups import DNS_PORT
from ..model.ports import ICMP, ICMPV6, SCTP, TCP, UDP
from ..tables.decisions import REASONS
from ..tables.layout import Tables
from .attempts import Attempts
from .ends import EndNames, public
from .metrics import COUNTERS, DNS_DENIED, DNS_RESPONSES, DROPS, FLOWS, FORWARDED, INTERNET, Labels, Metric

DIRECTIONS = ("EGRESS", "INGRESS")
DROP_REASONS = ("Policy denied", "Policy denied by denylist")
"""As Cilium calls what no rule allows, and what a rule denies."""
VERDICTS = ("FORWARDED", "DROPPED", "VERDICT_UNKNOWN")
"""As Hubble calls our verdicts, in their order."""
CAUSES = ("no-rule", "newly-allowed")
PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMPv4", "ICMPv6", "unknown")

_SYN, _ACK = 0x02, 0x10
_NUMBERS = (TCP, UDP, SCTP, ICMP, ICMPV6)
_DENIED_BY_RULE = [REASONS.index(reason) for reason in (Reason.RULE_DENIES, Reason.RULE_REJECTS)]
_NO_RULE = [REASONS.index(reason) for reason in (Reason.NOT_ISOLATED, Reason.NOT_ENFORCED)]
_REJECTED = REASONS.index(Reason.RULE_REJECTS)
_MOST = 1 << 31
"""Codes of a metric's series, and steps since 1970, that fit into one number side by side."""
_PENDING = 64
"""Batches whose counts are kept apart before they are added up."""

Counts = tuple[NDArray[np.int64], NDArray[np.int64]]
"""``code << 32 | step`` of what was counted, ascending, and how much of it."""


@dataclass(frozen=True)
class _Batch:
    """The flows of a batch that tell their times, as one policy set has them.

    Attributes
    ----------
    judged : Judged
        The whole batch.
    rows : int64[n]
        Which flows of it.
    time : int64[n]
        Seconds since 1970.
    source, destination : int64[n]
        Objects.
    protocol : uint8[n]
    is_dns : bool[n]
        Whether it goes to the port of DNS, over UDP or TCP.
    packets : int64[n]
        1 where they are not recorded.
    verdict, egress, ingress : uint8[n]
        Verdict of the flow, and of each direction.
    egress_reason, ingress_reason : uint8[n]
        Positions in REASONS.
    was_denied : bool[n]
        Whether the policies before the change deny it.
    opens : bool[n]
        Whether it is the opening of a connection, as far as that is told.
    knocks : bool[n]
        Whether it holds nothing but SYNs, so that its packets are what was tried.
    """

    judged: Judged
    rows: NDArray[np.int64]
    time: NDArray[np.int64]
    source: NDArray[np.int64]
    destination: NDArray[np.int64]
    protocol: NDArray[np.uint8]
    is_dns: NDArray[np.bool_]
    packets: NDArray[np.int64]
    verdict: NDArray[np.uint8]
    egress: NDArray[np.uint8]
    ingress: NDArray[np.uint8]
    egress_reason: NDArray[np.uint8]
    ingress_reason: NDArray[np.uint8]
    was_denied: NDArray[np.bool_]
    opens: NDArray[np.bool_]
    knocks: NDArray[np.bool_]


@dataclass(frozen=True)
class _Seen:
    """What one batch has to tell: counts by policy set and metric, and when its flows came."""

    counts: tuple[tuple[Counts, ...], ...]
    first: int
    last: int
    untimed: int


class Counting:
    """Counts the records that a sweep judges, by step of time; the `Observer` of a sweep.

    Parameters
    ----------
    tables : Tables
    oriented : OrientedCapture or None
        What is judged where connections are followed; it knows answers and later records of a connection.
    step : int
        Seconds.
    attempts : Attempts

    Attributes
    ----------
    sets : int
        Policy sets that are counted side by side.
    first, last : int
        First and last step of a record, counted since 1970; `last` is below `first` where no record tells a time.
    untimed : int
        Records without time, and from before 1970.

    Raises
    ------
    CapacityError
        There are too many namespaces or workloads to be numbered.
    """

    columns = ("time", "packets", "tcp_flags")

    def __init__(self, tables: Tables, oriented: OrientedCapture | None, step: int, attempts: Attempts) -> None:
        self.ends = EndNames(tables)
        self.first, self.last, self.untimed = 0, -1, 0
        self._tables = tables
        self._oriented = oriented
        self.sets = tables.sets
        self._step = step
        self._attempts = attempts
        self._protocols = np.full(256, len(_NUMBERS), np.int64)
        self._protocols[list(_NUMBERS)] = range(len(_NUMBERS))
        self._counts: list[list[list[Counts]]] = [[[] for _ in COUNTERS] for _ in range(tables.sets)]
        spaces = len(self.ends.namespaces)
        if max(spaces**2 * len(PROTOCOLS) * len(VERDICTS), 4 * len(tables.labels), 4 * len(self.ends.nodes)) >= _MOST:
            raise CapacityError(
                f"{spaces:,} namespaces with {len(tables.labels):,} workloads are too many to be counted"
            )

    def observe(self, split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> _Seen:
        """Count a batch."""
        times = read_times(batch)
        rows = np.flatnonzero(times >= 0)
        seconds = times[rows] // SECOND
        steps = seconds // self._step
        views = self._views(split, first_row, batch, judged, rows, seconds)
        return _Seen(
            tuple(tuple(self._counted(view, metric) for metric in COUNTERS) for view in views),
            int(steps.min()) if rows.size else 0,
            int(steps.max()) if rows.size else -1,
            batch.num_rows - rows.size,
        )

    def take(self, seen: Sequence[_Seen]) -> None:
        """Take in what was counted of some batches."""
        for each in seen:
            self.untimed += each.untimed
            if each.last >= each.first:
                self.first, self.last = (
                    (each.first, each.last)
                    if self.last < self.first
                    else (min(self.first, each.first), max(self.last, each.last))
                )
            for kept, found in zip(self._counts, each.counts, strict=True):
                for held, counts in zip(kept, found, strict=True):
                    if counts[0].size:
                        held.append(counts)
                        if len(held) > _PENDING:
                            held[:] = [added(held)]

    def series(self, number: int, metric: Metric) -> Iterator[tuple[Labels, NDArray[np.int64]]]:
        """Tell of each series of a metric, under a policy set, what each step from `first` to `last` adds to it."""
        keys, amounts = added(self._counts[number][COUNTERS.index(metric)])
        codes, steps = keys >> 32, (keys & (1 << 32) - 1) - self.first
        named = _NAMES[metric.name]
        bounds = [*np.flatnonzero(np.diff(codes, prepend=-1)).tolist(), codes.size]
        for start, stop in pairwise(bounds):
            values = np.zeros(self.last - self.first + 1, np.int64)
            here = steps[start:stop]
            # What is tried again may be so only after the capture's end.
            kept = here < values.size
            values[here[kept]] = amounts[start:stop][kept]
            yield named(self.ends, int(codes[start])), values

    def _views(
        self,
        split: Split,
        first_row: int,
        batch: pa.RecordBatch,
        judged: Judged,
        rows: NDArray[np.int64],
        seconds: NDArray[np.int64],
    ) -> Iterator[_Batch]:
        source, destination = (
            objects_of(self._tables, end)[rows].astype(np.int64) for end in (judged.source, judged.destination)
        )
        ports = judged.ports.take(rows)
        at_dns = np.isin(ports.protocol, (TCP, UDP)) & (ports.port == DNS_PORT)
        reasons = self._tables.arrays.reason_of
        opens = self._opens(split, first_row, batch.num_rows)[rows]
        for number in range(self._tables.sets):
            egress, ingress = judged.egress[number, rows], judged.ingress[number, rows]
            yield _Batch(
                judged=judged,
                rows=rows,
                time=seconds,
                source=source,
                destination=destination,
                protocol=ports.protocol,
                is_dns=at_dns & ports.port_known if ports.port_known.size else at_dns,
                packets=_packets(batch)[rows],
                verdict=judged.verdict[number, rows],
                egress=(egress & 3).astype(np.uint8),
                ingress=(ingress & 3).astype(np.uint8),
                egress_reason=reasons[egress >> 2],
                ingress_reason=reasons[ingress >> 2],
                was_denied=judged.verdict[0, rows] == np.uint8(Verdict.DENY),
                opens=opens,
                knocks=_knocks(batch)[rows] & (ports.protocol == TCP),
            )

    def _opens(self, split: Split, first_row: int, rows: int) -> NDArray[np.bool_]:
        """Tell which rows are of those who open a connection, and not from the middle of one."""
        if self._oriented is None:
            return np.ones(rows, bool)
        results = self._oriented.results_of(split, first_row, rows)
        return np.asarray((results >> 3 & 1 == 0) & (results & 7 != PART))

    def _counted(self, batch: _Batch, metric: Metric) -> Counts:
        return added(self._found(batch, metric))

    def _found(self, batch: _Batch, metric: Metric) -> Iterator[Counts]:
        """Tell what a batch adds to a metric, in several parts and in any order."""
        ways: dict[str, Callable[[_Batch], Iterator[Counts]]] = {
            FLOWS.name: self._flows,
            FORWARDED.name: self._forwarded,
            DROPS.name: self._drops,
            DNS_DENIED.name: self._denied_queries,
            DNS_RESPONSES.name: self._failed_answers,
            INTERNET.name: self._unexpected,
        }
        return ways[metric.name](batch)

    def _flows(self, batch: _Batch) -> Iterator[Counts]:
        spaces = self.ends.namespace_of
        code = spaces[batch.source] * len(self.ends.namespaces) + spaces[batch.destination]
        code = (code * len(VERDICTS) + batch.verdict) * len(PROTOCOLS) + self._protocols[batch.protocol]
        yield self._at(code, batch.time, np.ones(code.size, np.int64))

    def _forwarded(self, batch: _Batch) -> Iterator[Counts]:
        allowed = batch.verdict == np.uint8(Verdict.ALLOW)
        for direction, end in enumerate((batch.source, batch.destination)):
            rows = np.flatnonzero(allowed & self.ends.is_inside[end])
            code = self.ends.node_of[end[rows]] * len(DIRECTIONS) + direction
            yield self._at(code, batch.time[rows], batch.packets[rows])

    def _drops(self, batch: _Batch) -> Iterator[Counts]:
        rows = np.flatnonzero((batch.verdict == np.uint8(Verdict.DENY)) & batch.opens)
        leaves = batch.egress[rows] != np.uint8(Verdict.DENY)
        reason = np.where(leaves, batch.ingress_reason[rows], batch.egress_reason[rows])
        node = self.ends.node_of[np.where(leaves, batch.destination[rows], batch.source[rows])]
        code = (node * len(DIRECTIONS) + leaves) * len(DROP_REASONS) + np.isin(reason, _DENIED_BY_RULE)
        is_tcp, knocks = batch.protocol[rows] == TCP, batch.knocks[rows]
        is_lookup = batch.is_dns[rows] & ~is_tcp
        is_silent = reason != _REJECTED
        time = batch.time[rows]
        yield self._at(code, time, np.where(knocks, batch.packets[rows], 1))
        yield from self._again(code, time, is_tcp & ~knocks & is_silent, self._attempts.syn_delays())
        yield from self._again(code, time, is_lookup & is_silent, self._attempts.dns_delays())

    def _denied_queries(self, batch: _Batch) -> Iterator[Counts]:
        asks = batch.is_dns & self.ends.is_inside[batch.source] & ~self.ends.is_dns[batch.source]
        rows = np.flatnonzero(asks & (batch.verdict == np.uint8(Verdict.DENY)) & batch.opens)
        code, time = self.ends.workload_of[batch.source[rows]], batch.time[rows]
        leaves = batch.egress[rows] != np.uint8(Verdict.DENY)
        reason = np.where(leaves, batch.ingress_reason[rows], batch.egress_reason[rows])
        is_again = (batch.protocol[rows] == UDP) & (reason != _REJECTED)
        yield self._at(code, time, np.ones(rows.size, np.int64))
        yield from self._again(code, time, is_again, self._attempts.dns_delays())

    def _failed_answers(self, batch: _Batch) -> Iterator[Counts]:
        upstream = batch.is_dns & self.ends.is_dns[batch.source] & ~self.ends.is_dns[batch.destination]
        rows = np.flatnonzero(upstream & (batch.verdict == np.uint8(Verdict.DENY)) & batch.opens)
        code = self.ends.workload_of[batch.source[rows]]
        yield self._at(code, batch.time[rows], np.ones(rows.size, np.int64))

    def _unexpected(self, batch: _Batch) -> Iterator[Counts]:
        leaves = self.ends.is_pod[batch.source] & self.ends.is_outside[batch.destination]
        rows = np.flatnonzero(leaves & (batch.verdict == np.uint8(Verdict.ALLOW)) & batch.opens)
        rows = rows[public(batch.judged.destination.some(batch.rows[rows]))]
        rows = rows[np.isin(batch.egress_reason[rows], _NO_RULE) | batch.was_denied[rows]]
        has_rule = ~np.isin(batch.egress_reason[rows], _NO_RULE)
        code = self.ends.workload_of[batch.source[rows]] * len(CAUSES) + has_rule
        yield self._at(code, batch.time[rows], np.ones(rows.size, np.int64))

    def _again(
        self, code: NDArray[np.int64], time: NDArray[np.int64], which: NDArray[np.bool_], delays: Iterable[int]
    ) -> Iterator[Counts]:
        """Count the later packets of those that try again."""
        rows = np.flatnonzero(which)
        for delay in delays:
            if delay:
                yield self._at(code[rows], time[rows] + delay, np.ones(rows.size, np.int64))

    def _at(self, code: NDArray[np.int64], time: NDArray[np.int64], amount: NDArray[np.int64]) -> Counts:
        return code << 32 | time // self._step, amount


def _packets(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the packets of each record, 1 where they are not recorded."""
    if "packets" not in batch.schema.names:
        return np.ones(batch.num_rows, np.int64)
    column = batch.column("packets")
    return np.where(validity(column), raw_values(column), 1) if column.null_count else raw_values(column)


def _knocks(batch: pa.RecordBatch) -> NDArray[np.bool_]:
    """Tell which records hold SYNs and no ACK, as far as flags are recorded."""
    if "tcp_flags" not in batch.schema.names:
        return np.zeros(batch.num_rows, bool)
    column = batch.column("tcp_flags")
    return np.asarray(raw_values(column) & np.uint8(_SYN | _ACK) == _SYN) & validity(column)


def added(parts: Iterable[Counts]) -> Counts:
    """Add up counts; keys ascending, each once."""
    held = list(parts)
    if not held:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    keys, amounts = (np.concatenate(column) for column in zip(*held, strict=True))
    if not keys.size:
        return keys, amounts
    order = np.argsort(keys, kind="stable")
    keys, amounts = keys[order], amounts[order]
    starts = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    return keys[starts], np.add.reduceat(amounts, starts)


def _flow_labels(ends: EndNames, code: int) -> Labels:
    code, protocol = divmod(code, len(PROTOCOLS))
    code, verdict = divmod(code, len(VERDICTS))
    source, destination = divmod(code, len(ends.namespaces))
    return ends.namespaces[source], ends.namespaces[destination], PROTOCOLS[protocol], VERDICTS[verdict]


def _forward_labels(ends: EndNames, code: int) -> Labels:
    node, direction = divmod(code, len(DIRECTIONS))
    return ends.nodes[node], DIRECTIONS[direction]


def _drop_labels(ends: EndNames, code: int) -> Labels:
    code, reason = divmod(code, len(DROP_REASONS))
    return *_forward_labels(ends, code), DROP_REASONS[reason]


def _unexpected_labels(ends: EndNames, code: int) -> Labels:
    workload, cause = divmod(code, len(CAUSES))
    return *ends.workload(workload), CAUSES[cause]


_NAMES: dict[str, Callable[[EndNames, int], Labels]] = {
    FLOWS.name: _flow_labels,
    FORWARDED.name: _forward_labels,
    DROPS.name: _drop_labels,
    DNS_DENIED.name: lambda ends, code: ends.workload(code),
    DNS_RESPONSES.name: lambda ends, code: (*ends.workload(code), "SERVFAIL"),
    INTERNET.name: _unexpected_labels,
}
