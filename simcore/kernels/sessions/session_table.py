"""Kernels that keep a table of connections: one look a record, and one at every entry once a window."""

import numpy as np

from ..jit import kernel
from .sessions import (
    ANSWERED,
    ANSWERS,
    ASSURED,
    CHANGED,
    CHANGES_A_ROW,
    CLOSE,
    EGRESS_DENIED,
    ESTABLISHED,
    EVIDENCE,
    EVIDENCE_SHIFT,
    FIN,
    FIRST_SEEN,
    FLAGS,
    FORWARD,
    FREE,
    GONE,
    HIGH,
    HINT,
    INGRESS_DENIED,
    INVALID,
    LOOSE,
    LOW,
    MADE,
    MANY,
    MIDSTREAM,
    NEVER,
    NEW,
    NONE,
    OPENED,
    OPENER_LOW,
    OPENS,
    PART,
    REFRESH_SYN,
    REPLACED,
    REPLIED,
    REVERSE,
    RST,
    SCTP,
    SCTP_CLOSED,
    SCTP_ESTABLISHED,
    SYN_SENT,
    TCP,
    TILE,
    TIME_WAIT,
    UNREPLIED,
    USED,
    WARM,
    due_time,
    family_of,
    fire,
    prolong,
    signed,
    timeout_column,
    verdict_of,
    write_change,
)


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
            key, now, what = row["key"], row["time"], signed(row["what"])
            hint, evidence = what >> HINT & 3, what >> EVIDENCE & 3
            is_low = what & LOW != 0
            family = family_of(row["protocol"])
            end = max(row["end"], now)
            codes = signed(row["codes"])
            place = np.uintp(key & mask)
            number = signed(slots[place])
            while number >= 0 and entries[np.uintp(number)]["key"] != key:
                place = np.uintp(np.uint64(place + np.uintp(1)) & mask)
                number = signed(slots[place])
            live = False
            if number >= 0:
                at = np.uintp(number)
                entry = entries[at]
                while due[at] < now and (entry["state"] != NONE or entry["turn"] != NEVER):
                    written += fire(entry, due[at], changes[written], connections)
                    column = timeout_column(entry["state"], entry["bits"])
                    due[at] = due_time(entry, timeouts[np.uintp(family_of(entry["protocol"])), column], refresh_syn)
                live = entry["state"] != NONE

            if live:
                at = np.uintp(number)
                entry = entries[at]
                state, bits = signed(entry["state"]), signed(entry["bits"])
                from_opener = is_low == (bits & OPENER_LOW != 0)
                closed = state == TIME_WAIT or state == CLOSE
                told = max(evidence if hint == (FORWARD if from_opener else REVERSE) else 0, bits >> EVIDENCE_SHIFT)
                verdict = verdict_of(signed(entry["codes"]) >> (4 * policy_set) & 3)
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
                            due[at] = due_time(entry, timeouts[np.uintp(family), np.uintp(state)], refresh_syn)
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
                                write_change(changes[written], now, entry, before, NONE, GONE)
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
                        write_change(changes[written], now, entry, before, state, CHANGED)
                        written += 1
                    # The last packet that may follow a reply: not the first reply itself.
                    follows = max(end, old_last)
                    if before == UNREPLIED and not from_opener and not what & MANY:
                        follows = old_last if old_last > now else signed(entry["made"])
                    prolong(
                        entry,
                        what,
                        now,
                        end,
                        follows,
                        signed(row["spacing"]),
                        grace[np.uintp(family)],
                        timeouts[np.uintp(family), np.uintp(state)],
                        timeouts[np.uintp(family), np.uintp(ASSURED)],
                    )
                    column = timeout_column(entry["state"], bits)
                    due[at] = due_time(entry, timeouts[np.uintp(family), column], refresh_syn)
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
                results[row["row"]] = given | reverse << 3 | evidence << 4 | verdict_of(code) << 6
            if given != INVALID:
                connections[codes & 3, codes >> 4] += 1
            if given == INVALID or code == EGRESS_DENIED:
                if number >= 0:
                    entry = entries[np.uintp(number)]
                    if live:
                        before = entry["state"]
                        entry["state"] = NONE
                        entry["turn"] = NEVER
                        write_change(changes[written], now, entry, before, NONE, GONE)
                        written += 1
                    if entry["turn"] == NEVER:
                        due[np.uintp(number)] = now
                continue

            opener_low = is_low != reverse
            replaced = signed(NONE)
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
                replaced = signed(entry["state"])
                if opener_low != (entry["bits"] & OPENER_LOW != 0):
                    write_change(changes[written], now, entry, replaced, NONE, REPLACED)
                    written += 1
                    replaced = NONE
            at = np.uintp(number)
            entry = entries[at]
            denied = code == INGRESS_DENIED
            answered = what & ANSWERED != 0 and not denied
            bits = signed(ANSWERS if reverse else OPENED) | (OPENED | ANSWERS if answered else 0)
            bits |= OPENER_LOW if opener_low else 0
            if family == TCP:
                waits = denied or (what & OPENS != 0 and not answered and not reverse)
                state = signed(SYN_SENT if waits else ESTABLISHED)
            elif family == SCTP:
                state = signed(SCTP_ESTABLISHED if bits & ANSWERS else SCTP_CLOSED)
            else:
                state = signed(REPLIED if bits & ANSWERS else UNREPLIED)
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
            write_change(changes[written], now, entry, replaced, state, CHANGED if replaced else MADE)
            written += 1
            if denied:
                entry["last"] = now if family == TCP else end
            else:
                prolong(
                    entry,
                    what,
                    now,
                    end,
                    end if answered or what & MANY else now,
                    signed(row["spacing"]),
                    grace[np.uintp(family)],
                    timeouts[np.uintp(family), np.uintp(state)],
                    timeouts[np.uintp(family), np.uintp(ASSURED)],
                )
            column = timeout_column(entry["state"], bits)
            due[at] = due_time(entry, timeouts[np.uintp(family), column], refresh_syn)
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
    mask = np.uint64(slots.size - 1)
    warm = np.int64(0)
    for i in range(first, counts[HIGH]):
        if (i - first) % TILE == 0:
            # As in `take_rows`: what is to be taken out of the index is looked at once before.
            for j in range(i, min(i + TILE, counts[HIGH])):
                if due[np.uintp(j)] < until:
                    warm ^= slots[np.uintp(entries[np.uintp(j)]["key"] & mask)]
        at = np.uintp(i)
        if due[at] >= until:
            continue
        if written + CHANGES_A_ROW > changes.size:
            return i, written
        entry = entries[at]
        family = np.uintp(family_of(entry["protocol"]))
        while due[at] < until and (entry["state"] != NONE or entry["turn"] != NEVER):
            written += fire(entry, due[at], changes[written], connections)
            column = timeout_column(entry["state"], entry["bits"])
            due[at] = due_time(entry, timeouts[family, column], refresh_syn)
        if entry["state"] == NONE and entry["turn"] == NEVER:
            _unlink(slots, entries, entry["key"])
            entry["source"] = counts[FREE]
            counts[FREE] = i
            counts[USED] -= 1
            due[at] = NEVER
    counts[WARM] = warm
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
