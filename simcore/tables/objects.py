"""Objects: what an address belongs to, as people name it; pods first, then nodes, then everything else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Cidr, Family
from ..model.cluster import Cluster, WorkloadRef
from .ends import Ends, Owner
from .identities import Identities
from .space import halves, most_specific

EXTERNAL = "external"
NO_ADDRESS_LABEL = "no address"
UNKNOWN_POD_LABEL = "pod not in the cluster"
NOBODY_LABEL = "nobody then"


@dataclass(frozen=True)
class Painting:
    """The objects of all ranges, and all labels.

    Attributes
    ----------
    labels : list of str
        Distinct labels: a workload ``namespace/Kind/name``, ``node/NAME``, a Service, a CIDR of a rule, ``external``.
    label_of : int32[objects]
        Label of each object.
    node_of : int32[objects]
        For a pod the number of its node among the nodes, or -1; for a node its own, or -2 where it has no name.
    by_range : dict
        For each family, int32[ranges]: the object of each range.
    """

    labels: list[str]
    label_of: NDArray[np.int32]
    node_of: NDArray[np.int32]
    by_range: dict[Family, NDArray[np.int32]]


class Objects:
    """Numbers of the objects of a cluster.

    Attributes
    ----------
    pods, nodes : int
        Objects below `pods` are pods; those from there to ``pods + nodes`` are nodes.
    external : int
        The object of what is outside the cluster, in no block of a rule.
    no_address, unknown_pod : int
        The objects of ends that are missing.
    nobody : int
        That of addresses that are nobody's at a time; -1 where each is always somebody's.
    services : list of int
        That of each Service; -1 where it has no address.
    """

    def __init__(self, cluster: Cluster, ends: Ends) -> None:
        self.pods = len(cluster.pods)
        names = (
            {node.name for node in cluster.nodes} | set(cluster.node_at.values()) | {pod.node for pod in cluster.pods}
        )
        self._nodes = {name: number for number, name in enumerate(sorted(names | {""}))}
        self.nodes = len(self._nodes)
        workloads: dict[WorkloadRef, int] = {}
        of_pods = [workloads.setdefault(pod.workload, len(workloads)) for pod in cluster.pods]
        self._labels = {str(workload): number for workload, number in workloads.items()}
        self._label_of = of_pods
        for name in self._nodes:
            self._add(f"node/{name or 'unknown'}")
        self._node_of = [self._nodes[pod.node] if pod.node else -1 for pod in cluster.pods]
        self._node_of += [number if name else -2 for name, number in self._nodes.items()]
        self.external = self._add(EXTERNAL)
        self.no_address = self._add(NO_ADDRESS_LABEL)
        self.unknown_pod = self._add(UNKNOWN_POD_LABEL)
        self.nobody = self._add(NOBODY_LABEL) if cluster.has_lives else -1
        self.services: list[int] = []
        self._at = self._address_objects(cluster, ends)

    def _add(self, text: str) -> int:
        self._label_of.append(self._labels.setdefault(text, len(self._labels)))
        return len(self._label_of) - 1

    def of(self, owner: Owner) -> int:
        """Return the object of one owner of an address."""
        return owner.pod if owner.pod >= 0 else self.pods + self._nodes[owner.node]

    def node(self, name: str) -> int:
        """Return the object of a node; the empty name is a node whose name is unknown."""
        return self.pods + self._nodes[name]

    def at(self, address: Address) -> int:
        """Return the object at an address that nobody owns and that is not a range of its own."""
        return self._at.get(address, self.external)

    def _address_objects(self, cluster: Cluster, ends: Ends) -> dict[Address, int]:
        """Number the objects of the addresses that are not one pod's alone."""
        found: dict[Address, int] = {}
        texts = list(self._labels)
        for address, owners in ends.owners.items():
            first = self.of(owners[0])
            several = len(owners) > 1
            found[address] = self._add(f"{texts[self._label_of[first]]} (shared address)") if several else first
        for service in cluster.services:
            number = self._add(str(service.ref)) if service.addresses else -1
            found.update(dict.fromkeys(service.addresses, number))
            self.services.append(number)
        return found

    def paint(self, blocks: Iterable[Cidr], identities: Identities) -> Painting:
        """Give every range its object: what owns it, else the longest of some blocks that holds it."""
        labels, label_of = dict(self._labels), list(self._label_of)
        by_range = {}
        for family, space in identities.spaces.items():
            ours = sorted(block for block in blocks if block.family is family)
            numbers = np.array([*range(len(label_of), len(label_of) + len(ours)), self.external], np.int32)
            label_of += [labels.setdefault(str(block), len(labels)) for block in ours]
            by_range[family] = numbers[most_specific(space, ours)]
            self._enter_owned(by_range[family], family, identities)
        node_of = np.full(len(label_of), -1, np.int32)
        node_of[: self.pods + self.nodes] = self._node_of
        return Painting(list(labels), np.array(label_of, np.int32), node_of, by_range)

    def _enter_owned(self, objects: NDArray[np.int32], family: Family, identities: Identities) -> None:
        space, ends = identities.spaces[family], identities.ends
        alone = ends.alone[ends.family[ends.alone] == family]
        objects[space.ranges_at(ends.halves[alone])] = ends.pod[alone]
        at = [(address.value, number) for address, number in self._at.items() if address.family is family]
        objects[space.ranges_at(halves([value for value, _ in at]))] = [number for _, number in at]
