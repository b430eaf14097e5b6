"""What a lint rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import Place
from ..model.policy import PolicyRef

if TYPE_CHECKING:
    from .context import LintContext


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    """Traffic breaks, or a protection that is written has no effect."""
    WARNING = "warning"
    """Probably not what was meant."""
    INFO = "info"
    """Could be said more clearly or more narrowly."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Fix:
    """A whole manifest to apply: a policy to add, or one that replaces the policy of its name.

    Attributes
    ----------
    manifest : mapping
        Plain values, in the order in which they are to be written.
    comments : mapping of tuple to str
        What to say above a line, by the path of keys and positions that leads to it.
    """

    manifest: Mapping[str, object] = field(hash=False)
    comments: Mapping[tuple[str | int, ...], str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has to say.

    Attributes
    ----------
    code : str
        The rule's, such as ``FV012``.
    place : Place
        The field that it is about.
    message : str
        One sentence: what is wrong, and what comes of it.
    fix : Fix or None
        What to apply; None where that cannot be known.
    details : tuple of str
        Sentences that show how the message is known.
    policy : PolicyRef or None
        The policy it is about.
    """

    code: str
    place: Place
    message: str
    fix: Fix | None = None
    details: tuple[str, ...] = ()
    policy: PolicyRef | None = None


@dataclass(frozen=True, slots=True)
class LintRule:
    """A rule: what it is called, and how it looks.

    Attributes
    ----------
    code : str
        Stable: ``FV`` and three digits.
    name : str
        In words with hyphens, such as ``policy-types-absent``.
    severity : Severity
    summary : str
        One sentence that says what it finds.
    check : callable
        Yields findings of this code, in any order.
    needs_capture : bool
        It looks at traffic, and says nothing without any.
    """

    code: str
    name: str
    severity: Severity
    summary: str
    check: Callable[[LintContext], Iterable[Finding]]
    needs_capture: bool = False


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that a comment in the file lets pass, and the reason it gives."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """Everything that was found, by file and line.

    Attributes
    ----------
    rules : tuple of LintRule
        Those that looked, in the order of their codes.
    findings : tuple of Finding
    suppressed : tuple of Suppressed
    texts : mapping of str to str
        What the files hold in which something may be found, by name.
    """

    rules: tuple[LintRule, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    texts: Mapping[str, str]

    def rule_of(self, finding: Finding) -> LintRule:
        """Return the rule that a finding is of."""
        return next(rule for rule in self.rules if rule.code == finding.code)

    def count(self, severity: Severity) -> int:
        """Count the findings of one severity."""
        codes = {rule.code for rule in self.rules if rule.severity is severity}
        return sum(finding.code in codes for finding in self.findings)
