"""The report of `explain`: how the verdict of one flow comes about."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.flows import End, Outcome, Reason, Verdict
from ..model.match import Match
from ..model.policy import Action, Direction, Role, Rule
from ..model.trace import Consideration, Dependence, DirectionTrace, PairTrace, Trace
from .fixes import fixes
from .groups import judgement_json, outcome_json
from .structure import (
    UNBROKEN,
    Entry,
    Line,
    Report,
    Section,
    Span,
    Tone,
    faint,
    join,
    line,
    strong,
    unbroken,
    verdict_span,
)
from .words import (
    count,
    order_of,
    outcome_words,
    part_of,
    protocol_json,
    protocol_port,
    request_json,
    rule_line,
    step_words,
    tinted,
    where,
    words_of,
)

ACTION_WORDS = {Action.ALLOW: "allows", Action.DENY: "denies", Action.PASS: "passes"}
ACTION_TONES = {Action.ALLOW: Tone.GOOD, Action.DENY: Tone.BAD, Action.PASS: Tone.STRONG}
STEP_LENGTH = 70
_PROXIES = {
    "http": "HTTP proxy",
    "dns": "DNS proxy",
    "tls": "TLS proxy",
    "kafka": "Kafka proxy",
    "listener": "listener that the rule names",
}
NOTHING_DECIDES = "no rule decides, so it is allowed"
MATCH_TONES = {Match.YES: Tone.GOOD, Match.MAYBE: Tone.DOUBT, Match.NO: Tone.FAINT}


@dataclass(frozen=True, slots=True)
class Others:
    """What becomes of the pods that are not shown: how they differ, or that they do not."""

    differences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


ALONE = Others()


def explain(trace: Trace, source: str, destination: str, others: Others = ALONE) -> Report:
    """Make the report: the verdict, each direction's rules, what it rests on, and what would change it.

    Parameters
    ----------
    trace : Trace
        How the verdict came about.
    source, destination : str
        The ends as they were asked for.
    others : Others
        What becomes of the other pods, where a workload stands for several.
    """
    judgement = trace.judgement
    asked = f"{source} -> {destination}  {protocol_port(trace.flow.protocol, trace.flow.port)}"
    if trace.flow.request is not None:
        asked += f"  {trace.flow.request}"
    told = _told(trace)
    sections = [section for pair in told for section in _pair_sections(pair, alone=len(told) == 1)]
    if left := len(trace.pairs) - len(told):
        more = f"{count(left, 'more pair')} came out the same way, by the same rules"
        sections.append(Section((), (line(more),)))
    if trace.depends_on:
        items = tuple(map(_dependence, trace.depends_on))
        sections.append(Section(line(strong("Rests on"), " what the API leaves to the dataplane:"), items))
    if advice := fixes(judgement):
        title = "What would allow it" if judgement.verdict is Verdict.DENY else "What would settle it"
        sections.append(Section(line(strong(title)), tuple(line(f"- {text}") for text in advice)))
    return Report(
        title=line(asked),
        summary=(_answer(trace),),
        sections=tuple(sections),
        warnings=tuple(map(line, others.differences)),
        notes=tuple(map(line, others.notes)),
    )


def _told(trace: Trace) -> tuple[PairTrace, ...]:
    """Choose the pairs to tell: the first of each outcome; a Service's backends are mostly alike."""
    return tuple({(p.egress.outcome, p.ingress.outcome): p for p in reversed(trace.pairs)}.values())[::-1]


def _answer(trace: Trace) -> Line:
    judgement = trace.judgement
    words = {direction: _reason_words(trace, direction) for direction in Direction}
    told = [
        line(f"{direction.word}: {words[direction]}")
        for direction in Direction
        if judgement.verdict is Verdict.ALLOW or judgement.outcome(direction).verdict is not Verdict.ALLOW
    ]
    usual = outcome_words(judgement.egress, Direction.EGRESS)
    if judgement.egress == judgement.ingress and NOTHING_DECIDES not in words.values():
        told = [line(usual)]
    return line(verdict_span(judgement.verdict), "  ", *join(told, "; "))


def _reason_words(trace: Trace, direction: Direction) -> str:
    """Say why one direction of all pairs together came out as it did."""
    outcome = trace.judgement.outcome(direction)
    sides = [pair.egress if direction is Direction.EGRESS else pair.ingress for pair in trace.pairs]
    found = dict.fromkeys(_why(outcome, side) for side in sides if side.outcome.reason is outcome.reason)
    return next(iter(found)) if len(found) == 1 else outcome_words(outcome, direction)


def _pair_sections(pair: PairTrace, alone: bool) -> list[Section]:
    sections = []
    if not alone:
        port = "" if pair.port is None else f" port {pair.port}"
        head = line(strong(f"{pair.source} -> {pair.destination}{port}: "), verdict_span(pair.verdict))
        sections.append(Section(head, ()))
    if pair.service:
        reached = f"{pair.service} leads to {pair.destination}"
        sections.append(Section((), (line(reached if pair.port is None else f"{reached}, port {pair.port}"),)))
    return [*sections, _direction(pair.egress), _direction(pair.ingress)]


def _direction(trace: DirectionTrace) -> Section:
    outcome = trace.outcome
    preposition = "from" if trace.direction is Direction.EGRESS else "into"
    title = line(
        strong(f"{trace.direction.word.capitalize()}"),
        f" {preposition} {trace.subject}: ",
        verdict_span(outcome.verdict),
    )
    items: list[Line | Entry] = []
    if trace.chain:
        items.append(_chain(trace))
    if trace.isolating:
        items.append(_isolating(trace))
    items += [_consideration(considered, outcome) for considered in trace.considered]
    if outcome.rule is None or outcome.verdict is not Verdict.ALLOW:
        items.append(line("-> ", tinted(_why(outcome, trace), outcome.verdict)))
    if trace.proxy:
        items.append(line(f"The connection goes through the {_PROXIES[trace.proxy]}."))
    return Section(title, tuple(items))


def _chain(trace: DirectionTrace) -> Line:
    """Say in one line what becomes of a packet, tier by tier."""
    spans: list[Span] = []
    for before, step in zip((None, *trace.chain), trace.chain, strict=False):
        if before is not None:
            spans += [Span(" "), Span(unbroken("ties with " if _tie(before.rule, step.rule) else "-> "))]
        spans += _step(step)
    if trace.outcome.verdict is Verdict.ALLOW and trace.outcome.rule is None:
        spans += [Span(" "), Span(unbroken("-> no other rule: ")), Span("allow", Tone.GOOD)]
    return tuple(spans)


def _step(step: Consideration) -> Line:
    """Write one step of the chain; on one line, with its place too unless that is long."""
    name, action = unbroken(step_words(step.rule)), step.rule.action
    word = f"may {action}" if step.match is Match.MAYBE else str(action)
    place = f"({where(step.rule)})"
    blank = UNBROKEN if len(name) + len(word) + len(place) <= STEP_LENGTH else " "
    return line("[", strong(name), "]", UNBROKEN, Span(unbroken(word), ACTION_TONES[action]), blank, faint(place))


def _tie(one: Rule, other: Rule) -> bool:
    """Whether nothing says which of two rules is asked first."""
    return one.tie is not None and (one.tier, one.tie) == (other.tier, other.tie) and one.policy != other.policy


def _why(outcome: Outcome, trace: DirectionTrace) -> str:
    """Say why a direction has its verdict; where rules were asked in vain, policies do apply."""
    if outcome.reason is Reason.NOT_ISOLATED and trace.considered:
        return NOTHING_DECIDES
    return outcome_words(outcome, trace.direction)


def _isolating(trace: DirectionTrace) -> Line:
    """Name the policies that isolate, and their places where they were looked at."""
    isolation = {c.rule.policy: c.rule for c in trace.considered if c.rule.role is Role.ISOLATION}
    names = [
        line(str(policy), faint(f" ({where(isolation[policy])})") if policy in isolation else "")
        for policy in trace.isolating
    ]
    return line("isolated by ", *join(names, ", "))


def _consideration(considered: Consideration, outcome: Outcome) -> Entry:
    rule = considered.rule
    decides = rule == outcome.rule and outcome.verdict is not Verdict.UNKNOWN
    does = decides or (rule.action is Action.PASS and considered.match is Match.YES)
    word = ACTION_WORDS[rule.action] if does else considered.match.word
    tone = ACTION_TONES[rule.action] if does else MATCH_TONES[considered.match]
    heading = line(Span(f"{word:<6}", tone), "  ", *rule_line(rule))
    if rule.role is Role.ISOLATION:
        return Entry(heading)
    told = [(considered.peer, "peer"), (considered.ports, "ports")]
    if considered.request is not None:
        told.append((considered.request, "L7"))
    told.append((Match.MAYBE, "rule"))
    parts = considered.why.split("; ", len(told) - 1)
    return Entry(
        heading,
        tuple((f"{label:<5}  {match.word}", line(part)) for (match, label), part in zip(told, parts, strict=False)),
    )


def _dependence(dependence: Dependence) -> Line:
    return line(
        f"- {dependence.setting}={dependence.current}; with --set {dependence.setting}={dependence.word} "
        "the verdict would be ",
        verdict_span(dependence.verdict),
        faint(f" ({dependence.number})"),
    )


def explain_json(trace: Trace, source: str, destination: str, others: Others = ALONE) -> dict[str, object]:
    """Make the JSON of `explain --format json`."""
    return {
        "from": source,
        "to": destination,
        "port": trace.flow.port,
        "protocol": protocol_json(trace.flow.protocol),
        "flow": {"source": _end_json(trace.flow.source), "destination": _end_json(trace.flow.destination)},
        **({} if trace.flow.request is None else {"request": request_json(trace.flow.request)}),
        **judgement_json(trace.judgement),
        "sources": list(trace.sources),
        "destinations": list(trace.destinations),
        "pairs": [_pair_json(pair) for pair in trace.pairs],
        "depends_on": [
            {
                "setting": dependence.setting,
                "number": dependence.number,
                "current": dependence.current,
                "word": dependence.word,
                "verdict": dependence.verdict.word,
            }
            for dependence in trace.depends_on
        ],
        "to_do": list(fixes(trace.judgement)),
        "differences": list(others.differences),
        "notes": list(others.notes),
    }


def _end_json(end: End) -> dict[str, object]:
    return {"address": None if end.address is None else str(end.address), "pod": end.pod}


def _pair_json(pair: PairTrace) -> dict[str, object]:
    return {
        "source": pair.source,
        "destination": pair.destination,
        "port": pair.port,
        "service": pair.service,
        "verdict": pair.verdict.word,
        "egress": _direction_json(pair.egress),
        "ingress": _direction_json(pair.ingress),
    }


def _order_json(rule: Rule) -> float | int | None:
    order = order_of(rule)
    return int(order) if order is not None and order.is_integer() else order


def _direction_json(trace: DirectionTrace) -> dict[str, object]:
    return {
        **outcome_json(trace.outcome),
        "meaning": words_of(Reason(trace.outcome.reason), trace.direction),
        "subject": trace.subject,
        "peer": trace.peer,
        **({"proxy": trace.proxy} if trace.proxy else {}),
        "isolated_by": [str(policy) for policy in trace.isolating],
        "chain": [
            {
                "tier": step.rule.tier.name,
                "order": _order_json(step.rule),
                "policy": str(step.rule.policy),
                "index": step.rule.index if step.rule.role is Role.WRITTEN else None,
                "name": step.rule.name or None,
                "action": str(step.rule.action),
                "match": step.match.word,
                "file": step.rule.place.file,
                "line": step.rule.place.line or None,
            }
            for step in trace.chain
        ],
        "considered": [
            {
                "policy": str(considered.rule.policy),
                "rule": part_of(considered.rule),
                "file": considered.rule.place.file,
                "line": considered.rule.place.line or None,
                "peer": considered.peer.word,
                "ports": considered.ports.word,
                **({} if considered.request is None else {"request": considered.request.word}),
                "match": considered.match.word,
                "why": considered.why,
            }
            for considered in trace.considered
        ],
    }
