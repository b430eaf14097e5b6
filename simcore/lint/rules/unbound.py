"""Pods that policies seem to protect and do not, and policies that nobody enforces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import Place
from ...model.labels import EVERYTHING
from ...model.peers import Endpoints
from ...model.policy import Direction, Role
from ..allowing import in_force
from ..context import LintContext, Written
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import network_policy
from ..words import counted, listed
from ..written import network_policy_of

_PLAIN_GROUPS = ("networking.k8s.io", "policy.networking.k8s.io", "cilium.io")
_FEWEST_BOUND = 2
"""How many workloads of a namespace are bound where one that is not is worth a word."""


def _hosted(context: LintContext) -> Iterator[Finding]:
    people = context.population
    for policy in in_force(context):
        subjects = {rule.subject for rule in policy.rules if isinstance(rule.subject, Endpoints) and not rule.hosts}
        held = frozenset[int]().union(*map(people.labelled, subjects))
        hosted = held & people.hosted
        chosen = any(subject.pods != EVERYTHING for subject in subjects)
        if not context.profile.enforced or not hosted or not (chosen or hosted == held):
            continue
        document = network_policy_of(context, policy)
        yield Finding(
            "FV017",
            document.place(("spec", "podSelector")) if document else policy.place,
            f"This policy selects {listed(people.workloads(hosted))} on the host's network "
            f"({counted(len(hosted), 'pod')}), which have their node's address: policies for pods do not bind them.",
            policy=policy.ref,
        )


def _not_enforced(context: LintContext) -> Iterator[Finding]:
    enforcement = context.enforcement
    if enforcement.is_default:
        return
    for kind, number in enforcement.ignored.items():
        written = [document for document in context.documents if _is_of_kind(document, kind)]
        if not written:
            continue
        policies = "1 policy has" if number == 1 else f"{number:,} policies have"
        yield Finding(
            "FV018",
            written[0].place(("kind",)),
            f"{enforcement.plugin.title} does not enforce {kind}: {policies} no effect at all.",
            details=_evidence(enforcement.evidence, [_name(document) for document in written[1:]]),
        )


def _is_of_kind(document: Written, kind: str) -> bool:
    """Whether an object is a policy of a kind, as `PolicyRef.kind` writes it."""
    if document.group in _PLAIN_GROUPS:
        return document.kind == kind
    return kind in (f"{document.kind}.{document.group}", f"{document.kind}.{document.group.removeprefix('crd.')}")


def _name(document: Written) -> str:
    metadata = document.value.get("metadata") or {}
    return "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))


def _evidence(evidence: str, others: Sequence[str]) -> tuple[str, ...]:
    told = [f"The network plugin was recognised by {evidence}."] if evidence else []
    return (*told, *([f"Others: {listed(others)}."] if others else []))


def _left_out(context: LintContext) -> Iterator[Finding]:
    people = context.population
    if context.profile.unselected_pods != "open" or context.profile.bare_pods != "enforced":
        return
    for direction in Direction:
        bound = _bound(context, direction)
        isolated = frozenset[int]().union(*(pods for pods, _ in bound))
        for name in sorted({context.cluster.pods[number].namespace for number in isolated}):
            here = {n for alike in people.alike((name,)) for n in alike.pods} - people.hosted
            running = {number for number in here if not context.cluster.pods[number].finished}
            outside = running - isolated
            owned = people.workloads(n for n in running & isolated if context.cluster.pods[n].owners)
            if not outside or len(owned) < _FEWEST_BOUND:
                continue
            if any(context.cluster.pods[number].owners for number in outside):
                continue
            place = next(place for pods, place in bound if pods & here)
            names = listed(sorted(context.cluster.pods[number].full_name for number in outside))
            yield Finding(
                "FV021",
                place,
                f"Policies bind every workload of namespace {name} for {direction.word}, each by its labels, and "
                f"leave out {names}: a pod without such labels, as kubectl run and kubectl debug make, is open.",
                _default_deny(name, direction),
            )


def _bound(context: LintContext, direction: Direction) -> list[tuple[frozenset[int], Place]]:
    """List the pods that each policy isolates in a direction, and where the policy is written."""
    return [
        (context.population.who(rule.subject) or frozenset(), policy.place)
        for policy in in_force(context)
        for rule in policy.rules
        if rule.role is Role.ISOLATION and rule.direction is direction and not rule.hosts
    ]


def _default_deny(namespace: str, direction: Direction) -> Fix:
    word = direction.name.capitalize()
    manifest = network_policy(namespace, f"default-deny-{direction.word}", {"podSelector": {}, "policyTypes": [word]})
    return Fix(manifest, {("spec", "podSelector"): "Every pod of the namespace, whatever its labels."})


RULES = (
    LintRule(
        "FV017",
        "hostnetwork-pods",
        Severity.WARNING,
        "A policy selects pods on the host's network, which it does not bind.",
        _hosted,
    ),
    LintRule(
        "FV018",
        "not-enforced",
        Severity.ERROR,
        "The network plugin does not enforce policies of this kind.",
        _not_enforced,
    ),
    LintRule(
        "FV021",
        "slips-through",
        Severity.WARNING,
        "Policies bind every workload of a namespace by its labels, and leave pods without them open.",
        _left_out,
    ),
)
