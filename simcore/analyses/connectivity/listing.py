"""Listings: the connections from some ends to others, on some ports, one by one or in groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...model.addresses import Address, Cidr
from ...model.cluster import Cluster
from ...model.flows import Verdict
from ...model.ports import PortRange
from .results import Connectivity, End, NodeEnd, Ports, RangeEnd, Ranges, are_told, is_single


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was asked for at one side: pods by position, blocks of outside addresses, and nodes by name."""

    pods: frozenset[int] = frozenset()
    blocks: tuple[Cidr, ...] = ()
    nodes: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Group:
    """Sources that may reach the same.

    Attributes
    ----------
    sources : tuple of WorkloadEnd, NodeEnd or RangeEnd
    pairs : int
        How many connections these are.
    numbers : int32[destinations]
        Numbers of port sets; -1 where nothing is possible.
    """

    sources: tuple[End, ...]
    pairs: int
    numbers: NDArray[np.int32]
    _listing: Listing

    @cached_property
    def reached(self) -> tuple[tuple[Ports, tuple[End, ...]], ...]:
        """What each of the sources may reach, itself left out where it is a single pod, by what is possible."""
        ends = self._listing.destination_list
        found: dict[int, list[End]] = {}
        for place in np.flatnonzero(self.numbers >= 0).tolist():
            if any(not is_itself(source, ends[place]) for source in self.sources[:2]):
                found.setdefault(int(self.numbers[place]), []).append(ends[place])
        return tuple((self._listing.ports[number], tuple(others)) for number, others in found.items())


@dataclass(frozen=True)
class Listing:
    """Connections from some ends to others.

    Attributes
    ----------
    sources, destinations : mapping of int to WorkloadEnd, NodeEnd or RangeEnd
        Chosen ends by their position, with those pods, nodes and addresses only that were chosen; ranges are closed
        over addresses of the cluster.
    ports : tuple of Ports
        As in `found`, with those ports only that were asked for.
    """

    found: Connectivity
    sources: Mapping[int, End]
    destinations: Mapping[int, End]
    ports: tuple[Ports, ...]

    @cached_property
    def destination_list(self) -> tuple[End, ...]:
        """The destinations in order."""
        return tuple(self.destinations.values())

    @property
    def count(self) -> int:
        """How many pairs there are."""
        return sum(group.pairs for group in self.groups)

    @cached_property
    def is_doubtful(self) -> bool:
        """Whether any of them cannot be told on some port."""
        doubtful = np.array([number for number, ports in enumerate(self.ports) if ports.unknown], np.int32)
        return any(bool(np.isin(group.numbers, doubtful).any()) for group in self.groups)

    def ports_of(self, source: int, destination: int) -> Ports:
        """Return what is possible from one end, by its position in `found`, to another."""
        found = self.found
        return self.ports[int(found.cells[found.source_class[source], found.destination_class[destination]])]

    def are_told(self, source: End, destination: End) -> bool:
        """Whether connections between two ends are told of."""
        return are_told(source, destination, self.found.binds_nodes)

    def pairs(self) -> Iterator[tuple[End, End, Ports]]:
        """Yield every source and destination between which any port is allowed or unknown."""
        for group in self.groups:
            for source in group.sources:
                for ports, destinations in group.reached:
                    yield from ((source, other, ports) for other in destinations if not is_itself(source, other))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The same in groups, in the order of their first source."""
        cells = self._numbers()[self.found.cells][:, self.found.destination_class[list(self.destinations)]]
        rows: dict[tuple[int, type[object]], tuple[bytes, NDArray[np.int32]]] = {}
        alike: dict[tuple[type[object], bytes], list[int]] = {}
        told: dict[type[object], NDArray[np.bool_]] = {}
        for number, end in self.sources.items():
            key = int(self.found.source_class[number]), type(end)
            if key[1] not in told:
                told[key[1]] = np.array([self.are_told(end, other) for other in self.destination_list], bool)
            if key not in rows:
                row = np.where(told[key[1]], cells[key[0]], np.int32(-1))
                rows[key] = row.tobytes(), row
            alike.setdefault((key[1], rows[key][0]), []).append(number)
        by_bytes = dict(rows.values())
        found = [self._group(sources, by_bytes[key]) for (_, key), sources in alike.items()]
        return tuple(group for group in found if group.pairs)

    def _numbers(self) -> NDArray[np.int32]:
        """Number the port sets anew: equal ones once, those with nothing -1."""
        canonical: dict[Ports, int] = {}
        found = [canonical.setdefault(ports, number) for number, ports in enumerate(self.ports)]
        something = [not ports.is_nothing for ports in self.ports]
        return np.where(np.array(something, bool), np.array(found, np.int32), np.int32(-1))

    def _group(self, sources: Sequence[int], row: NDArray[np.int32]) -> Group:
        place_of = self._places
        ends = [self.sources[number] for number in sources]
        itself = sum(
            number in place_of and row[place_of[number]] >= 0 and is_itself(end, self.destinations[number])
            for number, end in zip(sources, ends, strict=True)
        )
        return Group(tuple(ends), len(sources) * int((row >= 0).sum()) - int(itself), row, self)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {number: place for place, number in enumerate(self.destinations)}


def is_itself(source: End, destination: End) -> bool:
    """Whether both ends are one and the same pod, or node."""
    return is_single(source) and source == destination


def listing(
    found: Connectivity,
    cluster: Cluster,
    sources: Chosen | None = None,
    destinations: Chosen | None = None,
    ports: PortRange | None = None,
) -> Listing:
    """List connections, from everything to everything, on all ports, where nothing is chosen.

    Parameters
    ----------
    found : Connectivity
    cluster : Cluster
        Of which it was found.
    sources, destinations : Chosen, optional
    ports : PortRange, optional
    """
    return Listing(
        found,
        _chosen_ends(found, cluster, sources),
        _chosen_ends(found, cluster, destinations),
        tuple(within(one, ports) for one in found.ports) if ports else found.ports,
    )


def _chosen_ends(found: Connectivity, cluster: Cluster, chosen: Chosen | None) -> dict[int, End]:
    """Return the ends that were chosen, with as much of each as was."""
    ends = {number: _closed(found, number) for number in range(len(found.ends))}
    if chosen is None:
        return ends
    members: dict[int, list[int]] = {}
    for pod in sorted(chosen.pods):
        members.setdefault(int(found.end_of_pod[pod]), []).append(pod)
    kept: dict[int, End] = {}
    for number, end in ends.items():
        if isinstance(end, RangeEnd):
            ranges = _inside(end.ranges, chosen.blocks)
            if ranges:
                kept[number] = RangeEnd(ranges, ranges[0][0])
        elif isinstance(end, NodeEnd):
            if (some := end.only(chosen.nodes)).nodes:
                kept[number] = some
        elif number in members:
            names = [cluster.pods[pod].full_name for pod in members[number]]
            kept[number] = replace(end, pods=len(names), example=names[0], second=names[1] if len(names) > 1 else None)
    return kept


def _closed(found: Connectivity, number: int) -> End:
    end = found.ends[number]
    return replace(end, ranges=found.spans[number]) if isinstance(end, RangeEnd) else end


def _inside(ranges: Ranges, blocks: Sequence[Cidr]) -> Ranges:
    """Return what of some ranges lies in any of some blocks."""
    parts = [
        (Address(block.family, max(first.value, block.first)), Address(block.family, min(last.value, block.last)))
        for block in blocks
        for first, last in ranges
        if first.family is block.family and first.value <= block.last and block.first <= last.value
    ]
    found: list[tuple[Address, Address]] = []
    for first, last in sorted(parts):
        if found and found[-1][1].family is first.family and first.value <= found[-1][1].value + 1:
            first, last = found[-1][0], max(found.pop()[1], last)
        found.append((first, last))
    return tuple(found)


def within(ports: Ports, wanted: PortRange) -> Ports:
    """Return what is possible on some ports only; protocols without ports are not among them."""
    allowed, unknown = (
        tuple(
            PortRange(one.protocol, max(one.first, wanted.first), min(one.last, wanted.last))
            for one in ranges
            if one.protocol == wanted.protocol and one.first <= wanted.last and wanted.first <= one.last
        )
        for ranges in (ports.allowed, ports.unknown)
    )
    return Ports(allowed, unknown, Verdict.DENY)
