"""Kernels for what rules ask of a flow besides its destination port: source port, ICMP type and code, request."""

import numpy as np

from .classify import ALLOW, both
from .jit import kernel
from .ladders import decide_request

KINDS, NO_KIND = 5, 5
"""TCP, UDP, SCTP, ICMP, ICMPv6; any other protocol is of no kind."""
FIRST_ICMP_KIND = 3
WITHOUT_CODE = 1 << 16
MISSING = WITHOUT_CODE + 256
VALUES = MISSING + 1
"""A source port, or ``type << 8 | code``; a type whose code is missing; or nothing."""
SCAN = 3
"""In place of a verdict: the rest of the cell is a row of `scan`; extra class and request tell the cell."""
BY_EXTRA, BY_REQUEST, ON_CONDITION = 1, 2, 4
"""Notes of flows: decided by source port, ICMP type or code; by their request; or let through without looking at it."""

REMEMBERED = 1 << 12
"""How many answers of ladders are remembered at a time, a power of two."""


@kernel
def find_extras(kind_of, table, protocol, source_port, source_known, icmp_type, type_known, icmp_code, code_known, out):
    """Find the extra classes of flows.

    Parameters
    ----------
    kind_of, table
        ``Arrays.extra_kind`` and ``Arrays.extra_class``.
    protocol : uint8[n]
    source_port : uint16[n]
    icmp_type, icmp_code : uint8[n]
    source_known, type_known, code_known : bool[n] or bool[0]
        Whether there is one; empty where every flow has it.
    out : uint16[n]
        Written.
    """
    for i in range(protocol.size):
        kind = np.int64(kind_of[protocol[i]])
        out[i] = 0
        if kind == NO_KIND:
            continue
        value = np.int64(MISSING)
        if kind < FIRST_ICMP_KIND:
            if source_known.size == 0 or source_known[i]:
                value = np.int64(source_port[i])
        elif type_known.size == 0 or type_known[i]:
            if code_known.size == 0 or code_known[i]:
                value = np.int64(icmp_type[i]) << 8 | np.int64(icmp_code[i])
            else:
                value = np.int64(WITHOUT_CODE) + np.int64(icmp_type[i])
        out[i] = table[kind * VALUES + value]


@kernel
def settled(cell, scan, divided, ladder_of, ladder_starts, rungs, extra, request, vectors):
    """Return the cell that the row of `scan` leads to which a cell names, and BY_EXTRA or BY_REQUEST if that decided.

    Parameters
    ----------
    cell : uint32
    scan, divided, ladder_of, ladder_starts, rungs
        Of `Arrays`.
    extra : uint16
        Extra class of the flow.
    request : int
        Row of its request in `vectors`; -1 where it has none.
    vectors : uint8[requests, request sets]
        See `simcore.kernels.ladders.decide_request`.
    """
    row = cell >> np.uint32(2)
    ladder = ladder_of[row, extra]
    note = np.uint8(BY_EXTRA if divided[row] else 0)
    if request < 0 or ladder < 0:
        return np.uint32(scan[row, extra]), note
    first, end = ladder_starts[ladder], ladder_starts[ladder + 1]
    found, is_told = decide_request(rungs, first, end, vectors, request)
    return np.uint32(found), np.uint8(note | BY_REQUEST if is_told else note)


@kernel
def settle(t, extra, request, vectors, egress, ingress, verdict, notes):
    """Settle the cells that name a row of `scan`.

    Parameters
    ----------
    t : Arrays
    extra : uint16[n]
        Extra class of each flow.
    request : int32[n] or int32[0]
        Rows of their requests in `vectors`, -1 where they have none; empty where none has.
    vectors : uint8[requests, request sets]
        See `simcore.kernels.ladders.decide_request`.
    egress, ingress : uint32[sets, n]
        Cells; changed.
    verdict : uint8[sets, n]
        Changed.
    notes : uint8[n]
        BY_EXTRA and BY_REQUEST are added where they decided, ON_CONDITION where the last set allows on condition.
    """
    # What a ladder made of a request is remembered: flows are many, ladders and requests few. Functions are called only
    # then, and arrays are taken out of the tuple once: either would count references in the loop (10 ns a flow).
    asks, last = np.uint32(SCAN), egress.shape[0] - 1
    scan, divided, conditional = t.scan, t.divided, t.conditional
    ladder_of, ladder_starts, rungs = t.ladder_of, t.ladder_starts, t.rungs
    count, any_asked = np.int64(vectors.shape[0]), request.size > 0
    known = np.full(REMEMBERED if any_asked else 1, -1, np.int64)
    cells, told = np.empty(known.size, np.uint32), np.empty(known.size, np.bool_)
    for k in range(egress.shape[0]):
        for i in range(egress.shape[1]):
            out, back = egress[k, i], ingress[k, i]
            if out & asks != asks and back & asks != asks:
                continue
            row = np.int64(request[i]) if any_asked else np.int64(-1)
            note = notes[i]
            for side in range(2):
                cell = back if side else out
                if cell & asks != asks:
                    continue
                place = np.intp(cell >> np.uint32(2))
                ladder = np.int64(ladder_of[place, extra[i]])
                if divided[place]:
                    note |= np.uint8(BY_EXTRA)
                if row < 0 or ladder < 0:
                    cell = np.uint32(scan[place, extra[i]])
                else:
                    key = ladder * count + row
                    slot = key & (REMEMBERED - 1)
                    if known[slot] != key:
                        first, end = ladder_starts[ladder], ladder_starts[ladder + 1]
                        found, is_told = decide_request(rungs, first, end, vectors, row)
                        known[slot], cells[slot], told[slot] = key, np.uint32(found), is_told
                    cell = cells[slot]
                    if told[slot]:
                        note |= np.uint8(BY_REQUEST)
                if side:
                    back = cell
                else:
                    out = cell
            egress[k, i], ingress[k, i] = out, back
            together = both(out & asks, back & asks)
            verdict[k, i] = together
            if k == last and together == ALLOW:
                if conditional[out >> np.uint32(2)] or conditional[back >> np.uint32(2)]:
                    note |= np.uint8(ON_CONDITION)
            notes[i] = note


@kernel
def on_condition(conditional, egress, ingress, verdict):
    """Return ON_CONDITION where a flow is let through to a proxy that looks at what is not known."""
    is_waived = conditional[egress >> np.uint32(2)] or conditional[ingress >> np.uint32(2)]
    return np.uint8(ON_CONDITION if verdict == ALLOW and is_waived else 0)
