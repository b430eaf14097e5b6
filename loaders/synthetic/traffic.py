"""Who talks to whom, as arrays that rows are drawn from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simcore.model.addresses import Address, Family
from simcore.model.ports import ICMP, ICMPV6, TCP

Array = NDArray[Any]

_FEW_EDGES = 1_000
_NO_SLOT = -1
_OPENED_AND_CLOSED = 0x1B
_SYN_ONLY = 0x02


class Kind(IntEnum):
    """How the rows of an edge are made."""

    PLAIN = 0
    PROBE = 1
    """The source is the destination's own node."""
    SCAN = 2
    """The destination port is any, and nobody answers."""
    ATTEMPT = 3
    """Nobody answers."""


@dataclass(frozen=True, slots=True)
class Members:
    """Slots that may stand at one end of an edge: a stretch of `Traffic.members`."""

    start: int
    count: int


class Traffic(NamedTuple):
    """Everything that rows are drawn from; s slots, a addresses, e edges.

    Attributes
    ----------
    addresses : tuple of Address, length a
        Without repeats.
    pods, nodes : tuple of str
        Names that slots refer to.
    slot_address, slot_pod, slot_node : int32[s]
        Position in `addresses`, `pods`, `nodes`; -1 for none.
    slot_host : int32[s]
        The slot of the node that a pod's slot runs on, in the same family; -1 for none.
    members : int32[m]
        Slots, stretch by stretch.
    source_start, source_count, destination_start, destination_count : uint32[e]
        The two ends of each edge, as stretches of `members`.
    port : uint16[e]
        Destination port; 0 where the protocol has none.
    protocol, tcp_flags, kind : uint8[e]
        `kind` as in `Kind`.
    lottery : int32[power of two]
        Edges, each as often as its weight asks for.
    """

    addresses: tuple[Address, ...]
    pods: tuple[str, ...]
    nodes: tuple[str, ...]
    slot_address: Array
    slot_pod: Array
    slot_node: Array
    slot_host: Array
    members: Array
    source_start: Array
    source_count: Array
    destination_start: Array
    destination_count: Array
    port: Array
    protocol: Array
    tcp_flags: Array
    kind: Array
    lottery: Array

    @property
    def wide(self) -> bool:
        """Whether there is an IPv6 address."""
        return any(address.family is Family.V6 for address in self.addresses)


@dataclass(frozen=True, slots=True)
class _Edge:
    source: Members
    destination: Members
    protocol: int
    port: int
    weight: float
    kind: Kind


class TrafficBuilder:
    """Gathers slots, stretches of them, and the edges between those."""

    def __init__(self) -> None:
        self._addresses: dict[Address, int] = {}
        self._pods: dict[str, int] = {}
        self._nodes: dict[str, int] = {}
        self._slots: list[tuple[int, int, int, int]] = []
        self._members: list[int] = []
        self._edges: list[_Edge] = []

    def slot(self, address: Address, pod: str = "", node: str = "", host: int = _NO_SLOT) -> int:
        """Add one place that rows may name: an address, and the pod and node that own it."""
        self._slots.append(
            (
                self._addresses.setdefault(address, len(self._addresses)),
                self._pods.setdefault(pod, len(self._pods)) if pod else _NO_SLOT,
                self._nodes.setdefault(node, len(self._nodes)) if node else _NO_SLOT,
                host,
            )
        )
        return len(self._slots) - 1

    def has_host(self, slots: Iterable[int]) -> bool:
        """Whether each of the slots knows the slot of its node."""
        return all(self._slots[slot][3] != _NO_SLOT for slot in slots)

    def group(self, slots: Sequence[int]) -> Members | None:
        """Make a stretch of slots; None of no slots."""
        if not slots:
            return None
        self._members += slots
        return Members(len(self._members) - len(slots), len(slots))

    def edge(
        self,
        source: Members | None,
        destination: Members | None,
        protocol: int,
        port: int,
        weight: float,
        kind: Kind = Kind.PLAIN,
    ) -> None:
        """Add traffic between two stretches; nothing where one of them is None."""
        if source and destination and weight > 0:
            self._edges.append(_Edge(source, destination, protocol, port, weight, kind))

    @property
    def is_empty(self) -> bool:
        """Whether there is no edge yet."""
        return not self._edges

    def build(self) -> Traffic:
        """Return what was gathered, as arrays."""
        slots = np.array(self._slots, np.int32).reshape(-1, 4)
        edges = self._edges
        return Traffic(
            tuple(self._addresses),
            tuple(self._pods),
            tuple(self._nodes),
            slots[:, 0].copy(),
            slots[:, 1].copy(),
            slots[:, 2].copy(),
            slots[:, 3].copy(),
            np.array(self._members, np.int32),
            np.array([edge.source.start for edge in edges], np.uint32),
            np.array([edge.source.count for edge in edges], np.uint32),
            np.array([edge.destination.start for edge in edges], np.uint32),
            np.array([edge.destination.count for edge in edges], np.uint32),
            np.array([edge.port for edge in edges], np.uint16),
            np.array([edge.protocol for edge in edges], np.uint8),
            np.array([_flags(edge) for edge in edges], np.uint8),
            np.array([edge.kind for edge in edges], np.uint8),
            _lottery(np.array([edge.weight for edge in edges], np.float64)),
        )


def _flags(edge: _Edge) -> int:
    if edge.protocol != TCP:
        return 0
    return _SYN_ONLY if edge.kind in (Kind.SCAN, Kind.ATTEMPT) else _OPENED_AND_CLOSED


def _lottery(weights: NDArray[np.float64]) -> Array:
    """Return edge numbers such that a uniform pick follows the weights."""
    size = 1 << 16 if weights.size < _FEW_EDGES else 1 << 20
    ends = np.cumsum(weights)
    return np.searchsorted(ends / ends[-1], (np.arange(size) + 0.5) / size).astype(np.int32)


def icmp_of(family: Family) -> int:
    """Return the number of ICMP in a family."""
    return ICMP if family is Family.V4 else ICMPV6
