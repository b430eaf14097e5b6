"""``flowverdict verify``: from a made-up export to exit codes."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.demo import write_demo
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
