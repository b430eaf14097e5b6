"""Traps of policies that stand above namespaces: admin policies, Antrea's, and others' global ones."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.flows import End, Flow, Verdict
from ...model.peers import DomainNames, Endpoints, Network, atoms_of
from ...model.policy import Action, Direction, Rule
from ...model.ports import TCP, UDP
from ..allowing import peers_of, written_rules
from ..context import LintContext
from ..findings import Finding, LintRule, Severity
from ..words import listed

_ADMIN = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy")
_ASKED = 12
"""So many pods are asked about, each of another namespace."""


def _some_pods(context: LintContext, *besides: str) -> list[int]:
    """Return a pod of each of some namespaces."""
    first: dict[str, int] = {}
    for number in sorted(context.population.everyone - context.population.hosted):
        namespace = context.cluster.pods[number].namespace
        if namespace not in besides:
            first.setdefault(namespace, number)
    return list(first.values())[:_ASKED]


def _end(context: LintContext, pod: int) -> End:
    return End(pod=context.cluster.pods[pod].full_name)


def _dns_closed(context: LintContext) -> Iterator[Finding]:
    resolver = context.resolver
    if resolver is None or not resolver.pods or UDP not in resolver.ports:
        return
    dns = resolver.pods[0]
    asking = _some_pods(context, context.cluster.pods[dns].namespace)
    deniers: dict[Rule, None] = {}
    for pod in asking:
        outcome = context.judge(_end(context, pod), _end(context, dns), UDP, resolver.ports[UDP]).ingress
        if outcome.verdict is not Verdict.DENY or outcome.rule is None or outcome.rule.policy.namespace:
            return
        deniers[outcome.rule] = None
    for rule in deniers:
        yield Finding(
            "FV050",
            rule.place,
            f"This policy binds every namespace, that of the cluster's DNS too, and {rule} denies what pods ask of "
            f"{context.cluster.pods[dns].workload}; leave that namespace out, or allow DNS before.",
            policy=rule.policy,
        )


def _denies_pods(context: LintContext) -> Iterator[Finding]:
    for policy, rule in written_rules(context):
        blocks = [peer for peer in peers_of(rule) if isinstance(peer, Network) and not peer.cidr.length]
        if not blocks or rule.action is not Action.DENY or policy.ref.kind not in _ADMIN:
            continue
        if rule.direction is Direction.EGRESS and not any(isinstance(peer, Endpoints) for peer in peers_of(rule)):
            pair = _denied_pair(context, rule)
            if pair:
                source, destination = (str(context.cluster.pods[pod].workload) for pod in pair)
                yield Finding(
                    "FV051",
                    rule.place,
                    f"{blocks[0].cidr} holds pods too (AP-13), so this rule denies traffic between them, such as from "
                    f"{source} to {destination}; put a rule before it that passes traffic to pods on.",
                    policy=policy.ref,
                )


def _denied_pair(context: LintContext, rule: Rule) -> tuple[int, int] | None:
    """Return two pods between which a rule denies."""
    port = next((each.first for each in rule.ports.ranges if each.protocol == TCP), 80)
    for source in sorted(context.population.who(rule.subject) or ())[:_ASKED]:
        for destination in _some_pods(context):
            if source != destination:
                flow = Flow(_end(context, source), _end(context, destination), TCP, max(port, 1))
                decided = context.reference.judge(flow).egress.rule
                if decided is not None and str(decided) == str(rule):
                    return source, destination
    return None


def _denies_names(context: LintContext) -> Iterator[Finding]:
    for policy, rule in written_rules(context):
        names = [name for atom in atoms_of(rule.peer) if isinstance(atom, DomainNames) for name in atom.written]
        if rule.action is Action.DENY and names:
            yield Finding(
                "FV052",
                rule.place,
                f"This rule denies {listed(names)} by the addresses that pods were seen to be answered with: whoever "
                "knows an address otherwise gets through; deny what is not allowed instead.",
                policy=policy.ref,
            )


RULES = (
    LintRule(
        "FV050", "dns-pods-closed", Severity.ERROR, "A policy above namespaces closes the cluster's DNS.", _dns_closed
    ),
    LintRule(
        "FV051",
        "block-denies-pods",
        Severity.WARNING,
        "A denial of every address denies traffic between pods too.",
        _denies_pods,
    ),
    LintRule("FV052", "names-denied", Severity.WARNING, "A denial by domain names can be got around.", _denies_names),
)
