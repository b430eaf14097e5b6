"""Kernels that count which decisions all pairs of ends meet."""

import numpy as np

from .jit import kernel

FIRST_SLOTS = 1 << 12


@kernel
def count_pairs(
    egress_rows,
    ingress_columns,
    egress_program,
    ingress_column,
    egress_column,
    ingress_program,
    source_weight,
    destination_weight,
    first,
    last,
):
    """Count pairs of ends by the rows that decide them.

    Parameters
    ----------
    egress_rows : uint16 or uint32[programs, columns]
        Row of an egress program for a column of destinations.
    ingress_columns : uint16 or uint32[columns, programs]
        Row of an ingress program for a column of sources.
    egress_program, ingress_column : int64[sources]
        Egress program of each source, and its column as a peer.
    egress_column, ingress_program : int64[destinations]
        Column of each destination as a peer, and its ingress program.
    source_weight, destination_weight : int64[sources], int64[destinations]
        How many ends each stands for.
    first, last : int
        Which sources to count.

    Returns
    -------
    keys : int64[found]
        ``egress row << 32 | ingress row``, in no order.
    counts : int64[found]
        Pairs.
    """  # fmt: skip
    slots = FIRST_SLOTS
    keys = np.full(slots, -1, np.int64)
    counts = np.zeros(slots, np.int64)
    found = 0
    for s in range(first, last):
        out = egress_rows[egress_program[s]]
        back = ingress_columns[ingress_column[s]]
        for d in range(egress_column.size):
            key = np.int64(out[egress_column[d]]) << 32 | np.int64(back[ingress_program[d]])
            slot = np.int64(np.uint64(key) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) & (slots - 1)
            while keys[slot] != key and keys[slot] >= 0:
                slot = (slot + 1) & (slots - 1)
            if keys[slot] < 0:
                keys[slot] = key
                found += 1
            counts[slot] += source_weight[s] * destination_weight[d]
            if 2 * found > slots:
                old_keys, old_counts = keys, counts
                slots *= 4
                keys = np.full(slots, -1, np.int64)
                counts = np.zeros(slots, np.int64)
                for i in range(old_keys.size):
                    if old_keys[i] >= 0:
                        slot = np.int64(np.uint64(old_keys[i]) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32))
                        slot &= slots - 1
                        while keys[slot] >= 0:
                            slot = (slot + 1) & (slots - 1)
                        keys[slot] = old_keys[i]
                        counts[slot] = old_counts[i]
    kept = keys >= 0
    return keys[kept], counts[kept]
