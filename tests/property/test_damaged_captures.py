"""Damaged samples of every format: never a traceback, and no record lost in silence."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders import open_capture
from loaders.captures import FORMATS
from loaders.captures.opening import convert_capture
from simcore.errors import LoadError
from tests.captures import format_of

SAMPLES = sorted(
    path
    for path in (Path(__file__).resolve().parents[1] / "data/captures").glob("*")
    if not path.name.endswith(".expected.csv")
)
few = settings(max_examples=settings().max_examples // 4)
NAMES = [path.name for path in SAMPLES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


def outcome(data, sample, folder):
    """Convert some bytes as the format of a sample: what became of the records, or the errors that it ended with."""
    path, out = folder / "input", folder / "out.parquet"
    path.write_bytes(data)
    try:
        reading = convert_capture([str(path)], str(out), format_name=format_of(sample))
    except LoadError as error:
        assert error.diagnostics
        assert all(diagnostic.message for diagnostic in error.diagnostics)
        return None
    capture = open_capture([str(out)])
    assert sum(split.rows for split in (*capture.splits, *capture.answers)) == reading.rows
    assert reading.unreadable == 0 or reading.diagnostics
    return reading


def whole(sample, folder):
    return outcome(sample.read_bytes(), sample, folder).records


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_that_is_cut_off_anywhere(sample, folder):
    data = sample.read_bytes()
    records = whole(sample, folder)
    step = max(1, len(data) // 40)
    for end in range(0, len(data), step):
        reading = outcome(data[:end], sample, folder)
        assert reading is None or reading.records <= records + 1, end


@pytest.mark.deep
@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_sample_that_is_cut_off_at_every_byte(sample, folder):
    data = sample.read_bytes()
    for end in range(len(data)):
        outcome(data[:end], sample, folder)


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
@few
@given(data=st.data())
def test_a_sample_with_other_bytes(sample, folder, data):
    held = bytearray(sample.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        held[data.draw(st.integers(0, len(held) - 1))] = data.draw(st.integers(0, 255))
    outcome(bytes(held), sample, folder)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


def objects_in(text):
    """The objects of a text; what is none is left out."""
    decode, found, at = json.JSONDecoder().raw_decode, [], 0
    while (at := min((where for mark in "[{" if (where := text.find(mark, at)) >= 0), default=-1)) >= 0:
        try:
            value, at = decode(text, at)
        except ValueError:
            at += 1
        else:
            found.append(value)
    return found


def places(value, path=()):
    """Every place in a value where another may stand."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


def put(value, path, other):
    if not path:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], other)
    return copy


OBJECT_LINES = [sample for sample in SAMPLES if sample.suffix in (".json", ".jsonl", ".ndjson")]


@pytest.mark.parametrize("sample", OBJECT_LINES, ids=[path.name for path in OBJECT_LINES])
@few
@given(data=st.data())
def test_a_sample_with_values_of_other_types(sample, folder, data):
    values = objects_in(sample.read_text("utf-8"))
    at = data.draw(st.integers(0, len(values) - 1))
    path = data.draw(st.sampled_from(list(places(values[at]))))
    values[at] = put(values[at], path, data.draw(VALUES))
    outcome("\n".join(json.dumps(value) for value in values).encode(), sample, folder)


@pytest.mark.parametrize("sample", SAMPLES, ids=NAMES)
def test_a_packed_sample_gives_the_same_and_a_cut_one_is_told(sample, folder):
    if sample.suffix == ".parquet" or sample.read_bytes()[:2] == b"\x1f\x8b":
        pytest.skip("Parquet and packed files are not packed again")
    plain = whole(sample, folder)
    packed = gzip.compress(sample.read_bytes())
    assert outcome(packed, sample, folder).records == plain
    cut = outcome(packed[: len(packed) // 2], sample, folder)
    assert cut is None or cut.unreadable


@pytest.mark.parametrize("name", FORMATS)
@few
@given(data=st.binary(max_size=300))
def test_any_bytes(name, folder, data):
    outcome(data, Path(f"{name}.x"), folder)
