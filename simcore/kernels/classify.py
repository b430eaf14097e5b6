"""The kernel that judges flows: places of both ends and a port class in, cells out. No loop over rules anywhere."""

import numpy as np

from .jit import kernel
from .places import FIRST_COMPOSITE, FIRST_NODE

TILE = 512
NO_PORT_SLOT, MISSING_SLOT = 3, 4
ALLOW, DENY, UNKNOWN = 0, 1, 2
TOGETHER = np.uint32(0b10_01_10_00_01_01_01_00_10_01_00)
"""The verdict of a pair, two bits at ``2 * (egress | ingress << 2)``."""


@kernel
def judge(
    t,
    source_place,
    destination_place,
    destination_named,
    protocol,
    port,
    port_known,
    egress,
    ingress,
    verdict,
    special,
):
    """Judge flows whose ends are single identities, or Services before one; list the others.

    Parameters
    ----------
    t : Arrays
    source_place, destination_place : int32[n]
        Places of the ends.
    destination_named : bool[n] or bool[0]
        Whether the record names the destination's pod, so that no Service stands before it; empty where none does.
    protocol : uint8[n]
        IANA numbers; 255 where missing.
    port : uint16[n]
        Destination ports.
    port_known : bool[n] or bool[0]
        Whether there is a port; empty where every flow has one.
    egress, ingress : uint32[sets, n]
        Written: the cells of both directions.
    verdict : uint8[sets, n]
        Written.
    special : int32[n]
        Written up to the returned number: flows left to `judge_special`, whose cells and verdicts mean nothing yet.

    Returns
    -------
    int
        How many flows are left.
    """  # fmt: skip
    # In tiles that stay in the first cache, one kind of look-up at a time: the processor then has many of them under
    # way, where a loop over whole flows waited for each (37 to 104 Mflows/s on random flows). Indices are unsigned:
    # numba tests a signed one for being negative, and marks (below 0) become huge.
    left = 0
    slot_of, port_class, missing, program_of = t.slot_of, t.port_class, t.missing_port_class, t.program_of
    column_of, row_of, decision = t.column_of, t.row_of, t.decision.ravel()
    classes = np.uintp(t.decision.shape[1])
    first_keys, short_ways = t.first_keys, t.short_ways
    first_node, first_composite = np.uintp(t.limits[FIRST_NODE]), t.limits[FIRST_COMPOSITE]
    all_known, none_named = port_known.size == 0, destination_named.size == 0
    here = np.empty(TILE, np.uint32)
    there = np.empty(TILE, np.uint32)
    ports = np.empty(TILE, np.uint32)
    egress_row = np.empty(TILE, np.uint32)
    ingress_row = np.empty(TILE, np.uint32)
    for start in range(0, source_place.size, TILE):
        size = min(TILE, source_place.size - start)
        first_left = left
        for j in range(size):
            i = start + j
            slot = np.uintp(slot_of[protocol[i]])
            s = np.uintp(source_place[i])
            d = np.uintp(destination_place[i])
            plain = s < first_node and d < first_node and slot != MISSING_SLOT
            special[left] = i
            left += not plain
            s, d, slot = s * plain, d * plain, slot * plain
            if all_known or port_known[i]:
                ports[j] = port_class[slot << np.uintp(16) | np.uintp(port[i])]
            else:
                ports[j] = missing[slot]
            here[j] = s
            there[j] = d
        found, left = left, first_left
        for m in range(first_left, found):
            i = special[m]
            composite = np.int64(destination_place[i]) - first_composite
            key = np.int64(slot_of[protocol[i]]) << 16 | np.int64(port[i])
            place = np.uintp(first_keys[np.uintp(max(composite, 0))])
            end = np.uintp(first_keys[np.uintp(max(composite, 0) + (composite >= 0))])
            while place < end and short_ways[place, 0] != key:
                place += np.uintp(1)
            target = short_ways[place, 1]
            peer = np.uintp(source_place[i])
            short = (place < end) & (target >= 0) & (target != source_place[i]) & (peer < first_node)
            short = short & (all_known or port_known[i]) & (none_named or not destination_named[i])
            here[i - start] = peer * short
            there[i - start] = target * short
            ports[i - start] = short_ways[place, 2] * short
            special[left] = i
            left += not short
        for k in range(egress.shape[0]):
            for j in range(size):
                s, d = np.uintp(here[j]), np.uintp(there[j])
                egress_row[j] = program_of[np.uintp(2 * k), s] + np.uint32(column_of[np.uintp(0), d])
                ingress_row[j] = program_of[np.uintp(2 * k + 1), d] + np.uint32(column_of[np.uintp(1), s])
            for j in range(size):
                egress_row[j] = row_of[np.uintp(egress_row[j])]
                ingress_row[j] = row_of[np.uintp(ingress_row[j])]
            for j in range(size):
                out = decision[np.uintp(egress_row[j]) * classes + np.uintp(ports[j])]
                back = decision[np.uintp(ingress_row[j]) * classes + np.uintp(ports[j])]
                egress[k, start + j] = out
                ingress[k, start + j] = back
                verdict[k, start + j] = both(out & np.uint32(3), back & np.uint32(3))
    return left


@kernel
def both(egress, ingress):
    """Combine the verdicts of the two directions, uint32 each: a denial decides, then a doubt."""
    # No branch: with flows in no order a processor foresees it for half of them (6.1 ns a flow instead of 11.0).
    return np.uint8(TOGETHER >> np.uint32(2) * (egress | ingress << np.uint32(2)) & np.uint32(3))
