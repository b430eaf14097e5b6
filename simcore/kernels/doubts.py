"""Kernels that look into what may happen otherwise, where rules match perhaps or have no order."""

import numpy as np

from .jit import kernel
from .rows import MAYBE, NO, YES

ALLOW, DENY, UNKNOWN = 0, 1, 2
PASS = 2
"""The action beside ALLOW and DENY."""


@kernel
def find_ties(positions, ties, policies, use_ties):
    """Number the stretches of ordered rules that tie with rules of other policies; -1 for rules that do not."""
    groups = np.full(ties.size, -1, np.int32)
    first = group = 0
    while first < ties.size:
        last, several = first + 1, False
        while last < ties.size and positions[last] == positions[first] and ties[last] == ties[first]:
            several = several or policies[last] != policies[first]
            last += 1
        if several and use_ties and ties[first] >= 0:
            groups[first:last] = group
            group += 1
        first = last
    return groups


@kernel
def find_doubt(walk, decider, verdict, actions, matches, stages, positions, ties, policies, use_ties):
    """Return the rule that leaves a verdict in doubt, or -1; and whether it is so because rules tie.

    Parameters
    ----------
    walk : int64[...]
        The rules, as places in a program, in the order in which they are asked.
    decider : int
        The place of the rule that decides as they stand; -1 where none does.
    verdict : int
        ALLOW or DENY: what it decides.
    actions, matches, stages, positions, ties, policies
        Of every place in the program.
    use_ties : bool
        Whether rules that tie have no order.
    """
    told = np.int64(1) << verdict
    tied, skipped = -1, -1
    for j in range(walk.size):
        k = walk[j]
        if stages[k] == skipped:
            continue
        if matches[k] == MAYBE:
            endings = np.int64(1) << np.int64(actions[k])
            if actions[k] == PASS:
                later = j + 1
                while later < walk.size and stages[walk[later]] == stages[k]:
                    later += 1
                endings = _endings(walk, later, actions, matches, stages, positions, ties, policies, use_ties)
            if endings != told:
                return k, False
        if matches[k] == YES:
            if tied < 0 and use_ties and _has_rival(walk, k, actions, matches, positions, ties, policies):
                tied = k
            if actions[k] != PASS:
                break
            skipped = stages[k]
    if _endings(walk, 0, actions, matches, stages, positions, ties, policies, use_ties) != told:
        return tied, True
    return -1, False


@kernel
def _has_rival(walk, k, actions, matches, positions, ties, policies):
    """Tell whether a rule of another policy ties with one that matches, and does something else."""
    policy, is_over = -1, False
    for j in range(walk.size):
        q = walk[j]
        if ties[k] < 0 or positions[q] != positions[k] or ties[q] != ties[k] or policies[q] == policies[k]:
            continue
        if policies[q] != policy:
            policy, is_over = policies[q], False
        if is_over or matches[q] == NO:
            continue
        if actions[q] != actions[k]:
            return True
        is_over = matches[q] == YES
    return False


@kernel
def _endings(walk, start, actions, matches, stages, positions, ties, policies, use_ties):
    """Collect the verdicts to which rules may come, from the beginning of a stage on, as ``1 << verdict``."""
    endings, reached, j = np.int64(0), True, start
    while j < walk.size:
        stage, left = stages[walk[j]], False
        while j < walk.size and stages[walk[j]] == stage:
            first, end = walk[j], j + 1
            if use_ties and ties[first] >= 0:
                while end < walk.size and positions[walk[end]] == positions[first] and ties[walk[end]] == ties[first]:
                    end += 1
            if reached:
                policy, is_over = policies[first], False
                for i in range(j, end):
                    k = walk[i]
                    if policies[k] != policy:
                        policy, is_over = policies[k], False
                    if is_over or matches[k] == NO:
                        continue
                    if actions[k] == PASS:
                        left = True
                    else:
                        endings |= np.int64(1) << np.int64(actions[k])
                    if matches[k] == YES:
                        is_over, reached = True, False
            j = end
        reached = reached or left
    return endings | 1 if reached else endings
