"""The report of `diagnose`: what each step found, and what it comes to."""

from __future__ import annotations

from ..advice.diagnosis import Cause, Command, Diagnosis, Finding, Inquiry, Side, Status, Step
from ..model.flows import Verdict
from ..model.policy import Direction
from .fixes import fixes
from .groups import outcome_json
from .manifests import manifest_yaml
from .structure import Line, Report, Section, Span, Tone, faint, line, strong, unbroken, verdict_span
from .words import outcome_words, part_of, protocol_json, protocol_port, rule_line, tinted

_TONES = {Status.OK: Tone.GOOD, Status.FOUND: Tone.BAD, Status.UNKNOWN: Tone.DOUBT, Status.NOT_ASKED: Tone.FAINT}
_WORDS = {Status.OK: "OK", Status.FOUND: "FOUND", Status.UNKNOWN: "UNKNOWN", Status.NOT_ASKED: "not asked"}
_EXPECTED = {Verdict.ALLOW: "  (should work)", Verdict.DENY: "  (should not work)"}


def diagnosis(result: Diagnosis, inquiry: Inquiry) -> Report:
    """Make the report: the likeliest cause first, then the steps it comes from, each with commands to confirm it.

    Parameters
    ----------
    result : Diagnosis
    inquiry : Inquiry
        The question.
    """
    asked = f"{inquiry.source.text} -> {inquiry.destination.text}  {protocol_port(inquiry.protocol, inquiry.port)}"
    expected = _EXPECTED.get(inquiry.expected, "") if inquiry.expected is not None else ""
    steps = [_step(number, step) for number, step in enumerate(result.steps, 1)]
    taken = [line(f"Port {inquiry.reason}.")] if inquiry.reason else []
    return Report(
        title=line(asked, expected),
        summary=(*taken, line(verdict_span(result.verdict), "  by the policies as they are")),
        sections=(*steps, *_conclusion(result)),
    )


def _step(number: int, step: Step) -> Section:
    title = line(strong(f"{number}. {step.title} "), Span(unbroken(_WORDS[step.status]), _TONES[step.status]))
    if step.status is Status.NOT_ASKED:
        found = step.found.removeprefix("Not asked: ")
        return Section(title, (line(found[:1].upper() + found[1:]), *_commands(step)))
    items = [line(step.found), line(faint("checked: "), step.checked)]
    items += [line(faint("why: "), *_side(side)) for side in step.sides if side.outcome.verdict is not Verdict.ALLOW]
    told = {side.outcome.rule for side in step.sides}
    rules = dict.fromkeys(finding.rule for finding in (*step.findings, *step.hints) if finding.rule)
    items += [line(faint("rule: "), *rule_line(rule)) for rule in rules if rule not in told]
    items += [line(faint("also: "), detail) for detail in step.details]
    return Section(title, (*items, *_commands(step)))


def _side(side: Side) -> Line:
    words = outcome_words(side.outcome, side.direction)
    rule = side.outcome.rule
    parts: list[str | Span] = [f"{side.direction.word} of {side.subject}: ", tinted(words, side.outcome.verdict)]
    if rule is not None:
        parts += [" - ", *rule_line(rule)]
    return line(*parts)


def _commands(step: Step) -> list[Line]:
    """Write commands each on a line of its own, to be copied; where all is well, the first one will do."""
    shown = step.commands if step.status in (Status.FOUND, Status.UNKNOWN) else step.commands[:1]
    return [row for command in shown for row in _command(command)]


def _command(command: Command) -> tuple[Line, Line]:
    return line(faint(f"# {command.purpose}")), line(unbroken(f"$ {command.line}"))


def _conclusion(result: Diagnosis) -> list[Section]:
    conclusion = result.conclusion
    tone = Tone.GOOD if conclusion.is_fine else Tone.DOUBT if conclusion.cause is Cause.UNKNOWN else Tone.BAD
    head = line(strong("Conclusion: "), Span(str(conclusion.cause), tone))
    items: list[Line] = [line(conclusion.sentence)]
    items += [line(faint("why: "), text) for text in _doubts(result)]
    items += [line(strong("To do: "), text) for text in _to_do(result)]
    sections = [Section(head, tuple(items))]
    if conclusion.manifest is not None:
        text = manifest_yaml(dict(conclusion.manifest)).splitlines()
        sections.append(Section(line(strong("What would mend it")), tuple(line(unbroken(row)) for row in text)))
    if conclusion.others:
        others = tuple(line(f"- {finding.cause}: {finding.sentence}") for finding in conclusion.others)
        sections.append(Section(line(strong("Found as well")), others))
    return sections


def _to_do(result: Diagnosis) -> tuple[str, ...]:
    """Say what to do: of a doubt, what would settle it."""
    if result.conclusion.cause is Cause.UNKNOWN and result.judgement is not None:
        return fixes(result.judgement) or (result.conclusion.to_do,)
    return (result.conclusion.to_do,)


def _doubts(result: Diagnosis) -> list[str]:
    """Say why nothing is known of the connection as a whole."""
    if result.conclusion.cause is not Cause.UNKNOWN or result.judgement is None:
        return []
    outcomes = [(direction, result.judgement.outcome(direction)) for direction in Direction]
    doubts = [
        outcome_words(outcome, direction) for direction, outcome in outcomes if outcome.verdict is Verdict.UNKNOWN
    ]
    return list(dict.fromkeys(doubts))


def diagnosis_json(result: Diagnosis, inquiry: Inquiry) -> dict[str, object]:
    """Make the JSON of `diagnose --format json`."""
    conclusion = result.conclusion
    return {
        "from": inquiry.source.text,
        "to": inquiry.destination.text,
        "port": inquiry.port,
        "protocol": protocol_json(inquiry.protocol),
        "port_taken": inquiry.reason or None,
        "expected": None if inquiry.expected is None else inquiry.expected.word,
        "verdict": result.verdict.word,
        "cause": str(conclusion.cause),
        "sentence": conclusion.sentence,
        "to_do": list(_to_do(result)),
        "manifest": None if conclusion.manifest is None else manifest_yaml(dict(conclusion.manifest)),
        "others": [_finding_json(finding) for finding in conclusion.others],
        "steps": [_step_json(step) for step in result.steps],
    }


def _step_json(step: Step) -> dict[str, object]:
    return {
        "step": step.name,
        "title": step.title,
        "status": str(step.status),
        "checked": step.checked,
        "found": step.found,
        "directions": [_side_json(side) for side in step.sides],
        "details": list(step.details),
        "findings": [_finding_json(finding) for finding in step.findings],
        "hints": [_finding_json(finding) for finding in step.hints],
        "commands": [{"purpose": command.purpose, "command": command.line} for command in step.commands],
    }


def _side_json(side: Side) -> dict[str, object]:
    return {
        "direction": side.direction.word,
        "subject": side.subject,
        "peer": side.peer,
        **outcome_json(side.outcome),
        "meaning": outcome_words(side.outcome, side.direction),
    }


def _finding_json(finding: Finding) -> dict[str, object]:
    rule = finding.rule
    return {
        "cause": str(finding.cause),
        "sentence": finding.sentence,
        "to_do": finding.to_do,
        "policy": None if rule is None else str(rule.policy),
        "rule": None if rule is None else part_of(rule),
        "file": None if rule is None else rule.place.file,
        "line": None if rule is None else rule.place.line or None,
        "manifest": None if finding.manifest is None else manifest_yaml(dict(finding.manifest)),
    }
