"""Kernels that read flow records: which way they run, what their flags tell, and the connection they belong to."""

import numpy as np

from ..jit import kernel
from .sessions import (
    ANSWERED,
    DOUBTFUL,
    EGRESS_DENIED,
    EVIDENCE,
    FIN,
    FIRST_SEEN,
    FLAGS,
    FORWARD,
    HINT,
    INGRESS_DENIED,
    LOW,
    MANY,
    MIDSTREAM,
    OPENS,
    PASSES,
    PORTS,
    REFUSED,
    REVERSE,
    RST,
)

# What may tell which way a record runs.
BY_FLAGS, BY_PORTS = 1, 2

# Habits of a capture: a record for each direction; flags in which ACK without SYN is not told (AWS).
ONE_WAY, SPARSE_FLAGS = 1, 2

_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
WELL_KNOWN, EPHEMERAL = 1_024, 32_768
MISSING_TIME = np.int64(-0x8000000000000000)
LATEST = np.int64(1) << np.int64(62)
"""Times before 1970 count as 1970, those after 2116 as 2116: what is added to them must fit an integer."""
UNTRACKED = 255
"""Protocol of a record that belongs to no connection."""


@kernel
def read_records(
    source_port,
    destination_port,
    protocol,
    flags,
    flags_known,
    packets,
    served,
    methods,
    habits,
    what,
):
    """Tell which way records run, and what they tell of their connections.

    Parameters
    ----------
    source_port, destination_port : uint16[n]
        0 where missing.
    protocol : uint8[n]
    flags : uint8[n]
        TCP flags, combined.
    flags_known : bool[n] or bool[0]
        Whether they are told; empty where they are for all.
    packets : int64[n]
        -1 where missing.
    served : uint8[3, 65536]
        Ports that somebody in the cluster declares, of TCP, UDP and SCTP.
    methods : int
        BY_FLAGS, BY_PORTS: what is looked at.
    habits : int
        ONE_WAY, SPARSE_FLAGS.
    what : uint16[n]
        Written: ROW.what without LOW.
    """
    one_way = habits & ONE_WAY != 0
    for i in range(protocol.size):
        is_tcp = protocol[i] == 6
        seen = np.int64(flags[i]) if is_tcp and (flags_known.size == 0 or flags_known[i]) else -1
        # AWS writes 0 where a record saw none of FIN, SYN and RST; elsewhere a packet of TCP has some flag.
        known = seen > 0 or (seen == 0 and habits & SPARSE_FLAGS != 0)
        seen = seen if known else 0
        many = packets[i] > 1 or packets[i] < 0
        bits = MANY if many else 0
        syn, ack = seen & _SYN != 0, seen & _ACK != 0
        hint, evidence = 0, FIRST_SEEN
        answers = syn and ack and (habits & SPARSE_FLAGS != 0 or packets[i] == 1)
        if methods & BY_FLAGS and syn and (not ack or answers):
            hint, evidence = REVERSE if answers else FORWARD, FLAGS
        if hint == 0 and methods & BY_PORTS:
            slot = 0 if is_tcp else 1 if protocol[i] == 17 else 2 if protocol[i] == 132 else 3
            if slot < 3:
                hint = _by_ports(source_port[i], destination_port[i], served[slot])
                evidence = PORTS if hint else FIRST_SEEN
        if is_tcp:
            if known:
                if syn and not answers:
                    bits |= OPENS
                    # An end that has both sent a SYN and acknowledged, or finished, has had its answer.
                    if ack or seen & _FIN:
                        bits |= ANSWERED
                elif not syn:
                    bits |= MIDSTREAM
                    if not one_way and ack and many:
                        bits |= ANSWERED
                bits |= (FIN if seen & _FIN else 0) | (RST if seen & _RST else 0)
                reset_only = syn and seen & (_RST | _PSH | _FIN) == _RST and packets[i] <= 2
                if not one_way and reset_only:
                    bits = bits & ~RST | REFUSED | ANSWERED
            else:
                if hint != REVERSE:
                    bits |= OPENS
                if many:
                    bits |= FIN if one_way else FIN | ANSWERED
        elif many and not one_way:
            bits |= ANSWERED
        what[i] = bits | hint << HINT | evidence << EVIDENCE


@kernel
def _by_ports(source, destination, served):
    """Tell which way a record runs by its ports; 0 where they do not tell."""
    from_served, to_served = served[source] != 0, served[destination] != 0
    if from_served != to_served:
        return REVERSE if from_served else FORWARD
    for limit in (WELL_KNOWN, EPHEMERAL):
        if (source < limit) != (destination < limit):
            return REVERSE if source < limit else FORWARD
    return 0


@kernel
def verdict_codes(egress, ingress, verdict, shift, codes):
    """Write verdicts of flows as codes: who stops them, if anybody.

    Parameters
    ----------
    egress, ingress : uint32[n]
        Cells.
    verdict : uint8[n]
    shift : int
        Where the two bits stand.
    codes : uint8[n]
        Changed.
    """
    for i in range(verdict.size):
        code = PASSES
        if verdict[i] == 1:
            code = EGRESS_DENIED if egress[i] & np.uint32(3) == 1 else INGRESS_DENIED
        elif verdict[i] == 2:
            code = DOUBTFUL
        codes[i] |= np.uint8(code << shift)


@kernel
def settle_times(time, end, late, skew, what, seen, now, until):
    """Decide when each record of a split counts: at its time, or when it comes, if that is much later.

    Parameters
    ----------
    time, end : int64[n]
        First and last packet, ns; MISSING_TIME where missing.
    late : int
        How far behind the latest record a record may come; ns.
    skew : int
        How much earlier than what it answers an answer may be stamped; ns.
    what : uint16[n]
    seen : int64[3]
        Changed: the latest time so far, how many came too late, how many had no time.
    now, until : int64[n]
        Written: first and last packet as they count.
    """
    for i in range(time.size):
        start = time[i]
        if start == MISSING_TIME:
            seen[2] += 1
            start = seen[0]
        else:
            start = min(max(start, np.int64(0)), LATEST)
            if start < seen[0] - late:
                seen[1] += 1
                start = seen[0] - late
        seen[0] = max(seen[0], start)
        if what[i] >> HINT & 3 == REVERSE:
            start += skew
        now[i] = start
        until[i] = max(min(end[i], LATEST), start)


@kernel
def fill_rows(
    source_high,
    source_low,
    source_known,
    source_pod,
    destination_high,
    destination_low,
    destination_known,
    destination_pod,
    source_port,
    destination_port,
    protocol,
    packets,
    what,
    codes,
    now,
    until,
    source_object,
    destination_object,
    first,
    rows,
):
    """Write records as the table of connections takes them.

    Parameters
    ----------
    source_high, source_low, destination_high, destination_low : uint64[n]
        Halves of addresses, IPv4 mapped.
    source_known, destination_known : bool[n]
    source_pod, destination_pod : int32[n]
        Position of a pod that the record names; negative where it does not, or the cluster does not know it.
    source_port, destination_port, protocol, packets, what, codes, now, until
        As in the other kernels.
    source_object, destination_object : int32[n]
        Objects of client and server.
    first : int
        Position of the first record among the results.
    rows : ROW[n]
        Written; ``protocol`` is UNTRACKED for records that belong to no connection.
    """
    for i in range(protocol.size):
        row = rows[i]
        number = np.int64(protocol[i])
        a_high, a_low, b_high, b_low = source_high[i], source_low[i], destination_high[i], destination_low[i]
        tracked = number != UNTRACKED
        # A pod that is named without address: in a range where no address is.
        if not source_known[i]:
            tracked = tracked and source_pod[i] >= 0
            a_high, a_low = np.uint64(source_pod[i] + 1), ~np.uint64(0)
        if not destination_known[i]:
            tracked = tracked and destination_pod[i] >= 0
            b_high, b_low = np.uint64(destination_pod[i] + 1), ~np.uint64(0)
        a_port, b_port = np.uint64(0), np.uint64(0)
        if number == 6 or number == 17 or number == 132 or number == 136:
            a_port, b_port = np.uint64(source_port[i]), np.uint64(destination_port[i])
        low = a_high < b_high
        if a_high == b_high:
            low = a_low < b_low
            if a_low == b_low:
                low = a_port <= b_port
        if not low:
            a_high, b_high = b_high, a_high
            a_low, b_low = b_low, a_low
            a_port, b_port = b_port, a_port
        key = mixed(np.uint64(number) | a_port << np.uint64(8) | b_port << np.uint64(24), a_high)
        key = mixed(mixed(mixed(key, a_low), b_high), b_low)
        row["key"] = key
        row["time"] = now[i]
        row["end"] = until[i]
        row["row"] = first + i
        row["source"] = source_object[i]
        row["destination"] = destination_object[i]
        spacing = np.int64(0)
        if packets[i] > 1:
            spacing = min((until[i] - now[i]) // (packets[i] - 1) // 1_000_000, np.int64(0x7FFFFFFF))
        row["spacing"] = spacing
        row["what"] = what[i] | (LOW if low else 0)
        row["protocol"] = number if tracked else UNTRACKED
        row["codes"] = codes[i]


@kernel
def mixed(hashed, word):
    """Mix a word into a hash so that every bit of either changes about half of the bits."""
    hashed = (hashed ^ word) * np.uint64(0x9E3779B97F4A7C15)
    hashed = (hashed ^ hashed >> np.uint64(32)) * np.uint64(0xD6E8FEB86659FD93)
    return hashed ^ hashed >> np.uint64(29)


@kernel
def release_rows(rows, until, out, kept, results):
    """Part the records that come before a time from those that wait.

    Parameters
    ----------
    rows : ROW[n]
    until : int
        ns.
    out : ROW[n]
        Written up to the first returned number: records before `until`.
    kept : ROW[n]
        Written up to the second returned number: the others. It may be `rows` itself.
    results : uint8[rows of the capture] or uint8[0]
        Written for records that belong to no connection: no class, and the verdict. They go no further.
    """
    taken, left = 0, 0
    for i in range(rows.size):
        if rows[i]["protocol"] == UNTRACKED:
            if results.size:
                code = rows[i]["codes"] & 3
                verdict = 0 if code == PASSES else 2 if code == DOUBTFUL else 1
                results[rows[i]["row"]] = 7 | verdict << 6
        elif rows[i]["time"] < until:
            out[taken] = rows[i]
            taken += 1
        else:
            kept[left] = rows[i]
            left += 1
    return taken, left
