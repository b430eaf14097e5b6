"""Habits of a dataplane that change what a policy means: its rules as they are read (docs/semantics/profiles.md).

Settings that change how rules match are the engines' own; those here change the rules themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ..errors import Place
from .cilium import AgentReading
from .cluster import Cluster
from .labels import LabelSelector, Operator, Requirement
from .peers import ANYTHING, AllOf, AnyOf, Endpoints, Except, Network, PeerSet, any_of
from .policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Position, Rule, Tier
from .ports import EVERY_PORT, LAST_PORT, SCTP, NamedPort, PortRange, PortSet
from .profile import Profile

BARE_KEY = "@bare"
"""Stands among the labels of pods without owner; no label can be called that."""

_Change = Callable[[Rule], Iterable[Rule]]
_SCTP_ONLY = PortSet((PortRange(SCTP),))


class Habits:
    """Reads policies the way a profile's dataplane does; a policy that it reads as written stays the very object.

    Parameters
    ----------
    profile : Profile
        Of its settings, those that change what is written.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._agent = AgentReading(profile.cilium, profile.sctp) if profile.cilium else None
        self._changes: list[_Change] = []
        if not profile.endport:
            self._changes.append(_without_ranges)
        if not profile.named_ports_from_blocks:
            self._changes.append(_without_names_from_blocks)
        if profile.sctp == "unknown" and not profile.cilium:
            self._changes.append(_with_doubt_about_sctp)
        if profile.bare_pods == "ignored":
            self._changes.append(_without_bare_pods)
        self._read: dict[int, tuple[Policy, Policy]] = {}

    def cluster(self, cluster: Cluster) -> Cluster:
        """Mark the pods without owner, where they are no subjects; to be asked before `policies`."""
        if self._agent:
            self._agent.learn(cluster)
        if self._profile.bare_pods == "enforced":
            return cluster
        pods = tuple(pod if pod.owners else replace(pod, labels={**pod.labels, BARE_KEY: ""}) for pod in cluster.pods)
        return replace(cluster, pods=pods)

    def policies(self, policies: Sequence[Policy]) -> Sequence[Policy]:
        """Return the policies as the dataplane reads them."""
        if self._agent:
            policies = self._agent.policies(policies)
        found = [self._policy(policy) for policy in policies] if self._changes else policies
        if self._profile.unselected_pods == "open":
            return found
        return [*found, _closing(found)]

    def _policy(self, policy: Policy) -> Policy:
        known = self._read.get(id(policy))
        if known is None:
            rules = policy.rules
            for change in self._changes:
                rules = tuple(changed for rule in rules for changed in change(rule))
            known = self._read[id(policy)] = (policy, replace(policy, rules=rules))
        return known[1]


def _without_ranges(rule: Rule) -> Iterator[Rule]:
    """Read a range as its first port: endPort, a field of NetworkPolicy, is not known (CNI-3)."""
    if rule.ports.members is None or rule.tier.name != NETWORKPOLICY.name:
        yield rule
        return
    members = tuple(
        replace(member, last=member.first) if isinstance(member, PortRange) and _is_part(member) else member
        for member in rule.ports.members
    )
    yield replace(rule, ports=replace(rule.ports, members=members))


def _is_part(member: PortRange) -> bool:
    return (member.first, member.last) != (0, LAST_PORT)


def _without_names_from_blocks(rule: Rule) -> Iterator[Rule]:
    """Let an ingress rule from a block say nothing of ports by name (CNI-5)."""
    blocks = tuple(peer for peer in _members(rule.peer) if isinstance(peer, Network))
    if rule.direction is Direction.EGRESS or not blocks or not rule.ports.names:
        yield rule
        return
    others = [peer for peer in _members(rule.peer) if not isinstance(peer, Network)]
    numbers = tuple(member for member in rule.ports.members or () if not isinstance(member, NamedPort))
    if others:
        yield replace(rule, peer=any_of(others))
    if numbers:
        yield replace(rule, peer=any_of(blocks), ports=PortSet(numbers))


def _members(peer: PeerSet) -> tuple[PeerSet, ...]:
    return peer.members if isinstance(peer, AnyOf) else (peer,)


def _with_doubt_about_sctp(rule: Rule) -> Iterator[Rule]:
    """Doubt whatever a rule says of SCTP (CNI-4)."""
    members = rule.ports.members
    if members is None:
        yield replace(rule, ports=replace(rule.ports, excluded=(*rule.ports.excluded, PortRange(SCTP))))
        yield replace(rule, ports=_SCTP_ONLY, doubt="what this plugin makes of SCTP is not known")
        return
    others = tuple(member for member in members if member.protocol != SCTP)
    if others:
        yield replace(rule, ports=replace(rule.ports, members=others))
    if len(others) < len(members):
        own = tuple(member for member in members if member.protocol == SCTP)
        doubt = rule.doubt or "what this plugin makes of SCTP is not known"
        yield replace(rule, ports=replace(rule.ports, members=own), doubt=doubt)


def _without_bare_pods(rule: Rule) -> Iterator[Rule]:
    """Bind no pod without owner (CNI-6)."""
    yield rule if rule.hosts else replace(rule, subject=_owned(rule.subject))


def _owned(subject: PeerSet) -> PeerSet:
    requirement = Requirement(BARE_KEY, Operator.DOES_NOT_EXIST)
    if isinstance(subject, Endpoints):
        return replace(subject, pods=LabelSelector.of(*subject.pods.requirements, requirement))
    return AllOf((subject, Endpoints(pods=LabelSelector.of(requirement))))


def _closing(policies: Sequence[Policy]) -> Policy:
    """Close pods that no policy selects in any direction (CNI-7)."""
    subjects = [rule.subject for policy in policies for rule in policy.rules if not rule.hosts]
    ref = PolicyRef("NetworkPlugin", "", "closes-unselected-pods")
    place = Place("network plugin")
    subject = AllOf((Endpoints(), Except(any_of(subjects)))) if subjects else Endpoints()
    rules = [
        Rule(
            policy=ref,
            index=0,
            direction=direction,
            subject=subject,
            peer=ANYTHING,
            ports=EVERY_PORT,
            action=Action.DENY,
            tier=Tier("strict", Position((float("inf"),))),
            order=(0, float("inf"), "", 0),
            place=place,
        )
        for direction in Direction
    ]
    return Policy(ref, tuple(rules), place)
