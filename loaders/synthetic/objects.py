"""Namespaces, nodes, pods and Services of a made-up cluster, as Kubernetes would list them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any

from .workloads import Group, Work

Document = dict[str, Any]

_NODES_V4 = int(IPv4Address("10.0.0.10"))
_NODES_V6 = int(IPv6Address("fd00:10::10"))
_PODS_V4 = int(IPv4Address("10.32.0.0"))
_PODS_V6 = int(IPv6Address("fd00:10:32::"))
_SERVICES_V4 = int(IPv4Address("10.96.1.0"))
_SERVICES_V6 = int(IPv6Address("fd00:10:96::100"))
_BLOCK = 512
_MOST_NODES = 4_096
DNS_ADDRESS = "10.96.0.10"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SERVED_TIERS = ("web", "api", "db", "cache", "queue")
_OWNER_VERSIONS = {"Job": "batch/v1"}


def namespace_documents(groups: Iterable[Group]) -> list[Document]:
    """Return the namespaces, ``default`` among them."""
    default = {"name": "default", "labels": {"kubernetes.io/metadata.name": "default"}}
    named = [{"name": group.name, "labels": group.labels} for group in groups]
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata} for metadata in [default, *named]]


class Nodes:
    """The nodes of a cluster, and the addresses that each still has for pods.

    Raises
    ------
    ValueError
        There are more nodes than address blocks.
    """

    def __init__(self, count: int, dual_stack: bool, random: Random) -> None:
        if count > _MOST_NODES:
            raise ValueError(f"a made-up cluster has at most {_MOST_NODES} nodes, not {count}")
        self._dual_stack = dual_stack
        self._names = [f"node-{number:04d}" for number in range(count)]
        self._used = [1] * count
        order = list(range(count))
        random.shuffle(order)
        self._turns = itertools.cycle(order)
        self._random = random

    def __len__(self) -> int:
        return len(self._names)

    def documents(self) -> list[Document]:
        """Return the nodes, each with a name and its internal addresses."""
        return [self._document(number) for number in range(len(self._names))]

    def name(self, number: int) -> str:
        """Return the name of a node."""
        return self._names[number]

    def next(self) -> int:
        """Return the node whose turn it is to take a pod."""
        return next(self._turns)

    def addresses(self, number: int) -> list[str]:
        """Return the addresses of the node itself."""
        addresses = [str(IPv4Address(_NODES_V4 + number))]
        return [*addresses, str(IPv6Address(_NODES_V6 + number))] if self._dual_stack else addresses

    def pod_addresses(self, number: int, dual_stack: bool, keep: bool) -> list[str]:
        """Return the next free addresses on a node; they stay free unless `keep`.

        Raises
        ------
        ValueError
            The node has no free address.
        """
        slot = self._used[number]
        if slot >= _BLOCK - 1:
            raise ValueError(f"there are more pods than the {len(self._names)} nodes have addresses for")
        self._used[number] += keep
        addresses = [str(IPv4Address(_PODS_V4 + number * _BLOCK + slot))]
        return [*addresses, str(IPv6Address(_PODS_V6 + (number << 64) + slot))] if dual_stack else addresses

    def _document(self, number: int) -> Document:
        labels = {
            "kubernetes.io/hostname": self._names[number],
            "topology.kubernetes.io/zone": f"zone-{number % 3}",
        }
        addresses = [{"type": "InternalIP", "address": address} for address in self.addresses(number)]
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self._names[number], "labels": labels},
            "status": {
                "addresses": [*addresses, {"type": "Hostname", "address": self._names[number]}],
                "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            },
        }


def pod_documents(works: Iterable[Work], nodes: Nodes, random: Random) -> Iterator[Document]:
    """Enumerate the pods, workload by workload."""
    for work in works:
        template = _template(work, random)
        for number in range(work.replicas):
            yield _pod(work, template, number, nodes, random)


def _template(work: Work, random: Random) -> tuple[dict[str, str], Document]:
    """Return what the pods of a workload share: labels and owner."""
    revision = _letters(random, 10)
    labels = {
        "app": work.app,
        "app.kubernetes.io/name": work.app,
        "tier": work.tier,
        "team": work.group.team,
    } | work.labels
    kind, name = work.kind, work.name
    if kind == "Deployment":
        kind, name = "ReplicaSet", f"{name}-{revision}"
        labels["pod-template-hash"] = revision
    elif kind == "Job":
        name = f"{name}-{random.randint(29_000_000, 29_999_999)}"
        labels["job-name"] = name
    else:
        labels["controller-revision-hash"] = f"{name}-{revision}"
    version = _OWNER_VERSIONS.get(kind, "apps/v1")
    return labels, {"apiVersion": version, "kind": kind, "name": name, "controller": True}


def _pod(work: Work, template: tuple[dict[str, str], Document], number: int, nodes: Nodes, random: Random) -> Document:
    labels, owner = template
    if work.kind == "StatefulSet":
        name = f"{work.name}-{number}"
        labels = labels | {"statefulset.kubernetes.io/pod-name": name}
    else:
        name = f"{owner['name']}-{_letters(random, 5)}{number if work.replicas > 99 else ''}"
    node = number % len(nodes) if work.kind == "DaemonSet" else nodes.next()
    finished = work.kind == "Job" and random.random() < 0.8
    addresses = (
        nodes.addresses(node) if work.host_network else nodes.pod_addresses(node, work.dual_stack, keep=not finished)
    )
    phase = ("Failed" if random.random() < 0.1 else "Succeeded") if finished else "Running"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": work.group.name,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": _pod_spec(work, nodes.name(node)),
        "status": {"phase": phase, "podIP": addresses[0], "podIPs": [{"ip": text} for text in addresses]},
    }


def _pod_spec(work: Work, node: str) -> Document:
    container: Document = {"name": work.app}
    if work.ports:
        container["ports"] = [_container_port(*port) for port in work.ports]
    spec: Document = {"nodeName": node, "containers": [container]}
    return spec | {"hostNetwork": True} if work.host_network else spec


def _container_port(name: str, protocol: str, number: int) -> Document:
    return {"name": name, "containerPort": number, "protocol": protocol} if name else {"containerPort": number}


def _letters(random: Random, count: int) -> str:
    return "".join(random.choices(_LETTERS, k=count))


def service_documents(works: Iterable[Work], random: Random) -> Iterator[Document]:
    """Enumerate the Services: of DNS and ingress, and of every workload that serves others."""
    numbers = itertools.count()
    for work in works:
        if work.name == "coredns":
            yield _service(work, "kube-dns", {"k8s-app": "kube-dns"}, [DNS_ADDRESS, "fd00:10:96::a"], random)
        elif work.name == "ingress-nginx-controller":
            yield _ingress_service(work, next(numbers), random)
        elif work.name == work.app and (work.tier in _SERVED_TIERS or work.kind == "StatefulSet"):
            number = next(numbers)
            headless = work.kind == "StatefulSet" and random.random() < 0.4
            yield _service(
                work,
                work.name,
                {"app": work.app},
                ["None"] if headless else _cluster_ips(number, work),
                random,
            )


def _cluster_ips(number: int, work: Work) -> list[str]:
    addresses = [str(IPv4Address(_SERVICES_V4 + number))]
    return [*addresses, str(IPv6Address(_SERVICES_V6 + number))] if work.dual_stack else addresses


def _service(work: Work, name: str, selector: dict[str, str], addresses: list[str], random: Random) -> Document:
    served = work.ports if work.tier == "system" else [port for port in work.ports if port[0] != "metrics"]
    node_port = work.tier == "web" and random.random() < 0.05
    spec: Document = {
        "type": "NodePort" if node_port else "ClusterIP",
        "clusterIP": addresses[0],
        "clusterIPs": addresses,
        "selector": selector,
        "ports": [_service_port(*port, random) for port in served],
    }
    if node_port:
        spec["ports"][0]["nodePort"] = random.randint(30_100, 32_767)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": work.group.name, "labels": {"app": work.app}},
        "spec": spec,
    }


def _service_port(name: str, protocol: str, number: int, random: Random) -> Document:
    target: int | str = name if name and random.random() < 0.7 else number
    public = 80 if name == "http" else number
    return {"name": name or "main", "protocol": protocol, "port": public, "targetPort": target}


def _ingress_service(work: Work, number: int, random: Random) -> Document:
    document = _service(
        work, work.name, {"app.kubernetes.io/name": "ingress-nginx"}, _cluster_ips(number, work), random
    )
    document["spec"]["type"] = "LoadBalancer"
    for port, node_port in zip(document["spec"]["ports"], (30_080, 30_443, 30_054), strict=True):
        port["nodePort"] = node_port
    document["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.10"}]}}
    return document
