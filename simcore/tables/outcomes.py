"""Outcomes: what cells stand for, numbered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..kernels.extras import SCAN
from ..model.flows import Outcome, Reason, Verdict
from ..model.policy import Rule
from ..model.profile import Profile
from .book import RuleBook
from .decisions import REASONS
from .rows import SCANNED, Rows

UNDEFINED_UPSTREAM = "NP-20: undefined upstream"
FIXED = (
    Outcome(Verdict.UNKNOWN, Reason.UNKNOWN_PROTOCOL),
    Outcome(Verdict.UNKNOWN, Reason.NO_ADDRESS),
    Outcome(Verdict.UNKNOWN, Reason.UNKNOWN_POD),
    Outcome(Verdict.UNKNOWN, Reason.NO_BACKEND),
    Outcome(Verdict.UNKNOWN, Reason.MIXED_FAMILIES),
    Outcome(Verdict.ALLOW, Reason.SELF),
    Outcome(Verdict.ALLOW, Reason.HAIRPIN),
    Outcome(Verdict.ALLOW, Reason.OWN_NODE),
    Outcome(Verdict.UNKNOWN, Reason.POD_NOT_THERE_THEN),
    Outcome(Verdict.UNKNOWN, Reason.NOBODY_THEN),
    Outcome(Verdict.ALLOW, Reason.NOT_ENFORCED),
)
"""Outcomes that follow from no rule; `simcore.kernels.special` knows them by position."""
_NEVER_MIXED = (Reason.POD_NOT_THERE_THEN, Reason.NOBODY_THEN)
"""Reasons that there are only where each end is one."""


@dataclass(frozen=True)
class Outcomes:
    """All outcomes of some tables.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Those of FIXED, then those of rules in the order of rules, then those of ends that disagree.
    cells : uint32[codes]
        Cell of each code of the rows: ``outcome << 2 | verdict``, or ``row of extra classes << 2 | SCAN``; 0 where no
        row has it.
    mixed : uint32[reasons + 1, reasons + 1, reasons + 1]
        Cell for ends that disagree, by the reasons (plus one; 0 for none) that allow, deny, and leave it unknown.
    reason_of : uint8[outcomes]
        Position of each outcome's reason among all reasons.
    conditional : bool[outcomes]
        Whether each lets a connection through to a proxy that looks at what is not known.
    """

    outcomes: tuple[Outcome, ...]
    cells: NDArray[np.uint32]
    mixed: NDArray[np.uint32]
    reason_of: NDArray[np.uint8]
    conditional: NDArray[np.bool_]


def number_outcomes(rows: Rows, book: RuleBook, before: Outcomes | None) -> Outcomes:
    """Number the outcomes that rows have; equal rules count as one. What stood `before` for a code is taken over."""
    used = np.flatnonzero(_used(rows))
    codes = rows.held.codes
    is_scan = codes[used] % 8 == SCANNED
    scans, used = used[is_scan], used[~is_scan]
    rest, tail = np.divmod(codes[used], 8)
    serials, reasons = np.divmod(rest, len(REASONS))
    rules = np.append(book.number_of, -1)[serials - 1]
    order = np.lexsort((tail, reasons, rules))
    same = np.append(_first_equal(book.rules), -1)[rules]
    keys = ((same + 1) * len(REASONS) + reasons) * 8 + tail
    fixed = [REASONS.index(outcome.reason) * 8 + outcome.verdict * 2 for outcome in FIXED]
    _, first, inverse = np.unique(np.append(fixed, keys[order]), return_index=True, return_inverse=True)
    chosen = np.sort(first)
    numbers = np.empty(used.size, np.int64)
    numbers[order] = np.searchsorted(chosen, first)[inverse[len(FIXED) :]]
    cells = np.zeros(codes.size, np.uint32)
    cells[used] = numbers << 2 | tail >> 1
    cells[scans] = (codes[scans] >> 3) << 2 | SCAN
    places = order[chosen[len(FIXED) :] - len(FIXED)]
    former = _former(before, used[places])
    told = zip(former, rules[places].tolist(), reasons[places].tolist(), tail[places].tolist(), strict=True)
    outcomes = [*FIXED]
    for outcome, number, reason, end in told:
        rule = book.rules[number] if number >= 0 else None
        if outcome is None or outcome.rule is not rule:
            outcome = Outcome(Verdict(end // 2), REASONS[reason], rule, _detail(rule, REASONS[reason], end))
        outcomes.append(outcome)
    reason_of = [*(REASONS.index(outcome.reason) for outcome in FIXED), *reasons[places].tolist()]
    mixed = _mix(outcomes, [*(outcome.verdict for outcome in FIXED), *(tail[places] >> 1).tolist()], reason_of)
    conditional = np.zeros(len(outcomes), bool)
    if rows.asked:
        asking = np.array([rule.requests is not None for rule in book.rules] + [False])
        allowing = reasons[places] == REASONS.index(Reason.RULE)
        conditional[len(FIXED) : len(FIXED) + places.size] = asking[rules[places]] & allowing
    return Outcomes(tuple(outcomes), cells, mixed, np.array(reason_of, np.uint8), conditional)


def _detail(rule: Rule | None, reason: Reason, tail: int) -> str:
    """Say what stands behind the reason of a code."""
    if tail % 2:
        return UNDEFINED_UPSTREAM
    if rule is None or tail // 2 == Verdict.UNKNOWN or reason is Reason.REQUEST_ALLOWED:
        return ""
    return rule.condition


def _used(rows: Rows) -> NDArray[np.bool_]:
    """Tell which codes the rows have that programs lead to."""
    decided, scanned, ladders, codes = rows.held
    used = np.zeros(codes.size, bool)
    used[decided[rows.uses > 0].ravel()] = True
    scans = codes[used & (codes % 8 == SCANNED)] >> 3
    used[scanned[scans].ravel()] = True
    used[ladders.used(scans)] = True
    return used


def _first_equal(rules: Sequence[Rule]) -> NDArray[np.int64]:
    """Find for each rule the first that equals it."""
    alike: dict[tuple[object, ...], list[int]] = {}
    first = np.arange(len(rules))
    keys = [(rule.policy.name, rule.policy.namespace, rule.direction, rule.index) for rule in rules]
    if len(set(keys)) == len(keys):
        return first
    for number, key in enumerate(keys):
        others = alike.setdefault(key, [])
        first[number] = next((other for other in others if rules[other] == rules[number]), number)
        others += [number] if first[number] == number else []
    return first


def fixed_cells(profile: Profile, doubts: Iterable[int] = ()) -> NDArray[np.uint32]:
    """Return the cells of FIXED, then those of doubts; where nothing is enforced, FIXED's last is everything's."""
    cells = [number << 2 | outcome.verdict for number, outcome in enumerate(FIXED)]
    last, doubtful = cells[-1], [number << 2 | Verdict.UNKNOWN for number in doubts]
    return np.array([*cells, *doubtful] if profile.enforced else [last] * (len(cells) + len(doubtful)), np.uint32)


def _former(before: Outcomes | None, codes: NDArray[np.int64]) -> list[Outcome | None]:
    """Return what stood for codes before, perhaps for an equal rule; None where nothing did."""
    if before is None:
        return [None] * codes.size
    numbers = np.append(before.cells, np.zeros(max(codes.max(initial=-1) + 1 - before.cells.size, 0), np.uint32)) >> 2
    return [before.outcomes[number] if number else None for number in numbers[codes].tolist()]


def _mix(outcomes: list[Outcome], verdicts: Sequence[int], reason_of: list[int]) -> NDArray[np.uint32]:
    """Append the outcomes of ends that disagree, and return their cells by the reasons they mix."""
    never = {REASONS.index(reason) for reason in _NEVER_MIXED}
    found = {pair for pair in zip(verdicts, reason_of, strict=True) if pair[1] not in never}
    reasons = {verdict: sorted(reason for each, reason in found if each == verdict) for verdict in Verdict}
    size = len(REASONS) + 1
    cells = np.zeros((size, size, size), np.uint32)
    choices = [[None, *reasons[verdict]] for verdict in Verdict]
    for mix in product(*choices):
        given = [(verdict, reason) for verdict, reason in zip(Verdict, mix, strict=True) if reason is not None]
        if len(given) > 1:
            detail = ", ".join(f"{verdict.word}: {REASONS[reason]}" for verdict, reason in given)
            place = tuple(0 if reason is None else reason + 1 for reason in mix)
            cells[place] = len(outcomes) << 2 | Verdict.UNKNOWN
            outcomes.append(Outcome(Verdict.UNKNOWN, Reason.MIXED, None, detail))
            reason_of.append(REASONS.index(Reason.MIXED))
    return cells
