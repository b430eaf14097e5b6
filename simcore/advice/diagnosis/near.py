"""Near misses: rules that would allow a connection if one thing about them were different, each tried out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ...model.flows import Verdict
from ...model.labels import LabelSelector
from ...model.match import Match
from ...model.peers import ANYTHING, AnyOf, Anything, Endpoints, Network, PeerSet
from ...model.policy import Action, Direction, Role, Rule
from ...model.ports import EVERY_PORT, NamedPort, PortMember, PortRange, PortSet, protocol_name
from ...model.spelling import nearest
from ...model.trace import port_words
from ...reference.candidates import Candidate
from ...reference.matching import Matcher
from .context import Context, Pair, with_rule
from .slips import Selectors, Slip
from .steps import Cause

DNS_PORTS = frozenset({53, 853, 5353})
MOST_TRIED = 8
"""Near misses that are tried out, the likeliest first."""
RANKS = (
    Cause.MISSPELT_LABEL,
    Cause.SERVICE_ADDRESS,
    Cause.IPBLOCK_FOR_PODS,
    Cause.NAMESPACE_NOT_SELECTED,
    Cause.MISSING_NAMESPACE_LABEL,
    Cause.AND_FOR_OR,
    Cause.NAMED_PORT,
    Cause.MISSING_LABEL,
    Cause.WRONG_LABEL,
    Cause.WRONG_PORT,
)
"""The likeliest first."""


@dataclass(frozen=True, slots=True)
class Near:
    """A rule that would allow a direction of a pair if one thing about it were different.

    Attributes
    ----------
    strong : bool
        It can hardly be meant as it is.
    repaired : Rule
        The rule without what keeps it from matching.
    """

    rule: Rule
    cause: Cause
    sentence: str
    to_do: str
    strong: bool
    repaired: Rule


class NearMisses:
    """Finds near misses in the policies of a context."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._matcher = Matcher(context.cluster, context.profile)
        self._selectors = Selectors(context.cluster)

    def of(self, pair: Pair, direction: Direction) -> list[Near]:
        """List the near misses of a direction that denies, the likeliest first; each was tried out."""
        found = sorted(self._all(pair, direction), key=lambda near: (not near.strong, RANKS.index(near.cause)))
        return [near for near in found[:MOST_TRIED] if self._would_allow(near, pair, direction)]

    def _would_allow(self, near: Near, pair: Pair, direction: Direction) -> bool:
        policies = with_rule(self._context.policies, near.rule, near.repaired)
        judged = self._context.reference_with(policies).judge(self._context.flow_of(pair))
        return judged.outcome(direction).verdict is Verdict.ALLOW

    @cached_property
    def _rules(self) -> list[Rule]:
        return [
            rule
            for policy in self._context.policies
            if policy.stages is None
            for rule in policy.rules
            if rule.action is Action.ALLOW and rule.role is Role.WRITTEN and not rule.hosts
        ]

    def _all(self, pair: Pair, direction: Direction) -> Iterator[Near]:
        guarded = self._context.pod(pair.subject(direction))
        if guarded is None:
            return
        ends = _Ends(*_candidates(pair, direction))
        for rule in self._rules:
            if rule.direction is not direction:
                continue
            fits = (
                self._matcher.match_end(rule.subject, ends.subject) is Match.YES,
                self._matcher.match_end(rule.peer, ends.peer) is Match.YES,
                allows_port(self._matcher, rule.ports, pair),
            )
            if fits == (False, True, True):
                yield from self._of_subject(rule, guarded_slips(self._selectors, rule, self._context, pair, direction))
            elif fits == (True, False, True):
                yield from self._of_peer(rule, pair, direction)
            elif fits == (True, True, False):
                yield self._of_port(rule, pair)

    def _numbers(self, name: NamedPort, pair: Pair) -> list[int]:
        return _numbers(self._matcher, name, pair)

    # The guarded end

    def _of_subject(self, rule: Rule, slips: Iterator[Slip]) -> Iterator[Near]:
        """Say what keeps a policy from selecting the guarded pod; one for other pods is for other pods."""
        for slip in slips:
            if slip.cause in (Cause.MISSPELT_LABEL, Cause.MISSING_LABEL, Cause.WRONG_LABEL):
                words = f"{rule} would allow it, but its policy {slip.words}"
                to_do = slip.to_do.replace("in the rule", "in the policy's selector")
                strong = slip.strong and (slip.cause is Cause.MISSPELT_LABEL or _is_telling(rule))
                repaired = replace(rule, subject=slip.repaired)
                yield Near(rule, slip.cause, words, to_do, strong, repaired)

    # The other end

    def _of_peer(self, rule: Rule, pair: Pair, direction: Direction) -> Iterator[Near]:
        peer = self._context.pod(pair.peer(direction))
        if peer is None:
            return
        yield from self._of_addresses(rule, pair, direction)
        if peer.host_network:
            return
        for slip in self._selectors.slips(rule, rule.peer, peer):
            repaired = replace(rule, peer=slip.repaired)
            near = Near(rule, slip.cause, f"{rule} {slip.words}", slip.to_do, slip.strong, repaired)
            is_around = slip.cause in (Cause.MISSING_NAMESPACE_LABEL, Cause.WRONG_LABEL)
            yield (self._as_two_items(rule, pair, direction) if is_around else None) or near

    def _as_two_items(self, rule: Rule, pair: Pair, direction: Direction) -> Near | None:
        """Return the near miss of an item with two selectors that holds pods of its own namespace by one of them."""
        own = rule.policy.namespace
        peer = self._context.pod(pair.peer(direction))
        members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
        for number, member in enumerate(members):
            if not (isinstance(member, Endpoints) and is_both(member, own) and peer is not None):
                continue
            if peer.namespace == own and member.pods.matches(peer.labels):
                both = Endpoints(LabelSelector.namespace(own), member.pods), Endpoints(member.namespaces)
                repaired = replace(rule, peer=AnyOf((*members[:number], *both, *members[number + 1 :])))
                words = (
                    f"{rule} asks for pods with {member.pods} that are also in namespaces with {member.namespaces}: "
                    f"{peer.full_name} is in {own}, which is none of them"
                )
                to_do = (
                    "If pods of the own namespace are meant beside those namespaces, make it two items: a dash before "
                    "podSelector, and one before namespaceSelector."
                )
                return Near(rule, Cause.AND_FOR_OR, words, to_do, strong=True, repaired=repaired)
        return None

    def _of_addresses(self, rule: Rule, pair: Pair, direction: Direction) -> Iterator[Near]:
        """Say where a rule names addresses, and policies see pods."""
        members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
        blocks = [member for member in members if isinstance(member, Network)]
        repaired = replace(rule, peer=ANYTHING)
        address = pair.peer_address(direction)
        for block in blocks:
            if address is not None and block.contains(address):
                yield Near(
                    rule,
                    Cause.IPBLOCK_FOR_PODS,
                    f"{rule} allows {block.cidr}, which holds {address}; but an ipBlock matches no pods under "
                    f"{self._context.enforcement.plugin.title}",
                    "Select the pods by podSelector and namespaceSelector instead.",
                    strong=True,
                    repaired=repaired,
                )
            service = pair.service if direction is Direction.EGRESS else None
            held = [one for one in service.addresses if block.contains(one)] if service else []
            if service is not None and held and block.cidr.length > block.cidr.family.bits // 2:
                yield Near(
                    rule,
                    Cause.SERVICE_ADDRESS,
                    f"{rule} allows {block.cidr}, the address of {service.ref}; policies see the pods behind it",
                    "Select the Service's pods by podSelector and namespaceSelector instead.",
                    strong=True,
                    repaired=repaired,
                )

    # The port

    def _of_port(self, rule: Rule, pair: Pair) -> Near:
        repaired = replace(rule, ports=EVERY_PORT)
        asked = f"{protocol_name(pair.protocol)} {pair.port}" if pair.port is not None else protocol_name(pair.protocol)
        is_specific = _is_telling(rule) and not is_for_dns(rule.ports)
        names = [name for name in rule.ports.names if name.protocol == pair.protocol]
        undeclared = [name for name in names if not self._numbers(name, pair)]
        destination = self._context.pod(pair.destination)
        if undeclared and destination is not None:
            declared = sorted({port.name for port in destination.ports if port.name})
            has = f"it declares {', '.join(declared)}" if declared else "it declares no port by name"
            meant = nearest(undeclared[0].name, declared)
            return Near(
                rule,
                Cause.NAMED_PORT,
                f"{rule} allows the port named {undeclared[0].name}, and no container of {destination.full_name} "
                f"declares that name: {has}",
                f"Write {meant} in the rule." if meant else "Declare the name in the containers, or write the number.",
                _is_telling(rule) or meant is not None,
                repaired,
            )
        numbers = sorted({number for name in names for number in self._numbers(name, pair)})
        meaning = f" ({', '.join(map(str, numbers))})" if numbers else ""
        words = f"{rule} selects the other end, but allows {port_words(rule.ports)}{meaning} and not {asked}"
        to_do = f"Add {asked} to the rule, or ask for a port that it allows."
        service = pair.service
        dialled = [port.port for port in service.ports if port.target == pair.port] if service else []
        swapped = [n for n in dialled if n != pair.port and _holds(rule.ports, pair.protocol, n)]
        if swapped:
            words += f": {swapped[0]} is the Service's port, and policies see the pod's own, {pair.port}"
            to_do = f"Write {pair.port} in the rule in place of {swapped[0]}."
        return Near(rule, Cause.WRONG_PORT, words, to_do, is_specific or bool(swapped), repaired)


@dataclass(frozen=True, slots=True)
class _Ends:
    subject: Candidate
    peer: Candidate


def _candidates(pair: Pair, direction: Direction) -> tuple[Candidate, Candidate]:
    source = Candidate(pair.source_address, None, pod=pair.source)
    destination = Candidate(pair.destination_address, pair.port, pod=pair.destination)
    return (source, destination) if direction is Direction.EGRESS else (destination, source)


def allows_port(matcher: Matcher, ports: PortSet, pair: Pair) -> bool:
    """Whether a rule's ports hold that of a pair."""
    members = ports.members is None or any(_is_port(matcher, member, pair) for member in ports.members)
    return members and not any(_is_port(matcher, member, pair) for member in ports.excluded)


def _is_port(matcher: Matcher, member: PortMember, pair: Pair) -> bool:
    if isinstance(member, PortRange):
        return member.protocol == pair.protocol and (pair.port is None or member.contains(pair.protocol, pair.port))
    if isinstance(member, NamedPort):
        return member.protocol == pair.protocol and pair.port in _numbers(matcher, member, pair)
    return False


def _numbers(matcher: Matcher, name: NamedPort, pair: Pair) -> list[int]:
    return matcher.numbers(name, Candidate(pair.destination_address, pair.port, pod=pair.destination))


def guarded_slips(
    selectors: Selectors, rule: Rule, context: Context, pair: Pair, direction: Direction
) -> Iterator[Slip]:
    """Yield what keeps a rule's policy from the pod that a direction guards."""
    pod = context.pod(pair.subject(direction))
    if pod is not None and not pod.host_network:
        yield from selectors.slips(rule, rule.subject, pod)


def is_both(peer: Endpoints, own: str) -> bool:
    """Whether an item asks for pods and for namespaces, other than by leaving the namespace to be its own."""
    return bool(
        peer.pods.requirements and peer.namespaces.requirements and peer.namespaces != LabelSelector.namespace(own)
    )


def is_for_dns(ports: PortSet) -> bool:
    """Whether a rule is about DNS: it names ports, and they are DNS's."""
    ranges = ports.ranges
    return bool(ranges) and all(r.first == r.last and r.first in DNS_PORTS for r in ranges) and not ports.names


def _is_telling(rule: Rule) -> bool:
    """Whether a rule says whom it means: certain pods, namespaces or addresses, not all there are."""
    members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
    return any(_tells(member, LabelSelector.namespace(rule.policy.namespace)) for member in members)


def _tells(peer: PeerSet, own: LabelSelector) -> bool:
    match peer:
        case Endpoints(namespaces, pods, accounts):
            is_named = bool(namespaces.requirements) and namespaces != own
            return bool(pods.requirements or accounts.requirements) or is_named
        case Network(cidr):
            return cidr.length > cidr.family.bits // 2
        case Anything():
            return False
        case _:
            return True


def _holds(ports: PortSet, protocol: int, port: int) -> bool:
    return any(member.contains(protocol, port) for member in ports.ranges)
