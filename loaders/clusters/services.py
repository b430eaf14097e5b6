"""Services and EndpointSlices of manifests as services of the model."""

from __future__ import annotations

from collections.abc import Iterable

from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Service, ServicePort
from simcore.model.labels import LabelSelector
from simcore.model.ports import LAST_PORT

from .objects import EndpointSliceObject, ServiceObject, ServiceSpec, labels_of
from .pods import Complain, parse_addresses, read_protocol

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_HEADLESS = "None"


def make_service(
    found: ServiceObject, namespace: str, name: str, backends: tuple[Backend, ...] | None, complain: Complain
) -> Service:
    """Make the model's Service of a manifest's; an ExternalName has neither addresses nor backends."""
    spec = found.spec or ServiceSpec()
    if spec.type == "ExternalName":
        return Service(namespace, name, backends=(), labels=labels_of(found.metadata))
    return Service(
        namespace=namespace,
        name=name,
        addresses=_addresses(found, spec, complain),
        ports=tuple(_ports(spec, complain)),
        selector=_selector(spec),
        backends=backends,
        labels=labels_of(found.metadata),
    )


def _selector(spec: ServiceSpec) -> LabelSelector | None:
    """Return the selector; an empty one is none, unlike in policies."""
    if not spec.selector:
        return None
    return LabelSelector.equal({key: value or "" for key, value in spec.selector.items()})


def _addresses(found: ServiceObject, spec: ServiceSpec, complain: Complain) -> tuple[Address, ...]:
    cluster = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    balancer = found.status.load_balancer if found.status else None
    given = {
        ("spec", "clusterIPs" if spec.cluster_ips else "clusterIP"): [ip for ip in cluster if ip != _HEADLESS],
        ("spec", "externalIPs"): spec.external_ips or [],
        ("status", "loadBalancer"): [e.ip for e in (balancer.ingress if balancer else None) or () if e.ip],
    }
    addresses: dict[Address, None] = {}
    for path, texts in given.items():
        parsed = parse_addresses(texts, lambda message, path=path: complain(message, *path))
        addresses.update(dict.fromkeys(parsed))
    return tuple(addresses)


def _ports(spec: ServiceSpec, complain: Complain) -> Iterable[ServicePort]:
    for index, port in enumerate(spec.ports or ()):
        path = ("spec", "ports", index)
        if not 1 <= port.port <= LAST_PORT:
            complain(f"{port.port} is not a port: ports go from 1 to {LAST_PORT}", *path, "port")
            continue
        yield ServicePort(
            name=port.name or "",
            protocol=read_protocol(port.protocol, complain, (*path, "protocol")),
            port=port.port,
            target=port.target_port or port.port,
            node_port=port.node_port or 0,
        )


def service_of(found: EndpointSliceObject) -> str:
    """Return the name of the Service a slice belongs to; empty where it belongs to none."""
    return labels_of(found.metadata).get(SERVICE_NAME_LABEL, "")


def make_backends(found: EndpointSliceObject, complain: Complain) -> list[Backend]:
    """List what a slice says is ready; no word about readiness means ready."""
    if found.address_type == "FQDN":
        return []
    addresses = [
        address
        for index, endpoint in enumerate(found.endpoints or ())
        if endpoint.conditions is None or endpoint.conditions.ready is not False
        for address in parse_addresses(
            endpoint.addresses or [],
            lambda message, index=index: complain(message, "endpoints", index, "addresses"),
        )
    ]
    ports = [
        (port.name or "", read_protocol(port.protocol, complain, ("ports", index, "protocol")), port.port)
        for index, port in enumerate(found.ports or ())
        if port.port
    ]
    return [Backend(name, protocol, address, port) for name, protocol, port in ports for address in addresses]
