"""The objects of the demo's shop."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]

_NODES = ("node-1", "node-2", "node-3")
_METRICS = ("metrics", "TCP", 9102)
_HTTP = ("http", "TCP", 8080)
_HASH = "7c5d9f6b8"
_SUFFIXES = ("k2x8q", "m4w7z", "t9b5c")


@dataclass(frozen=True, slots=True)
class Item:
    """A workload of the shop, and the address of its Service if it has one."""

    namespace: str
    kind: str
    name: str
    replicas: int
    ports: tuple[tuple[str, str, int], ...] = ()
    service: str = ""
    host_network: bool = False


ITEMS = (
    Item("ingress-nginx", "Deployment", "ingress-nginx", 2, (("http", "TCP", 80), ("https", "TCP", 443))),
    Item("shop", "Deployment", "frontend", 3, (_HTTP, _METRICS), "10.96.20.1"),
    Item("shop", "Deployment", "cart", 2, (_HTTP, _METRICS), "10.96.20.2"),
    Item("shop", "Deployment", "catalog", 2, (_HTTP, _METRICS), "10.96.20.3"),
    Item("shop", "Deployment", "checkout", 3, (_HTTP, _METRICS), "10.96.20.4"),
    Item("shop", "StatefulSet", "postgres", 1, (("postgres", "TCP", 5432), _METRICS), "10.96.20.5"),
    Item("shop", "StatefulSet", "redis", 1, (("redis", "TCP", 6379), _METRICS), "10.96.20.6"),
    Item("shop", "Pod", "toolbox", 1),
    Item("payments", "Deployment", "gateway", 2, (("https", "TCP", 8443), _METRICS), "10.96.30.1"),
    Item("payments", "StatefulSet", "ledger", 1, (("postgres", "TCP", 5432), _METRICS), "10.96.30.2"),
    Item("payments", "Deployment", "settlement", 1, (_METRICS,)),
    Item("monitoring", "StatefulSet", "prometheus", 1, (("web", "TCP", 9090),), "10.96.40.1"),
    Item("monitoring", "Deployment", "grafana", 1, (("http", "TCP", 3000),)),
    Item("kube-system", "Deployment", "coredns", 2, (("dns", "UDP", 53), ("dns-tcp", "TCP", 53)), "10.96.0.10"),
    Item("kube-system", "DaemonSet", "kube-proxy", 3, (("metrics", "TCP", 10249),), "", True),
)


def shop_documents() -> list[Document]:
    """Return the shop's namespaces, nodes, pods and Services."""
    namespaces = dict.fromkeys(item.namespace for item in ITEMS)
    slots = itertools.count()
    return [
        *(_namespace(name) for name in namespaces),
        *(_node(number, name) for number, name in enumerate(_NODES, 1)),
        *(pod for item in ITEMS for pod in _pods(item, slots)),
        *(_service(item) for item in ITEMS if item.service),
    ]


def _namespace(name: str) -> Document:
    metadata = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _node(number: int, name: str) -> Document:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"10.0.0.1{number}"}],
            "capacity": {"cpu": "8", "memory": "32Gi"},
        },
    }


def _pods(item: Item, slots: Iterator[int]) -> Iterator[Document]:
    for number in range(item.replicas):
        slot = next(slots)
        node = (number if item.kind == "DaemonSet" else slot) % len(_NODES)
        address = f"10.0.0.1{node + 1}" if item.host_network else f"10.244.{node + 1}.{slot + 10}"
        container: Document = {"name": item.name}
        if item.ports:
            container["ports"] = [_port(*port) for port in item.ports]
        spec: Document = {"nodeName": _NODES[node], "containers": [container]}
        if item.host_network:
            spec["hostNetwork"] = True
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": _metadata(item, number),
            "spec": spec,
            "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
        }


def _port(name: str, protocol: str, number: int) -> Document:
    return {"name": name, "containerPort": number, "protocol": protocol}


def _metadata(item: Item, number: int) -> Document:
    metadata: Document = {"name": item.name, "namespace": item.namespace, "labels": _labels(item)}
    if item.kind == "Pod":
        return metadata
    owner = {"apiVersion": "apps/v1", "kind": item.kind, "name": item.name, "controller": True}
    if item.kind == "StatefulSet":
        metadata["name"] = f"{item.name}-{number}"
    elif item.kind == "DaemonSet":
        metadata["name"] = f"{item.name}-{_SUFFIXES[number]}"
    else:
        metadata["labels"]["pod-template-hash"] = _HASH
        metadata["name"] = f"{item.name}-{_HASH}-{_SUFFIXES[number]}"
        owner |= {"kind": "ReplicaSet", "name": f"{item.name}-{_HASH}"}
    return metadata | {"ownerReferences": [owner]}


def _labels(item: Item) -> dict[str, str]:
    return {"k8s-app": "kube-dns"} if item.name == "coredns" else {"app": item.name}


def _service(item: Item) -> Document:
    served = [port for port in item.ports if port != _METRICS]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns" if item.name == "coredns" else item.name, "namespace": item.namespace},
        "spec": {
            "clusterIP": item.service,
            "clusterIPs": [item.service],
            "selector": _labels(item),
            "ports": [
                {"name": name, "protocol": protocol, "port": number, "targetPort": name}
                for name, protocol, number in served
            ],
        },
    }
