"""One SCTP packet and the entry it belongs to, by its first chunk (semantics C-4)."""

import numpy as np

from ..jit import kernel
from .entries import ASSURED, KEEP, REFRESH, REFUSED, SCTP_CLOSED, SCTP_ESTABLISHED, STATE_BITS

INIT, INIT_ACK, HEARTBEAT, HEARTBEAT_ACK, ABORT = 1, 2, 4, 5, 6
SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 7, 8, 9, 10, 11, 14
CHUNKS = 16  # any other chunk changes no state
INVALID = 31
KNOWN = 64  # of `last`: the capture has verification tags
FAILED, FAILED_BY = 4, 8  # of `last`: a heartbeat carried another tag, and from which direction


def _transitions():
    """Next state by direction, chunk and state, columns NONE, CLOSED, COOKIE_WAIT, ..., HEARTBEAT_SENT.

    Told as what moves: all else stays, but that the original direction opens into, and a pending heartbeat falls to,
    CLOSED, while the reply direction can do neither.
    """
    names = ["no", "cl", "cw", "ce", "es", "ss", "sr", "sa", "hs"]
    codes = {name: 12 + i if i else 0 for i, name in enumerate(names)}
    moves = [
        {
            INIT: "ss>cl sr>cl hs>cw",
            ABORT: "cw>cl ce>cl es>cl ss>cl sr>cl sa>cl",
            SHUTDOWN: "es>ss",
            SHUTDOWN_ACK: "no>sa ss>sa sr>sa hs>sa",
            COOKIE_ECHO: "cw>ce",
            COOKIE_ACK: "ce>es",
            SHUTDOWN_COMPLETE: "sa>cl",
            HEARTBEAT: "no>hs hs>hs",
            HEARTBEAT_ACK: "hs>hs",
        },
        {
            INIT_ACK: "cl>cw",
            ABORT: "cw>cl ce>cl es>cl ss>cl sr>cl sa>cl",
            SHUTDOWN: "es>sr",
            SHUTDOWN_ACK: "ss>sa sr>sa",
            ERROR: "ce>cl",
            COOKIE_ECHO: "cw>ce",
            COOKIE_ACK: "ce>es",
            SHUTDOWN_COMPLETE: "sa>cl",
            HEARTBEAT: "hs>hs",
            HEARTBEAT_ACK: "hs>es",
        },
    ]
    table = np.zeros((2, CHUNKS, len(names)), np.uint8)
    table[:] = list(codes.values())
    named = [INIT, INIT_ACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR]
    for chunk in [*named, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE]:
        table[0, chunk, [0, 8]] = SCTP_CLOSED
        table[1, chunk, [0, 8]] = INVALID
        for direction in (0, 1):
            for move in moves[direction].get(chunk, "").split():
                before, _, after = move.partition(">")
                table[direction, chunk, names.index(before)] = codes[after]
    return table


TRANSITIONS = _transitions()


@kernel
def begin_sctp(entry, chunk, tag, initiate_tag):
    """Fill the entry of an association that this packet opens; whether it may open one.

    Parameters
    ----------
    entry : record of ENTRY
        Written; all zero before.
    chunk : int64
        Type of the first chunk; -1 where the capture has none, then any packet finds an association established.
    tag, initiate_tag : int64
        Verification tag and, of INIT, the initiate tag; a tag of -1: the capture has none, and none is checked.
    """
    if chunk == ABORT or chunk == SHUTDOWN_COMPLETE or chunk == COOKIE_ACK:
        return False
    if chunk >= 0 and (chunk >= CHUNKS or TRANSITIONS[0, np.uintp(chunk), 0] == 0):
        return False
    if tag < 0:
        return True
    entry.last = np.uint8(KNOWN)
    if chunk == INIT:
        entry.end[1] = np.uint32(initiate_tag)
        return tag == 0
    if chunk == HEARTBEAT:
        entry.end[0] = np.uint32(tag)
    else:
        entry.end[1] = np.uint32(tag)
    return True


@kernel
def step_sctp(entry, direction, chunk, tag, initiate_tag, fresh):
    """Judge one packet of an association and move its state.

    Parameters
    ----------
    entry : record of ENTRY
        Changed, but for its expiry.
    direction : uintp
        0 original, 1 reply.
    chunk, tag, initiate_tag : int64
        As for `begin_sctp`.
    fresh : bool
        The packet opened the entry.

    Returns
    -------
    int64
        An outcome, with the position of the limit; see `entries`.
    """
    status = np.int64(entry.status)
    old = status & STATE_BITS
    if chunk < 0:
        new = old if old else np.int64(SCTP_ESTABLISHED)
    elif chunk >= CHUNKS:
        new = old
    else:
        new = np.int64(TRANSITIONS[np.uintp(direction), np.uintp(chunk), np.uintp(max(old - 12, np.int64(0)))])
    if entry.last & np.uint8(KNOWN) and tag >= 0 and chunk >= 0:
        judged = check_tag(entry, direction, chunk, tag)
        if judged != REFRESH:
            return judged
        if new == INVALID:
            return REFUSED
        if not take_tag(entry, direction, chunk, initiate_tag):
            return REFUSED
    if new == INVALID:
        return REFUSED
    status = status & ~STATE_BITS | new
    if new == SCTP_ESTABLISHED and old != new:
        status |= ASSURED
    entry.status = np.uint8(status)
    if chunk == INIT and new == SCTP_CLOSED and old == SCTP_CLOSED and not fresh:
        return KEEP
    return REFRESH | new


@kernel
def check_tag(entry, direction, chunk, tag):
    """Hold a verification tag against what its direction must carry: REFRESH to go on, KEEP, or REFUSED.

    Aborts and completed shutdowns may carry either end's tag: the flag that says which is in no capture.
    """
    other = np.uintp(1) - np.uintp(direction)
    own, peer = np.int64(entry.end[direction]), np.int64(entry.end[other])
    if chunk == INIT:
        return REFRESH if tag == 0 else REFUSED
    if chunk == ABORT or chunk == SHUTDOWN_COMPLETE:
        return REFRESH if tag == own or tag == peer else REFUSED
    if chunk == SHUTDOWN_ACK:
        return REFRESH
    if chunk != HEARTBEAT and chunk != HEARTBEAT_ACK:
        return REFRESH if tag == own else REFUSED
    tags = np.int64(entry.last)
    if own == 0:
        entry.end[direction] = np.uint32(tag)
        return REFRESH
    if tag != own:
        if chunk == HEARTBEAT:
            by = FAILED_BY if direction == 1 else 0
            entry.last = np.uint8(tags & ~FAILED_BY | FAILED | by)
            return KEEP
        if not tags & FAILED or tags & FAILED_BY == (FAILED_BY if direction == 1 else 0):
            return REFUSED
        entry.end[direction] = np.uint32(tag)
        entry.end[other] = np.uint32(0)
    entry.last = np.uint8(tags & ~FAILED)
    return REFRESH


@kernel
def take_tag(entry, direction, chunk, initiate_tag):
    """Keep the tag that an INIT or its answer sets; whether it fits those set before."""
    tags = np.int64(entry.last)
    mine, theirs = np.int64(1) << np.int64(direction), np.int64(2) >> np.int64(direction)
    other = np.uintp(1) - np.uintp(direction)
    if chunk == COOKIE_ACK:
        entry.last = np.uint8(tags & ~3)
    elif chunk == INIT:
        if tags & 3 == 3:
            tags &= ~theirs
        entry.last = np.uint8(tags | mine)
        entry.end[other] = np.uint32(initiate_tag)
    elif chunk == INIT_ACK and initiate_tag >= 0:
        set_before = np.int64(entry.end[other])
        if not tags & theirs and set_before and set_before != initiate_tag:
            return False
        if tags & 3 == 3 and set_before != initiate_tag:
            return False
        entry.end[other] = np.uint32(initiate_tag)
    return True
