"""What is proposed for small clusters: no pod is closed that was open, and what many share is one policy."""

from dataclasses import replace

import pytest

import simcore
from simcore.advice.hardening.baseline import default_deny
from simcore.advice.hardening.observed import observed
from simcore.advice.repair.restoring import repair
from simcore.advice.rules.blocks import External
from simcore.analyses.sightings import sightings
from simcore.model.addresses import Address
from simcore.model.cluster import Pod
from simcore.model.flows import End, Flow
from simcore.model.policy import Direction
from simcore.model.ports import TCP, UDP
from simcore.model.timeline import END
from simcore.report.proposals import manifests_text

from ...flows import SECOND, Flows
from ...manifests import load

APPS = ("a", "b", "c", "d")
SCRAPER = {"app": "prometheus"}


def pod(name, number, namespace="shop", labels=None, node=None):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {"app": name}},
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": "Running", "podIP": f"10.0.0.{number}"},
    }


PODS = [pod(name, number) for number, name in enumerate(APPS, 1)]
DNS = pod("coredns", 53, "kube-system", {"k8s-app": "kube-dns"})
PROMETHEUS = pod("prometheus", 90, "watch", SCRAPER)


def policy(name, selector, types, **rules):
    spec = {"podSelector": selector, "policyTypes": types, **rules}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def apps(*names):
    return {"matchExpressions": [{"key": "app", "operator": "In", "values": list(names)}]}


def flow(source, destination, port, protocol=TCP):
    ends = [End(Address.parse(end)) if end[0].isdigit() else End(pod=end) for end in (source, destination)]
    return Flow(*ends, protocol, port)


def lookups(*names):
    return [flow(f"shop/{name}", "kube-system/coredns", 53, UDP) for name in names]


def repaired(flows, *policies, pods=(*PODS, DNS)):
    changed = load(*pods, *policies)
    seen = sightings(Flows(flows), changed.cluster, (), changed.policies, threads=1)
    return repair(seen, changed.cluster, changed.policies, simcore.UPSTREAM, External())


@pytest.mark.parametrize(
    ("closed", "asking", "selected"),
    [
        ({}, ("a", "b"), ()),
        ({}, ("a",), (("app", ("a",)),)),
        (apps("a", "b", "c"), ("a", "b"), (("app", ("a", "b")),)),
        (apps("a", "b", "c"), ("c",), (("app", ("c",)),)),
    ],
)
def test_name_resolution_is_restored_for_all_only_where_all_are_closed(closed, asking, selected):
    found = repaired(lookups(*asking), policy("closed", closed, ["Egress"]))
    (only,) = found.policies
    assert (only.name, only.pods, set(only.rules)) == ("allow-dns-egress", selected, {Direction.EGRESS})
    assert found.notes == ()


def test_a_name_that_is_taken_is_not_used_again():
    there = policy("allow-dns-egress", {}, ["Egress"])
    assert [each.name for each in repaired(lookups("a", "b"), there).policies] == ["allow-dns-egress-2"]


def test_a_policy_that_closes_open_pods_says_so():
    twins = [pod("x-1", 11, labels={"app": "x", "n": "1"}), pod("x-2", 12, labels={"app": "x"})]
    closed = policy("closed", {"matchLabels": {"n": "1"}}, ["Ingress"])
    for each in twins:
        each["metadata"]["ownerReferences"] = [
            {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "x", "controller": True}
        ]
    found = repaired([flow("shop/a", "shop/x-1", 80)], closed, pods=(*PODS, *twins))
    assert found.notes == ("shop/allow-x-from-a isolates pods that were open before: shop/x-2",)


def hardened(flows, *documents):
    cluster = load(*documents).cluster
    closed = load(*documents, *_closed()).policies
    seen = sightings(Flows(flows), cluster, (), closed, threads=1)
    return observed(seen, cluster, simcore.UPSTREAM, ["shop"], External())


def _closed():
    import yaml

    return list(yaml.safe_load_all(manifests_text([default_deny("shop")])))


def scraped(*names):
    return [flow("watch/prometheus", f"shop/{name}", 9100) for name in names]


@pytest.mark.parametrize(
    ("names", "selected"), [(APPS, ()), (("a", "b", "c"), (("app", ("a", "b", "c")),)), (("a", "b"), None)]
)
def test_a_rule_that_many_share_is_one_policy(names, selected):
    found = hardened(scraped(*names), *PODS, DNS, PROMETHEUS).policies
    shared = [each.pods for each in found if each.name == "allow-from-prometheus"]
    assert shared == ([] if selected is None else [selected])
    assert len(found) == (4 if selected is None else 3)


def test_an_address_is_whose_it_was_at_the_time():
    """Pods a and b have one address in turn; a is gone when the third flow is seen."""
    cluster = load(*PODS[2:], *(pod(name, 7) for name in ("a", "b")), DNS).cluster
    numbers = cluster.pod_numbers
    lives = {numbers["shop/a"]: ((0, 2 * SECOND),), numbers["shop/b"]: ((2 * SECOND, END),)}
    cluster = replace(cluster, lives=lives)
    flows = [flow("shop/c", "10.0.0.7", port) for port in (80, 80, 81)]
    closed = load(*PODS, *_closed()).policies
    found = observed(
        sightings(Flows(flows), cluster, (), closed, threads=1), cluster, simcore.UPSTREAM, ["shop"], External()
    )
    ports = {
        each.name: [p.first for r in each.rules[Direction.INGRESS] for p in r.ports] for each in found.policies[2:4]
    }
    assert ports == {"a": [80], "b": [81]}


def test_workloads_that_nothing_was_seen_of_are_named():
    found = hardened([flow("shop/a", "shop/b", 80)], *PODS, DNS)
    assert list(map(str, found.silent)) == ["shop/Pod/c", "shop/Pod/d"]


def test_what_a_network_policy_cannot_say_is_counted():
    flows = [flow("shop/a", "shop/b", None, 1), flow("shop/a", "shop/b", 0), flow("shop/a", "shop/b", 80)]
    found = hardened(flows, *PODS, DNS)
    assert sum(found.needs.beyond.values()) == 2
    assert [each.name for each in found.policies[2:]] == ["a", "b"]


@pytest.mark.parametrize("made", [{"reserved": "ingress"}, {"stands_in": True}])
def test_endpoints_that_no_policy_selects_are_counted(made):
    cluster = load(*PODS, DNS).cluster
    cluster = replace(cluster, pods=(Pod("", "known-by-number", {}, **made), *cluster.pods))
    flows = [flow("known-by-number", "shop/a", 80), flow("shop/a", "known-by-number", 80), flow("shop/b", "shop/a", 80)]
    seen = sightings(Flows(flows), cluster, (), load(*PODS, DNS, *_closed()).policies, threads=1)
    found = observed(seen, cluster, simcore.UPSTREAM, ["shop"], External())
    assert list(found.needs.beyond.values()) == [2]
    assert [each.name for each in found.policies[2:]] == ["a", "b"]
