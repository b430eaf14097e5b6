"""Objects: what an address belongs to, as people name it; pods first, then nodes, then everything else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Cidr, Family
from ..model.cluster import Cluster
from ..model.peers import Network
from .identities import Identities, Owner
from .space import most_specific

EXTERNAL = "external"
NO_ADDRESS_LABEL = "no address"
UNKNOWN_POD_LABEL = "pod not in the cluster"


class Objects:
    """Numbers of objects and their labels.

    Attributes
    ----------
    labels : list of str
        Distinct labels: a workload ``namespace/Kind/name``, ``node/NAME``, a Service, a CIDR of a rule, ``external``.
    label_of : int32[objects]
        Label of each object.
    node_of : int32[objects]
        For a pod the number of its node among the nodes, or -1; for a node its own, or -2 where it has no name.
    pods, nodes : int
        Objects below `pods` are pods; those from there to ``pods + nodes`` are nodes.
    no_address, unknown_pod : int
        The objects of ends that are missing.
    """

    def __init__(self, cluster: Cluster, identities: Identities) -> None:
        self.pods = len(cluster.pods)
        names = (
            {node.name for node in cluster.nodes} | set(cluster.node_at.values()) | {pod.node for pod in cluster.pods}
        )
        self._nodes = {name: number for number, name in enumerate(sorted(names | {""}))}
        self.nodes = len(self._nodes)
        self._labels: dict[str, int] = {}
        self._label_of = [self._label(str(pod.workload)) for pod in cluster.pods]
        self._label_of += [self._label(f"node/{name or 'unknown'}") for name in self._nodes]
        node_of_pods = [self._nodes[pod.node] if pod.node else -1 for pod in cluster.pods]
        node_of_nodes = [number if name else -2 for name, number in self._nodes.items()]
        self._external = self._add(EXTERNAL)
        self.no_address = self._add(NO_ADDRESS_LABEL)
        self.unknown_pod = self._add(UNKNOWN_POD_LABEL)
        self._at = self._address_objects(cluster, identities)
        self.by_range = {family: self._paint(family, identities) for family in Family}
        self.label_of = np.array(self._label_of, np.int32)
        self.labels = list(self._labels)
        self.node_of = np.full(len(self._label_of), -1, np.int32)
        self.node_of[: self.pods + self.nodes] = node_of_pods + node_of_nodes

    def _label(self, text: str) -> int:
        return self._labels.setdefault(text, len(self._labels))

    def _add(self, text: str) -> int:
        self._label_of.append(self._label(text))
        return len(self._label_of) - 1

    def of(self, owner: Owner) -> int:
        """Return the object of one owner of an address."""
        return owner.pod if owner.pod >= 0 else self.pods + self._nodes[owner.node]

    def node(self, name: str) -> int:
        """Return the object of a node; the empty name is a node whose name is unknown."""
        return self.pods + self._nodes[name]

    def at(self, address: Address) -> int:
        """Return the object at an address that is not a range of its own."""
        return self._at.get(address, self._external)

    def _address_objects(self, cluster: Cluster, identities: Identities) -> dict[Address, int]:
        found: dict[Address, int] = {}
        for address, owners in identities.owners.items():
            if len(owners) == 1:
                found[address] = self.of(owners[0])
            else:
                first = self.of(owners[0])
                shared = list(self._labels)[self._label_of[first]]
                found[address] = self._add(f"{shared} (shared address)")
        for service in cluster.services:
            number = self._add(str(service.ref)) if service.addresses else -1
            found.update(dict.fromkeys(service.addresses, number))
        return found

    def _paint(self, family: Family, identities: Identities) -> NDArray[np.int32]:
        """Give every range its object: what owns it, else the longest block of a rule that holds it."""
        space = identities.spaces[family]
        blocks = _blocks(identities, family)
        numbers = np.array([*(self._add(str(block)) for block in blocks), self._external], np.int32)
        objects = numbers[most_specific(space, blocks)]
        for address, number in self._at.items():
            if address.family is family:
                objects[space.range_at(address.value)] = number
        return objects


def _blocks(identities: Identities, family: Family) -> list[Cidr]:
    """List the distinct blocks that rules mention, the all-embracing ones left out."""
    blocks = {
        block
        for atom in identities.atoms
        if isinstance(atom, Network) and atom.cidr.family is family
        for block in (atom.cidr, *atom.excluded)
    }
    return sorted(block for block in blocks if block.length)
