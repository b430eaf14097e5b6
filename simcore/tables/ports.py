"""Ports that no rule tells apart share a class; the classes of each port set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..model.cluster import Pod
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, RESERVED_PROTOCOL, NamedPort, PortRange, PortSet
from .words import words

SLOTS = len(PORT_PROTOCOLS)
OTHER_SLOT = SLOTS
UNKNOWN_SLOT = SLOTS + 1
UNKNOWN_PROTOCOL = RESERVED_PROTOCOL
"""Stands for a missing protocol in arrays of uint8."""
PORTS = LAST_PORT + 1

NO, YES, MAYBE = 0, 1, 2

Declared = Mapping[NamedPort, tuple[int, ...]]
"""The numbers that a pod declares for the named ports that rules use."""


def protocol_slots() -> NDArray[np.uint8]:
    """For each IANA number its slot: 0 to 2 for TCP, UDP, SCTP, then any other, then the missing one."""
    slots = np.full(256, OTHER_SLOT, np.uint8)
    slots[list(PORT_PROTOCOLS)] = range(SLOTS)
    slots[UNKNOWN_PROTOCOL] = UNKNOWN_SLOT
    return slots


def declared_by(
    pod: Pod, names: Mapping[tuple[str, int], NamedPort], first_only: bool
) -> tuple[tuple[NamedPort, tuple[int, ...]], ...]:
    """Resolve on one pod the named ports that rules use (NP-21, NP-25), leaving out those it does not declare.

    Parameters
    ----------
    pod : Pod
    names : mapping
        The named ports by name and protocol.
    first_only : bool
        Whether a name that is declared twice stands for its first number alone.
    """
    found: dict[NamedPort, list[int]] = {}
    for port in pod.ports:
        if port.name and (name := names.get((port.name, port.protocol))):
            found.setdefault(name, []).append(port.number)
    return tuple(
        (name, tuple(numbers[:1] if first_only else dict.fromkeys(numbers))) for name, numbers in sorted(found.items())
    )


@dataclass
class PortClasses:
    """Classes of destination ports.

    Attributes
    ----------
    table : uint16[4 * 65536]
        Class of each (slot, port); the last slot, of protocols without ports, is one class throughout.
    unknown : int32[4]
        Class of a flow of each slot whose port is missing.
    slot, port : int64[classes]
        A representative of each class; port -1 where it is missing.
    """

    table: NDArray[np.uint16]
    unknown: NDArray[np.int32]
    slot: NDArray[np.int64]
    port: NDArray[np.int64]
    _masks: dict[tuple[PortSet, tuple[PortRange, ...]], NDArray[np.uint8]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many classes there are."""
        return self.slot.size

    def has(self, ports: PortRange) -> bool:
        """Whether a range of ports is made up of classes, so that a rule which names it tells apart none."""
        first = PORT_PROTOCOLS.index(ports.protocol) * PORTS
        classes = self.table[first + ports.first : first + ports.last + 1]
        return classes.size == int(np.isin(self.table[: SLOTS * PORTS], classes).sum())

    def mask(self, ports: PortSet, declared: Declared) -> NDArray[np.uint8]:
        """Tell for each class whether a port set holds it: NO, YES or MAYBE.

        Parameters
        ----------
        ports : PortSet
            Of a rule.
        declared : mapping
            What the destination declares; empty where it is not a pod.
        """
        resolved = [PortRange(n.protocol, number, number) for n in ports.names for number in declared.get(n, ())]
        key = (ports, tuple(resolved))
        if (mask := self._masks.get(key)) is None:
            mask = self._masks[key] = self._make_mask(ports, resolved)
        return mask

    def _make_mask(self, ports: PortSet, resolved: list[PortRange]) -> NDArray[np.uint8]:
        if ports.is_everything:
            return np.full(self.count, YES, np.uint8)
        mask = np.full(self.count, NO, np.uint8)
        missing = self.port < 0
        for member in [*ports.ranges, *resolved]:
            of_protocol = self.slot == PORT_PROTOCOLS.index(member.protocol)
            mask[of_protocol & missing & (mask == NO)] = MAYBE
            if member.first == 0 and member.last == LAST_PORT:
                mask[of_protocol & missing] = YES
            mask[of_protocol & ~missing & (self.port >= member.first) & (self.port <= member.last)] = YES
        return mask


def classify_ports(port_sets: Iterable[PortSet], declared: Iterable[Declared]) -> PortClasses:
    """Cut the ports of each protocol by every range that rules mention and every number a used name stands for."""
    ranges = {member for ports in port_sets for member in ports.ranges}
    ranges |= {
        PortRange(name.protocol, number, number)
        for names in declared
        for name, numbers in names.items()
        for number in numbers
    }
    signatures = np.zeros((SLOTS, PORTS + 1, 2), np.uint64)
    signatures[:, 0, 0] = range(SLOTS)
    for member, word in zip(sorted(ranges), words(len(ranges), seed=2), strict=True):
        slot = PORT_PROTOCOLS.index(member.protocol)
        signatures[slot, member.first] ^= word
        signatures[slot, member.last + 1] ^= word
    flat = np.bitwise_xor.accumulate(signatures, axis=1)[:, :PORTS].reshape(-1, 2)
    edges = np.ones(flat.shape[0], bool)
    edges[1:] = (flat[1:] != flat[:-1]).any(axis=1)
    first = np.flatnonzero(edges)
    _, chosen, names = np.unique(flat[first], axis=0, return_index=True, return_inverse=True)
    numbered = chosen.size
    if numbered + SLOTS + 1 > np.iinfo(np.uint16).max:
        raise CapacityError(f"the rules cut the ports into {numbered} classes; at most 65,000 are supported")
    classes = np.repeat(names.reshape(-1), np.diff(np.append(first, SLOTS * PORTS)))
    other = numbered + SLOTS
    table = np.concatenate([classes, np.full(PORTS, other)]).astype(np.uint16)
    representative = first[chosen]
    return PortClasses(
        table,
        np.array([numbered, numbered + 1, numbered + 2, other], np.int32),
        np.concatenate([representative // PORTS, np.arange(SLOTS + 1)]),
        np.concatenate([representative % PORTS, np.full(SLOTS + 1, -1)]),
    )
