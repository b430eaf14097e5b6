"""What host endpoints bring along besides policies: failsafe ports, their profiles, the end (CA-60, CA-63, CA-65)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from simcore.errors import Place
from simcore.model.labels import NAME_KEY, LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, NOBODY, Nodes, PeerSet, any_of
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Position, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT, TCP, UDP, PortRange, PortSet

from .endpoints import HostEndpoint, Population, narrowed, single
from .entities import Scope
from .reading import API_GROUP, Head
from .rules import Written, read_rules

ALLOW_ALL = "projectcalico-default-allow"
_BESIDE = Tier("not through the interface", Position((-5.0,)))
_FAILSAFE = Tier("failsafe ports", Position((-4.0,)))
_PROFILE_FIELDS = ("ingress", "egress", "labelsToApply")
_PROFILES = Tier("profiles", Position((3.0,)))
_BGP, _ETCD, _TYPHA, _API = (179,), (2379, 2380), (5473,), (6443, 6666, 6667)
_SHARED = tuple(PortRange(TCP, port, port) for port in (*_BGP, *_ETCD, *_TYPHA, *_API))
FAILSAFE_PORTS: Mapping[Direction, PortSet] = {
    Direction.INGRESS: PortSet((PortRange(TCP, 22, 22), PortRange(UDP, 68, 68), *_SHARED)),
    Direction.EGRESS: PortSet((PortRange(UDP, 53, 53), PortRange(UDP, 67, 67), *_SHARED)),
}
"""Destination ports that no policy of a host endpoint stops (CA-65)."""


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


def host_policy(host: HostEndpoint, population: Population, profiles: Mapping[str, Profile]) -> Policy:
    """Return a host endpoint as a policy of its own."""
    ref = PolicyRef(f"HostEndpoint.{API_GROUP}", "", host.name)
    maker = _Rows(ref, host, population.guards(host))
    rules = [
        *(maker.row(_BESIDE, direction, Action.ALLOW, peer=_elsewhere(host, population)) for direction in Direction),
        *(maker.row(_FAILSAFE, direction, Action.ALLOW, ports=FAILSAFE_PORTS[direction]) for direction in Direction),
        *(rule for direction in Direction for rule in maker.profile_rows(direction, profiles)),
    ]
    return Policy(ref, tuple(rules), host.place)


def _elsewhere(host: HostEndpoint, population: Population) -> PeerSet:
    """Return whoever does not reach the node through the endpoint's interfaces: the node, and its pods (CA-60)."""
    node = Nodes(LabelSelector.of(Requirement(NAME_KEY, Operator.IN, frozenset([host.node]))))
    if host.interface == "*":
        return node
    own = [pod for pod in population.cluster.pods if pod.node == host.node and not pod.host_network]
    return any_of([node, *(single(address) for pod in own for address in pod.addresses)])


@dataclass(frozen=True, slots=True)
class _Rows:
    """Makes the rows of one host endpoint."""

    ref: PolicyRef
    host: HostEndpoint
    subject: PeerSet

    def row(
        self,
        tier: Tier,
        direction: Direction,
        action: Action,
        *,
        peer: PeerSet = ANYTHING,
        ports: PortSet = EVERY_PORT,
    ) -> Rule:
        """Return one row that is not written anywhere."""
        return Rule(
            policy=self.ref,
            index=-1,
            direction=direction,
            subject=self.subject,
            peer=peer,
            ports=ports,
            action=action,
            tier=tier,
            order=(1, 0.0, self.host.name),
            place=self.host.place,
            role=Role.TIER_END,
            hosts=True,
        )

    def profile_rows(self, direction: Direction, profiles: Mapping[str, Profile]) -> Iterator[Rule]:
        """Yield the rules of the profiles in their order, and the denial behind them (CA-63)."""
        for number, name in enumerate(self.host.profiles):
            ref = PolicyRef(f"Profile.{API_GROUP}", "", name)
            for row in profiles[name][direction] if name in profiles else ():
                subject = narrowed([self.subject, row.own])
                if subject != NOBODY:
                    yield replace(
                        self.row(_PROFILES, direction, _final(row.action), peer=row.peer, ports=row.ports),
                        policy=ref,
                        index=row.index,
                        subject=subject,
                        source_ports=row.source_ports,
                        order=(0, float(number), self.host.name, row.index),
                        place=row.place,
                        role=Role.WRITTEN,
                        condition=row.condition,
                    )
        yield self.row(_PROFILES, direction, Action.DENY)


def _final(action: Action) -> Action:
    """Return what an action comes to in a profile, where there is nothing to pass on to."""
    return Action.DENY if action is Action.PASS else action


def warn_of_missing(host: HostEndpoint, profiles: Collection[str], head: Head) -> None:
    """Warn of profiles that are not there."""
    for number, name in enumerate(host.profiles):
        if name not in profiles:
            head.root.warn(f"there is no profile {name!r}: it allows nothing", "spec", "profiles", number)
