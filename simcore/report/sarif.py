"""Findings as SARIF 2.1.0, which code scanners and editors read."""

from __future__ import annotations

import hashlib
from collections import Counter
from urllib.parse import quote

from ..lint.findings import Finding, LintResult, LintRule, Severity, Suppressed
from .lint import fix_yaml
from .written import Lines, repository_path

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
NETWORK_POLICIES = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
"""What a rule is about, for who knows nothing of it."""
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(result: LintResult, shown: tuple[Finding, ...], version: str) -> dict[str, object]:
    """Make a log of one run.

    Parameters
    ----------
    result : LintResult
    shown : tuple of Finding
        Those of its findings that are told; those that comments let pass are told as suppressed.
    version : str
        Of flowverdict.
    """
    results = _Results(result)
    told = [results.of(finding) for finding in shown]
    told += [results.of_suppressed(suppressed) for suppressed in result.suppressed]
    driver = {
        "name": "flowverdict",
        "version": version,
        "informationUri": NETWORK_POLICIES,
        "rules": [_rule(rule) for rule in result.rules],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": told}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: LintRule) -> dict[str, object]:
    return {
        "id": rule.code,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "helpUri": NETWORK_POLICIES,
        "help": {"text": f"{rule.summary} flowverdict's docs/lint.md, {rule.code}, says when it keeps silent."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {"tags": ["network-policy", rule.name]},
    }


class _Results:
    """Makes results, each with a fingerprint that moved lines do not change."""

    def __init__(self, result: LintResult) -> None:
        self._result = result
        self._lines = Lines(result.texts)
        self._index = {rule.code: number for number, rule in enumerate(result.rules)}
        self._seen: Counter[str] = Counter()

    def of(self, finding: Finding) -> dict[str, object]:
        rule = self._result.rule_of(finding)
        text = "\n".join([finding.message, *finding.details])
        markdown = f"{text}\n\n```yaml\n{fix_yaml(finding.fix)}```\n" if finding.fix else None
        return {
            "ruleId": finding.code,
            "ruleIndex": self._index[finding.code],
            "level": _LEVELS[rule.severity],
            "message": {"text": text, **({"markdown": markdown} if markdown else {})},
            "locations": self._locations(finding),
            "partialFingerprints": {"flowverdict/v1": self._fingerprint(finding)},
        }

    def of_suppressed(self, suppressed: Suppressed) -> dict[str, object]:
        suppression = {"kind": "inSource", "justification": suppressed.reason or "no reason given"}
        return {**self.of(suppressed.finding), "suppressions": [suppression]}

    def _locations(self, finding: Finding) -> list[dict[str, object]]:
        place = finding.place
        if not place.file:
            return []
        physical: dict[str, object] = {"artifactLocation": {"uri": quote(repository_path(place.file))}}
        if place.line:
            physical["region"] = self._region(finding)
        location: dict[str, object] = {"physicalLocation": physical}
        if finding.policy is not None:
            location["logicalLocations"] = [
                {"name": finding.policy.name, "fullyQualifiedName": str(finding.policy), "kind": "resource"}
            ]
        return [location]

    def _region(self, finding: Finding) -> dict[str, object]:
        place = finding.place
        text = self._lines.at(place)
        if text is None:
            return {"startLine": place.line}
        return {
            "startLine": place.line,
            "startColumn": self._lines.column(place),
            "endColumn": len(text) + 1,
            "snippet": {"text": text},
        }

    def _fingerprint(self, finding: Finding) -> str:
        """Go by code, policy and field; what has the same is numbered."""
        key = "\0".join((finding.code, finding.place.file, str(finding.policy), finding.place.field))
        self._seen[key] += 1
        return hashlib.sha256(f"{key}\0{self._seen[key]}".encode()).hexdigest()[:32]
