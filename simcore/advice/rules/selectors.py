"""Selectors of workloads: the fewest stable labels that tell one from the others of its namespace."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

from ...model.cluster import Cluster, Pod, WorkloadRef
from ..proposals import Labels

UNSTABLE = frozenset(
    {
        "pod-template-hash",
        "pod-template-generation",
        "rollouts-pod-template-hash",
        "controller-revision-hash",
        "controller-uid",
        "job-name",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    }
)
"""Labels that controllers write: other ones at the next rollout, or on the next pod."""
_LAST = ("version", "app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart", "chart", "heritage")
"""Labels that change with a release, or tell nothing of what a pod is for."""
_FIRST = (
    *("app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/component", "component"),
    *("app.kubernetes.io/instance", "name", "role", "tier"),
)
"""Labels that people go by, best first."""
_MOST_KEYS = 12
_MOST_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class WorkloadSelector:
    """How to select the pods of a workload.

    Attributes
    ----------
    labels : Labels
        Empty: they have no label in common, so that every pod of the namespace is selected.
    others : tuple of str
        Further workloads whose pods it selects, for want of labels that tell them apart.
    """

    labels: Labels
    others: tuple[str, ...] = ()


class Selectors:
    """Finds selectors in one cluster; each workload's once."""

    def __init__(self, cluster: Cluster) -> None:
        self._pods: dict[str, dict[WorkloadRef, list[Pod]]] = defaultdict(lambda: defaultdict(list))
        for pod in cluster.pods:
            if pod.is_plain:
                self._pods[pod.namespace][pod.workload].append(pod)
        self._found: dict[WorkloadRef, WorkloadSelector] = {}

    def pods_of(self, workload: WorkloadRef) -> list[Pod]:
        """Return the pods of a workload."""
        return self._pods[workload.namespace][workload]

    def workloads_in(self, namespace: str) -> list[WorkloadRef]:
        """Return the workloads of a namespace that have a pod which policies bind."""
        return sorted(
            workload
            for workload, pods in self._pods[namespace].items()
            if any(not pod.host_network and not pod.finished for pod in pods)
        )

    def of(self, workload: WorkloadRef) -> WorkloadSelector:
        """Return the selector of a workload."""
        if workload not in self._found:
            self._found[workload] = self._find(workload)
        return self._found[workload]

    def _find(self, workload: WorkloadRef) -> WorkloadSelector:
        shared = _common(self.pods_of(workload))
        keys = sorted(shared, key=_rank)[:_MOST_KEYS]
        others = [
            (other, pod.labels)
            for other, pods in self._pods[workload.namespace].items()
            if other != workload
            for pod in pods
            if not pod.finished
        ]

        def caught(chosen: tuple[str, ...]) -> set[WorkloadRef]:
            wanted = [(key, shared[key]) for key in chosen]
            return {other for other, labels in others if all(labels.get(key) == value for key, value in wanted)}

        tries = [chosen for size in range(1, _MOST_AT_ONCE + 1) for chosen in combinations(keys, size)]
        for chosen in [*tries, tuple(keys)]:
            if chosen and not caught(chosen):
                return WorkloadSelector(_labels(shared, chosen))
        return WorkloadSelector(_labels(shared, tuple(keys)), tuple(sorted(map(str, caught(tuple(keys))))))


def _common(pods: list[Pod]) -> dict[str, str]:
    """Return the stable labels that all pods carry with one value."""
    first, *rest = pods
    return {
        key: value
        for key, value in first.labels.items()
        if key not in UNSTABLE and all(pod.labels.get(key) == value for pod in rest)
    }


def _rank(key: str) -> tuple[int, str]:
    if key in _FIRST:
        return _FIRST.index(key), key
    return len(_FIRST) + (key in _LAST), key


def _labels(shared: dict[str, str], keys: tuple[str, ...]) -> Labels:
    return tuple((key, (shared[key],)) for key in keys)
