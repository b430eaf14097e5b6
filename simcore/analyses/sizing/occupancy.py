"""Occupancy: how many conntrack entries every node holds at any time, exactly, from what happens to entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import CapacityError
from ...kernels.sizing.occupancy import (
    MOST_NODES,
    MOST_OWNERS,
    NODE_BITS,
    OWNER_SHIFT,
    Tally,
    count_openings,
    note_last_peaks,
)
from ...kernels.sizing.overflow import Overflow
from ...kernels.sizing.slots import EMPTY, Curve, Rules, advance, finish_slot
from ...kernels.sizing.zombies import Rings
from ...model.conntrack import SECOND, Cilium, Conntrack
from .entries import CLASSES, class_table

LONGEST_INTERVAL = 63
"""Seconds between two passes of the collector at most, the coarseness of its timer included (C-6)."""
MOST_SLOTS = 20_000_000
"""Slots of all nodes together; more are made longer."""
BINS = 512
"""About how many points a curve has at most."""
CILIUM_INTERVAL, CILIUM_SHORTEST = 300, 10
"""Seconds between two passes of Cilium's collector, at first and at least."""
CHUNK = 1 << 20
"""Changes that are counted in one go."""
_NICE = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


class Entries(NamedTuple):
    """What happens to entries in one window of time, by time; m changes.

    Attributes
    ----------
    time : int64[m]
        Nanoseconds, ascending.
    before, after : uint8[m]
        `CtState`; NONE is no entry: its creation, its end.
    kind : uint8[m]
        As `simcore.analyses.sizing.entries.kinds_of` tells.
    path : int64[m]
        As `pack_paths` makes it.
    """

    time: NDArray[np.int64]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    kind: NDArray[np.uint8]
    path: NDArray[np.int64]

    def part(self, start: int, stop: int) -> Entries:
        """Return some of the changes."""
        return Entries(
            self.time[start:stop],
            self.before[start:stop],
            self.after[start:stop],
            self.kind[start:stop],
            self.path[start:stop],
        )

    @classmethod
    def none(cls) -> Entries:
        """Return no changes."""
        byte = np.empty(0, np.uint8)
        return cls(np.empty(0, np.int64), byte, byte, byte, np.empty(0, np.int64))


def pack_paths(owner: NDArray[np.integer], *nodes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Pack owners and up to three nodes of entries into numbers; a node below 0 is none.

    A node that is named twice holds two entries.
    """
    packed = np.zeros(owner.shape, np.int64)
    shift = np.zeros(owner.shape, np.int64)
    for node in nodes:
        there = node >= 0
        packed |= np.where(there, (node.astype(np.int64) + 1) << shift, 0)
        shift += np.where(there, NODE_BITS, 0)
    return packed | owner.astype(np.int64) << OWNER_SHIFT


@dataclass(frozen=True)
class Period:
    """The time that a capture covers, and how finely curves show it.

    Attributes
    ----------
    begin, end : int
        First and last start of a flow, in nanoseconds.
    slot, bin : int
        Nanoseconds: in which steps zombies are reckoned, and in which curves are drawn; a bin is whole slots.
    """

    begin: int
    end: int
    slot: int
    bin: int

    @classmethod
    def of(cls, begin: int, end: int, nodes: int) -> Period:
        """Choose slots of a second, longer where there would be too many; bins of a round length."""
        seconds = max(end - begin, 1) / SECOND
        slot = _nice(seconds * (nodes + 1) / MOST_SLOTS)
        return cls(begin, end, slot, -(-_nice(seconds / BINS) // slot) * slot)

    @property
    def start(self) -> int:
        """Start of the first bin."""
        return self.begin // self.bin * self.bin

    @property
    def bins(self) -> int:
        """Number of bins."""
        return (self.end - self.start) // self.bin + 1


def _nice(seconds: float) -> int:
    for choice in _NICE:
        if choice >= seconds:
            return choice * SECOND
    return -(-int(seconds) // 86400) * 86400 * SECOND


@dataclass(frozen=True)
class Occupancy:
    """How full tables were; n nodes, of which the last is the fleet, all nodes together.

    Attributes
    ----------
    period : Period
    scale : float
        Entries that stand for one: every figure of entries below is to be multiplied by it, but for those of
        allocated, lost and evicted ones.
    peak, peak_time : int64[n]
        Most live entries, and since when.
    top, top_time : float64[n], int64[n]
        Most allocated entries, zombies included, for a collector whose phase is known.
    bound, bound_time : float64[n], int64[n]
        Most allocated entries whatever the phase.
    classes : int64[n, classes]
        Entries at the peak by class, see `simcore.analyses.sizing.entries.CLASSES`.
    owners : int32[n, owners]
        Entries at the peak by owner.
    curve : Curve
        Bin by bin, from `Period.start` on.
    turned_away : float64[n, owners]
        Connections whose first packet a full table dropped; an expected number.
    tried, evicted : float64[n]
        New connections that met a full table, and entries that were evicted for them; expected numbers.
    first_full : int64[n]
        When a connection first met a full table; below 0: never.
    """

    period: Period
    scale: float
    peak: NDArray[np.int64]
    peak_time: NDArray[np.int64]
    top: NDArray[np.float64]
    top_time: NDArray[np.int64]
    bound: NDArray[np.float64]
    bound_time: NDArray[np.int64]
    classes: NDArray[np.int64]
    owners: NDArray[np.int32]
    curve: Curve
    turned_away: NDArray[np.float64]
    tried: NDArray[np.float64]
    evicted: NDArray[np.float64]
    first_full: NDArray[np.int64]
    held: Sequence[NDArray[np.int64]]

    def percentile(self, node: int, percent: float) -> int:
        """Return the fewest entries within which a node stayed for a share of the time."""
        held = self.held[node]
        total = int(held.sum())
        if not total:
            return int(self.peak[node])
        return int(np.searchsorted(np.cumsum(held), percent / 100 * total, "left"))

    def mean(self, node: int) -> float:
        """Return the mean number of entries over the period."""
        held = self.held[node]
        total = held.sum()
        return float(np.dot(held.astype(np.float64), np.arange(held.size)) / total) if total else float(self.peak[node])


class Counter:
    """Counts the entries of nodes while changes come in, window by window.

    Parameters
    ----------
    nodes, owners : int
        How many there are.
    settings : Conntrack or Cilium
        How long entries live.
    period : Period
    limits, buckets : array-like of float, length nodes
        Most entries of each node (0: no limit) and buckets of its hash table.
    scale : float
        How many entries stand for one.
    has_nat : bool
        Whether NAT rules are loaded: a new connection then looks for its reply's tuple too, and takes what has expired
        out of that bucket as well as its own. Replies find their entry at the head of a chain, before anything else.
    first_pass : float
        Seconds from the start of the period to the kernel's collector's first pass.
    """

    def __init__(
        self,
        nodes: int,
        owners: int,
        settings: Conntrack | Cilium,
        period: Period,
        *,
        limits: NDArray[np.float64],
        buckets: NDArray[np.float64],
        scale: float = 1.0,
        has_nat: bool = False,
        first_pass: float = 60.0,
    ) -> None:
        if nodes > MOST_NODES or owners > MOST_OWNERS:
            raise CapacityError(
                f"{nodes:,} nodes and {owners:,} workloads are too many to be sized: there can be {MOST_NODES:,} and "
                f"{MOST_OWNERS:,}"
            )
        self._period = period
        self._limits = limits
        self._rules = Rules(
            class_table(),
            np.array([each.lifetime(settings) for each in CLASSES]),
            np.array([each.is_refreshed for each in CLASSES]),
            np.array([not each.is_assured for each in CLASSES]),
            limits,
            buckets,
            np.array([scale, *_intervals(settings), 2.0 if has_nat else 1.0]),
            np.array([period.start, period.slot, period.bin // period.slot, getattr(settings, "hz", 0)], np.int64),
        )
        self._tally = _tally(nodes + 1, owners, period.begin)
        self._rings = _rings(nodes, period, first_pass)
        if isinstance(settings, Cilium):
            self._rings.interval[:, 0] = settings.conntrack_gc_interval or CILIUM_INTERVAL
            self._rings.next_pass[:] = period.begin + SECOND * self._rings.interval[:, 0]
        self._overflow = _overflow(nodes, owners)
        self._curve = _curve(nodes + 1, period)
        self._clock = np.array([1 + (period.begin - period.start) // period.slot], np.int64)
        self._found = np.zeros(nodes + 1, np.int64)
        self._is_limited = False

    def add(self, entries: Entries) -> None:
        """Take in what happened next; what happened after the period is left out."""
        last = int(np.searchsorted(entries.time, self._period.end, "right"))
        for start in range(0, last, CHUNK):
            self._add(entries.part(start, min(start + CHUNK, last)))

    def _add(self, part: Entries) -> None:
        openings = np.zeros_like(self._tally.live)
        count_openings(part.before, part.after, part.path, openings)
        self._make_room(self._tally.live + openings + 1)
        self._watch_limits(openings[:-1])
        self._advance(part, int(part.time[-1]))

    def _advance(self, part: Entries, until: int) -> None:
        advance(
            self._tally,
            self._rings,
            self._overflow,
            self._curve,
            self._rules,
            self._clock,
            self._found,
            *part,
            until,
            self._is_limited,
        )

    def _make_room(self, wanted: NDArray[np.int64]) -> None:
        """Let every node's part of `held` reach as far as its count can."""
        starts = self._tally.hold_starts
        if (wanted <= np.diff(starts)).all():
            return
        sizes = np.maximum(np.diff(starts), np.where(wanted > np.diff(starts), 2 * wanted, 0))
        grown = np.concatenate([[0], np.cumsum(sizes)])
        held = np.zeros(grown[-1], np.int64)
        for node, (old, new) in enumerate(zip(starts[:-1], grown[:-1], strict=True)):
            held[new : new + starts[node + 1] - old] = self._tally.held[old : starts[node + 1]]
        self._tally = self._tally._replace(hold_starts=grown, held=held)

    def _watch_limits(self, openings: NDArray[np.int64]) -> None:
        """Follow full tables from before the first of them can be full."""
        if self._is_limited:
            return
        t, scale = self._tally, self._rules.numbers[0]
        reach = scale * (t.live[:-1] + openings) + t.zombies[:-1] + scale * (t.live[:-1] + openings)
        if ((self._limits > 0) & (reach >= self._limits)).any():
            self._is_limited = True
            classes = t.classes[:-1]
            self._overflow.live[:] = t.live[:-1]
            self._overflow.classes[:] = classes
            self._overflow.present[:] = classes
            self._overflow.total[:] = classes.sum(axis=1)
            self._overflow.zombies[:] = t.zombies[:-1]

    def finish(self) -> Occupancy:
        """Let time go on to the end of the period, and return what was found."""
        end = self._period.end
        self._make_room(self._tally.live + 1)
        self._advance(Entries.none(), end)
        finish_slot(self._tally, self._rings, self._overflow, self._curve, self._rules, self._clock, end)
        t = self._tally
        note_last_peaks(t)
        return Occupancy(
            period=self._period,
            scale=float(self._rules.numbers[0]),
            peak=t.peak,
            peak_time=t.peak_time,
            top=np.maximum(t.top, self._rules.numbers[0] * t.peak),
            top_time=t.top_time,
            bound=np.maximum(self._rings.bound, t.top),
            bound_time=self._rings.bound_time,
            classes=t.class_peak,
            owners=t.owner_peak,
            curve=self._curve,
            turned_away=self._turned_away(),
            tried=np.append(self._overflow.tried, self._overflow.tried.sum()),
            evicted=np.append(self._overflow.evicted, self._overflow.evicted.sum()),
            first_full=self._first_full(),
            held=tuple(t.held[start:stop] for start, stop in zip(t.hold_starts[:-1], t.hold_starts[1:], strict=True)),
        )

    def _turned_away(self) -> NDArray[np.float64]:
        lost = self._overflow.lost
        if not self._is_limited:
            return np.zeros((lost.shape[0] + 1, lost.shape[1]))
        return np.vstack([lost, lost.sum(axis=0)])

    def _first_full(self) -> NDArray[np.int64]:
        first = self._overflow.first
        known = first[first >= 0]
        return np.append(first, known.min() if known.size else -1)


def _intervals(settings: Conntrack | Cilium) -> tuple[float, float]:
    """Return the seconds between two passes of Cilium's collector, at least and at most."""
    if isinstance(settings, Conntrack):
        return 0.0, 0.0
    if settings.conntrack_gc_interval:
        return float(settings.conntrack_gc_interval), float(settings.conntrack_gc_interval)
    return float(CILIUM_SHORTEST), float(max(settings.conntrack_gc_max_interval, CILIUM_SHORTEST))


def _tally(nodes: int, owners: int, begin: int) -> Tally:
    def whole(value: int = 0) -> NDArray[np.int64]:
        return np.full(nodes, value, np.int64)

    return Tally(
        live=whole(),
        last=whole(begin),
        since=whole(begin),
        peak=whole(),
        peak_time=whole(begin),
        mark=whole(-1),
        zombies=np.zeros(nodes),
        top=np.zeros(nodes),
        top_time=whole(begin),
        slot_most=whole(),
        slot_least=whole(int(EMPTY)),
        slot_top=np.zeros(nodes),
        area=np.zeros(nodes),
        slot_opens=whole(),
        slot_ends=whole(),
        classes=np.zeros((nodes, len(CLASSES)), np.int64),
        class_peak=np.zeros((nodes, len(CLASSES)), np.int64),
        owners=np.zeros((nodes, owners), np.int32),
        owner_peak=np.zeros((nodes, owners), np.int32),
        hold_starts=np.arange(nodes + 1, dtype=np.int64),
        held=np.zeros(nodes, np.int64),
    )


def _rings(nodes: int, period: Period, first_pass: float) -> Rings:
    shape = (nodes, LONGEST_INTERVAL * SECOND // period.slot + 4)
    return Rings(
        decayed=np.zeros(shape),
        exponent=np.zeros(shape),
        ended=np.zeros(shape),
        interval=np.full(shape, float(LONGEST_INTERVAL)),
        next_pass=np.full(nodes, period.begin + first_pass * SECOND),
        bound=np.zeros(nodes + 1),
        bound_time=np.full(nodes + 1, period.begin, np.int64),
        slot_bound=np.zeros(nodes + 1),
        before=np.zeros(nodes + 1),
        zombies_before=np.zeros(nodes + 1),
    )


def _overflow(nodes: int, owners: int) -> Overflow:
    return Overflow(
        live=np.zeros(nodes, np.int64),
        classes=np.zeros((nodes, len(CLASSES)), np.int64),
        present=np.zeros((nodes, len(CLASSES))),
        total=np.zeros(nodes),
        zombies=np.zeros(nodes),
        lost=np.zeros((nodes, owners)),
        tried=np.zeros(nodes),
        evicted=np.zeros(nodes),
        first=np.full(nodes, -1, np.int64),
    )


def _curve(nodes: int, period: Period) -> Curve:
    shape = (nodes, period.bins)
    return Curve(
        np.zeros(shape, np.int64),
        np.full(shape, EMPTY, np.int64),
        np.zeros(shape),
        np.zeros(shape),
        np.zeros(shape),
    )
