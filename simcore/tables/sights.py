"""Sights: what peer sets say of ends, one answer for each; for those that are no plain unions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import MAYBE, NO, YES
from ..model.addresses import Address, Family
from ..model.cluster import Cluster, Stretch
from ..model.names import ALWAYS, NameIndex, united
from ..model.peers import (
    AllOf,
    AnyOf,
    Anything,
    Backends,
    DomainNames,
    Endpoints,
    Except,
    Network,
    Nodes,
    OfFamily,
    Outside,
    PeerSet,
    Reserved,
    ThroughService,
    Unresolved,
)
from ..model.profile import Profile
from ..model.services import Frontend, frontends
from .atoms import PodSelector
from .space import Space, halves, network_ranges

States = NDArray[np.uint8]


ELSEWHERE, HERE, SOMEWHERE = range(3)
"""Where a node is to the subject of a rule: not the node that it runs on, that node, or it is not known which."""


@dataclass(frozen=True)
class Samples:
    """Some ends.

    Attributes
    ----------
    pod : int64[n]
        Position of the pod; -1 where it is none.
    family : uint8[n]
        4 or 6; 0 where the address is unknown.
    range : int64[n]
        The range of the address in the space of its family.
    node : int64[n]
        Which name among `Sights.nodes` a node has; -1 where it is none.
    service : int64[n]
        Which of `Sights.services` it is reached through; -1 where through none.
    near : int64[n]
        Where a node is to the subject: ELSEWHERE, HERE or SOMEWHERE.
    """

    pod: NDArray[np.int64]
    family: NDArray[np.uint8]
    range: NDArray[np.int64]
    node: NDArray[np.int64]
    service: NDArray[np.int64]
    near: NDArray[np.int64]

    @property
    def size(self) -> int:
        """How many there are."""
        return self.pod.size

    def take(self, rows: NDArray[np.integer]) -> Samples:
        """Return some of them."""
        parts = (self.pod, self.family, self.range, self.node, self.service, self.near)
        return Samples(*(part[rows] for part in parts))

    def seen_again(self, rows: NDArray[np.integer], service: NDArray[np.int64], near: NDArray[np.int64]) -> Samples:
        """Return these and some of them once more, reached through Services or seen from other nodes."""
        more = self.take(rows)
        return Samples(
            np.append(self.pod, more.pod),
            np.append(self.family, more.family),
            np.append(self.range, more.range),
            np.append(self.node, more.node),
            np.append(self.service, service),
            np.append(self.near, near),
        )


class Sights:
    """Knows what peer sets say of ends; `spaces` is to be set once the address space is cut.

    Attributes
    ----------
    nodes : list of str
        Names of nodes.
    services : dict
        The Services, by namespace and name, that ends are known to be reached through, numbered.
    addresses : frozenset of Address
        Those that sets name one by one; all that any name stands for where the rest is in doubt.
    """

    def __init__(
        self,
        atoms: Iterable[PeerSet],
        cluster: Cluster,
        profile: Profile,
        selector: PodSelector,
        nodes: Iterable[str],
    ) -> None:
        self.spaces: Mapping[Family, Space] = {}
        self.nodes = list(dict.fromkeys(nodes))
        self._cluster = cluster
        self._blocks_see_pods = profile.ipblock_matches_pods
        self._blocks_see_nodes = profile.ipblock_matches_nodes
        self._selector = selector
        self._addresses: dict[PeerSet, frozenset[Address]] = {}
        self._backends: dict[PeerSet, _Behind] = {}
        atoms = list(atoms)
        through = [(atom.namespace, atom.service) for atom in atoms if isinstance(atom, ThroughService)]
        self.services = {key: number for number, key in enumerate(dict.fromkeys(through))}
        index = NameIndex(cluster.names or {} if any(isinstance(atom, DomainNames) for atom in atoms) else ())
        for atom in atoms:
            if isinstance(atom, DomainNames):
                self._addresses[atom] = self._addresses_of(atom, index)
        self._find_backends([atom for atom in atoms if isinstance(atom, Backends)])
        self._named = frozenset[Address]()
        self._told: tuple[Samples, NDArray[np.bool_]] | None = None
        is_open = not cluster.names_are_all
        if any(isinstance(atom, DomainNames) and (atom.external or is_open) for atom in atoms):
            self._named = frozenset(address for found in (cluster.names or {}).values() for address in found)
        behind = (found.addresses for found in self._backends.values())
        self.addresses = self._named.union(*self._addresses.values(), *behind)

    def _addresses_of(self, atom: DomainNames, index: NameIndex) -> frozenset[Address]:
        names = self._cluster.names or {}
        return frozenset(a for pattern in atom.patterns for name in index.matching(pattern) for a in names[name])

    def _find_backends(self, atoms: Sequence[Backends]) -> None:
        versions: dict[tuple[str, str], dict[int, _Behind]] = {(atom.namespace, atom.service): {} for atom in atoms}
        lives: dict[tuple[str, str], list[Stretch]] = {key: [] for key in versions}
        for number, service in enumerate(self._cluster.services if versions else ()):
            key = service.namespace, service.name
            if key in versions:
                versions[key][id(service)] = _Behind()
                lives[key] += self._cluster.service_lives.get(number, (ALWAYS,))
        for frontend in frontends(self._cluster) if versions else ():
            if found := versions.get((frontend.service.namespace, frontend.service.name)):
                found[id(frontend.service)].add(frontend, self._cluster)
        for atom in atoms:
            key = atom.namespace, atom.service
            self._backends[atom] = _Behind.of(list(versions[key].values()), is_always=united(lives[key]) == (ALWAYS,))

    def _is_behind(self, behind: _Behind, ends: Samples) -> States:
        def among(pods: set[int], addresses: set[Address]) -> NDArray[np.bool_]:
            chosen = np.array(sorted(pods), np.int64)
            return _among(chosen, ends.pod, len(self._cluster.pods)) | self._stands_at(addresses, ends)

        found = _sure(among(behind.pods, behind.addresses))
        found[(found == YES) & ~among(behind.sure_pods, behind.sure_addresses)] = MAYBE
        if behind.addresses:
            found[(ends.pod < 0) & (ends.family == 0)] = MAYBE
        return found

    def states(self, peer: PeerSet, ends: Samples) -> States:
        """Tell for each end whether a peer set holds it: NO, MAYBE or YES."""
        match peer:
            case Anything():
                return np.full(ends.size, YES, np.uint8)
            case AnyOf(members):
                found = np.full(ends.size, NO, np.uint8)
                for member in members:
                    found = np.maximum(found, self.states(member, ends))
                return found
            case AllOf(members):
                found = np.full(ends.size, YES, np.uint8)
                for member in members:
                    found = np.minimum(found, self.states(member, ends))
                return found
            case Except(inner):
                return YES - self.states(inner, ends)
            case Unresolved():
                return np.full(ends.size, MAYBE, np.uint8)
            case Endpoints():
                return _sure(_among(self._selector.select(peer), ends.pod, len(self._cluster.pods)))
            case Outside():
                return _sure((ends.pod < 0) & (ends.node < 0))
            case Reserved(identity):
                own = [number for number, pod in enumerate(self._cluster.pods) if pod.reserved == identity]
                return _sure(_among(np.array(own, np.int64), ends.pod, len(self._cluster.pods)))
            case ThroughService(namespace, service):
                return _sure(ends.service == self.services.get((namespace, service), -2))
            case Backends():
                return self._is_behind(self._backends[peer], ends)
            case _:
                return self._by_address(peer, ends)

    def _by_address(self, peer: Network | OfFamily | Nodes | DomainNames, ends: Samples) -> States:
        match peer:
            case Network():
                inside = np.zeros(ends.size, bool)
                firsts, lasts = self.spaces[peer.cidr.family].stretches(network_ranges(peer))
                for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
                    inside |= (ends.range >= first) & (ends.range < last)
                found = _sure(inside & (ends.family == peer.cidr.family))
            case OfFamily(family):
                found = _sure(ends.family == family)
            case Nodes():
                found = self._nodes(peer, ends)
            case DomainNames():
                found = self._by_name(peer, ends)
        found[ends.family == 0] = MAYBE
        if isinstance(peer, DomainNames) and self._cluster.names is None:
            found[:] = MAYBE
        sees_pods, sees_nodes = self._sees(peer)
        if not sees_pods:
            found[ends.pod >= 0] = NO
        if not sees_nodes:
            found[ends.node >= 0] = NO
        return found

    def _sees(self, peer: PeerSet) -> tuple[bool, bool]:
        """Whether an atom that goes by addresses may hold pods and nodes."""
        match peer:
            case Network():
                return self._blocks_see_pods, self._blocks_see_nodes
            case Nodes():
                return False, True
            case DomainNames(external=True):
                return False, False
            case _:
                return True, True

    def _by_name(self, peer: DomainNames, ends: Samples) -> States:
        found = _sure(self._stands_at(self._addresses[peer], ends))
        if peer.external or not self._cluster.names_are_all:
            found[~self._is_named(ends)] = MAYBE
        return found

    def _is_named(self, ends: Samples) -> NDArray[np.bool_]:
        """Tell which ends any known name stands for; the same ends are asked about for every set of names."""
        if self._told is None or self._told[0] is not ends:
            self._told = ends, self._stands_at(self._named, ends)
        return self._told[1]

    def _nodes(self, peer: Nodes, ends: Samples) -> States:
        of_node = [self._cluster.selects_node(peer.labels, name) for name in self.nodes]
        found = np.array([*of_node, NO], np.uint8)[ends.node]
        if peer.where == "anywhere":
            return found
        answers = (NO, YES, MAYBE) if peer.where == "here" else (YES, NO, MAYBE)
        return np.minimum(found, np.array(answers, np.uint8)[ends.near])

    def _stands_at(self, addresses: Iterable[Address], ends: Samples) -> NDArray[np.bool_]:
        """Tell which ends stand at some of the addresses that atoms name."""
        found = np.zeros(ends.size, bool)
        for family, space in self.spaces.items():
            ours = [address.value for address in addresses if address.family is family]
            found |= (ends.family == family) & np.isin(ends.range, space.ranges_at(halves(ours)))
        return found


@dataclass
class _Behind:
    """The backends of a Service: at any time, those that may be, and those that are at all times."""

    pods: set[int] = field(default_factory=set)
    addresses: set[Address] = field(default_factory=set)
    perhaps: set[int] = field(default_factory=set)
    sure_pods: set[int] = field(default_factory=set)
    sure_addresses: set[Address] = field(default_factory=set)

    def add(self, frontend: Frontend, cluster: Cluster) -> None:
        """Take in what a frontend leads to; an address that pods have in turn means the pod of the time."""
        owners = [cluster.pods_at.get(t.address, ()) for t in frontend.targets if t.pod < 0 and t.address is not None]
        self.perhaps |= {pod for pods in owners if not cluster.lives.keys().isdisjoint(pods) for pod in pods}
        self.pods |= {target.pod for target in frontend.targets if target.pod >= 0}
        self.addresses |= {t.address for t in frontend.targets if t.pod < 0 and t.address is not None}

    @classmethod
    def of(cls, versions: Sequence[_Behind], *, is_always: bool) -> _Behind:
        """Put together what a Service was at different times, which may be all the time there is."""
        pods, addresses = [found.pods for found in versions], [found.addresses for found in versions]
        sure = [set.intersection(*found) if found and is_always else set() for found in (pods, addresses)]
        perhaps = set().union(*(found.perhaps for found in versions))
        return cls(perhaps.union(*pods), set().union(*addresses), set(), *sure)


def _sure(holds: NDArray[np.bool_]) -> States:
    return np.where(holds, np.uint8(YES), np.uint8(NO))


def _among(chosen: NDArray[np.integer], numbers: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Tell which numbers below `count` are chosen; -1 never is."""
    mask = np.zeros(count + 1, bool)
    mask[chosen] = True
    return np.asarray(mask[numbers])
