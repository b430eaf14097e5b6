"""Who may ask the cluster's DNS: every sort of pod judged against the pods that answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..analyses.resolver import NAMESPACES, NODE_LOCAL_ADDRESS, Resolver
from ..model.cluster import Pod
from ..model.flows import End, Outcome, Verdict
from ..model.groups import DNS_PORT
from ..model.labels import NAMESPACE_NAME_LABEL
from ..model.peers import AnyOf, Endpoints, Network, PeerSet, ThroughService, atoms_of
from ..model.policy import Action, Direction, Rule
from ..model.ports import TCP, UDP, NamedPort, PortRange, PortSet
from .sources import Bound

if TYPE_CHECKING:
    from .context import LintContext

PROTOCOLS = (UDP, TCP)


@dataclass(frozen=True, slots=True)
class Asker:
    """Pods that policies bind for egress, and what becomes of their questions to the cluster's DNS.

    Attributes
    ----------
    bound : Bound
        The pods, and the rules that bind them for egress.
    answers : mapping of int to Outcome
        By protocol: the best of what becomes of questions to any pod that answers; empty where no such pod is known.
    """

    bound: Bound
    answers: dict[int, Outcome]

    def may_ask(self, protocol: int) -> bool:
        """Whether questions over a protocol get through, or may."""
        if self.answers:
            return self.answers[protocol].verdict is not Verdict.DENY
        return any(_may_be_dns(rule, protocol) for rule in self.bound.rules)

    @property
    def is_cut_off(self) -> bool:
        """Whether they can ask over neither protocol."""
        return not any(map(self.may_ask, PROTOCOLS))


def find_askers(context: LintContext) -> Iterator[Asker]:
    """Yield the pods that policies isolate for egress, without those that answer themselves."""
    resolver = context.resolver
    answering = {context.cluster.pods[number].full_name for number in resolver.pods} if resolver else set()
    ends = tuple(_ends(context, resolver)) if resolver else ()
    for bound in context.bound[Direction.EGRESS]:
        pod = bound.sort.pod
        if pod.full_name not in answering and any(rule.action is Action.DENY for rule in bound.rules):
            yield Asker(bound, _answers(context, bound, ends) if resolver else {})


def _ends(context: LintContext, resolver: Resolver) -> Iterator[tuple[End, dict[int, int]]]:
    """Yield whom to ask, one of each sort of pods that answer, with their ports by protocol."""
    seen = set()
    for number in resolver.pods:
        pod = context.cluster.pods[number]
        key = pod.namespace, frozenset(pod.labels.items())
        if key not in seen:
            seen.add(key)
            yield End(pod=pod.full_name), dict(resolver.ports)
    if resolver.is_node_local:
        yield End(NODE_LOCAL_ADDRESS), dict.fromkeys(PROTOCOLS, DNS_PORT)


def _answers(context: LintContext, bound: Bound, ends: tuple[tuple[End, dict[int, int]], ...]) -> dict[int, Outcome]:
    source = End(pod=bound.sort.pod.full_name)
    by_service = any(isinstance(atom, ThroughService) for rule in bound.rules for atom in atoms_of(rule.peer))
    found = {}
    for protocol in PROTOCOLS:
        outcomes = [context.judge(source, end, protocol, ports[protocol]).egress for end, ports in ends]
        if by_service:
            outcomes += _through_services(context, source, protocol)
        found[protocol] = next((one for one in outcomes if one.verdict is not Verdict.DENY), outcomes[0])
    return found


def _through_services(context: LintContext, source: End, protocol: int) -> list[Outcome]:
    """Return what lets questions through that are asked at the address of a Service."""
    services = context.resolver.services if context.resolver else ()
    ends = (End(address) for service in services for address in service.addresses)
    asked = (context.judge(source, end, protocol, DNS_PORT).egress for end in ends)
    return [outcome for outcome in asked if outcome.verdict is Verdict.ALLOW and outcome.rule is not None]


def is_meant_for_dns(rule: Rule, resolver: Resolver) -> bool:
    """Whether a rule allows the ports of DNS and no other."""
    numbers = {DNS_PORT, *resolver.ports.values()}
    return (
        rule.action is Action.ALLOW
        and bool(rule.ports.members)
        and all(
            (isinstance(member, PortRange) and member.first == member.last and member.first in numbers)
            or (isinstance(member, NamedPort) and member.name.startswith("dns"))
            for member in rule.ports.members or ()
        )
    )


def selectors_of(peers: PeerSet) -> tuple[Endpoints, ...]:
    """Return the selectors that a peer set is the union of; none where it is made of anything else."""
    members = peers.members if isinstance(peers, AnyOf) else (peers,)
    found = tuple(member for member in members if isinstance(member, Endpoints))
    return found if len(found) == len(members) else ()


def selects(context: LintContext, peers: Endpoints, pod: Pod) -> bool:
    """Whether a selector holds a pod."""
    cluster = context.cluster
    return (
        peers.namespaces.matches(cluster.labels_around(pod))
        and peers.pods.matches(pod.labels)
        and peers.accounts.matches(cluster.account_labels(pod))
    )


def _may_be_dns(rule: Rule, protocol: int) -> bool:
    """Whether a rule does not deny DNS to whoever might answer, by what is written alone."""
    return rule.action is not Action.DENY and _holds(rule.ports, protocol) and _could_answer(rule, rule.peer)


def _holds(ports: PortSet, protocol: int) -> bool:
    if ports.members is None:
        return True
    return any(member.contains(protocol, DNS_PORT) for member in ports.ranges) or any(
        name.protocol == protocol for name in ports.names
    )


def _could_answer(rule: Rule, peers: PeerSet) -> bool:
    """Whether DNS could be among peers: not where they are pods of a namespace that is not its home."""
    if isinstance(peers, AnyOf):
        return any(_could_answer(rule, member) for member in peers.members)
    if not isinstance(peers, Endpoints):
        return True
    names = {
        value
        for requirement in peers.namespaces.requirements
        if requirement.key == NAMESPACE_NAME_LABEL
        for value in requirement.values
    }
    return not names or not names.isdisjoint(NAMESPACES) or rule.policy.namespace not in names


def asks_address(context: LintContext, rule: Rule) -> str:
    """Name the Service of DNS whose address a rule allows, which policies never see; empty where it allows none."""
    members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
    for service in context.resolver.services if context.resolver else ():
        for address in service.addresses:
            if any(isinstance(member, Network) and member.contains(address) for member in members):
                return f"{address}, the address of Service {service.namespace}/{service.name}"
    return ""
