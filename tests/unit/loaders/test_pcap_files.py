"""pcap and pcapng: times, interfaces, sections, and damage told with its byte."""

import random
import struct

import pytest

from loaders.captures.formats import FORMATS
from loaders.captures.pcap.files import read_frames
from loaders.captures.pcap.frames import NO_TIME
from loaders.captures.records.reading import Reading
from loaders.captures.records.samples import Sample
from loaders.captures.streams import Source
from simcore.errors import LoadError
from tests import frames
from tests.frames import SECOND, START, block, enhanced, interface, obsolete, pcap, section, simple
from tests.unit.loaders.test_formats import SAMPLES

FRAME = frames.ethernet(frames.IPV4, frames.ip4("10.0.0.1", "10.0.0.2", 6, frames.tcp(1, 2, frames.SYN)))


@pytest.fixture
def read(tmp_path):
    """Read bytes as a file; return frames as (time, link, bytes, length) and what was said."""

    def reader(data, strict=False):
        path = tmp_path / "file"
        path.write_bytes(data)
        reading = Reading(strict)
        found = []
        for each in read_frames(Source(str(path)), reading):
            rows = zip(each.time, each.link, each.start, each.end, each.length, strict=True)
            found += [(t, link, each.data[start:end].tobytes(), length) for t, link, start, end, length in rows]
        return found, [each.message for each in reading.problems]

    return reader


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap_of_both_byte_orders_and_both_units(read, order, nanoseconds):
    time = START + 123_456_789
    found, told = read(pcap([(time, FRAME)], order=order, nanoseconds=nanoseconds))
    assert found == [(time if nanoseconds else START + 123_456_000, 1, FRAME, len(FRAME))]
    assert told == []


def test_a_frame_that_was_cut_tells_its_length(read):
    assert read(pcap([(START, FRAME)], most=40))[0] == [(START, 1, FRAME[:40], len(FRAME))]


def test_link_types_stand_beside_what_is_told_of_checksums(read):
    data = bytearray(pcap([(START, FRAME)]))
    data[20:24] = struct.pack("<I", 0x24000001)
    assert read(bytes(data))[0][0][1] == 1


@pytest.mark.parametrize(
    ("resolution", "ticks"),
    [(None, START // 1000), (9, START), (3, START // 10**6), (0, START // SECOND), (0x80 | 10, START // SECOND << 10)],
)
def test_each_interface_has_ticks_of_its_own(read, resolution, ticks):
    data = section() + interface(resolution=6) + interface(101, resolution=resolution) + enhanced(1, ticks, FRAME)
    assert read(data)[0] == [(START, 101, FRAME, len(FRAME))]


def test_an_interface_may_count_from_another_time(read):
    assert read(section() + interface(resolution=9, offset=100) + enhanced(0, 5, FRAME))[0][0][0] == 100 * SECOND + 5


def test_sections_have_their_own_byte_order_and_interfaces(read):
    data = section() + interface(resolution=9) + enhanced(0, START, FRAME)
    data += section(">") + interface(101, order=">") + enhanced(0, START // 1000, FRAME, order=">")
    assert [each[:2] for each in read(data)[0]] == [(START, 1), (START, 101)]


def test_blocks_of_packets_that_are_seldom_written(read):
    data = section() + interface(most=20) + simple(FRAME) + obsolete(0, START // 1000, FRAME)
    assert read(data)[0] == [(NO_TIME, 1, FRAME[:20], len(FRAME)), (START, 1, FRAME, len(FRAME))]


def test_other_blocks_are_passed_over(read):
    data = section() + interface() + block("<", 5, bytes(12)) + block("<", 0xBAD, b"1234") + enhanced(0, 1, FRAME)
    assert [each[0] for each in read(data)[0]] == [1000]


def test_many_frames_come_in_several_batches(read):
    found, _told = read(pcap([(START + number * 1000, FRAME) for number in range(40_000)]))
    assert [each[0] for each in found] == [START + number * 1000 for number in range(40_000)]


HEAD = section() + interface()


@pytest.mark.parametrize(
    ("data", "frames_", "message"),
    [
        (pcap([(1, FRAME)] * 2)[:-1], 1, "byte 110: the file is cut off: 54 bytes are expected here, and 53 are there"),
        (pcap([(1, FRAME)])[:30], 0, "byte 24: the file is cut off: 16 bytes are expected here, and 6 are there"),
        (pcap([])[:20], 0, "byte 4: the file is cut off: 20 bytes are expected here, and 16 are there"),
        (pcap([]) + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30), 0, "byte 24: packet 1 states 1,073,741,824 bytes"),
        (HEAD + enhanced(0, 1, FRAME)[:-1], 0, "byte 56: the file is cut off: 80 bytes are expected here, and 79"),
        (HEAD + struct.pack("<II", 6, 13), 0, "byte 48: this block states 13 bytes: what follows cannot be read"),
        (
            HEAD + enhanced(7, 1, FRAME) + enhanced(0, 1, FRAME),
            1,
            "byte 48: packet 1: no block describes its interface",
        ),
        (HEAD + block("<", 6, bytes(8)) + enhanced(0, 1, FRAME), 1, "byte 48: packet 1: its block is too short"),
        (HEAD + enhanced(0, 1, FRAME)[:-4] + bytes(4), 1, "byte 48: this block tells two lengths"),
        (section() + block("<", 1, bytes(4)), 0, "byte 28: this description of an interface is cut off"),
        (HEAD + enhanced(0, 1 << 62, FRAME), 0, "byte 48: packet 1: its time is after the year 2262"),
        (HEAD + block("<", 6, struct.pack("<IIIII", 0, 0, 1, 999, 999)), 0, "byte 48: packet 1: it states 999 bytes"),
        (HEAD + section()[:8] + bytes(20), 0, "byte 48: this section has no byte order"),
        (b"none of both", 0, "byte 0: it begins neither as pcap nor as pcapng does"),
    ],
)
def test_damage_is_told_once_and_what_came_before_is_kept(read, data, frames_, message):
    found, told = read(data)
    assert len(found) == frames_
    assert len(told) == 1
    assert told[0].startswith(message)
    with pytest.raises(LoadError):
        read(data, strict=True)


def test_samples_are_as_they_were_made():
    assert (SAMPLES / "pcap.pcapng").read_bytes() == frames.sample()
    assert (SAMPLES / "pcap-classic.pcap").read_bytes() == frames.classic()


@pytest.mark.parametrize("whole", [frames.sample(), frames.classic()], ids=["pcapng", "pcap"])
def test_damaged_files_are_read_as_far_as_they_go(whole, tmp_path):
    """Wherever a file ends and whatever its bytes are: every frame that is met is a row or told."""
    random_ = random.Random(7)
    path = tmp_path / "damaged"
    before = -1
    for size in range(0, len(whole), 11):
        rows, _records, _told = _figures(path, whole[:size])
        assert rows >= before
        before = rows
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(random_.choice([1, 2, 20])):
            damaged[random_.randrange(len(whole))] = random_.randrange(256)
        rows, records, told = _figures(path, bytes(damaged))
        assert records == rows + told > 0


def _figures(path, data):
    path.write_bytes(data)
    reading = Reading()
    format_ = FORMATS["pcap"]
    format_.recognise(Sample(data))
    reading.rows = sum(batch.num_rows for batch in format_.read(Source(str(path)), reading))
    return reading.rows, reading.records, reading.unreadable + reading.left_out.total()
