"""The pods that rules ask questions about: one of each sort that selectors could tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ..model.cluster import Cluster, Pod, WorkloadRef
from ..model.policy import Action, PolicyRef, Rule

SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease")
"""Namespaces that are the cluster's own: nobody closes them by default."""
NEWCOMER = "newcomer"


@dataclass(frozen=True, slots=True)
class Sort:
    """Pods of one workload with the same labels: one of them to ask about, and how many there are."""

    pod: Pod
    pods: int

    @property
    def workload(self) -> str:
        """``namespace/Kind/name`` of their workload."""
        return str(self.pod.workload)


@dataclass(frozen=True, slots=True)
class Bound:
    """Pods of one sort, and the rules that bind them in one direction, or may, in the order of the walk."""

    sort: Sort
    rules: tuple[Rule, ...]

    def is_closed_by(self, policy: PolicyRef) -> bool:
        """Whether a policy isolates these pods."""
        return any(rule.closes and rule.policy == policy for rule in self.rules)

    @property
    def is_closed(self) -> bool:
        """Whether they are isolated, and no rule lets any connection through."""
        return bool(self.rules) and all(rule.action is Action.DENY for rule in self.rules)


def is_bindable(pod: Pod) -> bool:
    """Whether it is a running pod that policies can bind."""
    return pod.is_plain and not pod.finished and not pod.host_network


def sorts(cluster: Cluster) -> Iterator[Sort]:
    """Yield the pods that policies can bind, those of one workload with the same labels together."""
    found: dict[tuple[WorkloadRef, frozenset[tuple[str, str]], str], list[Pod]] = {}
    for pod in cluster.pods:
        if is_bindable(pod):
            found.setdefault((pod.workload, frozenset(pod.labels.items()), pod.account), []).append(pod)
    for pods in found.values():
        yield Sort(pods[0], len(pods))


def with_newcomers(cluster: Cluster) -> Cluster:
    """Return a cluster with a further pod in every namespace, of a Deployment, that carries no label at all."""
    pods = [
        Pod(name, NEWCOMER, {}, owners=(WorkloadRef(name, "Deployment", NEWCOMER),))
        for name in cluster.namespaces
        if f"{name}/{NEWCOMER}" not in cluster.pod_numbers
    ]
    return replace(cluster, pods=tuple(sorted((*cluster.pods, *pods), key=lambda pod: (pod.namespace, pod.name))))
