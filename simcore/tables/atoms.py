"""Atoms: the distinct endpoint selectors and networks that rules are made of, and the pods each selects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..model.cluster import Cluster
from ..model.labels import LabelSelector, Operator, Requirement
from ..model.peers import AnyOf, Anything, Endpoints, Network, PeerSet
from ..model.policy import Rule

Atom = Endpoints | Network


def members_of(peer: PeerSet) -> tuple[Anything | Atom, ...]:
    """List what a peer set is the union of."""
    return peer.members if isinstance(peer, AnyOf) else (peer,)


def collect_atoms(rules: Iterable[Rule]) -> dict[Atom, int]:
    """Number the distinct atoms of all subjects and peers, in order of appearance."""
    atoms: dict[Atom, int] = {}
    seen: set[int] = set()
    for rule in rules:
        for peer in (rule.subject, rule.peer):
            if id(peer) in seen:
                continue
            seen.add(id(peer))
            for member in members_of(peer):
                if not isinstance(member, Anything):
                    atoms.setdefault(member, len(atoms))
    return atoms


class LabelIndex:
    """Sets of numbered objects as the bits of an integer, by label: any selector is a few AND, OR and NOT."""

    def __init__(self, labelled: Iterable[Mapping[str, str]]) -> None:
        values: dict[str, dict[str, list[int]]] = {}
        count = 0
        for labels in labelled:
            for key, value in labels.items():
                values.setdefault(key, {}).setdefault(value, []).append(count)
            count += 1
        self._size = count
        self._everything = (1 << count) - 1
        self._with_value = {
            key: {value: bits_of(numbers, count) for value, numbers in by_value.items()}
            for key, by_value in values.items()
        }
        self._cache: dict[LabelSelector, int] = {}

    def select(self, selector: LabelSelector) -> int:
        """Return the set that a selector selects."""
        if (found := self._cache.get(selector)) is None:
            found = self._everything
            for requirement in selector.requirements:
                found &= self._meets(requirement)
            self._cache[selector] = found
        return found

    def _meets(self, requirement: Requirement) -> int:
        by_value = self._with_value.get(requirement.key, {})
        present = requirement.values & by_value.keys()
        listed = 0
        for value in present:
            listed |= by_value[value]
        match requirement.operator:
            case Operator.IN:
                return listed
            case Operator.NOT_IN:
                return self._everything & ~listed
            case Operator.EXISTS | Operator.DOES_NOT_EXIST:
                exists = 0
                for numbers in by_value.values():
                    exists |= numbers
                return exists if requirement.operator is Operator.EXISTS else self._everything & ~exists


def bits_of(numbers: list[int] | NDArray[np.int64], size: int) -> int:
    """Pack a list of numbers below `size` into the bits of an integer."""
    flags = np.zeros(size, np.uint8)
    flags[numbers] = 1
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def numbers_of(bits: int, size: int) -> NDArray[np.int64]:
    """List the numbers whose bits are set, ascending."""
    packed = np.frombuffer(bits.to_bytes((size + 7) // 8, "little"), np.uint8)
    return np.flatnonzero(np.unpackbits(packed, count=size, bitorder="little"))


class PodSelector:
    """Which pods of a cluster an `Endpoints` atom selects; only those that selectors can see."""

    def __init__(self, cluster: Cluster, selectable: NDArray[np.bool_]) -> None:
        names = list(dict.fromkeys([*cluster.namespaces, *(pod.namespace for pod in cluster.pods)]))
        self._size = len(cluster.pods)
        self._selectable = bits_of(np.flatnonzero(selectable), self._size) if self._size else 0
        self._namespaces = LabelIndex(cluster.namespace_labels(name) for name in names)
        self._pods = LabelIndex(pod.labels for pod in cluster.pods)
        number_of = {name: number for number, name in enumerate(names)}
        inhabitants: list[list[int]] = [[] for _ in names]
        for number, pod in enumerate(cluster.pods):
            inhabitants[number_of[pod.namespace]].append(number)
        self._inhabitants = [bits_of(numbers, self._size) if numbers else 0 for numbers in inhabitants]
        self._count = len(names)
        self._by_namespaces: dict[LabelSelector, int] = {}

    def select(self, atom: Endpoints) -> NDArray[np.int64]:
        """List the positions of the selected pods, ascending."""
        if not self._size:
            return np.empty(0, np.int64)
        bits = self._in_namespaces(atom.namespaces) & self._pods.select(atom.pods) & self._selectable
        return numbers_of(bits, self._size)

    def _in_namespaces(self, selector: LabelSelector) -> int:
        if (found := self._by_namespaces.get(selector)) is None:
            found = 0
            for number in numbers_of(self._namespaces.select(selector), self._count):
                found |= self._inhabitants[number]
            self._by_namespaces[selector] = found
        return found
