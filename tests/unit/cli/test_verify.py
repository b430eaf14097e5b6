"""``flowverdict verify``: from a made-up export to exit codes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.demo import write_demo
from loaders.synthetic.scale import Scale
from simcore.cli.run import run

CLUSTER = ("-c", "cluster.yaml", "--cni", "cilium")
POLICIES = ("-p", "policies.yaml")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    write_demo(folder)
    sources = ("-c", str(folder / "cluster.yaml"), "-p", str(folder / "policies.yaml"))
    export = str(folder / "hubble.json.gz")
    assert run(("generate", "hubble", *sources, "--count", "3000", "--out", export)) == 0
    assert run(("convert", export, "-o", str(folder / "capture.parquet"))) == 0
    return folder


@pytest.fixture
def verify(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    def _verify(*arguments):
        code = run(("verify", *arguments))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _verify


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """An export of a cluster most of whose policies are Cilium's, as a capture."""
    folder = tmp_path_factory.mktemp("cilium")
    scale = Scale(pods=160, policies=40, namespaces=6, nodes=4, dual_stack=0.4)
    generate_cluster(scale, 12, folder / "cluster", cilium=True)
    export, capture = str(folder / "hubble.json.gz"), folder / "capture.parquet"
    assert run(("generate", "hubble", "-c", str(folder / "cluster"), "--count", "6000", "--out", export)) == 0
    assert run(("convert", export, "-o", str(capture))) == 0
    return capture


def verified(capsys, capture, *arguments):
    run(
        (
            "verify",
            str(capture),
            "-c",
            str(capture.parent / "cluster"),
            "--cni",
            "cilium",
            "--format",
            "json",
            *arguments,
        )
    )
    return json.loads(capsys.readouterr().out)


def test_requests_names_and_denials_of_cilium_are_judged_as_recorded(proxied, capsys):
    result = verified(capsys, proxied)
    assert result["agreement"] == 1.0
    assert {row["record"] for row in pq.read_table(proxied, columns=["record"]).to_pylist()} == {
        *("connection", "mid-stream", "request", "answer")
    }


def test_requests_name_the_policy_that_sent_them_to_the_proxy(proxied, capsys):
    table = pq.read_table(proxied, columns=["record", "ingress_policies"]).to_pylist()
    names = {row["ingress_policies"] for row in table if row["record"] == "request" and row["ingress_policies"]}
    gone = max(names)
    result = verified(capsys, proxied, "--delete", f"cnp/{gone.partition(' ')[2]}")
    (cause,) = [cause for cause in result["causes"] if cause["cause"] == "policy-missing"]
    assert cause["about"] == gone
    assert "request" in {group["recorded"]["record"] for group in cause["groups"]}


def test_an_export_of_the_same_policies_agrees(verify):
    code, out, _ = verify("capture.parquet", *CLUSTER, *POLICIES)
    assert code == 0
    assert "every one of" in out and "100%" in out


def test_a_policy_that_is_gone_is_named_and_the_code_is_1(verify):
    code, out, _ = verify("capture.parquet", *CLUSTER, *POLICIES, "--delete", "netpol/shop/services")
    assert code == 1
    assert "policy-missing: NetworkPolicy shop/services decided, and is not in the set" in out
    assert "(policies.yaml:" in out


def test_json_has_the_documented_keys(verify):
    code, out, _ = verify(
        "capture.parquet", *CLUSTER, *POLICIES, "--delete", "netpol/shop/services", "--format", "json"
    )
    result = json.loads(out)
    assert code == 1
    assert result["flows"] == result["comparable"] + sum(each["flows"] for each in result["not_compared"])
    assert result["comparable"] == result["agreeing"] + result["opposite"] + result["undecided"]
    assert sum(cause["flows"] for cause in result["causes"]) == result["opposite"] + result["undecided"]
    assert set(result["causes"][0]["groups"][0]) == {
        *("source", "destination", "protocol", "port", "flows", "side", "recorded", "ours", "example")
    }


def test_a_capture_without_recorded_verdicts_is_an_error_that_says_what_is_looked_for(verify):
    code, _, err = verify("flows.parquet", *CLUSTER, *POLICIES)
    assert code == 2
    assert "egress_verdict, ingress_verdict and observed_verdict are looked for" in err
    assert "--map observed_verdict=COLUMN" in err


def test_flow_logs_of_a_cloud_are_verified_as_a_whole_answers_with_what_they_answer(verify, folder):
    rows = [("10.244.1.11", 8080, "ACCEPT"), ("203.0.113.40", 443, "ACCEPT")]
    source = "10.244.3.12"
    ways = [(source, 40_000 + n, *row) for n, row in enumerate(rows)]
    ways += [(there, port, source, 40_000 + n, word) for n, (there, port, word) in enumerate(rows)]
    names = ("srcaddr", "srcport", "dstaddr", "dstport", "action")
    table = {name: [way[at] for way in ways] for at, name in enumerate(names)}
    table |= {"protocol": [6] * 4, "start": [1_767_607_200, 1_767_607_200, 1_767_607_201, 1_767_607_201]}
    table |= {"end": [1_767_607_260] * 4, "interface_id": ["eni-1"] * 4}
    pq.write_table(pa.table(table), folder / "vpc.parquet")
    code, out, _ = verify("vpc.parquet", "-c", "cluster.yaml", "--format", "json")
    result = json.loads(out)
    assert (code, result["comparable"], result["agreement"]) == (0, 4, 1.0)
    assert list(result["sides"]) == ["flow"]
    assert "stateful" in result
