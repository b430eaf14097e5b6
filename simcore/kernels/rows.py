"""Kernels that build decision rows."""

import numpy as np

from .jit import kernel


@kernel
def toggle(signatures, members, word_high, word_low):
    """XOR a word into the signature of each member.

    Parameters
    ----------
    signatures : uint64[n, 2]
        Changed.
    members : int64[m]
        Which signatures.
    word_high, word_low : uint64
        The word.
    """
    for member in members:
        signatures[member, 0] ^= word_high
        signatures[member, 1] ^= word_low


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
        slot = np.int64((signatures[i, 0] * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(20) & mask)
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
