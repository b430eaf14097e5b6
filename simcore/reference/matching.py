"""How far one rule matches one direction of a flow: yes, no, or maybe."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.cluster import Cluster, Pod
from ..model.flows import Reason
from ..model.peers import AnyOf, Anything, Endpoints, Network, PeerSet
from ..model.policy import Direction, Rule
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, NamedPort, PortSet
from ..model.profile import Profile
from ..model.trace import Match
from .candidates import Candidate


@dataclass(frozen=True, slots=True)
class Question:
    """One direction of one pair: whether the subject lets the peer, for this protocol and port."""

    direction: Direction
    subject: Candidate
    peer: Candidate
    protocol: int

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
    """A rule that binds the subject, and how far it matches."""

    rule: Rule
    peer: Match
    ports: Match

    @property
    def match(self) -> Match:
        """How far the rule matches as a whole."""
        match = min(self.peer, self.ports)
        return match if self.rule.certain else min(match, Match.MAYBE)

    @property
    def doubt(self) -> Reason:
        """Why it may match only."""
        if not self.rule.certain:
            return Reason.UNCERTAIN_RULE
        return Reason.UNKNOWN_ADDRESS if self.peer is Match.MAYBE else Reason.NO_PORT


class Matcher:
    """Matches rules in one cluster under one profile."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self.cluster = cluster
        self.profile = profile

    def step(self, question: Question, rule: Rule) -> Step:
        """Match one rule."""
        ports = self._match_ports(rule.ports, question)
        return Step(rule, self._match_peer(rule.peer, question.peer), ports)

    def _match_peer(self, peer: PeerSet, candidate: Candidate) -> Match:
        match peer:
            case Anything():
                return Match.YES
            case Endpoints():
                selected = candidate.is_pod and self.selects(peer, self.cluster.pods[candidate.pod])
                return Match.YES if selected else Match.NO
            case Network():
                if candidate.is_pod and not self.profile.ipblock_matches_pods:
                    return Match.NO
                if candidate.address is None:
                    return Match.MAYBE
                return Match.YES if peer.contains(candidate.address) else Match.NO
            case AnyOf(members):
                return max((self._match_peer(member, candidate) for member in members), default=Match.NO)

    def selects(self, peers: PeerSet, pod: Pod) -> bool:
        """Whether a peer set names a pod by its labels."""
        match peers:
            case Anything():
                return True
            case Endpoints(namespaces, pods):
                labels = self.cluster.namespace_labels(pod.namespace)
                return namespaces.matches(labels) and pods.matches(pod.labels)
            case Network():
                return False
            case AnyOf(members):
                return any(self.selects(member, pod) for member in members)

    def _match_ports(self, ports: PortSet, question: Question) -> Match:
        if ports.is_everything:
            return Match.YES
        if not question.has_ports:
            return Match.NO
        protocol, port = question.protocol, question.destination.port
        ranges = [span for span in ports.ranges if span.protocol == protocol]
        numbers = {
            number
            for name in ports.names
            if name.protocol == protocol
            for number in self.numbers(name, question.destination)
        }
        if port is not None:
            inside = port in numbers or any(span.contains(protocol, port) for span in ranges)
            return Match.YES if inside else Match.NO
        if any((span.first, span.last) == (0, LAST_PORT) for span in ranges):
            return Match.YES
        return Match.MAYBE if ranges or numbers else Match.NO

    def numbers(self, name: NamedPort, destination: Candidate) -> list[int]:
        """Return the numbers a port's name stands for on the destination pod (NP-21 to NP-25)."""
        if not destination.is_pod:
            return []
        declared = self.cluster.pods[destination.pod].ports
        numbers = [p.number for p in declared if p.name == name.name and p.protocol == name.protocol]
        return numbers[:1] if self.profile.duplicate_port_names == "first" else numbers
