"""Records of a made-up format become rows in order of time; what cannot be read is counted and told."""

import pyarrow as pa
import pytest

from loaders.captures import open_capture
from loaders.captures.origins import Origin, Recognised
from loaders.captures.records.converting import convert_records, record_of
from loaders.captures.records.format import Format
from loaders.captures.records.objects import read_objects
from loaders.captures.records.reading import Reading
from loaders.captures.streams import Source
from simcore.errors import LoadError
from tests.captures import read

MEANING = Recognised(
    {
        "time": Origin(("at",), "s"),
        "source_address": Origin(("a", "a2")),
        "destination_address": Origin(("b",)),
        "destination_port": Origin(("port",)),
    }
)
FIELDS = ("at", "a", "a2", "b", "port")


def lines_of(source, reading):
    for where, value in read_objects(source, reading, "rows"):
        if value.get("skip"):
            reading.leave_out("skipped")
        elif "bad" in value:
            reading.complain(source, where, "it is bad")
        else:
            yield pa.RecordBatch.from_pylist(
                [{name: value.get(name) for name in FIELDS}], pa.schema([(name, "string") for name in FIELDS])
            )


MADE_UP = Format("made-up", "made up", "event", lambda _: True, lambda _: FIELDS, lines_of, lambda *_: MEANING)


@pytest.fixture
def convert(tmp_path):
    def _convert(*texts, strict=False, run_rows=1000):
        files = []
        for number, text in enumerate(texts):
            path = tmp_path / f"{number}.json"
            path.write_text(text)
            files.append(record_of(Source(str(path)), MADE_UP))
        reading = Reading(strict)
        convert_records(files, str(tmp_path / "out.parquet"), reading, run_rows=run_rows)
        return reading, read(open_capture([str(tmp_path / "out.parquet")])), (tmp_path / "out.parquet").read_bytes()

    return _convert


def row(at, port="80", **more):
    return (
        f'{{"at": "{at}", "a": "10.0.0.1", "b": "10.0.0.2", "port": "{port}"'
        + "".join(f', "{name}": {value}' for name, value in more.items())
        + "}"
    )


LINES = "\n".join([row(3, 1), row("1.5", 2), row("-", 3), row(2, 4, skip="true"), row(0.25, 5)])


def test_rows_come_in_order_of_time_and_those_without_stay_behind_the_one_before(convert):
    reading, found, _ = convert(LINES, row(2, 6))
    assert found["destination_port"] == [5, 2, 3, 6, 1]
    assert found["time"][2] is None
    assert reading.told() == [(5, "rows"), (1, "skipped")]
    assert list(reading.diagnostics) == []


def test_the_size_of_runs_changes_nothing(convert):
    assert convert(LINES, row(2, 6))[2] == convert(LINES, row(2, 6), run_rows=1)[2]


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        f"[{LINES}]".replace("}\n", "},\n"),
        f'{{"x": 1, "rows": [{LINES}], "y": 2}}'.replace("}\n", "},\n"),
        LINES.replace(",", ",\n"),
    ],
    ids=["lines", "list", "named list", "one after the other"],
)
def test_objects_stand_in_any_of_these_ways(convert, text):
    assert convert(text)[1]["destination_port"] == [5, 2, 3, 1]


def test_what_cannot_be_read_is_told_with_its_place(convert):
    reading, found, _ = convert("\n".join([row(1), "nonsense", row(2, bad="1"), row(3, "eighty"), "[1]"]))
    assert found["destination_port"] == [80, None]
    assert (reading.rows, reading.unreadable, reading.records) == (2, 3, 5)
    name = reading.diagnostics[0].place.file
    assert [str(each) for each in reading.diagnostics] == [
        f"{name}:2: this is no JSON: JSON is malformed: invalid character (byte 4)",
        f"{name}:3: it is bad",
        f"{name}:5: this is a list, and records are objects",
        f"{name}: 1 value is no destination_port, and read as missing: row 2 has 'eighty'",
    ]


@pytest.mark.parametrize("bad", ["nonsense", row(2, bad="1"), row(3, "eighty"), '{"at": "1'])
def test_strict_stops_there(convert, bad):
    with pytest.raises(LoadError) as caught:
        convert("\n".join([row(1), bad]), strict=True)
    (told,) = caught.value.diagnostics
    assert told.place.line == (0 if "eighty" in bad else 2)


@pytest.mark.parametrize("end", range(1, 400, 7))
def test_a_file_that_is_cut_off_gives_what_came_before(convert, end):
    whole = f'{{"rows": [{LINES}]}}'.replace("}\n", "},\n")
    try:
        reading, found, _ = convert(whole[:end])
    except LoadError as error:
        assert "is cut off" in str(error) or "no JSON" in str(error)
        return
    assert reading.rows == len(found["time"])
    assert reading.unreadable == (end < len(whole))


def test_addresses_of_both_families(convert):
    _, found, _ = convert(row(1) + "\n" + row(2).replace("10.0.0.1", "2001:db8::1"))
    assert [len(address) for address in found["source_address"]] == [16, 16]
