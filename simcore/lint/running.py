"""Runs rules over a cluster and its policies."""

from __future__ import annotations

from collections.abc import Sequence

from .context import LintContext
from .findings import Finding, LintResult, LintRule
from .registry import CODES, RULES
from .suppressions import all_suppressions, sift


def lint(context: LintContext, rules: Sequence[LintRule] = RULES) -> LintResult:
    """Find what is wrong with policies.

    Parameters
    ----------
    context : LintContext
        The cluster, and its policies as they were written and as they are meant.
    rules : sequence of LintRule
        Those that are to look.
    """
    ran = tuple(rule for rule in rules if context.hits is not None or not rule.needs_capture)
    found = list(dict.fromkeys(finding for rule in ran for finding in rule.check(context)))
    held = [*(document.place() for document in context.documents), *context.namespaces.values()]
    kept, passed = sift(found, all_suppressions(context.texts, held), ran, CODES)
    return LintResult(
        ran,
        tuple(sorted(kept, key=_order)),
        tuple(sorted(passed, key=lambda suppressed: _order(suppressed.finding))),
        context.texts,
    )


def _order(finding: Finding) -> tuple[str, int, str, str]:
    return finding.place.file, finding.place.line, finding.code, finding.message
