"""Seventh step: whether the last change of policies did it."""

from __future__ import annotations

from dataclasses import replace

from ...model.flows import Verdict
from ...model.policy import PolicyRef, Role
from ...reference.candidates import Candidate
from ...reference.matching import Matcher
from . import commands, dns
from .context import Context
from .steps import Command, Status, Step

MOST_TOLD = 3
NAME, TITLE = "change", "Recent change: did the last change do it?"


def check(context: Context) -> Step:
    """Judge by the policies of before the change as well, and ask DNS again."""
    ways = _ways(context)
    if context.former is None and (newest := _newest(context)):
        policy, time = newest[0]
        found = f"The newest policy that isolates either end is {policy}, of {time}: see whether it began then."
        details = tuple(f"{policy}, of {time}." for policy, time in newest[1:MOST_TOLD])
        checked = "when the policies that isolate the ends were made"
        return Step(NAME, TITLE, Status.OK, checked, found, details=details, commands=ways)
    if context.former is None:
        found = "Not asked: no change is known. Name it with --apply or --delete, or load policies that tell their age."
        return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", found, commands=ways)
    before = replace(context, policies=context.former, former=None)
    was, is_now = before.verdict, context.verdict
    asked, asked_before = dns.check(context).status, dns.check(before).status
    changed = _changed(context)
    checked = f"the same question under the policies of before: {', '.join(map(str, changed[:5])) or 'none'} changed"
    if was is Verdict.ALLOW and is_now is Verdict.DENY:
        found, status = "The change denies it: before, it was allowed.", Status.FOUND
    elif asked is Status.FOUND and asked_before is Status.OK:
        found, status = "The change cuts the source off from DNS: before, it could ask.", Status.FOUND
    elif was is is_now:
        found, status = f"It did not: before, the verdict was {was.word} as well.", Status.OK
    else:
        found, status = f"Before, the verdict was {was.word}.", Status.OK
    return Step(NAME, TITLE, status, checked, found, commands=ways)


def _newest(context: Context) -> list[tuple[PolicyRef, str]]:
    """List the policies that isolate either end with the time they were made, the newest first."""
    matcher = Matcher(context.cluster, context.profile)
    found: dict[PolicyRef, str] = {}
    for policy in context.policies:
        for rule in policy.rules:
            if rule.role is Role.ISOLATION and policy.ref in context.created:
                ends = (Candidate(None, None, pod=pair.subject(rule.direction)) for pair in context.pairs)
                if any(end.is_pod and matcher.match_end(rule.subject, end) for end in ends):
                    found[policy.ref] = context.created[policy.ref]
    return sorted(sorted(found.items()), key=lambda item: item[1], reverse=True)


def _changed(context: Context) -> list[PolicyRef]:
    """Name the policies that were added, taken away or written anew."""
    before = {policy.ref: policy.rules for policy in context.former or ()}
    after = {policy.ref: policy.rules for policy in context.policies}
    return sorted(ref for ref in {*before, *after} if before.get(ref) != after.get(ref))


def _ways(context: Context) -> tuple[Command, ...]:
    pods = (context.pod(number) for pair in context.pairs for number in (pair.destination, pair.source))
    namespaces = [pod.namespace for pod in pods if pod is not None and pod.namespace]
    return tuple(commands.policies_in(namespaces, context.enforcement.plugin.name))
