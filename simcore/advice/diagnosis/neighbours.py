"""Fifth step: selectors side by side in one item, which must both hold, or in two, of which either does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ...model.cluster import Pod
from ...model.flows import Verdict
from ...model.labels import LabelSelector
from ...model.match import Match
from ...model.peers import AnyOf, Endpoints, PeerSet
from ...model.policy import Action, Direction, Role, Rule
from ...reference.candidates import Candidate
from ...reference.matching import Matcher
from . import commands
from .context import Context, Pair, with_rule
from .near import allows_port, is_both
from .steps import Cause, Finding, Status, Step

NAME, TITLE = "and-or", "AND or OR: are selectors combined as they were meant?"


@dataclass(frozen=True, slots=True)
class _Reading:
    """A rule with selectors side by side, and what it would be the other way.

    Attributes
    ----------
    is_or : bool
        It is written as two items.
    shuts_out : bool
        The other end is in the policy's own namespace, and all but that fits.
    """

    rule: Rule
    is_or: bool
    shuts_out: bool
    pods: LabelSelector
    namespaces: LabelSelector
    other: Rule

    @property
    def words(self) -> str:
        """Say both readings."""
        own = self.rule.policy.namespace
        either = f"pods with {self.pods} in {own}, or any pod of namespaces with {self.namespaces}"
        both = f"pods with {self.pods} in namespaces with {self.namespaces}"
        if self.is_or:
            return f"{self.rule} is written as OR: {either}. As AND it would be {both}"
        return f"{self.rule} is written as AND: {both}. As OR it would be {either}"


def check(context: Context) -> Step:
    """Read the rules with two selectors side by side both ways, and see for which of them the answer changes."""
    readings: list[_Reading] = []
    turning: list[tuple[_Reading, Verdict]] = []
    for pair, direction in product(context.pairs, Direction):
        for reading in _readings(context, pair, direction):
            readings.append(reading)
            before = context.judged(pair, direction)
            after = _judged_otherwise(context, reading, pair, direction)
            if {before, after} == {Verdict.ALLOW, Verdict.DENY}:
                turning.append((reading, after))
    readings = _distinct(readings)
    findings, hints = _told(context, turning)
    names = ", ".join(dict.fromkeys(str(reading.rule) for reading in readings))
    if not readings:
        found = "No rule that binds these ends has podSelector and namespaceSelector side by side."
    elif not turning:
        found = "Both readings give the same answer for these ends."
    elif not (findings or hints):
        found = "Read the other way they would give another answer; as they are written, they give the one wanted."
    else:
        found = (*findings, *hints)[0].sentence
    return Step(
        NAME,
        TITLE,
        Status.FOUND if findings else Status.OK,
        names or "rules of both ends with two selectors side by side",
        found,
        details=tuple(f"{reading.words}." for reading in readings[:3] if not turning),
        findings=findings,
        hints=hints,
        commands=tuple(
            commands.described(reading.rule.policy, context.enforcement.plugin.name)
            for reading in _distinct([reading for reading, _ in turning])
        ),
    )


def _told(
    context: Context, turning: Sequence[tuple[_Reading, Verdict]]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Say what the other reading would change; what an OR lets through may be meant to be."""
    found: dict[tuple[Cause, Rule], Finding] = {}
    for reading, after in turning:
        cause = Cause.OR_FOR_AND if reading.is_or else Cause.AND_FOR_OR
        change = "denied" if after is Verdict.DENY else "allowed"
        sentence = f"{reading.words}, and this would be {change}."
        to_do = "Leave out the dash before the second selector, so that both stand in one item."
        if not reading.is_or:
            to_do = "Make it two items, a dash before each selector."
        found[cause, reading.rule] = Finding(cause, sentence, to_do, reading.rule)
    opened = tuple(one for one in found.values() if one.cause is Cause.OR_FOR_AND)
    closed = tuple(one for one in found.values() if one.cause is Cause.AND_FOR_OR)
    shut_out = {reading.rule for reading, _ in turning if reading.shuts_out}
    meant = tuple(one for one in closed if one.rule not in shut_out)
    if context.inquiry.expected is Verdict.DENY:
        return (opened, ()) if context.verdict is Verdict.ALLOW else ((), opened)
    return tuple(one for one in closed if one.rule in shut_out), (*meant, *opened)


def _readings(context: Context, pair: Pair, direction: Direction) -> Iterator[_Reading]:
    """Yield the rules that bind one end of a pair and have two selectors side by side."""
    guarded = context.pod(pair.subject(direction))
    if guarded is None:
        return
    matcher = Matcher(context.cluster, context.profile)
    subject = Candidate(None, None, pod=pair.subject(direction))
    for policy in context.policies:
        if policy.ref.kind != "NetworkPolicy" or policy.ref.namespace != guarded.namespace:
            continue
        for rule in policy.rules:
            is_meant = rule.direction is direction and rule.role is Role.WRITTEN and rule.action is Action.ALLOW
            binds = is_meant and matcher.match_end(rule.subject, subject) is Match.YES
            if binds and allows_port(matcher, rule.ports, pair):
                yield from _readings_of(rule, context.pod(pair.peer(direction)))


def _readings_of(rule: Rule, peer: Pod | None) -> Iterator[_Reading]:
    if peer is None:
        return
    members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
    items = [member for member in members if isinstance(member, Endpoints)]
    own = LabelSelector.namespace(rule.policy.namespace)
    alone = [item for item in items if item.namespaces == own and item.pods.requirements]
    whole = [item for item in items if item.namespaces != own and not item.pods.requirements]
    for one in alone:
        for other in whole:
            if other.namespaces.requirements:
                rest = tuple(member for member in members if member not in (one, other))
                both = Endpoints(other.namespaces, one.pods)
                yield _Reading(rule, True, False, one.pods, other.namespaces, _with(rule, (*rest, both)))
    for item in items:
        if is_both(item, rule.policy.namespace):
            rest = tuple(member for member in members if member != item)
            either = Endpoints(own, item.pods), Endpoints(item.namespaces)
            is_shut_out = peer.namespace == rule.policy.namespace and item.pods.matches(peer.labels)
            yield _Reading(rule, False, is_shut_out, item.pods, item.namespaces, _with(rule, (*rest, *either)))


def _with(rule: Rule, members: tuple[PeerSet, ...]) -> Rule:
    return replace(rule, peer=members[0] if len(members) == 1 else AnyOf(members))


def _judged_otherwise(context: Context, reading: _Reading, pair: Pair, direction: Direction) -> Verdict:
    policies = with_rule(context.policies, reading.rule, reading.other)
    return context.reference_with(policies).judge(context.flow_of(pair)).outcome(direction).verdict


def _distinct(readings: Sequence[_Reading]) -> list[_Reading]:
    return list({(reading.rule, reading.pods, reading.namespaces): reading for reading in readings}.values())
