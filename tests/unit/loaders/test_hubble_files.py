"""Exports of Hubble as files: what they are packed in, several of them, and damaged ones."""

import gzip
import io
import json
import random
from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.captures import open_capture
from loaders.captures.hubble import convert_hubble
from loaders.captures.hubble.counts import EventCounts
from loaders.captures.hubble.events import EventReader, UnreadableError
from simcore.errors import LoadError
from tests.captures import read
from tests.hubble import (
    FIN,
    NEW,
    REPLY,
    SYN,
    SYN_ACK,
    convert,
    converted,
    denied,
    flow,
    layer7,
    save,
    text,
    trace,
    turned,
    wrapped,
)

EVENTS = [
    flow(1),
    flow(1.001, direction="INGRESS"),
    trace(1.002, NEW, SYN, direction="INGRESS"),
    turned(trace(1.003, REPLY, SYN_ACK)),
    denied(2, port=40_001),
    denied(2, 1, port=40_001),
    layer7(2.5, http={"method": "GET", "url": "/a?b=c&d"}),
    layer7(3, "RESPONSE", direction="EGRESS", dns={"query": "a.", "ips": ["1.2.3.4"], "ttl": 5}),
    trace(4, flags=FIN),
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: pa.compress(data, "zstd", asbytes=True)])
def test_files_are_known_by_what_they_hold(tmp_path, pack):
    path = tmp_path / "no-suffix"
    path.write_bytes(pack(text(*map(wrapped, EVENTS)).encode()))
    rows, counts = converted(tmp_path, str(path))
    assert rows == convert(tmp_path, *EVENTS)[0]
    assert [row["record"] for row in rows] == ["connection", "connection", "request", "answer"]
    assert counts.lines == len(EVENTS)


def test_standard_input(tmp_path, monkeypatch):
    class Input:
        buffer = io.BufferedReader(io.BytesIO(gzip.compress(text(*map(wrapped, EVENTS)).encode())))

    monkeypatch.setattr("sys.stdin", Input)
    assert converted(tmp_path, "-")[0] == convert(tmp_path, *EVENTS)[0]


def test_a_folder_stands_for_the_exports_in_it(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    save(folder, *EVENTS[:2], name="events-1.log")
    (folder / "events-2.log").write_bytes(gzip.compress(text(*map(wrapped, EVENTS[2:])).encode()))
    (folder / "notes.txt").write_text("not an export\n")
    (folder / "data.json").write_text("{}\n")
    assert converted(tmp_path, str(folder))[0] == convert(tmp_path, *EVENTS)[0]


def test_files_of_nodes_are_merged_by_time(tmp_path):
    nodes = [[told for told in EVENTS if told["node_name"] == node] for node in ("east/one", "east/two")]
    paths = [save(tmp_path, *events, name=f"{number}.log") for number, events in enumerate(nodes)]
    expected = convert(tmp_path, *EVENTS)[0]
    assert converted(tmp_path, *paths)[0] == expected
    assert converted(tmp_path, *reversed(paths))[0] == expected


def test_lines_of_one_file_may_be_out_of_order(tmp_path):
    expected = convert(tmp_path, *EVENTS)[0]
    for seed in range(20):
        shuffled = random.Random(seed).sample(EVENTS, len(EVENTS))
        assert convert(tmp_path, *shuffled)[0] == expected


def test_lines_that_come_too_late_are_counted(tmp_path):
    _, counts = convert(tmp_path, flow(100), flow(1, port=40_001), flow(99, port=40_002))
    assert counts.late == 1


def test_bad_lines_are_told_with_their_places_and_the_rest_goes_on(tmp_path):
    good = [json.dumps(wrapped(told)) for told in EVENTS]
    bad = [
        "{",
        "[]",
        '{"flow": 3}',
        '{"other": {}}',
        json.dumps(wrapped(flow(1) | {"time": "yesterday"})),
        json.dumps(wrapped(flow(1) | {"IP": {"source": "10.0.0.300", "destination": "10.0.0.1"}})),
        json.dumps(wrapped(flow(1) | {"l4": {"TCP": {"source_port": 70_000}}})),
        json.dumps(wrapped(flow(1) | {"source": {"identity": "x"}})),
        json.dumps(wrapped(flow(1) | {"egress_allowed_by": {}})),
    ]
    path = tmp_path / "a.log"
    path.write_text("\n\n".join([*good, *bad]))
    rows, counts = converted(tmp_path, str(path))
    assert rows == convert(tmp_path, *EVENTS)[0]
    assert (counts.lines, counts.unreadable) == (len(good) + len(bad), len(bad))
    first = 2 * len(good) + 1
    assert [problem.place.line for problem in counts.problems] == list(range(first, first + 2 * len(bad), 2))
    messages = [problem.message for problem in counts.problems]
    assert messages[3:] == [
        "this is JSON, and no event of Hubble's",
        "'yesterday' is no time such as 2026-08-20T09:14:02.5Z",
        "'10.0.0.300' is no address",
        "Expected `int` <= 65535 - at `$.flow.l4.TCP.source_port`",
        "Expected `int`, got `str` - at `$.identity`",
        "Expected `array`, got `object`",
    ]
    with pytest.raises(LoadError) as caught:
        convert_hubble([str(path)], str(tmp_path / "strict.parquet"), strict=True)
    assert str(caught.value).startswith(f"{path}:{first}: ")
    assert not (tmp_path / "strict.parquet").exists()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_cut_off_anywhere_keeps_what_is_whole(tmp_path, pack):
    data = pack(text(*map(wrapped, EVENTS[:3])).encode())
    ends = range(0, len(data), 7)
    path = tmp_path / "cut"
    kept = []
    for end in ends:
        path.write_bytes(data[:end])
        try:
            _, counts = converted(tmp_path, str(path))
        except LoadError:
            kept.append(0)
        else:
            assert counts.lines == counts.fates.total()
            kept.append(counts.lines - counts.unreadable)
    assert sorted(kept) == kept
    assert pack is not bytes or max(kept) >= 2


def test_flipped_bytes_and_wrong_types_are_never_a_surprise():
    line = json.dumps(wrapped(EVENTS[6])).encode()
    drawn = random.Random(3)
    reader = EventReader(EventCounts())
    for position in range(len(line)):
        for byte in (drawn.randrange(256), ord("{"), ord("9")):
            flipped = line[:position] + bytes([byte]) + line[position + 1 :]
            _try(reader, flipped)
    for path in _paths(wrapped(EVENTS[6])):
        for value in (None, 1, -1, 2**70, 1.5, "x", "", [], {}, [[]], True):
            _try(reader, json.dumps(_with(wrapped(EVENTS[6]), path, value)).encode())


def _try(reader, line):
    with suppress(UnreadableError):
        reader.read(line)


def _paths(value, path=()):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield (*path, name)
            yield from _paths(inner, (*path, name))


def _with(message, path, value):
    copy = json.loads(json.dumps(message))
    inner = copy
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return copy


def test_a_deeply_nested_line_is_unreadable():
    with pytest.raises(UnreadableError):
        EventReader(EventCounts()).read(b'{"flow":' + b"[" * 100_000)


def test_a_line_without_end_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr("loaders.captures.streams.LONGEST", 10_000)
    monkeypatch.setattr("loaders.captures.streams.BLOCK", 1_000)
    path = tmp_path / "a"
    path.write_bytes(text(wrapped(EVENTS[0])).encode() + b"x" * 30_000 + b"\n" + text(wrapped(EVENTS[1])).encode())
    _, counts = converted(tmp_path, str(path))
    assert [(problem.place.line, problem.message) for problem in counts.problems] == [
        (2, "this line is longer than 16 MB")
    ]
    assert counts.lines == 3


def test_what_is_no_export_is_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"kind": "Pod"}\n')
    for given in (path, tmp_path / "gone", tmp_path):
        with pytest.raises(LoadError):
            convert_hubble([str(given)], str(tmp_path / "out.parquet"))
    path.write_text("")
    with pytest.raises(LoadError, match="no event of Hubble's"):
        convert_hubble([str(path)], str(tmp_path / "out.parquet"))


@pytest.mark.parametrize(("batch_rows", "run_rows"), [(1, 1), (3, 7), (1_000, 10), (1_000, 1_000)])
def test_the_same_exports_give_the_same_bytes(tmp_path, batch_rows, run_rows):
    events = [flow(second / 8, port=40_000 + second % 50) for second in range(100)]
    events += [flow(5, port=41_000 + number) for number in range(40)]
    paths = [save(tmp_path, *events[::2], name="a"), save(tmp_path, *events[1::2], name="b")]
    outputs = [str(tmp_path / name) for name in ("one.parquet", "other.parquet")]
    convert_hubble(paths, outputs[0])
    convert_hubble(paths, outputs[1], batch_rows=batch_rows, run_rows=run_rows)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "other.parquet").read_bytes()
    times = pq.read_table(outputs[0])["time"].to_pylist()
    assert times == sorted(times)


def _flattened(value, sign, name=""):
    if not isinstance(value, dict):
        return {name: value}
    found = {}
    for key, inner in value.items():
        found |= _flattened(inner, sign, f"{name}{sign}{key}" if name else key)
    return found


@pytest.mark.parametrize("form", ["wrapped", "bare", "dotted", "underscored"])
def test_events_in_parquet(tmp_path, form):
    events = [wrapped(told) for told in EVENTS[:6]]
    if form == "bare":
        events = [told["flow"] for told in events]
    elif form != "wrapped":
        events = [_flattened(told, "." if form == "dotted" else "_") for told in events]
    path = str(tmp_path / "events.parquet")
    names = dict.fromkeys(name for told in events for name in told)
    pq.write_table(pa.table({name: [told.get(name) for told in events] for name in names}), path)
    assert converted(tmp_path, path)[0] == convert(tmp_path, *EVENTS[:6])[0]


def test_times_in_parquet_may_be_timestamps(tmp_path):
    table = pa.Table.from_pylist([flow(1.5), flow(2.25, port=40_001)])
    times = [1_791_180_001_500_000_000, 1_791_180_002_250_000_000]
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        table = table.set_column(table.schema.get_field_index("time"), "time", pa.array(times, kind))
        pq.write_table(table, tmp_path / "events.parquet")
        assert [row["time"] for row in converted(tmp_path, str(tmp_path / "events.parquet"))[0]] == times


def test_an_export_can_be_opened_as_it_is(tmp_path):
    path = save(tmp_path, *EVENTS)
    capture = open_capture([path])
    convert_hubble([path], str(tmp_path / "out.parquet"))
    assert read(capture) == read(open_capture([str(tmp_path / "out.parquet")]))
    assert (list(capture.files), capture.formats) == ([path], ["hubble"])
    assert sum(split.rows for split in capture.answers) == 1


def test_exports_beside_parquet(tmp_path):
    path = save(tmp_path, *EVENTS)
    pq.write_table(pa.table({"src_ip": ["10.0.0.1"], "dst_ip": ["10.0.0.2"]}), tmp_path / "a.parquet")
    capture = open_capture([str(tmp_path)])
    assert list(capture.files) == [str(tmp_path / "a.parquet"), path]
    assert len(read(capture)["source_address"]) == 4


def test_columns_of_an_export_cannot_be_named(tmp_path):
    with pytest.raises(LoadError, match="these files say what they hold"):
        open_capture([save(tmp_path, *EVENTS)], {"time": "ts:s"})


def test_what_is_wrong_with_an_export_is_told_with_the_capture(tmp_path):
    path = tmp_path / "a"
    path.write_text(text({"lost_events": {"num_events_lost": "4"}}, wrapped(EVENTS[0])) + "{\n" * 103)
    told = [str(diagnostic) for diagnostic in open_capture([str(path)]).diagnostics]
    assert len(told) == 102
    assert told[-2:] == [
        f"{path}: 3 more lines cannot be read",
        f"{path}: Hubble lost 4 events: what they told is missing here",
    ]


def test_a_file_that_is_cut_off_keeps_what_stands_before(tmp_path):
    packed = gzip.compress(text(*(flow(second, port=40_000 + second) for second in range(1_000))).encode())
    path = tmp_path / "cut.gz"
    path.write_bytes(packed[: len(packed) // 2])
    rows, counts = converted(tmp_path, str(path))
    assert len(rows) > 250
    assert "any further" in counts.problems[0].message


def test_a_mark_of_byte_order_is_no_part_of_the_first_line(tmp_path):
    path = tmp_path / "marked"
    path.write_bytes(b"\xef\xbb\xbf" + text(*map(wrapped, EVENTS)).encode())
    rows, counts = converted(tmp_path, str(path))
    assert rows == convert(tmp_path, *EVENTS)[0]
    assert not counts.problems
