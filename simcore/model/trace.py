"""Trace: how a verdict came about, as data; rendering it is the report's business."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .flows import Flow, Judgement, Outcome, Verdict
from .labels import NAMESPACE_NAME_LABEL, LabelSelector, Operator
from .match import Match
from .peers import (
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
from .policy import Direction, PolicyRef, Rule
from .ports import LAST_PORT, PORT_PROTOCOLS, IcmpType, NamedPort, PortMember, PortSet, protocol_name

SETTING_NUMBERS = {
    "ipblock_matches_pods": "NP-16",
    "other_protocols": "NP-20",
    "service_hairpin": "NP-27",
    "egress_to_own_node": "NP-28",
    "hostnetwork": "NP-31",
    "duplicate_port_names": "NP-25",
    "on_change": "NP-40",
    "strict_cidr": "NP-15",
    "ties": "AP-3",
    "np_final": "AP-9",
    "enforced": "CNI-1",
    "ipblock_matches_nodes": "CNI-2",
    "endport": "CNI-3",
    "sctp": "CNI-4",
    "named_ports_from_blocks": "CNI-5",
    "bare_pods": "CNI-6",
    "unselected_pods": "CNI-7",
    "policy_enforcement_mode": "CNI-8",
    "allow_localhost": "CNI-9",
    "policy_audit_mode": "CNI-10",
    "host_firewall": "CNI-11",
    "enable_node_selector_labels": "CNI-12",
    "policy_default_local_cluster": "CNI-13",
    "ipv6": "CNI-14",
    "enable_extended_ip_protocols": "CNI-15",
    "cluster_name": "CNI-16",
    "policy_cidr_match_mode": "CNI-17",
}
"""The semantics number behind each setting of a Profile."""


@dataclass(frozen=True, slots=True)
class Consideration:
    """One rule that was looked at: whether its parts match, and a sentence that says why.

    Attributes
    ----------
    request : Match or None
        None: the rule looks at no request. YES also where no request is known.
    """

    rule: Rule
    peer: Match
    ports: Match
    match: Match
    why: str
    request: Match | None = None


@dataclass(frozen=True, slots=True)
class DirectionTrace:
    """One direction of one pair.

    Attributes
    ----------
    subject, peer : str
        The guarded end and the other one, in words.
    isolating : tuple of PolicyRef
        The policies that isolate the subject in this direction.
    considered : tuple of Consideration
        The rules that were walked, in order, the deciding one last; empty where none had to be asked. Where policies
        tie, those that contradict stand among them. Habits of the dataplane are told only where they match, or may.
    outcome : Outcome
        The answer; its `rule` is the deciding one.
    proxy : str
        The proxy that the connection goes through, if any: ``http``, ``dns``, ``tls``, ``kafka`` or ``listener``; also
        where a rule without proxy allows it.
    """

    direction: Direction
    subject: str
    peer: str
    isolating: tuple[PolicyRef, ...]
    considered: tuple[Consideration, ...]
    outcome: Outcome
    proxy: str = ""

    @property
    def chain(self) -> tuple[Consideration, ...]:
        """The rules that a packet meets and that do something with it, tier by tier: those that pass it on, then the
        one that decides; of an unknown verdict, also those that may.
        """
        least = Match.MAYBE if self.outcome.verdict is Verdict.UNKNOWN else Match.YES
        return tuple(considered for considered in self.considered if considered.match >= least)


@dataclass(frozen=True, slots=True)
class PairTrace:
    """One source that may be meant with one destination that may be meant.

    Attributes
    ----------
    port : int or None
        Destination port; behind a Service, its target's.
    service : str or None
        The Service the destination was reached through, as ``namespace/Service/name``.
    """

    source: str
    destination: str
    port: int | None
    service: str | None
    egress: DirectionTrace
    ingress: DirectionTrace
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Dependence:
    """A setting of the profile on which the verdict rests: with `word` in place of `current` it is `verdict`.

    Attributes
    ----------
    number : str
        The rule of the semantics pages that leaves the point open.
    """

    setting: str
    number: str
    current: str
    word: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Trace:
    """How the verdict of one flow came about.

    Attributes
    ----------
    sources, destinations : tuple of str
        What each end may stand for, in words; empty where that could not be told.
    pairs : tuple of PairTrace
        Every source with every destination.
    depends_on : tuple of Dependence
        The settings whose other value would change the verdict.
    """

    flow: Flow
    judgement: Judgement
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    pairs: tuple[PairTrace, ...]
    depends_on: tuple[Dependence, ...]


def peer_words(peer: PeerSet) -> str:
    """Say a peer set in words."""
    match peer:
        case Anything():
            return "any peer"
        case Endpoints(namespaces, pods, accounts):
            account = f" of service accounts with {accounts}" if accounts.requirements else ""
            return f"{_pod_words(pods)} in {_namespace_words(namespaces)}{account}"
        case Network(cidr, excluded):
            return f"{cidr} except {', '.join(map(str, excluded))}" if excluded else str(cidr)
        case OfFamily(family):
            return f"IPv{family.value}"
        case Nodes():
            return _node_words(peer)
        case Outside():
            return "addresses outside the cluster"
        case Reserved(identity):
            return f"{identity} endpoints"
        case Backends(namespace, service):
            return f"the backends of Service {namespace}/{service}"
        case ThroughService(namespace, service):
            return f"what is reached through Service {namespace}/{service}"
        case DomainNames(_, written):
            return f"addresses of {', '.join(written)}"
        case Unresolved(why):
            return f"somebody ({why})"
        case AnyOf(members):
            return " or ".join(map(_part_words, members)) or "nobody"
        case AllOf(members):
            return " and ".join(map(_part_words, members)) or "any peer"
        case Except(inner):
            return f"not {_part_words(inner)}"


def _part_words(peer: PeerSet) -> str:
    """Say a part of a peer set, in parentheses where it has parts of its own."""
    return f"({peer_words(peer)})" if isinstance(peer, AnyOf | AllOf) and len(peer.members) > 1 else peer_words(peer)


def _node_words(peer: Nodes) -> str:
    which = {"anywhere": "all nodes", "here": "its own node", "elsewhere": "other nodes"}[peer.where]
    if not peer.labels.requirements:
        return which
    return f"{which.removeprefix('all ')} with {peer.labels}"


def _pod_words(selector: LabelSelector) -> str:
    return f"pods with {selector}" if selector.requirements else "all pods"


def _namespace_words(selector: LabelSelector) -> str:
    """Say which namespaces are meant, by name where they are chosen by it (NP-12)."""
    if not selector.requirements:
        return "all namespaces"
    first, *others = selector.requirements
    if others or first.key != NAMESPACE_NAME_LABEL or first.operator is not Operator.IN:
        return f"namespaces with {selector}"
    names = ", ".join(sorted(first.values))
    return f"namespace {names}" if len(first.values) == 1 else f"namespaces {names}"


def port_words(ports: PortSet) -> str:
    """Say a port set in words."""
    words = "every port" if ports.members is None else _member_words(ports.members) or "no port"
    return f"{words} but {_member_words(ports.excluded)}" if ports.excluded else words


def _member_words(members: Sequence[PortMember]) -> str:
    """List ports; a name that counts for every protocol once."""
    protocols = Counter(member.name for member in members if isinstance(member, NamedPort))
    words = [
        f"ports named {member.name}"
        if isinstance(member, NamedPort) and protocols[member.name] == len(PORT_PROTOCOLS)
        else _port_word(member)
        for member in members
    ]
    return ", ".join(dict.fromkeys(words))


def _port_word(member: PortMember) -> str:
    protocol = protocol_name(member.protocol)
    if isinstance(member, NamedPort):
        return f"{protocol} port named {member.name}"
    if isinstance(member, IcmpType):
        return f"{protocol} type {member.type}" + ("" if member.code is None else f" code {member.code}")
    if member.protocol not in PORT_PROTOCOLS:
        return protocol
    if (member.first, member.last) == (0, LAST_PORT):
        return f"every {protocol} port"
    if member.first == member.last:
        return f"{protocol} {member.first}"
    return f"{protocol} {member.first}-{member.last}"
