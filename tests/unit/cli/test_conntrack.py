"""``flowverdict conntrack`` as a user runs it, and the example of its document."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simcore.analyses.conntrack.tracking import TRACK_SCHEMA
from simcore.cli.conntrack import CLIENTS
from simcore.cli.run import run
from simcore.cli.settings import KERNELS, with_settings
from simcore.model.addresses import Cidr
from simcore.model.conntrack import LINUX, RULESETS, CtClass

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/conntrack.md").read_text("utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def _call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


@pytest.fixture
def example(tmp_path, monkeypatch):
    """The packets of the document's example."""
    monkeypatch.chdir(tmp_path)
    (code,) = [block for language, block in FENCED.findall(DOCUMENT) if language == "python"]
    exec(compile(code, "conntrack.md", "exec"), {"__name__": "conntrack"})
    return ("idle.parquet", "--map", "time=at:s")


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_the_transcript_of_the_document_is_real(example, call):
    (transcript,) = [block for _, block in FENCED.findall(DOCUMENT) if block.startswith("$ flowverdict")]
    command, _, told = transcript.partition("\n")
    code, out, err = call(*shlex.split(command)[2:])
    assert (code, out, err) == (0, told, "")


def test_json_is_an_object_a_line(example, call):
    code, out, err = call("conntrack", *example, "--preset", "kube-proxy", "--format", "json")
    assert (code, err) == (0, "")
    rows = objects(out)
    assert [row["ct_class"] for row in rows] == ["new", "established", "established", "new", "new"]
    assert [row["verdict"] for row in rows] == ["accept", "accept", "accept", "drop", "accept"]
    assert [row["timeout"] for row in rows] == [120, 60, 86400, None, 300]
    assert rows[0] | {"ct_state": "SYN_SENT", "assured": False, "count": 1, "live": 1} == rows[0]
    assert rows[0]["time"] == "1970-01-01T00:00:00.000000000Z"


def test_parquet_holds_an_answer_for_each_packet(example, call, tmp_path):
    code, out, _ = call("conntrack", *example, "-o", "answers.parquet", "--format", "json")
    assert code == 0
    table = pq.read_table(tmp_path / "answers.parquet")
    assert table.schema.equals(TRACK_SCHEMA)
    assert table.to_pylist() == [{name: row[name] for name in TRACK_SCHEMA.names} for row in objects(out)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.parquet", "idle.parquet"]


def test_an_empty_capture(call, tmp_path):
    kinds = {"time": pa.timestamp("ns"), "src": pa.string(), "dst": pa.string(), "proto": pa.uint8()}
    pq.write_table(pa.schema(list(kinds.items())).empty_table(), "none.parquet")
    assert call("conntrack", "none.parquet", "-o", "out.parquet") == (
        0,
        "0 packets tracked with ruleset stateful\n",
        "",
    )
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_settings_and_presets(example, call):
    def timeouts(*options):
        return [row["timeout"] for row in objects(call("conntrack", *example, "--format", "json", *options)[1])][:3]

    assert timeouts() == [120, 60, 432000]
    assert timeouts("--set", "tcp_timeout_syn_sent=7", "--set", "nf_conntrack_tcp_timeout_established=99") == [
        7,
        60,
        99,
    ]
    assert timeouts("--preset", "kube-proxy", "--set", "tcp_timeout_established=9") == [120, 60, 9]


def test_buckets_are_rounded_as_a_kernel_does():
    assert with_settings(LINUX, ["buckets=513", "udp_timeout=1"]).nf_conntrack_buckets == 1024
    assert all(with_settings(preset, []) == preset for preset in KERNELS.values())


def test_no_buckets_at_all(example, call):
    code, _, err = call("conntrack", *example, "--set", "buckets=0")
    assert code == 2
    assert "nf_conntrack_buckets is 1 to 268,435,456, not 0" in " ".join(err.split())


def test_a_full_table(call):
    call("generate", "packets", "--count", "300", "--seconds", "10", "--out", "load.parquet")
    _, out, _ = call("conntrack", "load.parquet", "--max", "50", "--buckets", "512", "--format", "json")
    rows = objects(out)
    assert max(row["count"] for row in rows) == 50
    assert any(row["ct_class"] == "none" for row in rows)
    assert all(row["verdict"] == "drop" for row in rows if row["ct_class"] == "none")
    _, out, _ = call("conntrack", "load.parquet", "--max", "50", "--buckets", "512")
    assert "WARNING  The table was full" in out


@pytest.mark.parametrize("options", [(), ("--live", "2000")])
def test_made_up_packets_are_what_conntrack_expects(call, options):
    call("generate", "packets", "--count", "400", "--seconds", "20", *options, "--out", "load.parquet")
    _, out, _ = call("conntrack", "load.parquet", "--format", "json")
    rows = objects(out)
    assert {row["ct_class"] for row in rows} == {"new", "established"}
    assert {row["verdict"] for row in rows} == {"accept"}


def test_clients_are_side_a(example, call):
    _, out, _ = call("conntrack", *example, "--client", "10.77.2.10", "--format", "json")
    assert [row["verdict"] for row in objects(out)] == ["drop", "drop", "drop", "accept", "accept"]
    _, out, _ = call("conntrack", *example, "--client", "192.0.2.0/24")
    assert "WARNING  No packet enters at side a, the clients' side (192.0.2.0/24)" in out


def test_late_packets_are_told(call):
    columns = {"src": ["10.77.1.1"] * 2, "dst": ["10.77.2.1"] * 2, "proto": [253, 253]}
    pq.write_table(pa.table(columns | {"time": pa.array([5, 2], pa.timestamp("ms"))}), "late.parquet")
    code, out, err = call("conntrack", "late.parquet", "--format", "json")
    assert code == 0
    assert len({row["time"] for row in objects(out)}) == 1
    assert err == (
        "warning: 1 packet is earlier than one before it, by at most 3.000 ms; it is taken to come at that one's time\n"
    )


def test_the_default_clients_are_those_of_the_document():
    assert all(Cidr.parse(text) and text in DOCUMENT for text in CLIENTS)
    assert all(f"| `{name}` |" in DOCUMENT for name in RULESETS)
    assert all(f"`{kind.word}`" in DOCUMENT for kind in CtClass)


WRONG = {
    "no-file": (["gone.parquet"], "error: gone.parquet: there is no such file or folder"),
    "no-packets": ([], "Missing argument 'PACKETS...'"),
    "no-columns": (["flows.parquet"], "error: flows.parquet: no column tells the time of a packet"),
    "no-unit": (["idle.parquet"], "no column tells the time of a packet; the columns are at, src"),
    "bad-map": (["idle.parquet", "--map", "time=at:min"], "'min' is no unit of time"),
    "no-ruleset": (["idle.parquet", "--ruleset", "open"], "'open' is not one of"),
    "no-preset": (["idle.parquet", "--preset", "cilium"], "'cilium' is not one of"),
    "no-setting": (["idle.parquet", "--set", "udp_time=3"], "no setting is named 'nf_conntrack_udp_time'"),
    "no-number": (["idle.parquet", "--set", "udp_timeout=soon"], "nf_conntrack_udp_timeout takes a whole number"),
    "no-equals": (["idle.parquet", "--set", "udp_timeout"], "is not NAME=VALUE, such as udp_timeout=60"),
    "no-cidr": (["idle.parquet", "--client", "10.0.0"], "'10.0.0/32' is not a CIDR"),
    "itself": (
        ["idle.parquet", "--map", "time=at:s", "-o", "idle.parquet"],
        "idle.parquet is a file of the capture that is read. Name another file to write",
    ),
    "no-folder": (["idle.parquet", "--map", "time=at:s", "-o", "a/b.parquet"], "the folder a does not exist"),
    "bad-value": (
        ["bad.parquet", "--map", "time=at:s"],
        "error: bad.parquet: column 'flags', row 4 (from 0): 'PX' does not fit flags",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_told_on_stderr_with_code_2(name, example, call, tmp_path):
    idle = pq.read_table("idle.parquet")
    pq.write_table(idle.set_column(6, "flags", pa.array(["S", "SA", "A", "PA", "PX"])), "bad.parquet")
    pq.write_table(pa.table({"x": [1]}), "flows.parquet")
    before = sorted(path.name for path in tmp_path.iterdir())
    arguments, message = WRONG[name]
    code, out, err = call("conntrack", *arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_was_answered_before_an_error_stays_hidden(example, call, tmp_path):
    idle = pq.read_table("idle.parquet")
    times = pa.array([0.0, 0.001, 0.002, 90_000.0, 80_000.0])
    pq.write_table(idle.set_column(0, "at", times), "idle.parquet")
    code, _, err = call("conntrack", *example, "-o", "out.parquet")
    assert code == 2
    assert "row 4 (from 0): its time is 10,000.000 s before that of an earlier row" in err
    assert [path.name for path in tmp_path.iterdir()] == ["idle.parquet"]


def test_packets_of_pcap_are_followed(call, tmp_path):
    packed = str(ROOT / "tests/data/captures/pcap.pcapng")
    code, out, err = call(
        "conntrack", packed, "--client", "10.42.1.0/24", "--client", "fd42:1::/64", "--format", "json"
    )
    found = objects(out)
    assert code == 0
    assert [row["ct_class"] for row in found[:5]] == ["new"] + ["established"] * 4
    assert [row["ct_class"] for row in found if row["icmp_type"] == 3] == ["related"]
    assert "warning: " in err
    assert call("convert", packed, "--packets", "-o", "packets.parquet")[0] == 0
    again = call(
        "conntrack", "packets.parquet", "--client", "10.42.1.0/24", "--client", "fd42:1::/64", "--format", "json"
    )
    assert (again[1], again[2]) == (out, "")


def test_packets_are_not_put_under_pseudonyms(call):
    packed = str(ROOT / "tests/data/captures/pcap.pcapng")
    code, _out, err = call("convert", packed, "--packets", "--anonymize", "key", "-o", "packets.parquet")
    assert code == 2
    assert "--packets does not go with --anonymize or --map" in err
