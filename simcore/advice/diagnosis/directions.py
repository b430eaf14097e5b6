"""Third and fourth step: what lets the source in at the destination, and what lets it out."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.flows import Outcome, Reason, Verdict
from ...model.policy import Action, Direction, PolicyRef, Role
from ...model.ports import protocol_name
from . import commands
from .context import Context, Pair, worst
from .mending import opening
from .near import Near, NearMisses
from .steps import Cause, Command, Finding, Side, Status, Step

MOST_NEAR = 3
"""Rules that come near and are told, where none of them is likely meant."""
_TITLES = {
    Direction.INGRESS: "Ingress: does the destination let the source in?",
    Direction.EGRESS: "Egress: does the source get out?",
}
_GENERIC = {Direction.INGRESS: Cause.NO_INGRESS_RULE, Direction.EGRESS: Cause.NO_EGRESS_RULE}


def check_ingress(context: Context) -> Step:
    """Ask what the policies of the destination say."""
    return _Checking(context, Direction.INGRESS).step()


def check_egress(context: Context) -> Step:
    """Ask what the policies of the source say."""
    return _Checking(context, Direction.EGRESS).step()


class _Checking:
    """Looks at one direction of every pair."""

    def __init__(self, context: Context, direction: Direction) -> None:
        self._context = context
        self._direction = direction
        self._outcomes = {
            pair: context.reference.judge(context.flow_of(pair)).outcome(direction) for pair in context.pairs
        }
        self._near: list[Near] = []
        self._by_service: set[Pair] = set()
        self._follow_services()

    def _follow_services(self) -> None:
        """Take the answer of the question itself where the way through a Service makes another one of it."""
        outcomes = [judgement.outcome(self._direction) for judgement in self._context.judgements]
        verdict = worst(outcome.verdict for outcome in outcomes)
        is_open = worst(outcome.verdict for outcome in self._outcomes.values()) is Verdict.ALLOW
        if self._outcomes and is_open and verdict is not Verdict.ALLOW:
            pair = next(iter(self._outcomes))
            self._outcomes[pair] = next(outcome for outcome in outcomes if outcome.verdict is verdict)
            self._by_service.add(pair)

    def step(self) -> Step:
        guarded = [pair for pair in self._outcomes if pair.subject(self._direction) >= 0]
        if not self._outcomes:
            return self._not_asked("nobody is behind the Service")
        if not guarded:
            end = "destination" if self._direction is Direction.INGRESS else "source"
            return self._not_asked(f"the {end} is no pod of the cluster, so no policy binds it")
        verdict = worst(outcome.verdict for outcome in self._outcomes.values())
        findings = self._findings(verdict)
        status = {Verdict.ALLOW: Status.OK, Verdict.DENY: Status.FOUND, Verdict.UNKNOWN: Status.UNKNOWN}[verdict]
        return Step(
            self._direction.word,
            _TITLES[self._direction],
            Status.FOUND if findings else status,
            self._checked(guarded),
            self._found(verdict, findings),
            sides=tuple(self._sides()),
            details=tuple(self._details(findings)),
            findings=findings,
            commands=tuple(self._commands(findings)),
        )

    def _not_asked(self, why: str) -> Step:
        title = _TITLES[self._direction]
        return Step(self._direction.word, title, Status.NOT_ASKED, "nothing", f"Not asked: {why}.")

    def _checked(self, guarded: Sequence[Pair]) -> str:
        names = list(dict.fromkeys(self._context.label(pair, self._direction)[0] for pair in guarded))
        policies = self._isolating(guarded)
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        if not policies:
            return f"{self._direction.word} rules of {names[0]}{more}: no policy isolates it"
        return f"{self._direction.word} rules of {names[0]}{more}, isolated by {', '.join(map(str, policies))}"

    def _isolating(self, guarded: Sequence[Pair]) -> list[PolicyRef]:
        found: dict[PolicyRef, None] = {}
        for pair in guarded:
            for traced in self._context.reference.explain(self._context.flow_of(pair)).pairs:
                side = traced.egress if self._direction is Direction.EGRESS else traced.ingress
                found.update(dict.fromkeys(side.isolating))
        return list(found)

    # Findings

    def _findings(self, verdict: Verdict) -> tuple[Finding, ...]:
        if verdict is Verdict.DENY and self._context.inquiry.expected is not Verdict.DENY:
            denied = [(p, o) for p, o in self._outcomes.items() if o.verdict is Verdict.DENY]
            found = {finding.cause: finding for finding in (self._denied(p, o) for p, o in reversed(denied))}
            return tuple(found.values())[::-1]
        if self._context.inquiry.expected is Verdict.DENY and self._context.verdict is Verdict.ALLOW:
            return self._allowed()
        return ()

    def _denied(self, pair: Pair, outcome: Outcome) -> Finding:
        """Tell why a direction denies: a rule that denies, one that was nearly right, or none at all."""
        rule = outcome.rule
        source, destination = self._context.label(pair, Direction.EGRESS)
        if outcome.reason is Reason.PROTOCOL_DENIED:
            sentence = f"The dataplane stops {protocol_name(pair.protocol)} before pods that are isolated."
            return Finding(Cause.PROTOCOL_DENIED, sentence, "Use TCP, UDP or SCTP to test.", rule)
        if rule is not None and rule.action is Action.DENY and rule.role in (Role.WRITTEN, Role.HABIT):
            to_do = "Narrow the rule, or put one that allows before it."
            return Finding(Cause.DENIED_BY_RULE, f"{rule} denies {source} to {destination}.", to_do, rule)
        near = [] if pair in self._by_service else NearMisses(self._context).of(pair, self._direction)
        likely = [one for one in near if one.strong]
        if likely:
            first = likely[0]
            return Finding(first.cause, f"{first.sentence}.", first.to_do, first.rule)
        self._near += near
        return self._generic(pair, outcome)

    def _generic(self, pair: Pair, outcome: Outcome) -> Finding:
        subject, peer = self._context.label(pair, self._direction)
        asked = protocol_name(pair.protocol) + ("" if pair.port is None else f" {pair.port}")
        isolated = f"; {outcome.rule.policy} isolates it" if outcome.rule is not None else ""
        if self._direction is Direction.INGRESS:
            sentence = f"No ingress rule of {subject} lets {peer} in on {asked}{isolated}."
            to_do = "Allow it at the destination."
        else:
            sentence = f"No egress rule of {subject} lets it out to {peer} on {asked}{isolated}."
            to_do = "Allow it at the source."
        manifest = opening(self._context, pair, self._direction, outcome)
        return Finding(_GENERIC[self._direction], sentence, to_do, outcome.rule, manifest, is_generic=True)

    def _allowed(self) -> tuple[Finding, ...]:
        """Tell what lets through what should be denied."""
        for pair, outcome in self._outcomes.items():
            subject, peer = self._context.label(pair, self._direction)
            if outcome.rule is not None:
                sentence = f"{outcome.rule} lets {peer} in at {subject}."
                if self._direction is Direction.EGRESS:
                    sentence = f"{outcome.rule} lets {subject} out to {peer}."
                return (Finding(Cause.ALLOWED_BY_RULE, sentence, "Narrow its selectors or its ports.", outcome.rule),)
        pair, outcome = next(iter(self._outcomes.items()))
        if outcome.reason is not Reason.NOT_ISOLATED:
            return ()
        subject, _ = self._context.label(pair, self._direction)
        namespace = subject.partition("/")[0]
        sentence = f"No policy isolates {subject} for {self._direction.word}, so everything is allowed there."
        to_do = f"Give namespace {namespace} a policy that denies by default, and allow what is needed."
        return (Finding(Cause.NOT_ISOLATED, sentence, to_do, is_generic=True),)

    # Words

    def _found(self, verdict: Verdict, findings: Sequence[Finding]) -> str:
        if findings:
            return findings[0].sentence
        allowing = [outcome.rule for outcome in self._outcomes.values() if outcome.rule is not None]
        if verdict is Verdict.UNKNOWN:
            return "Whether it is let through is not known."
        if verdict is Verdict.DENY:
            return "It is denied, as it should be."
        if allowing:
            return f"Let through by {allowing[0]}."
        return "Nothing stands in the way."

    def _sides(self) -> list[Side]:
        """Tell one pair of each outcome; the denied first."""
        found: dict[tuple[Reason, object], Side] = {}
        ordered = sorted(self._outcomes.items(), key=lambda item: _GRAVITY[item[1].verdict])
        for pair, outcome in ordered:
            side = Side(self._direction, *self._context.label(pair, self._direction), outcome)
            found.setdefault((outcome.reason, outcome.rule), side)
        return list(found.values())

    def _details(self, findings: Sequence[Finding]) -> list[str]:
        details = [f"Near, but for one thing: {near.sentence}." for near in self._near[:MOST_NEAR]]
        verdicts = {outcome.verdict for outcome in self._outcomes.values()}
        if len(verdicts) > 1:
            details.append("The pods that may be meant differ: some are let through, others are not.")
        return [*dict.fromkeys(details), *(finding.sentence for finding in findings[1:])]

    def _commands(self, findings: Sequence[Finding]) -> list[Command]:
        plugin = self._context.enforcement.plugin.name
        pair = next(iter(self._outcomes))
        source, destination = self._context.pod(pair.source), self._context.pod(pair.destination)
        guarded = self._context.pod(pair.subject(self._direction))
        found = commands.policies_in([guarded.namespace], plugin) if guarded else []
        deciding = (outcome.rule for outcome in self._outcomes.values())
        rules = [rule for rule in (*(finding.rule for finding in findings), *deciding) if rule is not None]
        policies = list(dict.fromkeys(rule.policy for rule in rules if rule.role is not Role.HABIT))
        found += [commands.described(policy, plugin) for policy in policies[:2]]
        if worst(outcome.verdict for outcome in self._outcomes.values()) is not Verdict.ALLOW:
            found += commands.labels_of(self._context.pod(pair.peer(self._direction)))
        if self._direction is Direction.INGRESS:
            found += commands.drops(plugin, source, destination, pair.port, pair.protocol)
            found += [self._dial(pair)] if source else []
        return found

    def _dial(self, pair: Pair) -> Command:
        source = self._context.cluster.pods[pair.source]
        service, inquiry = self._context.inquiry.destination.service, self._context.inquiry
        if service is not None and service.addresses:
            host = f"{service.name}.{service.namespace}"
            return commands.dial(source, host, inquiry.port, inquiry.protocol)
        return commands.dial(source, str(pair.destination_address or "ADDRESS"), pair.port, pair.protocol)


_GRAVITY = {Verdict.DENY: 0, Verdict.UNKNOWN: 1, Verdict.ALLOW: 2}
