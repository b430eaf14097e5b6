"""How the ends of rules are told: selectors of workloads, blocks of addresses, name servers."""

import pytest

from simcore.advice.proposals import BlockPeer, PodPeer
from simcore.advice.rules.blocks import External, blocks_of, joined
from simcore.advice.rules.building import ranges_of
from simcore.advice.rules.dns import name_servers
from simcore.advice.rules.selectors import Selectors
from simcore.model.addresses import Address, Cidr
from simcore.model.cluster import WorkloadRef
from simcore.model.ports import TCP, UDP, PortRange

from ...manifests import load


def pod(name, namespace="shop", owner=None, **labels):
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {key.replace("__", "/"): v for key, v in labels.items()},
    }
    if owner:
        kind, owned = owner
        metadata["ownerReferences"] = [{"apiVersion": "apps/v1", "kind": kind, "name": owned, "controller": True}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "status": {"phase": "Running"}}


def selector(workload, *pods):
    return Selectors(load(*pods).cluster).of(WorkloadRef("shop", *workload))


def labels(**values):
    return tuple((key, (value,)) for key, value in values.items())


def test_a_workload_is_selected_by_the_label_that_people_go_by():
    found = selector(("Pod", "a"), pod("a", zone="x", app="a", tier="t"), pod("b", app="b"))
    assert found.labels == labels(app="a")
    assert found.others == ()


def test_more_labels_are_taken_where_one_does_not_tell():
    pods = [pod("a", app="x", tier="web"), pod("b", app="x", tier="db"), pod("c", app="y", tier="web")]
    assert selector(("Pod", "a"), *pods).labels == labels(app="x", tier="web")


def test_labels_of_controllers_are_left_aside():
    pods = [
        pod(f"s-{n}", owner=("StatefulSet", "s"), statefulset__x="", app="s", **{"controller-revision-hash": "1"})
        for n in range(2)
    ]
    for number, each in enumerate(pods):
        each["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = f"s-{number}"
    assert selector(("StatefulSet", "s"), *pods).labels == labels(app="s")
    assert selector(("Pod", "j"), pod("j", **{"job-name": "j"}), pod("b", app="b")).labels == ()


def test_only_labels_that_all_pods_of_a_workload_carry_select_it():
    pods = [pod(f"s-{n}", owner=("StatefulSet", "s"), app="s", role=f"r{n}") for n in range(2)]
    other = pod("o", app="s")
    assert selector(("StatefulSet", "s"), *pods, other).labels == labels(app="s")
    assert selector(("StatefulSet", "s"), *pods, other).others == ("shop/Pod/o",)


def test_a_pod_of_another_namespace_does_not_matter():
    assert selector(("Pod", "a"), pod("a", app="x", tier="t"), pod("b", "other", app="x")).labels == labels(app="x")


def covered(texts, external, *pods):
    blocks = blocks_of(list(map(Address.parse, texts)), external, load(*pods).cluster)
    return [str(peer.cidr) for each in blocks for peer in each.peers], [each.widened for each in blocks], blocks


def test_few_addresses_are_listed_and_neighbours_joined():
    cidrs, widened, _ = covered(["192.0.2.2", "192.0.2.3", "192.0.2.9"], External())
    assert cidrs == ["192.0.2.2/31", "192.0.2.9/32"]
    assert widened == [""]


def test_more_become_blocks_and_the_whole_internet_where_these_are_many():
    nine = [f"203.0.113.{n * 2}" for n in range(9)]
    assert covered(nine, External())[0] == ["203.0.113.0/24"]
    assert covered(nine, External("exact"))[0][0] == "203.0.113.0/32"
    spread = [f"8.8.{n * 2}.1" for n in range(17)]
    cidrs, widened, blocks = covered(spread, External())
    assert cidrs == ["0.0.0.0/0"]
    assert widened == ["the whole Internet, from 17 addresses"]
    assert Cidr.parse("10.0.0.0/8") in blocks[0].peers[0].excluded


def test_private_addresses_never_become_the_internet():
    cidrs, _, _ = covered([f"10.1.{n}.1" for n in range(40)], External("any"))
    assert "0.0.0.0/0" not in cidrs


def test_widened_blocks_leave_the_cluster_out():
    inside = pod("a", app="a")
    inside["status"]["podIP"] = "203.0.113.7"
    _, _, blocks = covered(["203.0.113.1"], External("length", 24), inside)
    assert blocks[0].peers == (BlockPeer(Cidr.parse("203.0.113.0/24"), (Cidr.parse("203.0.113.7/32"),)),)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"], ["10.0.0.0/30"]),
        (["10.0.0.1/32", "10.0.0.2/32"], ["10.0.0.1/32", "10.0.0.2/32"]),
        (["10.0.0.0/24", "10.0.0.7/32"], ["10.0.0.0/24"]),
        (["0.0.0.0/1", "128.0.0.0/1"], ["0.0.0.0/0"]),
        (["::/128", "::1/128", "0.0.0.0/32"], ["0.0.0.0/32", "::/127"]),
    ],
)
def test_blocks_are_joined_without_gaining_an_address(given, wanted):
    assert list(map(str, joined(map(Cidr.parse, given)))) == wanted


def test_ports_that_follow_each_other_are_a_range():
    assert ranges_of([(TCP, 81), (TCP, 80), (UDP, 82), (TCP, 83)]) == (
        PortRange(TCP, 80, 81),
        PortRange(TCP, 83, 83),
        PortRange(UDP, 82, 82),
    )


def service(name, target, **selector):
    ports = [{"port": 53, "protocol": "UDP", "targetPort": target}]
    spec = {"clusterIP": "10.96.0.10", "selector": selector, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "dns"}, "spec": spec}


def test_name_servers_are_found_by_their_service_at_their_own_port():
    found = name_servers(load(service("dns-default", 5353, role="names"), pod("d", "dns", role="names")).cluster)
    assert found.peers == (PodPeer("dns", labels(role="names")),)
    assert PortRange(UDP, 5353, 5353) in found.ports
    assert found.answers(TCP, 53)


def test_only_workloads_whose_every_pod_is_selected_are_name_servers():
    server = service("dns-default", 53, role="names")
    pods = [pod(name, "dns", ("ReplicaSet", name[0]), role="names") for name in ("a-1", "a-2", "b-1", "c-1", "c-2")]
    pods[1]["metadata"]["labels"] = {"role": "spare"}
    pods[2]["spec"] = {"hostNetwork": True}
    found = name_servers(load(server, *pods).cluster)
    assert found.peers == (PodPeer("dns", labels(role="names")),)
    assert found.workloads == {WorkloadRef("dns", "ReplicaSet", "c")}


def test_name_servers_are_found_by_their_labels_and_guessed_where_there_are_none():
    found = name_servers(load(pod("d", "kube-system", **{"k8s-app": "coredns", "x": "y"})).cluster)
    assert found.peers == (PodPeer("kube-system", (("k8s-app", ("coredns",)),)),)
    none = name_servers(load(pod("a")).cluster)
    assert none.is_guess
    assert none.peers == (PodPeer("kube-system", (("k8s-app", ("kube-dns",)),)),)
