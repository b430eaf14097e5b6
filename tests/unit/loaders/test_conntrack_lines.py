"""Lines of conntrack, and how those of one entry become one connection."""

import random

import pytest

from loaders.captures.conntrack.entries import COLUMNS, Entries
from loaders.captures.conntrack.lines import read_line
from loaders.captures.formats import FORMATS
from loaders.captures.records.reading import Reading
from loaders.captures.records.samples import Sample
from loaders.captures.streams import Source
from simcore.errors import LoadError
from tests.unit.loaders.test_formats import SAMPLES

SECOND = 10**9
ENDS = "src=10.0.0.1 dst=10.96.0.1 sport=4000 dport=80 src=10.0.0.2 dst=10.0.0.1 sport=8080 dport=4000"
UDP = "udp      17 30 src=10.0.0.1 dst=10.0.0.2 sport=53 dport=53 src=10.0.0.2 dst=10.0.0.1 sport=53 dport=53"


def rows_of(*lines, most=100):
    entries = Entries(most)
    found = [row for line in lines for row in entries.take(read_line(line))]
    found += entries.rest()
    return [dict(zip(COLUMNS, row, strict=True)) for row in found]


def event(seconds, kind, rest):
    return f"[{seconds}.000000]\t{'[' + kind + ']':>9} {rest}"


def read(path, strict=False):
    reading = Reading(strict)
    batches = list(FORMATS["conntrack"].read(Source(str(path)), reading))
    reading.rows = sum(batch.num_rows for batch in batches)
    return [row for batch in batches for row in batch.to_pylist()], reading


def test_the_destination_is_where_the_reply_comes_from():
    (row,) = rows_of(f"tcp      6 60 SYN_RECV {ENDS} mark=0 use=1")
    assert (row["source_address"], row["source_port"]) == ("10.0.0.1", "4000")
    assert (row["destination_address"], row["destination_port"]) == ("10.0.0.2", "8080")


def test_events_of_one_entry_are_one_row():
    (row,) = rows_of(
        event(100, "NEW", f"tcp      6 120 SYN_SENT {ENDS}"),
        event(101, "UPDATE", f"tcp      6 432000 ESTABLISHED {ENDS} [ASSURED]"),
        event(110, "UPDATE", f"tcp      6 120 TIME_WAIT {ENDS} [ASSURED]"),
        event(
            240,
            "DESTROY",
            f"tcp      6 {ENDS.replace(' src=10.0.0.2', ' packets=3 bytes=180 src=10.0.0.2')} packets=2 bytes=100",
        ),
    )
    assert (row["time"], row["end_time"]) == (100 * SECOND, 120 * SECOND)
    assert (row["packets"], row["bytes"], row["record"]) == (5, 280, "connection")


def test_events_without_times_are_one_row_without():
    (row,) = rows_of(f"    [NEW] {UDP}", f"[DESTROY] {UDP}")
    assert (row["time"], row["end_time"], row["record"]) == (None, None, "connection")


def test_the_last_packet_is_not_before_the_last_event():
    (row,) = rows_of(event(100, "NEW", UDP), event(105, "DESTROY", UDP.replace("17 30", "17")))
    assert row["end_time"] == 100 * SECOND


@pytest.mark.parametrize(
    ("rest", "first", "record"),
    [
        ("", 100, "mid-stream"),
        (" delta-time=40", 60, "connection"),
        (" [start=Thu Jan 01 00:00:07 1970]", 7, "connection"),
    ],
)
def test_an_entry_of_which_only_the_end_is_told(rest, first, record):
    (row,) = rows_of(event(100, "DESTROY", UDP.replace("17 30", "17") + rest))
    assert (row["time"], row["end_time"], row["record"]) == (first * SECOND, 100 * SECOND, record)


def test_a_new_entry_of_the_same_ends_is_another_row():
    first, second = rows_of(event(100, "NEW", UDP), event(200, "NEW", UDP))
    assert (first["time"], second["time"]) == (100 * SECOND, 200 * SECOND)


@pytest.mark.parametrize("told", ["id={}", "zone={}", "zone-orig={}"])
def test_ids_and_zones_tell_entries_apart(told):
    lines = [f"{UDP} {told.format(number)}" for number in (1, 2, 1)]
    assert len(rows_of(*lines)) == 2


def test_lists_tell_an_entry_once_unless_it_was_made_anew():
    stamps = [f"{UDP} [start=Mon Nov 23 02:15:{second} 2026]" for second in (41, 41, 42)]
    assert [row["time"] % (60 * SECOND) for row in rows_of(*stamps)] == [41 * SECOND, 42 * SECOND]
    assert len(rows_of(UDP, UDP)) == 1


def test_an_entry_of_a_list_ends_with_its_event():
    (row,) = rows_of(UDP, event(100, "DESTROY", UDP))
    assert (row["time"], row["end_time"]) == (None, 100 * SECOND)


def test_echo_ids_are_no_id_of_the_entry():
    line = read_line(
        "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=7 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=7 id=99"
    )
    assert (line.original["id"], line.reply["id"], line.others["id"]) == ("7", "7", "99")


def test_too_many_open_ones_push_out_the_oldest():
    entries = Entries(2)
    lines = [read_line(f"{UDP} id={number}") for number in range(5)]
    assert len([row for line in lines for row in entries.take(line)]) == 3
    assert (entries.pushed_out, len(list(entries.rest()))) == (3, 2)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("tcp      6 60 SYN_RECV src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2", "the reply direction has no src="),
        (UDP.replace(" dst=10.0.0.2", ""), "the original direction has no dst="),
        (f"{UDP} src=10.0.0.9", "it has three times src="),
        (f"{UDP} packets=many", "packets=many is no number"),
        (f"[9999999999.000000] {UDP}", "9999999999 seconds are after the year 2262"),
        (f"{UDP} [start=Mon Foo 23 02:15:41 2026]", "'Mon Foo 23 02:15:41 2026' is no time such as"),
        (f"{UDP} [start=Mon Nov 23 02:15:41 9026]", "is too far off"),
    ],
)
def test_what_is_damaged_is_said(line, wrong):
    with pytest.raises(ValueError, match=wrong.replace("(", r"\(")):
        read_line(line)


@pytest.mark.parametrize("line", ["", "SRC=10.0.0.1 DST=10.0.0.2", "tcp 6", "300 proto=6 src=10.0.0.1 dst=10.0.0.2"])
def test_what_is_no_entry_is_none(line):
    assert read_line(line) is None


def test_the_tool_s_own_words_are_left_out_and_lost_events_told(tmp_path):
    path = tmp_path / "events"
    path.write_text(
        "conntrack v1.4.7 (conntrack-tools): 1 flow entries have been shown.\n"
        "WARNING: We have hit ENOBUFS. We are losing events.\n"
        "300 proto=6 src=10.0.0.1 dst=10.0.0.2 sport=0 dport=2000 mask-src=255.255.255.255 mask-dst=255.255.255.255\n"
        f"{UDP}\nnonsense\n"
    )
    rows, reading = read(path)
    assert len(rows) == 1
    assert dict(reading.left_out) == {"words of the tool": 2, "expectations: no connection yet": 1}
    assert [each.message.split(":")[0] for each in reading.problems] == [
        "conntrack lost events (ENOBUFS)",
        "it is no entry as conntrack prints it. Was it cut off?",
    ]
    assert reading.problems[1].place.line == 5
    with pytest.raises(LoadError, match="events:5: it is no entry"):
        read(path, strict=True)


@pytest.mark.parametrize("name", ["conntrack.txt", "conntrack-list.txt"])
def test_every_line_is_a_row_or_told(name, tmp_path):
    """However a file is damaged, no line of it is lost, and nothing but complaints comes of it."""
    whole, random_ = (SAMPLES / name).read_bytes(), random.Random(7)
    path = tmp_path / "damaged"
    for size in range(2, len(whole), 31):
        damaged = bytearray(whole[:size])
        for _ in range(random_.choice([0, 0, 1, 20])):
            damaged[random_.randrange(size - 1)] = random_.randrange(256)
        path.write_bytes(bytes(damaged))
        _rows, reading = read(path)
        assert reading.records == sum(bool(line.strip()) for line in bytes(damaged).split(b"\n"))
        FORMATS["conntrack"].recognise(Sample(bytes(damaged)))
