import pyarrow as pa
import pytest

from loaders.captures import open_packets, write_packets
from loaders.captures.packets import Order
from simcore.errors import LoadError
from simcore.model.addresses import Cidr
from simcore.model.schema import PACKET_SCHEMA, WIDE_ADDRESS
from tests.captures import number, wide

SECOND = 10**9
ICMP = {
    "time": pa.array([1, 2], pa.timestamp("s")),
    "source_address": ["10.0.0.1", "10.0.0.2"],
    "destination_address": ["10.0.0.2", "10.0.0.1"],
    "protocol": ["icmp", "icmp"],
    "icmp_type": [8, 0],
}
TCP = {name: values for name, values in ICMP.items() if name != "icmp_type"} | {
    "protocol": ["tcp", "TCP"],
    "source_port": [40000, 80],
    "destination_port": [80, 40000],
    "flags": ["S", "SA"],
}


def batch_of(save, columns, mapping=None, clients=()):
    (batch,) = open_packets([save(columns)], mapping, clients).read()
    return batch


def problems(save, columns, mapping=None):
    path = save(columns)
    with pytest.raises(LoadError) as caught:
        list(open_packets([path], mapping).read())
    return [str(each).removeprefix(f"{path}: ") for each in caught.value.diagnostics]


def test_columns_are_brought_to_their_types(save):
    batch = batch_of(
        save,
        TCP
        | {
            "length": [0, 0.0],
            "sequence": [1000, 2**32 - 1],
            "acknowledgement": [None, 1001],
            "window": ["65535", "512"],
            "window_scale": [7, None],
            "sack_permitted": [1, 0],
            "mss": pa.array([1460, None], pa.int64()),
            "side": ["a", "b"],
            "checksum_ok": ["true", ""],
            "payload": ["USER x", ""],
        },
    )
    assert batch.schema.types == [PACKET_SCHEMA.field(name).type for name in batch.schema.names]
    assert batch.schema.names == [name for name in PACKET_SCHEMA.names if name in batch.schema.names]
    found = batch.to_pydict()
    assert found["source_address"] == [number("10.0.0.1"), number("10.0.0.2")]
    assert found["protocol"] == [6, 6]
    assert found["flags"] == [2, 18]
    assert found["sequence"] == [1000, 2**32 - 1]
    assert found["acknowledgement"] == [None, 1001]
    assert found["sack_permitted"] == [True, False]
    assert found["checksum_ok"] == [True, None]
    assert found["payload"] == ["USER x", None]


def test_columns_that_no_file_has_are_left_out(save):
    assert "sequence" not in batch_of(save, TCP).schema.names


def test_other_names_are_known(save):
    columns = {"ts": TCP["time"], "src": TCP["source_address"], "dst": TCP["destination_address"], "proto": [6, 6]}
    columns |= {"sport": [1, 2], "dport": [2, 1], "tcp.flags": [2, 18], "len": [0, 0], "seq": [1, 2], "ack": [0, 2]}
    names = batch_of(save, columns | {"win": [1, 2]}).schema.names
    assert names == [
        *("time", "source_address", "destination_address", "source_port", "destination_port"),
        *("protocol", "flags", "length", "sequence", "acknowledgement", "window"),
    ]


def test_a_mapping_names_columns_and_units(save):
    columns = {name: values for name, values in TCP.items() if name not in ("time", "flags")}
    batch = batch_of(save, columns | {"at": [0.5, 1.5], "bits": [2, 18]}, {"time": "at:s", "flags": "bits"})
    assert batch["time"].cast(pa.int64()).to_pylist() == [SECOND // 2, 3 * SECOND // 2]
    assert batch["flags"].to_pylist() == [2, 18]


def test_null_flags_of_tcp_are_no_flags(save):
    assert batch_of(save, TCP | {"flags": ["S", ""]})["flags"].to_pylist() == [2, None]


def test_addresses_of_a_batch_have_one_width(save):
    batch = batch_of(
        save,
        ICMP
        | {
            "destination_address": ["fd00::1", "10.0.0.1"],
            "inner_source_address": ["10.0.0.9", None],
            "inner_destination_address": ["fd00::1", None],
        },
    )
    assert {batch[name].type for name in batch.schema.names if name.endswith("address")} == {WIDE_ADDRESS}
    assert batch["source_address"].to_pylist() == [wide("10.0.0.1"), wide("10.0.0.2")]
    assert batch["inner_source_address"].to_pylist() == [wide("10.0.0.9"), None]


@pytest.mark.parametrize(
    ("sources", "sides"),
    [
        (["10.1.0.1", "10.2.0.1", "10.1.255.255", "9.255.255.255"], "abab"),
        (["fd01::5", "fd02::5", "10.1.0.9", "10.2.0.9"], "abab"),
        (["fd03::1:0", "fd03::1:ff", "fd03::1:100", "::ffff:10.1.0.1"], "aaba"),
    ],
)
def test_clients_tell_the_side(save, sources, sides):
    clients = [Cidr.parse(text) for text in ("10.1.0.0/16", "fd01::/32", "fd03::1:0/120")]
    columns = {
        "time": pa.array([1, 2, 3, 4], pa.timestamp("s")),
        "source_address": sources,
        "destination_address": ["192.0.2.1"] * 4,
        "protocol": [253] * 4,
    }
    assert "".join(batch_of(save, columns, clients=clients)["side"].to_pylist()) == sides
    given = columns | {"side": ["b", None, "a", ""]}
    assert batch_of(save, given, clients=clients)["side"].to_pylist() == ["b", sides[1], "a", sides[3]]
    assert batch_of(save, given)["side"].to_pylist() == ["b", None, "a", None]


def test_packets_are_read_in_order_of_files_and_rows(save):
    def packets(first):
        return ICMP | {"time": pa.array([first, first + 1], pa.timestamp("s"))}

    paths = [save(packets(first), name) for first, name in ((1, "b.parquet"), (3, "a.parquet"), (5, "c.parquet"))]
    capture = open_packets(paths)
    assert capture.rows == 6
    batches = list(capture.read(batch_rows=1))
    assert [batch["time"].cast(pa.int64())[0].as_py() // SECOND for batch in batches] == [1, 2, 3, 4, 5, 6]


def test_a_column_that_another_file_has_is_null(save):
    paths = [save(ICMP, "a.parquet"), save(ICMP | {"icmp_id": [7, 7]}, "b.parquet")]
    batches = list(open_packets(paths).read())
    assert [batch["icmp_id"].to_pylist() for batch in batches] == [[None, None], [7, 7]]


def test_packets_a_little_late_come_at_the_time_of_the_one_before(save):
    columns = {name: values * 2 for name, values in ICMP.items() if name != "time"}
    path = save(columns | {"time": pa.array([10, 5, 20, 12], pa.timestamp("ms"))})
    for batch_rows in (1, 2, 3, 4):
        order = Order()
        times = [
            time
            for batch in open_packets([path]).read(batch_rows, order)
            for time in batch["time"].cast(pa.int64()).to_pylist()
        ]
        assert times == [10_000_000, 10_000_000, 20_000_000, 20_000_000]
        assert (order.late, order.most) == (2, 8_000_000)


def test_what_was_written_is_read(tmp_path):
    columns = {"time": pa.array([1], pa.timestamp("ns")), "protocol": pa.array([253], pa.uint8())}
    columns |= {f"{end}_address": pa.array([end[0] == "s"]).cast(pa.uint32()) for end in ("source", "destination")}
    path = str(tmp_path / "p.parquet")
    for wide_file in (False, True):
        write_packets(path, [pa.record_batch(columns)], wide=wide_file)
        (batch,) = open_packets([path]).read()
        assert batch.num_rows == 1
        assert (batch["source_address"].type == WIDE_ADDRESS) is False
    with pytest.raises(ValueError, match="no such column of a packet: x"):
        write_packets(path, [pa.record_batch({"x": [1]})])


# What is wrong is told with its file, column and row


def test_missing_columns_are_told_together(save):
    assert problems(save, {"x": [1], "dst": ["10.0.0.1"]}) == [
        f"no column tells the {name} of a packet; the columns are x, dst. Name one with --map {name}=COLUMN"
        for name in ("time", "source_address", "protocol")
    ]


def test_wrong_types(save):
    assert problems(save, ICMP | {"time": [1, 2], "length": [[1], [2]], "payload": [1, 2]}) == [
        "column 'time' has type int64, and its unit is not known. "
        "Say it with --map time=time:UNIT, UNIT being one of s, ms, us, ns",
        "column 'length' has type list<element: int64>, and length is read from integers, floats or text (a number). "
        "Name another column with --map length=COLUMN, or leave it out with --map length=",
        "column 'payload' has type int64, and payload is read from text. "
        "Name another column with --map payload=COLUMN, or leave it out with --map payload=",
    ]


UNREADABLE = {
    "port": ({"destination_port": [80, 70000]}, "column 'destination_port', row 1 (from 0): 70000 does not fit"),
    "far time": (
        {"time": pa.array([0, (1 << 62) + 1], pa.timestamp("ns"))},
        "row 1 (from 0): its time is in the year 2116, and years are 1824 to 2115. Is the unit right?",
    ),
    "flags": ({"flags": ["SA", "ACK"]}, "column 'flags', row 1 (from 0): 'ACK' does not fit flags, uint8 read from"),
    "protocol": ({"protocol": ["tcp", "arp"]}, "column 'protocol', row 1 (from 0): 'arp' does not fit protocol"),
    "address": ({"source_address": ["web", "10.0.0.1"]}, "row 0 (from 0): 'web' does not fit source_address"),
    "sequence": ({"sequence": [-1, 2]}, "row 0 (from 0): -1 does not fit sequence"),
    "length": ({"length": [0, -1]}, "row 1 (from 0): -1 does not fit length"),
    "boolean": ({"checksum_ok": ["maybe", None]}, "row 0 (from 0): 'maybe' does not fit checksum_ok"),
    "boolean number": ({"sack_permitted": [1, 2]}, "row 1 (from 0): 2 does not fit sack_permitted"),
    "null address": (
        {"source_address": ["10.0.0.1", None]},
        "column 'source_address', row 1 (from 0): it is null, and every packet has a source_address",
    ),
    "dash": ({"protocol": ["tcp", "-"]}, "column 'protocol', row 1 (from 0): it is null, and every packet has"),
    "null time": ({"time": pa.array([None, 1], pa.timestamp("s"))}, "column 'time', row 0 (from 0): it is null"),
    "side": ({"side": ["a", "left"]}, "row 1 (from 0): side is 'left', and it can be a or b"),
    "no port": ({"source_port": [1, None]}, "row 1 (from 0): a packet of TCP has source_port, and this one has none"),
    "unsorted": (
        {"time": pa.array([5000, 2500], pa.timestamp("ms"))},
        "row 1 (from 0): its time is 2.500 s before that of an earlier row. Sort the packets by time",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_value_that_does_not_fit_is_an_error(save, case):
    columns, message = UNREADABLE[case]
    (found,) = problems(save, TCP | columns)
    assert message in found


@pytest.mark.parametrize("name", ["destination_port", "flags"])
def test_tcp_needs_ports_and_flags(save, name):
    (found,) = problems(save, {key: values for key, values in TCP.items() if key != name})
    assert found == (
        f"row 0 (from 0): a packet of TCP has {name}, and this one has none. Say where with --map {name}=COLUMN"
    )


def test_icmp_needs_a_type(save):
    (found,) = problems(save, ICMP | {"icmp_type": pa.nulls(2)})
    assert "a packet of ICMP has icmp_type" in found


def test_a_row_is_counted_through_batches_and_row_groups(tmp_path, save):
    columns = {name: list(values) * 3 if name != "time" else values for name, values in ICMP.items()}
    columns["time"] = pa.array(range(6), pa.timestamp("s"))
    columns["icmp_id"] = [1, 2, 3, 4, 70000, 6]
    path = save(columns, row_group_size=2)
    with pytest.raises(LoadError, match=r"column 'icmp_id', row 4 \(from 0\): 70000"):
        list(open_packets([path]).read(batch_rows=1))


def test_a_mapping_that_makes_no_sense(save):
    (found,) = problems(save, ICMP, {"flag": "x"})
    assert "a packet has no column 'flag' (did you mean 'flags'?). A packet has the columns time, " in found


def test_no_path_at_all():
    with pytest.raises(ValueError, match="at least one path"):
        open_packets([])
