import threading

import pyarrow as pa
import pytest

from loaders.captures import open_capture, write_flows
from simcore.model.addresses import Address, Family
from simcore.model.schema import FLOW_SCHEMA
from tests.captures import V4, errors, number, read


def test_our_own_schema_survives_the_way_to_a_file_and_back(tmp_path):
    rows = {
        "time": [1, 2, None],
        "end_time": [3, 4, None],
        "source_address": [1, 2, None],
        "destination_address": [5, 6, 7],
        "source_port": [1, 65535, None],
        "destination_port": [80, 0, None],
        "protocol": [6, 17, None],
        "tcp_flags": [2, 0, None],
        "packets": [1, 2**40, None],
        "bytes": [60, 2**50, None],
        "source_pod": ["a/b", None, "a/c"],
        "destination_pod": ["a/c", "a/c", None],
        "node": ["n1", "n1", None],
        "observed_verdict": ["allow", None, "deny"],
        "icmp_type": [8, 0, None],
        "icmp_code": [0, None, 255],
        "http_method": ["GET", None, "PUT"],
        "http_path": ["/a?b=c", None, "/"],
        "http_host": ["web:8080", None, "web"],
        "http_headers": ["Accept: */*\nX-One: 1", None, "Accept: */*"],
        "dns_query": ["example.com", None, "example.org"],
        "dns_addresses": ["10.0.0.1,fd00::1", None, "10.0.0.1"],
        "dns_ttl": [30, 0, None],
        "tls_sni": ["example.com", None, "example.org"],
        "egress_verdict": ["forwarded", None, "dropped"],
        "ingress_verdict": ["audit", None, "error"],
        "egress_reason": ["POLICY_DENIED", None, "POLICY_DENY"],
        "ingress_reason": ["POLICY_DENIED", None, "POLICY_DENY"],
        "egress_policies": ["NetworkPolicy a/b", None, "NetworkPolicy a/c"],
        "ingress_policies": ["NetworkPolicy a/b", None, "NetworkPolicy a/c"],
        "source_identity": [2, 2**32 - 1, None],
        "destination_identity": [2, 0, None],
        "source_workload": ["a/Deployment/b", None, "a/Deployment/b"],
        "destination_workload": ["a/Deployment/b", None, "a/Deployment/b"],
        "source_labels": ["k8s:app=b,k8s:x=y", None, "reserved:world"],
        "destination_labels": ["k8s:app=b,k8s:x=y", None, "reserved:world"],
        "record": ["connection", None, "request"],
    }
    kinds = dict(zip(FLOW_SCHEMA.names, FLOW_SCHEMA.types, strict=True))
    texts = {name for name, kind in kinds.items() if pa.types.is_dictionary(kind)}
    plain = {name: pa.array(values, pa.string() if name in texts else kinds[name]) for name, values in rows.items()}
    batch = pa.record_batch({name: plain[name].cast(kind) for name, kind in kinds.items()})
    path = str(tmp_path / "flows.parquet")
    write_flows(path, [batch])
    capture = open_capture([path])
    assert capture.columns == set(FLOW_SCHEMA.names)
    (read_back,) = capture.read(capture.splits[0], FLOW_SCHEMA.names, 10)
    assert read_back.equals(batch)


@pytest.mark.parametrize(
    ("source", "destination", "port"),
    [
        ("src_ip", "dst_ip", "dst_port"),
        ("sourceIp", "destIp", "destPort"),
        ("id.orig_h", "id.resp_h", "id.resp_p"),
        ("SrcAddr", "DstAddr", "DstPort"),
        ("IPV4_SRC_ADDR", "IPV4_DST_ADDR", "L4_DST_PORT"),
    ],
)
def test_common_names_are_known(save, source, destination, port):
    capture = open_capture([save({source: ["10.0.0.1"], destination: ["10.0.0.2"], port: [80], "note": ["x"]})])
    assert read(capture) == {
        "source_address": [number("10.0.0.1")],
        "destination_address": [number("10.0.0.2")],
        "destination_port": [80],
    }


def test_our_own_name_comes_before_others(save):
    capture = open_capture([save({**V4, "src_ip": ["1.1.1.1"] * 2})])
    assert read(capture, ["source_address"])["source_address"] == [number("10.0.0.1"), number("10.0.0.2")]


def test_pods_in_two_columns_are_joined(save):
    columns = {"sourcePodNamespace": ["a"], "sourcePodName": ["b"], "destination_pod": ["c/d"]}
    assert read(open_capture([save(columns)])) == {"source_pod": ["a/b"], "destination_pod": ["c/d"]}


VPC = {
    "version": pa.array([5] * 4, pa.int32()),
    "interface_id": ["eni-1"] * 4,
    "srcaddr": ["192.168.0.5", "192.168.0.5", "-", None],
    "dstaddr": ["192.168.0.6", "192.168.0.6", "-", None],
    "srcport": pa.array([40000, 0, None, None], pa.int32()),
    "dstport": pa.array([443, 0, None, None], pa.int32()),
    "protocol": pa.array([6, 1, None, None], pa.int64()),
    "packets": pa.array([3, 1, None, None], pa.int64()),
    "bytes": pa.array([180, 84, None, None], pa.int64()),
    "start": pa.array([1_700_000_000, 1_700_000_001, 1_700_000_002, 1_700_000_003], pa.int64()),
    "end": pa.array([1_700_000_060, 1_700_000_061, 1_700_000_062, 1_700_000_063], pa.int64()),
    "action": ["ACCEPT", "REJECT", "-", "-"],
    "tcp_flags": pa.array([3, 0, None, None], pa.int32()),
    "log_status": ["OK", "OK", "NODATA", "SKIPDATA"],
    "pkt_srcaddr": ["10.0.0.5", "-", "-", None],
    "pkt_dstaddr": ["10.0.0.6", None, "-", None],
}


def test_vpc_flow_logs_are_read_without_mapping(save):
    capture = open_capture([save(VPC, compression="gzip")])
    found = read(capture, capture.columns - {"time", "end_time"})
    assert found == {
        "source_address": [number("10.0.0.5"), number("192.168.0.5"), None, None],
        "destination_address": [number("10.0.0.6"), number("192.168.0.6"), None, None],
        "source_port": [40000, 0, None, None],
        "destination_port": [443, 0, None, None],
        "protocol": [6, 1, None, None],
        "tcp_flags": [3, 0, None, None],
        "packets": [3, 1, None, None],
        "bytes": [180, 84, None, None],
        "observed_verdict": ["ACCEPT", "REJECT", None, None],
    }


def test_vpc_times_are_seconds(save):
    capture = open_capture([save(VPC)])
    (batch,) = capture.read(capture.splits[0], ["end_time", "time"], 10)
    assert batch.schema.names == ["end_time", "time"]
    assert batch["time"].cast(pa.int64()).to_pylist()[:2] == [1_700_000_000 * 10**9, 1_700_000_001 * 10**9]
    assert batch["end_time"].cast(pa.int64())[0].as_py() == 1_700_000_060 * 10**9


@pytest.mark.parametrize(
    "names", [["dstaddr", "srcaddr", "end", "start", "bytes"], ["pkt_dstaddr", "pkt_srcaddr", "start", "az_id"]]
)
def test_any_choice_of_vpc_columns_in_any_order_is_known(save, names):
    columns = {name: VPC.get(name, ["use1-az1"] * 4) for name in names}
    assert {"time", "source_address", "destination_address"} <= open_capture([save(columns)]).columns


def test_a_mapping_adds_to_a_known_format(save):
    capture = open_capture([save(VPC)], {"node": "interface_id", "observed_verdict": ""})
    assert "observed_verdict" not in capture.columns
    assert read(capture, ["node"]) == {"node": ["eni-1"] * 4}


def test_the_seconds_of_other_formats_are_not_guessed(save):
    path = save({"srcaddr": ["10.0.0.1"], "dstaddr": ["10.0.0.1"], "start": [1], "exporter": ["r1"]})
    (message,) = errors([path])
    assert "--map time=start:UNIT" in message


def test_a_row_group_is_a_split_and_batches_keep_to_their_size(save):
    path = save({"src_ip": list(range(25)), "dst_ip": list(range(25))}, row_group_size=10)
    capture = open_capture([path])
    assert [(split.file, split.group, split.first_row, split.rows) for split in capture.splits] == [
        (0, 0, 0, 10),
        (0, 1, 10, 10),
        (0, 2, 20, 5),
    ]
    batches = list(capture.read(capture.splits[1], ["source_address"], 4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2]
    assert [value for batch in batches for value in batch["source_address"].to_pylist()] == list(range(10, 20))


def test_a_folder_is_read_with_its_partitions_and_without_hidden_files(save, tmp_path):
    late = save(V4, "logs/aws-region=eu-west-1/day=02/b.parquet")
    early = save(V4, "logs/aws-region=eu-west-1/day=01/a.log.parquet")
    bare = save(V4, "logs/aws-region=eu-west-1/day=02/000000_0")
    for name in ("_SUCCESS", ".crc", "notes.txt", "_tmp/c.parquet", ".old/d.parquet"):
        (tmp_path / "logs" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "logs" / name).write_text("no capture")
    capture = open_capture([str(tmp_path / "logs")], {"node": "aws-region", "observed_verdict": "day"})
    assert list(capture.files) == [early, bare, late]
    assert read(capture, ["node", "observed_verdict"]) == {
        "node": ["eu-west-1"] * 6,
        "observed_verdict": ["01"] * 2 + ["02"] * 4,
    }


def test_a_partition_with_one_of_our_names_needs_no_mapping(save):
    path = save(V4, "node=worker%201/a.parquet")
    other = save(V4, "node=__HIVE_DEFAULT_PARTITION__/a.parquet")
    assert read(open_capture([path, other]), ["node"]) == {"node": ["worker 1"] * 2 + [None] * 2}


def test_a_partition_may_be_all_that_is_asked_of_a_file(save):
    path = save({**V4, "node": ["x", "y"]}, "observed_verdict=deny/a.parquet")
    capture = open_capture([path])
    batches = list(capture.read(capture.splits[0], ["observed_verdict"], 1))
    assert [batch["observed_verdict"].to_pylist() for batch in batches] == [["deny"], ["deny"]]


def test_a_pattern_is_its_files_by_name(save, tmp_path):
    for name in ("b.parquet", "a.parquet", "_c.parquet", "d.csv"):
        save(V4, name)
    assert [path[-9:] for path in open_capture([str(tmp_path / "*.parquet")]).files] == ["a.parquet", "b.parquet"]


def test_a_file_that_two_paths_lead_to_is_read_once(save, tmp_path):
    path = save(V4)
    assert list(open_capture([path, str(tmp_path), str(tmp_path / "*.parquet")]).files) == [path]


def test_files_may_differ_in_columns_and_types(save):
    full = save({**V4, "protocol": ["tcp", "udp"], "source_pod": ["a/b", "a/c"]}, "a.parquet")
    lean = save({"srcip": pa.array([1], pa.int64()), "dstip": pa.array([2], pa.uint32())}, "b.parquet")
    capture = open_capture([full, lean])
    found = read(capture, ["source_address", "protocol", "source_pod"])
    assert found["protocol"] == [6, 17, None]
    assert found["source_pod"] == ["a/b", "a/c", None]
    assert found["source_address"][-1] == 1
    (batch,) = capture.read(capture.splits[-1], ["protocol", "source_pod", "time"], 10)
    assert batch.schema.types == [FLOW_SCHEMA.field(name).type for name in ("protocol", "source_pod")]


def test_only_the_asked_for_columns_that_there_are_come_back(save):
    capture = open_capture([save({**V4, "protocol": [6, 17]})])
    (batch,) = capture.read(capture.splits[0], ["time", "protocol", "source_pod"], 10)
    assert batch.schema.names == ["protocol"]
    with pytest.raises(ValueError, match="no such column of a flow: dport"):
        next(capture.read(capture.splits[0], ["dport"], 10))
    with pytest.raises(ValueError, match="at least one row"):
        next(capture.read(capture.splits[0], ["protocol"], 0))


def test_a_capture_without_rows_has_no_splits(save):
    capture = open_capture([save({name: pa.array([], pa.uint32()) for name in V4})])
    assert list(capture.splits) == []


def test_threads_may_read_at_a_time(save):
    words = [str(Address(Family.V4, value)) for value in range(4000)]
    capture = open_capture([save({"src_ip": words, "dst_ip": words}, row_group_size=500)])
    found = {}

    def work(split):
        batches = capture.read(split, ["source_address"], 100)
        found[split.first_row] = [value for batch in batches for value in batch["source_address"].to_pylist()]

    threads = [threading.Thread(target=work, args=(split,)) for split in capture.splits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [value for first in sorted(found) for value in found[first]] == list(range(4000))
