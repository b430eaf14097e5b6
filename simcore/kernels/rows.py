"""Kernels that build decision rows."""

import numpy as np

from .jit import kernel

NO, MAYBE, YES = 0, 1, 2
"""Whether a set holds something."""
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
