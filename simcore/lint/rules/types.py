"""policyTypes: absent, or at odds with the sections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...model.policy import Direction, Policy
from ..context import NETWORK_POLICY, LintContext, Written
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import with_spec
from ..words import counted, listed

_WORDS = {Direction.INGRESS: "Ingress", Direction.EGRESS: "Egress"}


def _absent(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(NETWORK_POLICY):
        spec = document.value.get("spec") or {}
        if spec.get("policyTypes"):
            continue
        types = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        yield Finding(
            "FV007",
            document.place(("spec",)),
            f"policyTypes is absent, so this policy binds {' and '.join(map(str.lower, types))} only by what its "
            "sections hold: removing a section silently changes what it closes.",
            Fix(with_spec(document.value, policyTypes=types)),
            policy=policy.ref,
        )


def _mismatched(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(NETWORK_POLICY):
        spec = document.value.get("spec") or {}
        for direction, word in _WORDS.items():
            if word not in _types(spec):
                yield from _unlisted(policy, document, spec, direction)
            elif direction.word not in spec and spec.get(Direction(1 - direction).word):
                yield from _closed_by_the_way(context, policy, document, spec, direction)


def _types(spec: Mapping[str, Any]) -> list[str]:
    """Return the directions that a policy binds, as written or as inferred."""
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _unlisted(policy: Policy, document: Written, spec: Mapping[str, Any], direction: Direction) -> Iterator[Finding]:
    """Find a section whose direction the policy does not bind."""
    if direction.word not in spec or (spec.get("policyTypes") and not spec[direction.word]):
        return
    word = _WORDS[direction]
    cause = f"policyTypes does not list {word}" if spec.get("policyTypes") else "it is empty and policyTypes is absent"
    yield Finding(
        "FV008",
        document.place(("spec", direction.word)),
        f"The {direction.word} section has no effect, because {cause}: {direction.word} is neither closed nor opened "
        "by this policy.",
        Fix(with_spec(document.value, policyTypes=[*_types(spec), word])),
        policy=policy.ref,
    )


def _closed_by_the_way(
    context: LintContext, policy: Policy, document: Written, spec: Mapping[str, Any], direction: Direction
) -> Iterator[Finding]:
    """Find a direction that is listed, has no section, and that nothing else closes or opens for some pods."""
    other = Direction(1 - direction)
    word = _WORDS[direction]
    closed = sorted(
        bound.sort.workload
        for bound in context.bound[direction]
        if bound.is_closed and {rule.policy for rule in bound.rules} == {policy.ref}
    )
    listed_types = spec.get("policyTypes") or []
    if not closed or "deny" in policy.ref.name:
        return
    if word in listed_types and _is_remarked(context, document, listed_types.index(word)):
        return
    what = "may be reached by nobody" if direction is Direction.INGRESS else "may reach nobody, not even DNS"
    cause = f"policyTypes lists {word}" if listed_types else f"policyTypes is absent, which means {word} too"
    yield Finding(
        "FV008",
        document.place(("spec", "policyTypes") if listed_types else ("spec",)),
        f"{cause}, and there are {other.word} rules only: {counted(len(set(closed)), 'workload')} {what}.",
        Fix(
            with_spec(document.value, policyTypes=[_WORDS[other]]),
            {("spec", "policyTypes"): f"{word} stays open; to close it, keep it here and write {direction.word}: []"},
        ),
        (f"Concerned: {listed(closed)}.",),
        policy.ref,
    )


def _is_remarked(context: LintContext, document: Written, item: int) -> bool:
    """Whether a comment stands beside an item of policyTypes: somebody thought of it."""
    place = document.place(("spec", "policyTypes", item))
    lines = context.lines(document.file)
    return 0 < place.line <= len(lines) and "#" in lines[place.line - 1]


RULES = (
    LintRule(
        "FV007",
        "policy-types-absent",
        Severity.INFO,
        "A NetworkPolicy does not say which directions it binds.",
        _absent,
    ),
    LintRule(
        "FV008",
        "policy-types-mismatched",
        Severity.WARNING,
        "policyTypes and the sections of a NetworkPolicy do not match: one has no effect, or closes more than is said.",
        _mismatched,
    ),
)
