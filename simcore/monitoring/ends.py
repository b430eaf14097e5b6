"""What ends of flows are to metrics: their namespaces, workloads and nodes."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from ..analyses.ends import EndColumn
from ..kernels.places import NODES, PODS
from ..model.cluster import Cluster, Pod
from ..tables.layout import Tables

UNKNOWN_NODE = "unknown"
"""The node of a pod whose node is not told, or of whatever pod is behind a Service."""

_DNS_NAMES = frozenset({"kube-dns", "coredns", "node-local-dns", "rke2-coredns"})
_DNS_KEYS = ("k8s-app", "app", "app.kubernetes.io/name")
_OPENSHIFT_DNS = "dns.operator.openshift.io/daemonset-dns"
_RANGE = re.compile(r"[0-9a-f:.]+/[0-9]+")
_PRIVATE_V4 = (
    *((0x00000000, 8), (0x0A000000, 8), (0x64400000, 10), (0x7F000000, 8), (0xA9FE0000, 16), (0xAC100000, 12)),
    *((0xC0A80000, 16), (0xC6120000, 15), (0xE0000000, 3)),
)
"""RFC 6890, but for the ranges for documentation: examples take these for public ones."""


class EndNames:
    """Names of the objects of some tables.

    Attributes
    ----------
    namespaces : tuple of str
        The first, empty, is that of what is in none.
    namespace_of : int64[objects]
        Position in `namespaces`.
    nodes : tuple of str
        The last is UNKNOWN_NODE.
    node_of : int64[objects]
        Position in `nodes`.
    workload_of : int64[objects]
        Position in `Tables.labels`.
    is_pod, is_inside, is_dns, is_outside : bool[objects]
        A pod; a pod, a node or a Service; a pod that answers DNS; an address that is nobody's of the cluster.
    """

    def __init__(self, tables: Tables) -> None:
        arrays, cluster = tables.arrays, tables.cluster
        pods, nodes = int(arrays.limits[PODS]), int(arrays.limits[NODES])
        objects = tables.label_of.size
        self._labels = tables.labels
        self.workload_of = tables.label_of.astype(np.int64)
        names = [tables.labels[label].removeprefix("node/") for label in tables.label_of[pods : pods + nodes]]
        self.nodes = (*names, UNKNOWN_NODE)
        self.node_of = np.where(arrays.object_node < 0, nodes, arrays.object_node).astype(np.int64)
        self.is_pod = np.arange(objects) < pods
        self.is_dns = np.zeros(objects, bool)
        self.is_dns[[number for number, pod in enumerate(cluster.pods) if answers_dns(pod)]] = True
        spaces = _namespaces_of_labels(cluster)
        found = [spaces.get(label) for label in tables.labels]
        self.namespaces = tuple(sorted({name for name in found if name} | {""}))
        position = {name: number for number, name in enumerate(self.namespaces)}
        self.namespace_of = np.array([position[name or ""] for name in found], np.int64)[self.workload_of]
        is_ours = np.array([name is not None for name in found])[self.workload_of]
        self.is_inside = is_ours | (np.arange(objects) < pods + nodes)
        self.is_outside = np.array([bool(_RANGE.fullmatch(label)) for label in tables.labels])[self.workload_of]
        self.is_outside[tables.external] = True

    def workload(self, number: int) -> tuple[str, str]:
        """Return the namespace of what a label names, and the rest of the label."""
        label = self._labels[number]
        namespace, _, rest = label.partition("/")
        return (namespace, rest) if namespace in self.namespaces and "/" in rest else ("", label)


def answers_dns(pod: Pod) -> bool:
    """Whether a pod is one of the cluster's DNS servers, by the labels that they are known to carry."""
    named = any(pod.labels.get(key) in _DNS_NAMES for key in _DNS_KEYS)
    return pod.is_plain and (named or _OPENSHIFT_DNS in pod.labels)


def _namespaces_of_labels(cluster: Cluster) -> dict[str, str]:
    """Return the namespace of each label of a pod or a Service."""
    found: dict[str, str] = {}
    for pod in cluster.pods:
        found[str(pod.workload)] = found[f"{pod.workload} (shared address)"] = pod.namespace
    for service in cluster.services:
        found[str(service.ref)] = service.namespace
    return found


def public(end: EndColumn) -> NDArray[np.bool_]:
    """Tell which addresses are public ones."""
    if end.v4 is not None:
        found = _public_v4(end.v4)
        return found & end.known if end.known.size else found
    wide = end.widened()
    is_v4 = (wide.high == 0) & (wide.low >> np.uint64(32) == np.uint64(0xFFFF))
    low = _public_v4((wide.low & np.uint64(0xFFFFFFFF)).astype(np.uint32))
    found = np.where(is_v4, low, wide.high >> np.uint64(61) == 1)
    return np.asarray(found & wide.known)


def _public_v4(addresses: NDArray[np.uint32]) -> NDArray[np.bool_]:
    private = np.zeros(addresses.size, bool)
    for first, length in _PRIVATE_V4:
        private |= addresses >> np.uint32(32 - length) == np.uint32(first >> (32 - length))
    return ~private
