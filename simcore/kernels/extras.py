"""Kernels for what rules ask of a flow besides its destination port: its source port, its ICMP type and code."""

import numpy as np

from .classify import both
from .jit import kernel

KINDS, NO_KIND = 5, 5
"""TCP, UDP, SCTP, ICMP, ICMPv6; any other protocol is of no kind."""
FIRST_ICMP_KIND = 3
WITHOUT_CODE = 1 << 16
MISSING = WITHOUT_CODE + 256
VALUES = MISSING + 1
"""A source port, or ``type << 8 | code``; a type whose code is missing; or nothing."""
SCAN = 3
"""In place of a verdict: the rest of the cell is a row of `scan`, and the flow's extra class tells the cell."""


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
def settle(scan, extra, egress, ingress, verdict, settled):
    """Settle the cells that name a row of `scan`.

    Parameters
    ----------
    scan : uint16 or uint32[rows, extra classes]
    extra : uint16[n]
        Extra class of each flow.
    egress, ingress : uint32[sets, n]
        Cells; changed.
    verdict : uint8[sets, n]
        Changed.
    settled : bool[n]
        Set where a cell was settled.
    """
    asks = np.uint32(SCAN)
    for k in range(egress.shape[0]):
        for i in range(egress.shape[1]):
            out, back = egress[k, i], ingress[k, i]
            if out & asks != asks and back & asks != asks:
                continue
            if out & asks == asks:
                out = np.uint32(scan[out >> np.uint32(2), extra[i]])
            if back & asks == asks:
                back = np.uint32(scan[back >> np.uint32(2), extra[i]])
            egress[k, i], ingress[k, i] = out, back
            verdict[k, i] = both(out & asks, back & asks)
            settled[i] = True
