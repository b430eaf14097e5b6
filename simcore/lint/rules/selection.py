"""Policies that select nothing, and peers that match nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ...model.labels import EVERYTHING, NAMESPACE_NAME_LABEL
from ...model.peers import Endpoints
from ...model.policy import Policy, Rule
from ...model.trace import peer_words
from ..allowing import in_force, peers_of, written_rules
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..nearest import Nearest, nearest
from ..words import counted, listed
from ..written import changed, network_policy_of, peer_paths, peer_place, selector_value

MOST_NAMESPACES = 3
"""Where labels are in use in more namespaces, they do not tell which was meant."""


def _selects_nothing(context: LintContext) -> Iterator[Finding]:
    people = context.population
    for policy in in_force(context):
        subjects = {rule.subject for rule in policy.rules}
        if len(subjects) != 1 or any(rule.hosts for rule in policy.rules):
            continue
        (subject,) = subjects
        if not isinstance(subject, Endpoints) or subject.pods == EVERYTHING or people.labelled(subject):
            continue
        near = _near_pods(context, subject)
        elsewhere = _elsewhere(context, subject)
        if not (near or elsewhere or any(people.alike(people.namespaces_of(subject.namespaces)))):
            continue
        document = network_policy_of(context, policy)
        yield Finding(
            "FV009",
            document.place(("spec", "podSelector")) if document else policy.place,
            f"This policy selects {peer_words(subject)}, and there is none, so it binds nothing"
            f"{_instead(context, subject, near, elsewhere)}.",
            changed(document, ("spec", "podSelector"), selector_value(near.selector)) if document and near else None,
            policy=policy.ref,
        )


def _near_pods(context: LintContext, peer: Endpoints) -> Nearest | None:
    people = context.population
    around = people.alike(people.namespaces_of(peer.namespaces))
    return nearest(
        peer.pods,
        (alike.labels for alike in around),
        lambda selector: len(people.labelled(Endpoints(peer.namespaces, selector, peer.accounts))),
    )


def _near_namespaces(context: LintContext, peer: Endpoints) -> Nearest | None:
    people = context.population
    return nearest(
        peer.namespaces,
        people.namespaces.values(),
        lambda selector: len(people.labelled(Endpoints(selector, peer.pods, peer.accounts))),
    )


def _elsewhere(context: LintContext, peer: Endpoints) -> list[str]:
    """Name the namespaces that hold such pods, unless there are so many that their labels tell nothing."""
    people = context.population
    pods = people.labelled(Endpoints(EVERYTHING, peer.pods, peer.accounts)) - people.hosted
    names = sorted({context.cluster.pods[number].namespace for number in pods})
    return names if len(names) <= MOST_NAMESPACES else []


def _instead(context: LintContext, peer: Endpoints, near: Nearest | None, elsewhere: list[str]) -> str:
    """Say what was probably meant."""
    people = context.population
    if near is not None:
        in_namespaces = near.was in peer.namespaces.requirements
        meant = Endpoints(
            near.selector if in_namespaces else peer.namespaces,
            peer.pods if in_namespaces else near.selector,
            peer.accounts,
        )
        workloads = listed(people.workloads(people.labelled(meant)))
        return f"; {near.better} would select {counted(near.held, 'pod')} of {workloads}"
    if elsewhere:
        noun = "namespace" if len(elsewhere) == 1 else "namespaces"
        return f"; pods with {peer.pods} are in {noun} {listed(elsewhere)}"
    return ""


def _matches_nothing(context: LintContext) -> Iterator[Finding]:
    people = context.population
    for policy, rule in written_rules(context):
        if not people.who(rule.subject) or not _is_told_one_by_one(context, policy, rule):
            continue
        for peer in peers_of(rule):
            if not isinstance(peer, Endpoints) or people.who(peer):
                continue
            finding = _hosted_only(context, policy, rule, peer) or _empty(context, policy, rule, peer)
            if finding is not None:
                yield finding


def _is_told_one_by_one(context: LintContext, policy: Policy, rule: Rule) -> bool:
    """Whether each peer is what somebody wrote; elsewhere one selector may stand for pods and for sets of networks."""
    if network_policy_of(context, policy):
        return True
    return all(isinstance(peer, Endpoints) and not context.population.who(peer) for peer in peers_of(rule))


def _hosted_only(context: LintContext, policy: Policy, rule: Rule, peer: Endpoints) -> Finding | None:
    people = context.population
    hosted = people.labelled(peer)
    if not hosted:
        return None
    return Finding(
        "FV010",
        peer_place(context, policy, rule, peer),
        f"This peer matches nothing: {peer_words(peer)} are {counted(len(hosted), 'pod')} of "
        f"{listed(people.workloads(hosted))}, which run on the host's network, where labels do not count; "
        "name the addresses of the nodes.",
        policy=policy.ref,
    )


def _empty(context: LintContext, policy: Policy, rule: Rule, peer: Endpoints) -> Finding | None:
    people = context.population
    inside = people.namespaces_of(peer.namespaces)
    near = _near_pods(context, peer) if inside else _near_namespaces(context, peer)
    elsewhere = _elsewhere(context, peer) if near is None and inside and peer.pods != EVERYTHING else []
    if not (near or elsewhere) and (not context.is_whole or (inside and peer.pods == EVERYTHING)):
        return None
    what = "no such namespace" if not inside else "none"
    return Finding(
        "FV010",
        peer_place(context, policy, rule, peer),
        f"This peer matches nothing: it names {peer_words(peer)}, and there is {what}"
        f"{_instead(context, peer, near, elsewhere)}.",
        _peer_fix(context, policy, rule, peer, near, elsewhere),
        policy=policy.ref,
    )


def _peer_fix(
    context: LintContext,
    policy: Policy,
    rule: Rule,
    peer: Endpoints,
    near: Nearest | None,
    elsewhere: list[str],
) -> Fix | None:
    document = network_policy_of(context, policy)
    paths = peer_paths(document, rule, peer) if document else []
    if document is None or not paths:
        return None
    if near is not None:
        field = "namespaceSelector" if near.was in peer.namespaces.requirements else "podSelector"
        return changed(document, (*paths[0], field), selector_value(near.selector))
    if len(elsewhere) != 1:
        return None
    item = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: elsewhere[0]}}}
    return changed(document, paths[0], {**item, "podSelector": selector_value(peer.pods)})


RULES = (
    LintRule(
        "FV009",
        "selects-nothing",
        Severity.WARNING,
        "A policy selects no pod, so it binds nothing.",
        _selects_nothing,
    ),
    LintRule(
        "FV010",
        "peer-matches-nothing",
        Severity.WARNING,
        "A rule names a peer that no pod is.",
        _matches_nothing,
    ),
)
