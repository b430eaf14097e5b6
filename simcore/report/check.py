"""The report of `check`: which expectations hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from ..errors import Place
from ..model.flows import Judgement, Outcome, Verdict
from ..model.policy import Direction
from ..model.requests import Request
from .fixes import fixes
from .structure import Entry, Line, Report, Section, Span, Tone, line, strong
from .words import (
    count,
    judgement_fields,
    outcome_words,
    part_of,
    protocol_json,
    protocol_port,
    request_json,
    telling,
    where,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question of a test file.

    Attributes
    ----------
    expect : Verdict or None
        ALLOW or DENY; None where the file expects nothing.
    place : Place
        Where it was written.
    request : Request or None
        What the connection carries.
    """

    source: str
    destination: str
    port: int | None
    protocol: int
    expect: Verdict | None
    place: Place
    request: Request | None = None

    def __str__(self) -> str:
        """Write as ``shop/web -> shop/db TCP 5432``."""
        asked = f"{self.source} -> {self.destination} {protocol_port(self.protocol, self.port)}"
        return asked if self.request is None else f"{asked} {self.request}"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """A question and its answer; `details` tells more where several pods are meant."""

    check: Check
    judgement: Judgement
    details: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the answer is the expected one; a question without expectation passes."""
        return self.check.expect is None or self.check.expect is self.judgement.verdict


def failures(results: Sequence[CheckResult]) -> int:
    """Count the expectations that do not hold."""
    return sum(not result.passed for result in results)


def check(results: Sequence[CheckResult]) -> Report:
    """Make the report: every failure with its reason, and a line for each test."""
    failed = failures(results)
    passed = len(results) - failed
    summary = line(
        Span(f"{passed:,} passed", Tone.GOOD if passed else Tone.PLAIN),
        ", ",
        Span(f"{failed:,} failed", Tone.BAD if failed else Tone.PLAIN),
    )
    sections = [Section((), tuple(map(_entry, results)))] if results else []
    return Report(line(count(len(results), "test")), sections=(*sections, Section((), (summary,))))


def _entry(result: CheckResult) -> Entry:
    asked, judgement = result.check, result.judgement
    tone = Tone.BAD if not result.passed else Tone.GOOD if asked.expect is not None else Tone.PLAIN
    mark = "FAIL" if not result.passed else "ok" if asked.expect is not None else "--"
    heading = line(
        Span(f"{mark:<4}", tone),
        f"  {asked}: ",
        strong(judgement.verdict.word),
    )
    if result.passed and asked.expect is not None:
        return Entry(heading)
    fields: list[tuple[str, Line]] = []
    if asked.expect is not None:
        fields.append(("expected", line(f"{asked.expect.word} ({_place(asked.place)})")))
    fields += judgement_fields("because", judgement, telling(judgement))
    fields += [("pods", line(detail)) for detail in result.details]
    if not result.passed and asked.expect is Verdict.ALLOW:
        fields += [("to do", line(advice)) for advice in fixes(judgement)]
    return Entry(heading, tuple(fields))


def _place(place: Place) -> str:
    return f"{place.file}:{place.line}" if place.line else place.file


def check_json(results: Sequence[CheckResult]) -> dict[str, object]:
    """Make the JSON of `check --format json`."""
    failed = failures(results)
    return {
        "results": [_result_json(result) for result in results],
        "passed": len(results) - failed,
        "failed": failed,
    }


def _result_json(result: CheckResult) -> dict[str, object]:
    asked, judgement = result.check, result.judgement
    return {
        "from": asked.source,
        "to": asked.destination,
        "port": asked.port,
        "protocol": protocol_json(asked.protocol),
        **({} if asked.request is None else {"request": request_json(asked.request)}),
        "verdict": judgement.verdict.word,
        "expect": None if asked.expect is None else asked.expect.word,
        "passed": result.passed,
        "egress": _outcome_json(judgement.egress),
        "ingress": _outcome_json(judgement.ingress),
    }


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    rule = outcome.rule
    return {
        "verdict": outcome.verdict.word,
        "reason": str(outcome),
        "policy": None if rule is None else str(rule.policy),
        "rule": None if rule is None else part_of(rule),
    }


def check_junit(results: Sequence[CheckResult], warnings: Sequence[str] = ()) -> str:
    """Make the JUnit XML of `check --format junit`: one test case a question, warnings as properties."""
    suite = ElementTree.Element(
        "testsuite",
        name="flowverdict check",
        tests=str(len(results)),
        failures=str(failures(results)),
        errors="0",
        skipped="0",
    )
    if warnings:
        properties = ElementTree.SubElement(suite, "properties")
        for warning in warnings:
            ElementTree.SubElement(properties, "property", name="warning", value=warning)
    for result in results:
        asked = result.check
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=asked.place.file,
            name=str(asked),
            file=asked.place.file,
            line=str(asked.place.line),
        )
        if not result.passed and asked.expect is not None:
            message = f"expected {asked.expect.word}, but the verdict is {result.judgement.verdict.word}"
            failure = ElementTree.SubElement(case, "failure", type=result.judgement.verdict.word, message=message)
            failure.text = "\n".join([*_outcome_texts(result.judgement), *result.details])
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def _outcome_texts(judgement: Judgement) -> list[str]:
    texts = []
    for direction in Direction:
        outcome = judgement.outcome(direction)
        rule = f" - {outcome.rule} ({where(outcome.rule)})" if outcome.rule else ""
        texts.append(f"{direction.word} {outcome.verdict.word}: {outcome_words(outcome, direction)}{rule}")
    return texts
