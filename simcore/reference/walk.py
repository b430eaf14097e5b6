"""The ordered list: down to the rule that decides, past those that only may match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ..model.flows import Verdict
from ..model.match import Match
from ..model.policy import Action
from .matching import Step

VERDICTS = {Action.ALLOW: Verdict.ALLOW, Action.DENY: Verdict.DENY}


def path_of(steps: Sequence[Step]) -> tuple[list[int], Step | None]:
    """Walk down to the rule that decides: the numbers of the steps taken, and the deciding one."""
    path: list[int] = []
    skipped = None
    for number, step in enumerate(steps):
        if step.position.stage == skipped:
            continue
        path.append(number)
        if step.match is Match.YES:
            if step.rule.action is not Action.PASS:
                return path, step
            skipped = step.position.stage
    return path, None


def possible_endings(steps: Sequence[Step], *, ties: bool) -> set[Verdict]:
    """Collect the verdicts a walk may come to: every MAYBE read both ways, policies that tie in every order.

    Parameters
    ----------
    steps : sequence of Step
        From the beginning of a stage.
    ties : bool
        Whether rules with one `tie` have no order; else they are asked as they stand.
    """
    endings: set[Verdict] = set()
    is_reached = True
    for _, stage in groupby(steps, key=lambda step: step.position.stage):
        is_left = False
        for equals in _groups(stage, ties):
            if not is_reached:
                break
            actions, is_reached = _actions(equals)
            endings |= {VERDICTS[action] for action in actions if action is not Action.PASS}
            is_left |= Action.PASS in actions
        is_reached |= is_left
    return endings | ({Verdict.ALLOW} if is_reached else set())


def endings_if_taken(steps: Sequence[Step], number: int, *, ties: bool) -> set[Verdict]:
    """Collect the verdicts a walk may come to in which one step matches."""
    taken = steps[number]
    if taken.rule.action is not Action.PASS:
        return {VERDICTS[taken.rule.action]}
    later = [step for step in steps[number:] if step.position.stage != taken.position.stage]
    return possible_endings(later, ties=ties)


def conflicts(steps: Sequence[Step], path: Sequence[int]) -> list[tuple[Step, int]]:
    """Pair steps that were taken with the numbers of those of other policies that tie with them, and do otherwise."""
    taken = {
        (steps[number].position, steps[number].rule.tie): steps[number]
        for number in path
        if steps[number].match is Match.YES and steps[number].rule.tie is not None
    }
    found: list[tuple[Step, int]] = []
    ended: set[object] = set()
    for number, step in enumerate(steps):
        tie, policy = (step.position, step.rule.tie), step.rule.policy
        rival = taken.get(tie)
        if rival is None or policy == rival.rule.policy or (tie, policy) in ended or step.match is Match.NO:
            continue
        if step.rule.action is not rival.rule.action:
            found.append((rival, number))
        if step.match is Match.YES:
            ended.add((tie, policy))
    return found


def _groups(steps: Iterator[Step], ties: bool) -> Iterator[list[Step]]:
    """Split the steps of a stage where the order is certain."""
    for tie, equals in groupby(steps, key=lambda step: (step.position, step.rule.tie)):
        if ties and tie[1] is not None:
            yield list(equals)
        else:
            for step in equals:
                yield [step]


def _actions(equals: Sequence[Step]) -> tuple[set[Action], bool]:
    """Collect the actions that may come first among rules that tie, and whether none may match at all."""
    actions: set[Action] = set()
    is_passed_by = True
    for _, own in groupby(equals, key=lambda step: step.rule.policy):
        for step in own:
            if step.match is not Match.NO:
                actions.add(step.rule.action)
            if step.match is Match.YES:
                is_passed_by = False
                break
    return actions, is_passed_by
