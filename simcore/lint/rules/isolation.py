"""Namespaces that no policy closes by default."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import Place
from ...model.addresses import Address
from ...model.flows import End, Flow, Reason
from ...model.policy import Direction
from ...model.ports import TCP
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import free_name, network_policy
from ..sources import NEWCOMER, SYSTEM_NAMESPACES, Sort, sorts
from ..words import counted, listed
from .dns import dns_rules

OUTSIDE = Address.parse("192.0.2.1")
"""Of a block that nobody uses: it stands for whoever no rule speaks of."""
_CODES = {Direction.INGRESS: "FV004", Direction.EGRESS: "FV005"}
_WHAT = {Direction.INGRESS: "take connections from anybody", Direction.EGRESS: "open connections to anybody"}


def _check(context: LintContext, direction: Direction) -> Iterator[Finding]:
    here: dict[str, list[Sort]] = {}
    for sort in sorts(context.cluster):
        here.setdefault(sort.pod.namespace, []).append(sort)
    for namespace in sorted(here):
        if namespace not in SYSTEM_NAMESPACES and _is_open(context, f"{namespace}/{NEWCOMER}", direction):
            yield _finding(context, namespace, here[namespace], direction)


def _without_ingress(context: LintContext) -> Iterator[Finding]:
    return _check(context, Direction.INGRESS)


def _without_egress(context: LintContext) -> Iterator[Finding]:
    return _check(context, Direction.EGRESS)


def _is_open(context: LintContext, pod: str, direction: Direction) -> bool:
    """Whether nothing binds a pod in a direction, neither towards addresses outside nor some other namespace."""
    subject, namespace = End(pod=pod), pod.partition("/")[0]
    others = [End(pod=f"{name}/{NEWCOMER}") for name in context.cluster.namespaces if name != namespace]
    return _is_unbound(context, subject, End(OUTSIDE), direction) and (
        not others or any(_is_unbound(context, subject, other, direction) for other in others)
    )


def _is_unbound(context: LintContext, pod: End, other: End, direction: Direction) -> bool:
    source, destination = (other, pod) if direction is Direction.INGRESS else (pod, other)
    judgement = context.newcomers.judge(Flow(source, destination, TCP, 1))
    return judgement.outcome(direction).reason is Reason.NOT_ISOLATED


def _finding(context: LintContext, namespace: str, here: Sequence[Sort], direction: Direction) -> Finding:
    everybody = {sort.workload for sort in here}
    found = sorted({sort.workload for sort in here if _is_open(context, sort.pod.full_name, direction)})
    details: tuple[str, ...] = ()
    if found:
        share = f"{len(found):,} of {counted(len(everybody), 'workload')} may {_WHAT[direction]}"
        details = (f"Open: {listed(found)}.",)
    else:
        share = f"what is there is isolated, but a new pod that no policy selects may {_WHAT[direction]}"
    return Finding(
        _CODES[direction],
        context.namespaces.get(namespace, Place("")),
        f"Namespace {namespace} has no default deny for {direction.word}: {share}.",
        _closing(context, namespace, direction),
        details,
    )


def _closing(context: LintContext, namespace: str, direction: Direction) -> Fix:
    """Return the policy that closes a namespace in a direction; pods that it isolates go on asking DNS."""
    name = free_name(context, namespace, f"default-deny-{direction.word}")
    spec: dict[str, object] = {"podSelector": {}, "policyTypes": [direction.word.capitalize()]}
    comments: dict[tuple[str | int, ...], str] = {
        (): "Allow first what must go on working: this closes everything that no other policy allows.",
        ("spec", "podSelector"): "every pod of the namespace",
    }
    if direction is Direction.EGRESS:
        spec["egress"] = dns_rules(context)
        comments["spec", "egress"] = "nothing but DNS"
    return Fix(network_policy(namespace, name, spec), comments)


RULES = (
    LintRule(
        "FV004",
        "no-default-deny-ingress",
        Severity.WARNING,
        "A namespace is open to ingress for every pod that no policy selects.",
        _without_ingress,
    ),
    LintRule(
        "FV005",
        "no-default-deny-egress",
        Severity.INFO,
        "A namespace is open to egress for every pod that no policy selects.",
        _without_egress,
    ),
)
