"""``flowverdict anonymize`` and ``convert --anonymize``: the same what-if, and nothing left of the names."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.anonymous.captures import ADDRESSES, COLUMNS
from loaders.captures import open_capture
from loaders.synthetic.demo import write_demo
from simcore.cli.run import run
from simcore.model.addresses import Address
from simcore.model.schema import FLOW_SCHEMA

ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
NAME = re.compile(r"\b(?:name|namespace|app|tier|team|role|matchLabels)\W+([a-z][-a-z0-9]*)")
GENERIC = {"app", "k8s-app", "kube-system", "kubernetes", "name", "operator"}
"""What is kept: keys of labels and names that many clusters have, and words of the API."""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def _call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out, captured.err

    return _call


@pytest.fixture
def demo(tmp_path, call):
    """The demo's files, and the same under pseudonyms, each made by itself."""
    files = write_demo(str(tmp_path / "demo"))
    call("anonymize", files.cluster, files.policies, "-o", "cluster.json.gz", "--key", "key")
    call("anonymize", files.change, "-o", "change.json", "--key", "key")
    call("convert", files.capture, "-o", "flows.parquet", "--anonymize", "key")
    return files


def whatif(call, flows, clusters, change):
    inputs = [part for path in clusters for part in ("--cluster", path)]
    out, _ = call("whatif", flows, *inputs, "--apply", change, "--format", "json", "--limit", 1000)
    return json.loads(out)


WAYS = ("egress", "ingress")
SAMPLES = Path(__file__).parent.parent.parent / "data/captures"
COUNTS = ("flows", "lost", "gained", "unknown", "unchanged")
OF_GROUP = ("change", "dns", "protocol", "port", "flows", "packets", "bytes", "first_seen", "last_seen")


def test_the_what_if_counts_the_same(demo, call):
    before = whatif(call, demo.capture, [demo.cluster, demo.policies], demo.change)
    after = whatif(call, "flows.parquet", ["cluster.json.gz"], "change.json")
    assert [before[name] for name in COUNTS] == [after[name] for name in COUNTS]
    assert before["lost"] and before["gained"]
    assert group_counts(before) == group_counts(after)


def group_counts(found):
    return [
        [*(group[name] for name in OF_GROUP), reasons(group["before"]), reasons(group["after"]), group["cause"]["edit"]]
        for group in found["groups"]
    ]


def reasons(judged):
    return [(judged[side]["verdict"], judged[side]["reason"]) for side in ("egress", "ingress")]


def test_no_name_and_no_address_is_left(demo, call, tmp_path):
    texts = [path.read_text("utf-8") for path in (demo.cluster, demo.policies)]
    call("anonymize", demo.cluster, demo.policies, "-o", "all.json", "--key", "key")
    written = (tmp_path / "all.json").read_text("utf-8")
    names = {name for text in texts for name in NAME.findall(text)} - GENERIC
    assert len(names) > 20
    words = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", written))
    assert not words & names
    addresses = {address for text in texts for address in ADDRESS.findall(text)}
    assert len(addresses) > 20
    assert not addresses & set(ADDRESS.findall(written)) - {"0.0.0.0", "10.0.0.0"}


def test_no_name_and_no_address_is_left_in_a_capture(demo):
    plain, hidden = (pq.read_table(path) for path in (demo.capture, "flows.parquet"))
    assert plain.num_rows == hidden.num_rows and plain.column_names == hidden.column_names
    for name in plain.column_names:
        if name.endswith(("_address", "_pod")) or name == "node":
            ours, theirs = (set(table[name].to_pylist()) - {None} for table in (plain, hidden))
            assert not ours & theirs and len(ours) == len(theirs)
        else:
            assert plain[name].equals(hidden[name])


ROW = {
    "source_address": 0x0A010203,
    "destination_address": 0xC0000207,
    "source_pod": "shop/web-7c9f-abcde",
    "destination_pod": "external:public",
    "node": "east/worker-1",
    "observed_verdict": "forwarded",
    "http_method": "GET",
    "http_path": "/orders?id=7",
    "http_host": "api.acme.example",
    "http_headers": "X-Team: red pandas\nAccept: text/html",
    "dns_query": "api.acme.example",
    "dns_addresses": "192.0.2.7,2001:db8::7",
    "tls_sni": "api.acme.example",
    "egress_policies": "CiliumNetworkPolicy shop/web, NetworkPolicy.crd.antrea.io shop/guard",
    "source_workload": "shop/Deployment/web",
    "destination_workload": "shop/AcmeJob/nightly",
    "source_labels": "k8s:app=web,k8s:io.kubernetes.pod.namespace=shop,reserved:world",
    "record": "request",
}


def test_every_column_of_a_capture_is_hidden(tmp_path, call):
    columns = {name: pa.array([ROW.get(name)], FLOW_SCHEMA.field(name).type) for name in FLOW_SCHEMA.names}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    _, err = call("convert", "in.parquet", "-o", "out.parquet", "--anonymize", "key")
    (row,) = pq.read_table("out.parquet").to_pylist()
    secret = (
        "shop",
        "web",
        "acme",
        "api",
        "pandas",
        "guard",
        "nightly",
        "east",
        "worker",
        "x-team",
        "192.0.2",
        "Acme",
        "orders",
    )
    shown = {name: value for name, value in row.items() if value is not None}
    assert not [(name, word) for name, value in shown.items() for word in secret if word in str(value)]
    assert shown.keys() == ROW.keys()
    kept = ("destination_pod", "observed_verdict", "http_method", "record")
    assert all(row[name] == ROW[name] for name in kept)
    assert err == ""
    assert row["source_labels"].endswith(",reserved:world")
    assert open_capture(["out.parquet"]).columns >= {"source_pod", "dns_query"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".flowverdict-")]


def test_snapshots_of_several_moments_are_taken_one_by_one(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for day in ("20", "21"):
        annotations = {"flowverdict.dev/taken-at": f"2026-11-{day}T10:00:00Z"}
        item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
        content = {"apiVersion": "v1", "kind": "List", "items": [item], "metadata": {"annotations": annotations}}
        (tmp_path / f"{day}.json").write_text(json.dumps(content))
    assert run(["anonymize", "20.json", "21.json", "-o", "out.json", "--key", "key"]) == 2
    assert "Anonymize each by itself" in capsys.readouterr().err
    assert run(["anonymize", "20.json", "-o", "out.json", "--key", "key"]) == 0
    assert "2026-11-20T10:00:00Z" in (tmp_path / "out.json").read_text()


def test_policies_are_held_against_a_cluster_beside_them(tmp_path, call):
    pods = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"app": "frontend"}}}
    rule = {"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkPolicy", "metadata": {"name": "p"}}
    (tmp_path / "cluster.json").write_text(json.dumps(pods))
    (tmp_path / "policy.json").write_text(json.dumps({**rule, "spec": {"selector": "app contains 'front'"}}))
    _, err = call("anonymize", "policy.json", "-o", "out.json", "--key", "key")
    assert "--beside" in err
    _, err = call("anonymize", "policy.json", "-o", "out.json", "--key", "key", "--beside", "cluster.json")
    assert "it is written as the 1 values of the input" in err
    assert "frontend" not in (tmp_path / "out.json").read_text()


def test_paths_that_a_policy_looks_into_are_kept_in_captures_too(tmp_path, call):
    ports = {"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{"path": "/ord.*"}]}}
    head = {"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "p"}}
    policy = {**head, "spec": {"endpointSelector": {}, "ingress": [{"toPorts": [ports]}]}}
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    columns = {name: pa.array([ROW.get(name)], FLOW_SCHEMA.field(name).type) for name in FLOW_SCHEMA.names}
    pq.write_table(pa.table(columns), tmp_path / "in.parquet")
    call("anonymize", "policy.json", "-o", "out.json", "--key", "key")
    _, err = call("convert", "in.parquet", "-o", "out.parquet", "--anonymize", "key")
    (row,) = pq.read_table("out.parquet").to_pylist()
    assert row["http_path"] == ROW["http_path"] and row["http_host"] != ROW["http_host"]
    assert "paths of HTTP are kept as they are" in err


PLAIN = {
    "observed_verdict",
    "http_method",
    "record",
    *(f"{way}_{what}" for way in WAYS for what in ("verdict", "reason")),
}


def test_every_column_of_texts_is_hidden_or_holds_words_of_fixed_meaning():
    texts = {field.name for field in FLOW_SCHEMA if pa.types.is_dictionary(field.type)}
    assert set(COLUMNS) == texts - PLAIN
    assert {field.name for field in FLOW_SCHEMA if field.name.endswith("_address")} == set(ADDRESSES)


FILES = sorted(path for path in SAMPLES.iterdir() if path.is_file() and ".expected." not in path.name)
NAMES = (*ADDRESSES, "source_pod", "destination_pod", "node", "egress_policies", "ingress_policies")
FIXED = ("0.", "127.", "169.254.", "22", "23", "24", "25", "external:public", "external:private", "::1", "ff0")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_format_keeps_its_rows_and_loses_its_names(path, call):
    call("convert", path, "-o", "plain.parquet")
    call("convert", path, "-o", "hidden.parquet", "--anonymize", "key")
    plain, hidden = (pq.read_table(name) for name in ("plain.parquet", "hidden.parquet"))
    assert open_capture(["plain.parquet"]).formats == open_capture(["hidden.parquet"]).formats
    assert (plain.num_rows, plain.column_names) == (hidden.num_rows, hidden.column_names)
    for name in plain.column_names:
        if name not in COLUMNS and name not in ADDRESSES:
            assert plain[name].equals(hidden[name])
        elif name in NAMES:
            ours, theirs = plain[name].to_pylist(), hidden[name].to_pylist()
            kept = {shown(value) for value in set(ours) & set(theirs) - {None}}
            assert not {text for text in kept if not text.startswith(FIXED)}
            assert len(set(zip(ours, theirs, strict=True))) == len(set(ours)) == len(set(theirs))


def shown(value):
    if isinstance(value, int | bytes):
        packed = value if isinstance(value, bytes) else value.to_bytes(4, "big")
        return str(Address.from_bytes(packed))
    return value
