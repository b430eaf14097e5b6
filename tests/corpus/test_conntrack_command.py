"""``flowverdict conntrack`` on the kernel's own traces, from Parquet in the trace's names to JSON."""

import json
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from simcore.cli.run import run
from tests.conftest import CORPUS

OPTIONS = {"mss": "mss", "window_scale": "ws", "sack_permitted": "sackok"}
INNER = {"source_address": "src", "destination_address": "dst", "source_port": "sport", "destination_port": "dport"}
INNER |= {"icmp_type": "type", "icmp_code": "code", "icmp_id": "id"}
MAPPING = {"time": "t:s", "icmp_type": "type", "icmp_code": "code", "icmp_id": "id"}
HAS_TAG = (1, 2)


@cache
def traces():
    path = CORPUS / "kernel-conntrack" / "traces.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def pytest_generate_tests(metafunc):
    if "trace" in metafunc.fixturenames:
        metafunc.parametrize("trace", traces(), ids=[f"{trace['id']}-{trace['name']}" for trace in traces()])


def columns_of(packets, times):
    """The packets as a table in the trace's own names, where it has one."""
    names = ["src", "dst", "sport", "dport", "proto", "flags", "len", "seq", "ack", "win", "side"]
    names += ["type", "code", "id", "vtag", "payload"]
    columns = {name: [packet.get(name) for packet in packets] for name in names}
    columns["t"] = times
    for name, option in OPTIONS.items():
        columns[name] = [(packet.get("opts") or {}).get(option) for packet in packets]
    columns["checksum_ok"] = [False if packet.get("badsum") else None for packet in packets]
    chunks = [(packet.get("chunks") or [(None, 0, "")])[0] for packet in packets]
    columns["sctp_chunk"] = [number for number, _, _ in chunks]
    columns["sctp_initiate_tag"] = [int(body[:8], 16) if number in HAS_TAG else None for number, _, body in chunks]
    inner = [packet.get("inner") or {} for packet in packets]
    columns["inner_protocol"] = [quoted.get("proto") for quoted in inner]
    for name, key in INNER.items():
        columns[f"inner_{name}"] = [quoted.get(key) for quoted in inner]
    return pa.table(columns)


def arguments_of(trace):
    yield from ("--ruleset", trace["ruleset"], "--format", "json")
    for name, source in MAPPING.items():
        yield from ("--map", f"{name}={source}")
    for name, value in trace["sysctls"].items():
        yield from ("--set", f"{name}={value}")
    if trace.get("global_max") is not None:
        yield from ("--max", str(trace["global_max"]))


def test_the_command_answers_as_the_kernel_did(trace, tmp_path, capsys):
    seen = [row for row in trace["observed"] if not row.get("probe")]
    packets = [trace["packets"][row["after_packet"]] for row in seen]
    path = str(tmp_path / "packets.parquet")
    pq.write_table(columns_of(packets, [row["t_sent"] for row in seen]), path)
    assert run(["conntrack", path, *arguments_of(trace)]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(found) == len(seen)
    for answer, row in zip(found, seen, strict=True):
        assert answer["verdict"] == row["verdict"], row
        if trace.get("gc_phase_dependent"):
            continue
        assert (answer["ct_class"], answer["ct_state"]) == (row["ct_class"], row["ct_state"]), row
        assert bool(answer["assured"]) == bool(row["assured"]), row
        if row["timeout"] is None:
            assert answer["timeout"] is None, row
        else:
            assert abs(answer["timeout"] - (row["timeout"] + 0.5)) <= 1.5, row
