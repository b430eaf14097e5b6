"""Services and EndpointSlices of manifests as services of the model."""

from __future__ import annotations

from collections.abc import Iterable

from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Service, ServicePort
from simcore.model.labels import LabelSelector
from simcore.model.ports import LAST_PORT

from .objects import EndpointSliceObject, ServiceObject, ServiceSpec, SliceEndpoint, labels_of
from .pods import Complain, parse_addresses, read_protocol

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
_HEADLESS = "None"
_LOCAL = "Local"
_BY_PROXY = "Proxy"


def make_service(
    found: ServiceObject, namespace: str, name: str, backends: tuple[Backend, ...] | None, complain: Complain
) -> Service:
    """Make the model's Service of a manifest's; an ExternalName has neither addresses nor backends, but a name."""
    spec = found.spec or ServiceSpec()
    if spec.type == "ExternalName":
        domain = (spec.external_name or "").lower().removesuffix(".")
        return Service(namespace, name, backends=(), labels=labels_of(found.metadata), external_name=domain)
    inner, outer = _addresses(found, spec, complain)
    return Service(
        namespace=namespace,
        name=name,
        addresses=tuple(dict.fromkeys([*inner, *outer])),
        ports=tuple(_ports(spec, complain)),
        selector=_selector(spec),
        backends=backends,
        labels=labels_of(found.metadata),
        outer_addresses=tuple(address for address in outer if address not in inner),
        keeps_inside=spec.internal_traffic_policy == _LOCAL,
        keeps_outside=spec.external_traffic_policy == _LOCAL,
    )


def _selector(spec: ServiceSpec) -> LabelSelector | None:
    """Return the selector; an empty one is none, unlike in policies."""
    if not spec.selector:
        return None
    return LabelSelector.equal({key: value or "" for key, value in spec.selector.items()})


def _addresses(
    found: ServiceObject, spec: ServiceSpec, complain: Complain
) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
    """Return the addresses that nodes answer: cluster IPs, and those outside; a headless Service has none."""
    cluster = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    if _HEADLESS in cluster:
        return (), ()
    balancer = found.status.load_balancer if found.status else None
    given = (balancer.ingress if balancer else None) or ()
    balanced = [each.ip for each in given if each.ip and each.ip_mode != _BY_PROXY]

    def parsed(texts: list[str], *path: str) -> tuple[Address, ...]:
        return tuple(parse_addresses(texts, lambda message: complain(message, *path)))

    inner = parsed(cluster, "spec", "clusterIPs" if spec.cluster_ips else "clusterIP")
    outer = parsed(spec.external_ips or [], "spec", "externalIPs")
    return inner, (*outer, *parsed(balanced, "status", "loadBalancer"))


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


def make_backends(found: EndpointSliceObject, complain: Complain) -> list[tuple[Backend, bool]]:
    """List what a slice says takes traffic, and whether it is ready; no word about readiness means ready.

    What is ending takes traffic while it serves, but where others are ready `chosen_backends` leaves it out.
    """
    if found.address_type == "FQDN":
        return []
    addresses = [
        (address, _is_ready(endpoint))
        for index, endpoint in enumerate(found.endpoints or ())
        if _is_ready(endpoint) or _is_ending(endpoint)
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
    return [
        (Backend(name, protocol, address, port), is_ready)
        for name, protocol, port in ports
        for address, is_ready in addresses
    ]


def _is_ready(endpoint: SliceEndpoint) -> bool:
    return endpoint.conditions is None or endpoint.conditions.ready is not False


def _is_ending(endpoint: SliceEndpoint) -> bool:
    """Whether a pod that is ending still serves."""
    conditions = endpoint.conditions
    return conditions is not None and bool(conditions.serving and conditions.terminating)


def chosen_backends(found: Iterable[tuple[Backend, bool]]) -> tuple[Backend, ...]:
    """Choose the backends that are ready, of each port; where none is, those that are ending but still serve."""
    listed = list(found)
    ready = {(backend.port_name, backend.protocol) for backend, is_ready in listed if is_ready}
    kept = (b for b, is_ready in listed if is_ready or (b.port_name, b.protocol) not in ready)
    return tuple(dict.fromkeys(kept))
