"""Kernels that count flows by group.

A group is a record of int64 numbers: the words of its key, then flows, packets, bytes, first and last time. Under one
policy set that is one line of memory. Its example, a flow that stands for it, is a record of its own, which is
written once and then left alone.

The key is labels (source, destination), what is known of the service (verdict under each set, protocol, port), and
the cells (egress, ingress) under each set.

The table that finds groups is open. A slot holds the upper half of a hash and the number of the group, counted from 1;
0 is an empty one. The highest bits of the hash name the slot, so a larger table has the same order, and is filled from
one end to the other.
"""

import numpy as np

from .jit import kernel, prefetch

NO_TIME = np.int64(0x7FFFFFFFFFFFFFFF)
"""Stands for a missing time: later than any other."""
NEVER = np.int64(-0x8000000000000000)
"""Stands for a missing last time: earlier than any other."""
MISSING = -1
"""Stands for a missing port."""

# Words of a key, and where their parts begin.
LABELS, SERVICE, CELLS = 0, 1, 2
PORT_BITS, VERDICTS = 17, 32

# Positions after the key of a group.
FLOWS, PACKETS, OCTETS, FIRST_SEEN, LAST_SEEN, END = 0, 1, 2, 3, 4, 5

# Positions of an example: where it is, both addresses in halves, its pods, its source port and which addresses it has.
SEQUENCE, ADDRESSES, PODS, ORIGIN, EXAMPLE = 0, 1, 5, 6, 7

TILE = 256
_LOW = 0xFFFFFFFF


@kernel
def absorb(groups, examples, found, table, incoming, sequence, chosen):
    """Merge a tile of records into groups, those with the key of a group into that, others as groups of their own.

    Parameters
    ----------
    groups : int64[n, w], n >= found + m
        Written.
    examples : int64[n, 7]
        Of these groups; where they are is read.
    found : int
        How many groups there are.
    table : uint64[size], size a power of two, at least 4 and 2 * (found + m)
        Written.
    incoming : int64[m, w], m <= TILE
        What is merged.
    sequence : int64[m]
        Positions in the capture of their examples.
    chosen : int64[m]
        Written: the group of which a record's example is to be the example, -1 where the group has an earlier one, by
        first time, then position.

    Returns
    -------
    int
        How many groups there are then.
    """
    width = groups.shape[1] - END
    mask = np.uintp(table.size - 1)
    shift = np.uint64(64)
    while np.uint64(table.size) >> (np.uint64(64) - shift) > np.uint64(1):
        shift -= np.uint64(1)
    hashes = np.empty(TILE, np.uint64)
    for i in range(incoming.shape[0]):
        hashed = np.uint64(0)
        for column in range(width):
            hashed = (hashed ^ np.uint64(incoming[i, column])) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        hashes[i] = hashed * np.uint64(0xBF58476D1CE4E5B9)
        prefetch(table, np.intp(hashes[i] >> shift))
    for i in range(incoming.shape[0]):
        entry = table[np.uintp(hashes[i] >> shift)]
        if entry >> np.uint64(32) == hashes[i] >> np.uint64(32) and entry != 0:
            prefetch(groups, np.intp((entry & np.uint64(_LOW)) - np.uint64(1)) * groups.shape[1])
    for i in range(incoming.shape[0]):
        upper = hashes[i] >> np.uint64(32)
        slot = np.uintp(hashes[i] >> shift)
        number = np.uintp(found)
        while table[slot] != 0:
            if table[slot] >> np.uint64(32) == upper:
                number = np.uintp((table[slot] & np.uint64(_LOW)) - np.uint64(1))
                same = True
                for column in range(width):
                    same = same and groups[number, column] == incoming[i, column]
                if same:
                    break
                number = np.uintp(found)
            slot = (slot + np.uintp(1)) & mask
        if number == np.uintp(found):
            found += 1
            table[slot] = upper << np.uint64(32) | np.uint64(found)
            for column in range(groups.shape[1]):
                groups[number, column] = incoming[i, column]
            chosen[i] = np.int64(number)
            examples[number, SEQUENCE] = sequence[i]
            continue
        for column in range(width, width + FIRST_SEEN):
            groups[number, column] += incoming[i, column]
        first, last = incoming[i, width + FIRST_SEEN], incoming[i, width + LAST_SEEN]
        known = groups[number, width + FIRST_SEEN]
        groups[number, width + FIRST_SEEN] = min(known, first)
        groups[number, width + LAST_SEEN] = max(groups[number, width + LAST_SEEN], last)
        if first < known or (first == known and sequence[i] < examples[number, SEQUENCE]):
            examples[number, SEQUENCE] = sequence[i]
            chosen[i] = np.int64(number)
        else:
            chosen[i] = -1
    return found


@kernel
def absorb_flows(
    groups,
    examples,
    found,
    table,
    rows,
    first_sequence,
    source_label,
    destination_label,
    protocol,
    port,
    port_known,
    egress,
    ingress,
    verdict,
    packets,
    packets_known,
    octets,
    octets_known,
    time,
    time_known,
    end_time,
    end_time_known,
    fresh,
):
    """Count flows of a batch by group, as many as there is room for.

    Parameters
    ----------
    groups, examples, found, table
        As `absorb` takes them.
    rows : int64[m]
        Which flows of the batch.
    first_sequence : int
        Position in the capture of the batch's first flow.
    source_label, destination_label : int32[m]
        Of the chosen flows.
    protocol, port, port_known, egress, ingress, verdict
        Of all flows, as `simcore.kernels.classify.judge` takes and writes them.
    packets, octets, time, end_time : int64[n] or int64[0]
        Of all flows; empty where all are missing.
    packets_known, octets_known, time_known, end_time_known : bool[n] or bool[0]
        Empty where none is missing.
    fresh : int32[2, m]
        Written, one column each: groups that have a new example, and which of the chosen flows that is. The last one
        of a group counts; its sequence is written already.

    Returns
    -------
    tuple of int
        How many groups there are then, of how many flows they are, how many columns of `fresh` are written.
    """
    sets = egress.shape[0]
    width = groups.shape[1] - END
    all_known = port_known.size == 0
    incoming = np.empty((TILE, groups.shape[1]), np.int64)
    sequence, chosen = np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    written = 0
    for start in range(0, rows.size, TILE):
        size = min(TILE, rows.size - start)
        if found + size > groups.shape[0] or 2 * (found + size) > table.size:
            return found, start, written
        for j in range(size):
            i = rows[start + j]
            incoming[j, LABELS] = np.int64(source_label[start + j]) << 32 | np.int64(destination_label[start + j])
            number = np.int64(port[i]) if all_known or port_known[i] else MISSING
            service = np.int64(protocol[i]) << PORT_BITS | (number - MISSING)
            for k in range(sets):
                service |= np.int64(verdict[k, i]) << (VERDICTS + 2 * k)
                incoming[j, CELLS + k] = np.int64(np.uint64(egress[k, i]) << np.uint64(32) | np.uint64(ingress[k, i]))
            incoming[j, SERVICE] = service
            incoming[j, width + FLOWS] = 1
            # Written out rather than called: a call counts references of every column.
            known = packets.size != 0 and (packets_known.size == 0 or packets_known[i])
            incoming[j, width + PACKETS] = packets[i] if known else 0
            known = octets.size != 0 and (octets_known.size == 0 or octets_known[i])
            incoming[j, width + OCTETS] = octets[i] if known else 0
            known = time.size != 0 and (time_known.size == 0 or time_known[i])
            first = time[i] if known else NO_TIME
            known = end_time.size != 0 and (end_time_known.size == 0 or end_time_known[i])
            last = end_time[i] if known else NEVER
            incoming[j, width + FIRST_SEEN] = first
            incoming[j, width + LAST_SEEN] = last if first == NO_TIME else max(last, first)
            sequence[j] = first_sequence + i
        found = absorb(groups, examples, found, table, incoming[:size], sequence, chosen)
        for j in range(size):
            fresh[0, written] = chosen[j]
            fresh[1, written] = start + j
            written += 1 if chosen[j] >= 0 else 0
    return found, rows.size, written


@kernel
def write_examples(
    examples,
    numbers,
    rows,
    source_port,
    source_port_known,
    source_high,
    source_low,
    source_known,
    source_pod,
    destination_high,
    destination_low,
    destination_known,
    destination_pod,
):
    """Write what examples tell beside their sequence, one after the other.

    Parameters
    ----------
    examples : int64[n, 7]
        Written.
    numbers : int32[m]
        Which of them.
    rows : int64[m]
        Their flows of the batch.
    source_port, source_port_known
        Of all flows, as `absorb_flows` takes columns.
    source_high, source_low, source_known, source_pod, destination_high, destination_low, destination_known, \
    destination_pod
        Of each of these m, as `simcore.kernels.places.find_ends` takes them.
    """  # fmt: skip
    for m in range(numbers.size):
        number = numbers[m]
        examples[number, ADDRESSES] = np.int64(source_high[m])
        examples[number, ADDRESSES + 1] = np.int64(source_low[m])
        examples[number, ADDRESSES + 2] = np.int64(destination_high[m])
        examples[number, ADDRESSES + 3] = np.int64(destination_low[m])
        examples[number, PODS] = np.int64(source_pod[m]) << 32 | (np.int64(destination_pod[m]) & _LOW)
        i = rows[m]
        port_known = source_port.size != 0 and (source_port_known.size == 0 or source_port_known[i])
        port = np.int64(source_port[i]) if port_known else MISSING
        examples[number, ORIGIN] = port << 2 | np.int64(source_known[m]) << 1 | np.int64(destination_known[m])


@kernel
def absorb_groups(groups, examples, found, table, incoming, origins, start):
    """Merge groups into groups, as many as there is room for.

    Parameters
    ----------
    groups, examples, found, table
        As `absorb` takes them.
    incoming : int64[m, w]
        What is merged.
    origins : int64[m, 7]
        Their examples.
    start : int
        Where to begin.

    Returns
    -------
    tuple of int
        How many groups there are then, and where to go on.
    """
    chosen = np.empty(TILE, np.int64)
    for begin in range(start, incoming.shape[0], TILE):
        end = min(begin + TILE, incoming.shape[0])
        if found + end - begin > groups.shape[0] or 2 * (found + end - begin) > table.size:
            return found, begin
        found = absorb(groups, examples, found, table, incoming[begin:end], origins[begin:end, SEQUENCE], chosen)
        for j in range(end - begin):
            if chosen[j] >= 0:
                for column in range(EXAMPLE):
                    examples[chosen[j], column] = origins[begin + j, column]
    return found, incoming.shape[0]


@kernel
def enlarge(table, larger):
    """Write all slots of a table into an empty one of at least its size."""
    mask = np.uintp(larger.size - 1)
    shift = np.uint64(64)
    while np.uint64(larger.size) >> (np.uint64(64) - shift) > np.uint64(1):
        shift -= np.uint64(1)
    for i in range(table.size):
        if table[i] != 0:
            slot = np.uintp(table[i] >> np.uint64(32) << np.uint64(32) >> shift)
            while larger[slot] != 0:
                slot = (slot + np.uintp(1)) & mask
            larger[slot] = table[i]
