"""Frames put together by hand, and the files that hold them: what the readers of pcap and pcapng are tested with."""

import struct
from ipaddress import ip_address

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, LOOPBACK, RAW, COOKED, COOKED2 = 1, 0, 101, 113, 276
IPV4, IPV6, ARP, VLAN, QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8
SECOND = 1_000_000_000
START = 1_795_400_141 * SECOND


def ethernet(kind, payload, *tags):
    """A frame; each tag is an EtherType of VLAN and a number."""
    told = b"".join(struct.pack(">HH", tag, number) for tag, number in tags)
    return b"\x02\0\0\0\0\1" + b"\x02\0\0\0\0\2" + told + struct.pack(">H", kind) + payload


def cooked(kind, payload, direction=0):
    return struct.pack(">HHH8sH", direction, 1, 6, b"\x02\0\0\0\0\2", kind) + payload


def cooked2(kind, payload, interface=3, direction=0):
    return struct.pack(">HHIHBB8s", kind, 0, interface, 1, direction, 6, b"\x02\0\0\0\0\2") + payload


def loopback(payload, order="<"):
    return struct.pack(order + "I", 2 if payload[0] >> 4 == 4 else 30) + payload


def ip4(source, destination, protocol, payload, *, identity=0, offset=0, more=False, options=b"", length=None):
    """A packet; `offset` counts bytes of the whole, `length` is what it says to be long."""
    size = 20 + len(options)
    flags = (0x2000 if more else 0) | offset // 8
    head = struct.pack(
        ">BBHHHBBH4s4s",
        0x40 | size // 4,
        0,
        size + len(payload) if length is None else length,
        identity,
        flags,
        64,
        protocol,
        0,
        ip_address(source).packed,
        ip_address(destination).packed,
    )
    return head + options + payload


def ip6(source, destination, protocol, payload, *, length=None):
    size = len(payload) if length is None else length
    ends = ip_address(source).packed + ip_address(destination).packed
    return struct.pack(">IHBB", 6 << 28, size, protocol, 64) + ends + payload


def extension(following, payload, size=8):
    """A hop-by-hop, routing or destination header before a payload."""
    return struct.pack(">BB", following, size // 8 - 1) + bytes(size - 2) + payload


def fragment6(following, payload, offset=0, more=False, identity=77):
    return struct.pack(">BBHI", following, 0, offset | more, identity) + payload


def tcp(source, destination, flags, payload=b"", *, sequence=1000, acknowledgement=0, window=64240, options=b""):
    options += bytes(-len(options) % 4)
    head = struct.pack(
        ">HHIIBBHHH",
        source,
        destination,
        sequence,
        acknowledgement,
        (20 + len(options)) // 4 << 4,
        flags,
        window,
        0,
        0,
    )
    return head + options + payload


MSS, SACK, SCALE, NOTHING = b"\2\4\x05\xb4", b"\4\2", b"\3\3\7", b"\1"
SYN_OPTIONS = MSS + SACK + b"\x08\x0a" + bytes(8) + NOTHING + SCALE


def udp(source, destination, payload=b""):
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def icmp(kind, code, rest=0, payload=b""):
    return struct.pack(">BBHI", kind, code, 0, rest) + payload


def sctp(source, destination, tag, chunk=None, initiate=0):
    told = b"" if chunk is None else struct.pack(">BBHI", chunk, 0, 8, initiate)
    return struct.pack(">HHII", source, destination, tag, 0) + told


def pcap(frames, *, order="<", nanoseconds=False, link=ETHERNET, most=262_144):
    """A file of (time, frame)."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    found = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, most, link)]
    for time, frame in frames:
        seconds, rest = divmod(time, SECOND)
        ticks = rest if nanoseconds else rest // 1000
        found.append(struct.pack(order + "IIII", seconds, ticks, len(frame[:most]), len(frame)) + frame[:most])
    return b"".join(found)


def block(order, kind, body):
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order="<"):
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(link=ETHERNET, *, order="<", most=0, resolution=None, offset=None):
    """A description of an interface, with if_tsresol and if_tsoffset."""
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset is not None:
        options += struct.pack(order + "HHq", 14, 8, offset)
    return block(order, 1, struct.pack(order + "HHI", link, 0, most) + options + (bytes(4) if options else b""))


def enhanced(number, ticks, frame, *, order="<", length=None):
    length = len(frame) if length is None else length
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), length)
    return block(order, 6, head + frame + bytes(-len(frame) % 4))


def simple(frame, *, order="<"):
    return block(order, 3, struct.pack(order + "I", len(frame)) + frame)


def obsolete(number, ticks, frame, *, order="<"):
    head = struct.pack(order + "HHIIII", number, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(order, 2, head + frame)


CLIENT, SERVER, VIRTUAL = "10.42.1.10", "10.42.2.20", "10.96.0.10"
CLIENT6, SERVER6 = "fd42:1::10", "fd42:2::20"


def _opening():
    """A connection opened, used and closed, on the first interface."""
    there, back = (CLIENT, SERVER, 6), (SERVER, CLIENT, 6)
    yield ip4(*there, tcp(40000, 8080, SYN, options=SYN_OPTIONS))
    yield ip4(*back, tcp(8080, 40000, SYN | ACK, sequence=7000, acknowledgement=1001, options=SYN_OPTIONS))
    yield ip4(*there, tcp(40000, 8080, ACK, sequence=1001, acknowledgement=7001, window=502))
    yield ip4(*there, tcp(40000, 8080, PSH | ACK, b"GET / HTTP/1.1\r\n\r\n", sequence=1001, acknowledgement=7001))
    yield ip4(*back, tcp(8080, 40000, FIN | ACK, sequence=7001, acknowledgement=1019))


def sample():
    """A pcapng file with what captures of nodes hold: tunnels, tags, fragments, quoted packets, cut ones."""
    refused = ip4(CLIENT, SERVER, 17, udp(5000, 53, b"who?"), identity=9)
    port_unreachable = ip4(SERVER, CLIENT, 1, icmp(3, 3, 0, refused[:28]))
    whole = udp(6000, 514, bytes(2000))
    frames = [
        *(ethernet(IPV4, packet) for packet in _opening()),
        ethernet(ARP, bytes(28)),
        ethernet(IPV4, refused),
        ethernet(IPV4, port_unreachable),
        ethernet(IPV4, ip4(CLIENT, SERVER, 17, udp(5001, 53, b"tagged")), (VLAN, 12)),
        ethernet(IPV4, ip4(CLIENT, SERVER, 17, udp(5002, 53, b"twice")), (QINQ, 100), (VLAN, 12)),
        ethernet(IPV4, ip4(CLIENT, SERVER, 17, whole[:1480], identity=21, more=True)),
        ethernet(IPV4, ip4(CLIENT, SERVER, 17, whole[1480:], identity=21, offset=1480)),
        ethernet(IPV4, ip4(CLIENT, SERVER, 1, icmp(8, 0, 7 << 16 | 1, b"ping"), options=b"\x94\4\0\0")),
        ethernet(IPV4, ip4("192.0.2.1", "192.0.2.2", 17, udp(49152, 4789, bytes(8) + ethernet(ARP, bytes(28))))),
        ethernet(IPV4, ip4(CLIENT, SERVER, 6, tcp(40001, 8080, ACK, bytes(3000)), length=0)),
    ]
    six = [
        ip6(CLIENT6, SERVER6, 6, tcp(40002, 8443, SYN, options=MSS)),
        ip6(CLIENT6, SERVER6, 0, extension(60, extension(17, udp(5353, 5353), 16))),
        ip6(CLIENT6, SERVER6, 44, fragment6(17, udp(6001, 514, bytes(8)), more=True)),
        ip6(CLIENT6, SERVER6, 44, fragment6(17, bytes(16), offset=16)),
        ip6(SERVER6, CLIENT6, 58, icmp(1, 4, 0, ip6(CLIENT6, SERVER6, 17, udp(5353, 5354)))),
        ip4(CLIENT, SERVER, 132, sctp(36412, 36412, 0, 1, 55)),
        ip4(CLIENT, SERVER, 47, b"\0\0\x08\0" + bytes(20)),
    ]
    found = [section(), interface(resolution=9), interface(COOKED2), interface(RAW, resolution=0x80 | 20)]
    for number, frame in enumerate(frames):
        kept = frame[:128] if len(frame) > 1000 else frame
        found.append(enhanced(0, START + number * 1_000_001, kept, length=len(frame)))
    for number, packet in enumerate(six):
        kind = IPV4 if packet[0] >> 4 == 4 else IPV6
        found.append(enhanced(1, START // 1000 + 100_000 + number, cooked2(kind, packet)))
    twin = ip4(CLIENT, SERVER, 6, tcp(40003, 8080, SYN), identity=31)
    found.append(enhanced(0, START + SECOND, ethernet(IPV4, twin)))
    found.append(enhanced(2, (START + SECOND) // SECOND << 20, twin))
    found.append(enhanced(0, START + 2 * SECOND, ethernet(IPV4, twin)[:30], length=54))
    found.append(enhanced(0, START + 2 * SECOND + 1, ethernet(IPV4, twin)[:36], length=54))
    return b"".join(found)


def classic():
    """A pcap file of a machine of the other byte order, on BSD's loopback, whose frames are cut after 68 bytes."""
    packets = [
        ip6(CLIENT6, SERVER6, 17, udp(5353, 5353, b"over six")),
        ip4(CLIENT, SERVER, 6, tcp(50000, 21, SYN)),
        ip4(CLIENT, SERVER, 6, tcp(50000, 21, PSH | ACK, b"PORT 10,42,1,10,19,137\r\n", sequence=1001)),
        ip4(SERVER, CLIENT, 6, tcp(21, 50000, PSH | ACK, b"227 " + bytes(200), sequence=9)),
        ip4(CLIENT, SERVER, 6, tcp(50000, 21, RST)),
    ]
    frames = [(START + number * 1_500_000, loopback(packet, ">")) for number, packet in enumerate(packets)]
    return pcap(frames, order=">", link=LOOPBACK, most=68)


if __name__ == "__main__":
    from pathlib import Path

    folder = Path(__file__).parent / "data/captures"
    (folder / "pcap.pcapng").write_bytes(sample())
    (folder / "pcap-classic.pcap").write_bytes(classic())
