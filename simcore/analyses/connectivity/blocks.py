"""Blocks: how many pairs of two groups of ends may connect, for pictures and summaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.ports import PORT_PROTOCOLS, PortRange
from .listing import Listing, is_itself
from .results import End, NodeEnd, Ports, RangeEnd, WorkloadEnd

MOST_RANGES = 6
"""Ranges of one family, or nodes that differ, from which on they are one group."""
OTHERS = "other namespaces"
NODES = "cluster nodes"
"""What stands for a namespace of nodes."""
ALL, SOME, UNKNOWN = range(3)
"""Kinds of pairs: all ports are open, or some are; none is for sure, but some may be."""
_EVERYTHING = tuple(map(PortRange, PORT_PROTOCOLS))
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Group:
    """Ends that are told of together.

    Attributes
    ----------
    namespace : str
        Empty outside the cluster; `NODES` of nodes; `OTHERS` for the smallest of too many.
    ends : tuple of WorkloadEnd, NodeEnd or RangeEnd
    number : int
        Position of the first of them.
    """

    namespace: str
    ends: tuple[End, ...]
    number: int


@dataclass(frozen=True)
class Blocks:
    """Pairs of groups.

    Attributes
    ----------
    sources, destinations : tuple of Group
    pairs : int64[sources, destinations]
        How many pairs of ends are told of: not of two ranges, for instance, nor of a single pod with itself.
    kinds : int64[3, sources, destinations]
        How many of them are of each kind: `ALL`, `SOME`, `UNKNOWN`.
    folded : bool
        Whether the ends of a namespace are one group; otherwise each is one.
    """

    sources: tuple[Group, ...]
    destinations: tuple[Group, ...]
    pairs: Counts
    kinds: Counts
    folded: bool


def blocks(listing: Listing, most: int) -> Blocks:
    """Count pairs by end, or by namespace where there are more workloads than `most` at a side.

    Of more than three times as many namespaces, the smallest are told of together.
    """
    sides = listing.sources, listing.destinations
    folded = any(sum(isinstance(end, WorkloadEnd) for end in side.values()) > most for side in sides)
    (sources, source_of), (destinations, destination_of) = (_groups(side, folded, 3 * most) for side in sides)
    found = listing.found
    rows = _by_class(listing.sources, source_of, found.source_class, len(sources))
    columns = _by_class(listing.destinations, destination_of, found.destination_class, len(destinations))
    kind_of = np.array([_kind(ports) for ports in listing.ports], np.int64)[found.cells]
    kinds = np.array([_counted(rows, kind_of == kind, columns) for kind in (ALL, SOME, UNKNOWN)])
    sizes = [np.array([len(group.ends) for group in groups], np.int64) for groups in (sources, destinations)]
    pairs = np.outer(*sizes)
    for number, end in listing.sources.items():
        other = listing.destinations.get(number)
        if other and is_itself(end, other) and listing.are_told(end, other):
            place = source_of[number], destination_of[number]
            pairs[place] -= 1
            kind = kind_of[found.source_class[number], found.destination_class[number]]
            if kind >= 0:
                kinds[(kind, *place)] -= 1
    untold = np.array(
        [[not listing.are_told(one.ends[0], other.ends[0]) for other in destinations] for one in sources], bool
    ).reshape(pairs.shape)
    pairs[untold] = 0
    kinds[:, untold] = 0
    return Blocks(tuple(sources), tuple(destinations), pairs, kinds, folded)


def _kind(ports: Ports) -> int:
    if ports.allowed:
        return ALL if ports.allowed == _EVERYTHING else SOME
    return UNKNOWN if ports.unknown else -1


def _groups(ends: Mapping[int, End], folded: bool, most: int) -> tuple[list[Group], dict[int, int]]:
    """Put ends into groups: by namespace where they are folded, many ranges of a family always."""
    families = Counter(end.example.family for end in ends.values() if isinstance(end, RangeEnd))
    nodes = sum(isinstance(end, NodeEnd) for end in ends.values())
    spaces = Counter(namespace_of(end) for end in ends.values() if isinstance(end, WorkloadEnd))
    named = {name for name, _ in spaces.most_common(most)}
    keys: dict[object, list[int]] = {}
    for number, end in ends.items():
        key: object = number
        if isinstance(end, RangeEnd):
            key = end.example.family if families[end.example.family] > MOST_RANGES else number
        elif isinstance(end, NodeEnd):
            key = NODES if nodes > MOST_RANGES else number
        elif folded:
            key = namespace_of(end) if namespace_of(end) in named else OTHERS
        keys.setdefault(key, []).append(number)
    groups = [
        Group(
            OTHERS if key == OTHERS else namespace_of(ends[members[0]]),
            tuple(ends[number] for number in members),
            members[0],
        )
        for key, members in keys.items()
    ]
    return groups, {number: place for place, members in enumerate(keys.values()) for number in members}


def namespace_of(end: End) -> str:
    """Return the namespace of a workload; `NODES` for nodes, the empty text for ranges."""
    if isinstance(end, NodeEnd):
        return NODES
    return "" if isinstance(end, RangeEnd) else end.workload.partition("/")[0]


def _by_class(
    ends: Mapping[int, End], group_of: Mapping[int, int], class_of: NDArray[np.int32], groups: int
) -> NDArray[np.float64]:
    """Count the ends of each class in each group."""
    counts = np.zeros((groups, int(class_of.max(initial=-1)) + 1), np.float64)
    for number in ends:
        counts[group_of[number], class_of[number]] += 1
    return counts


def _counted(rows: NDArray[np.float64], chosen: NDArray[np.bool_], columns: NDArray[np.float64]) -> Counts:
    return np.rint(rows @ chosen.astype(np.float64) @ columns.T).astype(np.int64)
