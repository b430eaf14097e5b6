"""Ports that no rule tells apart share a class; the classes of each port set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..kernels.rows import MAYBE, NO, YES
from ..kernels.walks import ASK
from ..model.cluster import Pod
from ..model.policy import Direction, Rule
from ..model.ports import (
    LAST_PORT,
    PORT_PROTOCOLS,
    RESERVED_PROTOCOL,
    IcmpType,
    NamedPort,
    PortMember,
    PortRange,
    PortSet,
)
from .words import words

SLOTS = len(PORT_PROTOCOLS)
OTHER_SLOT = SLOTS
UNKNOWN_SLOT = SLOTS + 1
"""Slots of protocols: first those with ports, then that of all others, the missing one, and named others."""
UNKNOWN_PROTOCOL = RESERVED_PROTOCOL
"""Stands for a missing protocol in arrays of uint8."""
PORTS = LAST_PORT + 1
NO_PROTOCOL = -1
"""Stands for the protocols without ports that no rule names."""

Declared = Mapping[NamedPort, tuple[int, ...]]
"""The numbers that a pod declares for the named ports that rules use."""


def members_of(ports: PortSet) -> tuple[PortMember, ...]:
    """List what a port set mentions."""
    return (*(ports.members or ()), *ports.excluded) if ports.excluded else ports.members or ()


def names_of(ports: PortSet) -> tuple[NamedPort, ...]:
    """List the names that a port set mentions."""
    return tuple([member for member in members_of(ports) if isinstance(member, NamedPort)]) if members_of(ports) else ()


def names_at_subject(rule: Rule) -> tuple[NamedPort, ...]:
    """List the names that a rule looks up on the pod that it guards."""
    return names_of(rule.ports if rule.direction is Direction.INGRESS else rule.source_ports)


def names_at_peer(rule: Rule) -> tuple[NamedPort, ...]:
    """List the names that a rule looks up on the other end."""
    return names_of(rule.ports if rule.direction is Direction.EGRESS else rule.source_ports)


def port_sets_of(rules: Iterable[Rule]) -> set[PortSet]:
    """Return the distinct port sets of rules, those of the initiator's end among them."""
    objects = {id(ports): ports for rule in rules for ports in (rule.ports, rule.source_ports)}
    return set(objects.values())


def portless_of(port_sets: Iterable[PortSet]) -> list[int]:
    """Return the protocols without ports that port sets mention."""
    found = {member.protocol for ports in port_sets for member in members_of(ports)}
    return sorted(found - {*PORT_PROTOCOLS, UNKNOWN_PROTOCOL})


def protocol_slots(portless: Iterable[int]) -> NDArray[np.uint8]:
    """For each IANA number its slot: those of TCP, UDP, SCTP, any other, the missing one, then those of `portless`."""
    slots = np.full(256, OTHER_SLOT, np.uint8)
    slots[list(PORT_PROTOCOLS)] = range(SLOTS)
    slots[UNKNOWN_PROTOCOL] = UNKNOWN_SLOT
    for slot, protocol in enumerate(portless, UNKNOWN_SLOT + 1):
        slots[protocol] = slot
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


def resolved(members: Iterable[PortMember], declared: Declared) -> list[PortRange]:
    """Return ranges with the numbers that names stand for, ICMP types left out."""
    found: list[PortRange] = []
    for member in members:
        if isinstance(member, PortRange):
            found.append(member)
        elif isinstance(member, NamedPort):
            found += [PortRange(member.protocol, number, number) for number in declared.get(member, ())]
    return found


@dataclass
class PortClasses:
    """Classes of protocols and destination ports.

    Attributes
    ----------
    table : uint16[slots * 65536]
        Class of each (slot, port); a slot without ports is one class throughout.
    unknown : int32[slots]
        Class of a flow of each slot whose port is missing.
    portless : list of int
        The protocols without ports that have a slot of their own.
    slot, protocol, port : int64[classes]
        A representative of each class; protocol NO_PROTOCOL where no rule names it, port -1 where it is missing.
    """

    table: NDArray[np.uint16]
    unknown: NDArray[np.int32]
    portless: list[int]
    slot: NDArray[np.int64]
    protocol: NDArray[np.int64]
    port: NDArray[np.int64]
    _masks: dict[tuple[PortSet, tuple[PortRange, ...], tuple[PortRange, ...]], NDArray[np.uint8]] = field(
        default_factory=dict
    )

    @property
    def count(self) -> int:
        """How many classes there are."""
        return self.slot.size

    def has(self, member: PortMember) -> bool:
        """Whether a member of a port set is made up of classes, so that a rule which names it tells apart none."""
        if member.protocol not in PORT_PROTOCOLS:
            return member.protocol in self.portless
        if not isinstance(member, PortRange):
            return True
        first = PORT_PROTOCOLS.index(member.protocol) * PORTS
        classes = self.table[first + member.first : first + member.last + 1]
        return classes.size == int(np.isin(self.table[: SLOTS * PORTS], classes).sum())

    def mask(self, ports: PortSet, declared: Declared) -> NDArray[np.uint8]:
        """Tell for each class whether a port set holds it: NO, MAYBE or YES; ASK where it holds a part of it.

        Parameters
        ----------
        ports : PortSet
            Of a rule.
        declared : mapping
            What the destination declares; empty where it is not a pod.
        """
        key = (ports, tuple(resolved(ports.names, declared)), tuple(resolved(ports.excluded, declared)))
        if (mask := self._masks.get(key)) is None:
            mask = self._masks[key] = held(ports, declared, self.protocol, self.port, self.port < 0)
            for member in members_of(ports):
                if isinstance(member, IcmpType):
                    mask[self.protocol == member.protocol] = ASK
        return mask


def held(
    ports: PortSet,
    declared: Declared,
    protocol: NDArray[np.int64],
    port: NDArray[np.int64],
    missing: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Tell for some protocols and ports whether a port set holds them: NO, MAYBE or YES; ICMP types left aside."""
    found = np.full(port.size, YES, np.uint8)
    if ports.members is not None:
        found = _united(resolved(ports.members, declared), protocol, port, missing)
    if ports.excluded:
        found = np.minimum(found, YES - _united(resolved(ports.excluded, declared), protocol, port, missing))
    return found


def _united(
    ranges: Iterable[PortRange], protocol: NDArray[np.int64], port: NDArray[np.int64], missing: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    found = np.full(port.size, NO, np.uint8)
    for each in ranges:
        ours = protocol == each.protocol
        if each.protocol not in PORT_PROTOCOLS or (each.first == 0 and each.last == LAST_PORT):
            found[ours] = YES
        else:
            found[ours & missing & (found == NO)] = MAYBE
            found[ours & ~missing & (port >= each.first) & (port <= each.last)] = YES
    return found


def classify_ports(port_sets: Iterable[PortSet], portless: Sequence[int], declared: Iterable[Declared]) -> PortClasses:
    """Cut the ports of each protocol by every range that rules mention and every number a used name stands for."""
    ranges = {member for ports in port_sets for member in members_of(ports) if isinstance(member, PortRange)}
    ranges |= {
        PortRange(name.protocol, number, number)
        for names in declared
        for name, numbers in names.items()
        for number in numbers
    }
    classes, chosen = cut_ports(ranges)
    numbered = chosen.size
    others = [NO_PROTOCOL, *portless]
    if numbered + SLOTS + len(others) > np.iinfo(np.uint16).max:
        raise CapacityError(f"the rules cut the ports into {numbered} classes; at most 65,000 are supported")
    alone = numbered + SLOTS + np.append(0, np.arange(len(others)))  # the missing protocol's is never looked at
    slots = np.append(OTHER_SLOT, UNKNOWN_SLOT + 1 + np.arange(len(portless)))
    return PortClasses(
        np.concatenate([classes, np.repeat(alone, PORTS)]).astype(np.uint16),
        np.concatenate([numbered + np.arange(SLOTS), alone]).astype(np.int32),
        list(portless),
        np.concatenate([chosen // PORTS, np.arange(SLOTS), slots]),
        np.concatenate([np.array(PORT_PROTOCOLS)[chosen // PORTS], PORT_PROTOCOLS, others]),
        np.concatenate([chosen % PORTS, np.full(SLOTS + len(others), -1)]),
    )


def cut_ports(ranges: Iterable[PortRange]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut the ports of TCP, UDP and SCTP by ranges, those of other protocols left aside.

    Returns
    -------
    classes : int64[3 * 65536]
        Class of each port; no two protocols share one.
    first : int64[found]
        Where each class stands first.
    """
    ours = sorted(each for each in set(ranges) if each.protocol in PORT_PROTOCOLS)
    signatures = np.zeros((SLOTS, PORTS + 1, 2), np.uint64)
    signatures[:, 0, 0] = range(SLOTS)
    for each, word in zip(ours, words(len(ours), seed=2), strict=True):
        slot = PORT_PROTOCOLS.index(each.protocol)
        signatures[slot, each.first] ^= word
        signatures[slot, each.last + 1] ^= word
    flat = np.bitwise_xor.accumulate(signatures, axis=1)[:, :PORTS].reshape(-1, 2)
    edges = np.ones(flat.shape[0], bool)
    edges[1:] = (flat[1:] != flat[:-1]).any(axis=1)
    first = np.flatnonzero(edges)
    _, chosen, names = np.unique(flat[first], axis=0, return_index=True, return_inverse=True)
    return np.repeat(names.reshape(-1), np.diff(np.append(first, SLOTS * PORTS))), first[chosen]
