"""How far one rule matches one direction of a flow: yes, no, or maybe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import Flow, Reason
from ..model.match import Match
from ..model.peers import (
    AllOf,
    AnyOf,
    Anything,
    Backends,
    DomainNames,
    Endpoints,
    Except,
    Network,
    Nodes,
    OfFamily,
    Outside,
    PeerSet,
    Reserved,
    ThroughService,
    Unresolved,
)
from ..model.policy import Direction, Position, Rule
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, IcmpType, NamedPort, PortMember, PortRange, PortSet
from ..model.profile import Profile
from ..model.regexes import matcher
from ..model.services import frontends
from .candidates import Candidate


@dataclass(frozen=True, slots=True)
class Question:
    """One direction of one pair: whether the subject lets the peer, for this flow's protocol and ports."""

    direction: Direction
    subject: Candidate
    peer: Candidate
    flow: Flow

    @property
    def protocol(self) -> int:
        """The flow's protocol, which is known."""
        return self.flow.protocol or 0

    @property
    def source(self) -> Candidate:
        """The initiator."""
        return self.subject if self.direction is Direction.EGRESS else self.peer

    @property
    def destination(self) -> Candidate:
        """The responder, whose port is meant."""
        return self.peer if self.direction is Direction.EGRESS else self.subject

    @property
    def has_ports(self) -> bool:
        """Whether the protocol is one that policies know ports of."""
        return self.protocol in PORT_PROTOCOLS


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that may bind the subject, and how far each of its parts matches.

    `address_known` says whether the addresses of both ends are known, as far as the rule asks for them; `request` is
    None where the rule looks at none, or the flow tells nothing of what it looks at.
    """

    rule: Rule
    position: Position
    subject: Match
    peer: Match
    ports: Match
    source_ports: Match
    request: Match | None
    address_known: bool

    @property
    def match(self) -> Match:
        """How far the rule matches as a whole."""
        return self.connection if self.request is None else min(self.connection, self.request)

    @property
    def connection(self) -> Match:
        """How far it matches the connection, whatever it carries."""
        match = min(self.subject, self.peer, self.ports, self.source_ports)
        return match if self.rule.certain else min(match, Match.MAYBE)

    @property
    def refuses(self) -> bool:
        """Whether nothing but the request is not the rule's."""
        return self.request is Match.NO and self.connection is not Match.NO

    @property
    def doubt(self) -> Reason:
        """Why it may match only."""
        ends = min(self.subject, self.peer)
        if not self.rule.certain or (ends is Match.MAYBE and self.address_known):
            return Reason.UNCERTAIN_RULE
        if ends is Match.MAYBE:
            return Reason.UNKNOWN_ADDRESS
        if self.ports is Match.MAYBE:
            return Reason.NO_PORT
        return Reason.NO_SOURCE_PORT if self.source_ports is Match.MAYBE else Reason.UNKNOWN_REQUEST


class Matcher:
    """Matches rules in one cluster under one profile."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self.cluster = cluster
        self.profile = profile
        self._backends: dict[tuple[str, str], tuple[set[int], set[Address]]] = {}
        self._by_patterns: dict[tuple[str, ...], set[Address]] = {}

    def step(self, question: Question, rule: Rule) -> Step:
        """Match one rule."""
        subject, peer = (
            self.match_end(rule.subject, question.subject),
            self.match_end(rule.peer, question.peer, self._nearness(question)),
        )
        ends = [end for end, match in ((question.subject, subject), (question.peer, peer)) if match is Match.MAYBE]
        return Step(
            rule=rule,
            position=position_of(rule, self.profile),
            subject=subject,
            peer=peer,
            ports=self._match_ports(rule.ports, question.destination, question.destination.port, question.flow),
            source_ports=self._match_ports(
                rule.source_ports, question.source, question.flow.source_port, question.flow
            ),
            request=rule.requests.find(question.flow.request) if rule.requests else None,
            address_known=all(end.address is not None for end in ends),
        )

    # Ends

    def match_end(self, peers: PeerSet, end: Candidate, near: Match = Match.NO) -> Match:
        """Tell whether a peer set holds an end, which is on the node of a rule's subject as far as `near` says."""
        match peers:
            case Anything():
                return Match.YES
            case AnyOf(members):
                return max((self.match_end(member, end, near) for member in members), default=Match.NO)
            case AllOf(members):
                return min((self.match_end(member, end, near) for member in members), default=Match.YES)
            case Except(peer):
                return Match(Match.YES - self.match_end(peer, end, near))
            case Unresolved():
                return Match.MAYBE
            case Endpoints():
                return _sure(end.is_pod and self._selects(peers, end))
            case Reserved(identity):
                return _sure(end.is_pod and self.cluster.pods[end.pod].reserved == identity)
            case Outside():
                return _sure(not end.is_pod and end.node is None)
            case Nodes():
                return self._match_node(peers, end, near)
            case ThroughService(namespace, service):
                return _sure(end.service == f"{namespace}/Service/{service}")
            case Backends(namespace, service):
                return self._is_backend(namespace, service, end)
            case _:
                return self._match_address(peers, end)

    def _selects(self, peers: Endpoints, end: Candidate) -> bool:
        pod = self.cluster.pods[end.pod]
        return (
            not pod.reserved
            and peers.namespaces.matches(self.cluster.labels_around(pod))
            and peers.pods.matches(pod.labels)
            and peers.accounts.matches(self.cluster.account_labels(pod))
        )

    def _match_node(self, peers: Nodes, end: Candidate, near: Match) -> Match:
        if end.is_pod:
            return Match.NO
        if end.address is None:
            return Match.MAYBE
        if end.node is None:
            return Match.NO
        where = Match.YES if peers.where == "anywhere" else near if peers.where == "here" else Match(Match.YES - near)
        return min(self.cluster.selects_node(peers.labels, end.node), where)

    def _nearness(self, question: Question) -> Match:
        """Tell whether the peer, if it is a node, is the one that the subject runs on, or is."""
        subject, peer = question.subject, question.peer
        own = self.cluster.pods[subject.pod].node if subject.is_pod else subject.node
        if not own or not peer.node:
            return Match.MAYBE
        return _sure(own == peer.node)

    def _match_address(self, peers: Network | OfFamily | DomainNames, end: Candidate) -> Match:
        if isinstance(peers, Network) and not self._sees(end):
            return Match.NO
        if isinstance(peers, DomainNames):
            return self._match_names(peers, end)
        if end.address is None:
            return Match.MAYBE
        match peers:
            case Network():
                return _sure(peers.contains(end.address))
            case OfFamily(family):
                return _sure(end.address.family is family)

    def _match_names(self, peers: DomainNames, end: Candidate) -> Match:
        if peers.external and (end.is_pod or end.node is not None):
            return Match.NO
        if self.cluster.names is None or end.address is None:
            return Match.MAYBE
        if end.address in self._addresses_of(peers.patterns):
            return Match.YES
        may_be_named = peers.external or not self.cluster.names_are_all
        return Match.MAYBE if may_be_named and end.address not in self._named else Match.NO

    def _sees(self, end: Candidate) -> bool:
        """Whether a block may match this kind of end (NP-16, CNI-2)."""
        if end.is_pod:
            return self.profile.ipblock_matches_pods
        return end.node is None or self.profile.ipblock_matches_nodes

    def _is_backend(self, namespace: str, service: str, end: Candidate) -> Match:
        key = namespace, service
        if key not in self._backends:
            targets = [
                target
                for frontend in frontends(self.cluster)
                if (frontend.service.namespace, frontend.service.name) == key
                for target in frontend.targets
            ]
            pods = {target.pod for target in targets if target.pod >= 0}
            self._backends[key] = pods, {t.address for t in targets if t.pod < 0 and t.address is not None}
        pods, addresses = self._backends[key]
        if addresses and not end.is_pod and end.address is None:
            return Match.MAYBE
        return _sure(end.pod in pods or end.address in addresses)

    @cached_property
    def _named(self) -> frozenset[Address]:
        """The addresses that any known name stands for."""
        return frozenset(address for found in (self.cluster.names or {}).values() for address in found)

    def _addresses_of(self, patterns: tuple[str, ...]) -> set[Address]:
        if patterns not in self._by_patterns:
            names = (self.cluster.names or {}).items()
            matches = [matcher(pattern) for pattern in patterns]
            self._by_patterns[patterns] = {a for name, found in names if any(m(name) for m in matches) for a in found}
        return self._by_patterns[patterns]

    # Ports

    def _match_ports(self, ports: PortSet, end: Candidate, port: int | None, flow: Flow) -> Match:
        """Match the port of one end, or the type of an ICMP message."""
        members = Match.YES if ports.members is None else self._any_member(ports.members, end, port, flow)
        return min(members, Match(Match.YES - self._any_member(ports.excluded, end, port, flow)))

    def _any_member(self, members: Iterable[PortMember], end: Candidate, port: int | None, flow: Flow) -> Match:
        return max((self._match_member(member, end, port, flow) for member in members), default=Match.NO)

    def _match_member(self, member: PortMember, end: Candidate, port: int | None, flow: Flow) -> Match:
        if member.protocol != flow.protocol:
            return Match.NO
        match member:
            case IcmpType(_, kind, code):
                return _match_icmp(kind, code, flow)
            case PortRange(protocol, first, last):
                if protocol not in PORT_PROTOCOLS or (first, last) == (0, LAST_PORT):
                    return Match.YES
                return Match.MAYBE if port is None else _sure(first <= port <= last)
            case NamedPort():
                numbers = self.numbers(member, end)
                return Match.MAYBE if port is None and numbers else _sure(port in numbers)

    def numbers(self, name: NamedPort, end: Candidate) -> list[int]:
        """Return the numbers a port's name stands for on a pod (NP-21 to NP-25)."""
        if not end.is_pod:
            return []
        declared = self.cluster.pods[end.pod].ports
        numbers = [p.number for p in declared if p.name == name.name and p.protocol == name.protocol]
        return numbers[:1] if self.profile.duplicate_port_names == "first" else numbers


def position_of(rule: Rule, profile: Profile) -> Position:
    """Return where the tier of a rule stands.

    Raises
    ------
    ValueError
        The profile knows no such tier.
    """
    try:
        position = profile.place(rule.tier).position
    except ValueError as error:
        raise ValueError(f"{rule}: {error}") from None
    if position is None:
        raise ValueError(f"{rule}: the profile has no position for tier {rule.tier.name!r}")
    return position


def _sure(matches: bool) -> Match:
    return Match.YES if matches else Match.NO


def _match_icmp(kind: int, code: int | None, flow: Flow) -> Match:
    if flow.icmp_type is None:
        return Match.MAYBE
    if flow.icmp_type != kind or code is None:
        return _sure(flow.icmp_type == kind)
    return Match.MAYBE if flow.icmp_code is None else _sure(flow.icmp_code == code)
