"""Staged policies: left out and counted, or put in force by --enforce-staged."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.demo import write_demo
from simcore.cli.run import run

PAGE = Path(__file__).resolve().parents[3] / "docs" / "staged.md"

STAGED = """\
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: closed, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
LEFT_OUT = (
    "left out: 1 policy is staged, and not in force: StagedKubernetesNetworkPolicy.projectcalico.org shop/closed\n"
)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"containers": []},
            "status": {"phase": "Running", "podIPs": [{"ip": address}]},
        }
        for name, address in [("a", "10.0.0.1"), ("b", "10.0.0.2")]
    ]
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    cluster = {"apiVersion": "v1", "kind": "List", "items": [namespace, *pods]}
    (tmp_path / "cluster.json").write_text(json.dumps(cluster))
    (tmp_path / "staged.yaml").write_text(STAGED)
    flow = {"source_address": "10.0.0.1", "destination_address": "10.0.0.2", "destination_port": 80, "protocol": 6}
    pq.write_table(pa.Table.from_pylist([flow]), tmp_path / "flows.parquet")
    monkeypatch.chdir(tmp_path)


def whatif(*arguments):
    return run(["whatif", "flows.parquet", "-c", "cluster.json", *arguments, "--format", "json"])


def test_staged_policies_are_left_out_and_counted(shop, capsys):
    code = run(["explain", "shop/a", "shop/b", "--port", "80", "-c", "cluster.json", "-c", "staged.yaml"])
    captured = capsys.readouterr()
    assert code == 0
    assert "\nALLOW  no policy applies" in captured.out
    assert captured.err == LEFT_OUT


def test_enforcing_them_is_a_change(shop, capsys):
    assert whatif("-c", "staged.yaml", "--enforce-staged") == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["lost"] == 1
    (group,) = result["groups"]
    assert group["cause"]["policy"] == "NetworkPolicy shop/closed"
    assert group["cause"]["edit"] == "added"
    assert captured.err == LEFT_OUT


def test_a_policy_that_the_change_stages_is_put_in_force_too(shop, capsys):
    assert whatif("--apply", "staged.yaml", "--enforce-staged") == 0
    assert json.loads(capsys.readouterr().out)["lost"] == 1


def test_without_staged_policies_there_is_nothing_to_enforce(shop, capsys):
    assert whatif("--enforce-staged") == 2
    assert "--enforce-staged: there is no staged policy" in capsys.readouterr().err


def test_the_example_of_the_documentation_is_real(tmp_path, monkeypatch, capsys):
    blocks = dict(re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL))
    monkeypatch.chdir(tmp_path)
    write_demo("demo-output")
    (tmp_path / "staged.yaml").write_text(blocks["yaml"])
    command, *told = blocks[""].splitlines()
    assert run(shlex.split(command)[2:]) == 0
    printed = set(capsys.readouterr().out.splitlines())
    assert [line for line in told if line.strip() != "[...]" and line not in printed] == []
