"""Identities: ends of flows that no rule tells apart share one number.

An end is a pod at one of its addresses (or at an unknown one), a node at one of its addresses, or any other
range of addresses. What the rules can see of it (the endpoint selectors and networks that hold it, its kind, the
named ports it declares) is hashed to a signature; equal signatures are one identity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Family
from ..model.cluster import Cluster
from ..model.peers import Endpoints, Network
from ..model.policy import Rule
from ..model.ports import NamedPort
from ..model.profile import Profile
from .atoms import Atom, PodSelector, collect_atoms
from .ports import Declared, declared_by
from .space import Space, cut_space
from .words import words

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


def owners_of_addresses(cluster: Cluster, profile: Profile) -> dict[Address, tuple[Owner, ...]]:
    """Tell for each address of the cluster which ends may stand behind it."""
    owners: dict[Address, tuple[Owner, ...]] = {
        address: (Owner(node=name),) for address, name in cluster.node_at.items()
    }
    for address, pods in cluster.host_pods_at.items():
        if profile.hostnetwork == "pod":
            owners[address] = (*(Owner(pod=pod) for pod in pods), *owners.get(address, ()))
    owners.update((address, tuple(Owner(pod=pod) for pod in pods)) for address, pods in cluster.pods_at.items())
    return owners


@dataclass(frozen=True)
class Membership:
    """The identities that a set holds for sure, and those it may hold; both ascending."""

    sure: Numbers
    maybe: Numbers


_NOBODY: Numbers = np.empty(0, np.int64)


class Identities:
    """The identities of a cluster under the rules of all its policy sets.

    Attributes
    ----------
    count, first_node : int
        How many there are; those from `first_node` on are nodes.
    kind : uint8[count]
        `Kind` of each.
    declared : list
        For each port key, what its pods declare; key 0 declares nothing.
    port_key : int64[count]
        Port key of each identity.
    spaces : dict
        The cut address space of each family.
    of_pod : dict
        (pod, address or None) -> identity, for pods that selectors can see.
    of_node : dict
        address or None -> identity of a node there.
    outside : dict
        For each family, int64[ranges]: identity of a range that belongs to nobody in the cluster.
    """

    def __init__(self, rules: Sequence[Rule], cluster: Cluster, profile: Profile) -> None:
        self._profile = profile
        self.atoms = collect_atoms(rules)
        self._words = words(len(self.atoms), seed=1)
        self.owners = owners_of_addresses(cluster, profile)
        self.selectable = np.array([profile.hostnetwork == "pod" or not p.host_network for p in cluster.pods], bool)
        self._selector = PodSelector(cluster, self.selectable)
        self._pods_of: dict[Endpoints, Numbers] = {
            atom: self._selector.select(atom) for atom in self.atoms if isinstance(atom, Endpoints)
        }
        self.spaces = {family: self._cut(family, cluster) for family in Family}
        self._number(rules, cluster)
        self._cache: dict[Atom, Membership] = {}

    def _cut(self, family: Family, cluster: Cluster) -> Space:
        networks = [
            (atom, self._words[number])
            for atom, number in self.atoms.items()
            if isinstance(atom, Network) and atom.cidr.family is family
        ]
        addresses = {a for a in self.owners if a.family is family}
        addresses |= {a for pod in cluster.pods for a in pod.addresses if a.family is family}
        addresses |= {a for service in cluster.services for a in service.addresses if a.family is family}
        return cut_space(family, networks, addresses)

    def _number(self, rules: Sequence[Rule], cluster: Cluster) -> None:
        """Give every end its signature, and number the distinct ones."""
        labels = np.zeros((len(cluster.pods), 2), np.uint64)
        for atom, pods in self._pods_of.items():
            labels[pods] ^= self._words[self.atoms[atom]]
        pod_keys = self._port_keys(rules, cluster)

        ends: list[tuple[Kind, int, Address | None]] = []
        for number, pod in enumerate(cluster.pods):
            if self.selectable[number]:
                ends += [(Kind.POD, number, address) for address in (*dict.fromkeys(pod.addresses), None)]
        nodes = {a for a, owners in self.owners.items() if any(owner.pod < 0 for owner in owners)}
        nodes |= {a for n, pod in enumerate(cluster.pods) if not self.selectable[n] for a in pod.addresses}
        ends += [(Kind.node(address), -1, address) for address in [*sorted(nodes), None]]
        first_outside = len(ends)
        ranges = {family: len(space.starts) for family, space in self.spaces.items()}
        total = first_outside + sum(ranges.values())

        self._pod = np.full(total, -1, np.int64)
        self._pod[:first_outside] = [pod for _, pod, _ in ends]
        kinds = np.full(total, Kind.OUTSIDE, np.uint64)
        kinds[:first_outside] = [kind for kind, _, _ in ends]
        self._family = np.zeros(total, np.int64)
        self._range = np.full(total, -1, np.int64)
        for position, (_, _, address) in enumerate(ends):
            if address is not None:
                self._family[position] = address.family
                self._range[position] = self.spaces[address.family].range_at(address.value)
        start = first_outside
        for family, count in ranges.items():
            self._family[start : start + count] = family
            self._range[start : start + count] = np.arange(count)
            start += count

        by_address = np.ones(total, bool)
        if not self._profile.ipblock_matches_pods:
            by_address[kinds == Kind.POD] = False
        signature = np.zeros((total, 5), np.uint64)
        signature[:, 0] = kinds
        for family, space in self.spaces.items():
            here = by_address & (self._family == family)
            signature[here, 1:3] = space.signatures[self._range[here]]
        unknown = by_address & (self._family == 0)
        signature[unknown, 1] = 1
        is_pod = self._pod >= 0
        signature[is_pod, 1:3] ^= _stirred(labels[self._pod[is_pod]])
        signature[is_pod, 3] = pod_keys[self._pod[is_pod]]
        self._by_address = by_address
        self._drop_owned_ranges(signature, first_outside)

        _, representative, inverse = np.unique(signature, axis=0, return_index=True, return_inverse=True)
        self._of_end = inverse.reshape(-1).astype(np.int64)
        self.kind = kinds[representative].astype(np.uint8)
        self.count = representative.size
        self.first_node = int(np.searchsorted(self.kind, Kind.NODE_V4))
        self.port_key = (
            np.where(self._pod[representative] >= 0, pod_keys[self._pod[representative]], 0).astype(np.int64)
            if len(cluster.pods)
            else np.zeros(self.count, np.int64)
        )
        self._index(ends, first_outside, ranges)

    def _drop_owned_ranges(self, signature: NDArray[np.uint64], first_outside: int) -> None:
        """Make no identities of ranges that are one owned address: nothing outside can stand there."""
        start = first_outside
        for family, space in self.spaces.items():
            for address in self.owners:
                if address.family is family and (number := space.range_at(address.value)) > 0:
                    signature[start + number] = signature[start]
                    self._by_address[start + number] = False
            start += len(space.starts)

    def _index(
        self, ends: list[tuple[Kind, int, Address | None]], first_outside: int, ranges: dict[Family, int]
    ) -> None:
        identities = self._of_end[:first_outside].tolist()
        self.of_pod = {(p, a): i for (_, p, a), i in zip(ends, identities, strict=True) if p >= 0}
        self.of_node = {a: i for (_, p, a), i in zip(ends, identities, strict=True) if p < 0}
        self.outside: dict[Family, Numbers] = {}
        start = first_outside
        for family, count in ranges.items():
            self.outside[family] = self._of_end[start : start + count]
            start += count
        pods = np.flatnonzero(self._pod >= 0)
        self._ends_by_pod = pods[np.argsort(self._pod[pods], kind="stable")]
        self._sorted_pods = self._pod[self._ends_by_pod]
        self._ends_by_range = {}
        for family in Family:
            here = np.flatnonzero(self._by_address & (self._family == family))
            order = here[np.argsort(self._range[here], kind="stable")]
            self._ends_by_range[family] = (self._range[order], self._of_end[order])
        self._at_unknown_address = np.unique(self._of_end[self._by_address & (self._family == 0)])

    def _port_keys(self, rules: Sequence[Rule], cluster: Cluster) -> NDArray[np.uint64]:
        """Number what pods declare for the names that rules use."""
        names = {(n.name, n.protocol): n for rule in rules for n in rule.ports.names}
        first_only = self._profile.duplicate_port_names == "first"
        keys: dict[tuple[tuple[NamedPort, tuple[int, ...]], ...], int] = {(): 0}
        of_pod = [
            keys.setdefault(declared_by(pod, names, first_only) if names else (), len(keys)) for pod in cluster.pods
        ]
        self.declared: list[Declared] = [dict(key) for key in keys]
        return np.array(of_pod, np.uint64)

    @property
    def pods(self) -> Numbers:
        """The identities of pods."""
        return np.flatnonzero(self.kind == Kind.POD)

    def members(self, atom: Atom) -> Membership:
        """Which identities an atom holds, and which it may hold because their address is unknown."""
        if (found := self._cache.get(atom)) is None:
            found = self._cache[atom] = self._selected(atom) if isinstance(atom, Endpoints) else self._contained(atom)
        return found

    def _selected(self, atom: Endpoints) -> Membership:
        pods = self._pods_of[atom]
        starts = np.searchsorted(self._sorted_pods, pods, "left")
        counts = np.searchsorted(self._sorted_pods, pods, "right") - starts
        places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return Membership(distinct(self._of_end[self._ends_by_pod[places]], self.count), _NOBODY)

    def _contained(self, atom: Network) -> Membership:
        ranges, identities = self._ends_by_range[atom.cidr.family]
        space = self.spaces[atom.cidr.family]
        parts = [
            identities[np.searchsorted(ranges, first) : np.searchsorted(ranges, end)]
            for first, end in space.ranges_of(atom)
        ]
        sure = distinct(np.concatenate(parts), self.count) if parts else _NOBODY
        return Membership(sure, self._at_unknown_address)


def distinct(numbers: NDArray[np.integer], count: int) -> Numbers:
    """Return the distinct ones of numbers below `count`, ascending: `numpy.unique` takes ten times as long."""
    if numbers.size < 2:
        return numbers.astype(np.int64)
    if 16 * numbers.size < count:
        ordered = np.sort(numbers)
        return np.asarray(ordered[np.append(True, ordered[1:] != ordered[:-1])], np.int64)
    here = np.zeros(count, bool)
    here[numbers] = True
    return np.flatnonzero(here)


def _stirred(signatures: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mix the bits of signatures, so that they can be XORed with others of another kind."""
    mixed = signatures * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(29)), np.uint64)
