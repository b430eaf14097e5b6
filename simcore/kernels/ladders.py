"""Kernels for rules that look at requests: what decides a connection, by what it carries.

Where such a rule may decide, rows lead to a ladder: the rules that may, in order, with all that does not depend on the
request found out before. Its last rung decides whatever the request is.
"""

import numpy as np

from .doubts import ALLOW, PASS, find_doubt
from .jit import kernel
from .rows import MAYBE, NO, YES

UNTOLD = 3
"""In place of NO, MAYBE and YES: the request tells nothing of what a rule looks at, which then matches."""

# Columns of rungs. Stages, ties and policies are equal where their numbers are; -1 is no tie, and no look at requests.
ACTION, STAGE, TIE, POLICY, MATCH, REQUESTS = range(6)
RUNG = 11
FIRST_CODE = 6
# What a rung leads to, from FIRST_CODE on: where it decides a request of which nothing is told, or one of which
# something is, or where a rule before it let the connection through to a proxy that refuses it; where it leaves a
# doubt; where it ties with a rung that does otherwise.
AS_IS, TOLD, REFUSED, DOUBTED, TIED = range(5)


@kernel
def climb(walk, actions, matches, stages, ties, requests):
    """List the rules that may decide, if any of them looks at requests, and tell whether all may fail to.

    Parameters
    ----------
    walk : int64[...]
        The rules, as places in a program, in the order in which they are asked.
    actions, matches, stages, ties, requests
        Of every place in the program; `matches` for any request that is theirs.
    """
    taken = np.empty(walk.size, np.int64)
    found, j, goes_on, asks = 0, 0, True, False
    while j < walk.size and goes_on:
        stage, left, last = stages[walk[j]], False, -1
        while j < walk.size and stages[walk[j]] == stage:
            k = walk[j]
            j += 1
            if matches[k] == NO or (last >= 0 and (ties[k] < 0 or ties[k] != ties[last])):
                continue
            taken[found] = k
            found += 1
            asks = asks or requests[k] >= 0
            left = left or actions[k] == PASS
            if last < 0 and matches[k] == YES and requests[k] < 0:
                last = k
        goes_on = left or last < 0
    return taken[: found if asks else 0], goes_on


@kernel
def write_rungs(taken, actions, matches, stages, ties, policies, requests, codes, end, rungs):
    """Write a ladder, and return how many rungs it has.

    Parameters
    ----------
    taken : int64[...]
        Rules, as places in a program.
    codes : int64[places, 5]
        What each leads to.
    end : int
        What all lead to if none of them decides; -1 where one does.
    rungs : int64[..., RUNG]
        Written; codes that are never looked up are -1.
    """
    stage, tie, policy = -1, -1, -1
    for n in range(taken.size):
        k, rung = taken[n], rungs[n]
        stage += n == 0 or stages[k] != stages[taken[n - 1]]
        rung[ACTION], rung[STAGE], rung[MATCH], rung[REQUESTS] = actions[k], stage, matches[k], requests[k]
        rung[TIE] = rung[POLICY] = -1
        rung[FIRST_CODE:] = codes[k]
        if ties[k] >= 0:
            follows = n > 0 and ties[taken[n - 1]] == ties[k]
            tie += not follows
            policy = policy + 1 if follows and policies[taken[n - 1]] != policies[k] else policy * follows
            rung[TIE], rung[POLICY] = tie, policy
        if actions[k] == PASS:
            rung[FIRST_CODE + AS_IS] = rung[FIRST_CODE + TOLD] = rung[FIRST_CODE + REFUSED] = -1
        if matches[k] == YES and requests[k] < 0:
            rung[FIRST_CODE + DOUBTED] = -1
        if ties[k] < 0:
            rung[FIRST_CODE + TIED] = -1
    if end < 0:
        return taken.size
    rung = rungs[taken.size]
    rung[:] = -1
    rung[ACTION], rung[STAGE], rung[MATCH] = ALLOW, stage + 1, YES
    rung[FIRST_CODE + AS_IS] = rung[FIRST_CODE + TOLD] = rung[FIRST_CODE + REFUSED] = end
    return taken.size + 1


@kernel
def decide_request(rungs, first, end, vectors, request):
    """Find where a ladder leads for one request.

    Parameters
    ----------
    rungs : int32[..., RUNG]
    first, end : int
        The ladder's rungs.
    vectors : uint8[requests, request sets]
        What requests are to request sets: NO, MAYBE, YES or UNTOLD.
    request : int
        Which of them is meant.

    Returns
    -------
    cell : int
    told : bool
        Whether anything that is told of the request was looked at.
    """
    decider, skipped, in_doubt, told, refused_in = first, -1, False, False, -1
    for n in range(first, end):
        if rungs[n, STAGE] == skipped:
            continue
        match = rungs[n, MATCH]
        asked = rungs[n, REQUESTS]
        if asked >= 0:
            found = vectors[request, asked]
            told = told or found != UNTOLD
            match = min(match, np.int32(found))
            if found == NO and rungs[n, ACTION] == ALLOW:
                refused_in = rungs[n, STAGE]
        if match == NO:
            continue
        if match == MAYBE:
            in_doubt = True
            continue
        in_doubt = in_doubt or rungs[n, TIE] >= 0
        if rungs[n, ACTION] == PASS:
            skipped = rungs[n, STAGE]
            continue
        decider = n
        break
    if in_doubt:
        doubt, is_tie = _doubt_of(rungs[first:end], decider - first, vectors[request])
        if doubt >= 0:
            return rungs[first + doubt, FIRST_CODE + (TIED if is_tie else DOUBTED)], told
    asked = rungs[decider, REQUESTS]
    code = AS_IS
    if refused_in == rungs[decider, STAGE]:
        code = REFUSED
    if asked >= 0 and vectors[request, asked] != UNTOLD:
        code = TOLD
    return rungs[decider, FIRST_CODE + code], told


@kernel
def _doubt_of(rungs, decider, request):
    """Return the rung that leaves a verdict in doubt, or -1; and whether it is so because rules tie."""
    matches = rungs[:, MATCH].astype(np.uint8)
    for n in range(matches.size):
        if rungs[n, REQUESTS] >= 0:
            matches[n] = min(matches[n], request[rungs[n, REQUESTS]])
    actions, stages, ties, policies = rungs[:, ACTION], rungs[:, STAGE], rungs[:, TIE], rungs[:, POLICY]
    walk = np.arange(matches.size)
    return find_doubt(walk, decider, np.int64(actions[decider]), actions, matches, stages, ties, ties, policies, True)
