"""Kernels that put records in order: by time, and in an order within an instant that depends on nothing else."""

import numpy as np

from ..jit import kernel

DIGIT = 11


@kernel
def order_changes(changes, start, span, order):
    """Order changes by time, phase, key, and then as they stand.

    Parameters
    ----------
    changes : CHANGE[n]
        Those of one key stand in the order in which they happen.
    start, span : int
        All times lie within ``start <= time < start + span``; ns, span below 2**61.
    order : int32[m]
        Positions in `changes`, in their order; put in that of time.
    """
    count = order.size
    keys = np.empty(count, np.uint64)
    spare_keys = np.empty(count, np.uint64)
    spare = np.empty(count, np.int32)
    for i in range(count):
        change = changes[np.uintp(order[i])]
        keys[i] = np.uint64(change["time"] - start) << np.uint64(2) | np.uint64(change["phase"])
    bits = 2
    while span >> (bits - 2):
        bits += 1
    size = 1 << DIGIT
    totals = np.empty(size, np.int64)
    is_spare = False
    for shift in range(0, bits, DIGIT):
        totals[:] = 0
        of, number = (spare_keys, spare) if is_spare else (keys, order)
        to, place = (keys, order) if is_spare else (spare_keys, spare)
        amount, mask = np.uint64(shift), np.uint64(size - 1)
        for i in range(count):
            totals[np.uintp(of[i] >> amount & mask)] += 1
        total = np.int64(0)
        for digit in range(size):
            here = totals[digit]
            totals[digit] = total
            total += here
        for i in range(count):
            at = np.uintp(of[i] >> amount & mask)
            to[totals[at]] = of[i]
            place[totals[at]] = number[i]
            totals[at] += 1
        is_spare = not is_spare
    if is_spare:
        keys[:] = spare_keys
        order[:] = spare
    i = 0
    while i < count:
        stop = i + 1
        while stop < count and keys[stop] == keys[i]:
            stop += 1
        if stop - i > 1:
            _order_instant(changes, order, i, stop)
        i = stop


@kernel
def _order_instant(changes, order, start, stop):
    """Order the changes of one instant and phase by key; few by insertion."""
    if stop - start > 24:
        ties = np.empty(stop - start, np.uint64)
        for i in range(start, stop):
            ties[i - start] = changes[order[i]]["key"]
        order[start:stop] = order[start:stop][np.argsort(ties, kind="mergesort")]
        return
    for i in range(start + 1, stop):
        number = order[i]
        key = changes[number]["key"]
        j = i
        while j > start and changes[order[j - 1]]["key"] > key:
            order[j] = order[j - 1]
            j -= 1
        order[j] = number


@kernel
def pick_times(changes, first, last, order):
    """List the changes with ``first <= time < last``, in their order.

    Parameters
    ----------
    changes : CHANGE[n]
    first, last : int
        ns.
    order : int32[n]
        Written up to the returned number: positions in `changes`.
    """
    found = 0
    for i in range(changes.size):
        if first <= changes[i]["time"] < last:
            order[found] = i
            found += 1
    return found


@kernel
def order_rows(rows, shard, shards, start, keys, numbers):
    """List the rows of one shard with what they are ordered by.

    Parameters
    ----------
    rows : ROW[n]
    shard, shards : int
        Sixteen bits of the key tell which of the shards a row belongs to.
    start : int
        A time before all others, ns.
    keys : uint64[n]
        Written up to the returned number: the time since `start`, ``<< 2``, plus the rank: what runs from client to
        server comes first within an instant, what runs back last.
    numbers : int32[n]
        Written up to there: positions in `rows`.

    Returns
    -------
    int, bool
        How many; whether they are in order.
    """
    found = 0
    ordered = True
    before = np.uint64(0)
    for i in range(rows.size):
        if np.int64(rows[i]["key"] >> np.uint64(32) & np.uint64(0xFFFF)) * shards >> 16 != shard:
            continue
        hint = np.int64(rows[i]["what"]) >> 1 & 3
        rank = np.uint64(0 if hint == 1 else 1 if hint == 0 else 2)
        key = np.uint64(rows[i]["time"] - start) << np.uint64(2) | rank
        if key < before:
            ordered = False
        before = key
        keys[found] = key
        numbers[found] = i
        found += 1
    return found, ordered


@kernel
def lay_out_changes(changes, order, time, before, after, protocol, source, destination, denied):
    """Write changes, in an order, as columns.

    Parameters
    ----------
    changes : CHANGE[n]
    order : int32[m]
        Positions in `changes`.
    time : int64[m]
    before, after, protocol, denied : uint8[m]
    source, destination : int32[m]
        Written.
    """
    for i in range(order.size):
        change = changes[np.uintp(order[i])]
        time[i] = change["time"]
        before[i] = change["before"]
        after[i] = change["after"]
        protocol[i] = change["protocol"]
        source[i] = change["source"]
        destination[i] = change["destination"]
        denied[i] = change["denied"]
