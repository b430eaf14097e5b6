"""Samples of every format, written by hand: recognised as what they are, and read to exactly the rows expected."""

import csv
from pathlib import Path

import pyarrow as pa
import pytest

from loaders.captures import FORMATS, open_capture
from loaders.captures.telling import tell_format
from simcore.model.addresses import Address
from simcore.model.schema import FLOW_SCHEMA
from tests.captures import format_of, read

SAMPLES = Path(__file__).resolve().parents[2] / "data/captures"
EXPECTED = sorted(SAMPLES.glob("*.expected.csv"))
"""``NAME[-VARIANT].expected.csv``, the rows in order of time, beside ``NAME[-VARIANT].SUFFIX``."""


def sample_of(expected):
    stem = expected.name.removesuffix(".expected.csv")
    (found,) = [path for path in SAMPLES.glob("*") if path.name.partition(".")[0] == stem and path != expected]
    return found


def as_text(name, value):
    """A value as the expected rows write it: addresses, times in nanoseconds, all else as it is; nothing for null."""
    if value is None:
        return ""
    if name.endswith("_address"):
        return str(Address.from_bytes(value if isinstance(value, bytes) else value.to_bytes(4, "big")))
    return str(value)


def rows_of(capture):
    moments = [name for name in ("time", "end_time") if name in capture.columns]
    found = {name: times(capture, name) for name in moments} | read(capture, capture.columns - set(moments))
    return [
        {name: as_text(name, values[row]) for name, values in found.items()}
        for row in range(len(next(iter(found.values()))))
    ]


def times(capture, name):
    found = []
    for split in capture.splits:
        for batch in capture.read(split, [name], 1000):
            found += batch[name].view(pa.int64()).to_pylist()
    return found


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.name.removesuffix(".expected.csv"))
def test_a_sample_is_read_to_the_expected_rows(expected):
    sample = sample_of(expected)
    capture = open_capture([str(sample)])
    assert list(capture.formats) == [format_of(sample)]
    with open(expected, newline="") as file:
        wanted = list(csv.DictReader(file))
    found = rows_of(capture)
    assert wanted
    assert set(wanted[0]) <= set(FLOW_SCHEMA.names)
    assert [{name: row.get(name, "") for name in wanted[0]} for row in found] == wanted
    others = [name for name in found[0] if name not in wanted[0] and any(row[name] for row in found)]
    assert others == []


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_sample(name):
    assert any(format_of(path) == name for path in EXPECTED)


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda path: path.name.removesuffix(".expected.csv"))
def test_no_other_format_takes_a_sample(expected):
    from loaders.captures.records.samples import read_sample

    sample = sample_of(expected)
    takers = [name for name, each in FORMATS.items() if each.recognise(read_sample(str(sample)))]
    assert takers == [tell_format(str(sample))]
