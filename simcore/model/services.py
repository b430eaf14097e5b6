"""Services: which pods and ports stand behind a service address (NP-29)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from .addresses import Address
from .cluster import Cluster, Pod, Service, ServicePort
from .labels import Operator


class Scope(IntEnum):
    """Which backends a frontend leads to."""

    ANY = 0
    CLIENT = 1
    """Those on the client's node (``internalTrafficPolicy: Local``)."""
    DIALLED = 2
    """Those on the node that was dialled, for clients outside of the cluster (``externalTrafficPolicy: Local``)."""


@dataclass(frozen=True, slots=True)
class Target:
    """One place a service port leads to: a pod by its position in the cluster, or (-1) a bare address.

    `address` is None for a pod whose address is unknown.
    """

    pod: int
    address: Address | None
    port: int


@dataclass(frozen=True, slots=True)
class Frontend:
    """An address, protocol and port that leads to a Service, and where it may lead on.

    `address` is None for a node port, which every node's address answers.
    No target at all: the service has no backend. Targets are of the address' family where it has one.
    """

    service: Service
    address: Address | None
    protocol: int
    port: int
    targets: tuple[Target, ...]
    scope: Scope = Scope.ANY


def frontends(cluster: Cluster) -> Iterator[Frontend]:
    """Enumerate what every Service answers to, node ports included.

    An address outside of the cluster leads to backends of any node: which node it comes in by is not known.
    """
    index = _LabelledPods(cluster)
    for service in cluster.services:
        selected = index.selected_by(service)
        for port in service.ports:
            targets = _targets(service, port, cluster, selected)
            for address in service.addresses:
                same_family = tuple(t for t in targets if t.address is None or t.address.family is address.family)
                is_inner = service.keeps_inside and address not in service.outer_addresses
                scope = Scope.CLIENT if is_inner else Scope.ANY
                yield Frontend(service, address, port.protocol, port.port, same_family, scope)
            if port.node_port:
                scope = Scope.DIALLED if service.keeps_outside else Scope.ANY
                yield Frontend(service, None, port.protocol, port.node_port, targets, scope)


class _LabelledPods:
    """Running pods by namespace, and by those labels in it that Services ask for: a selector looks at few of them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._in_namespace: dict[str, list[int]] = {}
        self._labelled: dict[tuple[str, str, str], list[int]] = {
            label: [] for service in cluster.services for label in _labels_asked_for(service)
        }
        for number, pod in enumerate(cluster.pods):
            if pod.is_plain and not pod.finished:
                self._in_namespace.setdefault(pod.namespace, []).append(number)
                for key, value in pod.labels.items():
                    if (wanted := self._labelled.get((pod.namespace, key, value))) is not None:
                        wanted.append(number)

    def selected_by(self, service: Service) -> list[int]:
        """List the positions of the pods that a Service selects; none where it lists its backends instead."""
        if service.selector is None or service.backends is not None:
            return []
        lists = [self._in_namespace.get(service.namespace, [])]
        lists += [self._labelled[label] for label in _labels_asked_for(service)]
        selects = service.selector.matches
        return [number for number in min(lists, key=len) if selects(self._cluster.pods[number].labels)]


def _labels_asked_for(service: Service) -> Iterator[tuple[str, str, str]]:
    """Yield namespace, key and value of every label that a Service's pods must carry."""
    for requirement in service.selector.requirements if service.selector else ():
        if requirement.operator is Operator.IN and len(requirement.values) == 1:
            yield service.namespace, requirement.key, next(iter(requirement.values))


def _targets(service: Service, port: ServicePort, cluster: Cluster, selected: list[int]) -> tuple[Target, ...]:
    """Where one port of a Service leads: by its slices if it has any, else by its selector."""
    if service.backends is not None:
        return tuple(
            Target(_pod_at(cluster, backend.address), backend.address, backend.port)
            for backend in service.backends
            if backend.port_name == port.name and backend.protocol == port.protocol
        )
    return tuple(
        Target(number, address, target_port)
        for number in selected
        if (target_port := _target_port(port, cluster.pods[number]))
        for address in cluster.pods[number].addresses or (None,)
    )


def _pod_at(cluster: Cluster, address: Address) -> int:
    """Return the pod that alone owns an address, or -1."""
    owners = cluster.pods_at.get(address, ())
    return owners[0] if len(owners) == 1 else -1


def _target_port(port: ServicePort, pod: Pod) -> int:
    """Return the number of the target port on one pod; 0 where the pod does not declare its name."""
    if isinstance(port.target, int):
        return port.target
    for declared in pod.ports:
        if declared.name == port.target and declared.protocol == port.protocol:
            return declared.number
    return 0
