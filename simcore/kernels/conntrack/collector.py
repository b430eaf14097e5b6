"""The garbage collector: passes over the whole table in slices, and when the next one comes (semantics C-6).

It counts in jiffies, as the kernel does, from the first pass on.
"""

import numpy as np

from ..jit import kernel
from .buckets import (
    ALLOCATED,
    ANCHOR,
    COLLECTED,
    EVICTED,
    LAST_PASS,
    PASS_BUCKET,
    PASS_COUNT,
    PASS_MEAN,
    PASS_START,
    PASS_TIME,
    PASSES,
    PRESSED,
    release,
)
from .entries import (
    ASSURED,
    CLOSE,
    FIN_WAIT,
    SCTP_SHUTDOWN_ACK_SENT,
    SCTP_SHUTDOWN_SENT,
    STATE_BITS,
)

SECOND = 1_000_000_000
LONGEST, SHORTEST, CLAMP = 60, 1, 300  # s
VIRTUAL = 100  # samples of the longest interval that each mean begins with
SLICE = 64000  # expired entries a slice, times hz
FINEST_LEVEL, LEVELS = 63, 4


@kernel
def fires_at(jiffy, delay):
    """Say when a kernel timer fires: rounded up to a grid that is eight times coarser with each level of delay."""
    shift = 0
    reach = FINEST_LEVEL
    while delay >= reach and shift < 3 * LEVELS:
        shift += 3
        reach <<= 3
    return ((jiffy + delay) >> shift) + 1 << shift


@kernel
def to_jiffies(time, hz):
    """Return whole jiffies of a time in ns; in two parts, as a product of a few years would not fit an integer."""
    return time // SECOND * hz + time % SECOND * hz // SECOND


@kernel
def from_jiffies(jiffies, hz):
    """Return the ns of jiffies, in two parts as well."""
    return jiffies // hz * SECOND + jiffies % hz * SECOND // hz


@kernel
def may_go(status):
    """Whether a pass under pressure may delete an entry: unassured ones, and those of connections that are closing."""
    state = status & STATE_BITS
    closing = FIN_WAIT <= state and state <= CLOSE
    ending = SCTP_SHUTDOWN_SENT <= state and state <= SCTP_SHUTDOWN_ACK_SENT
    return not status & ASSURED or closing or ending


@kernel
def run_slice(table, hz, limit):
    """Go over buckets until the table's end, or until enough expired entries were freed, and set the next time.

    The next pass is due after the mean of what live entries have left, each held between 1 and 300 s, kept in whole
    jiffies at every step, held between 1 and 60 s and counted from the start of this pass.
    """
    numbers = table.numbers
    now = numbers[PASS_TIME]
    origin = numbers[ANCHOR]
    jiffy = to_jiffies(now - origin, hz)
    if numbers[PASS_BUCKET] == 0:
        numbers[PASS_MEAN] = LONGEST * hz
        numbers[PASS_COUNT] = VIRTUAL
        numbers[PASS_START] = jiffy
        numbers[LAST_PASS] = now
        numbers[PASSES] += 1
    crowded = limit // 100 * 95 if numbers[PRESSED] else np.int64(0)
    mean, count, freed = numbers[PASS_MEAN], numbers[PASS_COUNT], 0
    # Nothing is in an empty table: a year of silence is half a million passes, which are to take no time.
    buckets = table.heads.size if numbers[ALLOCATED] else np.int64(0)
    for bucket in range(numbers[PASS_BUCKET], buckets):
        node = np.int64(table.heads[bucket])
        while node >= 0:
            if freed > SLICE // hz:
                numbers[PASS_BUCKET] = bucket
                numbers[PASS_MEAN], numbers[PASS_COUNT] = mean, count
                again = np.int64(1 if jiffy - numbers[PASS_START] < LONGEST * hz else 0)
                if again:
                    numbers[PRESSED] = 0
                numbers[PASS_TIME] = origin + from_jiffies(fires_at(jiffy, again) if again else jiffy + 1, hz)
                return
            after = np.int64(table.next[node])
            entry = node >> 1
            expiry = table.entries[entry].expiry
            if expiry <= now:
                if after >= 0 and after >> 1 == entry:
                    after = np.int64(table.next[after])
                release(table, entry)
                numbers[COLLECTED] += 1
                freed += 1
            else:
                count += 1
                left = min(max(to_jiffies(expiry - origin, hz) - jiffy, SHORTEST * hz), CLAMP * hz)
                mean += divide(left - mean, count)
                pressed = crowded > 0 and numbers[ALLOCATED] >= crowded
                if pressed and may_go(np.int64(table.entries[entry].status)):
                    if after >= 0 and after >> 1 == entry:
                        after = np.int64(table.next[after])
                    release(table, entry)
                    numbers[EVICTED] += 1
            node = after
    numbers[PASS_BUCKET] = 0
    numbers[PRESSED] = 0
    taken = max(jiffy - numbers[PASS_START], 1)
    wait = min(max(mean, SHORTEST * hz), LONGEST * hz)
    wait = wait - taken if wait > taken else np.int64(1)
    numbers[PASS_TIME] = origin + from_jiffies(fires_at(jiffy, wait), hz)


@kernel
def divide(number, by):
    """Divide and cut towards zero."""
    quotient = abs(number) // by
    return -quotient if number < 0 else quotient


@kernel
def collect(table, now, hz, limit):
    """Run every slice that is due by now."""
    while table.numbers[PASS_TIME] <= now:
        run_slice(table, hz, limit)
