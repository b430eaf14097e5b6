"""One packet of any protocol and its entry: which step judges it (semantics C-2 to C-4)."""

import numpy as np

from ..jit import kernel
from .entries import (
    ASSURED,
    GENERIC_LIMIT,
    GRE_FIRST,
    GRE_STREAM,
    ICMP_LIMIT,
    ICMPV6_LIMIT,
    KIND_ILLEGAL,
    OTHER,
    REFRESH,
    REFUSED,
    REPLIED,
    UDP_FIRST,
    UDP_STREAM,
)
from .sctp import begin_sctp, step_sctp
from .tcp import begin_tcp, step_tcp

STREAM_AGE = 2_000_000_000  # ns

# Handlers.
BY_TCP, BY_UDP, BY_UDPLITE, BY_GRE, BY_ICMP, BY_ICMPV6, BY_SCTP, BY_GENERIC = range(8)
# What may be done with a packet that has no entry: open one; be refused once it has a slot; be refused at once.
OPENS, REFUSED_LATE, REFUSED_EARLY = 0, 1, 2
# What is done with a packet at all.
TRACK, ERROR_ABOUT, UNTRACKED, REFUSED_ALWAYS = 0, 1, 2, 3

PACKET = np.dtype(
    [
        ("time", "i8"),
        ("tuple", "u8", (5,)),
        ("reply", "u8", (5,)),
        ("expected", "u8", (5,)),
        ("sequence", "i8"),
        ("acknowledgement", "i8"),
        ("length", "i8"),
        ("window", "i8"),
        ("tag", "i8"),
        ("initiate_tag", "i8"),
        ("scale", "i2"),
        ("chunk", "i2"),
        ("flags", "u1"),
        ("kind", "u1"),
        ("handler", "u1"),
        ("action", "u1"),
        ("opening", "u1"),
        ("bad", "u1"),
        ("allowed", "u1"),
        ("nat", "u1"),
        ("local", "u1"),
        ("helper", "u1"),
        ("line", "u1"),
        ("expects", "u1"),
    ],
    align=True,
)
"""A packet as the exact tracker takes it.

`time` is in ns. `tuple` is source (two halves), destination (two halves) and ports (see `buckets`), `reply` that of the
answer it would get as an opener, addresses rewritten; of an ICMP error, `tuple` is the answer to what it quotes and
`reply` begins with its own destination. `bad`: a wrong checksum. `allowed`: it would pass as the first of its
connection. `nat`: addresses may be rewritten. `local`: it is meant for the router. `helper`: FTP watches the
connection; `line`: the payload ends one; `expects`: it names the connection `expected`, from any source port.
"""


@kernel
def begin(entry, packet, options):
    """Fill the entry of a connection that this packet opens; whether it may open one."""
    if packet.bad or packet.opening != OPENS:
        return False
    if packet.handler == BY_TCP:
        return begin_tcp(
            entry,
            np.int64(packet.kind),
            np.int64(packet.flags),
            packet.sequence,
            packet.length,
            packet.window,
            np.int64(packet.scale),
            options,
        )
    if packet.handler == BY_SCTP:
        return begin_sctp(entry, np.int64(packet.chunk), packet.tag, packet.initiate_tag)
    begin_other(entry, packet.time)
    return True


@kernel
def begin_other(entry, now):
    """Fill the entry of a connection without states."""
    entry.status = np.uint8(OTHER)
    after = now + STREAM_AGE
    entry.end[0] = np.uint32(after & 0xFFFFFFFF)
    entry.end[1] = np.uint32(after >> 32)


@kernel
def step(entry, direction, packet, fresh, options, retrans, over_retrans, over_unacked):
    """Judge one packet of a connection and move its state; see `step_tcp`."""
    if packet.bad or (packet.handler == BY_TCP and packet.kind == KIND_ILLEGAL):
        return REFUSED
    if packet.handler == BY_TCP:
        return step_tcp(
            entry,
            direction,
            np.int64(packet.kind),
            np.int64(packet.flags),
            packet.sequence,
            packet.acknowledgement,
            packet.length,
            packet.window,
            np.int64(packet.scale),
            options,
            retrans,
            over_retrans,
            over_unacked,
        )
    if packet.handler == BY_SCTP:
        return step_sctp(entry, direction, np.int64(packet.chunk), packet.tag, packet.initiate_tag, fresh)
    return step_other(entry, np.int64(packet.handler), packet.time)


@kernel
def step_other(entry, handler, now):
    """Judge one packet of a protocol without states: it passes, and the time begins anew.

    UDP is a stream, and assured, once a packet comes more than two seconds after the first and a reply was seen before
    it (C-3); GRE and UDP-Lite at the first packet after a reply; ICMP and the rest never.
    """
    if handler == BY_ICMP:
        return REFRESH | ICMP_LIMIT
    if handler == BY_ICMPV6:
        return REFRESH | ICMPV6_LIMIT
    if handler == BY_GENERIC:
        return REFRESH | GENERIC_LIMIT
    after = np.int64(entry.end[1]) << 32 | np.int64(entry.end[0])
    stream = entry.status & np.uint8(REPLIED) and (handler != BY_UDP or now > after)
    if stream:
        entry.status |= np.uint8(ASSURED)
    if handler == BY_GRE:
        return REFRESH | (GRE_STREAM if stream else GRE_FIRST)
    return REFRESH | (UDP_STREAM if stream else UDP_FIRST)
