"""What becomes of odd records of the formats in JSON."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.captures import open_capture
from loaders.captures.calico.traces import decider
from simcore.errors import LoadError
from tests.captures import read

FLOW = {
    "start_time": "2026-11-20T10:00:00Z",
    "action": "Allow",
    "source_name": "web-7c9f*",
    "source_namespace": "shop",
    "dest_name": "db-0",
    "dest_namespace": "shop",
    "protocol": "tcp",
    "dest_port": 5432,
    "reporter": "Dst",
}
GCP = {
    "connection": {"src_ip": "10.8.1.11", "src_port": 40112, "dest_ip": "10.8.2.20", "dest_port": 5432, "protocol": 6},
    "reporter": "DEST",
    "start_time": "2026-11-20T10:00:00Z",
    "end_time": "2026-11-20T10:00:05Z",
    "bytes_sent": "500",
    "packets_sent": "5",
    "src_instance": {"vm_name": "node-a"},
    "dest_instance": {"vm_name": "node-b"},
    "dest_gke_details": {"pod": {"pod_namespace": "shop", "pod_name": "db-0"}},
}


@pytest.fixture
def save(tmp_path):
    def write(*records):
        path = tmp_path / "capture.json"
        path.write_text("\n".join(json.dumps(record) for record in records))
        return str(path)

    return write


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (["0|default|knp:shop/web|allow|0"], "NetworkPolicy shop/web"),
        (["0|platform|gnp:ops|pass|1", "1|default|np:shop/web|deny|-1"], "NetworkPolicy.projectcalico.org shop/web"),
        (["0|default|kcnp:all|deny|2"], "ClusterNetworkPolicy all"),
        (
            ["0|default|sgnp:lock|deny|0", "1|default|gnp:default.open|allow|0"],
            "GlobalNetworkPolicy.projectcalico.org open",
        ),
        (["0|default|shop/knp.default.web|allow|0"], "NetworkPolicy shop/web"),
        (["0|default|shop/default.web|allow"], "NetworkPolicy.projectcalico.org shop/web"),
        (["0|default|staged:default.web|deny|0", "1|__PROFILE__|__PROFILE__.kns.shop|allow|0"], None),
        (["0|security|security.block|deny|0"], "GlobalNetworkPolicy.projectcalico.org security.block"),
        ([{"kind": 11, "name": "all", "tier": "kube-admin", "action": 2}], "ClusterNetworkPolicy all"),
        ([{"kind": "EndOfTier", "action": "Deny", "trigger": None}], None),
        (["0|default", 7, None, {}], None),
        ("no list", None),
    ],
)
def test_the_policy_that_decided_is_named(trace, expected):
    assert decider(trace) == expected


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "expected"),
    [
        ("WorkloadEndpoint", "shop", "web-1", "shop/web-1"),
        ("HostEndpoint", "-", "worker-1", "node:worker-1"),
        ("NetworkSet", "-", "partners", "external:partners"),
        ("NetworkSet", "shop", "partners", "external:shop/partners"),
        ("Network", "-", "pub", "external:public"),
        (None, "Global", "PRIVATE NETWORK", "external:private"),
        (None, "", "worker-1", "node:worker-1"),
        (None, "shop", "pub", "shop/pub"),
        ("WorkloadEndpoint", "-", "web-1", None),
    ],
)
def test_an_end_of_calico_is_named_by_what_it_is(save, kind, namespace, name, expected):
    flow = {**FLOW, "source_type": kind, "source_namespace": namespace, "source_name": name}
    capture = open_capture([save(flow)])
    assert read(capture, ["source_pod"])["source_pod"] == [expected]


def test_only_the_reporting_side_has_a_verdict(save):
    found = read(open_capture([save(FLOW, {**FLOW, "reporter": "Src", "action": "Deny"})]))
    assert found["ingress_verdict"] == ["forwarded", None]
    assert found["egress_verdict"] == [None, "dropped"]


def test_a_dns_response_is_an_answer_to_the_client(save):
    ends = {"src": {"addr": "10.7.0.10", "port": 53, "proto": "UDP"}, "dst": {"addr": "10.7.1.11", "port": 45011}}
    told = {"timestamp": "2026-11-20T10:00:00Z", "k8s": {"namespace": "shop", "podName": "web-1"}, "qr": "R"}
    capture = open_capture(
        [save({**told, **ends, "pkt_type": "HOST", "name": "A.Example.org.", "addresses": "192.0.2.1, 192.0.2.2"})]
    )
    (split,) = capture.answers
    names = ["source_pod", "destination_port", "dns_query", "dns_addresses", "record"]
    (batch,) = capture.read(split, names, 10)
    assert batch.to_pylist() == [
        {
            "source_pod": "shop/web-1",
            "destination_port": 53,
            "dns_query": "a.example.org",
            "dns_addresses": "192.0.2.1,192.0.2.2",
            "record": "answer",
        }
    ]
    assert not capture.splits


@pytest.mark.parametrize("is_nested", [True, False])
def test_a_nested_export_of_google_cloud_is_read_as_its_json(tmp_path, save, is_nested):
    payload = {**GCP, "connection": {**GCP["connection"], "src_port": 40112.0, "protocol": 6.0}}
    path = str(tmp_path / "flows.parquet")
    pq.write_table(pa.Table.from_pylist([{"jsonPayload": payload, "insertId": "x"} if is_nested else payload]), path)
    capture = open_capture([path])
    assert list(capture.formats) == ["gcp"]
    assert read(capture) == read(open_capture([save(GCP)]))
    assert read(capture)["node"] == ["node-b"]
    assert read(capture)["destination_pod"] == ["shop/db-0"]


def test_a_damaged_row_group_of_an_export_has_rows_of_which_nothing_is_known(tmp_path):
    path = tmp_path / "flows.parquet"
    rows = [{**GCP, "start_time": f"2026-11-20T10:00:{second:02}Z"} for second in range(40)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=20, compression="gzip")
    data = bytearray(path.read_bytes())
    first = pq.read_metadata(path).row_group(0).column(0)
    start = first.dictionary_page_offset or first.data_page_offset
    data[start + 10 : start + first.total_compressed_size] = bytes(first.total_compressed_size - 10)
    path.write_bytes(bytes(data))
    capture = open_capture([str(path)])
    found = read(capture)
    assert len(found["time"]) == 40
    assert found["destination_port"] == [None] * 20 + [5432] * 20
    assert any("row group 0 cannot be read" in each.message for each in capture.diagnostics)
    with pytest.raises(LoadError, match="row group 0 cannot be read"):
        open_capture([str(path)], strict=True)


@pytest.mark.parametrize("value", [None, True, -1, 2**70, 1e300, float("1.5"), "x", [], {}, [[1]], {"a": {}}])
def test_values_of_any_type_lose_no_record(save, value):
    flows = [{**GCP, "bytes_sent": value}, {**GCP, "start_time": value}, GCP]
    flows += [{**GCP, "connection": {**GCP["connection"], name: value}} for name in GCP["connection"]]
    flows += [{**GCP, "dest_gke_details": value}, {**GCP, "dest_instance": value}]
    found = read(open_capture([save(GCP, *flows)], format_name="gcp"))
    assert len(found["source_address"]) == len(flows) + 1
