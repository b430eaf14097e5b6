"""The report of `explain`: how the verdict of one flow comes about."""

from __future__ import annotations

from dataclasses import dataclass

from ..model.flows import End, Outcome, Reason, Verdict
from ..model.policy import Direction, Role
from ..model.trace import Consideration, Dependence, DirectionTrace, Match, PairTrace, Trace
from .fixes import fixes
from .groups import judgement_json, outcome_json
from .structure import Entry, Line, Report, Section, Span, Tone, faint, join, line, strong, verdict_span
from .words import (
    count,
    outcome_words,
    part_of,
    protocol_json,
    protocol_port,
    rule_line,
    tinted,
    where,
    words_of,
)

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
    told = [
        line(f"{direction.word}: {outcome_words(judgement.outcome(direction), direction)}")
        for direction in Direction
        if judgement.verdict is Verdict.ALLOW or judgement.outcome(direction).verdict is not Verdict.ALLOW
    ]
    unique = told[:1] if judgement.egress == judgement.ingress else told
    if len(unique) < len(told):
        unique = [line(outcome_words(judgement.egress, Direction.EGRESS))]
    return line(verdict_span(judgement.verdict), "  ", *join(unique, "; "))


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
    if trace.isolating:
        items.append(_isolating(trace))
    items += [_consideration(considered, outcome) for considered in trace.considered]
    if outcome.rule is None or outcome.verdict is not Verdict.ALLOW:
        items.append(line("-> ", tinted(outcome_words(outcome, trace.direction), outcome.verdict)))
    return Section(title, tuple(items))


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
    word = "denies" if decides and outcome.verdict is Verdict.DENY else "allows" if decides else considered.match.word
    tone = verdict_span(outcome.verdict).tone if decides else MATCH_TONES[considered.match]
    heading = line(Span(f"{word:<6}", tone), "  ", *rule_line(rule))
    if rule.role is Role.ISOLATION:
        return Entry(heading)
    halves = ((considered.peer, "peer"), (considered.ports, "ports"), (Match.MAYBE, "rule"))
    parts = considered.why.split("; ", len(halves) - 1)
    return Entry(
        heading,
        tuple((f"{label:<5}  {match.word}", line(part)) for (match, label), part in zip(halves, parts, strict=False)),
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


def _direction_json(trace: DirectionTrace) -> dict[str, object]:
    return {
        **outcome_json(trace.outcome),
        "meaning": words_of(Reason(trace.outcome.reason), trace.direction),
        "subject": trace.subject,
        "peer": trace.peer,
        "isolated_by": [str(policy) for policy in trace.isolating],
        "considered": [
            {
                "policy": str(considered.rule.policy),
                "rule": part_of(considered.rule),
                "file": considered.rule.place.file,
                "line": considered.rule.place.line or None,
                "peer": considered.peer.word,
                "ports": considered.ports.word,
                "match": considered.match.word,
                "why": considered.why,
            }
            for considered in trace.considered
        ],
    }
