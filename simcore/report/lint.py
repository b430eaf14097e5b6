"""The report of `lint`: findings file by file, with the lines they are about and what mends them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from ..lint.findings import Finding, Fix, LintResult, Severity
from ..model.policy import Role, Rule
from .manifests import manifest_yaml
from .structure import Column, Line, Report, Section, Span, Table, Tone, faint, line, strong, unbroken
from .words import count, share
from .written import Lines

if TYPE_CHECKING:
    from ..analyses.hits import Hits

TONES = {Severity.ERROR: Tone.BAD, Severity.WARNING: Tone.DOUBT, Severity.INFO: Tone.STRONG}
_NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "info"}
LEAD = " " * 4
"""Before what belongs to a finding."""


def lint(result: LintResult, shown: tuple[Finding, ...], hits: Hits | None = None, limit: int = 0) -> Report:
    """Make the report.

    Parameters
    ----------
    result : LintResult
    shown : tuple of Finding
        Those of its findings that are severe enough to be shown.
    hits : Hits or None
        What a capture tells of the rules.
    limit : int
        Most rules to list by their hits.
    """
    lines = Lines(result.texts)
    sections = [
        Section(line(strong(file or "(no file)")), tuple(_items(result, tuple(group), lines)))
        for file, group in groupby(shown, key=lambda finding: finding.place.file)
    ]
    if hits is not None:
        sections.append(_hits_section(hits, limit))
    return Report(line(_title(result)), tuple(_summary(result, shown)), sections=tuple(sections))


def _hits_section(hits: Hits, limit: int) -> Section:
    """List the rules of policies by the flows that they decide; what closes a policy only where it does decide any."""
    found = [(rule, flows) for rule, flows in hits.of_rules if flows or rule.role is Role.WRITTEN]
    rows = tuple(
        (line(f"{flows:,}"), line(share(flows, hits.flows)), line(str(rule)), line(str(rule.action)))
        for rule, flows in found[:limit]
    )
    columns = Column("flows", right=True), Column("share", right=True), Column("rule"), Column("does")
    title = line(strong("Rules"), f", by how many of {count(hits.flows, 'flow')} they decide")
    unused = sum(not flows for _, flows in found)
    rest = f"{count(len(found) - limit, 'more rule')}; JSON has all. " if limit < len(found) else ""
    each = f"{unused:,} of {count(len(found), 'rule')} decide no flow." if unused else "Every rule decides some flow."
    return Section(title, (Table(columns, rows), line(f"{rest}{each}")))


def fix_yaml(fix: Fix) -> str:
    """Write a fix as YAML."""
    return manifest_yaml(dict(fix.manifest), fix.comments)


def _title(result: LintResult) -> str:
    if not result.findings:
        return f"No findings: {count(len(result.rules), 'rule')} looked"
    parts = [count(result.count(severity), _NOUNS[severity]) for severity in Severity if result.count(severity)]
    return f"{count(len(result.findings), 'finding')}: {', '.join(parts)}"


def _summary(result: LintResult, shown: tuple[Finding, ...]) -> Iterator[Line]:
    counts = Counter(finding.code for finding in result.findings)
    for rule in result.rules:
        if counts[rule.code]:
            tone = TONES[rule.severity]
            yield line(f"{counts[rule.code]:,}  ", Span(rule.code, tone), f"  {rule.summary}")
    if hidden := len(result.findings) - len(shown):
        yield line(faint(f"{count(hidden, 'finding')} of lower severity not shown"))
    if passed := len(result.suppressed):
        yield line(faint(f"{count(passed, 'finding')} let pass by comments"))


def _items(result: LintResult, findings: tuple[Finding, ...], lines: Lines) -> Iterator[Line]:
    for number, finding in enumerate(findings):
        if number:
            yield ()
        yield from _finding(result, finding, lines)


def _finding(result: LintResult, finding: Finding, lines: Lines) -> Iterator[Line]:
    rule = result.rule_of(finding)
    about = f" ({finding.policy})" if finding.policy else ""
    yield line(
        _where(finding, lines),
        Span(rule.severity, TONES[rule.severity]),
        "  ",
        strong(rule.code),
        f"  {finding.message}{about}",
    )
    yield from _source(finding, lines, TONES[rule.severity])
    for detail in finding.details:
        yield line(unbroken(LEAD[:-2]), detail)
    if finding.fix is not None:
        yield line(faint(unbroken(f"{LEAD[:-2]}fix:")))
        for text in fix_yaml(finding.fix).splitlines():
            yield line(unbroken(f"{LEAD}{text}"))


def _where(finding: Finding, lines: Lines) -> str:
    place = finding.place
    if not place.line:
        return f"{place.field}  " if place.field else ""
    return f"{place.line}:{lines.column(place)}  " if lines.at(place) is not None else f"{place.line}  "


def _source(finding: Finding, lines: Lines, tone: Tone) -> Iterator[Line]:
    text = lines.at(finding.place)
    if text is None:
        return
    number = f"{finding.place.line:>{len(LEAD)}}"
    yield line(faint(unbroken(f"{number} | ")), unbroken(text.replace("\t", " ")))
    caret = " " * (lines.column(finding.place) - 1) + "^"
    yield line(faint(unbroken(f"{' ' * len(number)} | ")), Span(unbroken(caret), tone))


def lint_json(result: LintResult, shown: tuple[Finding, ...], hits: Hits | None = None) -> dict[str, object]:
    """Make the JSON of `lint --format json`."""
    lines = Lines(result.texts)
    return {
        "findings": [_finding_json(result, finding, lines) for finding in shown],
        "suppressed": [
            {**_finding_json(result, suppressed.finding, lines), "reason": suppressed.reason}
            for suppressed in result.suppressed
        ],
        "counts": {severity.value: result.count(severity) for severity in Severity},
        "rules": [rule.code for rule in result.rules],
        **({} if hits is None else {"flows": hits.flows, "hits": [_hit_json(*each) for each in hits.of_rules]}),
    }


def _hit_json(rule: Rule, flows: int) -> dict[str, object]:
    return {
        "rule": str(rule),
        "action": str(rule.action),
        "file": rule.place.file,
        "line": rule.place.line or None,
        "flows": flows,
    }


def _finding_json(result: LintResult, finding: Finding, lines: Lines) -> dict[str, object]:
    rule, place, policy = result.rule_of(finding), finding.place, finding.policy
    return {
        "code": finding.code,
        "name": rule.name,
        "severity": rule.severity.value,
        "file": place.file or None,
        "document": place.document or None,
        "line": place.line or None,
        "column": lines.column(place) if lines.at(place) is not None else None,
        "field": place.field or None,
        "kind": policy.kind if policy else None,
        "namespace": (policy.namespace or None) if policy else None,
        "policy": policy.name if policy else None,
        "message": finding.message,
        "details": list(finding.details),
        "fix": fix_yaml(finding.fix) if finding.fix else None,
    }
