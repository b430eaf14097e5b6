"""Extra classes: what rules ask of a flow besides its destination port. Source ports; types and codes of ICMP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..kernels.extras import KINDS, MISSING, NO_KIND, VALUES, WITHOUT_CODE
from ..kernels.rows import MAYBE, NO, YES, number_signatures
from ..model.policy import Rule
from ..model.ports import ICMP, ICMPV6, PORT_PROTOCOLS, IcmpType, NamedPort, PortMember, PortSet
from .ports import NO_PROTOCOL, PORTS, SLOTS, Declared, cut_ports, held, members_of, resolved
from .words import words

ICMP_KINDS = {ICMP: SLOTS, ICMPV6: SLOTS + 1}
"""After the kinds of TCP, UDP and SCTP, whose numbers are their slots."""


def asks(ports: PortSet) -> bool:
    """Whether a port set holds a part only of what a port class is."""
    return any(isinstance(member, IcmpType) for member in members_of(ports))


def asked_by(rules: Iterable[Rule]) -> set[PortMember]:
    """Return what rules ask for besides protocol and destination port."""
    rules = tuple(rules)
    sources = {id(rule.source_ports): rule.source_ports for rule in rules}
    found = {member for ports in sources.values() for member in members_of(ports)}
    for ports in {id(rule.ports): rule.ports for rule in rules}.values():
        found.update([member for member in members_of(ports) if isinstance(member, IcmpType)])
    return found


@dataclass
class Extras:
    """Extra classes, numbered from 0 for each slot; a slot of which rules ask nothing has one.

    Attributes
    ----------
    asked : set
        What rules ask for.
    first : int64[slots + 1]
        Where those of each slot begin, were they numbered throughout.
    protocol, value : int64[...]
        A representative of each: a source port, or ``type << 8 | code``.
    missing, codeless : bool[...]
        Whether its value is missing, or its code only.
    kind_of : uint8[256]
        Kind of each protocol: of TCP, UDP, SCTP, ICMP, ICMPv6, or NO_KIND.
    table : uint16[kinds * VALUES]
        Class of each (kind, value), see `simcore.kernels.extras`; empty where rules ask for nothing.
    """

    asked: set[PortMember]
    first: NDArray[np.int64]
    protocol: NDArray[np.int64]
    value: NDArray[np.int64]
    missing: NDArray[np.bool_]
    codeless: NDArray[np.bool_]
    kind_of: NDArray[np.uint8]
    table: NDArray[np.uint16]

    def mask(self, ports: PortSet, declared: Declared) -> NDArray[np.uint8]:
        """Tell for each extra class whether a port set holds it: NO, MAYBE or YES.

        Parameters
        ----------
        ports : PortSet
            Of the initiator's end, or one that asks for ICMP types; what it says of destination ports means nothing.
        declared : mapping
            What the initiator declares.
        """
        found = np.full(self.value.size, YES, np.uint8)
        if ports.members is not None:
            found = self._united(ports.members, declared)
        if ports.excluded:
            found = np.minimum(found, YES - self._united(ports.excluded, declared))
        return found

    def _united(self, members: Sequence[PortMember], declared: Declared) -> NDArray[np.uint8]:
        ranges = PortSet(tuple(resolved(members, declared)))
        found = held(ranges, declared, self.protocol, self.value, self.missing)
        for member in members:
            if isinstance(member, IcmpType):
                found = np.maximum(found, self._typed(member))
        return found

    def _typed(self, member: IcmpType) -> NDArray[np.uint8]:
        ours = self.protocol == member.protocol
        same = ours & ~self.missing & (self.value >> 8 == member.type)
        found = np.full(self.value.size, NO, np.uint8)
        found[ours & self.missing] = MAYBE
        if member.code is None:
            found[same] = YES
        else:
            found[same & self.codeless] = MAYBE
            found[same & ~self.codeless & (self.value & 255 == member.code)] = YES
        return found


def classify_extras(rules: Iterable[Rule], portless: Sequence[int], declared: Iterable[Declared]) -> Extras:
    """Find the extra classes of rules; `declared` is what pods declare for the names that rules use."""
    asked = asked_by(rules)
    protocols = [*PORT_PROTOCOLS, NO_PROTOCOL, NO_PROTOCOL, *portless]
    kind_of = np.full(256, NO_KIND, np.uint8)
    kinds: dict[int, int] = {}
    if asked:
        kinds = {protocol: kind for kind, protocol in enumerate(PORT_PROTOCOLS)}
        kinds |= {protocol: kind for protocol, kind in ICMP_KINDS.items() if protocol in portless}
    kind_of[list(kinds)] = list(kinds.values())
    classes, firsts = _cut(asked, declared)
    table = np.zeros((KINDS if asked else 0, VALUES), np.uint16)
    parts = [np.array([MISSING]) for _ in protocols]
    for slot, protocol in enumerate(protocols):
        if protocol in kinds:
            parts[slot], table[kinds[protocol]] = firsts[kinds[protocol]], classes[kinds[protocol]]
    first = np.cumsum([0, *(part.size for part in parts)])
    value = np.concatenate(parts)
    codeless = (value >= WITHOUT_CODE) & (value < MISSING)
    value[codeless] = value[codeless] - WITHOUT_CODE << 8
    of_protocol = np.repeat(protocols, np.diff(first))
    return Extras(asked, first, of_protocol, value, value == MISSING, codeless, kind_of, table.ravel())


def _cut(
    asked: Iterable[PortMember], declared: Iterable[Declared]
) -> tuple[list[NDArray[np.int32]], list[NDArray[np.int64]]]:
    """For each kind, number the classes of its values, and list the first value of each class."""
    ranges = resolved(asked, {})
    for names in declared:
        ranges += resolved([member for member in asked if isinstance(member, NamedPort)], names)
    ports = cut_ports(ranges)[0].reshape(-1, PORTS)
    types = sorted((member for member in asked if isinstance(member, IcmpType)), key=repr)
    marks = np.zeros((KINDS, VALUES, 2), np.uint64)
    marks[:SLOTS, :PORTS, 0] = ports
    for member, word in zip(types, words(2 * len(types), seed=10).reshape(-1, 2, 2), strict=True):
        mark = marks[ICMP_KINDS[member.protocol]]
        if member.code is None:
            mark[member.type << 8 : (member.type << 8) + 256] ^= word[0]
            mark[WITHOUT_CODE + member.type] ^= word[0]
        else:
            mark[member.type << 8 | member.code] ^= word[0]
            mark[WITHOUT_CODE + member.type] ^= word[1]
    marks[:, MISSING] = words(1, seed=11)
    marks[:SLOTS, WITHOUT_CODE:MISSING] = marks[:SLOTS, :1]  # no flow has such a value
    found = [_number(mark) for mark in marks]
    if max(firsts.size for _, firsts in found) > np.iinfo(np.uint16).max:
        raise CapacityError("the rules cut the source ports into more than 65,000 classes")
    return [numbers for numbers, _ in found], [firsts for _, firsts in found]


def _number(signatures: NDArray[np.uint64]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    numbers, firsts = np.empty(len(signatures), np.int32), np.empty(len(signatures), np.int64)
    count = number_signatures(signatures, numbers, firsts)
    return numbers, firsts[:count].copy()
