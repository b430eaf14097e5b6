"""Rules that could be left out, proved on the tables; and rules that have no order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...analyses.redundancy.redundancy import Kind, Needless
from ...model.policy import Action, Rule
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..words import listed
from ..written import network_policy_of, rule_path, value_at, without_item

_DOES = {Action.ALLOW: "allows", Action.DENY: "denies", Action.PASS: "passes on"}


def _needless(context: LintContext) -> Iterator[Needless]:
    """Yield what could be left out, but for what does more than decide, and denials before one that goes unsaid."""
    written = {policy.ref for policy, _ in context.written()}
    for each in context.redundancy.needless:
        goes_unsaid = not each.whole and all(rule.closes for rule in each.by) and each.by
        if each.rule.policy in written and not goes_unsaid and not any(rule.proxy for rule in each.rules):
            yield each


def _duplicates(context: LintContext) -> Iterator[Finding]:
    for each in _needless(context):
        if each.kind is Kind.DUPLICATE:
            message = f"{_subject(each)} says the same as {each.by[0]}: without it, every flow is judged the same."
            yield _finding(context, "FV022", each, message)


def _shadowed(context: LintContext) -> Iterator[Finding]:
    for each in _needless(context):
        if each.kind is Kind.SHADOWED and (each.always or not _denies(each)):
            does = "decides" if each.whole else _DOES[each.rule.action]
            takes = "all that it matches" if each.always else "all that it matches in this cluster"
            rest = f"{_by(each)} {_verb(each.by, 'decides', 'decide')} {takes} before it"
            yield _finding(context, "FV023", each, f"{_subject(each)} never {does} anything: {rest}.")


def _denies(each: Needless) -> bool:
    """Whether it denies something: what is not there to be denied may come."""
    return any(rule.action is Action.DENY and not rule.closes for rule in each.rules)


def _redundant(context: LintContext) -> Iterator[Finding]:
    for each in _needless(context):
        if each.kind is Kind.REDUNDANT and each.always:
            rest = (
                f"{_by(each)} {_verb(each.by, 'does', 'do')} the same to all that it decides, whatever pods there are"
            )
            yield _finding(context, "FV024", each, f"{_subject(each)} changes no verdict: {rest}.")


def _redundant_today(context: LintContext) -> Iterator[Finding]:
    for each in _needless(context):
        if each.kind is Kind.REDUNDANT and not each.always and _is_allowed_besides(each):
            rest = f"what it allows, {_by(each)} {_verb(each.by, 'allows', 'allow')} too"
            yield _finding(context, "FV028", each, f"{_subject(each)} changes no verdict in this cluster: {rest}.")


def _is_allowed_besides(each: Needless) -> bool:
    """Whether written rules of the same tier allow what these do: a denial is there for pods to come, too."""
    allowing = [*(rule for rule in each.rules if not rule.closes), *each.by]
    return bool(each.by) and all(
        rule.action is Action.ALLOW and not rule.closes and rule.tier == each.rule.tier for rule in allowing
    )


def _subject(each: Needless) -> str:
    return "This policy" if each.whole else "This rule"


def _by(each: Needless) -> str:
    """Name the rules that decide in its stead; closings only where there is nothing else."""
    written = [rule for rule in each.by if not rule.closes]
    return listed(written or each.by, 3)


def _verb(rules: Sequence[Rule], one: str, many: str) -> str:
    written = [rule for rule in rules if not rule.closes]
    return one if len(written or rules) == 1 else many


def _finding(context: LintContext, code: str, each: Needless, message: str) -> Finding:
    policy = next(policy for policy in context.policies if policy.ref == each.rule.policy)
    document = None if each.whole else network_policy_of(context, policy)
    fix: Fix | None = None
    if document and value_at(document.value, ("spec", "policyTypes")):
        fix = without_item(document, rule_path(each.rule))
    return Finding(code, policy.place if each.whole else each.rule.place, message, fix, policy=policy.ref)


def _ties(context: LintContext) -> Iterator[Finding]:
    for tie in (tie for tie in context.redundancy.ties if not tie.by_name):
        first, second = tie.first, tie.second
        yield Finding(
            "FV027",
            second.place,
            f"This rule {_DOES[second.action]} what {first} {_DOES[first.action]}, at the same priority: it is not "
            "defined which of them decides (AP-3), so give one policy another priority.",
            policy=second.policy,
        )


RULES = (
    LintRule(
        "FV022",
        "duplicate-rule",
        Severity.WARNING,
        "A rule says the same as another about the same traffic.",
        _duplicates,
    ),
    LintRule(
        "FV023",
        "shadowed-rule",
        Severity.WARNING,
        "A rule never decides anything, because others that do otherwise are asked before it.",
        _shadowed,
    ),
    LintRule(
        "FV024",
        "redundant-rule",
        Severity.INFO,
        "Without a rule or a policy every flow is judged the same, whatever pods there are.",
        _redundant,
    ),
    LintRule(
        "FV027",
        "priority-tie",
        Severity.ERROR,
        "Rules of equal priority contradict each other about the same traffic.",
        _ties,
    ),
    LintRule(
        "FV028",
        "redundant-today",
        Severity.INFO,
        "Without a rule or a policy every flow between the pods that there are is judged the same.",
        _redundant_today,
    ),
)
