"""Kernels that keep a table of connections as flow records describe them: one entry a connection, one look a record."""

import numpy as np

from .jit import kernel

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
def _signed(value):
    """Return a number that mixes well with others: numba makes floats of signed and unsigned ones."""
    return np.int64(value)


@kernel
def _change(change, time, entry, before, after, phase):
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
def _timeout_column(state, bits):
    """Return which timeout holds for a state: a connection of which one end is unseen may be a pick-up (C-2.5)."""
    if state == ESTABLISHED and bits & (OPENED | ANSWERS) != OPENED | ANSWERS:
        return np.uintp(PICKED_UP)
    return np.uintp(state)


@kernel
def _due(entry, timeout, refresh_syn):
    """Return when something happens next to an entry that has this timeout."""
    if entry["state"] == NONE:
        return entry["turn"]
    base = entry["last"]
    if entry["state"] == SYN_SENT and not refresh_syn:
        base = entry["made"]
    return min(entry["turn"], base + timeout)


@kernel
def _fire(entry, at, change, connections):
    """Let the next thing happen to an entry, at its time; return 1 if it is to be written down as a change, else 0."""
    before = entry["state"]
    if entry["turn"] > at:
        entry["state"] = NONE
        _change(change, at, entry, before, NONE, GONE)
        return 1
    entry["turn"] = NEVER
    if entry["turn_to"] != TOUCH:
        if before == NONE:
            return 0
        entry["state"] = entry["turn_to"]
        _change(change, at, entry, before, entry["turn_to"], CHANGED if entry["turn_to"] else GONE)
        return 1
    entry["last"] = max(entry["last"], at)
    if before != NONE:
        return 0
    entry["made"] = at
    entry["bits"] = (entry["bits"] | OPENED) & ~ANSWERS
    family = family_of(entry["protocol"])
    entry["state"] = SYN_SENT if family == TCP else SCTP_CLOSED if family == SCTP else UNREPLIED
    connections[entry["codes"] & 3, entry["codes"] >> 4] += 1
    _change(change, at, entry, NONE, entry["state"], MADE)
    return 1


@kernel
def _verdict(code):
    """Turn a verdict code into a Verdict."""
    return 0 if code == PASSES else 2 if code == DOUBTFUL else 1


@kernel
def _prolong(entry, what, now, end, follows, spacing, grace, timeout, assured):
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


@kernel
def take_rows(
    rows,
    order,
    slots,
    entries,
    due,
    counts,
    timeouts,
    grace,
    certain,
    options,
    policy_set,
    results,
    connections,
    changes,
):
    """Show flow records to a table of connections, in the order of time.

    Parameters
    ----------
    rows : ROW[n]
    order : int32[m]
        Which of them, in their order.
    slots : int32[power of two]
        Entry at a place of the hash index; -1 for none. At most half full when all rows are new.
    entries : ENTRY[e]
        Room for all that is there and `m` more.
    due : int64[e]
        When something happens next to an entry; NEVER for a free one.
    counts : int64[4]
        Changed: used entries, the highest ever used plus one, the first free one (linked through ``source``) or -1,
        and something that means nothing.
    timeouts : int64[FAMILIES, STATES]
        ns.
    grace : int64[FAMILIES]
        How long after its making an entry becomes ASSURED at the earliest; NEVER where it does not.
    certain : int64[FAMILIES]
        Later than this, an entry that is not in the table is not there at all: it would have been seen since.
    options : int64[2]
        Whether TCP may be picked up in mid-stream; whether later SYNs prolong SYN_SENT.
    policy_set : int
        Whose verdicts count, 0 or 1.
    results : uint8[rows of the capture] or uint8[0]
        Written at ``rows.row``: class, ``<< 3`` whether it runs from server to client, ``<< 4`` what tells so, ``<< 6``
        verdict.
    connections : int64[4, 4]
        Added to: entries made (and attempts that make none), by verdict code under both policy sets.
    changes : CHANGE[CHANGES_A_ROW * m]
        Written up to the returned number.
    """
    written = 0
    mask = np.uint64(slots.size - 1)
    wanted = np.empty(TILE, np.int32)
    refresh_syn = options[REFRESH_SYN] != 0
    warm = np.uint64(0)
    for start in range(0, order.size, TILE):
        size = min(TILE, order.size - start)
        # Look everything up once and throw it away: many cache misses are then under way at a time.
        for j in range(size):
            wanted[j] = slots[np.uintp(rows[np.uintp(order[start + j])]["key"] & mask)]
        for j in range(size):
            if wanted[j] >= 0:
                warm ^= entries[np.uintp(wanted[j])]["key"] ^ np.uint64(due[np.uintp(wanted[j])])
        for j in range(size):
            row = rows[np.uintp(order[start + j])]
            key, now, what = row["key"], row["time"], _signed(row["what"])
            hint, evidence = what >> HINT & 3, what >> EVIDENCE & 3
            is_low = what & LOW != 0
            family = family_of(row["protocol"])
            end = max(row["end"], now)
            codes = _signed(row["codes"])
            place = np.uintp(key & mask)
            number = _signed(slots[place])
            while number >= 0 and entries[np.uintp(number)]["key"] != key:
                place = np.uintp(np.uint64(place + np.uintp(1)) & mask)
                number = _signed(slots[place])
            live = False
            if number >= 0:
                at = np.uintp(number)
                entry = entries[at]
                while due[at] < now and (entry["state"] != NONE or entry["turn"] != NEVER):
                    written += _fire(entry, due[at], changes[written], connections)
                    column = _timeout_column(entry["state"], entry["bits"])
                    due[at] = _due(entry, timeouts[np.uintp(family_of(entry["protocol"])), column], refresh_syn)
                live = entry["state"] != NONE

            if live:
                at = np.uintp(number)
                entry = entries[at]
                state, bits = _signed(entry["state"]), _signed(entry["bits"])
                from_opener = is_low == (bits & OPENER_LOW != 0)
                closed = state == TIME_WAIT or state == CLOSE
                told = max(evidence if hint == (FORWARD if from_opener else REVERSE) else 0, bits >> EVIDENCE_SHIFT)
                verdict = _verdict(_signed(entry["codes"]) >> (4 * policy_set) & 3)
                opens = family == TCP and what & OPENS != 0
                if not (opens and closed and (from_opener or state == TIME_WAIT)):
                    if from_opener:
                        is_new = bits & ANSWERS == 0 or (opens and bits & OPENED == 0)
                        given = NEW if is_new else PART
                    else:
                        given = INVALID if entry["denied"] or (opens and closed) else PART
                    if results.size:
                        results[row["row"]] = given | (not from_opener) << 3 | told << 4 | verdict << 6
                    if entry["denied"] or given == INVALID:
                        if from_opener and family != TCP:
                            entry["last"] = max(entry["last"], end)
                            due[at] = _due(entry, timeouts[np.uintp(family), np.uintp(state)], refresh_syn)
                        continue
                    answered = what & ANSWERED != 0
                    bits |= OPENED if from_opener else ANSWERS
                    if answered:
                        bits |= OPENED | ANSWERS
                    entry["bits"] = bits
                    before = state
                    old_last = entry["last"]
                    if family == TCP:
                        if state == SYN_SENT:
                            if not from_opener and what & RST and evidence != FLAGS:
                                entry["state"] = NONE
                                entry["turn"] = NEVER
                                _change(changes[written], now, entry, before, NONE, GONE)
                                written += 1
                                due[at] = now
                                continue
                            if bits & ANSWERS or what & MIDSTREAM:
                                state = ESTABLISHED
                    elif bits & ANSWERS:
                        if state == UNREPLIED:
                            state = REPLIED
                        elif state == SCTP_CLOSED:
                            state = SCTP_ESTABLISHED
                    if state != before:
                        entry["state"] = state
                        _change(changes[written], now, entry, before, state, CHANGED)
                        written += 1
                    # The last packet that may follow a reply: not the first reply itself.
                    follows = max(end, old_last)
                    if before == UNREPLIED and not from_opener and not what & MANY:
                        follows = old_last if old_last > now else _signed(entry["made"])
                    _prolong(
                        entry,
                        what,
                        now,
                        end,
                        follows,
                        _signed(row["spacing"]),
                        grace[np.uintp(family)],
                        timeouts[np.uintp(family), np.uintp(state)],
                        timeouts[np.uintp(family), np.uintp(ASSURED)],
                    )
                    column = _timeout_column(entry["state"], bits)
                    due[at] = _due(entry, timeouts[np.uintp(family), column], refresh_syn)
                    continue

            # No entry, or one that gives way to a new connection.
            reverse = hint == REVERSE
            if reverse and evidence != FLAGS and now > certain[np.uintp(family)]:
                # Nobody could have opened it unseen: it is the packet's own sender who does.
                reverse, evidence, codes = False, FIRST_SEEN, codes >> 2
            codes &= 0x33
            code = codes >> (4 * policy_set) & 3
            given = PART if reverse else NEW
            if reverse and (code == INGRESS_DENIED or code == EGRESS_DENIED):
                given = INVALID
            stray = what & (FIN | RST) != 0 and what & (MIDSTREAM | MANY) == MIDSTREAM
            if family == TCP and (stray or (what & MIDSTREAM and not options[LOOSE] and now > certain[TCP])):
                given = INVALID
            if results.size:
                results[row["row"]] = given | reverse << 3 | evidence << 4 | _verdict(code) << 6
            if given != INVALID:
                connections[codes & 3, codes >> 4] += 1
            if given == INVALID or code == EGRESS_DENIED:
                if number >= 0:
                    entry = entries[np.uintp(number)]
                    if live:
                        before = entry["state"]
                        entry["state"] = NONE
                        entry["turn"] = NEVER
                        _change(changes[written], now, entry, before, NONE, GONE)
                        written += 1
                    if entry["turn"] == NEVER:
                        due[np.uintp(number)] = now
                continue

            opener_low = is_low != reverse
            replaced = _signed(NONE)
            if number < 0:
                number = counts[FREE]
                if number < 0:
                    number = counts[HIGH]
                    counts[HIGH] += 1
                else:
                    counts[FREE] = entries[np.uintp(number)]["source"]
                counts[USED] += 1
                slots[place] = number
                entries[np.uintp(number)]["key"] = key
            elif live:
                entry = entries[np.uintp(number)]
                replaced = _signed(entry["state"])
                if opener_low != (entry["bits"] & OPENER_LOW != 0):
                    _change(changes[written], now, entry, replaced, NONE, REPLACED)
                    written += 1
                    replaced = NONE
            at = np.uintp(number)
            entry = entries[at]
            denied = code == INGRESS_DENIED
            answered = what & ANSWERED != 0 and not denied
            bits = _signed(ANSWERS if reverse else OPENED) | (OPENED | ANSWERS if answered else 0)
            bits |= OPENER_LOW if opener_low else 0
            if family == TCP:
                waits = denied or (what & OPENS != 0 and not answered and not reverse)
                state = _signed(SYN_SENT if waits else ESTABLISHED)
            elif family == SCTP:
                state = _signed(SCTP_ESTABLISHED if bits & ANSWERS else SCTP_CLOSED)
            else:
                state = _signed(REPLIED if bits & ANSWERS else UNREPLIED)
            swap = evidence == FIRST_SEEN and hint == REVERSE
            entry["source"] = row["destination"] if swap else row["source"]
            entry["destination"] = row["source"] if swap else row["destination"]
            entry["last"] = now
            entry["made"] = now
            entry["turn"] = NEVER
            entry["state"] = state
            entry["protocol"] = row["protocol"]
            entry["bits"] = bits | evidence << EVIDENCE_SHIFT
            entry["codes"] = codes
            entry["denied"] = denied
            _change(changes[written], now, entry, replaced, state, CHANGED if replaced else MADE)
            written += 1
            if denied:
                entry["last"] = now if family == TCP else end
            else:
                _prolong(
                    entry,
                    what,
                    now,
                    end,
                    end if answered or what & MANY else now,
                    _signed(row["spacing"]),
                    grace[np.uintp(family)],
                    timeouts[np.uintp(family), np.uintp(state)],
                    timeouts[np.uintp(family), np.uintp(ASSURED)],
                )
            column = _timeout_column(entry["state"], bits)
            due[at] = _due(entry, timeouts[np.uintp(family), column], refresh_syn)
    counts[WARM] = np.int64(warm >> np.uint64(1))
    return written


@kernel
def sweep_entries(until, first, slots, entries, due, counts, timeouts, options, connections, changes):
    """Let happen what happens to entries before a time, and free those that are gone.

    Parameters
    ----------
    until : int
        ns; what happens at this time does not happen yet.
    first : int
        The entry to begin with.
    slots, entries, due, counts, timeouts, options, connections
        As for `take_rows`.
    changes : CHANGE[n], n >= CHANGES_A_ROW
        Written up to the second returned number.

    Returns
    -------
    int, int
        The entry to go on with, where `changes` was too small; the number of entries otherwise. How many changes.
    """
    refresh_syn = options[REFRESH_SYN] != 0
    written = 0
    for i in range(first, counts[HIGH]):
        at = np.uintp(i)
        if due[at] >= until:
            continue
        if written + CHANGES_A_ROW > changes.size:
            return i, written
        entry = entries[at]
        family = np.uintp(family_of(entry["protocol"]))
        while due[at] < until and (entry["state"] != NONE or entry["turn"] != NEVER):
            written += _fire(entry, due[at], changes[written], connections)
            column = _timeout_column(entry["state"], entry["bits"])
            due[at] = _due(entry, timeouts[family, column], refresh_syn)
        if entry["state"] == NONE and entry["turn"] == NEVER:
            _unlink(slots, entries, entry["key"])
            entry["source"] = counts[FREE]
            counts[FREE] = i
            counts[USED] -= 1
            due[at] = NEVER
    return counts[HIGH], written


@kernel
def _unlink(slots, entries, key):
    """Take a key out of the index; what follows it moves up."""
    mask = np.uint64(slots.size - 1)
    place = key & mask
    while entries[np.uintp(slots[np.uintp(place)])]["key"] != key:
        place = (place + np.uint64(1)) & mask
    hole = place
    while True:
        place = (place + np.uint64(1)) & mask
        number = slots[np.uintp(place)]
        if number < 0:
            break
        home = entries[np.uintp(number)]["key"] & mask
        if ((place - home) & mask) >= ((place - hole) & mask):
            slots[np.uintp(hole)] = number
            hole = place
    slots[np.uintp(hole)] = -1


@kernel
def index_entries(entries, due, high, slots):
    """Fill an empty index with all entries there are.

    Parameters
    ----------
    entries, due
        As for `take_rows`.
    high : int
        The highest entry ever used, plus one.
    slots : int32[power of two]
        All -1; written.
    """
    mask = np.uint64(slots.size - 1)
    for i in range(high):
        if due[i] != NEVER:
            place = entries[i]["key"] & mask
            while slots[np.uintp(place)] >= 0:
                place = (place + np.uint64(1)) & mask
            slots[np.uintp(place)] = i
