"""Packet by packet through the kernel's own table: class, verdict, and what the table then holds (semantics C-1)."""

import numpy as np

from ..jit import kernel
from .buckets import (
    ALLOCATED,
    CHAIN_TOO_LONG,
    CLASHED,
    DROPPED,
    NOTHING,
    PRESSED,
    bucket_of,
    evict,
    find,
    give_back,
    hash_tuple,
    link,
    random_below,
    release,
    take,
)
from .clock import count_live, watch
from .collector import collect
from .entries import (
    AGAIN,
    ASSURED,
    CAPPED,
    EXPECTED,
    GONE,
    KEEP,
    LIMIT_BITS,
    OTHER,
    OUTCOME_BITS,
    REFRESH,
    REFUSED,
    REPLIED,
    SHORTEN,
    STATE_BITS,
    UNACKNOWLEDGED,
)
from .ftp import is_expected, read_line
from .protocols import BY_TCP, ERROR_ABOUT, REFUSED_ALWAYS, REFUSED_EARLY, UNTRACKED, begin, step

CLASS_NEW, CLASS_ESTABLISHED, CLASS_RELATED, CLASS_INVALID, CLASS_UNTRACKED, CLASS_NONE = range(6)
SHORTEST_CHAIN, CHAIN_SPREAD = 50, 30
WORTH_SHORTENING = 120_000_000_000  # ns
NO_ENTRY = -1
OUT = np.dtype(
    [
        ("remaining", "i8"),
        ("count", "i8"),
        ("live", "i8"),
        ("accepted", "u1"),
        ("ct_class", "u1"),
        ("ct_state", "u1"),
        ("assured", "u1"),
    ],
    align=True,
)
"""What became of a packet: ns until its entry expires (NO_ENTRY without one), entries allocated and live, ..."""

# Positions in `rules`.
OPTIONS, RETRANS, OVER_RETRANS, OVER_UNACKED, LIMIT, HZ, EXPECT_MAX = range(7)


@kernel
def track_exact(table, packets, limits, rules, out):
    """Track packets one by one.

    Parameters
    ----------
    table : Table
        Changed; has room for one more entry and two more items of the heap for each packet.
    packets : PACKET[n]
        In time order, none before the time the table has come to.
    limits : int64[LIMITS]
        See `entries`.
    rules : int64[7]
        OPTIONS to HZ; LIMIT is ``nf_conntrack_max``.
    out : OUT[n]
        Written.
    """
    for i in range(packets.size):
        packet = packets[i]
        collect(table, packet.time, rules[HZ], rules[LIMIT])
        ct_class, entry, accepted = track_one(table, packet, limits, rules)
        row = out[i]
        row.ct_class = ct_class
        row.accepted = accepted
        row.live = count_live(table, packet.time)
        row.count = table.numbers[ALLOCATED]
        row.ct_state = 0
        row.assured = 0
        row.remaining = NO_ENTRY
        if entry >= 0:
            record = table.entries[entry]
            row.remaining = max(record.expiry - packet.time, np.int64(0))
            row.ct_state = shown_state(np.int64(record.status))
            row.assured = 1 if record.status & np.uint8(ASSURED) else 0


@kernel
def shown_state(status):
    """Number the state of an entry as people see it."""
    state = status & STATE_BITS
    if state == OTHER:
        return state + (2 if status & ASSURED else 1 if status & REPLIED else 0)
    return state


@kernel
def track_one(table, packet, limits, rules):
    """Track one packet; return its class, its entry or NO_ENTRY, and whether it passes."""
    if packet.action == UNTRACKED:
        return CLASS_UNTRACKED, np.int64(NO_ENTRY), False
    if packet.action == REFUSED_ALWAYS:
        return CLASS_INVALID, np.int64(NO_ENTRY), False
    node = find(table, packet.tuple, packet.time)
    if packet.action == ERROR_ABOUT:
        if node < 0 or not reaches(table, node, packet.reply):
            return CLASS_INVALID, max(node >> 1, np.int64(NO_ENTRY)), False
        return CLASS_RELATED, node >> 1, True
    if node >= 0:
        again, ct_class, accepted = pass_known(table, node, packet, limits, rules)
        entry = node >> 1
        if not again:
            return ct_class, entry if ct_class != CLASS_NONE and table.due[entry] >= 0 else np.int64(NO_ENTRY), accepted
        release(table, entry)
        find(table, packet.tuple, packet.time)
    return pass_new(table, packet, limits, rules)


@kernel
def reaches(table, node, outer):
    """Whether an ICMP error is sent to the end that the quoted packet came from."""
    tuples = table.tuples[node >> 1, node & 1]
    return tuples[2] == outer[0] and tuples[3] == outer[1]


@kernel
def pass_known(table, node, packet, limits, rules):
    """Pass a packet of a connection that has an entry; return whether to look it up again, its class and verdict."""
    entry, direction = node >> 1, np.uintp(node & 1)
    record = table.entries[entry]
    status = np.int64(record.status)
    if direction == 1 or status & REPLIED:
        ct_class = CLASS_ESTABLISHED
    else:
        ct_class = CLASS_RELATED if status & EXPECTED else CLASS_NEW
    said = step(
        record, direction, packet, False, rules[OPTIONS], rules[RETRANS], rules[OVER_RETRANS], rules[OVER_UNACKED]
    )
    outcome = said & OUTCOME_BITS
    if outcome == AGAIN:
        return True, ct_class, False
    if outcome == REFUSED or outcome == SHORTEN:
        limit = limits[said & LIMIT_BITS]
        left = record.expiry - packet.time
        if outcome == SHORTEN and limit > 0 and left > limit and left >= WORTH_SHORTENING:
            record.expiry = packet.time + limit
            watch(table, entry)
        return False, CLASS_INVALID, False
    if outcome == REFRESH:
        record.expiry = packet.time + limit_of(limits, said)
        watch(table, entry)
    if direction == 1:
        record.status |= np.uint8(REPLIED)
    accepted = ct_class != CLASS_NEW or packet.allowed
    if packet.local and not is_rewritten(table, entry):
        accepted = False
    if outcome == GONE:
        release(table, entry)
    elif table.helpers[entry].on:
        read_line(table, entry, direction, packet, ct_class == CLASS_ESTABLISHED, rules[EXPECT_MAX])
    return False, ct_class, accepted


@kernel
def limit_of(limits, said):
    """Return the time until expiry that a step asks for, in ns."""
    limit = limits[said & LIMIT_BITS]
    return min(limit, limits[UNACKNOWLEDGED]) if said & CAPPED else limit


@kernel
def is_rewritten(table, entry):
    """Whether addresses or ports of a connection are translated."""
    first, second = table.tuples[entry, 0], table.tuples[entry, 1]
    return first[0] != second[2] or first[1] != second[3] or first[2] != second[0] or first[3] != second[1]


@kernel
def pass_new(table, packet, limits, rules):
    """Pass a packet without an entry: it takes a slot first, and keeps it if it may open a connection (C-5)."""
    numbers = table.numbers
    now = packet.time
    if packet.opening == REFUSED_EARLY:
        return CLASS_INVALID, np.int64(NO_ENTRY), False
    if rules[LIMIT] > 0 and numbers[ALLOCATED] + 1 > rules[LIMIT] and not evict(table, packet.tuple, now):
        numbers[PRESSED] = 1
        numbers[DROPPED] += 1
        return CLASS_NONE, np.int64(NO_ENTRY), False
    entry = take(table)
    numbers[ALLOCATED] += 1
    record = table.entries[entry]
    expected = is_expected(table, packet.tuple, now)
    said = np.int64(REFUSED)
    if begin(record, packet, rules[OPTIONS]):
        said = step(
            record, np.uintp(0), packet, True, rules[OPTIONS], rules[RETRANS], rules[OVER_RETRANS], rules[OVER_UNACKED]
        )
    if said & OUTCOME_BITS != REFRESH and said & OUTCOME_BITS != KEEP:
        give_back(table, entry)
        return CLASS_INVALID, np.int64(NO_ENTRY), False
    if expected:
        record.status |= np.uint8(EXPECTED)
    ct_class = CLASS_RELATED if expected else CLASS_NEW
    table.tuples[entry, 0] = packet.tuple
    table.tuples[entry, 1] = packet.reply
    free = not packet.nat or choose_reply(table, entry, now)
    if packet.local:
        # The router answers by itself: a reset, of which no entry survives, or an ICMP error, which changes nothing.
        if packet.handler == BY_TCP:
            give_back(table, entry)
            return ct_class, np.int64(NO_ENTRY), False
    elif not expected and not packet.allowed:
        give_back(table, entry)
        return ct_class, np.int64(NO_ENTRY), False
    if not free or not confirm(table, entry):
        give_back(table, entry)
        return ct_class, np.int64(NO_ENTRY), False
    record.expiry = now + limit_of(limits, said)
    table.helpers[entry].on = packet.helper
    table.helpers[entry].known[0] = np.uint8(0)
    table.helpers[entry].known[1] = np.uint8(0)
    watch(table, entry)
    return ct_class, entry, not packet.local


@kernel
def confirm(table, entry):
    """Put a new entry into its two chains, unless one of them is too long; whether it is there now."""
    first, second = bucket_of(table, table.tuples[entry, 0]), bucket_of(table, table.tuples[entry, 1])
    longest = SHORTEST_CHAIN + random_below(table.numbers, CHAIN_SPREAD)
    for bucket in (first, second):
        length = 0
        node = np.int64(table.heads[bucket])
        while node >= 0:
            length += 1
            node = np.int64(table.next[node])
        if length > longest:
            table.numbers[CHAIN_TOO_LONG] += 1
            return False
    link(table, 2 * entry, first)
    link(table, 2 * entry + 1, second)
    return True


@kernel
def choose_reply(table, entry, now):
    """Find a reply tuple that no other entry has, changing the source port if need be; whether there is one (C-9)."""
    reply = table.tuples[entry, 1]
    if find(table, reply, now) == NOTHING:
        return True
    protocol = np.int64(reply[4] & np.uint64(0xFFFF))
    if protocol == 1 or protocol == 58:
        # Identifiers of ICMP stand where the source port does, in both directions.
        shift, lowest, size = np.uint64(32), np.int64(0), np.int64(65536)
    elif protocol == 6 or protocol == 17 or protocol == 132 or protocol == 136:
        port = np.int64(reply[4] >> np.uint64(16) & np.uint64(0xFFFF))
        shift = np.uint64(16)
        lowest = np.int64(1 if port < 512 else 600 if port < 1024 else 1024)
        size = np.int64(511 if port < 512 else 424 if port < 1024 else 64512)
    else:
        table.numbers[CLASHED] += 1
        return False
    begin_at = hash_tuple(table.numbers, table.tuples[entry, 0]) % size
    for attempt in range(size):
        other_port = np.uint64(lowest + (begin_at + attempt) % size)
        reply[4] = reply[4] & ~(np.uint64(0xFFFF) << shift) | other_port << shift
        if find(table, reply, now) == NOTHING:
            return True
    table.numbers[CLASHED] += 1
    return False
