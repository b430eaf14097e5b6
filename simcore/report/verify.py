"""The report of `verify`: how far our verdicts are those of the dataplane, and why they differ where they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ..model.flows import Verdict
from ..model.schema import MID_STREAM, REQUEST
from ..model.verification import Disagreement, Recorded, Suspicion
from .groups import example_json, example_words, judgement_json
from .stateful import state_json, state_notes
from .structure import (
    Choice,
    Column,
    Entry,
    Line,
    Member,
    Report,
    Section,
    Span,
    Table,
    Tone,
    faint,
    line,
    strong,
    unbroken,
    verdict_span,
)
from .words import count, moment, outcome_line, protocol_json, protocol_port, share, telling, tinted

if TYPE_CHECKING:
    from ..analyses.verify import SideCounts, VerifyResult

HEADLINES = {
    Suspicion.POD_UNKNOWN: "the cluster does not hold the pod that the record names",
    Suspicion.ADDRESS_UNKNOWN: "an address that could decide is not known",
    Suspicion.NAME_UNRESOLVED: "nothing tells what {about} stood for",
    Suspicion.POLICY_MISSING: "{about} decided, and is not in the set",
    Suspicion.POLICY_CHANGED: "{about} decided, and decides otherwise now",
    Suspicion.POLICY_NEWER: "{about} decides here, and is not recorded to have decided",
    Suspicion.ISOLATION_MISSING: "denied by default, and no policy of the set isolates the pod",
    Suspicion.MID_STREAM: "the opening is not in the capture",
    Suspicion.REPLY: "these look like answers whose requests are not in the capture",
    Suspicion.REQUEST: "a proxy judged requests otherwise{by_about}",
    Suspicion.AUDIT: "let through in audit mode, recorded as what policies deny",
    Suspicion.UNDECIDED: "we do not know: {about}",
    Suspicion.OTHER: "no cause found",
}
"""What each suspicion says, in words; `headline` fills in what it is about."""

ADVICE = {
    Suspicion.POD_UNKNOWN: "It was gone, or not there yet, when the cluster was dumped. Take a dump of the time of the "
    "capture.",
    Suspicion.ADDRESS_UNKNOWN: "Dump the cluster's pods with their addresses, as kubectl get pods -A -o json does.",
    Suspicion.NAME_UNRESOLVED: "Capture DNS answers too, or say with --dns what the name stands for.",
    Suspicion.POLICY_MISSING: "It was removed or renamed since, or not loaded. Load the policies of the time of the "
    "capture.",
    Suspicion.POLICY_CHANGED: "It was changed since. Load it as it was, or leave out flows from before the change.",
    Suspicion.POLICY_NEWER: "It may be newer than these flows, or was not in force yet. Compare when it was made with "
    "their times.",
    Suspicion.ISOLATION_MISSING: "Denials by default name no policy. One that isolates the pod was removed, or not "
    "loaded; or enforcement is always on.",
    Suspicion.MID_STREAM: "The connection may be older than the policies. A capture that begins earlier tells.",
    Suspicion.REPLY: "Where answers are rows of their own, --stateful gives them the verdict of what they answer.",
    Suspicion.REQUEST: "URLs and headers may be redacted in the capture, or the rules for requests were others.",
    Suspicion.AUDIT: "The policies that deny it may not be loaded. See what is recorded below.",
    Suspicion.UNDECIDED: "Flows that are judged UNKNOWN count as not agreeing.",
    Suspicion.OTHER: "flowverdict explain shows every rule that such a connection meets.",
}
"""What to do about each suspicion."""

_MEANS = {Verdict.ALLOW: "allowed", Verdict.DENY: "denied"}


def verify(result: VerifyResult, limit: int) -> Report:
    """Make the report: agreement by side, then every cause with the flows that it is suspected of."""
    causes = _causes(result.disagreements)
    sections = [Section((), (_counts(result),))]
    if causes:
        sections.append(
            Section(line(strong("Causes suspected"), ", most flows first"), (_cause_table(result, causes),))
        )
    if result.missing:
        title = line(strong("Policies that the record names"), " and the set does not hold")
        sections.append(Section(title, (_missing_table(result),)))
    for cause in causes:
        sections += _cause_section(cause, limit)
    return Report(
        title=line(f"{count(result.flows, 'flow')} verified"),
        summary=(_summary(result),),
        sections=tuple(sections),
        notes=tuple(_notes(result)),
    )


def headline(suspicion: Suspicion, about: str) -> str:
    """Say a suspicion in words."""
    by_about = f" than {about} does" if about else ""
    return HEADLINES[suspicion].format(about=about, by_about=by_about)


def _causes(found: Sequence[Disagreement]) -> list[tuple[Disagreement, ...]]:
    """Part disagreements by their causes; they come in the order of those."""
    return [tuple(each) for _, each in groupby(found, key=lambda each: (each.suspicion, each.about))]


def _summary(result: VerifyResult) -> Line:
    flows = count(result.comparable, "flow")
    if result.agrees:
        return line("We agree with the dataplane on ", Span(f"every one of {flows}", Tone.GOOD), ": 100%.")
    parts = []
    if result.opposite:
        parts.append(f"{result.opposite:,} {'is' if result.opposite == 1 else 'are'} judged otherwise")
    if result.undecided:
        parts.append(f"{result.undecided:,} {'is' if result.undecided == 1 else 'are'} not known to us")
    agreement = share(result.agreeing, result.comparable)
    return line("We agree with the dataplane on ", strong(agreement), f" of {flows}: ", ", ".join(parts), ".")


def _counts(result: VerifyResult) -> Table:
    columns = [Column("recorded"), Column("flows", True)]
    columns += [Column(verdict.name, True) for verdict in Verdict]
    rows = [row for side in result.sides for row in _side_rows(side)]
    return Table((*columns, Column("agreement", True)), tuple(rows))


def _side_rows(side: SideCounts) -> Iterator[tuple[Line, ...]]:
    name = "flow" if side.side is None else side.side.word
    for recorded, word in _MEANS.items():
        numbers = {ours: side.flows.get((recorded, ours), 0) for ours in Verdict}
        flows = sum(numbers.values())
        if flows:
            yield (
                line(f"{name} {word}"),
                line(f"{flows:,}"),
                *(_number(number, ours is recorded) for ours, number in numbers.items()),
                line(share(numbers[recorded], flows)),
            )


def _number(number: int, agrees: bool) -> Line:
    return line(Span(f"{number:,}", Tone.PLAIN if agrees or not number else Tone.BAD))


def _cause_table(result: VerifyResult, causes: Sequence[Sequence[Disagreement]]) -> Choice:
    """List the causes; where there is little room without their meanings, which head the sections."""
    rows = []
    for cause in causes:
        flows, first = sum(each.flows for each in cause), cause[0]
        what = line(headline(first.suspicion, first.about))
        rows.append((line(str(first.suspicion)), line(f"{flows:,}"), line(share(flows, result.comparable)), what))
    columns = (Column("cause"), Column("flows", True), Column("share", True), Column("meaning"))
    brief = Table(columns[:3], tuple(row[:3] for row in rows))
    return Choice(Table(columns, tuple(rows)), (brief,))


def _missing_table(result: VerifyResult) -> Table:
    rows = tuple(
        (line(policy.name), line(f"{policy.flows:,}"), line(f"{policy.disagreeing:,}")) for policy in result.missing
    )
    return Table((Column("policy"), Column("flows", True), Column("judged otherwise", True)), rows)


def _cause_section(cause: Sequence[Disagreement], limit: int) -> list[Section]:
    """Show a cause: what to do about it, then at most `limit` pairs, those with the same verdicts together."""
    first, flows = cause[0], sum(each.flows for each in cause)
    title = line(tinted(str(first.suspicion), first.verdict), f": {headline(first.suspicion, first.about)}")
    shown = cause[:limit]
    fates: dict[tuple[object, ...], list[Disagreement]] = {}
    for each in shown:
        fates.setdefault(_fate(each), []).append(each)
    sections = [Section(title, (line(faint(ADVICE[first.suspicion])), *map(_entry, fates.values())))]
    if hidden := len(cause) - len(shown):
        left = flows - sum(each.flows for each in shown)
        more = f"... and {count(hidden, 'more pair')} with {count(left, 'flow')} (--limit)"
        sections.append(Section((), (line(more),)))
    return sections


def _fate(each: Disagreement) -> tuple[object, ...]:
    """Return what was recorded and what we say."""
    side = each.recorded.side
    ours = (each.ours.egress, each.ours.ingress) if side is None else (each.ours.outcome(side),)
    return each.recorded, each.ours.verdict if side is None else None, *ours


def _entry(found: Sequence[Disagreement]) -> Entry:
    first = found[0]
    fields = [("recorded", _recorded(first.recorded)), *_ours(first)]
    flows = count(sum(each.flows for each in found), _noun(first.recorded))
    heading = line(strong(flows), f" between {count(len(found), 'pair')}")
    return Entry(heading, tuple(fields), tuple(map(_pair, found)))


def _noun(recorded: Recorded) -> str:
    return recorded.record if recorded.record == REQUEST else "flow"


def _recorded(recorded: Recorded) -> Line:
    side = "" if recorded.side is None else f"{recorded.side.word}: "
    reason = f" ({recorded.reason})" if recorded.reason else ""
    verdict = Span(recorded.verdict.name, verdict_span(recorded.verdict).tone)
    said = line(verdict, f"  {side}{recorded.word}{reason}")
    return line(*said, " by ", strong(", ".join(recorded.policies))) if recorded.policies else said


def _ours(found: Disagreement) -> list[tuple[str, Line]]:
    side = found.recorded.side
    sides = telling(found.ours) if side is None else (side,)
    outcomes = [outcome_line(found.ours.outcome(each), each) for each in sides]
    verdict = verdict_span(found.verdict)
    return [("ours", line(verdict, "  ", *outcomes[0])), *(("", outcome) for outcome in outcomes[1:])]


def _pair(found: Disagreement) -> Member:
    name = unbroken(protocol_port(found.protocol, found.port))
    who = line(strong(f"{found.source} -> {found.destination}"), f"  {name}")
    time = found.example.time
    when = "" if time is None else f", {unbroken(f'{moment(time)} UTC')}"
    return Member(f"{found.flows:,}", (who, line(faint(f"{example_words(found.example)}{when}"))))


def _notes(result: VerifyResult) -> Iterator[Line]:
    if result.not_compared:
        left_out = [f"{flows:,} {_untold_words(word)}" for word, flows in result.not_compared.items()]
        yield line(f"{count(result.flows - result.comparable, 'flow')} not compared: ", ", ".join(left_out), ".")
    if result.audited:
        yield line(f"{count(result.audited, 'flow')} let through in audit mode, which counts as denied by policy.")
    if result.state is not None:
        yield from state_notes(result.state)


def _untold_words(word: str) -> str:
    """Say what is recorded in place of a verdict that policies have a part in."""
    if word == MID_STREAM:
        return "whose opening is not in the capture"
    return f"recorded as {word}" if word else "without a recorded verdict"


def verify_json(result: VerifyResult) -> dict[str, object]:
    """Make the JSON of `verify --format json`."""
    state = {} if result.state is None else {"stateful": state_json(result.state)}
    return {
        "flows": result.flows,
        "comparable": result.comparable,
        "agreeing": result.agreeing,
        "opposite": result.opposite,
        "undecided": result.undecided,
        "agreement": result.agreeing / result.comparable if result.comparable else None,
        "audited": result.audited,
        "not_compared": [{"word": word or None, "flows": flows} for word, flows in result.not_compared.items()],
        "sides": {_side_name(side): _side_json(side) for side in result.sides},
        "missing_policies": [
            {"policy": policy.name, "flows": policy.flows, "disagreeing": policy.disagreeing}
            for policy in result.missing
        ],
        **state,
        "causes": [_cause_json(cause) for cause in _causes(result.disagreements)],
    }


def _side_name(side: SideCounts) -> str:
    return "flow" if side.side is None else side.side.word


def _side_json(side: SideCounts) -> dict[str, object]:
    recorded = {
        word: {ours.word: side.flows.get((verdict, ours), 0) for ours in Verdict} for verdict, word in _MEANS.items()
    }
    return {"comparable": side.comparable, "agreeing": side.agreeing, "recorded": recorded}


def _cause_json(cause: Sequence[Disagreement]) -> dict[str, object]:
    first = cause[0]
    return {
        "cause": str(first.suspicion),
        "about": first.about or None,
        "meaning": headline(first.suspicion, first.about),
        "advice": ADVICE[first.suspicion],
        "flows": sum(each.flows for each in cause),
        "groups": [_group_json(each) for each in cause],
    }


def _group_json(found: Disagreement) -> dict[str, object]:
    recorded = found.recorded
    return {
        "source": found.source,
        "destination": found.destination,
        "protocol": protocol_json(found.protocol),
        "port": found.port,
        "flows": found.flows,
        "side": "flow" if recorded.side is None else recorded.side.word,
        "recorded": {
            "verdict": recorded.verdict.word,
            "word": recorded.word,
            "reason": recorded.reason or None,
            "policies": list(recorded.policies),
            "record": recorded.record or None,
        },
        "ours": judgement_json(found.ours),
        "example": example_json(found.example),
    }
