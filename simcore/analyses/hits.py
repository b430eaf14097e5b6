"""What a capture tells of rules: how many flows each decides, within which part of its blocks, and who goes outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..model.addresses import Address, Cidr, Family
from ..model.cluster import Cluster
from ..model.flows import Capture, Outcome, Split, Verdict
from ..model.peers import AnyOf, Network
from ..model.policy import Direction, Policy, Role, Rule
from ..model.profile import UPSTREAM, Profile
from ..tables.layout import Tables
from ..tables.objects import EXTERNAL
from .ends import EndColumn
from .judging import Judged, objects_of
from .prepared import prepare
from .shards import Threads
from .sweep import DEFAULT_BATCH_ROWS, Progress, sweep

_LINE_UP = np.uint64(0xFFFF << 32)
_NOT_PUBLIC = tuple(
    map(
        Cidr.parse,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3"),
        ),
    )
)
"""IPv4 addresses that are not of the Internet: RFC 6890, multicast and what is reserved."""
_PUBLIC_V6 = Cidr.parse("2000::/3")


@dataclass(frozen=True, slots=True)
class BlockTraffic:
    """The flows that a rule let through for the sake of one of its blocks.

    Attributes
    ----------
    flows : int
    first, last : Address
        The lowest and the highest address of the block that was seen.
    """

    flows: int
    first: Address
    last: Address

    @property
    def cover(self) -> Cidr:
        """The smallest block that holds both addresses, and so all between them."""
        bits = self.first.family.bits - (self.first.value ^ self.last.value).bit_length()
        return Cidr.containing(self.first, bits)

    def joined(self, other: BlockTraffic) -> BlockTraffic:
        """Return both together."""
        return BlockTraffic(self.flows + other.flows, min(self.first, other.first), max(self.last, other.last))


@dataclass(frozen=True, slots=True)
class Outward:
    """Flows of one workload to public addresses that one rule let out, or that nothing kept in.

    Attributes
    ----------
    source : str
        The workload, ``namespace/Kind/name``.
    rule : Rule or None
    flows : int
    address : Address
        Where the first of them went to.
    """

    source: str
    rule: Rule | None
    flows: int
    address: Address


@dataclass(frozen=True)
class Hits:
    """What a capture tells of the rules of a policy set.

    Attributes
    ----------
    flows : int
        How many there are in all.
    rules : tuple of Rule
        As the dataplane reads them.
    counts : int64[rules]
        Flows that each rule decided, in its own direction.
    guarded : mapping of Direction to mapping of str to int
        Flows of each workload as source (egress) and as destination (ingress), by the names of reports.
    blocks : mapping of (int, Network) to BlockTraffic
        By the number of a rule that allows, and a block of it.
    outward : tuple of Outward
        Most flows first.
    """

    flows: int
    rules: tuple[Rule, ...]
    counts: NDArray[np.int64]
    guarded: Mapping[Direction, Mapping[str, int]]
    blocks: Mapping[tuple[int, Network], BlockTraffic]
    outward: tuple[Outward, ...]

    @cached_property
    def of_rules(self) -> tuple[tuple[Rule, int], ...]:
        """Every rule as it is written, and the flows that it decides, most first.

        What the dataplane reads as several rules, and habits of the dataplane, are one, and left out.
        """
        found: dict[str, tuple[Rule, int]] = {}
        for rule, flows in zip(self.rules, self.counts.tolist(), strict=True):
            if rule.role is not Role.HABIT:
                first, before = found.get(str(rule), (rule, 0))
                found[str(rule)] = first, before + flows
        return tuple(sorted(found.values(), key=lambda each: (-each[1], str(each[0]))))


def count_hits(
    capture: Capture,
    cluster: Cluster,
    policies: Iterable[Policy],
    profile: Profile = UPSTREAM,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    progress: Progress | None = None,
) -> Hits:
    """Count the flows of a capture by the rules that decide them.

    Parameters
    ----------
    capture : Capture
    cluster : Cluster
        Pods without address get those that the capture names them with.
    policies : iterable of Policy
    profile : Profile
    threads, batch_rows : int, optional
        As for `simcore.analyses.replay.replay`; the result does not depend on them.
    progress : callable, optional
        Called with the rows done and the rows there are.
    """
    engine = Threads(threads)
    tables = prepare(capture, cluster, [tuple(policies)], profile, engine, batch_rows)
    counter = _Counter(tables)
    sweep(capture, tables, _nothing, engine, batch_rows, progress=progress, observer=counter)
    return counter.told()


def _nothing(verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.zeros(verdict.shape[1], bool)


@dataclass
class _Count:
    """What is counted, by numbers of the tables."""

    decided: NDArray[np.int64]
    guarded: NDArray[np.int64]
    flows: int = 0
    blocks: dict[tuple[int, Network], BlockTraffic] = field(default_factory=dict)
    outward: dict[tuple[int, int], tuple[int, Address]] = field(default_factory=dict)

    def join(self, other: _Count) -> None:
        """Take in what was counted behind it."""
        self.decided += other.decided
        self.guarded += other.guarded
        self.flows += other.flows
        for key, block in other.blocks.items():
            self.add_block(key, block)
        for pair, (flows, address) in other.outward.items():
            self.add_outward(pair, flows, address)

    def add_block(self, key: tuple[int, Network], found: BlockTraffic) -> None:
        self.blocks[key] = self.blocks[key].joined(found) if key in self.blocks else found

    def add_outward(self, key: tuple[int, int], flows: int, address: Address) -> None:
        before, first = self.outward.get(key, (0, address))
        self.outward[key] = before + flows, first


class _Counter:
    """Counts batches by outcomes, and turns outcomes into rules at the end; an `Observer`."""

    columns: Sequence[str] = ()

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        numbers = {id(rule): number for number, rule in enumerate(tables.rules)}
        self._rule = np.array([numbers.get(id(outcome.rule), -1) for outcome in tables.outcomes], np.int64)
        self._blocks = [_blocks_of(outcome) for outcome in tables.outcomes]
        self._has_blocks = np.array([bool(blocks) for blocks in self._blocks])
        self._is_outside = np.array([_is_outside(label) for label in tables.labels], bool)
        workloads = {str(pod.workload) for pod in tables.cluster.pods}
        self._is_workload = np.array([label in workloads for label in tables.labels], bool)
        self._total = self._none()

    def _none(self) -> _Count:
        tables = self._tables
        return _Count(np.zeros((2, len(tables.outcomes)), np.int64), np.zeros((2, len(tables.labels)), np.int64))

    def take(self, seen: Sequence[_Count]) -> None:
        """Take in what was counted in the batches of a split."""
        for count in seen:
            self._total.join(count)

    def observe(self, split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> _Count:
        """Count the flows of a batch."""
        tables, count = self._tables, self._none()
        count.flows = batch.num_rows
        outcomes = judged.egress[0] >> 2, judged.ingress[0] >> 2
        ends = judged.source, judged.destination
        labels = [tables.label_of[objects_of(tables, end)] for end in ends]
        for direction in Direction:
            count.decided[direction] += np.bincount(outcomes[direction], minlength=len(tables.outcomes))
            count.guarded[direction] += np.bincount(labels[direction], minlength=len(tables.labels))
            rows = np.flatnonzero(self._has_blocks[outcomes[direction]])
            if rows.size:
                self._add_blocks(count, outcomes[direction][rows], ends[1 - direction].take(rows))
        is_outward = self._is_workload[labels[0]] & self._is_outside[labels[1]]
        is_outward &= judged.verdict[0] == np.uint8(Verdict.ALLOW)
        rows = np.flatnonzero(is_outward)
        if rows.size:
            _add_outward(count, labels[0][rows], outcomes[0][rows], judged.destination.take(rows))
        return count

    def _add_blocks(self, count: _Count, outcomes: NDArray[np.integer], peers: EndColumn) -> None:
        for number in np.unique(outcomes).tolist():
            chosen = peers.some(np.flatnonzero(outcomes == number))
            for block in self._blocks[number]:
                found = _within(chosen, block)
                if found is not None:
                    count.add_block((int(self._rule[number]), block), found)

    def told(self) -> Hits:
        """Turn numbers into rules and names."""
        tables, count = self._tables, self._total
        known = self._rule >= 0
        counts = np.bincount(self._rule[known], count.decided.sum(axis=0)[known], len(tables.rules)).astype(np.int64)
        guarded = {
            direction: {
                tables.labels[label]: int(count.guarded[direction, label])
                for label in np.flatnonzero(self._is_workload & (count.guarded[direction] > 0)).tolist()
            }
            for direction in Direction
        }
        outward = [
            Outward(tables.labels[label], tables.outcomes[outcome].rule, flows, address)
            for (label, outcome), (flows, address) in count.outward.items()
        ]
        return Hits(
            count.flows,
            tables.rules,
            counts,
            guarded,
            count.blocks,
            tuple(sorted(outward, key=lambda each: (-each.flows, each.source, str(each.rule)))),
        )


def _blocks_of(outcome: Outcome) -> tuple[Network, ...]:
    """Return the blocks that a rule names one by one, where it is what allows."""
    if outcome.rule is None or outcome.verdict is not Verdict.ALLOW:
        return ()
    peer = outcome.rule.peer
    members = peer.members if isinstance(peer, AnyOf) else (peer,)
    return tuple(member for member in members if isinstance(member, Network))


def _is_outside(label: str) -> bool:
    """Whether a label is of addresses that nobody in the cluster owns."""
    if label == EXTERNAL:
        return True
    try:
        Cidr.parse(label)
    except ValueError:
        return False
    return True


def _within(ends: EndColumn, block: Network) -> BlockTraffic | None:
    """Count the addresses in a block, and find the lowest and the highest."""
    inside = _in_cidr(ends, block.cidr)
    for excluded in block.excluded:
        inside &= ~_in_cidr(ends, excluded)
    rows = np.flatnonzero(inside)
    if not rows.size:
        return None
    order = rows[np.lexsort((ends.low[rows], ends.high[rows]))]
    return BlockTraffic(rows.size, _address(ends, order[0]), _address(ends, order[-1]))


def _in_cidr(ends: EndColumn, cidr: Cidr) -> NDArray[np.bool_]:
    mapped = int(_LINE_UP) if cidr.family is Family.V4 else 0
    first, last = cidr.first | mapped, cidr.last | mapped
    bounds = [(np.uint64(value >> 64), np.uint64(value & (1 << 64) - 1)) for value in (first, last)]
    above = (ends.high > bounds[0][0]) | ((ends.high == bounds[0][0]) & (ends.low >= bounds[0][1]))
    below = (ends.high < bounds[1][0]) | ((ends.high == bounds[1][0]) & (ends.low <= bounds[1][1]))
    return np.asarray(ends.known & above & below)


def _address(ends: EndColumn, row: int) -> Address:
    return Address.from_bytes((int(ends.high[row]) << 64 | int(ends.low[row])).to_bytes(16, "big"))


def _add_outward(count: _Count, labels: NDArray[np.int32], outcomes: NDArray[np.integer], peers: EndColumn) -> None:
    public = _in_cidr(peers, _PUBLIC_V6) | (_in_cidr(peers, Cidr(Family.V4, 0, 0)))
    for cidr in _NOT_PUBLIC:
        public &= ~_in_cidr(peers, cidr)
    rows = np.flatnonzero(public)
    keys = labels[rows].astype(np.int64) << 32 | outcomes[rows]
    distinct, first, flows = np.unique(keys, return_index=True, return_counts=True)
    for key, row, number in zip(distinct.tolist(), rows[first].tolist(), flows.tolist(), strict=True):
        count.add_outward((key >> 32, key & 0xFFFFFFFF), number, _address(peers, row))
