"""Whether one set holds another whatever pods there are, told from how both are written: no may be a don't know."""

from __future__ import annotations

from collections.abc import Iterable

from ...model.labels import LabelSelector, Operator, Requirement
from ...model.peers import AllOf, AnyOf, Anything, Endpoints, Network, PeerSet
from ...model.ports import LAST_PORT, PORT_PROTOCOLS, IcmpType, PortMember, PortRange, PortSet

_VALUES = (Operator.IN, Operator.NOT_IN)


def holds_peers(wide: PeerSet, narrow: PeerSet) -> bool:
    """Whether everybody in `narrow` is in `wide` in any cluster."""
    if isinstance(wide, Anything) or wide == narrow:
        return True
    if isinstance(narrow, AnyOf):
        return all(holds_peers(wide, member) for member in narrow.members)
    if isinstance(wide, AllOf):
        return all(holds_peers(member, narrow) for member in wide.members)
    if isinstance(wide, AnyOf) and any(holds_peers(member, narrow) for member in wide.members):
        return True
    if isinstance(narrow, AllOf):
        return any(holds_peers(wide, member) for member in narrow.members)
    if isinstance(wide, Endpoints) and isinstance(narrow, Endpoints):
        return (
            _holds_labels(wide.namespaces, narrow.namespaces)
            and _holds_labels(wide.pods, narrow.pods)
            and _holds_labels(wide.accounts, narrow.accounts)
        )
    return isinstance(wide, Network) and isinstance(narrow, Network) and _holds_network(wide, narrow)


def _holds_network(wide: Network, narrow: Network) -> bool:
    if not wide.cidr.covers(narrow.cidr) or any(block.covers(narrow.cidr) for block in wide.excluded):
        return False
    cutting = [block for block in wide.excluded if narrow.cidr.covers(block)]
    return all(any(other.covers(block) for other in narrow.excluded) for block in cutting)


def _holds_labels(wide: LabelSelector, narrow: LabelSelector) -> bool:
    return all(any(_implies(given, needed) for given in narrow.requirements) for needed in wide.requirements)


def _implies(given: Requirement, needed: Requirement) -> bool:
    """Whether all labels that meet one requirement meet the other."""
    if given == needed:
        return True
    if given.key != needed.key:
        return False
    match given.operator, needed.operator:
        case Operator.IN, _:
            return all(needed.holds(value) for value in given.values)
        case Operator.NOT_IN, Operator.NOT_IN:
            return needed.values <= given.values
        case Operator.DOES_NOT_EXIST, Operator.NOT_IN:
            return True
        case ((Operator.CONTAINS | Operator.STARTS_WITH | Operator.ENDS_WITH), Operator.EXISTS):
            return True
        case _:
            return False


def holds_ports(wide: PortSet, narrow: PortSet) -> bool:
    """Whether all ports of `narrow` are in `wide`, whatever names of ports stand for."""
    if wide.is_everything or wide == narrow:
        return True
    if wide.excluded or narrow.members is None:
        return False
    return all(_holds_member(wide.members or (), member) for member in narrow.members)


def _holds_member(wide: Iterable[PortMember], member: PortMember) -> bool:
    ours = [each for each in wide if each.protocol == member.protocol]
    if member in ours:
        return True
    ranges = sorted(each for each in ours if isinstance(each, PortRange))
    if isinstance(member, IcmpType):
        return bool(ranges) or any(
            isinstance(each, IcmpType) and each.type == member.type and each.code is None for each in ours
        )
    if member.protocol not in PORT_PROTOCOLS:
        return bool(ranges)
    first, last = (member.first, member.last) if isinstance(member, PortRange) else (1, LAST_PORT)
    for each in ranges:
        if each.first <= first:
            first = max(first, each.last + 1)
    return first > last


def pieces_of_peers(peers: PeerSet) -> tuple[PeerSet, ...]:
    """Return the parts that a set of peers is the union of."""
    return peers.members if isinstance(peers, AnyOf) else (peers,)


def pieces_of_ports(ports: PortSet) -> tuple[PortSet, ...]:
    """Return the parts that a set of ports is the union of."""
    if ports.members is None or ports.excluded:
        return (ports,)
    return tuple([PortSet((member,)) for member in ports.members])
