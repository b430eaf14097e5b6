"""Sixth step: whether the network plugin enforces the policies, and sees the pods."""

from __future__ import annotations

from dataclasses import replace

from ...model.flows import Verdict
from ...model.plugins import PLUGINS
from ...model.policy import Policy
from ...model.profile import Profile
from . import commands
from .context import Context, worst
from .steps import Cause, Finding, Status, Step

NAME, TITLE = "enforcement", "Network plugin: does it enforce the policies?"


def check(context: Context) -> Step:
    """Ask what would become of the connection if every policy were enforced, and if nodes did not hide pods."""
    findings: list[Finding] = []
    hints: list[Finding] = []
    details: list[str] = []
    if (unenforced := _not_enforced(context)) is not None:
        findings.append(unenforced)
    elif context.ignored:
        details.append(f"{_names(context.ignored)} have no effect; enforced, they would change nothing here.")
    if (hidden := _hidden(context)) is not None:
        is_cause = context.verdict is Verdict.DENY or context.inquiry.expected is Verdict.DENY
        (findings if is_cause else hints).append(hidden)
    if context.enforcement.is_default:
        details.append("The input does not tell the network plugin; the answer is the API's. Name it with --cni.")
    return Step(
        NAME,
        TITLE,
        Status.FOUND if findings else Status.OK,
        _checked(context),
        (*findings, *hints)[0].sentence if findings or hints else _fine(context),
        details=tuple(details),
        findings=tuple(findings),
        hints=tuple(hints),
        commands=tuple(commands.agents(context.enforcement.plugin.name)),
    )


def _checked(context: Context) -> str:
    plugin = context.enforcement.plugin
    number = len(context.policies) + len(context.ignored)
    return f"{plugin.title}, {number:,} {'policy' if number == 1 else 'policies'}, and pods on the host's network"


def _fine(context: Context) -> str:
    if not context.policies and not context.ignored:
        return "There are no policies to enforce."
    if not context.enforcement.is_enforced:
        return "Nothing is enforced, and enforced policies would let it through as well."
    return "It enforces the policies that decide."


def _not_enforced(context: Context) -> Finding | None:
    """Tell of policies that would deny, were they enforced."""
    if context.verdict is not Verdict.ALLOW or not (context.ignored or not context.enforcement.is_enforced):
        return None
    policies = (*context.policies, *context.ignored)
    verdict = _judged_if_enforced(context, policies)
    if verdict is not Verdict.DENY:
        return None
    title = context.enforcement.plugin.title
    which = _names(context.ignored or policies)
    return Finding(
        Cause.NOT_ENFORCED,
        f"{title} lets it through, though {which} would deny it: {title} does not enforce them.",
        "Use a network plugin that enforces these policies, or one that enforces them beside it.",
        next((rule for policy in (context.ignored or policies) for rule in policy.rules), None),
    )


def _judged_if_enforced(context: Context, policies: tuple[Policy, ...]) -> Verdict | None:
    """Judge by all policies, under the first plugin that enforces them all; None where there is none."""
    kinds = {policy.ref.kind for policy in policies}
    own = replace(context.profile, enforced=True)
    profiles: list[Profile] = [own, *(plugin.profile for plugin in PLUGINS if kinds <= set(plugin.enforces))]
    for profile in profiles:
        try:
            reference = context.reference_with(policies, profile)
            return worst(reference.judge(flow).verdict for flow in context.inquiry.flows)
        except ValueError:
            continue
    return None


def _hidden(context: Context) -> Finding | None:
    """Tell of pods on the host's network, where policies would say otherwise if they saw the pods."""
    if context.profile.hostnetwork == "pod" or not context.policies:
        return None
    numbers = {number for pair in context.pairs for number in (pair.source, pair.destination) if number >= 0}
    on_host = [context.cluster.pods[n] for n in sorted(numbers) if context.cluster.pods[n].host_network]
    if not on_host:
        return None
    reference = context.reference_with(context.policies, replace(context.profile, hostnetwork="pod"))
    verdict = worst(reference.judge(context.flow_of(pair)).verdict for pair in context.pairs)
    if {verdict, context.verdict} != {Verdict.ALLOW, Verdict.DENY}:
        return None
    pod = on_host[0]
    if context.verdict is Verdict.DENY:
        sentence = (
            f"{pod.full_name} shares its node's network: to policies its traffic is node {pod.node or 'of it'}'s, and "
            "no selector of pods matches it; with a network of its own it would be let through."
        )
        to_do = "Take the pod off the host's network, or allow the addresses of the nodes by ipBlock."
    else:
        sentence = (
            f"{pod.full_name} shares its node's network, so policies do not bind it; with a network of its own it "
            "would be denied."
        )
        to_do = "Take the pod off the host's network, or guard the nodes themselves."
    return Finding(Cause.HOST_NETWORK, sentence, to_do)


def _names(policies: tuple[Policy, ...]) -> str:
    names = [str(policy.ref) for policy in policies]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1:,} more"
