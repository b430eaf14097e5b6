"""What Cilium's own objects tell of nodes and of pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import cast

from simcore.model.addresses import Address
from simcore.model.cluster import ContainerPort, Node, Pod, WorkloadRef

from .identities import Identity, read_identity
from .objects import (
    AddressPair,
    CiliumEndpointObject,
    CiliumEndpointStatus,
    CiliumNodeObject,
    CiliumNodeSpec,
    EndpointIdentity,
    Object,
    labels_of,
)
from .pods import Complain, parse_addresses, read_protocol


@dataclass(frozen=True, slots=True)
class Given:
    """An object of the input; `complain` tells what is wrong with it."""

    namespace: str
    name: str
    found: Object
    complain: Complain


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a CiliumEndpoint tells of the pod of its name.

    Attributes
    ----------
    number : int
        Of its identity; 0 where that is not told.
    identity : Identity or None
        None where its labels are not told.
    node : tuple of Address
        Where its node is, as far as that is told.
    """

    namespace: str
    name: str
    number: int
    identity: Identity | None
    addresses: tuple[Address, ...]
    node: tuple[Address, ...]
    ports: tuple[ContainerPort, ...]


def with_cilium_nodes(nodes: Iterable[Node], given: Iterable[Given]) -> tuple[list[Node], list[Pod]]:
    """Add what CiliumNodes tell: addresses, nodes of which there is no other object, and reserved endpoints."""
    known = {node.name: node for node in nodes}
    reserved: list[Pod] = []
    for each in given:
        spec = cast(CiliumNodeObject, each.found).spec or CiliumNodeSpec()
        texts = [entry.ip for entry in spec.addresses or () if entry.ip]
        addresses = _parsed(each, texts, "spec", "addresses")
        node = known.get(each.name) or Node(each.name, labels=labels_of(each.found.metadata))
        known[each.name] = replace(node, addresses=tuple(dict.fromkeys([*node.addresses, *addresses])))
        for word, pair in (("health", spec.health), ("ingress", spec.ingress)):
            if found := _parsed(each, _texts(pair), "spec", word):
                owners = (WorkloadRef("", "reserved", word),)
                reserved.append(Pod("", f"{word}:{each.name}", {}, found, each.name, owners=owners, reserved=word))
    return list(known.values()), reserved


def read_endpoints(given: Iterable[Given]) -> Iterator[Endpoint]:
    """Read CiliumEndpoints."""
    for each in given:
        status = cast(CiliumEndpointObject, each.found).status or CiliumEndpointStatus()
        identity, networking = status.identity or EndpointIdentity(), status.networking
        texts = [text for pair in (networking.addressing if networking else None) or () for text in _texts(pair)]
        host = [networking.node] if networking and networking.node else []
        labels = [label.partition("=") for label in identity.labels or ()]
        number = identity.id or 0
        yield Endpoint(
            each.namespace,
            each.name,
            number,
            read_identity(number, {key: value for key, _, value in labels}) if number else None,
            _parsed(each, texts, "status", "networking", "addressing"),
            _parsed(each, host, "status", "networking", "node"),
            _ports(status, each.complain),
        )


def located(
    pods: Iterable[Pod], endpoints: Iterable[Endpoint], identities: Mapping[int, Identity], nodes: Iterable[Node]
) -> list[Pod]:
    """Give pods the addresses that only their endpoints tell, and make pods of endpoints that are alone."""
    alone = {(endpoint.namespace, endpoint.name): endpoint for endpoint in endpoints}
    found = []
    for pod in pods:
        endpoint = alone.pop((pod.namespace, pod.name), None)
        lacks = endpoint is not None and not (pod.addresses or pod.host_network or pod.finished)
        found.append(replace(pod, addresses=endpoint.addresses) if endpoint and lacks else pod)
    hosts = {address: node.name for node in nodes for address in node.addresses}
    for endpoint in alone.values():
        if identity := identities.get(endpoint.number):
            host = next((hosts[address] for address in endpoint.node if address in hosts), "")
            found.append(
                Pod(
                    endpoint.namespace,
                    endpoint.name,
                    identity.labels,
                    endpoint.addresses,
                    host,
                    ports=endpoint.ports,
                    account=identity.account,
                )
            )
    return found


def bearers(pods: Iterable[Pod], endpoints: Iterable[Endpoint]) -> dict[int, list[Pod]]:
    """List the pods that bear each identity, as far as endpoints tell."""
    numbers = {(endpoint.namespace, endpoint.name): endpoint.number for endpoint in endpoints}
    found: dict[int, list[Pod]] = {}
    for pod in pods:
        if number := numbers.get((pod.namespace, pod.name)):
            found.setdefault(number, []).append(pod)
    return found


def _parsed(given: Given, texts: list[str], *path: str) -> tuple[Address, ...]:
    return parse_addresses(texts, lambda message: given.complain(message, *path))


def _texts(pair: AddressPair | None) -> list[str]:
    return [text for text in (pair.ipv4, pair.ipv6) if text] if pair else []


def _ports(status: CiliumEndpointStatus, complain: Complain) -> tuple[ContainerPort, ...]:
    return tuple(
        ContainerPort(port.name, read_protocol(port.protocol, complain, ("status", "named-ports", index)), port.port)
        for index, port in enumerate(status.named_ports or ())
        if port.name and port.port
    )
