"""When rules of lint keep silent, besides what the good examples of tests/cases/lint show."""

from pathlib import Path

import yaml

from tests.linting import CAPTURE, linted

CASES = Path(__file__).resolve().parents[2] / "cases/lint"
HEADER = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)


def pod(namespace, name, owner=None, **labels):
    metadata = {"name": name, "namespace": namespace, "labels": labels or {"app": name}}
    if owner:
        reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": owner, "controller": True}
        metadata["ownerReferences"] = [reference]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def policy(name, spec, api="networking.k8s.io/v1", kind="NetworkPolicy", namespace="shop"):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def codes(folder, code, *documents, plugin=None):
    (folder / "all.yaml").write_text(yaml.safe_dump_all(documents), "utf-8")
    return [finding.code for finding in linted(folder, code, plugin=plugin).findings]


def with_capture(folder, code, flows):
    """What is found in the bad example of a code with other flows: pairs of addresses."""
    for path in (CASES / code / "bad").glob("*.yaml"):
        (folder / path.name).write_text(path.read_text("utf-8"), "utf-8")
    rows = [
        f"2 1 eni-0 {source} {destination} 40000 443 6 4 400 1764000000 1764000001 ACCEPT OK"
        for source, destination in flows
    ]
    (folder / CAPTURE).write_text("\n".join([HEADER, *rows, ""]), "utf-8")
    return [finding.code for finding in linted(folder, code).findings]


def test_labels_that_are_in_use_everywhere_tell_nothing(tmp_path):
    names = ["n1", "n2", "n3", "n4"]
    web = policy("web", {"podSelector": {"matchLabels": {"tier": "web"}}, "policyTypes": ["Ingress"]})
    pods = [pod(name, "web", tier="web") for name in names]
    assert codes(tmp_path, "FV009", web, *pods) == []
    assert codes(tmp_path, "FV009", web, *pods[:3]) == ["FV009"]


def test_the_last_rule_of_an_ordered_list_may_allow_the_rest(tmp_path):
    spec = {"selector": "all()", "types": ["Egress"], "egress": [{"action": "Allow"}]}
    rest = policy("rest", spec, "projectcalico.org/v3", "GlobalNetworkPolicy", None)
    assert codes(tmp_path, "FV016", pod("shop", "web"), rest) == []
    spec["egress"][0] |= {"protocol": "TCP", "destination": {"ports": [443]}}
    assert codes(tmp_path, "FV016", pod("shop", "web"), rest) == ["FV016"]


def test_labels_that_both_ends_share_are_not_chosen_one_by_one(tmp_path):
    peer = {"namespaces": {"sameLabels": ["team"]}}
    spec = {
        "priority": 1,
        "appliedTo": [{"namespaceSelector": {}}],
        "ingress": [{"action": "Allow", "from": [peer]}],
    }
    shared = policy("shared", spec, "crd.antrea.io/v1beta1", "ClusterNetworkPolicy", None)
    around = [namespace("a", team="red"), namespace("b", team="red"), namespace("c", team="blue")]
    pods = [pod(name, "web") for name in "abc"]
    assert codes(tmp_path, "FV020", *around, *pods, shared) == []


def test_without_a_network_plugin_nothing_is_said_to_have_no_effect(tmp_path):
    of_cilium = policy("a", {"endpointSelector": {}, "ingress": [{}]}, "cilium.io/v2", "CiliumNetworkPolicy")
    of_antrea = policy("b", {"priority": 1, "appliedTo": [{"podSelector": {}}]}, "crd.antrea.io/v1beta1")
    assert codes(tmp_path, "FV018", pod("shop", "web"), of_cilium, of_antrea) == []
    assert codes(tmp_path, "FV018", pod("shop", "web"), of_cilium, of_antrea, plugin="calico") == ["FV018"] * 2


def test_a_workload_that_nothing_binds_is_no_pod_that_slipped_through(tmp_path):
    closed = [
        policy(name, {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Ingress"]})
        for name in ("web", "db")
    ]
    pods = [pod("shop", "web", owner="web"), pod("shop", "db", owner="db"), pod("shop", "debug")]
    assert codes(tmp_path, "FV021", *closed, *pods) == ["FV021"]
    assert codes(tmp_path, "FV021", *closed, *pods, pod("shop", "cart", owner="cart")) == []


def test_who_goes_outside_is_told_only_beside_others_that_do_not(tmp_path):
    web, api, db, outside = "10.244.1.7", "10.244.1.8", "10.244.2.9", "203.0.113.9"
    assert with_capture(tmp_path, "FV061", [(web, outside), (api, db), (db, api)]) == ["FV061"]
    assert with_capture(tmp_path, "FV061", [(web, outside), (api, db)]) == []
    assert with_capture(tmp_path, "FV061", [(web, outside), (api, outside), (db, api)]) == []


def test_a_few_flows_do_not_make_a_range_too_wide(tmp_path):
    assert with_capture(tmp_path, "FV062", [("10.244.1.7", "10.20.3.1")] * 50) == ["FV062"]
    assert with_capture(tmp_path, "FV062", [("10.244.1.7", "10.20.3.1")] * 49) == []
