"""Who owns a pod, and the pods that a controller would make."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from simcore.model.cluster import Pod, WorkloadRef

from .objects import CronJobObject, Metadata, PodSpec, WorkloadObject, WorkloadSpec, labels_of
from .pods import Complain, account_of, container_ports

MOST_SYNTHESISED = 2
"""Pods made of one template: two, so that traffic between replicas exists."""

TEMPLATE_HASH_LABEL = "pod-template-hash"
_POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
_CRON_RUN = re.compile(r"(.+)-\d+")
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Workloads:
    """The controllers of the input, by reference."""

    objects: Mapping[WorkloadRef, WorkloadObject | CronJobObject]

    def owners(self, namespace: str, metadata: Metadata | None) -> tuple[WorkloadRef, ...]:
        """Return the chain of controllers above an object, the direct one first.

        A reference without kind stands for a Pod. A ReplicaSet or Job that the input does not hold is traced
        to its Deployment by the template hash, or to its CronJob by the name.
        """
        labels = labels_of(metadata)
        chain: list[WorkloadRef] = []
        owner = _controller(namespace, metadata)
        while owner and owner not in chain and len(chain) < _LONGEST_CHAIN:
            chain.append(owner)
            found = self.objects.get(owner)
            owner = _controller(namespace, found.metadata) if found else self._guessed(owner, labels)
        return tuple(chain)

    def _guessed(self, owner: WorkloadRef, labels: Mapping[str, str]) -> WorkloadRef | None:
        """Return the owner of a controller that is not in the input."""
        suffix = f"-{labels.get(TEMPLATE_HASH_LABEL, '')}"
        if owner.kind == "ReplicaSet" and len(suffix) > 1 and owner.name.endswith(suffix):
            return WorkloadRef(owner.namespace, "Deployment", owner.name.removesuffix(suffix))
        if owner.kind == "Job" and (match := _CRON_RUN.fullmatch(owner.name)):
            cron_job = WorkloadRef(owner.namespace, "CronJob", match[1])
            return cron_job if cron_job in self.objects else None
        return None

    def synthesise(self, pods: list[Pod], nodes: int, complain: Mapping[WorkloadRef, Complain]) -> Iterator[Pod]:
        """Make pods of every template of which the input holds none."""
        if not self.objects:
            return
        chains = {id(pod.owners): pod.owners for pod in pods}
        owning = {owner for chain in chains.values() for owner in chain}
        names = {(pod.namespace, pod.name) for pod in pods}
        for ref, found in self.objects.items():
            owners = self.owners(ref.namespace, found.metadata)
            if ref in owning or any(owner in self.objects for owner in owners):
                continue
            for pod in _pods_of(ref, found, owners, nodes, complain[ref]):
                unique = _unused(pod, ref.kind, names)
                names.add((unique.namespace, unique.name))
                yield unique


def _controller(namespace: str, metadata: Metadata | None) -> WorkloadRef | None:
    """Return the controller that an object names; a Node, which owns static pods, is none."""
    for reference in (metadata.owner_references if metadata else None) or ():
        if reference.controller and reference.name and reference.kind != "Node":
            return WorkloadRef(namespace, reference.kind or "Pod", reference.name)
    return None


def _count(kind: str, found: WorkloadObject | CronJobObject, spec: WorkloadSpec, nodes: int) -> int:
    if kind == "DaemonSet":
        wanted = max(nodes, 1)
    elif kind in ("Job", "CronJob"):
        finished = isinstance(found, WorkloadObject) and found.status and found.status.completion_time
        wanted = 0 if finished else _or_one(spec.parallelism)
    else:
        wanted = _or_one(spec.replicas)
    return min(wanted, MOST_SYNTHESISED)


def _or_one(number: int | None) -> int:
    return 1 if number is None else number


def _pods_of(
    ref: WorkloadRef,
    found: WorkloadObject | CronJobObject,
    owners: tuple[WorkloadRef, ...],
    nodes: int,
    complain: Complain,
) -> Iterator[Pod]:
    spec, path = _template_spec(found)
    if spec is None or spec.template is None:
        complain("this controller has no pod template, so it makes no pods. Add one", *path)
        return
    pod_spec = spec.template.spec or PodSpec()
    ports = container_ports(pod_spec, complain, (*path, "template", "spec"))
    for number in range(_count(ref.kind, found, spec, nodes)):
        name = f"{ref.name}-{number}"
        labels = dict(labels_of(spec.template.metadata))
        if ref.kind == "StatefulSet":
            labels[_POD_NAME_LABEL] = name
        yield Pod(
            namespace=ref.namespace,
            name=name,
            labels=labels,
            node=pod_spec.node_name or "",
            host_network=bool(pod_spec.host_network),
            ports=ports,
            owners=(ref, *owners),
            synthesised=True,
            account=account_of(pod_spec),
        )


def _template_spec(found: WorkloadObject | CronJobObject) -> tuple[WorkloadSpec | None, tuple[str, ...]]:
    if isinstance(found, WorkloadObject):
        return found.spec, ("spec",)
    job = found.spec.job_template if found.spec else None
    return (job.spec if job else None), ("spec", "jobTemplate", "spec")


def _unused(pod: Pod, kind: str, names: set[tuple[str, str]]) -> Pod:
    """Return the pod under a name that no other pod has: ``web-0``, else ``web-deployment-0``."""
    stem, _, number = pod.name.rpartition("-")
    candidate = pod
    while (candidate.namespace, candidate.name) in names:
        stem = f"{stem}-{kind.lower()}"
        candidate = replace(pod, name=f"{stem}-{number}")
    return candidate
