import json

import pytest

from tests import golden

CLUSTER = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
"""
POLICY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: db, namespace: shop}}
spec:
  podSelector: {{matchLabels: {{app: db}}}}
  policyTypes: [Ingress]
  ingress:
    - from: [{{podSelector: {{matchLabels: {{app: web}}}}}}]
      ports: [{ports}]
"""
POD = """\
---
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: shop}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "before.yaml").write_text(POLICY.format(ports="{port: 5432}, {port: 9000}"))
    (tmp_path / "after.yaml").write_text(POLICY.format(ports="{port: 5433}, {port: 9000}"))
    return tmp_path


ASKED = ("diff", "before.yaml", "after.yaml", "--cluster", "cluster.yaml")


@pytest.mark.parametrize("format_", ["text", "md"])
def test_what_is_lost_and_gained_is_told_with_its_rules(call, folder, update_golden, format_):
    code, out, _ = call(*ASKED, "--format", format_)
    assert code == 0
    golden.compare(f"diff.{format_}.txt", out, update_golden)


def test_json_names_the_deciding_rules_of_both_sides(call, folder):
    _, out, _ = call(*ASKED, "--format", "json")
    found = json.loads(out)
    assert found["pairs"] == {"added": 0, "removed": 0, "changed": 1}
    lost = found["changes"][0]
    assert (lost["change"], lost["sources"], lost["destinations"]) == ("lost", ["shop/Deployment/web"], ["shop/Pod/db"])
    assert lost["ports"] == [{"protocol": "TCP", "first": 5432, "last": 5432}]
    assert (lost["before"]["ingress"]["rule"], lost["before"]["ingress"]["file"]) == ("ingress[0]", "before.yaml")
    assert (lost["after"]["ingress"]["rule"], lost["after"]["ingress"]["file"]) == ("ingress isolation", "after.yaml")


@pytest.mark.parametrize(
    ("words", "code"), [(["lost"], 1), (["gained"], 1), (["changed"], 1), (["unknown"], 0), (["unknown", "lost"], 1)]
)
def test_the_exit_code_is_1_where_that_was_asked_for(call, folder, words, code):
    assert call(*ASKED, *(part for word in words for part in ("--fail-on", word)))[0] == code


def test_equal_policies_make_no_difference(call, folder):
    code, out, _ = call("diff", "before.yaml", "before.yaml", "-c", "cluster.yaml", "--fail-on", "changed")
    assert code == 0
    assert "No connection is lost, and none is gained." in out


def test_whole_folders_have_workloads_of_their_own(call, folder):
    for name, pod in (("one", "old"), ("two", "new")):
        (folder / name).mkdir()
        (folder / name / "all.yaml").write_text(CLUSTER + POD.replace("NAME", pod))
    code, out, _ = call("diff", "one", "two")
    assert code == 0
    assert "only in the baseline: shop/Pod/old" in out
    assert "only in the candidate: shop/Pod/new" in out
    assert "before  not there" in out


def test_entries_beyond_the_limit_are_counted(call, folder):
    _, out, _ = call(*ASKED, "--limit", "0")
    assert "... and 1 more entry, 1 pair" in out


def test_netpol_analyzers_format(call, folder):
    _, out, _ = call(*ASKED, "--format", "npa-txt")
    assert out == (
        "Connectivity diff:\ndiff-type: changed, source: shop/web[Deployment], destination: shop/db[Pod], "
        "ref1: TCP 5432,9000, ref2: TCP 5433,9000\n"
    )


def test_errors_of_either_side_are_told(call, folder):
    (folder / "bad.yaml").write_text(
        "kind: NetworkPolicy\napiVersion: networking.k8s.io/v1\nmetadata: {name: x}\nspec: 1\n"
    )
    code, _, err = call("diff", "before.yaml", "bad.yaml", "--cluster", "cluster.yaml")
    assert code == 2
    assert "bad.yaml:4" in err


def test_errors_of_both_sides_are_told_at_once(call, folder):
    code, _, err = call("diff", "no.yaml", "nor.yaml")
    assert code == 2
    assert "no.yaml: " in err
    assert "nor.yaml: " in err


def test_policies_alone_need_a_cluster(call, folder):
    code, _, err = call("diff", "before.yaml", "after.yaml")
    assert code == 2
    assert "before.yaml: this holds no workload. Name the cluster with --cluster" in err
    assert "after.yaml: this holds no workload" in err
