"""Multibit tries: an address to the number of the range that holds it.

A trie is one int32 array of nodes. The root has 65,536 slots for the first 16 bits, every other node 256 slots for
the next 8. A slot holds a value (0 and up), or, where the ranges part further down, ``-1 - node``: the 256 slots
of that node begin at ``65536 + 256 * node``. Values are pushed to the leaves, so that a walk never looks back.

Single IPv6 addresses would take a node for each of their last bytes, and a walk through all of them. They stand in a
hash table beside the trie, which holds what is around them: open addressing, at most half full.
"""

import numpy as np

from .jit import kernel

ROOT_SLOTS = 65536
NODE_SLOTS = 256


@kernel
def find_v4(trie, address):
    """Return the value of the range that holds one IPv4 address (an integer in host order).

    Indices are unsigned: numba tests a signed one for being negative.
    """
    slot = trie[np.uintp(address >> 16)]
    if slot < 0:
        slot = trie[np.uintp(65280 - 256 * np.int64(slot) + ((address >> 8) & 255))]
        if slot < 0:
            slot = trie[np.uintp(65280 - 256 * np.int64(slot) + (address & 255))]
    return slot


@kernel
def find_v6(trie, high, low):
    """Return the value of the range that holds one IPv6 address (its two halves, uint64)."""
    slot = trie[np.int64(high >> np.uint64(48))]
    shift = np.uint64(40)
    half = np.uint64(high)
    for level in range(14):
        if slot >= 0:
            return slot
        if level == 6:
            half = np.uint64(low)
            shift = np.uint64(56)
        byte = np.int64((half >> shift) & np.uint64(255))
        slot = trie[65536 + np.int64(-1 - slot) * 256 + byte]
        shift -= np.uint64(8)
    return slot


@kernel
def exact_slot(high, low, size):
    """Return the slot at which the search for an IPv6 address begins, in a table of `size` (a power of two) slots."""
    mixed = (np.uint64(high) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(low)) * np.uint64(0xC2B2AE3D27D4EB4F)
    return np.uintp((mixed ^ (mixed >> np.uint64(32))) & np.uint64(size - 1))


@kernel
def find_exact(exact, values, high, low):
    """Return the value of a single IPv6 address, or -1 where it is none of the table's."""
    slot = exact_slot(high, low, exact.shape[0])
    while values[slot] >= 0 and (exact[slot, 0] != high or exact[slot, 1] != low):
        slot = (slot + np.uintp(1)) & np.uintp(exact.shape[0] - 1)
    return values[slot]


@kernel
def fill_exact(high, low, exact):
    """Write addresses into a table.

    Parameters
    ----------
    high, low : uint64[n]
        The halves of distinct addresses.
    exact : uint64[size, 2]
        Written; `size` is a power of two, more than n.

    Returns
    -------
    int32[size]
        Which address stands in each slot; -1 where none does.
    """
    taken = np.full(exact.shape[0], -1, np.int32)
    for i in range(high.size):
        slot = exact_slot(high[i], low[i], exact.shape[0])
        while taken[slot] >= 0:
            slot = (slot + np.uintp(1)) & np.uintp(exact.shape[0] - 1)
        taken[slot] = i
        exact[slot, 0] = high[i]
        exact[slot, 1] = low[i]
    return taken


@kernel
def is_mapped(high, low):
    """Whether the halves of an address are those of an IPv4 address mapped into IPv6."""
    return high == np.uint64(0) and (low >> np.uint64(32)) == np.uint64(0xFFFF)


@kernel
def is_mapped_packed(first, second):
    """Whether the halves of an address as they are stored, in network byte order, are those of a mapped IPv4 one."""
    return first == np.uint64(0) and (second & np.uint64(0xFFFFFFFF)) == np.uint64(0xFFFF0000)


@kernel
def swapped(half):
    """Turn the bytes of a half around."""
    octets, shorts = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
    half = (half & octets) << np.uint64(8) | (half >> np.uint64(8)) & octets
    half = (half & shorts) << np.uint64(16) | (half >> np.uint64(16)) & shorts
    return half << np.uint64(32) | half >> np.uint64(32)


@kernel
def grow_trie(starts_high, starts_low, values, width):
    """Build a trie from ranges that together cover the whole address space.

    Parameters
    ----------
    starts_high, starts_low : uint64[n], n >= 1
        First address of each range, ascending, aligned to the left: an IPv4 address is the top 32 bits.
        The first range starts at 0.
    values : int32[n]
        The value of each range, 0 or more.
    width : int
        Length of an address in bits: 32 or 128.

    Returns
    -------
    int32[65536 + 256 * nodes]
        The trie.
    """
    trie = np.empty(ROOT_SLOTS, np.int32)
    pending_high = np.zeros(1, np.uint64)
    pending_low = np.zeros(1, np.uint64)
    pending_range = np.zeros(1, np.int64)
    base, slots, bits = 0, ROOT_SLOTS, 16
    nodes = 0
    while pending_high.size > 0:
        if trie.size < base + pending_high.size * slots:
            grown = np.empty(base + pending_high.size * slots, np.int32)
            grown[: trie.size] = trie
            trie = grown
        next_high = np.empty(64, np.uint64)
        next_low = np.empty(64, np.uint64)
        next_range = np.empty(64, np.int64)
        found = 0
        for node in range(pending_high.size):
            current = pending_range[node]
            for slot in range(slots):
                high, low = _with_bits(pending_high[node], pending_low[node], np.uint64(slot), bits)
                while current + 1 < values.size and _not_after(
                    starts_high[current + 1], starts_low[current + 1], high, low
                ):
                    current += 1
                last_high, last_low = _slot_end(high, low, bits)
                value = values[current]
                end = current
                uniform = True
                while end + 1 < values.size and _not_after(
                    starts_high[end + 1], starts_low[end + 1], last_high, last_low
                ):
                    end += 1
                    if values[end] != value:
                        uniform = False
                        break
                if uniform or bits == width:
                    trie[base + node * slots + slot] = value
                    continue
                trie[base + node * slots + slot] = -1 - nodes
                nodes += 1
                if found == next_high.size:
                    next_high = _doubled(next_high)
                    next_low = _doubled(next_low)
                    next_range = _doubled(next_range)
                next_high[found] = high
                next_low[found] = low
                next_range[found] = current
                found += 1
        base += pending_high.size * slots
        pending_high, pending_low, pending_range = next_high[:found], next_low[:found], next_range[:found]
        slots = NODE_SLOTS
        bits += 8
    return trie[:base]


@kernel
def _doubled(array):
    """Copy an array into one of twice its size."""
    grown = np.empty(array.size * 2, array.dtype)
    grown[: array.size] = array
    return grown


@kernel
def _with_bits(high, low, slot, bits):
    """Set the bits of a prefix that end at bit `bits`, counted from the left."""
    if bits <= 64:
        return high | (slot << np.uint64(64 - bits)), low
    return high, low | (slot << np.uint64(128 - bits))


@kernel
def _slot_end(high, low, bits):
    """Return the last address that begins with the first `bits` bits of this one."""
    ones = np.uint64(0xFFFFFFFFFFFFFFFF)
    if bits < 64:
        return high | (ones >> np.uint64(bits)), ones
    if bits == 64:
        return high, ones
    if bits < 128:
        return high, low | (ones >> np.uint64(bits - 64))
    return high, low


@kernel
def _not_after(a_high, a_low, b_high, b_low):
    """Whether address a is b or comes before it."""
    return a_high < b_high or (a_high == b_high and a_low <= b_low)
