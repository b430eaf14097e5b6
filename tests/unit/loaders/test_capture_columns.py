import datetime

import pyarrow as pa
import pytest

from loaders.captures import open_capture
from simcore.model.schema import FLOW_SCHEMA
from tests.captures import V4, column, read


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.int64(), pa.uint64()])
def test_ports_may_be_any_integers(save, kind):
    found = column(save, "destination_port", pa.array([0, 80, None], kind))
    assert found.type == pa.uint16()
    assert found.to_pylist() == [0, 80, None]


@pytest.mark.parametrize(
    "values", [[443, 65536, -1], [443.0, 0.5, float("nan")], ["443", "https", "99999999999999999999"]]
)
def test_a_port_out_of_range_is_null_and_never_wraps(save, values):
    assert column(save, "destination_port", values).to_pylist() == [443, None, None]


@pytest.mark.parametrize("name", ["packets", "bytes"])
@pytest.mark.parametrize("kind", [pa.int64(), pa.int32(), pa.float64(), pa.string()])
def test_a_negative_count_is_null(save, name, kind):
    found = column(save, name, pa.array([0, -1, None, 7], pa.int64()).cast(kind))
    assert found.type == pa.int64()
    assert found.to_pylist() == [0, None, None, 7]


def test_a_count_beyond_64_bits_is_null(save):
    assert column(save, "bytes", pa.array([2**64 - 1, 2**63 - 1], pa.uint64())).to_pylist() == [None, 2**63 - 1]


def test_protocols_are_numbers_or_names(save):
    words = ["tcp", "UDP", "Sctp", "6", "ipv6-icmp", "ICMP", "ARP", "-", "", "300", None]
    assert column(save, "protocol", words).to_pylist() == [6, 17, 132, 6, 58, 1, None, None, None, None, None]
    assert column(save, "protocol", [6, 256, -1, None]).to_pylist() == [6, None, None, None]


def test_flags_are_numbers_or_letters(save):
    words = ["S", "SA", "...AP.SF", "27", "-", "", "XYZ"]
    assert column(save, "tcp_flags", words).to_pylist() == [2, 18, 27, 27, None, None, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_become_nanoseconds_utc(save, unit, zone):
    found = column(save, "time", pa.array([1_700_000_000, None], pa.timestamp("s")).cast(pa.timestamp(unit, zone)))
    assert found.type == pa.timestamp("ns")
    assert found.cast(pa.int64()).to_pylist() == [1_700_000_000 * 10**9, None]


@pytest.mark.parametrize(("unit", "factor"), [("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)])
def test_a_mapping_tells_the_unit_of_numbers(save, unit, factor):
    path = save({**V4, "seen": pa.array([1700, None], pa.int32())})
    capture = open_capture([path], {"time": f"seen:{unit}"})
    (batch,) = capture.read(capture.splits[0], ["time"], 10)
    assert batch["time"].cast(pa.int64()).to_pylist() == [1700 * factor, None]


def test_float_seconds_keep_their_fraction(save):
    found = column(save, "time", [1.5, -0.25, float("nan"), 1e300], {"time": "time:s"})
    assert found.cast(pa.int64()).to_pylist() == [1_500_000_000, -250_000_000, None, None]


def test_a_time_that_does_not_fit_is_null(save):
    found = column(save, "time", [1, 2**62, -(2**62), -(2**63)], {"time": "time:s"})
    assert found.cast(pa.int64()).to_pylist() == [10**9, None, None, None]
    far = pa.array([datetime.datetime(9999, 1, 1), datetime.datetime(1970, 1, 2)], pa.timestamp("ms"))
    assert column(save, "time", far).cast(pa.int64()).to_pylist() == [None, 86400 * 10**9]


def test_counts_become_64_bits(save):
    assert column(save, "bytes", pa.array([1, 2**63], pa.uint64())).to_pylist() == [1, None]
    assert column(save, "packets", pa.array([1, None], pa.int16())).type == pa.int64()


def test_a_column_that_is_null_throughout_needs_no_type(save):
    nothing = pa.nulls(2)
    names = ["time", "source_port", "source_pod", "node"]
    capture = open_capture(
        [save({**V4, **dict.fromkeys(names, nothing), "name": ["a", "b"]})], {"source_pod": "node+name"}
    )
    (batch,) = capture.read(capture.splits[0], names, 10)
    assert batch.schema.types == [FLOW_SCHEMA.field(name).type for name in names]
    assert [column.null_count for column in batch.columns] == [2] * 4


def test_names_are_a_dictionary_and_an_empty_one_is_null(save):
    found = column(save, "source_pod", ["shop/web", "", None, "-", "shop/web"])
    assert found.type == FLOW_SCHEMA.field("source_pod").type
    assert found.to_pylist() == ["shop/web", None, None, None, "shop/web"]


def test_a_mapping_joins_namespace_and_name(save):
    path = save({**V4, "ns": ["shop", "shop"], "name": ["web", ""]})
    capture = open_capture([path], {"source_pod": "ns+name"})
    assert read(capture, ["source_pod"]) == {"source_pod": ["shop/web", None]}
