"""Who takes part in connections, and how Hubble writes them down as seen from a node."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from simcore.model.addresses import Address, Family
from simcore.model.cilium import is_identity_label
from simcore.model.cluster import Cluster, Pod
from simcore.model.flows import End

Record = dict[str, Any]

CLUSTER_NAME = "default"
_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "k8s:io.cilium.k8s.namespace.labels"
_POLICY = "k8s:io.cilium.k8s.policy"
_FIRST_IDENTITY = 10_000
_HOST, _WORLD, _REMOTE_NODE = 1, 2, 6


@dataclass(frozen=True, slots=True)
class Party:
    """One end of connections.

    Attributes
    ----------
    node : str
        Where it runs; the node itself for a node; empty outside.
    pod : str
        ``namespace/name``; empty for anything that is no endpoint of Cilium's: nodes, hostNetwork pods, the world.
    record : dict
        How an endpoint is written on any node but its own.
    number : int
        Of the endpoint on its own node.
    """

    address: Address
    node: str = ""
    pod: str = ""
    record: Record | None = None
    number: int = 0

    @property
    def is_managed(self) -> bool:
        """Whether policies bind it and its node writes down what becomes of its connections."""
        return bool(self.pod)

    @property
    def end(self) -> End:
        """The end of a flow that it is."""
        return End(self.address)

    def seen_from(self, node: str) -> Record:
        """Write it as the agent of a node does."""
        if self.record is not None:
            return {"ID": self.number, **self.record} if node == self.node else self.record
        if not self.node:
            return {"identity": _WORLD, "labels": ["reserved:world"]}
        name, identity = ("host", _HOST) if node == self.node else ("remote-node", _REMOTE_NODE)
        return {"identity": identity, "labels": [f"reserved:{name}"]}


class Parties:
    """The parties of a cluster by their addresses; an address that nobody owns is of the world outside."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        running = [pod for pod in cluster.pods if pod.is_plain and not pod.finished and not pod.host_network]
        labels = {pod.full_name: tuple(_identity_labels(cluster, pod)) for pod in running}
        identities = {held: _FIRST_IDENTITY + n for n, held in enumerate(sorted(set(labels.values())))}
        self._pods = {
            address: Party(address, pod.node, pod.full_name, _record(pod, labels, identities), 100 + number)
            for number, pod in enumerate(running)
            for address in pod.addresses
        }

    def at(self, address: Address) -> Party:
        """Return whoever has an address."""
        found = self._pods.get(address)
        return found or Party(address, self._cluster.node_at.get(address, ""))

    def of(self, pods: Iterable[Pod]) -> list[Party]:
        """Return some pods, each at its first IPv4 address; those without are left out."""
        addresses = (next((a for a in pod.addresses if a.family is Family.V4), None) for pod in pods)
        return [self._pods[address] for address in addresses if address in self._pods]


def _identity_labels(cluster: Cluster, pod: Pod) -> list[str]:
    held = [f"k8s:{key}={value}" for key, value in pod.labels.items() if is_identity_label(key)]
    of_namespace = cluster.namespace_labels(pod.namespace).items()
    held += [f"{_NAMESPACE_LABELS}.{key}={value}" for key, value in of_namespace]
    held += [f"{_POLICY}.cluster={CLUSTER_NAME}", f"{_POLICY}.serviceaccount={pod.account}"]
    return sorted([*held, f"{_NAMESPACE}={pod.namespace}"])


def _record(pod: Pod, labels: dict[str, tuple[str, ...]], identities: dict[tuple[str, ...], int]) -> Record:
    held = labels[pod.full_name]
    return {
        "identity": identities[held],
        "cluster_name": CLUSTER_NAME,
        "namespace": pod.namespace,
        "labels": list(held),
        "pod_name": pod.name,
        "workloads": [{"name": pod.workload.name, "kind": pod.workload.kind}],
    }
