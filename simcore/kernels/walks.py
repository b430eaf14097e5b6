"""Kernels that walk the ordered rules of a program for many peers and port classes."""

import numpy as np

from .doubts import ALLOW, DENY, PASS, UNKNOWN, find_doubt, find_ties
from .jit import kernel
from .ladders import DOUBTED, REFUSED, RUNG, TIED, TOLD, climb, write_rungs
from .rows import MAYBE, NO, YES

ASK = 3
"""What a port set says of a port class that it divides: the extra class of the flow tells."""
FIRST_PORTLESS = 3
"""The first slot of protocols without ports."""
FOLLOW_PEERS, ALWAYS, JUDGED = 0, 1, 3
"""What isolation does to protocols without ports (NP-20); judged: what rules say is settled; else: it stops them."""

# Columns of what `decide` knows of rules. Positions, stages, policies and ties are equal where their numbers are; -1 is
# no tie, every source port, and no look at requests.
ACTION, WRITTEN, REJECTS, ISOLATES, CERTAIN, POSITION, STAGE, POLICY, TIE, PORTS, SOURCES, ASKS, REQUESTS = range(13)

# Positions in the reasons that `decide` is given.
BY_RULE, BY_DENIAL, BY_REJECTION, NO_RULE, PEER_NOT_SELECTED, PORT_NOT_ALLOWED, NAMED_PORT_UNDECLARED = range(7)
UNKNOWN_ADDRESS, UNCERTAIN_RULE, NO_PORT, NO_SOURCE_PORT, PRIORITY_TIE, PROTOCOL_ALLOWED, PROTOCOL_DENIED = range(7, 14)
BY_REQUEST, REQUEST_NOT_ALLOWED, UNKNOWN_REQUEST = range(14, 17)


@kernel
def decide(
    program,
    book,
    masks,
    mask_of,
    undeclared,
    extra_masks,
    extra_of,
    extra_first,
    slots,
    states,
    subjects,
    subject_known,
    peer_known,
    destinations,
    sources,
    reasons,
    habits,
):
    """Decide a program against peers and port classes: for each pair what the ordered rules come to, and why.

    Parameters
    ----------
    program : int64[r]
        Its rules, in order.
    book : int32[rules, 13]
        What rules are, in the columns named above.
    masks, mask_of, undeclared, extra_masks, extra_of, extra_first, slots
        What port sets hold (`simcore.tables.decisions.PortMasks`).
    states : uint8[r, peers]
        NO, MAYBE or YES: whether a peer is one of the rule's.
    subjects : uint8[r]
        MAYBE or YES: whether the rule binds the subject.
    subject_known, peer_known : bool, bool[peers]
        Whether their addresses are known, as far as it matters.
    destinations, sources : int64[peers]
        What the two ends declare: one is the subject, the other the peer.
    reasons : int64[17]
        Numbers of the reasons named above.
    habits : int64[4]
        How many reasons there are, that of an end for which no rule decides, what isolation does to protocols
        without ports, whether rules that tie have no order.

    Returns
    -------
    codes : int64[peers, classes]
        ``((rule + 1) * reasons + reason) * 8 + verdict * 2 + undefined``; rule -1 where none decides. Below 0 where
        the extra class of the flow decides, or its request: ``-1 - row of scans``.
    scans : int64[..., extra classes]
        Codes by extra class, counted from the first one of the slot; of flows without a request.
    ladders : int64[..., extra classes]
        Likewise, the ladder on which a request decides; -1 where there is none.
    starts, rungs : int64[ladders + 1], int64[..., RUNG]
        See `simcore.kernels.ladders`; what rungs lead to are codes.
    """  # fmt: skip
    count = program.size
    others, other_protocols, use_ties = habits[1], habits[2], habits[3] != 0
    actions, stages = np.empty(count, np.uint8), np.empty(count, np.int32)
    positions, ties = np.empty(count, np.int32), np.empty(count, np.int32)
    policies, certain = np.empty(count, np.int32), np.empty(count, np.bool_)
    requests = np.empty(count, np.int32)
    isolation, extended, asking = -1, False, False
    for k in range(count):
        rule = program[k]
        actions[k], stages[k], positions[k] = book[rule, ACTION], book[rule, STAGE], book[rule, POSITION]
        ties[k], policies[k], certain[k] = book[rule, TIE], book[rule, POLICY], book[rule, CERTAIN] != 0
        if book[rule, ISOLATES] and isolation < 0:
            isolation = k
        extended = extended or book[rule, SOURCES] >= 0 or book[rule, ASKS] != 0
        requests[k] = book[rule, REQUESTS]
        asking = asking or requests[k] >= 0
    groups = find_ties(positions, ties, policies, use_ties)
    order, portless_actions = np.arange(count), actions.copy()
    portless_order = order
    if isolation >= 0 and other_protocols != FOLLOW_PEERS:
        first = 0
        while stages[first] != stages[isolation]:
            first += 1
        portless_order = np.append(order[:first], isolation)
        portless_actions[isolation] = ALLOW if other_protocols == ALWAYS else DENY
    widest = 1
    for slot in range(extra_first.size - 1):
        if extended or asking:
            widest = max(widest, extra_first[slot + 1] - extra_first[slot])
    line, matches = np.empty(widest, np.int64), np.empty(count, np.uint8)
    ladder, unsure = np.full(widest, -1, np.int64), np.empty(count, np.int64)
    own, own_extra, source_of = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    out = np.empty((states.shape[1], slots.size), np.int64)
    scans, found = np.empty((4 if extended or asking else 0, widest), np.int64), 0
    ladders = np.empty_like(scans)
    rungs, starts, climbed = np.empty((64 if asking else 0, RUNG), np.int64), np.zeros(1, np.int64), 0
    for p in range(states.shape[1]):
        for k in range(count):
            rule = program[k]
            own[k] = mask_of[book[rule, PORTS], destinations[p]]
            own_extra[k] = extra_of[book[rule, PORTS], destinations[p]]
            source = book[rule, SOURCES]
            source_of[k] = -1 if source < 0 else extra_of[source, sources[p]]
        # What the end of a list says of a peer that no rule allows does not depend on the class, but for names:
        # told once a stage.
        told_stage, told = -1, (False, False, np.uint8(0))
        for c in range(slots.size):
            is_portless = slots[c] >= FIRST_PORTLESS and isolation >= 0 and other_protocols != JUDGED
            is_cut = is_portless and other_protocols != FOLLOW_PEERS
            walk = portless_order if is_cut else order
            acts = portless_actions if is_cut else actions
            first_extra = extra_first[slots[c]]
            extras = extra_first[slots[c] + 1] - first_extra if extended else 1
            alike = True
            for e in range(extras):
                decider, skipped, in_doubt, asked = -1, -1, False, False
                for j in range(walk.size):
                    k = walk[j]
                    state = states[k, p]
                    port = masks[own[k], c]
                    if state == NO or port == NO or stages[k] == skipped:
                        continue
                    if port == ASK:
                        port = extra_masks[own_extra[k], first_extra + e]
                    match = min(state, port, subjects[k])
                    if source_of[k] >= 0:
                        match = min(match, extra_masks[source_of[k], first_extra + e])
                    if match == NO:
                        continue
                    asked = asked or requests[k] >= 0
                    if match == MAYBE or not certain[k]:
                        in_doubt = True
                        continue
                    in_doubt = in_doubt or groups[k] >= 0
                    if acts[k] == PASS:
                        skipped = stages[k]
                        continue
                    decider = k
                    break
                number, verdict = decider, np.int64(ALLOW)
                if decider >= 0:
                    verdict = np.int64(acts[decider])
                is_tie = False
                if in_doubt or asked:
                    for k in range(count):
                        port, source = masks[own[k], c], np.uint8(YES)
                        if port == ASK:
                            port = extra_masks[own_extra[k], first_extra + e]
                        if source_of[k] >= 0:
                            source = extra_masks[source_of[k], first_extra + e]
                        match = min(states[k, p], port, subjects[k], source)
                        matches[k] = match if certain[k] else min(match, MAYBE)
                        known = peer_known[p] or states[k, p] != MAYBE
                        known = known and (subject_known or subjects[k] != MAYBE)
                        state = min(states[k, p], subjects[k])
                        unsure[k] = reasons[_why_unsure(certain[k], state, known, port, source)]
                if in_doubt:
                    doubt, is_tie = find_doubt(
                        walk, decider, verdict, acts, matches, stages, positions, ties, policies, use_ties
                    )
                    if doubt >= 0:
                        number, verdict = doubt, np.int64(UNKNOWN)
                is_undefined = is_portless and number >= 0 and stages[number] == stages[isolation]
                reason = others
                if is_tie:
                    reason = reasons[PRIORITY_TIE]
                elif verdict == UNKNOWN:
                    reason = unsure[number]
                elif number >= 0:
                    if told_stage != stages[number] and verdict == DENY:
                        told_stage = stages[number]
                        told = _told(told_stage, program, book, states, p, undeclared, destinations[p])
                    is_end = is_cut and number == isolation
                    rule = program[number]
                    reason = reasons[_why(book[rule, WRITTEN], book[rule, REJECTS], verdict, is_end, told, slots[c])]
                    number = -1 if is_end and verdict == ALLOW else number
                rule = program[number] if number >= 0 else np.int64(-1)
                line[e] = _code(rule, reason, verdict, is_undefined, habits[0])
                ladder[e] = -1
                alike = alike and line[e] == line[0]
                if asking and (in_doubt or asked):
                    ways = (walk, acts, matches, stages, groups, policies, requests, unsure)
                    where = (states, p, undeclared, destinations[p], slots[c])
                    laid = _laid(program, book, ways, where, (isolation, is_portless, is_cut), others, reasons, habits)
                    if len(laid):
                        ladder[e], alike = climbed, False
                        first_rung, climbed = starts[climbed], climbed + 1
                        if climbed == starts.size:
                            starts = np.append(starts, np.empty_like(starts))
                        starts[climbed] = first_rung + len(laid)
                        while len(rungs) < starts[climbed]:
                            rungs = np.concatenate((rungs, np.empty_like(rungs)))
                        rungs[first_rung : starts[climbed]] = laid
            out[p, c] = line[0]
            if not alike:
                if found == len(scans):
                    scans = np.concatenate((scans, np.empty_like(scans)))
                    ladders = np.concatenate((ladders, np.empty_like(ladders)))
                scans[found], ladders[found] = line[0], ladder[0]
                scans[found, :extras], ladders[found, :extras] = line[:extras], ladder[:extras]
                found += 1
                out[p, c] = -found
    return (
        out,
        scans[:found].copy(),
        ladders[:found].copy(),
        starts[: climbed + 1].copy(),
        rungs[: starts[climbed]].copy(),
    )


@kernel
def _laid(program, book, ways, where, portless, others, reasons, habits):
    """Lay the ladder of one peer and class; none, where rules that look at requests do not come to decide.

    Parameters
    ----------
    program, book, reasons, habits
        As for `decide`.
    ways : tuple of arrays
        The order in which rules are asked; of each its action, how far it matches any request, its stage, tie, policy
        and request set, and the reason of a doubt.
    where : tuple
        What `_told` is asked for besides the stage; and the slot of the protocol.
    portless : (int, bool, bool)
        The place of isolation; whether the protocol has no ports; whether isolation then cuts the walk short.
    others : int
        The reason where no rule decides.
    """
    walk, acts, matches, stages, groups, policies, requests, unsure = ways
    states, p, undeclared, destination, slot = where
    isolation, is_portless, is_cut = portless
    taken, goes_on = climb(walk, acts, matches, stages, groups, requests)
    if taken.size == 0:
        return np.empty((0, RUNG), np.int64)
    codes = np.empty((matches.size, 5), np.int64)
    for k in taken:
        verdict, is_end = np.int64(acts[k]), is_cut and k == isolation
        is_undefined = is_portless and stages[k] == stages[isolation]
        told = _told(stages[k], program, book, states, p, undeclared, destination)
        rule = program[k]
        reason = reasons[_why(book[rule, WRITTEN], book[rule, REJECTS], verdict, is_end, told, slot)]
        decider = np.int64(-1) if is_end and verdict == ALLOW else rule
        codes[k] = _code(decider, reason, verdict, is_undefined, habits[0])
        if requests[k] >= 0 and verdict == ALLOW:
            codes[k, TOLD] = _code(rule, reasons[BY_REQUEST], verdict, is_undefined, habits[0])
        if verdict == DENY and not is_end and not book[rule, WRITTEN]:
            codes[k, REFUSED] = _code(rule, reasons[REQUEST_NOT_ALLOWED], verdict, is_undefined, habits[0])
        codes[k, DOUBTED] = _code(rule, unsure[k], UNKNOWN, is_undefined, habits[0])
        codes[k, TIED] = _code(rule, reasons[PRIORITY_TIE], UNKNOWN, is_undefined, habits[0])
    end = _code(np.int64(-1), others, np.int64(ALLOW), False, habits[0]) if goes_on else np.int64(-1)
    rungs = np.empty((taken.size + 1, RUNG), np.int64)
    return rungs[: write_rungs(taken, acts, matches, stages, groups, policies, requests, codes, end, rungs)]


@kernel
def _why_unsure(certain, state, known, port, source):
    """Return the reason of a doubt, as a position in `reasons`.

    Parameters
    ----------
    certain : bool
    state : uint8
        Whether the ends are the rule's.
    known : bool
        Whether the addresses that it asks for are known.
    port, source : uint8
        Whether the ports are the rule's.
    """
    if not certain or (state == MAYBE and known):
        return UNCERTAIN_RULE
    if state == MAYBE:
        return UNKNOWN_ADDRESS
    if port == MAYBE:
        return NO_PORT
    return NO_SOURCE_PORT if source == MAYBE else UNKNOWN_REQUEST


@kernel
def _told(stage, program, book, states, peer, undeclared, destination):
    """Say what the rules of a stage allow a peer: whether there are any, for the peer, and which names it lacks."""
    some, selected, missing = False, False, np.uint8(0)
    for k in range(program.size):
        rule = program[k]
        if book[rule, STAGE] == stage and book[rule, ACTION] == ALLOW and book[rule, WRITTEN]:
            some = True
            if states[k, peer] != NO:
                selected = True
                missing |= undeclared[book[rule, PORTS], destination]
    return some, selected, missing


@kernel
def _why(written, rejects, verdict, is_end, told, slot):
    """Return the reason of a verdict, as a position in `reasons`.

    Parameters
    ----------
    written, rejects : int32
        WRITTEN and REJECTS of the deciding rule.
    verdict : int
    is_end : bool
        Whether it is isolation, and the protocol has no ports.
    told : (bool, bool, uint8)
        What rules that allow say of the peer.
    slot : int
        Of the protocol.
    """
    if is_end:
        return PROTOCOL_ALLOWED if verdict == ALLOW else PROTOCOL_DENIED
    if verdict == ALLOW:
        return BY_RULE
    if written:
        return BY_REJECTION if rejects else BY_DENIAL
    some, selected, missing = told
    if not some:
        return NO_RULE
    if not selected:
        return PEER_NOT_SELECTED
    if slot < FIRST_PORTLESS and (np.int64(missing) >> slot) & 1:
        return NAMED_PORT_UNDECLARED
    return PORT_NOT_ALLOWED


@kernel
def _code(rule, reason, verdict, is_undefined, reason_count):
    """Write as a code what a rule leads to; -1 is none."""
    return ((rule + 1) * reason_count + reason) * 8 + verdict * 2 + is_undefined
