"""Kernels that count flows by group."""

import numpy as np

from .jit import kernel

NO_TIME = np.int64(0x7FFFFFFFFFFFFFFF)
"""Stands for a missing time: later than any other."""


@kernel
def group(keys, amounts, seen, sequence, out_of, sums, times, examples):
    """Merge records that share their key.

    Parameters
    ----------
    keys : int64[n, w]
        What records are grouped by.
    amounts : int64[n, 3]
        What is added up: flows, packets, bytes.
    seen : int64[n, 2]
        First and last time, in nanoseconds; NO_TIME, and the lowest integer, where missing.
    sequence : int64[n]
        Position in the capture, ``file << 40 | row``: breaks ties between equal times.
    out_of : int64[n]
        Written up to the returned number: a record of each group (its first in this order).
    sums : int64[n, 3]
        Written up to there: the added amounts.
    times : int64[n, 2]
        Written up to there: first and last time seen.
    examples : int64[n]
        Written up to there: the record whose first time, then sequence, is lowest.

    Returns
    -------
    int
        Number of groups.
    """
    size = 16
    while size < 2 * keys.shape[0]:
        size *= 2
    table = np.full(size, -1, np.int32)
    found = 0
    for i in range(keys.shape[0]):
        hashed = np.uint64(0)
        for column in range(keys.shape[1]):
            hashed = (hashed ^ np.uint64(keys[i, column])) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        slot = np.int64(hashed & np.uint64(size - 1))
        while table[slot] >= 0 and not _equal(keys, out_of[table[slot]], i):
            slot = (slot + 1) & (size - 1)
        number = np.int64(table[slot])
        if number < 0:
            number = np.int64(found)
            table[slot] = number
            out_of[number] = i
            sums[number] = amounts[i]
            times[number] = seen[i]
            examples[number] = i
            found += 1
            continue
        sums[number] += amounts[i]
        times[number, 0] = min(times[number, 0], seen[i, 0])
        times[number, 1] = max(times[number, 1], seen[i, 1])
        best = examples[number]
        if seen[i, 0] < seen[best, 0] or (seen[i, 0] == seen[best, 0] and sequence[i] < sequence[best]):
            examples[number] = i
    return found


@kernel
def _equal(keys, a, b):
    for column in range(keys.shape[1]):
        if keys[a, column] != keys[b, column]:
            return False
    return True


@kernel
def count_verdicts(verdict, out):
    """Count flows by their verdict under each policy set.

    Parameters
    ----------
    verdict : uint8[sets, n], sets 1 or 2
        0 to 2.
    out : int64[3, 3]
        Added to: ``out[before, after]``; with one set, before is after.
    """
    last = verdict.shape[0] - 1
    for i in range(verdict.shape[1]):
        out[verdict[0, i], verdict[last, i]] += 1
