"""Policies by domain name: addresses that a file and DNS answers in the capture tell, and when."""

import json

import pyarrow as pa
import pytest

from loaders.captures.writer import write_flows
from simcore.model.addresses import Address
from simcore.model.schema import FLOW_SCHEMA

SECOND = 1_000_000_000
START = 1_793_611_800 * SECOND
"""2026-11-02T09:30:00Z."""
CLUSTER = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
status: {podIP: 10.0.0.1}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: by-name, namespace: shop}
spec:
  types: [Egress]
  egress:
  - {action: Allow, destination: {domains: ["*.example.com", other.example.net]}}
"""


def row(seconds, destination, **told):
    return {
        "time": START + seconds * SECOND,
        "source_address": Address.parse("10.0.0.1").value,
        "destination_address": Address.parse(destination).value,
        "source_port": 40_000,
        "destination_port": 443,
        "protocol": 6,
        **told,
    }


def answer(seconds, name, addresses, ttl):
    told = {"record": "answer", "dns_query": name, "dns_addresses": addresses, "dns_ttl": ttl}
    return row(seconds, "10.0.0.53", **told)


@pytest.fixture
def replay(call, tmp_path):
    """Replays rows by the policies: the JSON, or what a command says as text."""

    def replays(*rows, names=None, command=("replay",), text=False, **options):
        cluster, capture = tmp_path / "cluster.yaml", tmp_path / "capture.parquet"
        cluster.write_text(CLUSTER)
        columns = dict.fromkeys(key for each in rows for key in each)
        schema = pa.schema([FLOW_SCHEMA.field(name) for name in columns])
        held = pa.table(
            {name: pa.array([each.get(name) for each in rows], schema.field(name).type) for name in columns}
        )
        write_flows(str(capture), held.to_batches())
        given = ["-c", str(cluster), "--cni", "calico", *command[1:]]
        if names is not None:
            (tmp_path / "names.json").write_text(names if isinstance(names, str) else json.dumps(names))
            given += ["--dns", str(tmp_path / "names.json")]
        code, out, err = call(command[0], str(capture), *given, *(() if text else ("--format", "json")))
        assert code == 0, err
        return out if text else json.loads(out)

    return replays


def test_answers_of_the_capture_tell_addresses_for_as_long_as_they_hold(replay):
    rows = [row(seconds, "203.0.113.7") for seconds in (9, 10, 99, 100)]
    found = replay(answer(10, "api.example.com", "203.0.113.7,203.0.113.8", 30), *rows, row(5, "192.0.2.1"))
    assert (found["allowed"], found["denied"], found["unknown"]) == (2, 0, 3)
    assert found["unknown_reasons"] == {"name-not-known-then": 2, "uncertain-rule": 1}
    names = found["domain_names"]
    assert (names["answers"], names["learnt"]) == (1, 1)
    assert [(each["policy"], each["name"]) for each in names["unsupported"]] == [
        ("NetworkPolicy.projectcalico.org shop/by-name", "other.example.net")
    ]


def test_names_of_a_file_are_all_there_are(replay):
    names = {"api.example.com": ["203.0.113.7"]}
    found = replay(row(0, "203.0.113.7"), row(0, "192.0.2.1"), names=names)
    assert (found["allowed"], found["denied"], found["unknown"]) == (1, 1, 0)


def test_answers_add_to_the_names_of_a_file(replay):
    names = {"api.example.com": [{"address": "203.0.113.7", "until": "2026-11-02T09:30:20Z"}]}
    rows = [row(seconds, "203.0.113.7") for seconds in (0, 19, 20, 50, 120)]
    found = replay(answer(50, "API.example.com.", "203.0.113.7", 0), *rows, names=names)
    assert (found["allowed"], found["unknown"]) == (3, 2)


def test_a_record_without_time_is_at_no_time_of_a_name(replay):
    rows = [{**row(0, "203.0.113.7"), "time": None}, {**row(0, "203.0.113.8"), "time": None}]
    found = replay(*rows, answer(0, "api.example.com", "203.0.113.7", 30), names="203.0.113.8 api.example.com")
    assert (found["allowed"], found["unknown_reasons"]) == (1, {"name-not-known-then": 1})


def test_a_what_if_warns_of_names_that_nothing_supports_once(replay, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(CLUSTER.partition("---")[2].replace("by-name", "newer").replace("*.example.com", "*.example.org"))
    command = ("whatif", "--apply", str(other))
    rows = (row(20, "203.0.113.7"), answer(10, "api.example.com", "203.0.113.7", 30))
    out = replay(*rows, command=command, text=True)
    told = " ".join(out.split())
    assert told.count("no DNS answer in the capture and no entry of --dns supports") == 3
    assert told.count("shop/by-name egress[0]") == 1
    assert "supports *.example.org" in told
    assert "1 name learnt from 1 DNS answer in the capture." in told
    found = replay(*rows, command=command)
    assert [each["name"] for each in found["domain_names"]["unsupported"]] == [
        "other.example.net",
        "*.example.org",
        "other.example.net",
    ]


def test_connections_are_followed_at_their_times(replay):
    rows = [row(seconds, "203.0.113.7", tcp_flags=2, packets=1) for seconds in (0, 30)]
    found = replay(answer(10, "api.example.com", "203.0.113.7", 30), *rows, command=("replay", "--stateful"))
    assert (found["allowed"], found["unknown_reasons"]) == (1, {"name-not-known-then": 1})
