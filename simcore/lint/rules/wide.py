"""Rules wider than they need to be."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.cluster import Service
from ...model.labels import NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from ...model.peers import Anything, Endpoints, Network, Outside, PeerSet
from ...model.policy import Action, Direction, Policy, Role, Rule
from ...model.trace import port_words
from ..allowing import allowing_rules, is_harmless, peers_of
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..words import counted, listed
from ..written import changed, network_policy_of, peer_paths, peer_place, selector_value

EVERY_POD = Endpoints()
FEW = 3
"""Up to how many namespaces one may as well name."""
_WITHOUT_ORDER = ("NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
"""Kinds of policies that unite; in others a last rule that allows the rest takes back the end of the tier."""
_RESERVED = ("kubernetes.io", "k8s.io", "openshift.io")
"""Ends of the prefixes of labels that platforms keep for themselves, the name of a namespace among them."""


def _guarded(context: LintContext, rule: Rule) -> str:
    """Name the pods that a rule guards; nothing where there are none."""
    return listed(context.population.workloads(context.population.who(rule.subject) or ()))


def _every_namespace(context: LintContext) -> Iterator[Finding]:
    for policy, rule in allowing_rules(context):
        guarded = _guarded(context, rule)
        if EVERY_POD not in peers_of(rule) or is_harmless(rule) or not guarded:
            continue
        if rule.direction is Direction.INGRESS:
            said = f"every pod of every namespace, those to come too, may reach {guarded}"
        else:
            said = f"{guarded} may reach every pod of every namespace, those to come too"
        yield Finding(
            "FV014",
            peer_place(context, policy, rule, EVERY_POD),
            f"This peer is every pod there is: {said} ({port_words(rule.ports)}).",
            policy=policy.ref,
        )


def _every_address(context: LintContext) -> Iterator[Finding]:
    for policy, rule in allowing_rules(context):
        everywhere = next((peer for peer in peers_of(rule) if _is_everywhere(peer)), None)
        guarded = _guarded(context, rule)
        if everywhere is None or is_harmless(rule) or not guarded or _is_public(context, rule):
            continue
        if any(other.action is not Action.ALLOW and other.role is Role.WRITTEN for other in policy.rules):
            continue
        if rule.ports.is_everything and policy.ref.kind not in _WITHOUT_ORDER:
            continue
        whole = isinstance(everywhere, Anything)
        what = "No peer is left out" if whole else "This block is every address there is"
        may = "may be reached from" if rule.direction is Direction.INGRESS else "may reach"
        scope = "any address, in and outside the cluster" if whole else "any address"
        yield Finding(
            "FV016",
            rule.place if whole else peer_place(context, policy, rule, everywhere),
            f"{what}: {guarded} {may} {scope} ({port_words(rule.ports)}).",
            policy=policy.ref,
        )


def _is_everywhere(peer: PeerSet) -> bool:
    """Whether a peer leaves nothing out that is outside the cluster."""
    return isinstance(peer, Anything | Outside) or (
        isinstance(peer, Network) and not peer.cidr.length and not peer.excluded
    )


def _is_public(context: LintContext, rule: Rule) -> bool:
    """Whether a rule lets in to pods that stand behind Services with a door to the outside, and to no others."""
    if rule.direction is Direction.EGRESS:
        return False
    people = context.population
    pods = people.who(rule.subject) or frozenset()
    open_ = [service for service in context.cluster.services if _has_door(service)]
    return all(any(_leads_to(service, context, number) for service in open_) for number in pods)


def _has_door(service: Service) -> bool:
    return bool(service.outer_addresses) or any(port.node_port for port in service.ports)


def _leads_to(service: Service, context: LintContext, number: int) -> bool:
    pod = context.cluster.pods[number]
    return pod.namespace == service.namespace and service.selector is not None and service.selector.matches(pod.labels)


def _by_other_labels(context: LintContext) -> Iterator[Finding]:
    people = context.population
    for policy, rule in allowing_rules(context):
        for peer in peers_of(rule):
            if not isinstance(peer, Endpoints) or not _goes_by_labels(peer.namespaces) or _is_derived(policy, rule):
                continue
            names = people.namespaces_of(peer.namespaces)
            if not 1 <= len(names) <= FEW or policy.ref.namespace in names:
                continue
            noun = "namespace" if len(names) == 1 else "namespaces"
            yield Finding(
                "FV020",
                peer_place(context, policy, rule, peer),
                f"{peer.namespaces} chooses {noun} {listed(names)} by a label that whoever may edit a namespace can "
                f"give to another; {NAMESPACE_NAME_LABEL} cannot be forged.",
                _named(context, policy, rule, peer, names),
                (f"It is about {counted(len(people.labelled(peer)), 'pod')} now.",),
                policy.ref,
            )


def _is_derived(policy: Policy, rule: Rule) -> bool:
    """Whether one rule that was written stands for several, by labels that both ends are to share."""
    return sum(other.place == rule.place and other.direction is rule.direction for other in policy.rules) > 1


def _goes_by_labels(selector: LabelSelector) -> bool:
    """Whether namespaces are chosen by labels that are not the API server's, and are wanted rather than unwanted."""
    asked = [each for each in selector.requirements if each.operator in (Operator.IN, Operator.EXISTS)]
    return bool(asked) and not any(_is_reserved(each.key) for each in selector.requirements)


def _is_reserved(key: str) -> bool:
    """Whether a label is the platform's to set."""
    return key.partition("/")[0].endswith(_RESERVED) and "/" in key


def _named(context: LintContext, policy: Policy, rule: Rule, peer: Endpoints, names: list[str]) -> Fix | None:
    document = network_policy_of(context, policy)
    paths = peer_paths(document, rule, peer) if document else []
    if document is None or not paths:
        return None
    selector = LabelSelector((Requirement(NAMESPACE_NAME_LABEL, Operator.IN, frozenset(names)),))
    return changed(document, (*paths[0], "namespaceSelector"), selector_value(selector))


RULES = (
    LintRule(
        "FV014",
        "every-namespace",
        Severity.WARNING,
        "A rule lets in or out every pod of every namespace.",
        _every_namespace,
    ),
    LintRule(
        "FV016",
        "every-address",
        Severity.WARNING,
        "A rule lets in or out every address there is.",
        _every_address,
    ),
    LintRule(
        "FV020",
        "namespace-by-label",
        Severity.INFO,
        "A rule chooses namespaces by labels that others can set, instead of by name.",
        _by_other_labels,
    ),
)
