"""What Cilium's agent makes of policies: its habits, as rules (docs/semantics/cilium.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ..errors import Place
from .agent import CiliumAgent
from .cluster import Cluster
from .labels import LabelSelector, Operator, Requirement
from .peers import ANYTHING, NOBODY, AllOf, AnyOf, Endpoints, Except, Nodes, PeerSet, Reserved, any_of
from .policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Position, Role, Rule, Tier
from .ports import ESP, EVERY_PORT, GRE, ICMP, ICMPV6, PORT_PROTOCOLS, SCTP, NamedPort, PortMember, PortRange, PortSet

AGENT = "CiliumAgent"
"""The kind of the policies that stand for what the agent does by itself."""
NORMAL, DEFAULT = Tier("cilium"), Tier("cilium-default")
TIERS_SINCE = (1, 20)
"""The version from which on there are tiers, and with them ClusterNetworkPolicy."""
_OPEN = (Endpoints(), Reserved("health"), Reserved("ingress"))
EVERY_ENDPOINT = AnyOf((*_OPEN, Reserved("init")))
"""Whatever has an agent that checks what goes in and out of it."""
AUDITED = "audit mode: would be denied"

_BEFORE_ALL = Tier("cilium-agent", Position((-1,)))
_AFTER_PASS = Tier("cilium-default-after-pass", Position((2,)))
_PLACE = Place("Cilium's agent")
_ADMIN_TIERS = ("cnp-admin", "cnp-baseline")
_RANKS = {Action.DENY: 0, Action.ALLOW: 1, Action.PASS: 2}
_EXTENDED_PROTOCOLS, _TUNNELS = (2, 112), (4, 41, GRE, ESP, 51)
"""IGMP and VRRP; IPIP, IPv6, GRE, ESP and AH."""
_AFTER_PLAIN, _AFTER_PROXIES = 0.25, 0.75
"""Where rules of the agent stand among policies': behind what they let through at once, and by a proxy."""
_KEPT = re.compile(r"io\.kubernetes\.pod\.namespace|io\.cilium\.k8s\.|app\.kubernetes\.io")
_DROPPED = re.compile(
    r"io\.kubernetes|kubernetes\.io|.*beta\.kubernetes\.io|k8s\.io|statefulset\.kubernetes\.io/pod-name"
    r"|apps\.kubernetes\.io/pod-index|batch\.kubernetes\.io/(job-completion-index|controller-uid)"
    r"|pod-template-(generation|hash)|controller-revision-hash|annotation|controller-uid|etcd_node"
    r"|topology\.kubernetes\.io"
)


def is_identity_label(key: str) -> bool:
    """Whether a pod's label of this key is part of its identity; selectors see no others (CI-1)."""
    return bool(_KEPT.match(key)) or not _DROPPED.match(key)


class AgentReading:
    """Reads all policies of a cluster as the agent does.

    A policy is read once: what was read of it before is the very same object.

    Parameters
    ----------
    agent : CiliumAgent
    sctp : {"enforced", "unknown"}
        Whether SCTP, which is opt-in, is known to be on (CNI-4).
    """

    def __init__(self, agent: CiliumAgent, sctp: str = "enforced") -> None:
        self._agent = agent
        self._has_tiers = agent.version >= TIERS_SINCE
        self._ports: dict[tuple[str, int], set[int]] = {}
        self._unsteady: set[tuple[str, int]] = set()
        self._read: dict[tuple[int, frozenset[Action]], tuple[Policy, Policy]] = {}
        self._own = [_unsupported(agent, is_sctp_known=sctp == "enforced")]
        if agent.policy_enforcement_mode != "never":
            self._own.append(_closing(agent))
            if agent.host_firewall:
                self._own.append(_loopback())
        self._entering: dict[PeerSet, Policy] = {}

    def learn(self, cluster: Cluster) -> None:
        """Look up the names of ports, which mean one number in the whole cluster up to 1.19."""
        always: set[tuple[str, int]] = set()
        for number, pod in enumerate(() if self._has_tiers else cluster.pods):
            for port in () if pod.finished or pod.host_network else pod.ports:
                if port.name:
                    self._ports.setdefault((port.name, port.protocol), set()).add(port.number)
                    if number not in cluster.lives:
                        always.add((port.name, port.protocol))
        if cluster.lives:
            self._unsteady = {name for name, found in self._ports.items() if name not in always or len(found) > 1}

    def policies(self, policies: Sequence[Policy]) -> list[Policy]:
        """Return the policies as they are enforced, and the agent's own."""
        if self._agent.policy_enforcement_mode == "never":
            return self._own
        if len(self._read) > 4 * len(policies) + 1000:
            self._read = {}
        found = [*policies, *self._own, *self._localhost(policies)]
        baseline = frozenset(rule.action for rule in _rules(policies) if rule.tier.name == "cnp-baseline")
        return [self._policy(policy, baseline) for policy in found]

    def _policy(self, policy: Policy, baseline: frozenset[Action]) -> Policy:
        """Read a policy beside rules of the baseline tier that do these things."""
        known = self._read.get((id(policy), baseline))
        if known is None:
            rules = tuple(found for rule in policy.rules for found in self._rule(rule))
            if Action.PASS in baseline:
                rules += tuple(replace(rule, tier=_AFTER_PASS) for rule in rules if rule.tier.name == DEFAULT.name)
            if Action.ALLOW in baseline:
                rules += tuple(_refusal(rule) for rule in rules if rule.requests is not None)
            known = self._read[id(policy), baseline] = (policy, replace(policy, rules=rules))
        return known[1]

    def _rule(self, rule: Rule) -> Iterator[Rule]:
        """Read a rule as what it comes to; one that is not enforced is none."""
        if rule.hosts and not self._agent.host_firewall:
            return
        if rule.tier.name in _ADMIN_TIERS:
            if not self._has_tiers:
                return
            rule = _without_tie(rule)
        if rule.tier.name == NETWORKPOLICY.name:
            rule = _as_identities(rule)
            if rule.role is Role.ISOLATION:
                rule = replace(rule, tier=DEFAULT)
        if not self._has_tiers and rule.direction is Direction.EGRESS and rule.ports.names:
            if self._unsteady.intersection((name.name, name.protocol) for name in rule.ports.names):
                rule = replace(rule, doubt=rule.doubt or "what its port's name means depends on the time")
            rule = replace(rule, ports=self._numbered(rule.ports))
        yield from _audited(rule) if self._agent.policy_audit_mode else (rule,)

    def _numbered(self, ports: PortSet) -> PortSet:
        """Put in place of each name of a port the one number that it has in the cluster."""
        excluded = (name for name in ports.excluded if not self._is_unsteady(name))
        return PortSet(tuple(self._numbers(ports.members or ())), tuple(self._numbers(excluded)))

    def _numbers(self, members: Iterable[PortMember]) -> Iterator[PortMember]:
        for member in members:
            if not isinstance(member, NamedPort):
                yield member
            else:
                numbers = self._ports.get((member.name, member.protocol), set())
                if len(numbers) == 1 or self._is_unsteady(member):
                    yield from (PortRange(member.protocol, number, number) for number in sorted(numbers))

    def _is_unsteady(self, member: PortMember) -> bool:
        """Whether a port is named by what means one number only at times."""
        return isinstance(member, NamedPort) and (member.name, member.protocol) in self._unsteady

    # The local host

    def _localhost(self, policies: Sequence[Policy]) -> Iterator[Policy]:
        """Let a pod's own node enter: after all policies; up to 1.19 as a policy would, so that denials come first."""
        if self._agent.allow_localhost == "policy":
            return
        subject = self._entered(policies) if self._has_tiers else EVERY_ENDPOINT
        if subject not in self._entering:
            self._entering = {subject: _entering(subject, late=self._has_tiers)}
        yield self._entering[subject]

    def _entered(self, policies: Sequence[Policy]) -> PeerSet:
        """Return the endpoints that any rule for ingress selects; of those that are open otherwise, all."""
        subjects = [
            rule.subject
            for rule in _rules(policies)
            if rule.direction is Direction.INGRESS and not rule.hosts and rule.policy.kind != AGENT
        ]
        if self._agent.policy_enforcement_mode == "always":
            return any_of(subjects) if subjects else NOBODY
        others = [subject for subject in subjects if not isinstance(subject, Endpoints)]
        return AnyOf((*_OPEN, AllOf((Reserved("init"), any_of(others))))) if others else AnyOf(_OPEN)


def _rules(policies: Iterable[Policy]) -> Iterator[Rule]:
    return (rule for policy in policies for rule in policy.rules)


def _rule(name: str, direction: Direction, subject: PeerSet, action: Action, tier: Tier) -> Rule:
    """Make a rule of the agent's own, for every peer and port."""
    ref = PolicyRef(AGENT, "", name)
    return Rule(ref, -1, direction, subject, ANYTHING, EVERY_PORT, action, tier, (0, 0), _PLACE, Role.HABIT)


def _entering(subject: PeerSet, *, late: bool) -> Policy:
    """Let the node of some endpoints enter them: behind all policies, or behind what they let in without a proxy."""
    rule = _rule("allow-localhost", Direction.INGRESS, subject, Action.ALLOW, DEFAULT if late else NORMAL)
    rule = replace(rule, peer=Nodes(where="here"), order=(0 if late else _AFTER_PLAIN, 0))
    return Policy(rule.policy, (rule,), _PLACE)


def _closing(agent: CiliumAgent) -> Policy:
    """Close endpoints without identity; and all others, where enforcement is always on."""
    always = agent.policy_enforcement_mode == "always"
    ref = PolicyRef(AGENT, "", "policy-enforcement-mode" if always else "endpoints-in-creation")
    subjects: list[tuple[PeerSet, bool]] = [(EVERY_ENDPOINT, False), (Nodes(), True)]
    rules = [
        Rule.closing(ref, direction, subject, DEFAULT, (2, 0), _PLACE, Role.ISOLATION, hosts=hosts)
        for subject, hosts in (subjects if always else [(Reserved("init"), False)])
        for direction in Direction
    ]
    return Policy(ref, tuple(rules), _PLACE)


def _loopback() -> Policy:
    """Let nodes reach themselves, which the host firewall never sees."""
    rules = [_rule("loopback", direction, Nodes(), Action.ALLOW, _BEFORE_ALL) for direction in Direction]
    rules = [replace(rule, peer=Nodes(where="here"), hosts=True) for rule in rules]
    return Policy(rules[0].policy, tuple(rules), _PLACE)


def _unsupported(agent: CiliumAgent, *, is_sctp_known: bool) -> Policy:
    """Deny protocols that the agent's connection tracking does not know, whatever policies say."""
    known = [*PORT_PROTOCOLS, ICMP, ICMPV6]
    if agent.enable_extended_ip_protocols:
        known += [*_EXTENDED_PROTOCOLS, *(_TUNNELS if agent.version >= TIERS_SINCE else ())]
    rules = []
    for direction in Direction:
        rule = _rule("unsupported-protocols", direction, EVERY_ENDPOINT, Action.DENY, _BEFORE_ALL)
        rules.append(replace(rule, ports=PortSet(None, tuple(PortRange(protocol) for protocol in known))))
        if not is_sctp_known:
            doubt = "SCTP is opt-in, and whether it is on is not known"
            rules.append(replace(rule, ports=PortSet((PortRange(SCTP),)), doubt=doubt))
    return Policy(rules[0].policy, tuple(rules), _PLACE)


def _refusal(rule: Rule) -> Rule:
    """Doubt what becomes of a request that a proxy refuses, and that the baseline tier may allow."""
    return replace(
        rule,
        action=Action.DENY,
        role=Role.TIER_END,
        requests=None,
        proxy="",
        condition="",
        doubt="whether the proxy lets a request through that only the baseline tier allows is not known",
        order=(0.75, *rule.order[1:]),
    )


def _without_tie(rule: Rule) -> Rule:
    """Order rules of ClusterNetworkPolicies of one priority: by their numbers, then denials first and passes last."""
    priority = float(rule.order[1]) + rule.index / 100
    return replace(rule, tie=None, order=(rule.order[0], priority, _RANKS[rule.action], *rule.order[2:]))


def _audited(rule: Rule) -> Iterator[Rule]:
    """Let through what is denied, and say so; not what the agent cannot handle, nor requests that a proxy denies."""
    if rule.action is Action.DENY and rule.tier.name != _BEFORE_ALL.name:
        yield replace(rule, action=Action.ALLOW, condition=AUDITED)
        return
    yield rule
    if rule.requests is not None:
        order = (_AFTER_PROXIES, *rule.order[1:])
        closing = Rule.closing(
            rule.policy, rule.direction, rule.subject, rule.tier, order, rule.place, Role.ISOLATION, hosts=rule.hosts
        )
        yield replace(closing, peer=rule.peer, ports=rule.ports, source_ports=rule.source_ports)


def _as_identities(rule: Rule) -> Rule:
    """Read the selectors of a NetworkPolicy as identities have labels."""
    subject, peer = _seen(rule.subject), _seen(rule.peer)
    if subject is rule.subject and peer is rule.peer:
        return rule
    return replace(rule, subject=subject, peer=peer)


def _seen(peers: PeerSet) -> PeerSet:
    match peers:
        case Endpoints():
            return _seen_pods(peers)
        case AnyOf(members) | AllOf(members):
            seen = tuple(map(_seen, members))
            same = all(ours is theirs for ours, theirs in zip(seen, members, strict=True))
            return peers if same else replace(peers, members=seen)
        case Except(peer):
            return peers if _seen(peer) is peer else Except(_seen(peer))
    return peers


def _seen_pods(peers: Endpoints) -> PeerSet:
    dropped = [requirement for requirement in peers.pods.requirements if not is_identity_label(requirement.key)]
    if not dropped:
        return peers
    if any(requirement.operator not in (Operator.NOT_IN, Operator.DOES_NOT_EXIST) for requirement in dropped):
        return NOBODY
    kept: list[Requirement] = [each for each in peers.pods.requirements if each not in dropped]
    return replace(peers, pods=LabelSelector.of(*kept))
