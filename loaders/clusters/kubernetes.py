"""Collects the objects of a Kubernetes dump or of manifests, and makes a Cluster of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from simcore.errors import Diagnostic, Place, Severity
from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Cluster, Namespace, Node, Pod, Service, WorkloadRef
from simcore.model.labels import NAMESPACE_NAME_LABEL

from ..documents import Document
from .cilium import Endpoint, Given, bearers, located, read_endpoints, with_cilium_nodes
from .decoding import decode
from .identities import Identity, namespaces_of, read_identities, stand_ins_for
from .objects import (
    KINDS,
    CiliumIdentityObject,
    CronJobObject,
    EndpointSliceObject,
    NodeObject,
    Object,
    PodObject,
    ServiceObject,
    WorkloadObject,
    labels_of,
)
from .plugins import Guess, guess_plugin
from .pods import Complain, make_pod, parse_addresses
from .quantities import parse_quantity
from .repeats import Repeat, repeated_message, warn_of_repeats
from .services import chosen_backends, make_backends, make_service, service_of
from .workloads import Workloads

if TYPE_CHECKING:
    from ..snapshots.stored_pods import StoredPods

DEFAULT_NAMESPACE = "default"
CLUSTER_WIDE = ("Namespace", "Node", "CiliumNode", "CiliumIdentity")
_CILIUM_KINDS = ("CiliumNode", "CiliumEndpoint", "CiliumIdentity")
_ADDRESS_TYPES = ("InternalIP", "ExternalIP")
"""Entries that are to hold addresses; names of hosts may stand in others, and so may addresses (NP-NODE)."""
_MOST_NAMED = 5
_Key = tuple[str, str]


class Collector:
    """Takes objects one by one; `cluster` makes them a Cluster.

    Parameters
    ----------
    problems : list of Diagnostic
        Written: what is wrong with the objects, and warnings.
    """

    def __init__(self, problems: list[Diagnostic]) -> None:
        self._problems = problems
        self._found: dict[str, dict[_Key, tuple[Object, Document]]] = {}
        self._repeats: list[Repeat] = []
        self._stored: list[StoredPods] = []

    @staticmethod
    def takes(group: str, kind: str) -> bool:
        """Whether objects of this kind are part of a cluster."""
        return (group, kind) in KINDS

    def add(self, document: Document) -> None:
        """Take one object; a second one of the same name must equal the first."""
        found = decode(document, KINDS[document.group, document.kind], self._problems)
        if found is None:
            return
        metadata = found.metadata
        if metadata is None or not metadata.name:
            self._error(document, f"a name is required: this {document.kind} has none", "metadata", "name")
            return
        namespace = "" if document.kind in CLUSTER_WIDE else metadata.namespace or DEFAULT_NAMESPACE
        objects = self._found.setdefault(document.kind, {})
        first = objects.setdefault((namespace, metadata.name), (found, document))
        if first[1] is document:
            return
        if first[0] == found:
            self._repeats.append(Repeat(document.kind, document.place(), first[1].place()))
        else:
            self._error(document, repeated_message(document.kind, namespace, metadata.name, first[1].place()))

    def add_pods(self, stored: StoredPods) -> None:
        """Take the pods of a file that has them in columns."""
        self._stored.append(stored)

    def taken(self, kind: str) -> Iterator[tuple[_Key, Document]]:
        """Yield the objects of a kind by namespace and name, as they were written; without `stored` pods."""
        for key, _, document in self._of(kind):
            yield key, document

    def cluster(self, policy_namespaces: Iterable[str]) -> Cluster:
        """Make the cluster; namespaces that only pods, services or policies name exist as well (NP-36)."""
        self._settle()
        nodes = [self._node(name, cast(NodeObject, o), d) for (_, name), o, d in self._of("Node")]
        nodes, reserved = with_cilium_nodes(nodes, self._given("CiliumNode"))
        endpoints = list(read_endpoints(self._given("CiliumEndpoint")))
        identities = self._identities(endpoints)
        pods = located(self._pods(len(nodes)), endpoints, identities, nodes)
        services = self._services()
        known = {name: self._namespace(name, o, d) for (_, name), o, d in self._of("Namespace")}
        used = {pod.namespace for pod in pods} | {service.namespace for service in services}
        self._warn_of_missing_namespaces(known, {pod.namespace for pod in pods}, set(policy_namespaces))
        told = namespaces_of(identities)
        for name in sorted(used.union(policy_namespaces, told) - known.keys()):
            known[name] = Namespace(name, {**told.get(name, {}), NAMESPACE_NAME_LABEL: name})
        warn_of_repeats(self._repeats, self._problems)
        accounts = {key: labels_of(found.metadata) for key, found, _ in self._of("ServiceAccount")}
        stand_ins = stand_ins_for(identities, bearers(pods, endpoints)) if self._runs_cilium else {}
        numbers = {number: pod.full_name for number, pod in stand_ins.items()}
        everyone = [*pods, *reserved, *stand_ins.values()]
        return Cluster.of(known.values(), everyone, nodes, services, accounts, identities=numbers)

    def plugin(self, cluster: Cluster, groups: Iterable[str]) -> Guess | None:
        """Tell the network plugin of the cluster, if anything does; `groups` are those of all objects there are."""
        daemon_sets = {key for key, _, _ in self._of("DaemonSet")}
        daemon_sets |= {
            (owner.namespace, owner.name) for pod in cluster.pods for owner in pod.owners if owner.kind == "DaemonSet"
        }
        nodes = [(name, found.metadata) for (_, name), found, _ in self._of("Node")]
        annotations = {name: (metadata.annotations if metadata else None) or {} for name, metadata in nodes}
        return guess_plugin(daemon_sets, annotations, groups)

    @property
    def _runs_cilium(self) -> bool:
        return not self._found.keys().isdisjoint(_CILIUM_KINDS)

    def _identities(self, endpoints: Iterable[Endpoint]) -> dict[int, Identity]:
        objects = [
            (name, cast(CiliumIdentityObject, found), self._errors(document))
            for (_, name), found, document in self._of("CiliumIdentity")
        ]
        return read_identities(objects, [endpoint.identity for endpoint in endpoints])

    def _given(self, kind: str) -> Iterator[Given]:
        for key, found, document in self._of(kind):
            yield Given(*key, found, self._errors(document))

    def _of(self, *kinds: str) -> Iterator[tuple[_Key, Object, Document]]:
        for kind in kinds:
            for key, (found, document) in self._found.get(kind, {}).items():
                yield key, found, document

    def _namespace(self, name: str, found: Object, document: Document) -> Namespace:
        labels = dict(labels_of(found.metadata))
        given = labels.get(NAMESPACE_NAME_LABEL, name)
        if given != name:
            message = f"the API server sets this label to {name!r}, whatever is written here. Remove it"
            self._warn(document, message, "metadata", "labels", NAMESPACE_NAME_LABEL)
        labels[NAMESPACE_NAME_LABEL] = name
        return Namespace(name, labels)

    def _node(self, name: str, found: NodeObject, document: Document) -> Node:
        texts = [
            entry.address
            for entry in (found.status.addresses if found.status else None) or ()
            if entry.address and (entry.type in _ADDRESS_TYPES or _is_address(entry.address))
        ]
        addresses = parse_addresses(texts, lambda message: self._error(document, message, "status", "addresses"))
        cpus, memory = (self._capacity(found, document, resource) for resource in ("cpu", "memory"))
        return Node(name, addresses, labels_of(found.metadata), cpus, memory)

    def _capacity(self, found: NodeObject, document: Document, resource: str) -> int:
        """Return what a node has of a resource; 0 where it does not say."""
        text = ((found.status.capacity if found.status else None) or {}).get(resource)
        if text is None:
            return 0
        try:
            return parse_quantity(text)
        except ValueError as error:
            self._error(document, str(error), "status", "capacity", resource)
            return 0

    @property
    def stored(self) -> tuple[StoredPods, ...]:
        """The pods that were taken in columns, and stay so."""
        return tuple(self._stored)

    def _settle(self) -> None:
        """Take stored pods one by one where others, or they themselves, may have the same names."""
        if len(self._stored) + ("Pod" in self._found) > 1 or not all(stored.is_distinct for stored in self._stored):
            for stored in self._stored:
                for document in stored.documents():
                    self.add(document)
            self._stored.clear()

    def _pods(self, nodes: int) -> list[Pod]:
        controllers = {
            WorkloadRef(namespace, document.kind, name): (
                cast("WorkloadObject | CronJobObject", found),
                document,
            )
            for (namespace, name), found, document in self._of(*_CONTROLLERS)
        }
        workloads = Workloads({ref: found for ref, (found, _) in controllers.items()})
        pods = [
            make_pod(cast(PodObject, o), namespace, name, workloads.owners(namespace, o.metadata), self._errors(d))
            for (namespace, name), o, d in self._of("Pod")
        ]
        for stored in self._stored:
            pods += stored.pods(workloads.owners, self._problems)
        complain = {ref: self._errors(document) for ref, (_, document) in controllers.items()}
        return pods + list(workloads.synthesise(pods, nodes, complain))

    def _services(self) -> list[Service]:
        backends: dict[tuple[str, str], list[tuple[Backend, bool]]] = {}
        for (namespace, _), found, document in self._of("EndpointSlice"):
            piece = cast(EndpointSliceObject, found)
            if name := service_of(piece):
                backends.setdefault((namespace, name), []).extend(make_backends(piece, self._errors(document)))
        return [
            make_service(
                cast(ServiceObject, found),
                *key,
                chosen_backends(backends[key]) if key in backends else None,
                self._errors(document),
            )
            for key, found, document in self._of("Service")
        ]

    def _warn_of_missing_namespaces(
        self, known: dict[str, Namespace], of_pods: set[str], of_policies: set[str]
    ) -> None:
        if missing := sorted(of_pods - known.keys()):
            self._warn_of_input(
                f"pods without a Namespace object in {_named(missing, 'namespace')}: of these only the label "
                f"{NAMESPACE_NAME_LABEL} is known. Add them if selectors ask for other labels"
            )
        if empty := sorted(of_policies - of_pods - known.keys()):
            self._warn_of_input(
                f"policies but neither pods nor a Namespace object in {_named(empty, 'namespace')}: "
                "those policies select nothing. Check their metadata.namespace"
            )

    def _warn_of_input(self, message: str) -> None:
        self._problems.append(Diagnostic(Severity.WARNING, Place("input"), message))

    def _errors(self, document: Document) -> Complain:
        return lambda message, *path: self._error(document, message, *path)

    def _error(self, document: Document, message: str, *path: str | int) -> None:
        self._problems.append(Diagnostic(Severity.ERROR, document.place(path), message))

    def _warn(self, document: Document, message: str, *path: str | int) -> None:
        self._problems.append(Diagnostic(Severity.WARNING, document.place(path), message))


_CONTROLLERS = (
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "ReplicationController",
    "Job",
    "CronJob",
)


def _named(names: list[str], noun: str) -> str:
    shown = ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")
    return f"{len(names)} {noun}{'s' if len(names) > 1 else ''} ({shown})"


def _is_address(text: str) -> bool:
    try:
        Address.parse(text)
    except ValueError:
        return False
    return True
