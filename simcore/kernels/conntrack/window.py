"""Is a TCP segment within the window? Four bounds, and what both ends have said so far (semantics C-2.4).

Sequence numbers are int64 here, cut to 32 bits where they are compared or kept.
"""

import numpy as np

from ..jit import inlined, kernel
from .entries import (
    ACK,
    ACK_SEEN,
    FIN,
    LIBERAL,
    NO_SCALE,
    RST,
    SCALE_BITS,
    SYN,
    SYN_RECV,
    SYN_SENT,
    UNACKED,
    WINDOW_BITS,
)

INSIDE, OUTSIDE, LATE = 0, 1, 2
WORD = 0xFFFFFFFF
LEAST_ACK_WINDOW = 66000
HIGHEST_SCALE = 14
NO_OPTIONS = -2


@inlined
def is_before(one, other):
    """Whether a sequence number comes before another, around the circle."""
    return np.int32(np.uint32(one - other)) < 0


@inlined
def end_of(flags, sequence, length):
    """Say where a segment ends: one past its last byte, SYN and FIN being one each."""
    return (sequence + length + (flags & SYN) // SYN + (flags & FIN)) & WORD


@inlined
def scale_of(entry, direction):
    """Say by how many bits the window of one direction is shifted."""
    scale = np.int64(entry.side[direction] & np.uint8(SCALE_BITS))
    return np.int64(0) if scale == NO_SCALE else scale


@kernel
def start_sender(entry, direction, end, window, scale):
    """Begin a direction with its SYN or SYN/ACK; windows are scaled only where both ends offer it.

    A segment without any option leaves what was offered before.
    """
    entry.end[direction] = np.uint32(end)
    entry.max_end[direction] = np.uint32(end)
    entry.max_window[direction] = np.uint32(max(window, 1))
    if scale != NO_OPTIONS:
        offered = np.int64(NO_SCALE) if scale < 0 else min(scale, np.int64(HIGHEST_SCALE))
        entry.side[direction] = np.uint8(np.int64(entry.side[direction]) & LIBERAL | offered)
    if direction == 1:
        first, second = np.int64(entry.side[0]), np.int64(entry.side[1])
        if first & SCALE_BITS == NO_SCALE or second & SCALE_BITS == NO_SCALE:
            if first & SCALE_BITS != NO_SCALE:
                entry.side[0] = np.uint8(first & ~SCALE_BITS)
            if second & SCALE_BITS != NO_SCALE:
                entry.side[1] = np.uint8(second & ~SCALE_BITS)


@kernel
def start_midway(entry, direction, other, end, acknowledgement, window):
    """Begin a direction whose SYN was not seen with what its first segment tells."""
    spread = max(window << scale_of(entry, direction), np.int64(1))
    entry.end[direction] = np.uint32(end)
    entry.max_end[direction] = np.uint32(end + spread)
    entry.max_window[direction] = np.uint32(spread)
    if entry.max_window[other] == 0:
        entry.end[other] = np.uint32(acknowledgement)
        entry.max_end[other] = np.uint32(acknowledgement)
    elif acknowledgement == (np.int64(entry.end[other]) + 1) & WORD:
        # Very likely it answers a keep-alive.
        entry.end[other] = np.uint32(acknowledgement)


@inlined
def check_window(entry, direction, pure, flags, sequence, acknowledgement, length, window, scale, state, liberal):
    """Hold a segment against the four bounds and learn from one that keeps them.

    Parameters
    ----------
    entry : record of ENTRY
        Its directions are changed, and what it knows of the last packet if `pure`.
    direction : uintp
    pure : bool
        The segment is of kind ACK, the only one of which retransmissions are counted.
    flags, sequence, acknowledgement, length, window, scale : int64
        As for `step_tcp`; there is a sequence number.
    state : int64
        Before the packet.
    liberal : bool or int64
        Nothing is outside, but what would be teaches nothing.

    Returns
    -------
    int64
        INSIDE, OUTSIDE, or LATE: below a lower bound, or more bytes than were asked for. Late segments pass and
        change nothing else.
    """
    other = np.uintp(1) - np.uintp(direction)
    end = end_of(flags, sequence, length)
    if entry.max_window[direction] == 0:
        if flags & SYN:
            start_sender(entry, direction, end, window, scale)
            if not flags & ACK:
                return INSIDE
        else:
            start_midway(entry, direction, other, end, acknowledgement, window)
    elif flags & SYN and is_before(entry.end[direction], end) and (state == SYN_SENT or state == SYN_RECV):
        start_sender(entry, direction, end, window, scale)
        if direction == 1 and not flags & ACK:
            return INSIDE
    if not flags & ACK or (flags & RST and acknowledgement == 0):
        acknowledgement = np.int64(entry.end[other])
    if flags & RST and sequence == 0 and state == SYN_SENT:
        sequence = np.int64(entry.end[direction])
        end = sequence
    sent, asked = np.int64(entry.end[direction]), np.int64(entry.end[other])
    highest, spread = np.int64(entry.max_end[direction]), np.int64(entry.max_window[other])
    easy = liberal or entry.side[direction] & np.uint8(LIBERAL)
    recent = spread == 0 or is_before(sent - spread - 1, end)
    below = max(np.int64(entry.max_window[direction]), np.int64(LEAST_ACK_WINDOW))
    fresh = is_before(asked - below - 1, acknowledgement)
    known = is_before(acknowledgement, asked + 1)
    if not is_before(sequence, highest + 1):
        excess = (end - highest + 1) & WORD
        if is_before(sent - spread - 1, end) and fresh and known and excess <= spread:
            entry.end[direction] = np.uint32(end)
            entry.side[direction] |= np.uint8(UNACKED)
            return INSIDE if easy else LATE
        return INSIDE if easy else OUTSIDE
    if not known:
        return INSIDE if easy else OUTSIDE
    if not recent or not fresh:
        return INSIDE if easy else LATE
    learn(entry, direction, other, pure, flags, sequence, acknowledgement, end, window)
    return INSIDE


@inlined
def learn(entry, direction, other, pure, flags, sequence, acknowledgement, end, window):
    """Keep what a segment within the window says of both ends, and count it if it is a retransmission."""
    if not flags & SYN:
        window <<= scale_of(entry, direction)
    if entry.max_window[direction] < window:
        entry.max_window[direction] = np.uint32(window)
    if is_before(entry.end[direction], end):
        entry.end[direction] = np.uint32(end)
        entry.side[direction] |= np.uint8(UNACKED)
    if flags & ACK:
        if not entry.side[direction] & np.uint8(ACK_SEEN) or is_before(entry.max_ack[direction], acknowledgement):
            entry.max_ack[direction] = np.uint32(acknowledgement)
            entry.side[direction] |= np.uint8(ACK_SEEN)
    highest = np.int64(entry.max_end[direction])
    if entry.max_window[other] != 0 and is_before(highest, end):
        entry.max_window[other] = np.uint32(np.int64(entry.max_window[other]) + ((end - highest) & WORD))
    reach = acknowledgement + window
    if is_before(np.int64(entry.max_end[other]) - 1, reach):
        entry.max_end[other] = np.uint32(reach + (1 if window == 0 else 0))
    if np.int64(entry.end[other]) == acknowledgement:
        entry.side[other] &= np.uint8(255 - UNACKED)
    if pure:
        count_retransmission(entry, direction, sequence, acknowledgement, end, window)


@inlined
def count_retransmission(entry, direction, sequence, acknowledgement, end, window):
    """Count a pure segment that equals the one before, or keep it to compare the next with."""
    last_window = np.int64(entry.last_window)
    if (
        entry.last >> 7 == direction
        and entry.last_sequence == np.uint16(sequence)
        and np.int64(entry.last_ack) == acknowledgement
        and np.int64(entry.last_end) == end
        and last_window & WINDOW_BITS == window & WINDOW_BITS
    ):
        entry.retransmits = np.uint8(min(np.int64(entry.retransmits) + 1, np.int64(255)))
        return
    entry.last = np.uint8(np.int64(entry.last) & 127 | np.int64(direction) << 7)
    entry.last_sequence = np.uint16(sequence)
    entry.last_ack = np.uint32(acknowledgement)
    entry.last_end = np.uint32(end)
    entry.last_window = np.uint32(last_window & ~WINDOW_BITS | window & WINDOW_BITS)
    entry.retransmits = np.uint8(0)
