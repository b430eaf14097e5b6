"""Pods of manifests as pods of the model."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from simcore.model.addresses import Address
from simcore.model.cluster import ContainerPort, Pod, WorkloadRef
from simcore.model.ports import LAST_PORT, PROTOCOL_NUMBERS, TCP

from .objects import Container, PodObject, PodSpec, PodStatus, labels_of

Complain = Callable[..., None]
"""Reports a message about the field that a path leads to."""

DEFAULT_ACCOUNT = "default"
FINISHED = ("Succeeded", "Failed")
_NO_SPEC, _NO_STATUS = PodSpec(), PodStatus()
_shared_port = lru_cache(maxsize=65536)(ContainerPort)
parse_address = lru_cache(maxsize=65536)(Address.parse)


def make_pod(found: PodObject, namespace: str, name: str, owners: tuple[WorkloadRef, ...], complain: Complain) -> Pod:
    """Make the model's pod of a manifest's."""
    spec, status = found.spec or _NO_SPEC, found.status or _NO_STATUS
    return Pod(
        namespace=namespace,
        name=name,
        labels=labels_of(found.metadata),
        addresses=_addresses(spec, status, complain),
        node=spec.node_name or "",
        host_network=bool(spec.host_network),
        finished=status.phase in FINISHED,
        ports=container_ports(spec, complain, ("spec",)),
        owners=owners,
        account=account_of(spec),
    )


def account_of(spec: PodSpec) -> str:
    """Return the service account that a pod runs as."""
    return spec.service_account_name or spec.service_account or DEFAULT_ACCOUNT


def _addresses(spec: PodSpec, status: PodStatus, complain: Complain) -> tuple[Address, ...]:
    """Return ``podIPs``, or ``podIP``, or for a hostNetwork pod the addresses of its host."""
    texts = [entry.ip for entry in status.pod_ips or () if entry.ip]
    field = "podIPs"
    if not texts and status.pod_ip:
        texts, field = [status.pod_ip], "podIP"
    if not texts and spec.host_network:
        texts, field = [entry.ip for entry in status.host_ips or () if entry.ip], "hostIPs"
        if not texts and status.host_ip:
            texts, field = [status.host_ip], "hostIP"
    return parse_addresses(texts, lambda message: complain(message, "status", field))


def parse_addresses(texts: list[str], complain: Complain) -> tuple[Address, ...]:
    """Parse addresses, repeats left out; report those that are none."""
    found: dict[Address, None] = {}
    for text in texts:
        try:
            found[parse_address(text)] = None
        except ValueError as error:
            complain(f"{error}. Correct it or leave it out")
    return tuple(found)


def container_ports(spec: PodSpec, complain: Complain, path: tuple[str | int, ...]) -> tuple[ContainerPort, ...]:
    """Return the ports of the containers, then those of the sidecars (NP-25)."""
    found: list[ContainerPort] = []
    for index, container in enumerate(spec.containers or ()):
        found += _ports(container, complain, (*path, "containers", index))
    for index, container in enumerate(spec.init_containers or ()):
        if container.restart_policy == "Always":
            found += _ports(container, complain, (*path, "initContainers", index))
    return tuple(found)


def _ports(container: Container, complain: Complain, path: tuple[str | int, ...]) -> list[ContainerPort]:
    found = []
    for index, port in enumerate(container.ports or ()):
        here = (*path, "ports", index)
        if port.container_port is None:
            continue
        if not 1 <= port.container_port <= LAST_PORT:
            complain(f"{port.container_port} is not a port: ports go from 1 to {LAST_PORT}", *here, "containerPort")
            continue
        protocol = read_protocol(port.protocol, complain, (*here, "protocol"))
        found.append(_shared_port(port.name or "", protocol, port.container_port))
    return found


def read_protocol(word: str | None, complain: Complain, path: tuple[str | int, ...]) -> int:
    """Return the number of TCP, UDP or SCTP; absent is TCP."""
    if not word:
        return TCP
    if word in ("TCP", "UDP", "SCTP"):
        return PROTOCOL_NUMBERS[word]
    complain(f"{word!r} is not a protocol here. Use one of TCP, UDP, SCTP", *path)
    return TCP
