"""Made-up packets for conntrack: few ends, sequence numbers near every bound, times near every timeout.

`Maker` asks for its choices, so that hypothesis or a plain random generator can make them.
"""

from dataclasses import dataclass, field, replace

import pyarrow as pa

from simcore.model.addresses import Address
from simcore.model.schema import PACKET_SCHEMA, WIDE_ADDRESS
from tests.oracles.conntrack import Packet, invert, tuple_of

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ICMP, TCP, UDP, GRE, ICMPV6, SCTP, UDPLITE, OTHER = 1, 6, 17, 47, 58, 132, 136, 253
SECOND, TICK = 1_000_000_000, 4_000_000
CLIENTS = ("10.77.1.0/24", "fd77:1::/64")
PROTOCOLS = [TCP] * 4 + [UDP, ICMP, ICMPV6, SCTP, GRE, UDPLITE, OTHER]
# Where the two ends of a connection see each other, by ruleset: (client, its server), (server, its client).
ENDS = {
    "dnat": (("10.77.1.10", "10.96.0.10"), ("10.77.2.10", "10.77.1.10")),
    "snat": (("10.77.1.10", "10.77.2.10"), ("10.77.2.10", "10.77.2.1")),
    "hairpin": (("10.77.1.10", "10.96.0.10"), ("10.77.1.10", "10.77.1.1")),
}
PLAIN = (("10.77.1.10", "10.77.2.10"), ("10.77.2.10", "10.77.1.10"))
PLAIN6 = (("fd77:1::10", "fd77:2::10"), ("fd77:2::10", "fd77:1::10"))
GAPS = [1] * 30 + [0, 25, 250, 499, 500, 501, 750, 2499, 2500, 2501, 7499, 7500, 15000, 29999, 30000, 75000]  # ticks

# What usually happens next: (who speaks, flags or chunk). 0 is the client.
TALKS = {
    TCP: [
        [(0, 2), (1, 18), (0, 16), (0, 24), (1, 16), (1, 24), (0, 16), (0, 17), (1, 16), (1, 24), (1, 17), (0, 16)],
        [
            (0, 2),
            (1, 18),
            (0, 16),
            (1, 24),
            (1, 17),
            (0, 17),
            (0, 2),
            (1, 16),
            (0, 4),
            (0, 2),
            (1, 18),
        ],  # LAST_ACK, SYN
        [(0, 2), (1, 18), (0, 16), (0, 2), (1, 18), (0, 16), (0, 24), (1, 24), (0, 16), (1, 4)],  # both start again
        [(0, 2), (1, 2), (1, 18), (0, 18), (1, 16), (0, 16), (1, 24)],  # both open
        [(0, 2), (1, 16), (0, 4), (0, 2), (1, 20)],  # refused, after a challenge
    ],
    SCTP: [[(0, 1), (1, 2), (0, 10), (1, 11), (0, 0), (1, 3), (0, 4), (1, 5), (0, 7), (1, 8), (0, 14)]],
}

KINDS = [SYN, SYN | ACK, ACK, ACK, ACK | PSH, ACK | PSH, FIN | ACK, FIN | ACK, RST, RST | ACK]
STRANGE_FLAGS = [0, FIN, SYN | FIN, SYN | RST, ACK | 32, 255, SYN | 64 | 128, PSH]
OFFSETS = [0] * 12 + [1, -1, -2, 10, 500, 999, 1000, 1001, 1999, 2000, -1000, -1001, 65535, 65536, -66000, -66001]
OFFSETS += [-66002, -67000, 1 << 31, 100_000]
SMALL_OFFSETS = [0] * 30 + [1, -1, 100]
SKIPS = [0] * 8 + [1, 2, 3, 6]
WINDOWS = [1000, 1000, 65535, 512, 0, 1]
CHUNKS = [1, 2, 10, 11, 0, 3, 4, 5, 6, 7, 8, 9, 14]
LINES = ["220 ready\r\n", "USER me\r\n", "no end", "PORT 10,77,1,10,19,137\r\n"]
# What either end of an FTP control connection may say; the last of each names an address that is not its own.
FTP_LINES = (
    ["USER me\r\n", "PORT 10,77,1,10,19,137\r\n", "EPRT |1|10.77.1.10|5002|\r\n", "PORT 10,77,1,99,19,137\r\n"],
    [
        "220 ready\r\n",
        "227 Passive (10,77,2,10,19,137).\r\n",
        "229 Ok (|||5002|)\r\n",
        "227 No (10,77,2,99,19,137)\r\n",
    ],
)

SETTINGS = {
    "tcp_loose": [True, True, False],
    "tcp_be_liberal": [False, False, True],
    "tcp_ignore_invalid_rst": [False, True],
    "checksum": [True, False],
    "tcp_max_retrans": [3, 1, 2],
    "tcp_timeout_syn_sent": [120, 2],
    "tcp_timeout_established": [432000, 30, 200],
    "tcp_timeout_fin_wait": [120, 400],
    "tcp_timeout_close_wait": [60, 3600],
    "tcp_timeout_time_wait": [120, 1],
    "tcp_timeout_close": [10, 3],
    "tcp_timeout_max_retrans": [300, 20],
    "tcp_timeout_unacknowledged": [300, 40, 130],
    "udp_timeout": [30, 1, 5],
    "udp_timeout_stream": [120, 3],
    "gre_timeout": [30, 2],
    "max": [262144] * 12 + [0, 1, 2, 3],
}


@dataclass
class Connection:
    """Two ends that talk, each with the next sequence number it would send."""

    protocol: int
    ends: tuple
    ports: tuple
    talk: list
    next: list = field(default_factory=lambda: [1000, 0xFFFF_FF00])


class Maker:
    def __init__(self, choose, ruleset):
        self.choose, self.ruleset = choose, ruleset
        self.now, self.connections, self.sent = 0, [], []

    def packets(self, number, protocols=PROTOCOLS):
        for _ in range(number):
            self.now += self.choose(GAPS) * TICK
            if not self.connections or self.choose([False] * 9 + [True]):
                self.connections.append(self.connection(self.choose(protocols)))
            connection = self.choose(self.connections[-2:])
            direction = self.choose([0, 1])
            if connection.talk and self.choose([True] * 3 + [False]):
                direction, kind = connection.talk.pop(0)
                packet = self.packet(connection, direction, kind)
            else:
                packet = self.packet(connection, direction)
            if self.sent and self.choose([False] * 8 + [True]):
                packet = replace(self.choose(self.sent[-2:]), time=self.now)
            elif self.choose([False] * 12 + [True]):
                packet = self.error(connection, direction)
            elif self.choose([False] * 20 + [True]):
                packet = replace(packet, checksum_ok=False)
            self.sent.append(packet)
        return self.sent

    def connection(self, protocol):
        ends = ENDS.get(self.ruleset, PLAIN)
        if protocol == ICMPV6 or (ends is PLAIN and protocol == TCP and self.choose([False] * 6 + [True])):
            ends = PLAIN6
        ports = {"ftp": [21, 21, 5001], "notrack": [9999, 53]}.get(self.ruleset, [80, 53])
        talk = self.choose(TALKS.get(protocol, [[(0, None), (1, None)] * 3]))
        return Connection(protocol, ends, (self.choose([40000, 40001]), self.choose(ports)), talk[self.choose(SKIPS) :])

    def packet(self, connection, direction, kind=None):
        """A packet of the usual kind, or a strange one."""
        source, destination = connection.ends[direction]
        source_port, destination_port = connection.ports[::-1] if direction else connection.ports
        side = "a" if source.startswith(("10.77.1.", "fd77:1:")) else "b"
        if connection.protocol in (GRE, OTHER, ICMP, ICMPV6):
            source_port = destination_port = 0
        packet = Packet(
            self.now, source, destination, connection.protocol, side, source_port, destination_port, length=0
        )
        if connection.protocol == TCP:
            return self.segment(packet, connection, direction, kind)
        if connection.protocol == SCTP:
            return self.association(packet, direction, kind)
        if connection.protocol in (ICMP, ICMPV6):
            return self.echo(packet, connection, direction)
        return replace(packet, length=40)

    def segment(self, packet, connection, direction, kind):
        choose, natural = self.choose, connection.next
        flags = choose(KINDS * 3 + STRANGE_FLAGS) if kind is None else kind
        shift = choose(OFFSETS if kind is None else SMALL_OFFSETS)
        sequence = natural[direction] + shift
        off = choose(OFFSETS if kind is None else SMALL_OFFSETS)
        acknowledgement = natural[1 - direction] + off if flags & ACK else 0
        payload = choose(LINES) if self.ruleset == "ftp" and flags & PSH else None
        length = len(payload) if payload else choose([1, 10, 100, 999, 1000, 1400]) if flags & PSH else 0
        if shift == 0 or (flags & SYN and choose([False, True])):
            natural[direction] = sequence + length + bool(flags & SYN) + bool(flags & FIN)
        options = {}
        if flags & SYN and choose([False, True]):
            options = {"window_scale": choose([None, 0, 2, 7, 14]), "sack_permitted": choose([None, True]), "mss": 1460}
        return replace(
            packet,
            flags=flags,
            length=length,
            sequence=choose([sequence] * 30 + [0]) & 0xFFFF_FFFF,
            acknowledgement=choose([acknowledgement] * 30 + [0]) & 0xFFFF_FFFF,
            window=choose(WINDOWS),
            payload=payload,
            **options,
        )

    def association(self, packet, direction, kind):
        """A chunk with the tag that belongs there, as a rule; the client's tag is 7, the server's 9."""
        chunk = self.choose(CHUNKS) if kind is None else kind
        tag = self.choose([0 if chunk == 1 else (9, 7)[direction]] * 20 + [0, 5])
        initiate = self.choose([(7, 9)[direction]] * 12 + [5]) if chunk in (1, 2) else None
        return replace(packet, sctp_chunk=chunk, sctp_tag=tag, sctp_initiate_tag=initiate, length=20)

    def echo(self, packet, connection, direction):
        usual = ((8, 0), (128, 129))[connection.protocol == ICMPV6]
        strange = ([13, 14, 15, 17, 42, 9, 0, 8], [139, 140, 135, 130, 144, 129, 128])[connection.protocol == ICMPV6]
        kind = self.choose([usual[direction]] * 8 + strange)
        return replace(packet, icmp_type=kind, icmp_code=self.choose([0] * 8 + [1]), icmp_id=connection.ports[0] & 1)

    def error(self, connection, direction):
        """An ICMP error from the end (or near it) that a packet of the connection would have reached."""
        quoted = self.packet(connection, direction)
        answered = invert(tuple_of(self.packet(connection, 1 - direction)))
        if answered is None:
            return quoted
        # What travels beyond a translator is the other direction's packet turned round.
        inner = replace(quoted, source_address=answered.source, destination_address=answered.destination)
        wide = ":" in inner.source_address
        return Packet(
            self.now,
            inner.destination_address,
            self.choose([inner.source_address] * 5 + [("10.77.1.99", "fd77:1::99")[wide]]),
            ICMPV6 if wide else ICMP,
            "b" if inner.destination_address.startswith(("10.77.2.", "fd77:2:", "10.96.")) else "a",
            icmp_type=self.choose([1, 2, 3] if wide else [3, 11, 5]),
            icmp_code=self.choose([0, 3]),
            inner=inner if self.choose([True] * 8 + [False]) else None,
        )


class Caller:
    """FTP: lines of a control connection, and data connections that they announce or do not."""

    def __init__(self, choose):
        self.choose, self.now, self.sent, self.next = choose, 0, [], [1000, 5000]

    def packets(self, number):
        for direction, flags in ((0, SYN), (1, SYN | ACK), (0, ACK)):
            self.send(direction, flags)
        for _ in range(number):
            self.now += self.choose([1] * 12 + [250, 74999, 75000, 120 * 250]) * TICK
            direction = self.choose([0, 1])
            if self.choose([True] * 3 + [False]):
                self.line(direction)
            else:
                self.call(direction)
        return self.sent

    def line(self, direction):
        again = self.choose([0] * 6 + [-9, 5])  # bytes back or ahead
        line = self.choose(FTP_LINES[direction] * 3 + [FTP_LINES[1 - direction][1], "no end"])
        self.send(direction, PSH | ACK, again, self.choose([str, str, str, str.lower])(line))
        self.send(1 - direction, ACK)

    def call(self, direction):
        ends = ("10.77.1.10", "10.77.2.10")[:: -1 if direction else 1]
        flags = self.choose([SYN, SYN, ACK])
        ports = (self.choose([20, 21, 40000]), self.choose([5001, 5002]))
        self.sent.append(Packet(self.now, *ends, TCP, "ab"[direction], *ports, flags, sequence=7000, window=1000))

    def send(self, direction, flags, off=0, payload=None):
        ends = ("10.77.1.10", "10.77.2.10", TCP, "a", 40000, 21), ("10.77.2.10", "10.77.1.10", TCP, "b", 21, 40000)
        length = len(payload or "")
        sequence, acknowledgement = self.next[direction] + off, self.next[1 - direction] if flags & ACK else 0
        segment = Packet(self.now, *ends[direction], flags, length, sequence, acknowledgement, 60000, payload=payload)
        self.sent.append(segment)
        self.next[direction] = max(self.next[direction], sequence + length + bool(flags & SYN))


def batch_of(packets):
    """The packets in PACKET_SCHEMA; addresses are wide where any is IPv6."""
    arrays, fields = [], []
    for field_ in PACKET_SCHEMA:
        values = [value_of(packet, field_.name) for packet in packets]
        if field_.name.endswith("address"):
            array = addresses(values)
        else:
            array = pa.array(values, field_.type.value_type if pa.types.is_dictionary(field_.type) else field_.type)
            array = array.dictionary_encode() if pa.types.is_dictionary(field_.type) else array
        arrays.append(array)
        fields.append(pa.field(field_.name, array.type))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def value_of(packet, name):
    if name.startswith("inner_"):
        return None if packet.inner is None else getattr(packet.inner, name.removeprefix("inner_"))
    return getattr(packet, name)


def addresses(texts):
    parsed = [None if text is None else Address.parse(text) for text in texts]
    if all(one is None or one.family == 4 for one in parsed):
        return pa.array([None if one is None else one.value for one in parsed], pa.uint32())
    mapped = [None if one is None else one.value | (0xFFFF << 32 if one.family == 4 else 0) for one in parsed]
    return pa.array([None if value is None else value.to_bytes(16, "big") for value in mapped], WIDE_ADDRESS)
