"""Traps of Calico's own language (docs/semantics/calico.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...model.addresses import Cidr, Family
from ...model.peers import ANYTHING
from ...model.policy import Action, Direction, Policy, Role, Rule
from ..allowing import written_rules
from ..context import LintContext, Written
from ..findings import Finding, LintRule, Severity
from ..words import listed

_GROUPS = ("projectcalico.org", "crd.projectcalico.org")
_NAMESPACED = tuple((group, "NetworkPolicy") for group in _GROUPS)
_GLOBAL = tuple((group, "GlobalNetworkPolicy") for group in _GROUPS)
_LAST_TIERS = ("default", "kube-baseline")
_FOR_HOSTS = ("doNotTrack", "preDNAT", "applyOnForward")
_OTHER = {Family.V4: Family.V6, Family.V6: Family.V4}
_DOES = {Action.ALLOW: "allows", Action.DENY: "denies", Action.PASS: "passes on"}

Path = tuple[str | int, ...]


def _only_logs(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(*_NAMESPACED, *_GLOBAL):
        for direction in Direction:
            items = document.value["spec"].get(direction.word) or ()
            ends = [rule for rule in policy.rules if rule.direction is direction and rule.closes and not rule.hosts]
            if not ends or not items or any(item.get("action") != "Log" for item in items):
                continue
            pods = sorted(context.population.who(ends[0].subject) or ())
            closed = [pod for pod in pods if not _has_others(context, pod, ends[0])]
            if closed:
                yield Finding(
                    "FV040",
                    document.place(("spec", direction.word)),
                    f"These rules only log, and yet the policy puts {listed(context.population.workloads(closed))} "
                    f"under the end of tier {ends[0].tier.name} (CA-35), which denies all {direction.word}; end it "
                    "with a rule that passes.",
                    policy=policy.ref,
                )


def _has_others(context: LintContext, pod: int, end: Rule) -> bool:
    """Whether a rule of the same tier says something about a pod."""
    bound = context.reference.binding(context.cluster.pods[pod].full_name, end.direction)
    return any(rule.role is Role.WRITTEN and rule.tier == end.tier for rule in bound)


def _ordered_by_name(context: LintContext) -> Iterator[Finding]:
    for tie in context.redundancy.ties:
        if tie.by_name:
            first, second = tie.first, tie.second
            yield Finding(
                "FV041",
                second.place,
                f"This rule {_DOES[second.action]} what {first} {_DOES[first.action]}, and both policies have the same "
                f"order, so that their names decide (CA-34): {first.policy.name} comes first; give each an order.",
                policy=second.policy,
            )


def _binds_hosts(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(*_GLOBAL):
        spec = document.value["spec"]
        selects_all = str(spec.get("selector") or "all()").strip() == "all()"
        narrowed = any(spec.get(field) for field in ("namespaceSelector", "serviceAccountSelector", *_FOR_HOSTS))
        if selects_all and not narrowed and _closes_hosts(policy):
            yield Finding(
                "FV042",
                context.place_of(policy, "spec", "selector"),
                "Without a selector, or with all(), this policy binds the host endpoints too (CA-27), and denies "
                "traffic of nodes; write namespaceSelector: all() to mean pods alone.",
                policy=policy.ref,
            )


def _closes_hosts(policy: Policy) -> bool:
    """Whether a policy denies what nodes do, unless it says so."""
    for end in policy.rules:
        if end.hosts and end.closes:
            before = [rule for rule in policy.rules if rule.hosts and rule.direction is end.direction and rule != end]
            last = before[-1] if before else end
            if not (last.peer == ANYTHING and last.ports.is_everything and last.action is not Action.DENY):
                return True
    return False


def _entities(
    context: LintContext, *kinds: tuple[str, str]
) -> Iterator[tuple[Policy, Written, Path, Mapping[str, Any], str]]:
    """Yield the sources and destinations of rules, with the rule's action."""
    for policy, document in context.written(*kinds):
        for direction in Direction:
            for number, item in enumerate(document.value["spec"].get(direction.word) or ()):
                for side in ("source", "destination"):
                    entity = item.get(side)
                    if isinstance(entity, Mapping):
                        path = ("spec", direction.word, number, side)
                        yield policy, document, path, entity, str(item.get("action"))


def _loses_outside(context: LintContext) -> Iterator[Finding]:
    for policy, document, path, entity, action in _entities(context, *_NAMESPACED):
        others = ("selector", "namespaceSelector", "serviceAccounts", "nets", "notNets", "services")
        if entity.get("notSelector") and not any(entity.get(field) for field in others):
            yield Finding(
                "FV043",
                document.place((*path, "notSelector")),
                f"notSelector alone means pods of namespace {policy.ref.namespace} only (CA-49), so this rule does not "
                f"{action.lower()} anything of other namespaces, or of outside; add namespaceSelector, or nets.",
                policy=policy.ref,
            )


def _loses_a_family(context: LintContext) -> Iterator[Finding]:
    families = {address.family for pod in context.cluster.pods for address in pod.addresses}
    for policy, document, path, entity, action in _entities(context, *_NAMESPACED, *_GLOBAL):
        blocks = [Cidr.parse(str(text)).family for text in entity.get("notNets") or () if "/" in str(text)]
        if blocks and not entity.get("nets") and _OTHER[blocks[0]] in families:
            yield Finding(
                "FV044",
                document.place((*path, "notNets")),
                f"notNets of IPv{blocks[0]} leave IPv{_OTHER[blocks[0]]} out altogether (CA-50), which pods have here: "
                f"this rule does not {action.lower()} any of it; write another rule for it.",
                policy=policy.ref,
            )


def _passes_to_nothing(context: LintContext) -> Iterator[Finding]:
    for policy, rule in written_rules(context):
        if rule.action is not Action.PASS or rule.tier.name not in _LAST_TIERS:
            continue
        pods = sorted(context.population.who(rule.subject) or ())
        if pods and not any(_goes_on(context, pod, rule) for pod in pods):
            yield Finding(
                "FV045",
                rule.place,
                f"No tier behind {rule.tier.name} has a policy for {listed(context.population.workloads(pods))}, so "
                "what this rule passes on is allowed (CA-37); write Allow if that is meant.",
                policy=policy.ref,
            )


def _goes_on(context: LintContext, pod: int, rule: Rule) -> bool:
    """Whether any tier behind that of a rule binds a pod."""
    bound = context.reference.binding(context.cluster.pods[pod].full_name, rule.direction)
    own = context.profile.place(rule.tier).position
    positions = [context.profile.place(other.tier).position for other in bound]
    return own is None or any(position is not None and position > own for position in positions)


RULES = (
    LintRule(
        "FV040",
        "calico-only-logs",
        Severity.ERROR,
        "A policy whose rules only log closes the pods it selects.",
        _only_logs,
    ),
    LintRule(
        "FV041",
        "calico-order-by-name",
        Severity.WARNING,
        "Policies of one order contradict each other, and their names decide.",
        _ordered_by_name,
    ),
    LintRule(
        "FV042",
        "calico-binds-hosts",
        Severity.ERROR,
        "A global policy for everybody denies traffic of nodes that have host endpoints.",
        _binds_hosts,
    ),
    LintRule(
        "FV043",
        "calico-not-selector-alone",
        Severity.WARNING,
        "A notSelector alone leaves out other namespaces and every address outside.",
        _loses_outside,
    ),
    LintRule(
        "FV044",
        "calico-not-nets-of-one-family",
        Severity.WARNING,
        "Blocks that are left out are of one family, and so the other is left out altogether.",
        _loses_a_family,
    ),
    LintRule(
        "FV045",
        "calico-passes-to-nothing",
        Severity.WARNING,
        "A rule passes traffic on, and no tier behind it has a policy for it: it is allowed.",
        _passes_to_nothing,
    ),
)
