"""What SOURCE and DESTINATION name: pods, controllers, Services, addresses."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ..errors import Diagnostic, Place, ResolveError, Severity
from ..model.addresses import Address
from ..model.cluster import Cluster, Service, WorkloadRef
from ..model.flows import End

KIND_ALIASES = {
    "po": "pod",
    "svc": "service",
    "deploy": "deployment",
    "rs": "replicaset",
    "sts": "statefulset",
    "ds": "daemonset",
    "cj": "cronjob",
    "rc": "replicationcontroller",
}
MOST_SUGGESTIONS = 3
FORMS = "namespace/pod, namespace/Kind/name or an address"


@dataclass(frozen=True, slots=True)
class Party:
    """One end as it was asked for, and what may be meant.

    Attributes
    ----------
    text : str
        As it was written.
    pods : tuple of int
        Positions of the pods meant; empty where addresses are meant.
    addresses : tuple of Address
        The addresses meant: one that was given, a Service's, or a Service's backends that are no pods.
    is_frontend : bool
        The addresses are alternatives of one Service, of which a client uses one.
    """

    text: str
    pods: tuple[int, ...] = ()
    addresses: tuple[Address, ...] = ()
    is_frontend: bool = False

    def ends(self, cluster: Cluster, pods: Iterable[int]) -> Iterator[End]:
        """Yield an end for each of `pods` and for each address."""
        for number in pods:
            yield End(pod=cluster.pods[number].full_name)
        for address in self.addresses:
            yield End(address=address)


class Names:
    """Finds what names stand for in one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def party(self, text: str) -> Party:
        """Return what a name stands for.

        Raises
        ------
        ResolveError
            It stands for nothing; the message names what comes near.
        """
        parts = text.split("/")
        if (number := self._cluster.pod_numbers.get(text)) is not None:
            return Party(text, (number,))
        if len(parts) == 1:
            return self._address(text)
        if len(parts) == 2 and all(parts):
            raise ResolveError(f"the cluster has no pod {text!r}{self._near_pods(*parts)}")
        if len(parts) == 3 and all(parts):
            return self._by_kind(text, *parts)
        raise ResolveError(f"{text!r} is not {FORMS}")

    def _address(self, text: str) -> Party:
        try:
            return Party(text, addresses=(Address.parse(text),))
        except ValueError:
            raise ResolveError(f"{text!r} is not {FORMS}{self._near_names(text)}") from None

    def _by_kind(self, text: str, namespace: str, kind: str, name: str) -> Party:
        kind = KIND_ALIASES.get(kind.lower(), kind.lower())
        if kind == "pod" and (number := self._cluster.pod_numbers.get(f"{namespace}/{name}")) is not None:
            return Party(text, (number,))
        if kind == "service" and (service := self._services.get((namespace, name))) is not None:
            return self._service(text, service)
        if pods := self._controllers.get((namespace, kind, name)):
            running = tuple(number for number in pods if not self._cluster.pods[number].finished)
            return Party(text, running or tuple(pods))
        raise ResolveError(f"the cluster has no {text!r}{self._near_controllers(namespace, name)}")

    def _service(self, text: str, service: Service) -> Party:
        """Return the addresses of a Service, or of the name it stands for; of a headless one, what is behind it."""
        if service.external_name:
            return self._named(text, service.external_name)
        if service.addresses:
            return Party(text, addresses=service.addresses, is_frontend=True)
        pods, addresses = self._behind(service)
        if not pods and not addresses:
            raise ResolveError(f"{text!r} has neither an address nor a pod behind it")
        return Party(text, pods, addresses)

    def _named(self, text: str, domain: str) -> Party:
        """Return what an ExternalName stands for: a Service of the cluster, or addresses that are known of the name."""
        name, namespace, kind = [*domain.split(".", 3), "", ""][:3]
        inner = self._services.get((namespace, name)) if kind == "svc" else None
        if inner is not None and not inner.external_name:
            return self._service(text, inner)
        if addresses := (self._cluster.names or {}).get(domain):
            return Party(text, addresses=addresses, is_frontend=True)
        raise ResolveError(f"{text!r} stands for the name {domain}, of which no address is known. Give it with --dns")

    def _behind(self, service: Service) -> tuple[tuple[int, ...], tuple[Address, ...]]:
        if service.backends is not None:
            listed = dict.fromkeys(backend.address for backend in service.backends)
            owners = {address: self._cluster.pods_at.get(address, ()) for address in listed}
            pods = dict.fromkeys(number for numbers in owners.values() for number in numbers)
            return tuple(pods), tuple(address for address, numbers in owners.items() if not numbers)
        selector = service.selector
        if selector is None:
            return (), ()
        return tuple(
            number
            for number, pod in enumerate(self._cluster.pods)
            if pod.is_plain and not pod.finished and pod.namespace == service.namespace and selector.matches(pod.labels)
        ), ()

    @cached_property
    def _services(self) -> dict[tuple[str, str], Service]:
        return {(service.namespace, service.name): service for service in self._cluster.services}

    @cached_property
    def _controllers(self) -> dict[tuple[str, str, str], list[int]]:
        """Positions of the pods below each controller, by namespace, lower-case kind and name."""
        found: dict[tuple[str, str, str], list[int]] = {}
        for number, pod in enumerate(self._cluster.pods):
            for owner in pod.owners if pod.is_plain else ():
                found.setdefault((owner.namespace, owner.kind.lower(), owner.name), []).append(number)
        return found

    # Near matches

    @cached_property
    def _refs(self) -> dict[str, list[WorkloadRef]]:
        """Every controller and Service, by namespace, those at the top of a chain first."""
        refs = dict.fromkeys(pod.workload for pod in self._cluster.pods if pod.is_plain and pod.owners)
        refs.update(dict.fromkeys(service.ref for service in self._cluster.services))
        refs.update(dict.fromkeys(owner for pod in self._cluster.pods if pod.is_plain for owner in pod.owners))
        found: dict[str, list[WorkloadRef]] = {}
        for ref in refs:
            found.setdefault(ref.namespace, []).append(ref)
        return found

    def _near_pods(self, namespace: str, name: str) -> str:
        same = [str(ref) for ref in self._refs.get(namespace, ()) if ref.name == name]
        pods = {pod.name: pod.full_name for pod in self._cluster.pods if pod.namespace == namespace}
        starting = [pods[pod] for pod in pods if pod.startswith(f"{name}-")][:1]
        near = [pods[pod] for pod in difflib.get_close_matches(name, pods, MOST_SUGGESTIONS)]
        return _suggest([*same, *starting, *near], self._near_namespaces(namespace) + self._elsewhere(name))

    def _near_controllers(self, namespace: str, name: str) -> str:
        refs = self._refs.get(namespace, ())
        same = [str(ref) for ref in refs if ref.name == name]
        names = {ref.name: str(ref) for ref in reversed(refs)}
        near = [names[match] for match in difflib.get_close_matches(name, names, MOST_SUGGESTIONS)]
        return _suggest([*same, *near], self._near_namespaces(namespace) + self._elsewhere(name))

    def _near_names(self, name: str) -> str:
        return _suggest(self._elsewhere(name), [])

    def _elsewhere(self, name: str) -> list[str]:
        pods = [pod.full_name for pod in self._cluster.pods if pod.name == name]
        return pods + [str(ref) for refs in self._refs.values() for ref in refs if ref.name == name]

    def _near_namespaces(self, namespace: str) -> list[str]:
        if namespace in self._cluster.namespaces:
            return []
        return [f"namespace {near}" for near in difflib.get_close_matches(namespace, self._cluster.namespaces, 2)]


def unknown_names(cluster: Cluster, asked: Iterable[tuple[str, Place]]) -> Iterator[Diagnostic]:
    """Tell of every name that stands for nothing, where it was written."""
    names = Names(cluster)
    for text, place in asked:
        try:
            names.party(text)
        except ResolveError as error:
            yield Diagnostic(Severity.ERROR, place, str(error))


def _suggest(first: list[str], second: list[str]) -> str:
    found = list(dict.fromkeys([*first, *second]))[:MOST_SUGGESTIONS]
    return f". Did you mean {' or '.join(found)}?" if found else ""
