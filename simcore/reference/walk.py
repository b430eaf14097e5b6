"""The ordered list: down to the rule that decides, past those that only may match."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.flows import Verdict
from ..model.policy import Action
from ..model.trace import Match
from .matching import Step

VERDICTS = {Action.ALLOW: Verdict.ALLOW, Action.DENY: Verdict.DENY}


def path_of(steps: Sequence[Step]) -> tuple[list[int], Step | None]:
    """Walk down to the rule that decides: the numbers of the steps taken, and the deciding one."""
    path: list[int] = []
    skipped = None
    for number, step in enumerate(steps):
        if step.rule.tier == skipped:
            continue
        path.append(number)
        if step.match is Match.YES:
            if step.rule.action is not Action.PASS:
                return path, step
            skipped = step.rule.tier
    return path, None


def possible_endings(steps: Sequence[Step], start: int, *, taken: bool) -> set[Verdict]:
    """Collect the verdicts a walk from `start` may come to, every MAYBE read both ways.

    With `taken`, the step at `start` counts as matching.
    """
    endings: set[Verdict] = set()
    for number in range(start, len(steps)):
        step = steps[number]
        match = Match.YES if taken and number == start else step.match
        if match is Match.NO:
            continue
        if step.rule.action is Action.PASS:
            after = (n for n in range(number, len(steps)) if steps[n].rule.tier != step.rule.tier)
            endings |= possible_endings(steps, next(after, len(steps)), taken=False)
        else:
            endings.add(VERDICTS[step.rule.action])
        if match is Match.YES:
            return endings
    return endings | {Verdict.ALLOW}
