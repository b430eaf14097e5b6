"""Sizes: what occupancy means for the tables of each node: peaks, owners, what is turned away, what to set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ...kernels.sizing.slots import EMPTY
from ...model.cluster import Node
from ...model.conntrack import Cilium, Conntrack
from . import limits
from .entries import CLASSES, EntryClass
from .limits import Limit
from .occupancy import Occupancy

Name = TypeVar("Name")

FLEET = "all nodes"
"""Name of what stands for all nodes together."""


@dataclass(frozen=True)
class Policing:
    """What tables are sized by.

    Attributes
    ----------
    settings : Conntrack or Cilium
    preset : str
        ``linux``, ``kube-proxy`` or ``cilium``: how nodes come to the limits they have.
    maximum, buckets : int or None
        Limits that all nodes have; None where the preset tells. A maximum of 0 is none.
    headroom : float
        Share to add to what is recommended.
    percent : float
        The percentile to tell.
    """

    settings: Conntrack | Cilium
    preset: str
    maximum: int | None = None
    buckets: int | None = None
    headroom: float = 0.25
    percent: float = 99.9

    @property
    def entry_bytes(self) -> int:
        """What an entry takes in a kernel; nodes with kube-proxy have NAT rules."""
        return limits.entry_bytes(self.preset == "kube-proxy")

    def limits_of(self, node: Node | None) -> tuple[int, int]:
        """Return the maximum and the buckets of a node's kernel."""
        entries, buckets = (limits.kube_proxy_limits if self.preset == "kube-proxy" else limits.linux_limits)(node)
        return (
            entries if self.maximum is None else self.maximum,
            buckets if self.buckets is None else self.buckets,
        )

    def maps_of(self, node: Node | None) -> tuple[int, int]:
        """Return the entries of both of Cilium's maps on a node."""
        assert isinstance(self.settings, Cilium)
        if self.maximum is not None:
            return self.maximum, self.maximum
        return limits.map_limits(self.settings, node)


@dataclass(frozen=True)
class TableSize:
    """One table, or all tables of a kind together.

    Attributes
    ----------
    node : str
        Its node, or FLEET.
    table : str
        ``tcp`` or ``any`` for Cilium's maps; empty for a kernel's table.
    peak_live, peak_time : int
        Most entries that have not expired, and since when, ns.
    peak_allocated, peak_allocated_time : int
        Most entries, expired ones that are still there included, had the collector passed first when it was told to.
    allocated_bound, bound_time : int
        The most whatever the collector's phase.
    percentile : int
        Live entries within which the table stayed for this share of the time.
    mean : float
        Live entries, on average.
    owners : tuple of (str, int)
        Live entries at the peak by the workload that opened the connection, most first.
    classes : tuple of (EntryClass, int)
        The same by protocol and state.
    current, advised : Limit
        As it is, and as it should be. Of FLEET: of all tables together.
    turned_away : int
        Connections whose first packet the table has no room for.
    evicted : int
        Entries that had to make room.
    lost : tuple of (str, int)
        `turned_away` by the workload that opened the connection, most first.
    first_full : int or None
        When a new connection first found the table full, ns.
    kube_proxy : Limit or None
        What kube-proxy sets on the node; None for Cilium's maps.
    cpus, memory : int
        Of the node; 0 where unknown.
    """

    node: str
    table: str
    peak_live: int
    peak_time: int
    peak_allocated: int
    peak_allocated_time: int
    allocated_bound: int
    bound_time: int
    percentile: int
    mean: float
    owners: tuple[tuple[str, int], ...]
    classes: tuple[tuple[EntryClass, int], ...]
    current: Limit
    advised: Limit
    turned_away: int
    evicted: int
    lost: tuple[tuple[str, int], ...]
    first_full: int | None
    kube_proxy: Limit | None
    cpus: int
    memory: int

    @property
    def margin(self) -> float | None:
        """Return the share of the present maximum that is free at worst; below 0 where it is too small."""
        return 1 - self.allocated_bound / self.current.entries if self.current.entries else None


@dataclass(frozen=True)
class Curves:
    """Entries over time.

    Attributes
    ----------
    times : int64[b]
        Start of each bin, ns.
    bin : int
        Length of a bin, ns.
    names : tuple of (str, str)
        Node and table, FLEET last.
    least, most, mean, allocated, bound : float64[n, b]
        Live entries; allocated ones for the phase that was told, and at most. Not a number where no time has passed.
    """

    times: NDArray[np.int64]
    bin: int
    names: tuple[tuple[str, str], ...]
    least: NDArray[np.float64]
    most: NDArray[np.float64]
    mean: NDArray[np.float64]
    allocated: NDArray[np.float64]
    bound: NDArray[np.float64]


class Sizer:
    """Knows the tables of a cluster.

    Parameters
    ----------
    names : sequence of str
        Nodes in the order of their numbers, the first standing for pods of no known node.
    owners : sequence of str
        Names of owners.
    nodes : mapping
        Name to node.
    policing : Policing
    """

    def __init__(
        self, names: Sequence[str], owners: Sequence[str], nodes: Mapping[str, Node], policing: Policing
    ) -> None:
        self._owners = owners
        self._policing = policing
        self._is_cilium = isinstance(policing.settings, Cilium)
        tables = limits.MAPS if self._is_cilium else ("",)
        self.names = [(name, table) for name in names for table in tables]
        self._nodes = [nodes.get(name) for name, _ in self.names]
        self.current = [self._current(node, table) for node, (_, table) in zip(self._nodes, self.names, strict=True)]

    def _current(self, node: Node | None, table: str) -> Limit:
        if self._is_cilium:
            return limits.map_limit(self._policing.maps_of(node)[limits.MAPS.index(table)])
        return limits.kernel_limit(*self._policing.limits_of(node), self._policing.entry_bytes)

    @property
    def maxima(self) -> NDArray[np.float64]:
        """Return the maximum of each table that turns connections away; Cilium's evict instead."""
        return np.array([0.0 if self._is_cilium else float(limit.entries) for limit in self.current])

    @property
    def buckets(self) -> NDArray[np.float64]:
        """Return the buckets in which look-ups find expired entries; Cilium's look-ups leave them alone."""
        return np.array([np.inf if self._is_cilium else float(limit.buckets) for limit in self.current])

    def sizes(self, found: Occupancy) -> tuple[tuple[TableSize, ...], TableSize]:
        """Return the size of every table that ever held an entry, or is on a node of the cluster; and of the fleet."""
        every = [self._size(found, number) for number in range(len(self.names))]
        there = [size for size, node in zip(every, self._nodes, strict=True) if size.peak_live or node is not None]
        return tuple(there), self._fleet(found, there)

    def _size(self, found: Occupancy, number: int) -> TableSize:
        node, (name, table) = self._nodes[number], self.names[number]
        bound, top = float(found.bound[number]), float(found.top[number])
        live = ceil(found.scale * int(found.peak[number]))
        return self._table_size(
            found,
            number,
            name,
            table,
            self.current[number],
            self._advised(bound, bound - live, number),
            None
            if self._is_cilium
            else limits.kernel_limit(*limits.kube_proxy_limits(node), limits.entry_bytes(has_nat=True)),
            (node.cpus, node.memory) if node else (0, 0),
            ceil(top),
        )

    def _advised(self, bound: float, zombies: float, number: int) -> Limit:
        if self._is_cilium:
            return limits.recommended_map(bound, self._policing.headroom)
        buckets = self.current[number].buckets
        return limits.recommended(bound, zombies, self._policing.headroom, buckets, self._policing.entry_bytes)

    def _fleet(self, found: Occupancy, sizes: Sequence[TableSize]) -> TableSize:
        def total(chosen: Sequence[Limit]) -> Limit:
            return Limit(*(sum(part) for part in zip(*((c.entries, c.buckets, c.memory) for c in chosen), strict=True)))

        number = len(self.names)
        none = [Limit(0, 0, 0)]
        return self._table_size(
            found,
            number,
            FLEET,
            "",
            total([size.current for size in sizes] or none),
            total([size.advised for size in sizes] or none),
            None if self._is_cilium else total([size.kube_proxy for size in sizes if size.kube_proxy] or none),
            (sum(size.cpus for size in sizes), sum(size.memory for size in sizes)),
            ceil(float(found.top[number])),
        )

    def _table_size(
        self,
        found: Occupancy,
        number: int,
        name: str,
        table: str,
        current: Limit,
        advised: Limit,
        proxy: Limit | None,
        capacity: tuple[int, int],
        top: int,
    ) -> TableSize:
        scale = found.scale
        first = int(found.first_full[number])
        evicted = float(found.evicted[number])
        if self._is_cilium and current.entries:
            evicted = max(float(found.top[number]) - current.entries, 0.0)
        return TableSize(
            node=name,
            table=table,
            peak_live=ceil(scale * int(found.peak[number])),
            peak_time=int(found.peak_time[number]),
            peak_allocated=top,
            peak_allocated_time=int(found.top_time[number]),
            allocated_bound=ceil(float(found.bound[number])),
            bound_time=int(found.bound_time[number]),
            percentile=ceil(scale * found.percentile(number, self._policing.percent)),
            mean=scale * found.mean(number),
            owners=_most_first(self._owners, scale * found.owners[number]),
            classes=_most_first(CLASSES, scale * found.classes[number]),
            current=current,
            advised=advised,
            turned_away=round(float(found.turned_away[number].sum())),
            evicted=round(evicted),
            lost=_most_first(self._owners, found.turned_away[number]),
            first_full=first if first >= 0 else None,
            kube_proxy=proxy,
            cpus=capacity[0],
            memory=capacity[1],
        )

    def curves(self, found: Occupancy) -> Curves:
        """Return how entries of every table went over time."""
        period, curve = found.period, found.curve
        starts = period.start + period.bin * np.arange(period.bins)
        lengths = np.minimum(starts + period.bin, period.end) - np.maximum(starts, period.begin)
        passed = curve.least != EMPTY
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(passed, found.scale * curve.area / lengths, np.nan)
        return Curves(
            times=starts,
            bin=period.bin,
            names=(*self.names, (FLEET, "")),
            least=np.where(passed, found.scale * curve.least, np.nan),
            most=np.where(passed, found.scale * curve.most, np.nan),
            mean=mean,
            allocated=np.where(passed, curve.top, np.nan),
            bound=np.where(passed, curve.bound, np.nan),
        )


def _most_first(names: Sequence[Name], counts: NDArray[np.number]) -> tuple[tuple[Name, int], ...]:
    """List what there is any of, most first, else in order."""
    there = np.flatnonzero(counts)
    whole = np.rint(counts[there]).astype(np.int64)
    order = np.argsort(-whole, kind="stable")
    return tuple((names[there[number]], int(whole[number])) for number in order.tolist() if whole[number])
