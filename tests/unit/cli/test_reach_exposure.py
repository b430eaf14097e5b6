import json

import pytest

from tests import golden

CLUSTER = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: a}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: ops}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{namespaceSelector: {}}]
      ports: [{port: 80}]
    - from:
        - namespaceSelector: {matchLabels: {team: b}}
          podSelector: {matchExpressions: [{key: tier, operator: Exists}]}
      ports: [{port: 9090}]
  egress:
    - to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: kube-dns}}}]
      ports: [{protocol: UDP, port: dns}, {protocol: UDP, port: 53}]
    - to: [{ipBlock: {cidr: 10.0.0.0/8}}]
      ports: [{port: 443}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}]
    - from: [{podSelector: {matchLabels: {app: batch}}}]
"""


@pytest.fixture
def reach(call, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)

    def _reach(*arguments):
        return call("reach", "--cluster", str(path), "--exposure", *arguments)

    return _reach


@pytest.mark.parametrize("format_", ["text", "md", "npa-txt", "npa-csv"])
def test_formats(reach, update_golden, format_):
    code, out, _ = reach("--format", format_)
    assert code == 0
    golden.compare(f"reach_exposure.{format_}", out, update_golden)


def exposed(text):
    found = json.loads(text)["exposure"]
    return {(one["workload"], one["direction"]): one for one in found}


def test_json_names_selectors_and_a_pod_that_they_select(reach):
    _, out, _ = reach("--format", "json")
    web = exposed(out)["shop/Pod/web", "ingress"]
    assert web["protected"]
    assert web["any_pod"]["allowed"] == [{"protocol": "TCP", "first": 80, "last": 80}]
    (pods,) = web["pods"]
    assert (pods["namespace_selector"], pods["pod_selector"]) == ("team=b", "tier")
    assert pods["example"] == {"namespace_labels": {"team": "b"}, "labels": {"tier": "any"}}
    assert [one["first"] for one in pods["allowed"]] == [80, 9090]
    dns = exposed(out)["shop/Pod/web", "egress"]["pods"][0]
    assert dns["named"] == [{"protocol": "UDP", "name": "dns"}]
    assert {(one["workload"], one["direction"]) for one in json.loads(out)["unprotected"]} == {
        ("ops/Pod/probe", "egress"),
        ("ops/Pod/probe", "ingress"),
        ("shop/Pod/db", "egress"),
    }


def test_what_a_pod_has_already_is_left_out(reach):
    _, out, _ = reach("--format", "json")
    assert [one["pod_selector"] for one in exposed(out)["shop/Pod/db", "ingress"]["pods"]] == ["app=batch"]


def test_what_is_told_of_a_wider_selector_is_not_told_again(call, tmp_path):
    path = tmp_path / "cluster.yaml"
    wide = "    - from: [{podSelector: {}}]\n"
    path.write_text(CLUSTER + wide)
    _, out, _ = call("reach", "--cluster", str(path), "--exposure", "--to", "shop/db")
    assert "all ports  from any pod of shop" in out
    assert "app=batch" not in out
    path.write_text(CLUSTER + wide.rstrip() + "\n      ports: [{port: 1}]\n")
    _, out, _ = call("reach", "--cluster", str(path), "--exposure", "--to", "shop/db")
    assert "TCP 1  from any pod of shop" in out
    assert "all ports  from pods with app=batch of shop" in out


def test_of_sources_what_they_may_reach_and_of_destinations_by_whom(reach):
    _, out, _ = reach("--from", "shop/web", "--format", "json")
    assert set(exposed(out)) == {("shop/Pod/web", "egress")}
    _, out, _ = reach("--to", "shop", "--format", "json")
    assert set(exposed(out)) == {("shop/Pod/web", "ingress"), ("shop/Pod/db", "ingress")}
    code, _, err = reach("--from", "shop", "--to", "ops")
    assert code == 2
    assert "give one of them" in err


def test_one_port_is_shown_alone(reach):
    _, out, _ = reach("--port", "9090", "--to", "shop/web")
    assert "TCP 9090  from pods with tier of namespaces with team=b" in out
    assert "TCP 80" not in out


def test_formats_without_room_refuse(reach):
    code, _, err = reach("--format", "csv")
    assert code == 2
    assert "--exposure has no place in csv" in err
