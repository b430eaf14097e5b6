"""Kernels that count flows by group.

A group is a record: a row of int64 numbers, which `simcore.analyses.tally` describes. After its key of `width` numbers
come flows, packets, bytes; first and last time; the position in the capture of its example; what is told of that.
"""

import numpy as np

from .jit import kernel

NO_TIME = np.int64(0x7FFFFFFFFFFFFFFF)
"""Stands for a missing time: later than any other."""
NEVER = np.int64(-0x8000000000000000)
"""Stands for a missing last time: earlier than any other."""
MISSING = -1
"""Stands for a missing port."""

# Positions after the key of a record.
FLOWS, PACKETS, OCTETS, FIRST_SEEN, LAST_SEEN, SEQUENCE, ADDRESSES, DETAILS, END = 0, 1, 2, 3, 4, 5, 6, 10, 15


@kernel
def gather(
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
    octets,
    time,
    end_time,
    source_port,
    source_high,
    source_low,
    source_known,
    source_pod,
    destination_high,
    destination_low,
    destination_known,
    destination_pod,
    records,
):
    """Write some flows of a batch as records.

    Parameters
    ----------
    rows : int64[m]
        Which flows of the batch.
    first_sequence : int
        Position in the capture of the batch's first flow.
    protocol, port, port_known, egress, ingress, verdict
        Of all flows, as `simcore.kernels.classify.judge` takes and writes them.
    source_label, destination_label, packets, octets, time, end_time, source_port
        Of the chosen flows, int64 or int32[m].
    source_high, source_low, source_known, source_pod, destination_high, destination_low, destination_known, \
    destination_pod
        Their ends, as `simcore.kernels.places.find_ends` takes them.
    records : int64[m, 19 + 3 * sets]
        Written.
    """  # fmt: skip
    all_known = port_known.size == 0
    width = 4 + 3 * egress.shape[0]
    for m in range(rows.size):
        i = rows[m]
        records[m, 0] = source_label[m]
        records[m, 1] = destination_label[m]
        records[m, 2] = protocol[i]
        records[m, 3] = np.int64(port[i]) if all_known or port_known[i] else MISSING
        for k in range(egress.shape[0]):
            records[m, 4 + 3 * k] = egress[k, i]
            records[m, 5 + 3 * k] = ingress[k, i]
            records[m, 6 + 3 * k] = verdict[k, i]
        records[m, width + FLOWS] = 1
        records[m, width + PACKETS] = packets[m]
        records[m, width + OCTETS] = octets[m]
        records[m, width + FIRST_SEEN] = time[m]
        records[m, width + LAST_SEEN] = end_time[m] if time[m] == NO_TIME else max(end_time[m], time[m])
        records[m, width + SEQUENCE] = first_sequence + i
        records[m, width + ADDRESSES] = np.int64(source_high[m])
        records[m, width + ADDRESSES + 1] = np.int64(source_low[m])
        records[m, width + ADDRESSES + 2] = np.int64(destination_high[m])
        records[m, width + ADDRESSES + 3] = np.int64(destination_low[m])
        records[m, width + DETAILS] = source_pod[m]
        records[m, width + DETAILS + 1] = destination_pod[m]
        records[m, width + DETAILS + 2] = source_known[m]
        records[m, width + DETAILS + 3] = destination_known[m]
        records[m, width + DETAILS + 4] = source_port[m]


@kernel
def absorb(groups, found, table, incoming, width):
    """Merge records into groups, those with the key of a group into that, others as groups of their own.

    Parameters
    ----------
    groups : int64[n, w], n >= found + m
        Written.
    found : int
        How many groups there are.
    table : int32[size], size a power of two, at least 2 * n
        Which group stands in each slot, -1 for none; written.
    incoming : int64[m, w]
        What is merged. Of an example that whose first time, then position, is lowest is kept.
    width : int
        How many numbers the key has.

    Returns
    -------
    int
        How many groups there are then.
    """
    mask = np.uint64(table.size - 1)
    for i in range(incoming.shape[0]):
        hashed = np.uint64(0)
        for column in range(width):
            hashed = (hashed ^ np.uint64(incoming[i, column])) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        slot = np.uintp(hashed & mask)
        while table[slot] >= 0:
            number = np.uintp(table[slot])
            same = True
            for column in range(width):
                same = same and groups[number, column] == incoming[i, column]
            if same:
                break
            slot = np.uintp((slot + np.uintp(1)) & np.uintp(mask))
        if table[slot] < 0:
            table[slot] = found
            groups[found] = incoming[i]
            found += 1
            continue
        number = np.uintp(table[slot])
        for column in range(width, width + FIRST_SEEN):
            groups[number, column] += incoming[i, column]
        first, last = incoming[i, width + FIRST_SEEN], incoming[i, width + LAST_SEEN]
        known, position = groups[number, width + FIRST_SEEN], groups[number, width + SEQUENCE]
        groups[number, width + FIRST_SEEN] = min(known, first)
        groups[number, width + LAST_SEEN] = max(groups[number, width + LAST_SEEN], last)
        if first < known or (first == known and incoming[i, width + SEQUENCE] < position):
            for column in range(width + SEQUENCE, groups.shape[1]):
                groups[number, column] = incoming[i, column]
    return found


@kernel
def index_groups(groups, found, table, width):
    """Write the first `found` groups, all of them distinct, into an empty table; see `absorb`."""
    mask = np.uint64(table.size - 1)
    for number in range(found):
        hashed = np.uint64(0)
        for column in range(width):
            hashed = (hashed ^ np.uint64(groups[number, column])) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        slot = np.uintp(hashed & mask)
        while table[slot] >= 0:
            slot = np.uintp((slot + np.uintp(1)) & np.uintp(mask))
        table[slot] = number
