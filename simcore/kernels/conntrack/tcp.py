"""One TCP packet and its entry: transitions, resets, and how long the entry then lives (semantics C-2)."""

import numpy as np

from ..jit import inlined, kernel
from .entries import (
    ACK,
    ACK_SEEN,
    AGAIN,
    ASSURED,
    BE_LIBERAL,
    CAPPED,
    CHALLENGED,
    CLOSE,
    CLOSED,
    CWR,
    ECE,
    ESTABLISHED,
    FIN,
    FIN_WAIT,
    GONE,
    IGNORE_INVALID_RST,
    KEEP,
    KIND_ACK,
    KIND_FIN,
    KIND_ILLEGAL,
    KIND_NONE,
    KIND_RST,
    KIND_SYN,
    KIND_SYNACK,
    LAST_ACK,
    LIBERAL,
    LOOSE,
    MAX_RETRANS,
    NO_SCALE,
    PSH,
    REFRESH,
    REFUSED,
    REPLIED,
    RST,
    SHORTEN,
    SIMULTANEOUS,
    STATE_BITS,
    SYN,
    SYN_RECV,
    SYN_SENT,
    SYN_SENT2,
    TIME_WAIT,
    UNACKED,
    UNACKNOWLEDGED,
    URG,
    WINDOW_BITS,
)
from .window import HIGHEST_SCALE, LATE, OUTSIDE, check_window, end_of, is_before

IGNORED, INVALID = 30, 31


def _kinds():
    """Kind of packet by flags; PSH, ECE and CWR go with anything."""
    legal = {SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG}
    kinds = np.full(256, KIND_ILLEGAL, np.uint8)
    for flags in range(256):
        if flags & ~(PSH | ECE | CWR) not in legal:
            continue
        if flags & RST:
            kinds[flags] = KIND_RST
        elif flags & SYN:
            kinds[flags] = KIND_SYNACK if flags & ACK else KIND_SYN
        else:
            kinds[flags] = KIND_FIN if flags & FIN else KIND_ACK
    return kinds


def _transitions():
    """Next state by direction, kind and state; columns are NONE, SYN_SENT, ..., SYN_SENT2 (the tables of C-2)."""
    words = {
        "ss": 1,
        "sr": 2,
        "es": 3,
        "fw": 4,
        "cw": 5,
        "la": 6,
        "tw": 7,
        "cl": 8,
        "s2": 9,
        "--": IGNORED,
        "!!": INVALID,
    }
    closing = "!! !! fw fw la la la tw cl !!"
    original = [
        "ss ss -- -- -- -- -- ss ss s2",
        "!! !! sr !! !! !! !! !! !! sr",
        closing,
        "es !! es es cw cw tw tw cl !!",
        "!! cl cl cl cl cl cl cl cl cl",
    ]
    reply = [
        "!! s2 !! !! !! !! !! ss !! s2",
        "!! sr -- -- -- -- -- -- -- sr",
        closing,
        "!! -- sr es cw cw tw tw cl --",
        "!! cl cl cl cl cl cl cl cl cl",
    ]
    return np.array([[[words[word] for word in row.split()] for row in table] for table in (original, reply)], np.uint8)


KINDS = _kinds()
TRANSITIONS = _transitions()


@kernel
def begin_tcp(entry, kind, flags, sequence, length, window, scale, options):
    """Fill the entry of a connection that this packet opens; whether it may open one (C-2.5).

    Parameters
    ----------
    entry : record of ENTRY
        Written; all zero before.
    kind, flags, sequence, length, window, scale, options : int64
        As for `step_tcp`.
    """
    spread = np.int64(0)
    side = np.int64(NO_SCALE)
    if kind == KIND_SYN:
        if scale >= 0:
            side = min(scale, np.int64(HIGHEST_SCALE))
        entry.side[1] = np.uint8(NO_SCALE)
    elif kind == KIND_ACK and options & LOOSE:
        spread = max(window, np.int64(1))
        side = np.int64(NO_SCALE | LIBERAL)
        entry.side[1] = np.uint8(side)
    else:
        return False
    entry.side[0] = np.uint8(side)
    entry.last = np.uint8(KIND_NONE << 4 | NO_SCALE)
    if sequence >= 0:
        end = end_of(flags, sequence, length)
        entry.end[0] = np.uint32(end)
        entry.max_end[0] = np.uint32(end + spread)
        entry.max_window[0] = np.uint32(max(window, np.int64(1)))
    return True


@kernel
def step_tcp(
    entry,
    direction,
    kind,
    flags,
    sequence,
    acknowledgement,
    length,
    window,
    scale,
    options,
    retrans,
    over_retrans,
    over_unacked,
):
    """Judge one packet of a connection and move its state.

    Parameters
    ----------
    entry : record of ENTRY
        Changed, but for its expiry.
    direction : uintp
        0 original, 1 reply.
    kind, flags, sequence, acknowledgement, length, window, scale : int64
        `kind` is ``KINDS[flags]``, and legal. A sequence number of -1: there are no numbers; every packet counts as
        in its window and every reset as exact. `scale` is -1 where the packet has no such option, NO_OPTIONS where it
        has none at all.
    options : int64
        LOOSE, BE_LIBERAL, IGNORE_INVALID_RST.
    retrans : int64
        ``nf_conntrack_tcp_max_retrans``.
    over_retrans, over_unacked : int64
        States, as bits, whose limit is above that of MAX_RETRANS, and of UNACKNOWLEDGED.

    Returns
    -------
    int64
        An outcome, with the position of the limit; see `entries`.
    """
    status = np.int64(entry.status)
    old = status & STATE_BITS
    new = np.int64(TRANSITIONS[np.uintp(direction), np.uintp(kind), np.uintp(old)])
    last = np.int64(entry.last)
    last_kind = last >> 4 & 7
    same_way = last >> 7 == np.int64(direction)
    checked = sequence >= 0
    if new == INVALID:
        return REFUSED
    if new == SYN_SENT and old >= TIME_WAIT:
        if (entry.side[0] | entry.side[1]) & np.uint8(CLOSED) or (same_way and last_kind == KIND_RST):
            return AGAIN
        new = np.int64(IGNORED)
    if new == IGNORED:
        answers = sequence < 0 or acknowledgement == np.int64(entry.last_end)
        if kind != KIND_SYNACK or last_kind != KIND_SYN or same_way or not answers:
            note_ignored(entry, direction, kind, flags, sequence, acknowledgement, length, window, scale, old)
            return KEEP
        resynchronise(entry, direction, sequence)
        old, new = np.int64(SYN_SENT), np.int64(SYN_RECV)
    elif new == TIME_WAIT:
        challenged = entry.last_window & np.uint32(CHALLENGED)
        if old == LAST_ACK and kind == KIND_ACK and not same_way and last_kind == KIND_SYN and challenged:
            entry.last_window &= np.uint32(0xFFFFFFFF - CHALLENGED)
            return KEEP
    elif new == SYN_SENT2:
        entry.last_window |= np.uint32(SIMULTANEOUS)
    elif new == SYN_RECV:
        if direction == 1 and kind == KIND_ACK and entry.last_window & np.uint32(SIMULTANEOUS):
            new = np.int64(ESTABLISHED)
    elif kind == KIND_RST and old >= FIN_WAIT and old <= CLOSE:
        # What is known may be of a connection before, on the same ports: nothing is checked.
        checked = False
    elif kind == KIND_RST and checked:
        acked = entry.side[np.uintp(1) - np.uintp(direction)] & np.uint8(ACK_SEEN) and last_kind != KIND_SYN
        if acked:
            new = judge_reset(entry, direction, sequence, status, last_kind, same_way, options)
            if new == INVALID:
                return REFUSED
        if not acked or new != CLOSE:
            checked = not resets_ignored(entry, sequence, acknowledgement, status)
    if checked:
        pure, before = kind == KIND_ACK, status & STATE_BITS
        liberal = options & BE_LIBERAL
        place = check_window(
            entry, direction, pure, flags, sequence, acknowledgement, length, window, scale, before, liberal
        )
        if place == LATE:
            return KEEP
        if place == OUTSIDE:
            return refuse_outside(entry, direction, kind, status, last_kind, same_way)
    elif sequence < 0 and kind == KIND_ACK:
        entry.last_window = entry.last_window & np.uint32(CHALLENGED | SIMULTANEOUS) | np.uint32(max(window, 1))
    entry.last = np.uint8(np.int64(direction) << 7 | kind << 4 | np.int64(entry.last) & 15)
    entry.status = np.uint8(status & ~STATE_BITS | new)
    if new == FIN_WAIT and old != FIN_WAIT:
        entry.side[direction] |= np.uint8(CLOSED)
    return choose_limit(entry, kind, status, old, new, retrans, over_retrans, over_unacked)


@kernel
def note_ignored(entry, direction, kind, flags, sequence, acknowledgement, length, window, scale, old):
    """Keep what an ignored packet says: if it speaks of a connection that the entry missed, its answer will tell."""
    last_scale = np.int64(entry.last) & 15
    marks = np.int64(entry.last_window) & ~WINDOW_BITS
    if kind == KIND_SYN and direction == 0:
        last_scale = np.int64(NO_SCALE) if scale < 0 else min(scale, np.int64(HIGHEST_SCALE))
        # The receiver may challenge a SYN with an ACK, which is not that of the last FIN.
        marks = np.int64(CHALLENGED) if old == LAST_ACK else np.int64(0)
    entry.last = np.uint8(np.int64(direction) << 7 | kind << 4 | last_scale)
    entry.last_window = np.uint32(marks | window & WINDOW_BITS)
    if sequence >= 0:
        entry.last_sequence = np.uint16(sequence)
        entry.last_end = np.uint32(end_of(flags, sequence, length))
        if old == SYN_SENT and kind == KIND_ACK and direction == 1:
            entry.last_ack = np.uint32(acknowledgement)


@kernel
def resynchronise(entry, direction, sequence):
    """Begin anew from the SYN that was ignored, now that this SYN/ACK answers it."""
    opener = np.uintp(1) - np.uintp(direction)
    if sequence >= 0:
        entry.end[opener] = entry.last_end
        entry.max_end[opener] = entry.last_end
        entry.max_window[opener] = np.uint32(max(np.int64(entry.last_window) & WINDOW_BITS, np.int64(1)))
        entry.end[direction] = np.uint32(0)
        entry.max_end[direction] = np.uint32(0)
        entry.max_window[direction] = np.uint32(0)
        entry.max_ack[direction] = np.uint32(0)
    entry.side[opener] = np.uint8(np.int64(entry.last) & 15)
    entry.side[direction] = np.uint8(NO_SCALE)
    entry.last_window &= np.uint32(0xFFFFFFFF - CHALLENGED)


@kernel
def judge_reset(entry, direction, sequence, status, last_kind, same_way, options):
    """Say what a reset makes of a connection whose other end has acknowledged: CLOSE, no change, or INVALID (C-2.3)."""
    acked = np.int64(entry.max_ack[np.uintp(1) - np.uintp(direction)])
    old = status & STATE_BITS
    open_ = old == ESTABLISHED and status & ASSURED
    if sequence == 0 and not open_:
        return np.int64(CLOSE)
    if is_before(sequence, acked) and not options & IGNORE_INVALID_RST:
        return np.int64(INVALID)
    follows = last_kind == KIND_ACK and same_way and sequence == np.int64(entry.last_end)
    if not open_ or sequence == acked or follows:
        return np.int64(CLOSE)
    return old


@kernel
def resets_ignored(entry, sequence, acknowledgement, status):
    """Whether a reset answers a packet that was ignored, so that the window cannot speak of it."""
    last = np.int64(entry.last)
    last_kind = last >> 4 & 7
    unsure = (status & REPLIED and last_kind == KIND_SYN) or (not status & ASSURED and last_kind == KIND_ACK)
    if unsure and acknowledgement == np.int64(entry.last_end):
        return True
    half_open = status & STATE_BITS == SYN_SENT and last_kind == KIND_ACK and last >> 7 == 1
    return half_open and sequence == np.int64(entry.last_ack)


@kernel
def refuse_outside(entry, direction, kind, status, last_kind, same_way):
    """Refuse what is outside the window; FIN or RST from both ends there shorten an assured connection's life."""
    if not status & ASSURED or (kind != KIND_RST and kind != KIND_FIN):
        return REFUSED
    if not same_way and (last_kind == KIND_FIN or last_kind == KIND_RST):
        return SHORTEN | UNACKNOWLEDGED
    entry.last = np.uint8(np.int64(direction) << 7 | kind << 4 | np.int64(entry.last) & 15)
    return REFUSED


@inlined
def choose_limit(entry, kind, status, old, new, retrans, over_retrans, over_unacked):
    """Choose the time until expiry after an accepted packet, in the order of C-2.1, and set ASSURED."""
    if not status & REPLIED and kind == KIND_RST:
        return GONE
    if not status & REPLIED and kind == KIND_SYN and old == SYN_SENT:
        return KEEP
    long_retrans, long_unacked = over_retrans >> new & 1, over_unacked >> new & 1
    if np.int64(entry.retransmits) >= retrans and long_retrans:
        limit = np.int64(MAX_RETRANS)
    elif kind == KIND_RST:
        limit = np.int64(CLOSE)
    elif (entry.side[0] | entry.side[1]) & np.uint8(UNACKED) and long_unacked:
        limit = np.int64(UNACKNOWLEDGED)
    elif np.int64(entry.last_window) & WINDOW_BITS == 0 and long_retrans:
        limit = np.int64(MAX_RETRANS)
    else:
        limit = new
    if new == ESTABLISHED:
        if not status & REPLIED:
            return REFRESH | limit | CAPPED
        if old == SYN_RECV or old == ESTABLISHED:
            entry.status |= np.uint8(ASSURED)
    return REFRESH | limit
