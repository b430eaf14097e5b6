"""What Cilium's agent does by itself, whatever policies say."""

from dataclasses import replace

import pytest

from simcore.model.addresses import Address
from simcore.model.cluster import Cluster, Node, Pod
from simcore.model.flows import End, Flow, Verdict
from simcore.model.plugins import plugin_named
from simcore.model.requests import Request
from tests.engines import engines
from tests.manifests import load

CILIUM = plugin_named("cilium").profile
OUTSIDE = "192.0.2.1"
NODES = {"one": "10.9.0.1", "two": "10.9.0.2"}
INIT = Pod("", "init", {}, (Address.parse("10.0.0.1"),), "one", reserved="init")
CLUSTER = Cluster.of((), (INIT,), [Node(name, (Address.parse(text),)) for name, text in NODES.items()])


def verdict(engine, source, destination, **agent):
    flow = Flow(End(Address.parse(source)), End(Address.parse(destination)), 6, 80)
    profile = replace(CILIUM, cilium=replace(CILIUM.cilium, **agent))
    (judgement,) = engines()[engine](CLUSTER, (), [flow], profile)
    return judgement.verdict


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize("ends", [(OUTSIDE, NODES["one"]), (NODES["one"], OUTSIDE), (NODES["one"], NODES["two"])])
def test_nodes_are_closed_where_enforcement_is_always_on_and_they_have_a_firewall(engine, ends):
    always = {"policy_enforcement_mode": "always"}
    assert verdict(engine, *ends, **always, host_firewall=True) is Verdict.DENY
    assert verdict(engine, *ends, **always) is Verdict.ALLOW
    assert verdict(engine, *ends, host_firewall=True) is Verdict.ALLOW


@pytest.mark.parametrize("engine", engines())
def test_a_node_reaches_itself_whatever_its_firewall_says(engine):
    agent = {"policy_enforcement_mode": "always", "host_firewall": True}
    assert verdict(engine, NODES["one"], NODES["one"], **agent) is Verdict.ALLOW


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize(("version", "expected"), [((1, 19), Verdict.ALLOW), ((1, 20), Verdict.DENY)])
def test_an_endpoint_in_creation_that_no_rule_selects_refuses_its_own_node_from_1_20_on(engine, version, expected):
    assert verdict(engine, NODES["one"], "10.0.0.1", version=version) is expected
    assert verdict(engine, NODES["two"], "10.0.0.1", version=version) is Verdict.DENY


def document(api_version, kind, name, spec, namespace=None, **rest):
    metadata = {"name": name, "labels": {"app": name}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec, **rest}


@pytest.mark.parametrize("engine", engines())
@pytest.mark.parametrize(("path", "wanted"), [("/open", Verdict.ALLOW), ("/other", Verdict.UNKNOWN)])
def test_a_request_that_only_the_baseline_tier_allows_is_unknown(engine, path, wanted):
    def pod(name, address):
        status = {"phase": "Running", "podIPs": [{"ip": address}]}
        return document("v1", "Pod", name, {"nodeName": "one", "containers": []}, "shop", status=status)

    ports = [{"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": [{"path": "/open"}]}}]
    own = {"endpointSelector": {}, "ingress": [{"fromEndpoints": [{}], "toPorts": ports}]}
    everywhere = {"namespaces": {}}
    accept = [{"action": "Accept", "from": [everywhere]}]
    baseline = {"tier": "Baseline", "priority": 1, "subject": everywhere, "ingress": accept}
    found = load(
        pod("web", "10.0.0.1"),
        pod("api", "10.0.0.2"),
        document("cilium.io/v2", "CiliumNetworkPolicy", "api", own, "shop"),
        document("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "all", baseline),
    )
    ends = (End(pod=f"shop/{name}") for name in ("web", "api"))
    flow = Flow(*ends, 6, 80, request=Request(http_path=path))
    (judgement,) = engines()[engine](found.cluster, found.policies, [flow], CILIUM)
    assert judgement.verdict is wanted
