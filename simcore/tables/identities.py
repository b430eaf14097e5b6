"""Identities: ends of flows that no rule tells apart share one number.

An end is a pod at one of its addresses (or at an unknown one), a node at one of its addresses, or any other
range of addresses. What the rules can see of it (the atoms that hold it, its kind, the named ports it declares) is
hashed to a signature; equal signatures are one identity. An end that is reached through a Service which rules name is
another one, and so is a node as its own pods see it, where rules ask for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..kernels.rows import number_signatures
from ..model.addresses import Address, Family
from ..model.cluster import Cluster, Service
from ..model.peers import Atom, Endpoints, Network, Nodes, PeerSet
from ..model.policy import Rule
from ..model.ports import NamedPort
from ..model.profile import Profile
from .atoms import Atoms, Plain, PodSelector
from .ends import Ends, Kind, Numbers, Owner
from .ports import Declared, declared_by, names_of, port_sets_of
from .sights import ELSEWHERE, HERE, SOMEWHERE, Samples, Sights
from .space import Space, cut_space, halves, network_ranges
from .words import words

_UNKNOWN_ADDRESS = len(Kind)


class Identities:
    """The identities of a cluster under the rules of all its policy sets.

    Attributes
    ----------
    ends : Ends
        The pods and nodes of the cluster.
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
    of_end : int32[ends]
        Identity of each end of a pod.
    of_node : dict
        address or None -> identity of a node there.
    outside : int
        Identity of what is outside the cluster at an unknown address.
    at_range : dict
        For each family, int32[ranges]: the identity that stands in a range; the first owner's where it has several.
    by_range : int32[...]
        The identities that blocks see, by family and range.
    range_starts : dict
        For each family, int64[ranges + 1]: where the identities of a range begin in `by_range`.
    at_unknown_address : int32[...]
        Identities that any block may hold, because their address is unknown.
    sights : Sights
        What else than blocks and selectors rules see.
    firsts : Samples
        One end of each identity.
    """

    def __init__(self, rules: Sequence[Rule], atoms: Atoms, cluster: Cluster, profile: Profile) -> None:
        self._cluster = cluster
        self._blocks_see_pods = profile.ipblock_matches_pods
        self._blocks_see_nodes = profile.ipblock_matches_nodes
        self._seen = [atom for atom in atoms.numbers if not isinstance(atom, Plain)]
        self.ends = Ends(cluster, profile)
        self.selector = PodSelector(cluster, self.ends.selectable)
        nodes = [name for _, name in self.ends.nodes]
        self.sights = Sights(atoms.numbers, cluster, profile, self.selector, nodes)
        of_atom = words(len(atoms.numbers), seed=1)
        self.spaces = {family: self._cut(family, atoms, of_atom) for family in Family}
        labels = np.zeros((len(cluster.pods), 2), np.uint64)
        for atom, number in atoms.numbers.items():
            if isinstance(atom, Endpoints):
                labels[self.selector.select(atom)] ^= of_atom[number]
        self.sights.spaces = self.spaces
        self._again: dict[tuple[int, int, int], int] = {}
        self._by_nearness = any(isinstance(atom, Nodes) and atom.where != "anywhere" for atom in self._seen)
        self._number(labels, self._port_keys(rules, profile))

    def _cut(self, family: Family, atoms: Atoms, of_atom: NDArray[np.uint64]) -> Space:
        networks = [
            (atom, of_atom[number])
            for atom, number in atoms.numbers.items()
            if isinstance(atom, Network) and atom.cidr.family is family
        ]
        others = [*self.ends.owners, *(a for service in self._cluster.services for a in service.addresses)]
        others += [address for address, _ in self.ends.nodes if address]
        others += self.sights.addresses
        known = halves([address.value for address in others if address.family is family])
        return cut_space(family, networks, np.concatenate([self.ends.halves[self.ends.family == family], known]))

    def _number(self, labels: NDArray[np.uint64], pod_keys: Numbers) -> None:
        """Give every end its signature, and number the distinct ones: pods first, then ranges and what is outside at an
        unknown address, nodes last.
        """
        ends = self.ends
        node_kinds = [Kind.node(address) for address, _ in ends.nodes]
        outside = 1 + sum(len(space.starts) for space in self.spaces.values())
        kinds = np.concatenate(
            [
                np.full(ends.pod.size, Kind.POD, np.uint8),
                np.full(outside, Kind.OUTSIDE, np.uint8),
                np.array(node_kinds, np.uint8),
            ]
        )
        first_node = kinds.size - len(ends.nodes)
        family, ranges = self._places(first_node)
        of_owner = np.where(kinds == Kind.POD, self._blocks_see_pods, self._blocks_see_nodes)
        by_address = of_owner | (kinds == Kind.OUTSIDE)
        signatures = words(_UNKNOWN_ADDRESS + 1, seed=5)[kinds]
        for each, space in self.spaces.items():
            here = np.flatnonzero(by_address & (family == each))
            signatures[here] ^= space.signatures[ranges[here]]
        signatures[by_address & (family == 0)] ^= words(_UNKNOWN_ADDRESS + 1, seed=5)[_UNKNOWN_ADDRESS]
        signatures[: ends.pod.size] ^= labels[ends.pod]
        signatures[: ends.pod.size] ^= words(len(self.declared), seed=6)[pod_keys[ends.pod]]
        samples = self._samples(family, ranges, first_node)
        if self._seen:
            self._look(signatures, samples)
        self._drop_owned_ranges(signatures, by_address, family, ranges)

        numbers, firsts = np.empty(kinds.size, np.int32), np.empty(kinds.size, np.int64)
        self.count: int = number_signatures(signatures, numbers, firsts)
        firsts = firsts[: self.count]
        self.kind = kinds[firsts]
        self.firsts = samples.take(firsts)
        self.first_node = int(np.searchsorted(self.kind, Kind.NODE_V4))
        self.port_key = np.zeros(self.count, np.int64)
        pods = firsts < ends.pod.size
        self.port_key[pods] = pod_keys[ends.pod[firsts[pods]]]
        self.of_end = numbers[: ends.pod.size]
        self.outside = int(numbers[first_node - 1])
        self.of_node: dict[tuple[Address | None, str], int] = dict(
            zip(ends.nodes, numbers[first_node:].tolist(), strict=True)
        )
        self._stand(numbers, family, ranges)
        self._index(numbers, by_address, family, ranges)

    def _samples(self, family: NDArray[np.uint8], ranges: Numbers, first_node: int) -> Samples:
        """Return all ends."""
        none = np.full(family.size, -1, np.int64)
        pod, node = none.copy(), none.copy()
        pod[: self.ends.pod.size] = self.ends.pod
        number_of = {name: number for number, name in enumerate(self.sights.nodes)}
        node[first_node:] = [number_of[name] for _, name in self.ends.nodes]
        return Samples(pod, family, ranges, node, none, np.zeros(family.size, np.int64))

    def _look(self, signatures: NDArray[np.uint64], samples: Samples) -> None:
        """Enter into the signatures of ends what other atoms than plain ones say, and whether addresses are known."""
        signatures[samples.family == 0] ^= words(1, seed=12)
        atoms = [atom for atom in self._seen if isinstance(atom, Atom)]
        none = np.zeros((1, 2), np.uint64)
        here, elsewhere = (replace(samples, near=np.full(samples.size, near)) for near in (HERE, ELSEWHERE))
        for atom, pair in zip(atoms, words(2 * len(atoms), seed=13).reshape(-1, 2, 2), strict=True):
            seen = here if isinstance(atom, Nodes) and atom.where == "here" else elsewhere
            signatures ^= np.concatenate([none, pair])[self.sights.states(atom, seen)]

    def _places(self, first_node: int) -> tuple[NDArray[np.uint8], Numbers]:
        """Tell the family, 0 where unknown, and the range of all ends: pods, ranges, the unknown address, nodes."""
        ends = self.ends
        nodes = [address for address, _ in ends.nodes if address]
        families = [np.full(len(space.starts), family, np.uint8) for family, space in self.spaces.items()]
        of_nodes = np.array([address.family if address else 0 for address, _ in ends.nodes], np.uint8)
        family = np.concatenate([ends.family, *families, np.zeros(1, np.uint8), of_nodes])
        known = np.zeros((family.size, 2), np.uint64)
        known[: ends.pod.size] = ends.halves
        known[first_node : first_node + len(nodes)] = halves([address.value for address in nodes])
        ranges = np.full(family.size, -1, np.int64)
        start = ends.pod.size
        for each, space in self.spaces.items():
            here = np.flatnonzero(family == each)
            ranges[here] = space.ranges_at(known[here])
            ranges[start : start + len(space.starts)] = np.arange(len(space.starts))
            start += len(space.starts)
        return family, ranges

    def _drop_owned_ranges(
        self,
        signatures: NDArray[np.uint64],
        by_address: NDArray[np.bool_],
        family: NDArray[np.uint8],
        ranges: Numbers,
    ) -> None:
        """Make no identities of ranges that are one owned address: nothing outside can stand there."""
        start = self.ends.pod.size
        alone = self.ends.alone
        for each, space in self.spaces.items():
            others = halves([address.value for address in self.ends.owners if address.family is each])
            owned = np.append(ranges[alone[family[alone] == each]], space.ranges_at(others))
            owned = owned[owned > 0]
            signatures[start + owned] = signatures[start]
            by_address[start + owned] = False
            start += len(space.starts)

    def _stand(self, numbers: NDArray[np.int32], family: NDArray[np.uint8], ranges: Numbers) -> None:
        """Tell which identity stands in each range."""
        start = self.ends.pod.size
        alone = self.ends.alone
        self.at_range: dict[Family, NDArray[np.int32]] = {}
        for each, space in self.spaces.items():
            found = numbers[start : start + len(space.starts)].copy()
            here = alone[family[alone] == each]
            found[ranges[here]] = numbers[here]
            others = [(a, owners[0]) for a, owners in self.ends.owners.items() if a.family is each]
            places = space.ranges_at(halves([address.value for address, _ in others]))
            found[places] = [self.at(owner, address) for address, owner in others]
            self.at_range[each] = found
            start += len(space.starts)

    def _index(
        self, numbers: NDArray[np.int32], by_address: NDArray[np.bool_], family: NDArray[np.uint8], ranges: Numbers
    ) -> None:
        """Sort the ends that blocks see by range."""
        parts = []
        self.range_starts: dict[Family, Numbers] = {}
        start = 0
        for each, space in self.spaces.items():
            here = np.flatnonzero(by_address & (family == each))
            here = here[np.argsort(ranges[here], kind="stable")]
            self.range_starts[each] = start + np.searchsorted(ranges[here], np.arange(len(space.starts) + 1))
            parts.append(numbers[here])
            start += here.size
        self.by_range = np.concatenate(parts)
        self.at_unknown_address = np.unique(numbers[by_address & (family == 0)])

    def _port_keys(self, rules: Sequence[Rule], profile: Profile) -> Numbers:
        """Number what pods declare for the names that rules use."""
        names = {(name.name, name.protocol): name for ports in port_sets_of(rules) for name in names_of(ports)}
        first_only = profile.duplicate_port_names == "first"
        keys: dict[tuple[tuple[NamedPort, tuple[int, ...]], ...], int] = {(): 0}
        pods = self._cluster.pods
        of_pod = [
            keys.setdefault(declared_by(pod, names, first_only), len(keys)) if names and pod.ports else 0
            for pod in pods
        ]
        self.declared: list[Declared] = [dict(key) for key in keys]
        return np.array(of_pod, np.int64)

    def has(self, atom: PeerSet) -> bool:
        """Whether an atom holds or leaves out each identity as a whole, so that it tells no ends of one apart."""
        if not isinstance(atom, Plain):
            return atom in self._seen or (bool(self._seen) and not isinstance(atom, Atom))
        if isinstance(atom, Endpoints):
            pods = self.selector.select(atom)
            every, chosen = self.of_end, self.of_end[np.isin(self.ends.pod, pods)]
        else:
            space, starts = self.spaces[atom.cidr.family], self.range_starts[atom.cidr.family]
            if not all(space.has(block) for block in (atom.cidr, *atom.excluded)):
                return False
            stretches = zip(*space.stretches(network_ranges(atom)), strict=True)
            every = self.by_range
            chosen = np.concatenate([every[:0], *(every[starts[first] : starts[end]] for first, end in stretches)])
        of_identity = np.bincount(chosen, minlength=self.count)
        return bool((of_identity == np.bincount(every, minlength=self.count))[chosen].all())

    def reached(self, identity: int, service: Service) -> int:
        """Return the identity of an end that is reached through a Service: its own, unless rules name the Service."""
        number = self.sights.services.get((service.namespace, service.name))
        if number is None:
            return identity
        return self._seen_again(identity, number)

    def _seen_again(self, identity: int, service: int = -1, near: int = 0) -> int:
        return self._again.setdefault((identity, service, near), self.count + len(self._again))

    def _see_from_other_nodes(self) -> None:
        """Make identities of nodes as their own pods see them, and pods of which it is not known where they run."""
        reached = [(identity, service) for identity, service, _ in self._again if identity >= self.first_node]
        for identity, service in [*((node, -1) for node in range(self.first_node, self.count)), *reached]:
            self._seen_again(identity, service, HERE)
            self._seen_again(identity, service, SOMEWHERE)

    def nearness(self) -> NDArray[np.int32]:
        """Return for every identity, int32[2, count], what it is to its own pods, and to pods that may be such.

        It is empty where no rule asks.
        """
        if not self._by_nearness:
            return np.empty((2, 0), np.int32)
        found = np.tile(np.arange(self.count, dtype=np.int32), (2, 1))
        for (identity, service, near), number in self._again.items():
            if near:
                found[near - HERE, identity if service < 0 else self._again[identity, service, 0]] = number
        return found

    def count_reached(self) -> None:
        """Count the identities that `reached` made, and those of nodes seen from elsewhere, with the others."""
        if self._by_nearness:
            self._see_from_other_nodes()
        if not self._again:
            return
        bases, services, near = np.array(list(self._again)).T
        self.kind = np.append(self.kind, self.kind[bases])
        self.port_key = np.append(self.port_key, self.port_key[bases])
        self.firsts = self.firsts.seen_again(bases, services, near)
        self._order = np.argsort(bases, kind="stable")
        self._more = np.searchsorted(bases[self._order], np.arange(self.count + 1))
        edges = np.cumsum(np.append(0, 1 + np.diff(self._more)[self.by_range]))
        self.range_starts = {family: edges[starts] for family, starts in self.range_starts.items()}
        self.count += len(self._again)
        self.by_range, self.at_unknown_address = self.widened(self.by_range), self.widened(self.at_unknown_address)

    def widened(self, identities: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return identities, each followed by what else it is: through Services that rules name, from other nodes."""
        if not self._again:
            return identities
        counts = 1 + np.diff(self._more)[identities]
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        bases = np.repeat(identities, counts)
        offsets = np.arange(bases.size) - starts
        more = self.count - len(self._again) + np.append(self._order, 0)[self._more[bases] + offsets - 1]
        return np.where(offsets == 0, bases, more).astype(np.int32)

    def at(self, owner: Owner, address: Address | None) -> int:
        """Return the identity of a pod or node at an address of its own, or at an unknown one."""
        if owner.pod < 0:
            return int(self.of_node[address, owner.node])
        return int(self.of_end[self.ends.of(owner.pod, address, self._cluster.pods[owner.pod].addresses)])
