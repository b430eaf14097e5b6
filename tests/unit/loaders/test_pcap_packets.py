"""Packets of pcap in the columns that connection tracking reads."""

import gzip
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.captures import open_packets
from loaders.captures.formats import FORMATS
from loaders.captures.pcap.converting import convert_packets, find_packets
from loaders.captures.pcap.tracked import read_tracked
from loaders.captures.records.reading import Reading
from loaders.captures.streams import Source
from simcore.errors import LoadError
from simcore.model.schema import PACKET_SCHEMA
from tests import frames
from tests.captures import number
from tests.unit.loaders.test_formats import SAMPLES

CLASSIC = str(SAMPLES / "pcap-classic.pcap")


def rows(path):
    (batch,) = open_packets([path]).read()
    return batch.to_pylist()


def told(row):
    return {name: value for name, value in row.items() if value is not None and name != "time"}


def test_a_line_of_ftp_is_told_where_it_is_whole():
    assert [row["payload"] for row in rows(CLASSIC)] == [None, None, "PORT 10,42,1,10,19,137\r\n", None, None]


def test_columns_are_those_of_packets():
    (batch,) = open_packets([CLASSIC]).read()
    names = [name for name in batch.schema.names if not name.endswith("_address")]
    assert [batch.schema.field(name).type for name in names] == [PACKET_SCHEMA.field(name).type for name in names]


@pytest.fixture
def one(tmp_path):
    """Read the only packet of a frame."""

    def read(*packets):
        path = tmp_path / "one.pcap"
        made = frames.pcap([(frames.START, each) for each in packets], link=frames.RAW)
        path.write_bytes(made)
        (row,) = rows(str(path))
        return told(row)

    return read


def test_a_quoted_packet_stands_beside_the_error(one):
    asked = frames.ip4("10.0.0.1", "10.0.0.2", 1, frames.icmp(8, 0, 7 << 16))
    row = one(frames.ip4("10.0.0.2", "10.0.0.1", 1, frames.icmp(11, 0, 0, asked)))
    assert {name: row[name] for name in row if name.startswith("inner")} == {
        "inner_source_address": number("10.0.0.1"),
        "inner_destination_address": number("10.0.0.2"),
        "inner_protocol": 1,
        "inner_icmp_type": 8,
        "inner_icmp_code": 0,
        "inner_icmp_id": 7,
    }
    assert "icmp_id" not in row


@pytest.mark.parametrize("kind", [0, 8, 5])
def test_a_quoted_packet_of_the_other_family_is_none(one, kind):
    quoted = frames.ip6("fd00::1", "fd00::2", 17, frames.udp(1, 2))
    row = one(frames.ip4("10.0.0.2", "10.0.0.1", 1, frames.icmp(kind, 0, 0, quoted)))
    assert not any(name.startswith("inner") for name in row)


def test_the_length_of_what_the_card_is_yet_to_cut(one):
    packet = frames.ip4("10.0.0.2", "10.0.0.1", 6, frames.tcp(1, 2, frames.ACK, bytes(90_000)), length=0)
    assert one(packet)["length"] == 90_000


def test_options_behind_a_damaged_one_are_not_known(one):
    row = one(frames.ip4("10.0.0.2", "10.0.0.1", 6, frames.tcp(1, 2, frames.SYN, options=b"\1\2\0" + frames.SCALE)))
    assert not {"mss", "window_scale", "sack_permitted"} & row.keys()


def test_what_is_not_tracked_is_counted():
    reading = Reading()
    reading.rows = sum(batch.num_rows for batch in read_tracked(Source(str(SAMPLES / "pcap.pcapng")), reading))
    assert reading.told() == [
        (21, "rows"),
        (1, "ARP: no IP"),
        (2, "later fragments: a kernel puts packets together before it tracks them"),
        (1, "packets cut off before their ports, flags or type"),
        (1, "not readable"),
    ]


def test_files_are_read_in_their_order_and_told_of(tmp_path):
    packed = tmp_path / "packed.gz"
    packed.write_bytes(gzip.compress((SAMPLES / "pcap.pcapng").read_bytes()))
    capture = open_packets([CLASSIC, str(packed)])
    assert list(capture.files) == [CLASSIC, str(packed)]
    assert capture.rows == 26
    assert {each.place.file for each in capture.diagnostics} == {str(packed)}
    with pytest.raises(LoadError, match=r"packed\.gz: packet 25: "):
        open_packets([str(packed)], strict=True)


def test_files_of_both_kinds_are_one_capture(tmp_path):
    path = str(tmp_path / "own.parquet")
    reading = convert_packets([CLASSIC], path)
    assert reading.rows == 5
    assert open_packets([path, str(SAMPLES / "pcap.pcapng")]).rows == 5 + 21
    assert rows(path) == rows(CLASSIC)


def test_columns_of_pcap_have_no_other_names():
    with pytest.raises(LoadError, match="there is no column to name"):
        open_packets([CLASSIC], {"time": "ts"})


def test_a_file_without_a_packet_is_told(tmp_path):
    path = tmp_path / "none.pcap"
    path.write_bytes(frames.pcap([]))
    capture = open_packets([str(path)])
    assert (capture.rows, [each.message for each in capture.diagnostics]) == (0, ["there is no packet in it"])


def test_other_files_are_refused(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(LoadError, match=r"a\.parquet: this is neither pcap nor pcapng"):
        find_packets([str(tmp_path / "a.parquet")])
    with pytest.raises(LoadError, match="this folder holds no pcap or pcapng file"):
        find_packets([str(tmp_path)])
    assert len(find_packets([str(SAMPLES)])) == 2


PACKET = frames.ip4("10.0.0.1", "10.0.0.2", 6, frames.tcp(1, 2, frames.SYN), identity=5)
OTHER = frames.ip4("10.0.0.1", "10.0.0.2", 6, frames.tcp(1, 2, frames.SYN), identity=6)


@pytest.fixture
def said(tmp_path):
    """Read frames of (link type, bytes), each type an interface; return what was said."""

    def read(*found):
        links = sorted({link for link, _frame in found})
        data = frames.section() + b"".join(map(frames.interface, links))
        data += b"".join(frames.enhanced(links.index(link), 1, frame) for link, frame in found)
        path = tmp_path / "file.pcapng"
        path.write_bytes(data)
        reading = Reading()
        reading.rows = sum(batch.num_rows for batch in read_tracked(Source(str(path)), reading))
        assert reading.records == len(found)
        return [each.message for each in reading.problems] + [why for _count, why in reading.told()[1:]]

    return read


@pytest.mark.parametrize(
    ("found", "count"),
    [
        ([(frames.RAW, PACKET), (frames.ETHERNET, frames.ethernet(frames.IPV4, PACKET))], 1),
        ([(frames.RAW, PACKET), (frames.RAW, PACKET), (frames.ETHERNET, frames.ethernet(frames.IPV4, PACKET))], 1),
        ([(frames.RAW, PACKET), (frames.RAW, PACKET), (frames.ETHERNET, frames.ethernet(frames.IPV4, OTHER))], 0),
        ([(frames.COOKED, frames.cooked(frames.IPV4, PACKET, direction)) for direction in (0, 4, 4)], 1),
        ([(frames.COOKED2, frames.cooked2(frames.IPV4, PACKET, number)) for number in (3, 4, 5)], 2),
        ([(frames.COOKED2, frames.cooked2(frames.IPV4, PACKET, 3, direction)) for direction in (0, 4)], 1),
    ],
)
def test_packets_that_several_interfaces_saw_are_told(said, found, count):
    told = f"packets that another interface had seen: {count}. They count each time"
    assert [message.startswith(told) for message in said(*found)] == [True] * bool(count)


@pytest.mark.parametrize(
    ("protocol", "held", "is_tunnel"),
    [
        (17, frames.udp(5, 4789), True),
        (17, frames.udp(5, 8472), True),
        (17, frames.udp(5, 6081), True),
        (4, PACKET, True),
        (47, bytes(8), True),
        (17, frames.udp(4789, 5), False),
        (132, frames.sctp(5, 4789, 1, 1), False),
    ],
)
def test_tunnels_are_told(said, protocol, held, is_tunnel):
    found = said((frames.RAW, frames.ip4("10.0.0.1", "10.0.0.2", protocol, held)))
    assert [message.split(" (")[0] for message in found] == ["packets that carry another one"] * is_tunnel


@pytest.mark.parametrize(
    ("link", "frame", "message"),
    [
        (1, bytes(13), "packet 1: of its 13 bytes 13 were captured: its addresses are not among them"),
        (1, frames.ethernet(frames.IPV4, PACKET[:19]), "packet 1: of its 33 bytes 33 were captured"),
        (
            1,
            frames.ethernet(frames.IPV6, PACKET + bytes(8)),
            "packet 1: it is announced as IPv6, and its header is none",
        ),
        (1, frames.ethernet(frames.IPV4, b"\x42" + PACKET[1:]), "packet 1: it is announced as IPv4"),
        (1, frames.ethernet(0x88CC, bytes(50)), "frames that are no IP"),
        (1, frames.ethernet(0x8864, bytes(50)), "PPPoE, which is not looked into"),
        (105, bytes(50), "frames of link type 105, which is not read"),
    ],
)
def test_frames_that_are_no_packet_are_told(said, link, frame, message):
    assert said((link, frame))[0].startswith(message)


def test_what_stands_behind_an_authentication_header(one):
    held = b"\x06\x04" + bytes(22) + frames.tcp(1, 2, frames.SYN)
    row = one(frames.ip6("fd00::1", "fd00::2", 51, held))
    assert (row["protocol"], row["source_port"], row["destination_port"]) == (6, 1, 2)


@pytest.mark.parametrize("name", ["pcap.pcapng", "conntrack.txt"])
def test_a_packed_file_that_is_cut_off_is_read_as_far_as_it_goes(name, tmp_path):
    path = tmp_path / "cut.gz"
    random_ = random.Random(1)
    noise = random_.randbytes(200_000)
    noise = frames.block("<", 0xBAD, noise) if name.endswith("ng") else b"conntrack v" + noise.hex().encode()
    path.write_bytes(gzip.compress((SAMPLES / name).read_bytes() + noise)[:-1000])
    reading = Reading()
    format_ = FORMATS[name.partition(".")[0]]
    assert sum(batch.num_rows for batch in format_.read(Source(str(path)), reading)) in (12, 24)
    message = "it cannot be read any further: Truncated compressed stream. What was unpacked before is kept"
    assert message in [each.message for each in reading.problems]
    with pytest.raises(LoadError):
        list(format_.read(Source(str(path)), Reading(strict=True)))
