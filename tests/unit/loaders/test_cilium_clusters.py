"""What Cilium's own objects tell of a cluster."""

from random import Random

import pytest

from loaders.synthetic.edges import draw_traffic
from simcore.analyses.reachability import reachability
from simcore.cli.names import Names
from simcore.errors import LoadError, ResolveError
from simcore.model.addresses import Address
from simcore.model.cluster import ContainerPort, Node, WorkloadRef
from simcore.model.labels import NAMESPACE_NAME_LABEL
from simcore.model.ports import TCP
from simcore.model.services import frontends
from simcore.tables.build import build_tables
from tests.manifests import load


def cilium(kind, name, *, namespace=None, labels=None, **fields):
    metadata = {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        **({"labels": labels} if labels else {}),
    }
    return {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": metadata, **fields}


def node(name="one", *, health=None, ingress=None, addresses=(), labels=None):
    spec = {"addresses": [{"type": "InternalIP", "ip": ip} for ip in addresses]}
    spec |= {"health": health} if health else {}
    spec |= {"ingress": ingress} if ingress else {}
    return cilium("CiliumNode", name, labels=labels, spec=spec)


def identity(number, namespace="shop", account="web", *, cluster="here", of_namespace=None, **labels):
    told = {f"k8s:{key}": value for key, value in labels.items()}
    told |= {
        "k8s:io.kubernetes.pod.namespace": namespace,
        "k8s:io.cilium.k8s.policy.serviceaccount": account,
        "k8s:io.cilium.k8s.policy.cluster": cluster,
    }
    told |= {f"k8s:io.cilium.k8s.namespace.labels.{key}": value for key, value in (of_namespace or {}).items()}
    return cilium("CiliumIdentity", str(number), **{"security-labels": told})


def endpoint(name, number, *addresses, namespace="shop", host=None, ports=(), labels=()):
    networking = {"addressing": [{"ipv4": address} for address in addresses], **({"node": host} if host else {})}
    status = {"identity": {"id": number, "labels": list(labels)}, "networking": networking, "named-ports": list(ports)}
    return cilium("CiliumEndpoint", name, namespace=namespace, status=status)


def pod(name, *addresses, owner=None, ports=(), **spec):
    metadata = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
    if owner:
        metadata["ownerReferences"] = [{"kind": "ReplicaSet", "name": owner, "controller": True}]
    containers = [{"name": "one", "ports": [{"name": name, "containerPort": number} for name, number in ports]}]
    status = {"podIPs": [{"ip": address} for address in addresses]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": containers, **spec},
        "status": status,
    }


def ips(*texts):
    return tuple(Address.parse(text) for text in texts)


def cluster_of(*objects):
    return load(*objects).cluster


def stand_in(cluster, number):
    return cluster.pods[cluster.pod_numbers[cluster.identities[number]]]


def test_a_cilium_node_adds_addresses_to_its_node():
    given = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "one", "labels": {"zone": "a"}},
        "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
    }
    cluster = cluster_of(given, node(addresses=["192.0.2.1", "10.0.0.200"]))
    assert cluster.nodes == (Node("one", ips("192.0.2.1", "10.0.0.200"), {"zone": "a"}),)


def test_a_cilium_node_alone_is_a_node():
    cluster = cluster_of(node(addresses=["192.0.2.1"], labels={"zone": "b"}))
    assert cluster.nodes == (Node("one", ips("192.0.2.1"), {"zone": "b"}),)


def test_health_and_ingress_endpoints_of_a_node_are_reserved():
    cluster = cluster_of(node(health={"ipv4": "10.0.0.1", "ipv6": "fd00::1"}, ingress={"ipv4": "10.0.0.2"}))
    found = [pod for pod in cluster.pods if not pod.stands_in]
    assert [(pod.full_name, pod.reserved, pod.addresses, pod.node, str(pod.workload)) for pod in found] == [
        ("health:one", "health", ips("10.0.0.1", "fd00::1"), "one", "reserved/health"),
        ("ingress:one", "ingress", ips("10.0.0.2"), "one", "reserved/ingress"),
    ]
    assert cluster.pods_at[ips("10.0.0.2")[0]] == (cluster.pod_numbers["ingress:one"],)


def test_an_address_that_is_none_is_told_with_its_place():
    with pytest.raises(LoadError) as caught:
        load(node(addresses=["192.0.2.256"]), node("two", health={"ipv4": "here"}), endpoint("web", 300, "there"))
    told = [str(diagnostic) for diagnostic in caught.value.diagnostics]
    places = ("spec.addresses", "spec.health", "status.networking.addressing")
    assert all(place in text for place, text in zip(places, told, strict=True)), told


def test_an_endpoint_tells_the_addresses_that_its_pod_lacks():
    objects = [pod("web"), pod("db", "10.0.0.9"), pod("host", hostNetwork=True)]
    endpoints = [endpoint(name, 300, "10.0.0.1") for name in ("web", "db", "host")]
    found = {pod.name: pod.addresses for pod in cluster_of(*objects, *endpoints).pods if pod.is_plain}
    assert found == {"web": ips("10.0.0.1"), "db": ips("10.0.0.9"), "host": ()}


def test_an_endpoint_without_pod_is_a_pod():
    told = endpoint("gone", 300, "10.0.0.1", host="192.0.2.1", ports=[{"name": "http", "port": 80, "protocol": "TCP"}])
    cluster = cluster_of(
        node(addresses=["192.0.2.1"]), told, identity(300, app="web"), endpoint("other", 301, "10.0.0.2")
    )
    (gone,) = (pod for pod in cluster.pods if pod.is_plain)
    assert (gone.full_name, gone.labels, gone.node, gone.account) == ("shop/gone", {"app": "web"}, "one", "web")
    assert gone.addresses == ips("10.0.0.1")
    assert gone.ports == (ContainerPort("http", TCP, 80),)


def test_a_pod_stands_in_for_an_identity():
    cluster = cluster_of(identity(300, app="web", of_namespace={"team": "a", NAMESPACE_NAME_LABEL: "shop"}))
    found = stand_in(cluster, 300)
    assert (found.namespace, found.labels, found.account, found.addresses) == ("shop", {"app": "web"}, "web", ())
    assert found.stands_in
    assert not found.is_plain
    assert str(found.workload) == "shop/Identity/300"
    assert cluster.namespaces["shop"].labels == {"team": "a", NAMESPACE_NAME_LABEL: "shop"}


def test_labels_of_an_endpoint_make_an_identity_too():
    labels = ["k8s:app=web", "k8s:tier=", "k8s:io.kubernetes.pod.namespace=shop", "reserved:x", "k8s:a=b=c"]
    cluster = cluster_of(pod("web", "10.0.0.1"), endpoint("web", 300, labels=labels))
    assert stand_in(cluster, 300).labels == {"app": "web", "tier": "", "a": "b=c"}


def test_a_stand_in_has_what_the_pods_of_its_identity_share():
    shared, own = ("http", 80), ("debug", 90)
    pods = [
        pod("a", "10.0.0.1", owner="web", ports=[shared]),
        pod("b", "10.0.0.2", owner="web", ports=[shared, own]),
        pod("c", "10.0.0.3", owner="api"),
    ]
    endpoints = [endpoint("a", 300), endpoint("b", 300), endpoint("c", 301), endpoint("a2", 302)]
    cluster = cluster_of(*pods, *endpoints, identity(300, app="web"), identity(301), identity(302))
    assert stand_in(cluster, 300).workload == WorkloadRef("shop", "ReplicaSet", "web")
    assert stand_in(cluster, 300).ports == (ContainerPort("http", TCP, 80),)
    assert stand_in(cluster, 301).workload == WorkloadRef("shop", "ReplicaSet", "api")


def test_pods_of_other_clusters_keep_the_name_of_theirs():
    identities = [identity(300, app="web"), identity(301, app="db"), identity(302, "away", cluster="there", app="web")]
    cluster = cluster_of(*identities)
    assert stand_in(cluster, 301).labels == {"app": "db"}
    assert stand_in(cluster, 302).labels == {"app": "web", "io.cilium.k8s.policy.cluster": "there"}


def test_reserved_identities_have_stand_ins_where_cilium_runs():
    assert cluster_of(pod("web", "10.0.0.1")).identities == {}
    cluster = cluster_of(node())
    assert {number: stand_in(cluster, number).reserved for number in cluster.identities} == {
        3: "unmanaged",
        4: "health",
        5: "init",
        8: "ingress",
    }


def test_identities_of_no_pod_have_none():
    cluster = cluster_of(cilium("CiliumIdentity", "16777217", **{"security-labels": {"cidr:192.0.2.0/24": ""}}))
    assert 16777217 not in cluster.identities


def test_an_identity_whose_name_is_no_number():
    with pytest.raises(LoadError, match=r"metadata.name: 'web' is no number"):
        load(identity("web"))


def test_a_service_does_not_lead_to_stand_ins():
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"clusterIP": "10.96.0.1", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    cluster = cluster_of(service, pod("web", "10.0.0.1"), endpoint("web", 300), identity(300, app="web"))
    (frontend,) = frontends(cluster)
    assert [cluster.pods[target.pod].name for target in frontend.targets] == ["web"]


def test_names_mean_pods_and_not_stand_ins():
    cluster = cluster_of(pod("web", "10.0.0.1", owner="web"), endpoint("web", 300), identity(300, app="web"))
    assert stand_in(cluster, 300).workload == WorkloadRef("shop", "ReplicaSet", "web")
    names = Names(cluster)
    assert names.party("shop/ReplicaSet/web").pods == (cluster.pod_numbers["shop/web"],)
    assert names.party("shop/identity:300").pods == (cluster.pod_numbers["shop/identity:300"],)
    assert names.party("identity:4").pods == (cluster.pod_numbers["identity:4"],)


def test_traffic_is_not_drawn_between_stand_ins():
    with pytest.raises(ResolveError, match="no running pod"):
        draw_traffic(cluster_of(identity(300, app="web"), node(health={"ipv4": "10.0.0.1"})), Random("any"), 0.0)


def test_pairs_of_stand_ins_are_not_counted():
    cluster = cluster_of(pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), identity(300, app="web"))
    assert reachability(build_tables(cluster, ())).pairs == 2


def test_nothing_is_warned_of_stand_ins():
    assert load(identity(300, "elsewhere", app="web"), node(health={"ipv4": "10.0.0.1"})).diagnostics == ()
