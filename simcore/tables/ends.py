"""Ends: pods and nodes at their addresses, or at an unknown one; who owns an address of the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import number_signatures
from ..model.addresses import Address, Family
from ..model.cluster import Cluster
from ..model.profile import Profile
from .space import halves

Numbers = NDArray[np.int64]


class Kind(IntEnum):
    """What an identity stands for. Nodes come last: flows of theirs take the longer way through the kernels."""

    POD = 0
    OUTSIDE = 1
    NODE_V4 = 2
    NODE_V6 = 3
    NODE = 4
    """A node at an unknown address."""

    @classmethod
    def node(cls, address: Address | None) -> Kind:
        """Name the kind of a node's address."""
        if address is None:
            return cls.NODE
        return cls.NODE_V4 if address.family is Family.V4 else cls.NODE_V6


@dataclass(frozen=True)
class Owner:
    """One end that may stand behind an address: a pod by position, or a node by name."""

    pod: int = -1
    node: str = ""


class Ends:
    """The pods and nodes of a cluster, each at every address it has and at an unknown one.

    Attributes
    ----------
    selectable : bool[pods]
        Whether selectors can see a pod: only then it has ends of its own.
    first_of_pod : int64[pods + 1]
        The ends of pod p are numbered from ``first_of_pod[p]`` up to ``first_of_pod[p + 1]``: one for each of its
        addresses, in their order, then the unknown one.
    pod : int64[ends]
        The pod of each.
    family : uint8[ends]
        4 or 6; 0 where the address is unknown.
    halves : uint64[ends, 2]
        The address.
    nodes : list of (Address or None, str)
        Where nodes are, by name, unselectable pods included; those at unknown addresses last.
    owners : dict
        Who owns an address, but for those that one pod alone owns.
    alone : int64[...]
        The ends that alone own their address.
    """

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        pods = cluster.pods
        self.selectable = np.array([profile.hostnetwork == "pod" or not pod.host_network for pod in pods], bool)
        counts = np.array([len(pod.addresses) for pod in pods], np.int64)
        self.first_of_pod = np.append(0, np.cumsum(np.where(self.selectable, counts + 1, 0)))
        self.pod = np.repeat(np.arange(len(pods)), np.diff(self.first_of_pod))
        self.family = np.zeros(self.pod.size, np.uint8)
        self.halves = np.zeros((self.pod.size, 2), np.uint64)
        addressed = np.ones(self.pod.size, bool)
        addressed[self.first_of_pod[1:][self.selectable] - 1] = False
        places = np.flatnonzero(addressed)
        kept = [pods[number] for number in np.flatnonzero(self.selectable).tolist()]
        found = [address for pod in kept for address in pod.addresses]
        self.family[places] = np.where([address.family is Family.V4 for address in found], Family.V4, Family.V6)
        self.halves[places] = halves([address.value for address in found])
        own = np.array([not (pod.finished or pod.host_network) for pod in pods], bool)
        owning = places[own[self.pod[places]]]
        self.owners = _other_owners(cluster, profile)
        self.alone = self._settle(cluster, owning)
        apart = [pods[number] for number in np.flatnonzero(~self.selectable)]
        of_nodes = {(a, owner.node) for a, owners in self.owners.items() for owner in owners if owner.pod < 0}
        of_nodes |= {(address, pod.node) for pod in apart for address in pod.addresses}
        if cluster.has_lives:
            of_nodes |= _nodes_over_time(cluster)
        names = {name for _, name in of_nodes} | {pod.node for pod in apart}
        self.nodes: list[tuple[Address | None, str]] = [*sorted(of_nodes), *((None, name) for name in sorted(names))]

    def _settle(self, cluster: Cluster, owning: Numbers) -> Numbers:
        """Enter addresses that pods share, also with nodes, among `owners`; return the ends that are alone."""
        others = list(self.owners)
        keys = np.concatenate([self.halves[owning], halves([address.value for address in others])])
        is_v4 = np.append(self.family[owning] == Family.V4, [address.family is Family.V4 for address in others])
        keys[is_v4.astype(bool), 1] |= _MAPPED
        numbers, firsts = np.empty(len(keys), np.int32), np.empty(len(keys), np.int64)
        found = number_signatures(keys, numbers, firsts)
        alone = (np.bincount(numbers, minlength=found) == 1)[numbers[: owning.size]]
        shared: dict[Address, tuple[Owner, ...]] = {}
        for end in owning[~alone].tolist():
            pod = int(self.pod[end])
            address = cluster.pods[pod].addresses[end - int(self.first_of_pod[pod])]
            shared[address] = (*shared.get(address, ()), Owner(pod=pod))
        self.owners.update(shared)
        return np.asarray(owning[alone], np.int64)

    def of(self, pod: int, address: Address | None, addresses: Sequence[Address]) -> int:
        """Return the end of a pod that has `addresses` at one of them, or at an unknown one."""
        if address is None:
            return int(self.first_of_pod[pod + 1]) - 1
        return int(self.first_of_pod[pod]) + addresses.index(address)


_MAPPED = np.uint64(0xFFFF << 32)
"""Puts IPv4 addresses where no IPv6 address is."""


def _other_owners(cluster: Cluster, profile: Profile) -> dict[Address, tuple[Owner, ...]]:
    """Tell which ends may stand behind the addresses of nodes and of pods on their network."""
    owners: dict[Address, tuple[Owner, ...]] = {
        address: (Owner(node=name),) for address, name in cluster.node_at.items()
    }
    if profile.hostnetwork == "pod":
        for address, pods in cluster.host_pods_at.items():
            owners[address] = (*(Owner(pod=pod) for pod in pods), *owners.get(address, ()))
    return owners


def _nodes_over_time(cluster: Cluster) -> set[tuple[Address, str]]:
    """Collect the addresses of nodes with the names of all that ever had them."""
    found = {(address, node.name) for node in cluster.nodes for address in node.addresses}
    guests = (pod for pod in cluster.pods if pod.host_network and not pod.finished and pod.node)
    return found | {(address, pod.node) for pod in guests for address in pod.addresses}
