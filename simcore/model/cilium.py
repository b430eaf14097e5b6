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
from .ports import EVERY_PORT, ICMP, ICMPV6, PORT_PROTOCOLS, NamedPort, PortMember, PortRange, PortSet

AGENT = "CiliumAgent"
"""The kind of the policies that stand for what the agent does by itself."""
NORMAL, DEFAULT = Tier("cilium"), Tier("cilium-default")
_OPEN_BY_DEFAULT = (Endpoints(), Reserved("health"), Reserved("ingress"))
EVERY_ENDPOINT = AnyOf((*_OPEN_BY_DEFAULT, Reserved("init")))
"""Whatever has an agent that checks what goes in and out of it."""
AUDITED = "audit mode: would be denied"

_BEFORE_ALL = Tier("cilium-agent", Position((-1,)))
_AFTER_PASS = Tier("cilium-default-after-pass", Position((2,)))
_PLACE = Place("Cilium's agent")
_ADMIN_TIERS = ("cnp-admin", "cnp-baseline")
_RANKS = {Action.DENY: 0, Action.ALLOW: 1, Action.PASS: 2}
_EXTENDED_PROTOCOLS = (2, 4, 41, 47, 50, 51, 112)
"""IGMP, IPIP, IPv6, GRE, ESP, AH, VRRP."""
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
    """Reads all policies of a cluster as the agent does."""

    def __init__(self, agent: CiliumAgent) -> None:
        self._agent = agent
        self._ports: dict[tuple[str, int], set[int]] = {}
        self._read: dict[int, tuple[Policy, Policy]] = {}
        self._own = _unsupported(agent)

    def learn(self, cluster: Cluster) -> None:
        """Look up the names of ports, which mean one number in the whole cluster up to 1.19."""
        for pod in cluster.pods if self._agent.version < (1, 20) else ():
            for port in pod.ports:
                if port.name:
                    self._ports.setdefault((port.name, port.protocol), set()).add(port.number)

    def policies(self, policies: Iterable[Policy]) -> list[Policy]:
        """Return the policies as they are enforced, and the agent's own."""
        if self._agent.policy_enforcement_mode == "never":
            return [self._own]
        found = [self._policy(policy) for policy in policies]
        found += [self._own, *self._closing(), *self._localhost(found), *self._loopback()]
        if any(rule.action is Action.PASS and rule.tier.name == "cnp-baseline" for rule in _rules(found)):
            found += [_after_pass(policy) for policy in found]
        return [_audited(policy) for policy in found] if self._agent.policy_audit_mode else found

    def _policy(self, policy: Policy) -> Policy:
        known = self._read.get(id(policy))
        if known is None:
            rules = tuple(self._rule(rule) for rule in policy.rules)
            is_same = all(ours is theirs for ours, theirs in zip(rules, policy.rules, strict=True))
            known = self._read[id(policy)] = (policy, policy if is_same else replace(policy, rules=rules))
        return known[1]

    def _rule(self, rule: Rule) -> Rule:
        if rule.tier.name == NETWORKPOLICY.name:
            rule = _as_identities(rule)
            if rule.role is Role.ISOLATION:
                return replace(rule, tier=DEFAULT)
        elif rule.tier.name in _ADMIN_TIERS:
            priority = float(rule.order[1]) + rule.index / 100
            rule = replace(rule, tie=None, order=(rule.order[0], priority, _RANKS[rule.action], *rule.order[2:]))
        if self._agent.version < (1, 20) and rule.direction is Direction.EGRESS and rule.ports.names:
            return replace(rule, ports=self._numbered(rule.ports))
        return rule

    def _numbered(self, ports: PortSet) -> PortSet:
        """Put in place of each name of a port the one number that it has in the cluster."""
        return PortSet(tuple(self._numbers(ports.members or ())), tuple(self._numbers(ports.excluded)))

    def _numbers(self, members: Iterable[PortMember]) -> Iterator[PortMember]:
        for member in members:
            if not isinstance(member, NamedPort):
                yield member
            elif len(numbers := self._ports.get((member.name, member.protocol), set())) == 1:
                yield PortRange(member.protocol, min(numbers), min(numbers))

    def _closing(self) -> Iterator[Policy]:
        """Close endpoints without identity; and all others, where enforcement is always on."""
        always = self._agent.policy_enforcement_mode == "always"
        name = "policy-enforcement-mode" if always else "endpoints-in-creation"
        ref = PolicyRef(AGENT, "", name)
        subject: PeerSet = EVERY_ENDPOINT if always else Reserved("init")
        order = (1, 0, "", 0)
        rules = [
            Rule.closing(ref, direction, subject, DEFAULT, order, _PLACE, Role.ISOLATION) for direction in Direction
        ]
        if always and self._agent.host_firewall:
            rules += [replace(rule, subject=Nodes(), hosts=True) for rule in rules]
        yield Policy(ref, tuple(rules), _PLACE)

    def _localhost(self, policies: Sequence[Policy]) -> Iterator[Policy]:
        """Let a pod's own node enter: after all policies; up to 1.19 as a policy would, so that denials come first."""
        if self._agent.allow_localhost == "policy":
            return
        ref = PolicyRef(AGENT, "", "allow-localhost")
        late = self._agent.version >= (1, 20)
        rule = Rule(
            policy=ref,
            index=-1,
            direction=Direction.INGRESS,
            subject=self._entered(policies) if late else EVERY_ENDPOINT,
            peer=Nodes(where="here"),
            ports=EVERY_PORT,
            action=Action.ALLOW,
            tier=DEFAULT if late else NORMAL,
            order=(0, 0, "", 0),
            place=_PLACE,
            role=Role.HABIT,
        )
        yield Policy(ref, (rule,), _PLACE)

    def _loopback(self) -> Iterator[Policy]:
        """Let nodes reach themselves, which the host firewall never sees."""
        if not self._agent.host_firewall:
            return
        ref = PolicyRef(AGENT, "", "loopback")
        rules = [
            Rule(
                policy=ref,
                index=-1,
                direction=direction,
                subject=Nodes(),
                peer=Nodes(where="here"),
                ports=EVERY_PORT,
                action=Action.ALLOW,
                tier=_BEFORE_ALL,
                order=(0, 0, "", 0),
                place=_PLACE,
                role=Role.HABIT,
                hosts=True,
            )
            for direction in Direction
        ]
        yield Policy(ref, tuple(rules), _PLACE)

    def _entered(self, policies: Sequence[Policy]) -> PeerSet:
        """Return the endpoints that any rule for ingress selects, and such others as are not closed."""
        rules = [rule for rule in _rules(policies) if rule.direction is Direction.INGRESS and not rule.hosts]
        subjects = [rule.subject for rule in rules if rule.policy.kind != AGENT]
        if self._agent.policy_enforcement_mode == "always":
            return any_of(subjects)
        beyond_pods = [subject for subject in subjects if not isinstance(subject, Endpoints)]
        return any_of((*_OPEN_BY_DEFAULT, AllOf((Reserved("init"), any_of(beyond_pods)))))


def _rules(policies: Iterable[Policy]) -> Iterator[Rule]:
    return (rule for policy in policies for rule in policy.rules)


def _unsupported(agent: CiliumAgent) -> Policy:
    """Deny protocols that the agent's connection tracking does not know, whatever policies say."""
    known = [*PORT_PROTOCOLS, ICMP, ICMPV6, *(_EXTENDED_PROTOCOLS if agent.enable_extended_ip_protocols else ())]
    ref = PolicyRef(AGENT, "", "unsupported-protocols")
    ports = PortSet(None, tuple(PortRange(protocol) for protocol in known))
    rules = [
        Rule(
            policy=ref,
            index=0,
            direction=direction,
            subject=EVERY_ENDPOINT,
            peer=ANYTHING,
            ports=ports,
            action=Action.DENY,
            tier=_BEFORE_ALL,
            order=(0, 0, "", 0),
            place=_PLACE,
        )
        for direction in Direction
    ]
    return Policy(ref, tuple(rules), _PLACE)


def _after_pass(policy: Policy) -> Policy:
    """Repeat what comes last, for what a rule of the baseline tier passes on."""
    rules = tuple(replace(rule, tier=_AFTER_PASS) for rule in policy.rules if rule.tier.name == DEFAULT.name)
    return Policy(policy.ref, rules, policy.place)


def _audited(policy: Policy) -> Policy:
    """Let through what is denied, and say so; what the agent cannot handle at all is stopped as ever."""
    if policy.ref.name == "unsupported-protocols" and policy.ref.kind == AGENT:
        return policy
    rules = tuple(
        replace(rule, action=Action.ALLOW, condition=AUDITED) if rule.action is Action.DENY else rule
        for rule in policy.rules
    )
    return replace(policy, rules=rules)


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
