"""Formats that are tables of lines, or the same columns in JSON and Parquet: one meaning, however a file is read."""

import gzip
import ipaddress
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from loaders.captures import open_capture
from loaders.captures.opening import convert_capture
from loaders.captures.records import tables
from simcore.cli.run import run
from simcore.errors import LoadError
from tests.captures import read

SAMPLES = Path(__file__).resolve().parents[2] / "data/captures"
LINES = sorted(path for path in SAMPLES.glob("*") if path.suffix in (".log", ".csv") and "expected" not in path.name)
"""Samples that are tables of lines; Zeek's JSON is among them and does not matter."""
FLOW = "2 123456789012 eni-0a1 10.1.0.1 10.1.0.2 40000 443 6 1 60 1763632800 1763632801 ACCEPT OK\n"


@pytest.fixture
def save(tmp_path):
    def write(text, name="capture.log"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return write


def converted(path, folder, strict=False):
    """The rows of a file in Parquet, as bytes, and what became of its records."""
    reading = convert_capture([str(path)], str(folder / "out.parquet"), strict=strict)
    return (folder / "out.parquet").read_bytes(), sorted(map(str, reading.diagnostics)), reading


@pytest.mark.parametrize("sample", LINES, ids=lambda path: path.name)
def test_lines_are_read_alike_in_bulk_and_one_by_one(sample, tmp_path, monkeypatch):
    expected = converted(sample, tmp_path)
    monkeypatch.setattr(tables, "_in_bulk", lambda *_: None)
    assert converted(sample, tmp_path)[:2] == expected[:2]


@pytest.mark.parametrize("sample", LINES, ids=lambda path: path.name)
def test_the_size_of_blocks_changes_nothing(sample, tmp_path, monkeypatch):
    expected = converted(sample, tmp_path)
    monkeypatch.setattr(tables, "_BLOCK", 1)
    monkeypatch.setattr("loaders.captures.streams.BLOCK", 37)
    assert converted(sample, tmp_path)[:2] == expected[:2]


@pytest.mark.parametrize("is_bulk", [True, False])
@pytest.mark.parametrize("sample", LINES, ids=lambda path: path.name)
def test_lines_may_end_with_carriage_returns_and_begin_with_a_mark(sample, is_bulk, tmp_path, save, monkeypatch):
    expected = converted(sample, tmp_path)
    if not is_bulk:
        monkeypatch.setattr(tables, "_in_bulk", lambda *_: None)
    text = b"\xef\xbb\xbf" + sample.read_bytes().replace(b"\n", b"\r\n")
    assert converted(save(text), tmp_path)[0] == expected[0]


def test_sound_lines_are_read_in_bulk(save, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_one_by_one", None)
    assert converted(save(FLOW * 1000), tmp_path)[2].rows == 1000


def test_a_line_that_is_too_long_is_told_and_the_rest_read(save, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "LONGEST", 200)
    monkeypatch.setattr(tables, "_BLOCK", 1)
    monkeypatch.setattr("loaders.captures.streams.BLOCK", 64)
    _, found, reading = converted(save(FLOW + "x" * 1000 + "\n" + FLOW * 2 + "2 eni\n"), tmp_path)
    assert reading.told() == [(3, "rows"), (2, "not readable")]
    assert any("capture.log:5: 14 columns are expected" in each for each in found)
    assert any(each.endswith("capture.log:2: this line is longer than 200 bytes") for each in found)


def test_what_is_not_one_line_is_not_one_row(save, tmp_path):
    header, row = (SAMPLES / "antrea-clickhouse.csv").read_text().splitlines()[:2]
    torn = row.replace('"cart-1"', '"cart\n-1"')
    _, _, reading = converted(save("\n".join([header, row, torn, row])), tmp_path)
    assert reading.told() == [(2, "rows"), (2, "not readable")]
    _, _, reading = converted(save(FLOW + FLOW.replace("\n", "\r") + FLOW), tmp_path)
    assert reading.told() == [(1, "rows"), (1, "not readable")]


def test_records_that_are_no_flows_are_counted(tmp_path):
    _, _, reading = converted(SAMPLES / "aws-vpc.log", tmp_path)
    assert [count for count, _ in reading.told()] == [8, 1, 1]
    assert [why.split()[0] for why in reading.left_out] == ["NODATA", "SKIPDATA"]


def test_a_packed_log_that_is_cut_off_gives_what_came_before(save, tmp_path):
    lines = "".join(FLOW.replace("40000", str(port)) for port in range(1024, 60_000))
    packed = gzip.compress(lines.encode())
    _, found, reading = converted(save(packed[: len(packed) // 2], "capture.gz"), tmp_path)
    assert 1000 < reading.rows < 58_976
    assert reading.unreadable == 1
    assert any("cannot be read any further" in each for each in found)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"2 \xff\xfe\n", "capture.log:2: it is not UTF-8 text"),
        (b"2 123456789012 eni-0a1\n", "capture.log:2: 14 columns are expected, and it has 3. Was it cut off?"),
        (b"version srcaddr Dstaddr\n", "capture.log:2: this looks like a header line"),
    ],
)
def test_a_line_that_cannot_be_read_is_told_with_its_number(save, tmp_path, line, told):
    path = save(FLOW.encode() + line + FLOW.encode())
    _, found, reading = converted(path, tmp_path)
    assert (reading.rows, reading.unreadable) == (2, 1)
    assert any(told in each for each in found)
    with pytest.raises(LoadError, match=told[:12]):
        converted(path, tmp_path, strict=True)


def test_columns_of_a_log_without_header_are_not_guessed(save, tmp_path):
    path = save("eni-1 10.1.0.1 10.1.0.2\neni-1 10.1.0.1 10.1.0.3\n")
    with pytest.raises(LoadError, match="no header says which column is which"):
        convert_capture([path], str(tmp_path / "out.parquet"), format_name="aws-vpc")


def test_vpc_flow_logs_mean_the_same_in_text_and_in_parquet(save, tmp_path):
    names = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start", "end", "action")
    values = ["10.1.0.1", "10.1.0.2", 40000, 443, 6, 1, 60, 1763632800, 1763632801, "ACCEPT"]
    stored = str(tmp_path / "flows.parquet")
    pq.write_table(pa.table({name: [value] for name, value in zip(names, values, strict=True)}), stored)
    expected = read(open_capture([save(FLOW)]))
    direct, asked = open_capture([stored]), open_capture([stored], format_name="aws-vpc")
    assert direct.formats == asked.formats == ["aws-vpc"]
    for capture in (direct, asked):
        assert {name: found for name, found in read(capture).items() if found != [None]} == {
            name: found for name, found in expected.items() if found != [None]
        }


def test_a_converted_capture_remembers_its_format_unless_there_are_several(save, tmp_path):
    log, out, again = save(FLOW), str(tmp_path / "out.parquet"), str(tmp_path / "again.parquet")
    convert_capture([log], out)
    convert_capture([out], again)
    assert open_capture([out, again]).formats == ["aws-vpc", "aws-vpc"]
    convert_capture([log, str(SAMPLES / "zeek.log")], out)
    assert open_capture([out]).formats == ["names"]


def test_a_comment_of_zeek_that_is_none_is_told(save, tmp_path):
    text = (SAMPLES / "zeek.log").read_text().replace("\n1763632800.250000", "\n#763632800.250000", 1)
    _, found, reading = converted(save(text), tmp_path)
    assert any("capture.log:10: this line begins as header lines do" in each for each in found)
    assert reading.rows == 16


@pytest.mark.parametrize("words", ["bytes", "text"])
def test_goflow2_means_the_same_in_json_and_in_parquet(tmp_path, save, words):
    lines = (SAMPLES / "goflow2.json").read_text().splitlines()
    objects = [json.loads(lines[number]) for number in (0, 1, 2, 3, 4, 6)]
    names = [name for name in objects[0] if name not in ("src_net", "dst_net", "proto", "etype", "type")]
    columns = {name: [each.get(name) for each in objects] for name in names}
    columns["proto"] = [6, 17, 1, 58, 6, 47]
    columns["etype"] = [0x86DD if ":" in each["src_addr"] else 0x0800 for each in objects]
    if words == "bytes":
        for name in ("src_addr", "dst_addr"):
            packed = [ipaddress.ip_address(each[name]).packed.ljust(16, b"\0") for each in objects]
            columns[name] = pa.array(packed, pa.binary(16))
    pq.write_table(pa.table(columns), tmp_path / "flows.parquet")
    stored = str(tmp_path / "flows.parquet")
    assert open_capture([stored]).formats == ["goflow2"]
    expected = converted(save("\n".join(map(json.dumps, objects))), tmp_path)
    assert converted(stored, tmp_path)[0] == expected[0]
    assert read(open_capture([stored]), ["packets"])["packets"] == [9, 512, 3, 1, 10, 1]


@pytest.mark.parametrize("kind", ["numbers and bytes", "timestamps and text"])
def test_antrea_means_the_same_in_csv_and_in_parquet(tmp_path, save, kind):
    header, *rows = (SAMPLES / "antrea-clickhouse.csv").read_text().splitlines()
    sound = [row for row in rows if row.startswith('"') and row.count(",") > 20 and "never" not in row]
    table = pacsv.read_csv(save("\n".join([header, *sound]), "flows.csv"))
    if kind == "numbers and bytes":
        for position, field in enumerate(table.schema):
            if pa.types.is_timestamp(field.type):
                column = table.column(position).cast(pa.int64()).cast(pa.uint32())
            elif pa.types.is_string(field.type):
                column = table.column(position).cast(pa.binary())
            else:
                continue
            table = table.set_column(position, field.name, column)
    pq.write_table(table, tmp_path / "flows.parquet")
    stored = open_capture([str(tmp_path / "flows.parquet")])
    assert stored.formats == ["antrea"]
    assert read(stored) == read(open_capture([str(tmp_path / "flows.csv")]))
    assert len(read(stored)["time"]) == len(sound) > 8


CLUSTER = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {podIP: 10.1.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
status: {podIP: 10.1.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
"""


def antrea(port, **told):
    return {
        "flowStartSeconds": 1763632800,
        "flowEndSeconds": 1763632801,
        "sourceIPv4Address": "10.1.0.1",
        "destinationIPv4Address": "10.1.0.2",
        "sourceTransportPort": 40000 + port,
        "destinationTransportPort": port,
        "protocolIdentifier": 6,
        "sourcePodNamespace": "shop",
        "sourcePodName": "web",
        "destinationPodNamespace": "shop",
        "destinationPodName": "db",
        "ingressNetworkPolicyRuleAction": 0,
        "egressNetworkPolicyRuleAction": 0,
        **told,
    }


def decided(action, name="", kind=1):
    return {
        "ingressNetworkPolicyRuleAction": action,
        "ingressNetworkPolicyType": kind,
        "ingressNetworkPolicyName": name,
        "ingressNetworkPolicyNamespace": "shop" if name else "",
    }


def test_verdicts_of_antrea_are_verified(tmp_path, save, capsys):
    cluster = save(CLUSTER, "cluster.yaml")
    agreed = [antrea(5432, **decided(1, "db")), antrea(22, **decided(2))]
    capture = save("\n".join(map(json.dumps, agreed)), "capture.json")
    assert run(("verify", capture, "-c", cluster, "--format", "json")) == 0
    assert json.loads(capsys.readouterr().out)["agreement"] == 1.0
    capture = save("\n".join(map(json.dumps, [*agreed, antrea(23, **decided(1, "gone", 2))])), "capture.json")
    assert run(("verify", capture, "-c", cluster, "--format", "json")) == 1
    found = json.loads(capsys.readouterr().out)
    assert [cause["cause"] for cause in found["causes"]] == ["policy-missing"]
    assert "NetworkPolicy.crd.antrea.io shop/gone" in json.dumps(found)
