"""Kernels that count flows by group."""

import numpy as np

from .jit import kernel

NO_TIME = np.int64(0x7FFFFFFFFFFFFFFF)
"""Stands for a missing time: later than any other."""
NEVER = np.int64(-0x8000000000000000)
"""Stands for a missing last time: earlier than any other."""
MISSING = -1
"""Stands for a missing port."""


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
    keys,
    sums,
    times,
    sequence,
    addresses,
    details,
):
    """Write some flows of a batch as the rows of a tally.

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
        Their ends, as `simcore.kernels.classify.find_objects` takes them.
    keys, sums, times, sequence, addresses, details
        Written: the arrays of `simcore.analyses.tally.Tally`, m rows each.
    """  # fmt: skip
    all_known = port_known.size == 0
    for m in range(rows.size):
        i = rows[m]
        keys[m, 0] = source_label[m]
        keys[m, 1] = destination_label[m]
        keys[m, 2] = protocol[i]
        keys[m, 3] = np.int64(port[i]) if all_known or port_known[i] else MISSING
        for k in range(egress.shape[0]):
            keys[m, 4 + 3 * k] = egress[k, i]
            keys[m, 5 + 3 * k] = ingress[k, i]
            keys[m, 6 + 3 * k] = verdict[k, i]
        sums[m, 0] = 1
        sums[m, 1] = packets[m]
        sums[m, 2] = octets[m]
        times[m, 0] = time[m]
        times[m, 1] = end_time[m] if time[m] == NO_TIME else max(end_time[m], time[m])
        sequence[m] = first_sequence + i
        addresses[m, 0] = source_high[m]
        addresses[m, 1] = source_low[m]
        addresses[m, 2] = destination_high[m]
        addresses[m, 3] = destination_low[m]
        details[m, 0] = source_pod[m]
        details[m, 1] = destination_pod[m]
        details[m, 2] = source_known[m]
        details[m, 3] = destination_known[m]
        details[m, 4] = source_port[m]


@kernel
def group(keys, amounts, seen, sequence, out_of, sums, times, examples):
    """Merge records that share their key.

    Parameters
    ----------
    keys : int64[n, w]
        What records are grouped by.
    amounts : int64[n, 3]
        What is added up: flows, packets, bytes.
    seen : int64[n, 2]
        First and last time, in nanoseconds; NO_TIME, and the lowest integer, where missing.
    sequence : int64[n]
        Position in the capture, ``file << 40 | row``: breaks ties between equal times.
    out_of : int64[n]
        Written up to the returned number: a record of each group (its first in this order).
    sums : int64[n, 3]
        Written up to there: the added amounts.
    times : int64[n, 2]
        Written up to there: first and last time seen.
    examples : int64[n]
        Written up to there: the record whose first time, then sequence, is lowest.

    Returns
    -------
    int
        Number of groups.
    """
    size = 16
    while size < 2 * keys.shape[0]:
        size *= 2
    table = np.full(size, -1, np.int32)
    found = 0
    for i in range(keys.shape[0]):
        hashed = np.uint64(0)
        for column in range(keys.shape[1]):
            hashed = (hashed ^ np.uint64(keys[i, column])) * np.uint64(0x9E3779B97F4A7C15)
            hashed ^= hashed >> np.uint64(29)
        slot = np.int64(hashed & np.uint64(size - 1))
        while table[slot] >= 0 and not _equal(keys, out_of[table[slot]], i):
            slot = (slot + 1) & (size - 1)
        number = np.int64(table[slot])
        if number < 0:
            number = np.int64(found)
            table[slot] = number
            out_of[number] = i
            sums[number] = amounts[i]
            times[number] = seen[i]
            examples[number] = i
            found += 1
            continue
        sums[number] += amounts[i]
        times[number, 0] = min(times[number, 0], seen[i, 0])
        times[number, 1] = max(times[number, 1], seen[i, 1])
        best = examples[number]
        if seen[i, 0] < seen[best, 0] or (seen[i, 0] == seen[best, 0] and sequence[i] < sequence[best]):
            examples[number] = i
    return found


@kernel
def _equal(keys, a, b):
    for column in range(keys.shape[1]):
        if keys[a, column] != keys[b, column]:
            return False
    return True
