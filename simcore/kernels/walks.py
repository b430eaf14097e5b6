"""Kernels that walk the ordered rules of a program for many peers and port classes."""

import numpy as np

from .jit import kernel
from .rows import MAYBE, NO, YES

ASK = 3
"""What a port set says of a port class that it divides: the extra class of the flow tells."""
ALLOW, DENY, UNKNOWN = 0, 1, 2
PASS = 2
"""The action beside ALLOW and DENY."""
FIRST_PORTLESS = 3
"""The first slot of protocols without ports."""
FOLLOW_PEERS, ALWAYS, JUDGED = 0, 1, 3
"""What isolation does to protocols without ports (NP-20); judged: what rules say is settled; else: it stops them."""

# Columns of what `decide` knows of rules. Positions, stages, policies and ties are equal where their numbers are; -1 is
# no tie, and every source port.
ACTION, WRITTEN, REJECTS, ISOLATES, CERTAIN, POSITION, STAGE, POLICY, TIE, PORTS, SOURCES, ASKS = range(12)

# Positions in the reasons that `decide` is given.
BY_RULE, BY_DENIAL, BY_REJECTION, NO_RULE, PEER_NOT_SELECTED, PORT_NOT_ALLOWED, NAMED_PORT_UNDECLARED = range(7)
UNKNOWN_ADDRESS, UNCERTAIN_RULE, NO_PORT, NO_SOURCE_PORT, PRIORITY_TIE, PROTOCOL_ALLOWED, PROTOCOL_DENIED = range(7, 14)


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
    book : int32[rules, 12]
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
    reasons : int64[14]
        Numbers of the reasons named above.
    habits : int64[4]
        How many reasons there are, that of an end for which no rule decides, what isolation does to protocols
        without ports, whether rules that tie have no order.

    Returns
    -------
    codes : int64[peers, classes]
        ``((rule + 1) * reasons + reason) * 8 + verdict * 2 + undefined``; rule -1 where none decides. Below 0 where
        the extra class of the flow decides: ``-1 - row of scans``.
    scans : int64[..., extra classes]
        Codes by extra class, counted from the first one of the slot.
    """  # fmt: skip
    count = program.size
    others, other_protocols, use_ties = habits[1], habits[2], habits[3] != 0
    actions, stages = np.empty(count, np.uint8), np.empty(count, np.int32)
    positions, ties = np.empty(count, np.int32), np.empty(count, np.int32)
    policies, certain = np.empty(count, np.int32), np.empty(count, np.bool_)
    isolation, extended = -1, False
    for k in range(count):
        rule = program[k]
        actions[k], stages[k], positions[k] = book[rule, ACTION], book[rule, STAGE], book[rule, POSITION]
        ties[k], policies[k], certain[k] = book[rule, TIE], book[rule, POLICY], book[rule, CERTAIN] != 0
        if book[rule, ISOLATES] and isolation < 0:
            isolation = k
        extended = extended or book[rule, SOURCES] >= 0 or book[rule, ASKS] != 0
    contested = _contested(positions, ties, policies, use_ties)
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
        if extended:
            widest = max(widest, extra_first[slot + 1] - extra_first[slot])
    line, matches = np.empty(widest, np.int64), np.empty(count, np.uint8)
    own, own_extra, source_of = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.int32)
    out = np.empty((states.shape[1], slots.size), np.int64)
    scans, found = np.empty((4 if extended else 0, widest), np.int64), 0
    for p in range(states.shape[1]):
        for k in range(count):
            rule = program[k]
            own[k] = mask_of[book[rule, PORTS], destinations[p]]
            own_extra[k] = extra_of[book[rule, PORTS], destinations[p]]
            source = book[rule, SOURCES]
            source_of[k] = -1 if source < 0 else extra_of[source, sources[p]]
        # What the end of a list says of a peer that no rule allows does not depend on the class, but for names:
        # told once a stage.
        told_stage, some, selected, missing = -1, False, False, np.uint8(0)
        for c in range(slots.size):
            is_portless = slots[c] >= FIRST_PORTLESS and isolation >= 0 and other_protocols != JUDGED
            is_cut = is_portless and other_protocols != FOLLOW_PEERS
            walk = portless_order if is_cut else order
            acts = portless_actions if is_cut else actions
            first_extra = extra_first[slots[c]]
            extras = extra_first[slots[c] + 1] - first_extra if extended else 1
            alike = True
            for e in range(extras):
                decider, skipped, in_doubt = -1, -1, False
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
                    if match == MAYBE or not certain[k]:
                        in_doubt = True
                        continue
                    in_doubt = in_doubt or contested[k]
                    if acts[k] == PASS:
                        skipped = stages[k]
                        continue
                    decider = k
                    break
                number, verdict = decider, np.int64(ALLOW)
                if decider >= 0:
                    verdict = np.int64(acts[decider])
                is_tie = False
                if in_doubt:
                    for k in range(count):
                        port = masks[own[k], c]
                        if port == ASK:
                            port = extra_masks[own_extra[k], first_extra + e]
                        match = min(states[k, p], port, subjects[k])
                        if source_of[k] >= 0:
                            match = min(match, extra_masks[source_of[k], first_extra + e])
                        matches[k] = match if certain[k] else min(match, MAYBE)
                    doubt, is_tie = _doubt(
                        walk, decider, verdict, acts, matches, stages, positions, ties, policies, use_ties
                    )
                    if doubt >= 0:
                        number, verdict = doubt, np.int64(UNKNOWN)
                is_undefined = is_portless and number >= 0 and stages[number] == stages[isolation]
                if is_tie:
                    reason = reasons[PRIORITY_TIE]
                elif verdict == UNKNOWN:
                    state = min(states[number, p], subjects[number])
                    known = peer_known[p] or states[number, p] != MAYBE
                    known = known and (subject_known or subjects[number] != MAYBE)
                    port = masks[own[number], c]
                    if port == ASK:
                        port = extra_masks[own_extra[number], first_extra + e]
                    if not certain[number] or (state == MAYBE and known):
                        reason = reasons[UNCERTAIN_RULE]
                    elif state == MAYBE:
                        reason = reasons[UNKNOWN_ADDRESS]
                    else:
                        reason = reasons[NO_PORT if port == MAYBE else NO_SOURCE_PORT]
                elif number < 0:
                    reason = others
                elif is_cut and number == isolation:
                    reason = reasons[PROTOCOL_ALLOWED if verdict == ALLOW else PROTOCOL_DENIED]
                    if verdict == ALLOW:
                        number = -1
                elif verdict == ALLOW:
                    reason = reasons[BY_RULE]
                elif book[program[number], WRITTEN]:
                    reason = reasons[BY_REJECTION if book[program[number], REJECTS] else BY_DENIAL]
                else:
                    if told_stage != stages[number]:
                        told_stage, some, selected, missing = stages[number], False, False, np.uint8(0)
                        for q in range(count):
                            if stages[q] == told_stage and actions[q] == ALLOW and book[program[q], WRITTEN]:
                                some = True
                                if states[q, p] != NO:
                                    selected = True
                                    missing |= undeclared[book[program[q], PORTS], destinations[p]]
                    if not some:
                        reason = reasons[NO_RULE]
                    elif not selected:
                        reason = reasons[PEER_NOT_SELECTED]
                    elif slots[c] < FIRST_PORTLESS and (np.int64(missing) >> slots[c]) & 1:
                        reason = reasons[NAMED_PORT_UNDECLARED]
                    else:
                        reason = reasons[PORT_NOT_ALLOWED]
                rule = np.int64(-1)
                if number >= 0:
                    rule = program[number]
                line[e] = ((rule + 1) * habits[0] + reason) * 8 + verdict * 2 + is_undefined
                alike = alike and line[e] == line[0]
            out[p, c] = line[0]
            if not alike:
                if found == scans.shape[0]:
                    scans = np.concatenate((scans, np.empty_like(scans)))
                scans[found] = line[0]
                scans[found, :extras] = line[:extras]
                found += 1
                out[p, c] = -found
    return out, scans[:found].copy()


@kernel
def _contested(positions, ties, policies, use_ties):
    """Tell which of the ordered rules tie with rules of other policies."""
    contested = np.zeros(ties.size, np.bool_)
    first = 0
    while first < ties.size:
        last, several = first + 1, False
        while last < ties.size and positions[last] == positions[first] and ties[last] == ties[first]:
            several = several or policies[last] != policies[first]
            last += 1
        contested[first:last] = several and use_ties and ties[first] >= 0
        first = last
    return contested


@kernel
def _doubt(walk, decider, verdict, actions, matches, stages, positions, ties, policies, use_ties):
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
