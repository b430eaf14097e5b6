"""What host endpoints bring along besides policies: failsafe ports, their profiles, the end (CA-60, CA-63, CA-65)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simcore.errors import Place
from simcore.model.labels import NAME_KEY, LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, NOBODY, Network, Nodes, PeerSet, any_of
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Position, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT, LAST_PORT, TCP, UDP, PortRange, PortSet

from ..blocks import read_cidr
from ..fields import Field
from .endpoints import HostEndpoint, Population, narrowed, single
from .entities import Scope
from .ports import read_protocol
from .reading import API_GROUP, Head
from .rules import Written, read_rules

ALLOW_ALL = "projectcalico-default-allow"
_BESIDE = Tier("not through the interface", Position((-5.0,)))
_FAILSAFE = Tier("failsafe ports", Position((-4.0,)))
_PROFILE_FIELDS = ("ingress", "egress", "labelsToApply")
_PROFILES = Tier("profiles", Position((3.0,)))
_TCP_ALWAYS = (179, 2379, 2380, 5473, 6443, 6666, 6667)

Opening = tuple[PeerSet, PortSet]
"""Ports, and whom they are open for."""
Failsafe = Mapping[Direction, Sequence[Opening]]


def _openings(*others: PortRange) -> tuple[Opening, ...]:
    return ((ANYTHING, PortSet((*others, *(PortRange(TCP, port, port) for port in _TCP_ALWAYS)))),)


FAILSAFE: Failsafe = {
    Direction.INGRESS: _openings(PortRange(TCP, 22, 22), PortRange(UDP, 68, 68)),
    Direction.EGRESS: _openings(PortRange(UDP, 53, 53), PortRange(UDP, 67, 67)),
}
"""Destination ports that no policy of a host endpoint stops, unless Felix is told otherwise (CA-65)."""
FAILSAFE_FIELDS = {
    Direction.INGRESS: "failsafeInboundHostPorts",
    Direction.EGRESS: "failsafeOutboundHostPorts",
}
"""Fields of a FelixConfiguration, the only ones that are read."""


def read_failsafe(head: Head) -> Failsafe:
    """Read the failsafe ports of a FelixConfiguration; a direction of which it says nothing is not in the result."""
    spec = head.root.get("spec")
    if not isinstance(spec.value, dict):
        return {}
    fields = {direction: spec.get(name) for direction, name in FAILSAFE_FIELDS.items()}
    return {
        direction: tuple(map(_opening, field.items())) for direction, field in fields.items() if field.value is not None
    }


def _opening(item: Field) -> Opening:
    entry = item.mapping(("protocol", "port", "net"))
    protocol, net = read_protocol(entry.get("protocol")), entry.get("net")
    port = entry.get("port").integer()
    if port is None or not 0 <= port <= LAST_PORT:
        entry.error(f"a port from 0 to {LAST_PORT} is required", "port")
    block = read_cidr(net, strict_cidr=False) if net.value else None
    peer = Network(block) if block else ANYTHING
    return peer, PortSet((PortRange(protocol or TCP, port or 0, port or 0),))


def failsafe_of(host: HostEndpoint, written: Mapping[str, Failsafe]) -> Failsafe:
    """Return what holds for the node of a host endpoint: what is written for it, else for all, else the default."""
    return {**FAILSAFE, **written.get("default", {}), **written.get(f"node.{host.node}", {})}


Profile = Mapping[Direction, Sequence[Written]]
"""The rules of a profile, for what no tier decides."""


def read_profile(head: Head, scope: Scope) -> Profile:
    """Read the rules of a Profile."""
    spec = head.root.get("spec").mapping(_PROFILE_FIELDS)
    return {direction: read_rules(spec.get(direction.word), direction, scope) for direction in Direction}


def read_profile_labels(head: Head) -> dict[str, str]:
    """Read the labels that endpoints take over from a Profile."""
    return head.root.get("spec").mapping(_PROFILE_FIELDS).get("labelsToApply").text_map()


def allow_all(place: Place) -> Profile:
    """Return the profile that every Calico has."""
    row = Written(0, ANYTHING, ANYTHING, EVERY_PORT, EVERY_PORT, Action.ALLOW, place)
    return dict.fromkeys(Direction, (row,))


def host_policy(
    host: HostEndpoint, population: Population, profiles: Mapping[str, Profile], failsafe: Failsafe
) -> Policy:
    """Return a host endpoint as a policy of its own."""
    ref = PolicyRef(f"HostEndpoint.{API_GROUP}", "", host.name)
    maker = _Rows(ref, host, population.guards(host))
    rules = [
        *(maker.given(0, _BESIDE, direction, peer=_elsewhere(host, population)) for direction in Direction),
        *(
            maker.given(number, _FAILSAFE, direction, peer=peer, ports=ports)
            for direction in Direction
            for number, (peer, ports) in enumerate(failsafe[direction], 1)
        ),
        *(rule for direction in Direction for rule in maker.profile_rows(direction, profiles)),
    ]
    return Policy(ref, tuple(rules), host.place)


def _elsewhere(host: HostEndpoint, population: Population) -> PeerSet:
    """Return whoever does not reach the node through the endpoint's interfaces: the node, and its pods (CA-60)."""
    node = Nodes(LabelSelector.of(Requirement(NAME_KEY, Operator.IN, frozenset([host.node]))))
    if host.interface == "*":
        return node
    own = population.pods_on.get(host.node, ())
    return any_of([node, *(single(address) for pod in own for address in pod.addresses)])


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the rows of one host endpoint."""

    ref: PolicyRef
    host: HostEndpoint
    subject: PeerSet

    def given(
        self, index: int, tier: Tier, direction: Direction, *, peer: PeerSet = ANYTHING, ports: PortSet = EVERY_PORT
    ) -> Rule:
        """Return a row that allows what no policy is asked about."""
        return replace(
            self.end(tier, direction),
            index=index,
            peer=peer,
            ports=ports,
            action=Action.ALLOW,
            order=(0, float(index), self.host.name),
            role=Role.WRITTEN,
            name=tier.name,
        )

    def end(self, tier: Tier, direction: Direction) -> Rule:
        """Return the row that denies what is left."""
        order = (1, 0.0, self.host.name)
        return Rule.closing(self.ref, direction, self.subject, tier, order, self.host.place, Role.TIER_END, hosts=True)

    def profile_rows(self, direction: Direction, profiles: Mapping[str, Profile]) -> Iterator[Rule]:
        """Yield the rules of the profiles in their order, and the denial behind them (CA-63)."""
        for number, name in enumerate(self.host.profiles):
            ref = PolicyRef(f"Profile.{API_GROUP}", "", name)
            for row in profiles[name][direction] if name in profiles else ():
                subject = narrowed([self.subject, row.own])
                if subject != NOBODY:
                    yield replace(
                        self.end(_PROFILES, direction),
                        policy=ref,
                        index=row.index,
                        subject=subject,
                        peer=row.peer,
                        ports=row.ports,
                        action=_final(row.action),
                        source_ports=row.source_ports,
                        order=(0, float(number), self.host.name, row.index),
                        place=row.place,
                        role=Role.WRITTEN,
                        condition=row.condition,
                    )
        yield self.end(_PROFILES, direction)


def _final(action: Action) -> Action:
    """Return what an action comes to in a profile, where there is nothing to pass on to."""
    return Action.DENY if action is Action.PASS else action


def warn_of_missing(host: HostEndpoint, profiles: Collection[str], head: Head) -> None:
    """Warn of profiles that are not there."""
    for number, name in enumerate(host.profiles):
        if name not in profiles:
            head.root.warn(f"there is no profile {name!r}: it allows nothing", "spec", "profiles", number)
