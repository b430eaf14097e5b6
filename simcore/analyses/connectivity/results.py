"""What all possible connections of one policy set come to."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...model.addresses import Address
from ...model.flows import End as FlowEnd
from ...model.flows import Flow, Verdict
from ...model.ports import PortRange

Ranges = tuple[tuple[Address, Address], ...]
"""First and last address of each."""


@dataclass(frozen=True, slots=True)
class WorkloadEnd:
    """Pods of one workload that no rule tells apart; a workload whose pods differ has several ends.

    Attributes
    ----------
    workload : str
        ``namespace/Kind/name``.
    pods, total : int
        How many pods stand behind it, and how many the workload has in all.
    example : str
        ``namespace/pod`` of the first of them.
    second : str or None
        Another of them, to be asked about with the first; None where there is one only.
    """

    workload: str
    pods: int
    total: int
    example: str
    second: str | None = None


@dataclass(frozen=True, slots=True)
class RangeEnd:
    """Addresses outside the cluster, of one family, that no rule tells apart.

    Attributes
    ----------
    ranges : tuple of (Address, Address)
        Ascending, never adjacent.
    example : Address
        The first of them.
    """

    ranges: Ranges
    example: Address


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """Nodes, at their own addresses, that no rule tells apart.

    Attributes
    ----------
    nodes : tuple of str
        Their names, ascending.
    addresses : tuple of tuple of Address
        The addresses of each.
    """

    nodes: tuple[str, ...]
    addresses: tuple[tuple[Address, ...], ...]

    def only(self, names: Container[str]) -> NodeEnd:
        """Return some of them."""
        kept = [number for number, name in enumerate(self.nodes) if name in names]
        return NodeEnd(tuple(self.nodes[n] for n in kept), tuple(self.addresses[n] for n in kept))


End = WorkloadEnd | NodeEnd | RangeEnd


def is_single(end: End) -> bool:
    """Whether an end is one pod, or one node, which cannot connect to another of that end."""
    return end.pods == 1 if isinstance(end, WorkloadEnd) else isinstance(end, NodeEnd) and len(end.nodes) == 1


@dataclass(frozen=True, slots=True)
class Ports:
    """What is possible from one end to another.

    Attributes
    ----------
    allowed, unknown : tuple of PortRange
        Destination ports on which a connection is allowed, and on which it cannot be told: by protocol (TCP, UDP,
        SCTP), ascending, never adjacent. All others are denied.
    other : Verdict
        The verdict of protocols without ports that no rule names.
    """

    allowed: tuple[PortRange, ...]
    unknown: tuple[PortRange, ...]
    other: Verdict

    @property
    def is_nothing(self) -> bool:
        """Whether every port is denied."""
        return not (self.allowed or self.unknown)

    def verdict(self, protocol: int, port: int) -> Verdict:
        """Return the verdict of one port of TCP, UDP or SCTP."""
        for ranges, verdict in ((self.allowed, Verdict.ALLOW), (self.unknown, Verdict.UNKNOWN)):
            if any(one.contains(protocol, port) for one in ranges):
                return verdict
        return Verdict.DENY


@dataclass(frozen=True)
class Connectivity:
    """All possible connections between workloads, with nodes, and with what is outside the cluster.

    Attributes
    ----------
    ends : tuple of WorkloadEnd, NodeEnd or RangeEnd
        Workloads by name, then nodes by name, then ranges, IPv4 first.
    source_class, destination_class : int32[ends]
        Ends of one class may reach the same, or be reached by the same.
    end_of_pod : int32[pods]
        The end of each pod of the cluster; -1 where it is none: it has finished, or nobody runs it.
    cells : int32[source classes, destination classes]
        Numbers in `ports`.
    ports : tuple of Ports
        Distinct ones.
    has_nodes : bool
        Whether some workloads are told of as the nodes whose network they share.
    binds_nodes : bool
        Whether policies bind nodes among the ends. Otherwise nodes are told of together with workloads only.
    """

    ends: tuple[End, ...]
    source_class: NDArray[np.int32]
    destination_class: NDArray[np.int32]
    end_of_pod: NDArray[np.int32]
    cells: NDArray[np.int32]
    ports: tuple[Ports, ...]
    has_nodes: bool = False
    binds_nodes: bool = False

    @property
    def workloads(self) -> int:
        """How many ends are workloads: they stand before all others."""
        return sum(isinstance(end, WorkloadEnd) for end in self.ends)

    def ports_of(self, source: int, destination: int) -> Ports:
        """Return what is possible from one end, by its position, to another; within one, between two of its pods."""
        return self.ports[int(self.cells[self.source_class[source], self.destination_class[destination]])]

    @cached_property
    def spans(self) -> dict[int, Ranges]:
        """The ranges of each end that is outside, closed over addresses of the cluster between two of them."""
        ranges = [
            (first, last, number)
            for number, end in enumerate(self.ends)
            if isinstance(end, RangeEnd)
            for first, last in end.ranges
        ]
        found: dict[int, list[tuple[Address, Address]]] = {}
        before = None
        for first, last, number in sorted(ranges):
            spans = found.setdefault(number, [])
            if before == (number, first.family):
                first = spans.pop()[0]
            spans.append((first, last))
            before = number, first.family
        return {number: tuple(spans) for number, spans in found.items()}

    def is_pair(self, source: int, destination: int) -> bool:
        """Whether a connection can be told of: not between two ranges, nor from a single pod or node to itself."""
        end, other = self.ends[source], self.ends[destination]
        return are_told(end, other, self.binds_nodes) and not (source == destination and is_single(end))

    def pairs(self) -> Iterator[tuple[int, int, Ports]]:
        """Yield sources and destinations between which any port is allowed or unknown, with the ports."""
        something = np.array([not ports.is_nothing for ports in self.ports], bool)
        for source, row in enumerate(self.source_class.tolist()):
            numbers = self.cells[row][self.destination_class]
            for destination in np.flatnonzero(something[numbers]).tolist():
                if self.is_pair(source, destination):
                    yield source, destination, self.ports[numbers[destination]]

    def flow(self, source: int, destination: int, protocol: int, port: int | None) -> Flow:
        """Return a flow between two ends, to be asked why: from the first pod or address of each."""
        one, other = (_flow_end(self.ends[number]) for number in (source, destination))
        if source == destination:
            other = FlowEnd(pod=getattr(self.ends[source], "second", None))
        return Flow(one, other, protocol, port)


def are_told(source: End, destination: End, binds_nodes: bool) -> bool:
    """Whether connections between two ends are told of: not where no policy can bind either."""
    if isinstance(source, WorkloadEnd) or isinstance(destination, WorkloadEnd):
        return True
    return binds_nodes and (isinstance(source, NodeEnd) or isinstance(destination, NodeEnd))


def _flow_end(end: End) -> FlowEnd:
    if isinstance(end, NodeEnd):
        return FlowEnd(address=end.addresses[0][0])
    return FlowEnd(pod=end.example) if isinstance(end, WorkloadEnd) else FlowEnd(address=end.example)
