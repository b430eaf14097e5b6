"""Connections as flow records describe them: what a record is, what an entry is, and how an entry lives."""

import numpy as np

from ..jit import kernel

ROW = np.dtype(
    [
        ("key", np.uint64),
        ("time", np.int64),
        ("end", np.int64),
        ("row", np.int64),
        ("source", np.int32),
        ("destination", np.int32),
        ("spacing", np.int32),
        ("what", np.uint16),
        ("protocol", np.uint8),
        ("codes", np.uint8),
    ]
)
"""A flow record as the table sees it.

key : fingerprint of the five-tuple, the same both ways
time, end : first and last packet, ns
row : position among the results
source, destination : objects of client and server, as far as the row itself tells them apart
spacing : mean time between packets, ms
what : bits below
codes : verdicts; two bits each for policy set 0 as oriented, set 0 the other way round, then the same for set 1
"""

ENTRY = np.dtype(
    [
        ("key", np.uint64),
        ("last", np.int64),
        ("made", np.int64),
        ("turn", np.int64),
        ("source", np.int32),
        ("destination", np.int32),
        ("state", np.uint8),
        ("turn_to", np.uint8),
        ("protocol", np.uint8),
        ("bits", np.uint8),
        ("codes", np.uint8),
        ("denied", np.uint8),
        ("spare", np.uint16),
    ]
)
"""A connection: 48 bytes, to which come 8 for when it is due and 8 for two slots of the index."""

CHANGE = np.dtype(
    [
        ("time", np.int64),
        ("key", np.uint64),
        ("source", np.int32),
        ("destination", np.int32),
        ("before", np.uint8),
        ("after", np.uint8),
        ("protocol", np.uint8),
        ("denied", np.uint8),
        ("phase", np.uint32),
    ]
)
"""What happened to an entry. Phases of one instant follow each other: gone to make room, made, changed, gone."""

# Bits of ROW.what. HINT has two bits: which way the row runs; EVIDENCE has two: what tells so.
LOW, HINT, EVIDENCE = 1, 1, 3
FORWARD, REVERSE = 1, 2
FIRST_SEEN, PORTS, FLAGS = 0, 1, 2
OPENS, ANSWERED, FIN, RST, MIDSTREAM, MANY, REFUSED = 32, 64, 128, 256, 512, 1024, 2048

# Verdicts in ROW.codes.
PASSES, INGRESS_DENIED, EGRESS_DENIED, DOUBTFUL = 0, 1, 2, 3

# States (CtState), and one that is none: ESTABLISHED of which one end only has been seen.
NONE, SYN_SENT, ESTABLISHED, TIME_WAIT, CLOSE = 0, 1, 3, 7, 8
UNREPLIED, REPLIED, ASSURED, SCTP_CLOSED, SCTP_ESTABLISHED = 10, 11, 12, 13, 16
PICKED_UP, STATES = 21, 22
TOUCH = 255
"""In ENTRY.turn_to: a packet comes at ENTRY.turn."""

# Families: protocols that share a state machine and its timeouts.
TCP, UDP, UDPLITE, ICMP, ICMPV6, GRE, SCTP, GENERIC = range(8)
FAMILIES = 8

# Bits of ENTRY.bits: the opener is the lower end; which ends have been seen; what told the ends apart.
OPENER_LOW, OPENED, ANSWERS, EVIDENCE_SHIFT = 1, 2, 4, 3

# Classes (CtClass) in results, and none.
NEW, PART, INVALID, NO_CLASS = 0, 1, 3, 7

# Phases of CHANGE.
REPLACED, MADE, CHANGED, GONE = 0, 1, 2, 3

# Positions in counts; in options.
USED, HIGH, FREE, WARM = 0, 1, 2, 3
LOOSE, REFRESH_SYN = 0, 1

NEVER = np.int64(0x7FFFFFFFFFFFFFFF)
TILE = 128
CHANGES_A_ROW = 8


@kernel
def family_of(protocol):
    """Return the family of an IANA protocol number."""
    if protocol == 6:
        return TCP
    if protocol == 17:
        return UDP
    if protocol == 1:
        return ICMP
    if protocol == 58:
        return ICMPV6
    if protocol == 132:
        return SCTP
    if protocol == 47:
        return GRE
    if protocol == 136:
        return UDPLITE
    return GENERIC


@kernel
def signed(value):
    """Return a number that mixes well with others: numba makes floats of signed and unsigned ones."""
    return np.int64(value)


@kernel
def write_change(change, time, entry, before, after, phase):
    """Write down what happens to an entry."""
    change["time"] = time
    change["key"] = entry["key"]
    change["source"] = entry["source"]
    change["destination"] = entry["destination"]
    change["before"] = before
    change["after"] = after
    change["protocol"] = entry["protocol"]
    change["denied"] = entry["denied"]
    change["phase"] = phase


@kernel
def timeout_column(state, bits):
    """Return which timeout holds for a state: a connection of which one end is unseen may be a pick-up (C-2.5)."""
    if state == ESTABLISHED and bits & (OPENED | ANSWERS) != OPENED | ANSWERS:
        return np.uintp(PICKED_UP)
    return np.uintp(state)


@kernel
def due_time(entry, timeout, refresh_syn):
    """Return when something happens next to an entry that has this timeout."""
    if entry["state"] == NONE:
        return entry["turn"]
    base = entry["last"]
    if entry["state"] == SYN_SENT and not refresh_syn:
        base = entry["made"]
    return min(entry["turn"], base + timeout)


@kernel
def fire(entry, at, change, connections):
    """Let the next thing happen to an entry, at its time; return 1 if it is to be written down as a change, else 0."""
    before = entry["state"]
    if entry["turn"] > at:
        entry["state"] = NONE
        write_change(change, at, entry, before, NONE, GONE)
        return 1
    entry["turn"] = NEVER
    if entry["turn_to"] != TOUCH:
        if before == NONE:
            return 0
        entry["state"] = entry["turn_to"]
        write_change(change, at, entry, before, entry["turn_to"], CHANGED if entry["turn_to"] else GONE)
        return 1
    entry["last"] = max(entry["last"], at)
    if before != NONE:
        return 0
    entry["made"] = at
    entry["bits"] = (entry["bits"] | OPENED) & ~ANSWERS
    family = family_of(entry["protocol"])
    entry["state"] = SYN_SENT if family == TCP else SCTP_CLOSED if family == SCTP else UNREPLIED
    connections[entry["codes"] & 3, entry["codes"] >> 4] += 1
    write_change(change, at, entry, NONE, entry["state"], MADE)
    return 1


@kernel
def verdict_of(code):
    """Turn a verdict code into a Verdict."""
    return 0 if code == PASSES else 2 if code == DOUBTFUL else 1


@kernel
def prolong(entry, what, now, end, follows, spacing, grace, timeout, assured):
    """Note the packets of a record in its entry: when the last one comes, and what they change at a later time.

    Parameters
    ----------
    entry : ENTRY
        Changed.
    what : int
        ROW.what.
    now, end : int
        First and last packet, ns.
    follows : int
        The last packet that may follow a reply.
    spacing : int
        Mean time between packets, ms.
    grace, timeout, assured : int
        When it may become ASSURED at the earliest, after its making; the timeouts of its state and of that one.
    """
    state = entry["state"]
    if state < UNREPLIED:
        if state == SYN_SENT:
            entry["last"] = max(entry["last"], end)
            if what & RST:
                entry["turn"], entry["turn_to"] = end, CLOSE
            elif what & MANY and end > entry["made"] + timeout:
                entry["turn"], entry["turn_to"] = end, TOUCH
            return
        target = CLOSE if what & RST else TIME_WAIT if what & FIN else NONE
        if what & REFUSED:
            entry["turn"], entry["turn_to"] = end, NONE
        elif target != NONE and state != target and state != CLOSE:
            waiting = entry["turn"] != NEVER and entry["turn_to"] != TOUCH
            entry["turn"] = max(entry["turn"], end) if waiting else end
            if not (waiting and entry["turn_to"] == CLOSE):
                entry["turn_to"] = target
        entry["last"] = max(entry["last"], end)
        return
    touched = entry["turn"] != NEVER and entry["turn_to"] == TOUCH
    if state == REPLIED and grace != NEVER and follows > entry["made"] + grace:
        if touched:
            entry["last"] = max(entry["last"], entry["turn"])
        if touched or entry["turn"] == NEVER:
            entry["turn"], entry["turn_to"] = max(now, entry["made"] + grace), ASSURED
            touched = False
    turns = entry["turn"] != NEVER and not touched
    limit = assured if turns else timeout
    if what & MANY and spacing * 1_000_000 > limit and not turns:
        # No record says where the gap is: the first packet and the last are sure.
        entry["last"] = max(entry["last"], now)
        if touched:
            entry["last"] = max(entry["last"], min(entry["turn"], end))
        entry["turn"] = max(entry["turn"], end) if touched else end
        entry["turn_to"] = TOUCH
    else:
        entry["last"] = max(entry["last"], end)
