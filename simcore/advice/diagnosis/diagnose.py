"""Diagnose: all steps in order, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...model.flows import Verdict
from . import change, dns, neighbours, plugin, seen, service, tracking
from .context import Context
from .directions import check_egress, check_ingress
from .steps import Cause, Conclusion, Diagnosis, Finding, Status, Step

STEPS: tuple[Callable[[Context], Step], ...] = (
    dns.check,
    service.check,
    check_ingress,
    check_egress,
    neighbours.check,
    plugin.check,
    change.check,
    seen.check,
    tracking.check,
)
"""Every step in the order of the runbooks: names first."""
_FIRST = (
    (Cause.NO_DNS_RULE, Cause.DNS_LABELS, Cause.DNS_PORT, Cause.DNS_INGRESS, Cause.DNS_DENIED),
    (Cause.NO_BACKEND,),
)
"""Causes that are named before all others."""
UNSETTLED = "Bring what is missing: the steps say what that is."
_LAST = (Cause.CONNTRACK_FULL, Cause.DNS_OVER_TCP)
_OF_SERVICES = (Cause.WRONG_PORT, Cause.NAMED_PORT)


def diagnose(context: Context) -> Diagnosis:
    """Go through all steps, and name the likeliest cause.

    Parameters
    ----------
    context : Context
        The question, and what it is asked of.
    """
    steps = tuple(check(context) for check in STEPS)
    verdict = context.verdict if context.inquiry.flows else Verdict.UNKNOWN
    judgement = next((judgement for judgement in context.judgements if judgement.verdict is verdict), None)
    return Diagnosis(verdict, steps, _conclude(context, verdict, steps), judgement)


def _conclude(context: Context, verdict: Verdict, steps: Sequence[Step]) -> Conclusion:
    findings = _ranked(steps)
    hints = tuple(hint for step in steps for hint in step.hints)
    if context.inquiry.expected is Verdict.DENY:
        return _of_denial(verdict, findings)
    if findings:
        return _of(findings[0], findings[1:], hints)
    source, destination = context.inquiry.source.text, context.inquiry.destination.text
    if verdict is Verdict.ALLOW:
        asked = steps[0].status
        names = "; whether names are found is not known" if asked is Status.UNKNOWN else ""
        sentence = f"The policies let {source} reach {destination}{names}."
        to_do = "Look at the application: what it listens on, and what it says in its log."
        return Conclusion(Cause.ALLOWED, sentence, to_do, others=(*findings, *hints))
    sentence = f"Whether the policies let {source} reach {destination} is not known."
    return Conclusion(Cause.UNKNOWN, sentence, UNSETTLED, others=hints)


def _of_denial(verdict: Verdict, findings: Sequence[Finding]) -> Conclusion:
    """Conclude on a connection that should be denied."""
    if verdict is Verdict.DENY:
        return Conclusion(Cause.DENIED, "The policies deny it, as they should.", "Nothing.")
    if verdict is Verdict.ALLOW and findings:
        return _of(findings[0], findings[1:], ())
    sentence = "Whether it is denied is not known." if verdict is Verdict.UNKNOWN else "It is let through."
    return Conclusion(Cause.UNKNOWN, sentence, UNSETTLED)


def _of(first: Finding, others: Sequence[Finding], hints: Sequence[Finding]) -> Conclusion:
    return Conclusion(first.cause, first.sentence, first.to_do, first.manifest, (*others, *hints))


def _ranked(steps: Sequence[Step]) -> list[Finding]:
    """List findings, the likeliest cause first, and each once."""
    found: dict[tuple[Cause, object], tuple[tuple[int, int], Finding]] = {}
    for number, step in enumerate(steps):
        for finding in step.findings:
            found.setdefault((finding.cause, finding.rule), ((_rank(finding, step), number), finding))
    return [finding for _, finding in sorted(found.values(), key=lambda ranked: ranked[0])]


def _rank(finding: Finding, step: Step) -> int:
    for rank, causes in enumerate(_FIRST):
        if finding.cause in causes:
            return rank
    if step.name == service.NAME and finding.cause in _OF_SERVICES:
        return len(_FIRST) - 1
    if finding.cause in _LAST:
        return len(_FIRST) + 4
    if finding.cause in (Cause.NOT_ENFORCED, Cause.HOST_NETWORK, Cause.OR_FOR_AND):
        return len(_FIRST)
    if finding.cause is Cause.ALLOWED_BY_RULE:
        return len(_FIRST) + 2
    return len(_FIRST) + (3 if finding.is_generic else 1)
