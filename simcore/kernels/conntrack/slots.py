"""The bulk tracker's table: slots of one cache line each, and beside them a byte of each slot's hash.

The table is open: an entry lies in the slot that the highest bits of its connection's hash name, or in one of the next
255. It never moves until the table is built anew, so slots found for a tile of packets hold. Expired entries keep their
slots, for whoever comes next.

Eight tags, one a slot, make a word: they tell where an entry very likely is without a look at any slot, so that one
line of memory serves a packet. A tag of 0: the slot was never used. Tags only hint; what is true stands in the entry.
"""

import numpy as np

from ..jit import kernel

LEAST_BITS = 16  # of the hash, which name the slot in the smallest table; 40 more are in the entry
FARTHEST = 255
TAGS = 8  # a word
_ONES, _HIGHS = 0x0101010101010101, 0x8080808080808080


@kernel
def tag_of(key):
    """Return the tag of a hash; bits of it that neither name a shard nor, but in vast tables, a slot."""
    return max(key >> np.uint64(8) & np.uint64(255), np.uint64(1))


@kernel
def place_of_tag(word, after, slot, tag):
    """Say how far from a slot the first of eight is that has this tag, by the slot's word and the next; 0 if none."""
    shift = (slot & np.uint64(7)) << np.uint64(3)
    tags = word >> shift | after << np.uint64(1) << (np.uint64(63) - shift)
    # A byte is zero where the tags are equal; its highest bit is set by what follows, and only ones above it wrongly.
    differ = tags ^ tag * np.uint64(_ONES)
    hits = (differ - np.uint64(_ONES)) & ~differ & np.uint64(_HIGHS)
    below = (hits & (~hits + np.uint64(1))) - np.uint64(1)
    return (below >> np.uint64(7) & np.uint64(_ONES)) * np.uint64(_ONES) >> np.uint64(56) & np.uint64(7)


@kernel
def with_tag(word, slot, tag):
    """Return a word with another tag for a slot."""
    shift = (slot & np.uint64(7)) << np.uint64(3)
    return word & ~(np.uint64(255) << shift) | tag << shift


@kernel
def count_entries(entries, now):
    """Count the entries that live at a time (ns from BASE)."""
    live = 0
    for i in range(entries.size):
        live += 1 if entries[i].status != 0 and entries[i].expiry >> 8 > now else 0
    return live


@kernel
def move_entries(entries, now, larger, tags):
    """Build a table anew without what has expired; return how many entries it holds, or -1: one found no slot near.

    Parameters
    ----------
    entries : ENTRY[2**b]
    now : int64
        In ns from BASE.
    larger : ENTRY[2**c], c >= b
        Written; all zero before.
    tags : uint64[2**c // TAGS]
        Those of `larger`; written, all zero before.
    """
    old_bits, new_bits = bits_of(entries.size), bits_of(larger.size)
    mask = np.int64(larger.size - 1)
    moved = 0
    for i in range(entries.size):
        entry = entries[i]
        if entry.status == 0 or entry.expiry >> 8 <= now:
            continue
        home = (i - (entry.expiry & 255)) & (entries.size - 1)
        # The slot's first 16 bits, and the 40 that follow in the entry, are the hash's highest.
        stored = np.int64(entry.key_high) << 32 | np.int64(entry.key)
        high = home >> (old_bits - LEAST_BITS)
        slot = (high << 40 | stored) >> (56 - new_bits)
        distance = 0
        while larger[slot].status != 0:
            slot = (slot + 1) & mask
            distance += 1
            if distance > FARTHEST:
                return -1
        larger[slot] = entry
        larger[slot].expiry = entry.expiry >> 8 << 8 | distance
        word = slot // TAGS
        tags[word] = with_tag(tags[word], np.uint64(slot), tag_of(np.uint64(stored) << np.uint64(8)))
        moved += 1
    return moved


@kernel
def bits_of(size):
    """Return the exponent of a power of two."""
    bits = 0
    while size > 1:
        size >>= 1
        bits += 1
    return bits
