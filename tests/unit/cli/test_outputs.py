"""Files that commands write: never over a file that is read."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

CLUSTER = """# what there is
apiVersion: v1
kind: Pod
metadata: {namespace: shop, name: web, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}
status: {podIP: 10.1.0.1, phase: Running}
"""
POLICY = """# what is closed
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: closed}
spec: {podSelector: {}}
"""
READ = "this file is read too, and would be overwritten. Name another file to write"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policies").mkdir()
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "policies/closed.yaml").write_text(POLICY)
    columns = {"source_address": ["10.9.0.1"], "destination_address": ["10.1.0.1"], "destination_port": [80]}
    pq.write_table(pa.table(columns | {"protocol": [6]}), "flows.parquet")
    os.symlink("policies/closed.yaml", "link.yaml")
    return tmp_path


GIVEN = ["-c", "cluster.yaml", "-p", "policies"]
CAPTURED = ["flows.parquet", *GIVEN]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["reach", *GIVEN, "--format", "parquet", "-o"], "cluster.yaml"),
        (["harden", *GIVEN, "-n", "shop", "-o"], "policies/closed.yaml"),
        (["harden", *GIVEN, "-n", "shop", "-o"], "link.yaml"),
        (["harden", "-c", "today=cluster.yaml", "-n", "shop", "-o"], "cluster.yaml"),
        (["whatif", *CAPTURED, "--delete", "netpol/shop/closed", "--repair"], "./policies/closed.yaml"),
        (["whatif", *CAPTURED, "--delete", "netpol/shop/closed", "-o"], "cluster.yaml"),
        (["replay", *CAPTURED, "-o"], "cluster.yaml"),
        (["size", *CAPTURED, "-o"], "cluster.yaml"),
    ],
)
def test_an_input_is_not_overwritten(call, files, words, output):
    before = (files / output).read_bytes()
    code, out, err = call(*words, output)
    assert (code, out) == (2, "")
    assert f"{output}: {READ}" in err
    assert (files / output).read_bytes() == before


def test_a_capture_is_not_overwritten_by_policies(call, files):
    (files / "flows.parquet").rename("flows.yaml")
    words = ["harden", *GIVEN, "-n", "shop", "--from-capture", "flows.yaml", "-o", "flows.yaml"]
    assert READ in call(*words)[2]


def test_metrics_do_not_replace_a_text_that_begins_with_a_comment(call, files):
    code, _, err = call("replay", *CAPTURED, "--metrics", "policies/closed.yaml")
    assert code == 2
    assert "exists and is no metrics" in err
    assert (files / "policies/closed.yaml").read_text() == POLICY


def test_two_outputs_are_two_files(call, files):
    words = ["whatif", *CAPTURED, "--delete", "netpol/shop/closed", "--repair", "a.yaml", "-o", "./a.yaml"]
    code, _, err = call(*words)
    assert code == 2
    assert "--repair and --output name the same file, a.yaml" in err


@pytest.mark.parametrize(
    "words", [["reach", *GIVEN, "--format", "parquet", "-o"], ["harden", *GIVEN, "-n", "shop", "-o"]]
)
def test_a_folder_that_is_missing_is_told(call, files, words):
    code, _, err = call(*words, "nowhere/out.yaml")
    assert code == 2
    assert "nowhere/out.yaml: the folder nowhere does not exist. Make it first" in err


def test_a_file_that_is_not_read_may_be_replaced(call, files):
    (files / "out.yaml").write_text("old")
    assert call("harden", *GIVEN, "-n", "shop", "-o", "out.yaml")[0] == 0
    assert "default-deny-all" in (files / "out.yaml").read_text()
    assert call("harden", *GIVEN, "-n", "shop", "-o", "policies/new.yaml")[0] == 0
