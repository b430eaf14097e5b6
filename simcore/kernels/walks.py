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
    ladders, codes = np.empty_like(scans), np.empty((count, 5), np.int64)
    rungs, starts = np.empty((64 if asking else 0, RUNG), np.int64), [0]
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
                    reason = reasons[_why(book[program[number]], verdict, is_end, told, slots[c])]
                    number = -1 if is_end and verdict == ALLOW else number
                line[e] = _code(program, number, reason, verdict, is_undefined, habits)
                ladder[e] = -1
                alike = alike and line[e] == line[0]
                if not asking or not (in_doubt or asked):
                    continue
                taken, goes_on = climb(walk, acts, matches, stages, groups, requests)
                if taken.size == 0:
                    continue
                for k in taken:
                    is_undefined = is_portless and stages[k] == stages[isolation]
                    if told_stage != stages[k]:
                        told_stage = stages[k]
                        told = _told(told_stage, program, book, states, p, undeclared, destinations[p])
                    is_end = is_cut and k == isolation
                    verdict, number = np.int64(acts[k]), -1 if is_end and acts[k] == ALLOW else k
                    reason = reasons[_why(book[program[k]], verdict, is_end, told, slots[c])]
                    codes[k] = _code(program, number, reason, verdict, is_undefined, habits)
                    reason = reasons[BY_REQUEST]
                    if requests[k] >= 0 and verdict == ALLOW:
                        codes[k, TOLD] = _code(program, k, reason, verdict, is_undefined, habits)
                    reason = reasons[REQUEST_NOT_ALLOWED]
                    if verdict == DENY and not is_end and not book[program[k], WRITTEN]:
                        codes[k, REFUSED] = _code(program, k, reason, verdict, is_undefined, habits)
                    codes[k, DOUBTED] = _code(program, k, unsure[k], UNKNOWN, is_undefined, habits)
                    codes[k, TIED] = _code(program, k, reasons[PRIORITY_TIE], UNKNOWN, is_undefined, habits)
                while len(rungs) <= starts[-1] + taken.size:
                    rungs = np.concatenate((rungs, np.empty_like(rungs)))
                end = _code(program, -1, others, np.int64(ALLOW), False, habits) if goes_on else np.int64(-1)
                size = write_rungs(
                    taken, acts, matches, stages, groups, policies, requests, codes, end, rungs[starts[-1] :]
                )
                ladder[e] = len(starts) - 1
                starts.append(starts[-1] + size)
            out[p, c] = line[0]
            if not alike or ladder[:extras].max() >= 0:
                if found == len(scans):
                    scans = np.concatenate((scans, np.empty_like(scans)))
                    ladders = np.concatenate((ladders, np.empty_like(ladders)))
                scans[found], ladders[found] = line[0], ladder[0]
                scans[found, :extras], ladders[found, :extras] = line[:extras], ladder[:extras]
                found += 1
                out[p, c] = -found
    return out, scans[:found].copy(), ladders[:found].copy(), np.array(starts), rungs[: starts[-1]].copy()


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
def _why(rule, verdict, is_end, told, slot):
    """Return the reason of a verdict, as a position in `reasons`.

    Parameters
    ----------
    rule : int32[13]
        The deciding rule in the book.
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
    if rule[WRITTEN]:
        return BY_REJECTION if rule[REJECTS] else BY_DENIAL
    some, selected, missing = told
    if not some:
        return NO_RULE
    if not selected:
        return PEER_NOT_SELECTED
    if slot < FIRST_PORTLESS and (np.int64(missing) >> slot) & 1:
        return NAMED_PORT_UNDECLARED
    return PORT_NOT_ALLOWED


@kernel
def _code(program, place, reason, verdict, is_undefined, habits):
    """Write as a code what a rule of a program leads to; -1 is none."""
    rule = np.int64(-1)
    if place >= 0:
        rule = program[place]
    return ((rule + 1) * habits[0] + reason) * 8 + verdict * 2 + is_undefined
