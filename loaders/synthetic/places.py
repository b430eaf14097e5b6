"""Where traffic in a cluster can start and end: its workloads, Services, nodes, and the world outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from simcore.errors import ResolveError
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Cluster, ContainerPort, Node, Pod, Service, WorkloadRef

from .traffic import Members, TrafficBuilder

_NO_SLOT = -1
_SYNTHESISED = (Cidr.parse("10.128.0.0/9"), Cidr.parse("fd00:10:128::/64"))
_OUTSIDERS = 8_192
_OUTSIDE_BLOCKS = ("13.0.0.0/8", "34.0.0.0/8", "52.0.0.0/8", "54.0.0.0/8", "99.0.0.0/8", "151.0.0.0/8", "198.18.0.0/16")
_RESOLVER = Address.parse("169.254.20.10")
_OUTSIDE_V6 = ("2001:db8::/32", "2600::/16")


@dataclass(slots=True)
class Place:
    """A workload whose pods run: its stretch of slots in each family, and what it listens on."""

    ref: WorkloadRef
    labels: dict[str, str]
    ports: tuple[ContainerPort, ...]
    slots: dict[Family, list[int]]
    host_network: bool
    members: dict[Family, Members] = field(default_factory=dict)
    fronts: list[tuple[Service, int]] = field(default_factory=list)

    @property
    def served(self) -> tuple[ContainerPort, ...]:
        """The ports for others than the metrics scraper."""
        return tuple(port for port in self.ports if port.name != "metrics")


class Places:
    """The places of a cluster, each with a stretch of slots in `builder`.

    Raises
    ------
    ResolveError
        The cluster has no running pod.
    """

    def __init__(self, cluster: Cluster, families: tuple[Family, ...], random: Random) -> None:
        self.builder = TrafficBuilder()
        self._cluster = cluster
        self._families = families
        self._random = random
        self._spare = [_unused(cluster, block) for block in _SYNTHESISED[: len(families)]]
        self._hosts = {
            (node.name, address.family): self.builder.slot(address, node=node.name)
            for node in cluster.nodes
            for address in reversed(node.addresses)
            if address.family in families
        }
        self.workloads = self._workloads()
        if not self.workloads:
            raise ResolveError("the cluster has no running pod, so there is nobody to talk. Add pods to it")
        self._find_fronts()

    def _workloads(self) -> list[Place]:
        places: dict[WorkloadRef, Place] = {}
        for pod in self._cluster.pods:
            if pod.finished or not pod.is_plain:
                continue
            place = places.get(pod.workload)
            if place is None:
                place = Place(pod.workload, dict(pod.labels), pod.ports, {}, pod.host_network)
                places[pod.workload] = place
            for slot, family in self._pod_slots(pod):
                place.slots.setdefault(family, []).append(slot)
        for place in places.values():
            place.members = {family: self._grouped(slots) for family, slots in place.slots.items()}
        return [place for place in places.values() if place.members]

    def _grouped(self, slots: list[int]) -> Members:
        members = self.builder.group(slots)
        assert members is not None
        return members

    def _pod_slots(self, pod: Pod) -> Iterator[tuple[int, Family]]:
        seen = set()
        for address in pod.addresses or self._made_up(pod):
            if address.family in self._families and address.family not in seen:
                seen.add(address.family)
                host = self._hosts.get((pod.node, address.family), _NO_SLOT)
                yield self.builder.slot(address, pod.full_name, pod.node, host), address.family

    def _made_up(self, pod: Pod) -> tuple[Address, ...]:
        """Return addresses for a pod whose own are not known; those of a node for a hostNetwork pod."""
        nodes = [node for node in self._cluster.nodes if node.addresses and pod.node in ("", node.name)]
        if pod.host_network and nodes:
            return nodes[0].addresses
        return (next(self._spare[0]),)

    def _find_fronts(self) -> None:
        """Note which Services lead to each workload."""
        of_namespace: dict[str, list[Place]] = {}
        for place in self.workloads:
            of_namespace.setdefault(place.ref.namespace, []).append(place)
        for service in self._cluster.services:
            if service.selector is not None:
                for place in of_namespace.get(service.namespace, ()):
                    if service.selector.matches(place.labels):
                        place.fronts += [(service, number) for number in range(len(service.ports))]

    def service_members(self, service: Service, family: Family) -> Members | None:
        """Return the stretch of a Service's own addresses."""
        wanted = [address for address in service.addresses if address.family is family]
        return self.builder.group([self.builder.slot(address) for address in wanted])

    def host_members(self, family: Family) -> Members | None:
        """Return the stretch of all nodes."""
        return self.builder.group([slot for (_, of), slot in self._hosts.items() if of is family])

    def everyone(self, family: Family) -> Members | None:
        """Return the stretch of all pods."""
        slots = [slot for place in self.workloads for slot in place.slots.get(family, ())]
        return self.builder.group(slots)

    def outsiders(self, family: Family) -> Members | None:
        """Return the stretch of addresses outside the cluster."""
        blocks = [Cidr.parse(text) for text in (_OUTSIDE_BLOCKS if family is Family.V4 else _OUTSIDE_V6)]
        drawn = (_within(self._random.choice(blocks), self._random) for _ in range(_OUTSIDERS))
        inside = _addresses(self._cluster)
        addresses = [address for address in dict.fromkeys(drawn) if address not in inside]
        return self.builder.group([self.builder.slot(address) for address in addresses])

    def resolver(self) -> dict[Family, Members | None]:
        """Return the resolver on the node that pods ask where the cluster holds no DNS server."""
        return {Family.V4: self.builder.group([self.builder.slot(_RESOLVER)])}


def _within(block: Cidr, random: Random) -> Address:
    return Address(block.family, block.network + random.randrange(block.last - block.first))


def _addresses(cluster: Cluster) -> set[Address]:
    """Return every address that something in the cluster owns."""
    owners: tuple[Pod | Node | Service, ...] = (*cluster.pods, *cluster.nodes, *cluster.services)
    return {address for owner in owners for address in owner.addresses}


def _unused(cluster: Cluster, block: Cidr) -> Iterator[Address]:
    """Enumerate the addresses of a block that nothing in the cluster owns."""
    taken = _addresses(cluster)
    numbers = range(block.first + 1, block.last)
    return (address for number in numbers if (address := Address(block.family, number)) not in taken)
