"""Comments that let findings pass: ``# flowverdict: ignore[FV012] reason``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..errors import Place
from .findings import Finding, LintRule, Severity, Suppressed

SUPPRESSIONS = LintRule(
    "FV000",
    "suppression",
    Severity.WARNING,
    "A comment that lets findings pass gives no reason, names no rule, or lets nothing pass.",
    lambda context: (),
)

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*flowverdict:\s*ignore\b(?P<rest>.*)$")
_CODES = re.compile(r"\s*\[(?P<codes>[^\]]*)\](?P<reason>.*)$")
_MARKER = re.compile(r"---(\s|$)")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One such comment: where it stands, which codes it names, why, and the lines it is about, both included."""

    place: Place
    codes: tuple[str, ...]
    reason: str
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        """Whether it is about a finding."""
        place = finding.place
        return finding.code in self.codes and place.file == self.place.file and self.first <= place.line <= self.last


def suppressions_in(file: str, text: str, held: Iterable[int]) -> Iterator[Suppression]:
    """Yield the comments of a file.

    A comment behind something is about its line, one that has a line of its own about the next line that holds
    anything; one before everything else of a document is about the whole document.

    Parameters
    ----------
    file, text : str
        Name of the file, and what it holds.
    held : iterable of int
        Lines on which the documents begin that are looked at; comments in others are passed over.
    """
    if "flowverdict:" not in text:
        return
    lines = text.split("\n")
    begins = [0, *(number for number, line in enumerate(lines) if _MARKER.match(line)), len(lines)]
    starts = set(held)
    for number, line in enumerate(lines):
        found = _COMMENT.search(line)
        if not found:
            continue
        begin = max(mark for mark in begins if mark <= number)
        end = min(mark for mark in begins if mark > number)
        if not any(begin < start <= end for start in starts):
            continue
        codes, reason = _parts(found["rest"])
        first, last = _lines_meant(lines, number, begin, end, found.start())
        yield Suppression(Place(file, 0, number + 1), codes, reason, first + 1, last + 1)


def _parts(rest: str) -> tuple[tuple[str, ...], str]:
    """Split what follows ``ignore`` into codes and reason."""
    found = _CODES.match(rest)
    if not found:
        return (), rest.strip()
    return tuple(filter(None, (code.strip() for code in found["codes"].split(",")))), found["reason"].strip()


def _lines_meant(lines: Sequence[str], number: int, begin: int, end: int, column: int) -> tuple[int, int]:
    """Return the first and the last 0-based line that a comment is about."""
    if lines[number][:column].strip(" -"):
        return number, number
    above = lines[begin:number]
    if all(_is_void(line) or _MARKER.match(line) for line in above):
        return begin, end - 1
    following = next((below for below in range(number + 1, end) if not _is_void(lines[below])), number)
    return following, following


def _is_void(line: str) -> bool:
    stripped = line.strip()
    return not stripped or stripped.startswith("#")


def sift(
    findings: Sequence[Finding], comments: Sequence[Suppression], rules: Sequence[LintRule], known: frozenset[str]
) -> tuple[list[Finding], list[Suppressed]]:
    """Take out the findings that comments let pass, and add those about the comments themselves.

    Parameters
    ----------
    findings : sequence of Finding
    comments : sequence of Suppression
    rules : sequence of LintRule
        Those that looked: a comment that names another may well be needed.
    known : frozenset of str
        Every code there is.
    """
    kept: list[Finding] = []
    passed: list[Suppressed] = []
    used: set[Suppression] = set()
    for finding in findings:
        covering = [comment for comment in comments if comment.covers(finding)]
        if covering:
            used.update(covering)
            passed.append(Suppressed(finding, covering[0].reason))
        else:
            kept.append(finding)
    if SUPPRESSIONS in rules:
        ran = frozenset(rule.code for rule in rules)
        kept += [
            Finding(SUPPRESSIONS.code, comment.place, complaint)
            for comment in comments
            for complaint in _complaints(comment, comment in used, ran, known)
        ]
    return kept, passed


def _complaints(comment: Suppression, is_used: bool, ran: frozenset[str], known: frozenset[str]) -> Iterator[str]:
    if not comment.codes:
        yield "This comment names no code, so it lets nothing pass: write # flowverdict: ignore[FV012] reason."
        return
    unknown = [code for code in comment.codes if code not in known]
    if unknown:
        yield f"This comment names {' and '.join(unknown)}, and there is no such code."
    elif not is_used and ran.issuperset(comment.codes):
        yield f"This comment lets nothing pass: there is no finding of {' or '.join(comment.codes)} here; remove it."
    if not comment.reason:
        yield "This comment gives no reason: say behind the bracket why the finding may stand."


def all_suppressions(texts: Mapping[str, str], held: Iterable[Place]) -> list[Suppression]:
    """List the comments of all files, those of documents that begin at one of `held`."""
    lines: dict[str, list[int]] = {}
    for place in held:
        lines.setdefault(place.file, []).append(place.line)
    return [comment for file, text in texts.items() for comment in suppressions_in(file, text, lines.get(file, ()))]
