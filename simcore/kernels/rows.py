"""Kernels that build decision rows."""

import numpy as np

from .jit import kernel

NO, YES, MAYBE = 0, 1, 2
"""What a rule says of a peer or a port class."""
ALLOW, DENY, UNKNOWN = 0, 1, 2

# Positions in the reasons that `decide` is given.
BY_RULE, BY_DENIAL, NO_RULE, PEER_NOT_SELECTED, PORT_NOT_ALLOWED, NAMED_PORT_UNDECLARED = 0, 1, 2, 3, 4, 5
UNKNOWN_ADDRESS, UNCERTAIN_RULE, NO_PORT, PROTOCOL_ALLOWED, PROTOCOL_DENIED, REASONS = 6, 7, 8, 9, 10, 11
FOLLOW_PEERS, ALWAYS, NEVER = 0, 1, 2
"""What isolation does to protocols without ports (NP-20)."""
MIXER = np.uint64(0x9E3779B97F4A7C15)


@kernel
def number_signatures(signatures, numbers, firsts):
    """Number the distinct signatures in order of appearance.

    Parameters
    ----------
    signatures : uint64[n, 2]
        What to number.
    numbers : int32[n]
        Written: the number of each signature.
    firsts : int64[n]
        Written up to the number of distinct signatures: where each first appears.

    Returns
    -------
    int
        How many are distinct.
    """
    size = 16
    while size < 2 * signatures.shape[0]:
        size *= 2
    table = np.full(size, -1, np.int32)
    mask = np.uint64(size - 1)
    found = 0
    for i in range(signatures.shape[0]):
        mixed = (signatures[i, 0] * MIXER + signatures[i, 1]) * MIXER
        slot = np.int64(mixed >> np.uint64(20) & mask)
        while True:
            number = table[slot]
            if number < 0:
                table[slot] = found
                firsts[found] = i
                numbers[i] = found
                found += 1
                break
            first = firsts[number]
            if signatures[first, 0] == signatures[i, 0] and signatures[first, 1] == signatures[i, 1]:
                numbers[i] = number
                break
            slot = (slot + 1) & (size - 1)
    return found


@kernel
def tell_apart(rules, peers_of, starts, ends_sure, members, words, keys, signatures, numbers):
    """Number the columns that a program tells apart, and say what its rules think of each number.

    Parameters
    ----------
    rules : int64[r]
        The program's rules, in order.
    peers_of : int32[rules]
        Peer set of each rule; -1 for everybody.
    starts, ends_sure : int64[peer sets + 1], int64[peer sets]
        A set's columns stand from ``starts[s]`` to ``starts[s + 1]``; those up to ``ends_sure[s]`` are in it for sure.
    members : int32[...]
        Columns of peer sets.
    words : uint64[2 * r or more, 2]
        Random words, two for each rule.
    keys : int64[columns] or int64[0]
        What columns declare, where that makes a difference to the program.
    signatures : uint64[columns, 2]
        Workspace.
    numbers : int32[columns]
        Written.

    Returns
    -------
    firsts : int64[found]
        The first column of each number.
    states : uint8[r, found]
        NO, YES or MAYBE.
    """
    count = numbers.size
    for column in range(count):
        signatures[column, 0] = np.uint64(keys[column]) if keys.size else np.uint64(0)
        signatures[column, 1] = np.uint64(0)
    for k in range(rules.size):
        peers = peers_of[rules[k]]
        if peers >= 0:
            for place in range(starts[peers], starts[peers + 1]):
                word = 2 * k + (place >= ends_sure[peers])
                signatures[members[place], 0] ^= words[word, 0]
                signatures[members[place], 1] ^= words[word, 1]
    firsts = np.empty(count, np.int64)
    found = number_signatures(signatures, numbers, firsts)
    states = np.empty((rules.size, found), np.uint8)
    for k in range(rules.size):
        peers = peers_of[rules[k]]
        states[k] = YES if peers < 0 else NO
        if peers >= 0:
            for place in range(starts[peers], starts[peers + 1]):
                states[k, numbers[members[place]]] = YES if place < ends_sure[peers] else MAYBE
    return firsts[:found].copy(), states


@kernel
def decide(rules, action, isolates, certain, tier, ports_of, states, keys, masks, mask_of, undeclared, slots, habits):
    """Decide a program against peers and port classes: for each pair the first rule that matches, and why.

    Parameters
    ----------
    rules : int64[r]
        The program's rules, in order.
    action : uint8[rules]
        ALLOW or DENY.
    isolates, certain : bool[rules]
        Whether a rule is the isolation that a policy brings along; whether it can be judged.
    tier, ports_of : int32[rules]
        Tier and port set of each rule.
    states : uint8[r, peers]
        As `tell_apart` returns them.
    keys : int64[peers]
        What the destination declares: the subject of an ingress rule, the peer of an egress rule.
    masks : uint8[masks, classes]
        NO, YES or MAYBE for every port class.
    mask_of : int32[port sets, keys]
        The mask of a port set for a destination.
    undeclared : uint8[port sets, keys]
        A bit for each protocol slot: the set has a name of that protocol which the destination does not declare.
    slots : int64[classes]
        Protocol slot of each port class; the last slot holds protocols without ports.
    habits : int64[15]
        Numbers of the reasons (see above) and how many there are, that of a program that binds nothing, what
        isolation does to protocols without ports, and their slot.

    Returns
    -------
    int64[peers, classes]
        ``((rule + 1) * REASONS + reason) * 8 + verdict * 2 + undefined``; rule -1 where none decides.
    """
    unbound, other_protocols, other_slot = habits[12], habits[13], habits[14]
    out = np.empty((states.shape[1], slots.size), np.int64)
    first_isolation = np.int64(-1)
    for k in range(rules.size):
        if isolates[rules[k]] and first_isolation < 0:
            first_isolation = rules[k]
    # What isolation says of a peer that no rule allows does not depend on the class, but for names: told once a tier.
    for p in range(states.shape[1]):
        key = keys[p]
        told_tier, some, selected, missing = np.int64(-1), False, False, np.uint8(0)
        for c in range(slots.size):
            number, reason, verdict = np.int64(-1), unbound, np.int64(ALLOW)
            doubt = doubt_reason = np.int64(-1)
            allow_doubt = allow_doubt_reason = np.int64(-1)
            for k in range(rules.size):
                rule = rules[k]
                port = masks[mask_of[ports_of[rule], key], c]
                if states[k, p] == NO or port == NO:
                    continue
                if states[k, p] == YES and port == YES and certain[rule]:
                    number = rule
                    if action[rule] == ALLOW:
                        reason = habits[BY_RULE]
                    else:
                        verdict = np.int64(DENY)
                        reason = habits[BY_DENIAL]
                        if isolates[rule]:
                            if told_tier != tier[rule]:
                                told_tier = np.int64(tier[rule])
                                some = selected = False
                                missing = np.uint8(0)
                                for q in range(rules.size):
                                    other_rule = rules[q]
                                    if action[other_rule] != ALLOW or tier[other_rule] != told_tier:
                                        continue
                                    some = True
                                    if states[q, p] != NO:
                                        selected = True
                                        missing |= undeclared[ports_of[other_rule], key]
                            if not some:
                                reason = habits[NO_RULE]
                            elif not selected:
                                reason = habits[PEER_NOT_SELECTED]
                            elif (np.int64(missing) >> slots[c]) & 1:
                                reason = habits[NAMED_PORT_UNDECLARED]
                            else:
                                reason = habits[PORT_NOT_ALLOWED]
                    break
                if not certain[rule]:
                    why = habits[UNCERTAIN_RULE]
                else:
                    why = habits[UNKNOWN_ADDRESS] if states[k, p] == MAYBE else habits[NO_PORT]
                if action[rule] == ALLOW and allow_doubt < 0:
                    allow_doubt, allow_doubt_reason = rule, why
                elif action[rule] == DENY and doubt < 0:
                    doubt, doubt_reason = rule, why
            other = slots[c] == other_slot and first_isolation >= 0
            if other and other_protocols != FOLLOW_PEERS:
                doubt = allow_doubt = np.int64(-1)
                if other_protocols == ALWAYS:
                    number, reason, verdict = np.int64(-1), habits[PROTOCOL_ALLOWED], np.int64(ALLOW)
                else:
                    number, reason, verdict = first_isolation, habits[PROTOCOL_DENIED], np.int64(DENY)
            if verdict == ALLOW and doubt >= 0:
                number, reason, verdict = doubt, doubt_reason, np.int64(UNKNOWN)
            elif verdict == DENY and allow_doubt >= 0:
                number, reason, verdict = allow_doubt, allow_doubt_reason, np.int64(UNKNOWN)
            out[p, c] = ((number + 1) * habits[REASONS] + reason) * 8 + verdict * 2 + other
    return out


@kernel
def lay_out(numbers, places, words, out):
    """Write the rows of a program, column by column, and return 128 bits that differ where rows do.

    Parameters
    ----------
    numbers : int32[columns]
        Which of the program's peers a column is.
    places : uint32[peers]
        The row of each peer.
    words : uint64[columns, 2]
        Random words.
    out : uint32[columns]
        Written.
    """
    high, low = np.uint64(0), np.uint64(0)
    for column in range(numbers.size):
        place = places[numbers[column]]
        out[column] = place
        high += (np.uint64(place) + np.uint64(1)) * words[column, 0]
        low += (np.uint64(place) + np.uint64(1)) * words[column, 1]
    return high, low


@kernel
def sign_columns(block, words, signatures):
    """Give columns signatures that differ where any of their rows do.

    Parameters
    ----------
    block : uint32[rows, columns]
    words : uint64[rows, 2]
        Random words.
    signatures : uint64[columns, 2]
        Added to.
    """
    for row in range(block.shape[0]):
        for column in range(block.shape[1]):
            place = np.uint64(block[row, column]) + np.uint64(1)
            signatures[column, 0] += place * words[row, 0]
            signatures[column, 1] += place * words[row, 1]


@kernel
def count_uses(block, step, uses):
    """Count in how many lines of a block each row stands.

    Parameters
    ----------
    block : uint16 or uint32[lines, columns]
    step : int
        What a line counts.
    uses : int64[rows]
        Added to.
    """
    seen = np.full(uses.size, -1, np.int32)
    for line in range(block.shape[0]):
        for column in range(block.shape[1]):
            row = block[line, column]
            if seen[row] != line:
                seen[row] = line
                uses[row] += step
