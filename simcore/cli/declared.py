"""The port that is meant where none is said: the only one of a Service, or that containers declare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import ResolveError
from ..model.ports import PORT_PROTOCOLS, TCP, protocol_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..advice.diagnosis import Asked
    from ..model.cluster import Cluster, Pod, Service, ServicePort


@dataclass(frozen=True, slots=True)
class Dialled:
    """What a client dials; `reason` says where the port is from, and is empty where it was given."""

    protocol: int
    port: int | None
    reason: str = ""


def dialled(cluster: Cluster, destination: Asked, protocol: int | None, port: int | None) -> Dialled:
    """Return what was asked for, with the port that the destination has where none was given.

    Raises
    ------
    ResolveError
        The destination has no port, or several; the message names them.
    """
    if port is not None or (protocol is not None and protocol not in PORT_PROTOCOLS):
        return Dialled(TCP if protocol is None else protocol, port)
    pods = [cluster.pods[number] for number in destination.pods or _pods_at(cluster, destination)]
    every = _of_service(destination.service, pods) if destination.service else _of_pods(pods)
    found = sorted({each for each in every if protocol in (None, each[0])})
    if len(found) == 1:
        which = f"the only {protocol_name(found[0][0])} port" if len(set(every)) > 1 else "the only port"
        return Dialled(*found[0], f"{found[0][1]} is {which} that {_who(destination, pods)}")
    raise ResolveError(_several(destination, pods, found, protocol))


def _pods_at(cluster: Cluster, destination: Asked) -> list[int]:
    return [number for address in destination.addresses for number in cluster.pods_at.get(address, ())]


def _of_pods(pods: Iterable[Pod]) -> list[tuple[int, int]]:
    return [(port.protocol, port.number) for pod in pods for port in pod.ports]


def _of_service(service: Service, pods: list[Pod]) -> list[tuple[int, int]]:
    """Return the ports that clients dial: of a headless Service, those of the pods."""
    if service.addresses or not pods:
        return [(port.protocol, port.port) for port in service.ports]
    return [(port.protocol, number) for port in service.ports for number in _targets(port, pods)]


def _targets(port: ServicePort, pods: Iterable[Pod]) -> set[int]:
    if isinstance(port.target, int):
        return {port.target}
    wanted = (port.protocol, port.target)
    return {own.number for pod in pods for own in pod.ports if (own.protocol, own.name) == wanted}


def _who(destination: Asked, pods: list[Pod]) -> str:
    if destination.service is not None:
        return f"{destination.service.ref} has"
    return f"containers of {destination.text if destination.pods else pods[0].full_name} declare"


def _several(destination: Asked, pods: list[Pod], found: list[tuple[int, int]], protocol: int | None) -> str:
    """Say why no port can be taken."""
    asked = "port" if protocol is None else f"{protocol_name(protocol)} port"
    if found:
        ports = [f"{protocol_name(number)} {port}" for number, port in found]
        listed = f"{', '.join(ports[:-1])} and {ports[-1]}"
        return f"{_who(destination, pods)} {listed}: say which with --port N{_both(found)}"
    if destination.service is None and not pods:
        return f"{destination.text} is no pod and no Service, so its ports are not known: say which with --port N"
    return f"{_who(destination, pods)} no {asked}: say which with --port N"


def _both(found: list[tuple[int, int]]) -> str:
    """Name the option that tells ports of one number apart."""
    return " and --protocol" if len({protocol for protocol, _ in found}) > 1 else ""
