"""Frames put together from drawn headers are read to what was drawn, as far as they were captured."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from loaders.captures.formats import FORMATS
from loaders.captures.pcap.tracked import read_tracked
from loaders.captures.records.reading import Reading
from loaders.captures.streams import Source
from tests import frames

PORTS = st.integers(0, 65535)
WORDS = st.integers(0, 2**32 - 1)
OPTIONS = {
    frames.MSS: ("mss", 1460),
    frames.SACK: ("sack_permitted", True),
    frames.SCALE: ("window_scale", 7),
}
EXTENSIONS = [0, 43, 60, 135]


@dataclass
class Built:
    """Bytes from some layer on, and what they tell: columns, each with how many bytes it needs."""

    data: bytes
    flow: dict = field(default_factory=dict)
    packet: dict = field(default_factory=dict)

    def behind(self, head, packet_only=None):
        """The same behind a header."""
        moved = [
            {name: (value, at + len(head)) for name, (value, at) in each.items()} for each in (self.flow, self.packet)
        ]
        return Built(head + self.data, *moved)


@st.composite
def transports(draw):
    """Protocol and what it holds."""
    protocol = draw(st.sampled_from([6, 6, 17, 132, 136, 1, 58, 47]))
    one, other, payload = draw(PORTS), draw(PORTS), bytes(draw(st.integers(0, 40)))
    ports = {"source_port": (one, 4), "destination_port": (other, 4)}
    if protocol == 6:
        return protocol, draw(segments(one, other, payload, ports))
    if protocol in (17, 136):
        length = {"length": (len(payload), 0)}
        return protocol, Built(frames.udp(one, other, payload), ports, ports | length)
    if protocol == 132:
        tag, chunk, initiate = draw(WORDS), draw(st.sampled_from([0, 1, 2, 10])), draw(WORDS)
        told = {"sctp_tag": (tag, 8), "sctp_chunk": (chunk, 13), "length": (8, 0)}
        told |= {"sctp_initiate_tag": (initiate, 20)} if chunk in (1, 2) else {}
        return protocol, Built(frames.sctp(one, other, tag, chunk, initiate), ports, ports | told)
    if protocol == 47:
        return protocol, Built(payload, {}, {"length": (len(payload), 0)})
    kind, code = draw(st.sampled_from([8, 0, 13, 10, 128, 129, 135])), draw(st.integers(0, 255))
    types = {"icmp_type": (kind, 2), "icmp_code": (code, 2)}
    has_id = kind in ((8, 0, 13) if protocol == 1 else (128, 129))
    told = {"icmp_id": (one, 6)} if has_id else {}
    length = {"length": (len(payload), 0)}
    return protocol, Built(frames.icmp(kind, code, one << 16 | other, payload), types, types | told | length)


@st.composite
def segments(draw, one, other, payload, ports):
    flags, sequence, acknowledgement, window = draw(st.integers(0, 255)), draw(WORDS), draw(WORDS), draw(PORTS)
    at, options, told = 20, b"", {}
    for option in draw(st.lists(st.sampled_from([*OPTIONS, frames.NOTHING]), max_size=5)):
        options += option
        at += len(option)
        if option in OPTIONS:
            name, value = OPTIONS[option]
            told.setdefault(name, (value, at))
    data = frames.tcp(
        one, other, flags, payload, sequence=sequence, acknowledgement=acknowledgement, window=window, options=options
    )
    told |= {"sequence": (sequence, 8), "acknowledgement": (acknowledgement, 12), "window": (window, 16)}
    packet = ports | told | {"flags": (flags, 14), "length": (len(payload), 0)}
    return Built(data, ports | {"tcp_flags": (flags, 14)}, packet)


@st.composite
def packets(draw):
    """A packet of IP: whether it is IPv6, and what it holds."""
    protocol, built = draw(transports())
    is_six = draw(st.booleans())
    later = draw(st.booleans()) and draw(st.booleans())
    size = len(built.data)
    if later:
        built = Built(built.data)
    if is_six:
        ends = [str(IPv6Address(draw(st.integers(0, 2**128 - 1)))) for _ in range(2)]
        following = protocol
        if later:
            built, following = built.behind(frames.fragment6(protocol, b"", offset=draw(st.integers(1, 99)) * 8)), 44
        chain = draw(st.lists(st.tuples(st.sampled_from(EXTENSIONS), st.integers(1, 3)), max_size=3))
        for kind, eights in chain:
            built, following = built.behind(frames.extension(following, b"", eights * 8)), kind
        place = len(built.data) - size - (chain[0][1] * 8 - 8 if chain and not later else 0)
        head = frames.ip6(*ends, following, built.data)[:40]
        built = built.behind(head)
    else:
        ends = [str(ip_address(draw(st.integers(0, 2**32 - 1)))) for _ in range(2)]
        options, offset = bytes(draw(st.integers(0, 10)) * 4), draw(st.integers(1, 99)) * 8 if later else 0
        head = frames.ip4(*ends, protocol, built.data, options=options, offset=offset)[: 20 + len(options)]
        built = built.behind(head)
        place = 0
    least = 40 if is_six else 20
    common = {"source_address": (ends[0], least), "destination_address": (ends[1], least)}
    common |= {"protocol": (protocol, least + place)}
    built.flow |= common | {"bytes": (len(built.data), least)}
    built.packet |= common
    return is_six, built, later, least


@st.composite
def captured(draw):
    """A frame of some link type and how much of it was captured, with what it tells."""
    is_six, built, later, least = draw(packets())
    kind = frames.IPV6 if is_six else frames.IPV4
    tags = draw(st.lists(st.tuples(st.sampled_from([frames.VLAN, frames.QINQ]), st.integers(0, 4095)), max_size=2))
    link, frame = draw(
        st.sampled_from(
            [
                (frames.ETHERNET, frames.ethernet(kind, built.data, *tags)),
                (frames.COOKED, frames.cooked(kind, built.data)),
                (frames.COOKED2, frames.cooked2(kind, built.data)),
                (frames.LOOPBACK, frames.loopback(built.data, draw(st.sampled_from("<>")))),
                (frames.RAW, built.data),
            ]
        )
    )
    start = len(frame) - len(built.data)
    built = built.behind(frame[:start])
    kept = draw(st.one_of(st.just(len(frame)), st.integers(start + least, len(frame))))
    padding = bytes(draw(st.sampled_from([0, 0, 6]))) if link == frames.ETHERNET and kept == len(frame) else b""
    return link, frame[:kept] + padding, len(frame) + len(padding), built, later


def told(expected, size):
    return {name: value for name, (value, at) in expected.items() if at <= size or name == "length"}


def read(reader, path):
    reading = Reading()
    found = []
    for batch in reader(Source(str(path)), reading):
        for row in batch.set_column(0, "time", batch["time"].cast(pa.int64())).to_pylist():
            found.append(
                {name: as_address(value) for name, value in row.items() if value is not None and name != "time"}
            )
    reading.rows = len(found)
    return found, reading


def as_address(value):
    if not isinstance(value, bytes):
        return value
    address = ip_address(value)
    return str(getattr(address, "ipv4_mapped", None) or address)


def write(path, drawn):
    data = frames.section()
    for number, (link, frame, length, _built, _later) in enumerate(drawn):
        data += frames.interface(link) + frames.enhanced(number, number, frame, length=length)
    path.write_bytes(data)


def mapped(columns):
    """Addresses as they are printed: an IPv6 address may be drawn that stands for an IPv4 one."""
    ends = {name: as_address(ip_address(columns[name]).packed) for name in columns if name.endswith("address")}
    return columns | ends


@given(drawn=st.lists(captured(), min_size=1, max_size=12))
def test_frames_are_read_to_what_was_drawn(drawn, tmp_path_factory):
    path = tmp_path_factory.mktemp("pcap") / "drawn.pcapng"
    write(path, drawn)
    flows, reading = read(FORMATS["pcap"].read, path)
    expected = [{"packets": 1} | mapped(told(built.flow, len(frame))) for _link, frame, _size, built, _later in drawn]
    assert flows == expected
    assert reading.unreadable == 0
    kept = [each for each in drawn if is_tracked(each)]
    found, reading = read(read_tracked, path)
    assert found == [mapped(told(built.packet, len(frame))) for _link, frame, _size, built, _later in kept]
    assert reading.records == len(drawn)


def is_tracked(each):
    _link, frame, _size, built, later = each
    needed = ("protocol", "source_port", "flags", "icmp_type")
    return not later and all(built.packet[name][1] <= len(frame) for name in needed if name in built.packet)
