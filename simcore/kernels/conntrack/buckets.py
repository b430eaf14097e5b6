"""The kernel's own table: buckets with chains, each entry in two, expired ones until somebody passes (C-5, C-6).

A tuple is five uint64: source (two halves), destination (two halves), and ports: source << 32 | destination << 16 |
protocol. A node is twice an entry's number plus its direction; an entry is in the bucket of each of its tuples.
"""

from typing import NamedTuple

import numpy as np

from ..jit import kernel
from .entries import ASSURED

NOTHING = -1
EVICTION_RANGE = 8

# Positions in Table.numbers.
ALLOCATED, LIVE, FREE, HEAP_ITEMS, SEED, RANDOM, UNCONFIRMED = range(7)
DROPPED, EVICTED, CLASHED, CHAIN_TOO_LONG, COLLECTED, REAPED = range(8, 14)
EXPECTED_COUNT = 14
PASS_TIME, PASS_START, PASS_BUCKET, PASS_MEAN, PASS_COUNT, PRESSED, PASSES, ANCHOR, LAST_PASS = range(16, 25)
NUMBERS = 32


class Table(NamedTuple):
    """The arrays of a table. All are changed by the kernels here."""

    entries: np.ndarray  # ENTRY[capacity]
    tuples: np.ndarray  # uint64[capacity, 2, 5]
    heads: np.ndarray  # int32[buckets]: first node of each chain
    next: np.ndarray  # int32[2 * capacity]; of free entries, the next free entry at the first node
    previous: np.ndarray  # int32[2 * capacity]: node before, or -2 - bucket at the head of a chain
    generation: np.ndarray  # int64[capacity]: how often the entry was freed
    due: np.ndarray  # int64[capacity]: when the clock looks at the entry next; -1 where it does not count as live
    heap_time: np.ndarray  # int64[...]: a binary heap of times at which entries may expire
    heap_entry: np.ndarray  # int64[...]: generation << 32 | entry
    helpers: np.ndarray  # HELPER[capacity]
    expected: np.ndarray  # EXPECTATION[...]
    numbers: np.ndarray  # int64[NUMBERS]


HELPER = np.dtype([("on", "u1"), ("known", "u1", (2,)), ("after_line", "u4", (2, 2))], align=True)
EXPECTATION = np.dtype([("tuple", "u8", (5,)), ("expiry", "i8"), ("master", "i8")], align=True)


@kernel
def hash_tuple(numbers, tuples):
    """Hash a tuple to 32 bits, with the table's seed."""
    value = np.uint64(numbers[SEED])
    for i in range(5):
        value = (value ^ tuples[i]) * np.uint64(0x9E3779B97F4A7C15)
        value ^= value >> np.uint64(29)
        value = value * np.uint64(0xBF58476D1CE4E5B9)
        value ^= value >> np.uint64(32)
    return np.int64(value & np.uint64(0xFFFFFFFF))


@kernel
def bucket_of(table, tuples):
    """Say in which bucket a tuple belongs."""
    return hash_tuple(table.numbers, tuples) * table.heads.size >> 32


@kernel
def random_below(numbers, limit):
    """Draw a number below a limit from the table's own sequence."""
    value = np.uint64(numbers[RANDOM])
    value ^= value << np.uint64(13)
    value ^= value >> np.uint64(7)
    value ^= value << np.uint64(17)
    numbers[RANDOM] = np.int64(value)
    return np.int64(value >> np.uint64(33)) % limit


@kernel
def same_tuple(one, other):
    """Whether two tuples are equal."""
    for i in range(5):
        if one[i] != other[i]:
            return False
    return True


@kernel
def find(table, tuples, now):
    """Return the node of a live entry with this tuple, or NOTHING; expired ones passed on the way are freed."""
    node = np.int64(table.heads[bucket_of(table, tuples)])
    while node >= 0:
        after = np.int64(table.next[node])
        entry = node >> 1
        if table.entries[entry].expiry <= now:
            if after >> 1 == entry:
                after = np.int64(table.next[after])
            release(table, entry)
            table.numbers[REAPED] += 1
        elif same_tuple(table.tuples[entry, node & 1], tuples):
            return node
        node = after
    return np.int64(NOTHING)


@kernel
def link(table, node, bucket):
    """Put a node at the head of a chain."""
    head = table.heads[bucket]
    table.next[node] = head
    table.previous[node] = -2 - bucket
    if head >= 0:
        table.previous[head] = node
    table.heads[bucket] = node


@kernel
def unlink(table, node):
    """Take a node out of its chain."""
    before, after = table.previous[node], table.next[node]
    if before >= 0:
        table.next[before] = after
    else:
        table.heads[-2 - before] = after
    if after >= 0:
        table.previous[after] = before


@kernel
def take(table):
    """Take a free entry, all zero; there must be one."""
    entry = table.numbers[FREE]
    table.numbers[FREE] = table.next[2 * entry]
    clear(table.entries[entry])
    table.helpers[entry].on = np.uint8(0)
    return entry


@kernel
def clear(record):
    """Set all of an entry to zero."""
    record.expiry = 0
    record.key = record.last_ack = record.last_end = record.last_window = np.uint32(0)
    record.key_high = record.status = record.retransmits = record.last = np.uint8(0)
    record.last_sequence = np.uint16(0)
    for direction in range(2):
        record.end[direction] = np.uint32(0)
        record.max_end[direction] = np.uint32(0)
        record.max_window[direction] = np.uint32(0)
        record.max_ack[direction] = np.uint32(0)
        record.side[direction] = np.uint8(0)


@kernel
def give_back(table, entry):
    """Give back an entry that is in no chain."""
    table.generation[entry] += 1
    table.next[2 * entry] = table.numbers[FREE]
    table.numbers[FREE] = entry
    table.numbers[ALLOCATED] -= 1


@kernel
def release(table, entry):
    """Delete an entry, with what it expects."""
    unlink(table, 2 * entry)
    unlink(table, 2 * entry + 1)
    if table.due[entry] >= 0:
        table.due[entry] = -1
        table.numbers[LIVE] -= 1
    if table.numbers[EXPECTED_COUNT] > 0:
        forget_expectations(table, entry)
    give_back(table, entry)


@kernel
def forget_expectations(table, master):
    """Drop the expectations of an entry that is deleted."""
    kept = 0
    for i in range(table.numbers[EXPECTED_COUNT]):
        if table.expected[i].master != master:
            if kept != i:
                table.expected[kept] = table.expected[i]
            kept += 1
    table.numbers[EXPECTED_COUNT] = kept


@kernel
def evict(table, tuples, now):
    """Free unassured entries near a new one's bucket; whether there were any (C-5).

    Up to eight buckets are looked at, and the first that has any loses all of them. Expired ones are freed too, but do
    not count.
    """
    bucket = bucket_of(table, tuples)
    for _ in range(EVICTION_RANGE):
        killed = 0
        node = np.int64(table.heads[bucket])
        while node >= 0:
            after = np.int64(table.next[node])
            entry = node >> 1
            expired = table.entries[entry].expiry <= now
            if expired or not table.entries[entry].status & np.uint8(ASSURED):
                if after >= 0 and after >> 1 == entry:
                    after = np.int64(table.next[after])
                release(table, entry)
                if expired:
                    table.numbers[REAPED] += 1
                else:
                    killed += 1
            node = after
        table.numbers[EVICTED] += killed
        if killed:
            return True
        bucket = (bucket + 1) % table.heads.size
    return False


@kernel
def sweep(table, now):
    """Free every expired entry, as a listing of the table does."""
    for bucket in range(table.heads.size):
        node = np.int64(table.heads[bucket])
        while node >= 0:
            after = np.int64(table.next[node])
            entry = node >> 1
            if table.entries[entry].expiry <= now:
                if after >= 0 and after >> 1 == entry:
                    after = np.int64(table.next[after])
                release(table, entry)
                table.numbers[REAPED] += 1
            node = after
