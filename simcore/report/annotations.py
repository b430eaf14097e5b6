"""Findings as annotations that GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from ..lint.findings import Finding, LintResult, Severity
from .written import Lines, repository_path

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github(result: LintResult, shown: tuple[Finding, ...]) -> str:
    """Write one workflow command a finding, as the log of a GitHub action is read."""
    lines = Lines(result.texts)
    return "".join(_annotation(result, finding, lines) for finding in shown)


def _annotation(result: LintResult, finding: Finding, lines: Lines) -> str:
    rule, place = result.rule_of(finding), finding.place
    where = {"file": repository_path(place.file), "line": str(place.line or ""), "title": f"{rule.code} {rule.name}"}
    if lines.at(place) is not None:
        where["col"] = str(lines.column(place))
    properties = ",".join(f"{name}={_property(value)}" for name, value in where.items() if value)
    message = " ".join([finding.message, *finding.details])
    return f"::{_COMMANDS[rule.severity]} {properties}::{_data(message)}\n"


def _data(text: str) -> str:
    """Escape what stands behind the second ``::``."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape the value of a property, which a comma or a colon would end."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
