"""A cluster: namespaces, pods, nodes, services; at one instant, or with the times at which each was there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from .addresses import Address
from .labels import NAME_KEY, LabelSelector
from .match import Match

_T = TypeVar("_T")

Stretch = tuple[int, int]
"""A stretch of time in nanoseconds since 1970: its first moment, and the moment after its last."""


@dataclass(frozen=True, slots=True, order=True)
class WorkloadRef:
    """What pods belong to: the name of a controller, or of a pod without one (kind ``Pod``)."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Write as ``namespace/Kind/name``; of what is in no namespace as ``Kind/name``."""
        return f"{self.namespace}/{self.kind}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares; an empty name is no name."""

    name: str
    protocol: int
    number: int


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace and its labels, ``kubernetes.io/metadata.name`` always among them (NP-12)."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, or one that a controller would make.

    Attributes
    ----------
    addresses : tuple of Address
        All of ``status.podIPs`` (NP-35); empty where unknown.
    node : str
        Name of the node it runs on; empty where unknown.
    finished : bool
        Succeeded or Failed: neither subject nor peer, and owner of no address (NP-32).
    ports : tuple of ContainerPort
        Declared by its containers and its restartable init containers, in order (NP-25).
    owners : tuple of WorkloadRef
        Its chain of controllers, the direct one first; empty for a bare pod.
    synthesised : bool
        Made here from a controller's template, because the input holds no pod of it.
    account : str
        Name of its service account.
    reserved : str
        Set where it is no pod but an endpoint that the dataplane keeps for itself: ``health``, ``ingress``, ``init`` or
        ``unmanaged``. Selectors do not see it.
    stands_in : bool
        It stands for whoever has an identity, of whom a capture may tell nothing else; see `Cluster.identities`.
    namespace_labels, account_labels : mapping of str to str, or None
        What its namespace and its service account were labelled with while it was there; None: as the cluster says.
    """

    namespace: str
    name: str
    labels: Mapping[str, str]
    addresses: tuple[Address, ...] = ()
    node: str = ""
    host_network: bool = False
    finished: bool = False
    ports: tuple[ContainerPort, ...] = ()
    owners: tuple[WorkloadRef, ...] = ()
    synthesised: bool = False
    account: str = "default"
    reserved: str = ""
    stands_in: bool = False
    namespace_labels: Mapping[str, str] | None = None
    account_labels: Mapping[str, str] | None = None

    @property
    def full_name(self) -> str:
        """``namespace/name``, as captures write it; the name alone where there is no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def is_plain(self) -> bool:
        """Whether it is a pod that somebody runs: neither reserved nor a stand-in."""
        return not (self.reserved or self.stands_in)

    @property
    def workload(self) -> WorkloadRef:
        """The topmost controller; the pod itself where it has none."""
        return self.owners[-1] if self.owners else WorkloadRef(self.namespace, "Pod", self.name)


@dataclass(frozen=True, slots=True)
class Node:
    """A node, all of its addresses, and its capacity.

    Attributes
    ----------
    cpus : int
        0 where unknown.
    memory : int
        Bytes; 0 where unknown.
    """

    name: str
    addresses: tuple[Address, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    cpus: int = 0
    memory: int = 0


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; `target` is a number, or the name of a container port."""

    name: str
    protocol: int
    port: int
    target: int | str
    node_port: int = 0


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint that an EndpointSlice lists for a Service port."""

    port_name: str
    protocol: int
    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class Service:
    """A Service.

    Attributes
    ----------
    addresses : tuple of Address
        Cluster IPs, external IPs and load-balancer addresses; empty for a headless one.
    outer_addresses : tuple of Address
        Those of them that are no cluster IPs.
    selector : LabelSelector or None
        None: no selector, its backends are listed by hand.
    backends : tuple of Backend or None
        What its EndpointSlices list; None where the input holds no slice of it.
    labels : mapping of str to str
        Its own labels, by which some policies name it.
    keeps_inside, keeps_outside : bool
        Whether its internal and its external traffic policy is Local: a node hands what comes there only to backends
        of its own.
    external_name : str
        The domain name that it stands for, where it is an ExternalName.
    """

    namespace: str
    name: str
    addresses: tuple[Address, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    selector: LabelSelector | None = None
    backends: tuple[Backend, ...] | None = None
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    outer_addresses: tuple[Address, ...] = ()
    keeps_inside: bool = False
    keeps_outside: bool = False
    external_name: str = ""

    @property
    def ref(self) -> WorkloadRef:
        """Its name as ``namespace/Service/name``."""
        return WorkloadRef(self.namespace, "Service", self.name)

    def without(self, gone: Container[Address]) -> Service:
        """Return it without the listed backends at some addresses: nobody is there any more."""
        if not self.backends or not any(backend.address in gone for backend in self.backends):
            return self
        return replace(self, backends=tuple(backend for backend in self.backends if backend.address not in gone))


@dataclass(frozen=True)
class Cluster:
    """Everything that verdicts depend on besides the policies: at one instant, or over a time.

    Sequences are sorted by (namespace, name), so that equal clusters number alike. Over a time there may be several of
    one name, in the order of their times: what was deleted and made anew, and what was changed.

    Attributes
    ----------
    accounts : mapping of (str, str) to mapping of str to str
        Labels of service accounts, by namespace and name.
    names : mapping of str to tuple of Address, or None
        What domain names, in lower case and without last dot, stand for; None where nothing is known of any.
    names_are_all : bool
        No other names stand for anything. Otherwise an address that none of them stands for may have any name.
    name_times : mapping of (str, Address) to tuple of (int, int)
        When a name stands for an address, in stretches of time, in order and apart; always where it is not listed.
    identities : mapping of int to str
        Full name of the pod that stands in for each numeric identity of Cilium.
    lives, node_lives, service_lives : mapping of int to tuple of (int, int)
        When a pod, a node or a Service was there, by its position: stretches of time, in order and apart. One that is
        not listed always was.
    """

    namespaces: Mapping[str, Namespace]
    pods: tuple[Pod, ...]
    nodes: tuple[Node, ...] = ()
    services: tuple[Service, ...] = ()
    accounts: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    names: Mapping[str, tuple[Address, ...]] | None = None
    identities: Mapping[int, str] = field(default_factory=dict)
    names_are_all: bool = True
    name_times: Mapping[tuple[str, Address], tuple[Stretch, ...]] = field(default_factory=dict)
    lives: Mapping[int, tuple[Stretch, ...]] = field(default_factory=dict)
    node_lives: Mapping[int, tuple[Stretch, ...]] = field(default_factory=dict)
    service_lives: Mapping[int, tuple[Stretch, ...]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        namespaces: Iterable[Namespace],
        pods: Iterable[Pod],
        nodes: Iterable[Node] = (),
        services: Iterable[Service] = (),
        accounts: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
        names: Mapping[str, tuple[Address, ...]] | None = None,
        identities: Mapping[int, str] | None = None,
    ) -> Cluster:
        """Make a cluster, its parts sorted."""
        return cls(
            {namespace.name: namespace for namespace in sorted(namespaces, key=lambda n: n.name)},
            tuple(sorted(pods, key=lambda p: (p.namespace, p.name))),
            tuple(sorted(nodes, key=lambda n: n.name)),
            tuple(sorted(services, key=lambda s: (s.namespace, s.name))),
            dict(sorted((accounts or {}).items())),
            names,
            dict(sorted((identities or {}).items())),
        )

    @property
    def has_lives(self) -> bool:
        """Whether anything of it was there only at times."""
        return bool(self.lives or self.node_lives or self.service_lives)

    def at(self, time: int) -> Cluster:
        """Return the cluster of one instant, in nanoseconds since 1970; what names stood for when is kept."""
        if not self.has_lives:
            return self
        found = replace(
            self,
            pods=_there(self.pods, self.lives, time),
            nodes=_there(self.nodes, self.node_lives, time),
            lives={},
            node_lives={},
            service_lives={},
        )
        gone = self.homes - found.homes
        services = _there(self.services, self.service_lives, time)
        return replace(found, services=tuple(service.without(gone) for service in services))

    @cached_property
    def pod_numbers(self) -> dict[str, int]:
        """Position in `pods` of each ``namespace/name``; of several of one name, of the last."""
        return {pod.full_name: number for number, pod in enumerate(self.pods)}

    @cached_property
    def pods_named(self) -> dict[str, tuple[int, ...]]:
        """Positions in `pods` of each ``namespace/name``; several where it was of several pods, at times."""
        found: dict[str, tuple[int, ...]] = {}
        for number, pod in enumerate(self.pods):
            found[pod.full_name] = (*found.get(pod.full_name, ()), number)
        return found

    def named(self, name: str) -> tuple[int, ...]:
        """Return the positions of the pods that a name may mean: of several at times all, else the last."""
        found = self.pods_named[name]
        return found if any(number in self.lives for number in found) else found[-1:]

    @cached_property
    def pods_at(self) -> dict[Address, tuple[int, ...]]:
        """Positions of the running pods, hostNetwork ones left out, that own each address."""
        owners: dict[Address, tuple[int, ...]] = {}
        for number, pod in enumerate(self.pods):
            if not pod.finished and not pod.host_network:
                for address in pod.addresses:
                    owners[address] = (*owners.get(address, ()), number)
        return owners

    def pods_there(self, address: Address, time: int | None) -> tuple[int, ...]:
        """Return those of `pods_at` that were there at a time; all of them without one."""
        lives = ((number, self.lives.get(number)) for number in self.pods_at.get(address, ()))
        return tuple(
            number
            for number, stretches in lives
            if time is None or stretches is None or any(first <= time < end for first, end in stretches)
        )

    @cached_property
    def host_pods_at(self) -> dict[Address, tuple[int, ...]]:
        """Positions of the running hostNetwork pods at each address, which is their node's."""
        owners: dict[Address, tuple[int, ...]] = {}
        for number, pod in enumerate(self.pods):
            if not pod.finished and pod.host_network:
                for address in pod.addresses:
                    owners[address] = (*owners.get(address, ()), number)
        return owners

    @cached_property
    def node_at(self) -> dict[Address, str]:
        """Name of the node that owns each address; hostNetwork pods lend theirs to their node (NP-NODE)."""
        owners: dict[Address, str] = {}
        for pod in self.pods:
            if pod.host_network and not pod.finished and pod.node:
                owners.update(dict.fromkeys(pod.addresses, pod.node))
        for node in self.nodes:
            owners.update(dict.fromkeys(node.addresses, node.name))
        return owners

    @cached_property
    def homes(self) -> frozenset[Address]:
        """The addresses of pods and nodes."""
        return frozenset([*self.pods_at, *self.host_pods_at, *self.node_at])

    @cached_property
    def owned(self) -> frozenset[Address]:
        """The addresses of pods, nodes and Services."""
        of_services = (address for service in self.services for address in service.addresses)
        return self.homes.union(of_services)

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """Labels of a namespace; one that does not exist has none."""
        namespace = self.namespaces.get(name)
        return namespace.labels if namespace else {}

    def labels_around(self, pod: Pod) -> Mapping[str, str]:
        """Labels of a pod's namespace."""
        return self.namespace_labels(pod.namespace) if pod.namespace_labels is None else pod.namespace_labels

    def account_labels(self, pod: Pod) -> Mapping[str, str]:
        """Labels of a pod's service account, and its name as `NAME_KEY`."""
        labels = pod.account_labels
        if labels is None:
            labels = self.accounts.get((pod.namespace, pod.account), {})
        return {**labels, NAME_KEY: pod.account}

    def selects_node(self, selector: LabelSelector, name: str) -> Match:
        """Tell whether a selector holds a node, also by its name as `NAME_KEY`; MAYBE where only at times."""
        versions = self._node_labels.get(name, ({NAME_KEY: name},))
        found = {selector.matches(labels) for labels in versions}
        return Match.MAYBE if len(found) > 1 else Match.YES if found.pop() else Match.NO

    @cached_property
    def _node_labels(self) -> dict[str, tuple[Mapping[str, str], ...]]:
        """Labels of nodes; also none but the name of a node that hostNetwork pods speak of while it is not there."""
        found: dict[str, tuple[Mapping[str, str], ...]] = {}
        for node in self.nodes:
            found[node.name] = (*found.get(node.name, ()), {**node.labels, NAME_KEY: node.name})
        for name in self._nodes_outlived:
            found[name] = (*found[name], {NAME_KEY: name})
        return found

    @property
    def _nodes_outlived(self) -> list[str]:
        """Names of the nodes whose hostNetwork pods are there at times when they are not."""
        from .names import ALWAYS, united

        names = {self.nodes[number].name for number in self.node_lives}
        there: dict[str, list[Stretch]] = {name: [] for name in names}
        spoken_of: dict[str, list[Stretch]] = {name: [] for name in names}
        for number, node in enumerate(self.nodes):
            there.get(node.name, []).extend(self.node_lives.get(number, (ALWAYS,)))
        for number, pod in enumerate(self.pods):
            if pod.host_network:
                spoken_of.get(pod.node, []).extend(self.lives.get(number, (ALWAYS,)))
        return sorted(name for name in names if united([*there[name], *spoken_of[name]]) != united(there[name]))

    def with_addresses(self, learned: Mapping[str, tuple[Address, ...]]) -> Cluster:
        """Return the cluster with addresses given to pods, by full name, that had none."""
        pods = tuple(
            replace(pod, addresses=learned[pod.full_name]) if not pod.addresses and pod.full_name in learned else pod
            for pod in self.pods
        )
        return replace(self, pods=pods)


def _there(objects: Sequence[_T], lives: Mapping[int, tuple[Stretch, ...]], time: int) -> tuple[_T, ...]:
    """Return the objects that were there at a time."""
    return tuple(
        one
        for number, one in enumerate(objects)
        if number not in lives or any(first <= time < end for first, end in lives[number])
    )
