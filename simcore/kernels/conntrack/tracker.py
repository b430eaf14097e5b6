"""Tracking in bulk: a table of live connections only, cut into shards, for millions of packets a second.

What it says of a packet is what the exact tracker says, where no table is full and no address is rewritten: a look-up
there frees the expired entry it meets, so that an expired entry is as good as none.

The table is that of `slots`.
"""

import numpy as np

from ..jit import kernel, prefetch
from .buckets import clear
from .entries import (
    AGAIN,
    ASSURED,
    CAPPED,
    GONE,
    KEEP,
    KIND_ILLEGAL,
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
from .protocols import BY_SCTP, BY_TCP, ERROR_ABOUT, OPENS, REFUSED_ALWAYS, UNTRACKED, begin_other, step_other
from .sctp import begin_sctp, step_sctp
from .slots import FARTHEST, TAGS, place_of_tag, tag_of, with_tag
from .tcp import KINDS, begin_tcp, step_tcp

TILE = 128
FLIPPED = 128  # of status: the opener is the end that comes second in the connection's hash
WORTH_SHORTENING = 120_000_000_000  # ns
NO_ENTRY = -1

# Positions in `counters`.
USED, BASE, FULL = 0, 1, 2
COUNTERS = 3

# Bits of `handling`: what is done with a packet (2), what it may do without an entry (2), whether its checksum is wrong
# (of an ICMP error: it is sent to somebody else), its handler (3).
OPENING_SHIFT, BAD_SHIFT, HANDLER_SHIFT = 2, 4, 5
# Bits of `verdict`: the class (3), then these.
ACCEPTED, IS_ASSURED = 8, 16
CLASS_NEW, CLASS_ESTABLISHED, CLASS_RELATED, CLASS_INVALID, CLASS_UNTRACKED = range(5)


@kernel
def mix(low, high, protocol):
    """Hash both ends of a connection between IPv4 addresses, each address << 16 | port."""
    value = (low << np.uint64(8) | protocol) * np.uint64(0x9E3779B97F4A7C15)
    value ^= value >> np.uint64(32)
    value = (value ^ high) * np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(29)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ value >> np.uint64(32)


@kernel
def hash_v4(source, destination, source_port, destination_port, protocol, out):
    """Hash the connections of packets between IPv4 addresses.

    Parameters
    ----------
    source, destination : uint32[n]
        Addresses in host byte order.
    source_port, destination_port : uint16[n]
        0 where the protocol has none; see `hash_wide` for ICMP.
    protocol : uint8[n]
    out : uint64[n]
        Written: the hash, the same both ways, and as its lowest bit whether the source is the end that comes second.
    """
    # Without branches, and with an unsigned index, the compiler makes vector code of this.
    for i in range(np.uintp(source.size)):
        one = np.uint64(source[i]) << np.uint64(16) | np.uint64(source_port[i])
        two = np.uint64(destination[i]) << np.uint64(16) | np.uint64(destination_port[i])
        low = min(one, two)
        out[i] = mix(low, one ^ two ^ low, np.uint64(protocol[i])) & ~np.uint64(1) | np.uint64(one > two)


@kernel
def hash_wide(tuples, out):
    """Hash the connections of packets of any kind, from their tuples; IPv4 ones as `hash_v4` does.

    Parameters
    ----------
    tuples : uint64[n, 5]
        As in `buckets`, but that of ICMP an answer has the request's type and code as its source port, and the
        identifier as its destination port.
    out
        As for `hash_v4`.
    """
    mapped = np.uint64(0xFFFF)
    for i in range(len(tuples)):
        one_high, one_low = tuples[i, 0], tuples[i, 1]
        two_high, two_low, ports = tuples[i, 2], tuples[i, 3], tuples[i, 4]
        one_port, two_port = ports >> np.uint64(32), ports >> np.uint64(16) & mapped
        second = one_high > two_high
        if one_high == two_high:
            second = one_low > two_low
            if one_low == two_low:
                second = one_port > two_port
        if second:
            one_high, one_low, one_port, two_high, two_low, two_port = (
                two_high,
                two_low,
                two_port,
                one_high,
                one_low,
                one_port,
            )
        low = (one_low & np.uint64(0xFFFFFFFF)) << np.uint64(16) | one_port
        high = (two_low & np.uint64(0xFFFFFFFF)) << np.uint64(16) | two_port
        protocol = ports & np.uint64(0xFF)
        four = one_high == 0 and two_high == 0 and one_low >> np.uint64(32) == mapped
        if not four or two_low >> np.uint64(32) != mapped:
            low = mix(low ^ one_low, one_high, protocol)
            high = mix(high ^ two_low, two_high, protocol)
        out[i] = mix(low, high, protocol) & ~np.uint64(1) | np.uint64(second)


@kernel
def track_fast(
    entries,
    tags,
    counters,
    keys,
    time,
    handling,
    allowed,
    flags,
    sequence,
    acknowledgement,
    length,
    window,
    scale,
    chunk,
    tag,
    initiate_tag,
    limits,
    rules,
    shard,
    shards,
    start,
    verdict,
    state,
    remaining,
):
    """Track the packets of one shard.

    Parameters
    ----------
    entries : ENTRY[2**b], b >= LEAST_BITS
        Changed: the shard's table. `expiry` is ns from BASE shifted by 8, and in these the distance from the slot that
        the hash names. A status of 0: the slot was never used.
    tags : uint64[2**b // TAGS]
        Changed: the tags of its slots.
    counters : int64[COUNTERS]
        Changed: slots in use. BASE is before any packet. FULL is set where the table must be built anew to go on.
    keys : uint64[n]
        From `hash_v4` or `hash_wide`; of an ICMP error, the key of an answer to what it quotes.
    time : int64[n]
        In ns, in order.
    handling, allowed, flags : uint8[n]
        `allowed`: it would pass as the first of its connection.
    sequence, acknowledgement, length, window, scale, chunk, tag, initiate_tag : integers[n]
        As for `step_tcp` and `step_sctp`. Empty arrays: no packet has any.
    limits, rules
        As for `track_exact`.
    shard, shards, start : int64
        Which shard of how many (128 at most), and the packet to begin with.
    verdict, state : uint8[n]; remaining : int64[n]
        Written for the shard's packets: class and verdict, state of the entry (0 without one), and ns until it expires.

    Returns
    -------
    int64
        The packet to go on with, n when done.
    """
    total = keys.size
    mask = np.uint64(entries.size - 1)
    shift = np.uint64(64)
    slots = entries.size
    while slots > 1:
        slots >>= 1
        shift -= np.uint64(1)
    tag_mask, tag_shift = np.uint64(tags.size - 1), shift + np.uint64(3)
    most = entries.size * 5 // 8
    has_numbers, has_scale, has_chunks = sequence.size > 0, scale.size > 0, chunk.size > 0
    has_length, has_window = length.size > 0, window.size > 0
    base = counters[BASE]
    options, retrans, over_retrans, over_unacked = rules[0], rules[1], rules[2], rules[3]
    rows = np.empty(TILE, np.int64)
    places = np.empty(TILE, np.uint64)
    i = start
    while i < total:
        if counters[USED] + TILE > most:
            counters[FULL] = 1
            return i
        # One kind of work at a time, each calling up from memory what the next needs, so that much is on its way at
        # once: which packets are ours, where their entries very likely are, and only then the steps.
        count = 0
        while i < total and count < TILE:
            mine = ((keys[i] >> np.uint64(1)) & np.uint64(127)) * np.uint64(shards) >> np.uint64(7)
            rows[count] = i
            count += 1 if mine == np.uint64(shard) else 0
            i += 1
        for k in range(count):
            prefetch(tags, keys[np.uintp(rows[k])] >> tag_shift)
        for k in range(count):
            key = keys[np.uintp(rows[k])]
            slot, word = key >> shift, key >> tag_shift
            after = tags[np.uintp((word + np.uint64(1)) & tag_mask)]
            place = (slot + place_of_tag(tags[np.uintp(word)], after, slot, tag_of(key))) & mask
            prefetch(entries, place)
            places[k] = place
        for k in range(count):
            row = np.uintp(rows[k])
            key = keys[row]
            now = time[row] - base
            low, high = np.uint32(key >> np.uint64(8)), np.uint8(key >> np.uint64(40))
            what = np.int64(handling[row])
            action = what & 3
            if action == UNTRACKED or action == REFUSED_ALWAYS:
                verdict[row] = CLASS_UNTRACKED if action == UNTRACKED else CLASS_INVALID
                state[row] = 0
                remaining[row] = NO_ENTRY
                continue
            slot = key >> shift
            distance = np.int64(0)
            free, free_distance = np.int64(-1), np.int64(0)
            known = False
            place = places[k]
            entry = entries[np.uintp(place)]
            away = np.int64(place - slot & mask)
            found = entry.status != 0 and entry.key == low and entry.key_high == high and entry.expiry & 255 == away
            if found:
                known = entry.expiry >> 8 > now
                free, free_distance = np.int64(place), away
            while not found:
                entry = entries[np.uintp(slot)]
                if entry.status == 0:
                    if free < 0:
                        free, free_distance = np.int64(slot), distance
                    break
                expired = entry.expiry >> 8 <= now
                if entry.key == low and entry.key_high == high and entry.expiry & 255 == distance:
                    known = not expired
                    free, free_distance = np.int64(slot), distance
                    break
                if expired and free < 0:
                    free, free_distance = np.int64(slot), distance
                slot = (slot + np.uint64(1)) & mask
                distance += 1
                if distance > FARTHEST:
                    break
            if free < 0:
                counters[FULL] = 1
                return np.int64(row)
            entry = entries[np.uintp(free)]
            if action == ERROR_ABOUT:
                related = known and not what >> BAD_SHIFT & 1
                verdict[row] = CLASS_RELATED | ACCEPTED if related else CLASS_INVALID
                state[row] = shown(np.int64(entry.status)) if known else 0
                remaining[row] = (entry.expiry >> 8) - now if known else NO_ENTRY
                if known and entry.status & np.uint8(ASSURED):
                    verdict[row] |= IS_ASSURED
                continue
            handler = what >> HANDLER_SHIFT
            kind = np.int64(KINDS[flags[row]]) if handler == BY_TCP else np.int64(0)
            bad = what >> BAD_SHIFT & 1 or (handler == BY_TCP and kind == KIND_ILLEGAL)
            numbered = has_numbers and handler == BY_TCP
            first = np.int64(sequence[row]) if numbered else np.int64(-1)
            acked = np.int64(acknowledgement[row]) if numbered else np.int64(0)
            size = np.int64(length[row]) if has_length else np.int64(0)
            room = np.int64(window[row]) if has_window else np.int64(65535)
            bits = np.int64(scale[row]) if has_scale else np.int64(-2)
            piece = np.int64(chunk[row]) if has_chunks else np.int64(-1)
            label = np.int64(tag[row]) if has_chunks else np.int64(-1)
            first_label = np.int64(initiate_tag[row]) if has_chunks else np.int64(-1)
            said = np.int64(REFUSED)
            ct_class = CLASS_NEW
            fresh = not known
            if known:
                status = np.int64(entry.status)
                way = np.int64(key & np.uint64(1)) ^ status >> 7
                direction = np.uintp(way)
                # Which way a packet goes cannot be guessed: nothing here branches on it.
                ct_class = CLASS_ESTABLISHED if status & REPLIED | way != 0 else CLASS_NEW
                entry.status = np.uint8(status & 127)
                if bad:
                    said = np.int64(REFUSED)
                elif handler == BY_TCP:
                    said = step_tcp(
                        entry,
                        direction,
                        kind,
                        np.int64(flags[row]),
                        first,
                        acked,
                        size,
                        room,
                        bits,
                        options,
                        retrans,
                        over_retrans,
                        over_unacked,
                    )
                elif handler == BY_SCTP:
                    said = step_sctp(entry, direction, piece, label, first_label, False)
                else:
                    said = step_other(entry, handler, time[row])
                outcome = said & OUTCOME_BITS
                entry.status |= np.uint8(status & FLIPPED)
                entry.status |= np.uint8(way * (outcome <= KEEP) * REPLIED)
                fresh = outcome == AGAIN
            if fresh:
                ct_class = CLASS_NEW
                unused = entry.status == 0
                said = np.int64(REFUSED)
                if not bad and what >> OPENING_SHIFT & 3 == OPENS:
                    clear(entry)
                    if handler == BY_TCP:
                        opened = begin_tcp(entry, kind, np.int64(flags[row]), first, size, room, bits, options)
                    elif handler == BY_SCTP:
                        opened = begin_sctp(entry, piece, label, first_label)
                    else:
                        begin_other(entry, time[row])
                        opened = True
                    if opened and handler == BY_TCP:
                        said = step_tcp(
                            entry,
                            np.uintp(0),
                            kind,
                            np.int64(flags[row]),
                            first,
                            acked,
                            size,
                            room,
                            bits,
                            options,
                            retrans,
                            over_retrans,
                            over_unacked,
                        )
                    elif opened and handler == BY_SCTP:
                        said = step_sctp(entry, np.uintp(0), piece, label, first_label, True)
                    elif opened:
                        said = step_other(entry, handler, time[row])
                opens = said & OUTCOME_BITS <= KEEP
                if not opens or not allowed[row]:
                    # The slot stays as it was: never used, or in use by nobody who lives.
                    if unused:
                        clear(entry)
                    else:
                        entry.status = np.uint8(OTHER)
                        entry.expiry = free_distance
                    verdict[row] = CLASS_NEW if opens else CLASS_INVALID
                    state[row] = 0
                    remaining[row] = NO_ENTRY
                    continue
                if unused:
                    counters[USED] += 1
                entry.key = low
                entry.key_high = high
                word = np.uintp(free // TAGS)
                tags[word] = with_tag(tags[word], np.uint64(free), tag_of(key))
                entry.status |= np.uint8((key & np.uint64(1)) << np.uint64(7))
            outcome = said & OUTCOME_BITS
            if outcome == REFRESH or outcome == SHORTEN:
                limit = limits[np.uintp(said & LIMIT_BITS)]
                if said & CAPPED:
                    limit = min(limit, limits[UNACKNOWLEDGED])
                left = (entry.expiry >> 8) - now
                if outcome == REFRESH or (limit > 0 and left > limit and left >= WORTH_SHORTENING):
                    entry.expiry = now + limit << 8 | free_distance
            passes = allowed[row] or ct_class != CLASS_NEW
            if outcome == REFUSED or outcome == SHORTEN:
                ct_class = CLASS_INVALID
                passes = False
            if outcome == GONE:
                entry.expiry = free_distance
                state[row] = 0
                remaining[row] = NO_ENTRY
                verdict[row] = ct_class | ACCEPTED if passes else ct_class
                continue
            status = np.int64(entry.status)
            state[row] = shown(status)
            remaining[row] = (entry.expiry >> 8) - now
            told = ct_class | ACCEPTED if passes else ct_class
            verdict[row] = told | IS_ASSURED if status & ASSURED else told
    return i


@kernel
def shown(status):
    """Number the state of an entry as people see it."""
    state = status & STATE_BITS
    if state == OTHER:
        return state + (2 if status & ASSURED else 1 if status & REPLIED else 0)
    return state
