"""What the tracker remembers of a connection: one record of 64 bytes, and what a step may say of it.

Direction 0 is the original one, that of the packet that opened the connection; 1 is the reply's.
"""

import numpy as np

ENTRY = np.dtype(
    [
        ("expiry", "i8"),
        ("key", "u4"),
        ("key_high", "u1"),
        ("status", "u1"),
        ("retransmits", "u1"),
        ("last", "u1"),
        ("end", "u4", (2,)),
        ("max_end", "u4", (2,)),
        ("max_window", "u4", (2,)),
        ("max_ack", "u4", (2,)),
        ("last_ack", "u4"),
        ("last_end", "u4"),
        ("last_window", "u4"),
        ("last_sequence", "u2"),
        ("side", "u1", (2,)),
    ]
)
"""One cache line.

Of every protocol: `expiry` (ns), `key` and `key_high` (40 bits of the connection's hash, where the table needs them),
`status` (five bits of state, then REPLIED, ASSURED, EXPECTED).

Of TCP, for each direction: `end` (one past the highest sequence number sent), `max_end` (the highest that may be
sent), `max_window`, `max_ack` (highest acknowledged by it), `side` (low four bits the window's scale, NO_SCALE without
the option; then CLOSED, LIBERAL, UNACKED, ACK_SEEN). Of the last packet: `last` (window scale, then three bits of kind,
then the direction), `last_sequence` (low 16 bits), `last_ack`, `last_end`, `last_window` (30 bits, then CHALLENGED,
SIMULTANEOUS); `retransmits` of it.

Of UDP, `end` is the time (ns, low half first) after which it is a stream. Of SCTP, `end` is the verification tag that
each direction must carry, and `last` what is known of the tags.
"""

# Of status.
STATE_BITS = 31
REPLIED, ASSURED, EXPECTED = 32, 64, 128

# Of side, for each direction, and of last_window.
SCALE_BITS, NO_SCALE = 15, 15
CLOSED, LIBERAL, UNACKED, ACK_SEEN = 16, 32, 64, 128
WINDOW_BITS, CHALLENGED, SIMULTANEOUS = (1 << 30) - 1, 1 << 30, 1 << 31

# Flags of a TCP segment, and the kind they make of it: RST before SYN before FIN before ACK.
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
KIND_SYN, KIND_SYNACK, KIND_FIN, KIND_ACK, KIND_RST, KIND_NONE, KIND_ILLEGAL = range(7)

# Options that a step takes.
LOOSE, BE_LIBERAL, IGNORE_INVALID_RST = 1, 2, 4

# States, numbered as in the model's CtState.
NONE = 0
SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, SYN_SENT2 = range(1, 10)
OTHER = 10  # protocols without states: UNREPLIED, or REPLIED and ASSURED above it, as told by the status
SCTP_CLOSED = 13
SCTP_ESTABLISHED = 16
SCTP_SHUTDOWN_SENT, SCTP_SHUTDOWN_ACK_SENT = 17, 19
SCTP_HEARTBEAT_SENT = 20

# What a step says: an outcome, and below it the position in `limits` of the time until expiry.
REFRESH = 0  # the packet passes and the time begins anew
KEEP = 1 << 8  # it passes, the time runs on
REFUSED = 2 << 8  # it is INVALID and changes nothing
AGAIN = 3 << 8  # the entry is deleted and the packet looked up once more
GONE = 4 << 8  # it passes, and the entry is deleted
SHORTEN = 5 << 8  # it is INVALID, and the time is cut to the limit
OUTCOME_BITS = 7 << 8
CAPPED = 128  # the limit is at most that of unacknowledged data
LIMIT_BITS = 127

# Positions in `limits` (int64, ns): states by their numbers, UDP's as those of UNREPLIED and ASSURED, and these.
UDP_FIRST, UDP_STREAM = 10, 12
MAX_RETRANS, UNACKNOWLEDGED = 24, 25
ICMP_LIMIT, ICMPV6_LIMIT, GENERIC_LIMIT, GRE_FIRST, GRE_STREAM = 26, 27, 28, 29, 30
LIMITS = 32
