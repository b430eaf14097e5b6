"""Atoms: the distinct endpoint selectors and networks that rules are made of, and the pods each selects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Cidr
from ..model.cluster import Cluster, Pod
from ..model.labels import LabelSelector, Operator, Requirement
from ..model.peers import AnyOf, Anything, Endpoints, Network, PeerSet, atoms_of
from ..model.policy import Rule

Plain = Endpoints | Network
"""The atoms whose unions, by far most peer sets, are found without looking at every identity."""


class Atoms:
    """The distinct atoms of subjects and peers, numbered in order of appearance.

    A peer set that is no union of plain atoms has a number too, after those of its atoms.

    Attributes
    ----------
    numbers : dict
        Atom, or such a set, to number.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self.numbers: dict[PeerSet, int] = {}
        self._of: dict[int, tuple[int, ...] | None] = {}
        for rule in rules:
            self.of(rule.subject)
            self.of(rule.peer)

    def _number(self, peer: PeerSet) -> tuple[int, ...] | None:
        members = peer.members if isinstance(peer, AnyOf) else (peer,)
        if any([isinstance(member, Anything) for member in members]):
            for atom in atoms_of(peer):
                if isinstance(atom, Network):  # people see which block an address is in
                    self.numbers.setdefault(atom, len(self.numbers))
            return None
        if not all([isinstance(member, Plain) for member in members]):
            for atom in atoms_of(peer):
                self.numbers.setdefault(atom, len(self.numbers))
            members = (peer,)
        return tuple([self.numbers.setdefault(member, len(self.numbers)) for member in members])

    def of(self, peer: PeerSet) -> tuple[int, ...] | None:
        """Return what a subject or peer, which outlives this, is the union of; None for everybody."""
        if id(peer) not in self._of:
            self._of[id(peer)] = self._number(peer)
        return self._of[id(peer)]


def blocks_of(rules: Iterable[Rule]) -> set[Cidr]:
    """Return the distinct blocks that rules mention, exclusions included, the all-embracing ones left out."""
    peers = {id(peer): peer for rule in rules for peer in (rule.subject, rule.peer)}.values()
    networks = [atom for peer in peers for atom in atoms_of(peer) if isinstance(atom, Network)]
    return {block for network in networks for block in (network.cidr, *network.excluded) if block.length}


class LabelColumns:
    """Labels of numbered objects, a column of value codes for each key: selectors are comparisons of columns."""

    def __init__(self, labelled: Sequence[Mapping[str, str]]) -> None:
        self._size = len(labelled)
        self._columns: dict[str, NDArray[np.int32]] = {}
        self._codes: dict[str, dict[str, int]] = {}
        for number, labels in enumerate(labelled):
            for key, value in labels.items():
                if key not in self._columns:
                    self._columns[key] = np.full(self._size, _ABSENT, np.int32)
                    self._codes[key] = {}
                codes = self._codes[key]
                self._columns[key][number] = codes.setdefault(value, len(codes))

    def select(self, selector: LabelSelector, first: int, last: int) -> NDArray[np.bool_]:
        """Tell which of the objects from `first` up to `last` a selector selects."""
        selected = np.ones(last - first, bool)
        for requirement in selector.requirements:
            selected &= self._meets(requirement, first, last)
        return selected

    def _meets(self, requirement: Requirement, first: int, last: int) -> NDArray[np.bool_]:
        if requirement.key not in self._columns:
            negative = requirement.operator in (Operator.NOT_IN, Operator.DOES_NOT_EXIST)
            return np.full(last - first, negative)
        column = self._columns[requirement.key][first:last]
        if requirement.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return np.asarray((column == _ABSENT) == (requirement.operator is Operator.DOES_NOT_EXIST))
        codes = self._codes[requirement.key]
        if requirement.operator not in (Operator.IN, Operator.NOT_IN):
            return np.isin(column, [code for value, code in codes.items() if requirement.holds(value)])
        listed = np.zeros(column.size, bool)
        for value in requirement.values & codes.keys():
            listed |= column == codes[value]
        return listed if requirement.operator is Operator.IN else ~listed


_ABSENT = -1


class PodSelector:
    """Which pods of a cluster an `Endpoints` atom selects; only those that selectors can see.

    Pods are looked at by namespace, so that an atom of one namespace costs no more than that namespace is large.
    """

    def __init__(self, cluster: Cluster, selectable: NDArray[np.bool_]) -> None:
        keys = [_namespace_of(pod) for pod in cluster.pods]
        names = list(dict.fromkeys([*cluster.namespaces, *keys]))
        number_of = {name: number for number, name in enumerate(names)}
        of_pod = np.array([number_of[key] for key in keys], np.int64)
        self._order = np.argsort(of_pod, kind="stable")
        self._starts = np.searchsorted(of_pod[self._order], np.arange(len(names) + 1))
        reserved = np.array([bool(pod.reserved) for pod in cluster.pods], bool)
        self._selectable = (selectable & ~reserved)[self._order]
        self._namespaces = LabelColumns(
            [cluster.namespace_labels(name) if isinstance(name, str) else dict(name[1]) for name in names]
        )
        self._pods = LabelColumns([cluster.pods[number].labels for number in self._order])
        self._cluster = cluster
        self._pods_of: dict[Endpoints, NDArray[np.int32]] = {}
        self._ranges: dict[LabelSelector, list[tuple[int, int]]] = {}

    def select(self, atom: Endpoints) -> NDArray[np.int32]:
        """List the positions of the selected pods, ascending."""
        if (pods := self._pods_of.get(atom)) is None:
            pods = self._pods_of[atom] = self._select(atom)
        return pods

    @cached_property
    def _accounts(self) -> LabelColumns:
        """The labels of service accounts, by pod."""
        pods = self._cluster.pods
        return LabelColumns([self._cluster.account_labels(pods[number]) for number in self._order])

    def _select(self, atom: Endpoints) -> NDArray[np.int32]:
        found = []
        for first, last in self._in_namespaces(atom.namespaces):
            selected = self._pods.select(atom.pods, first, last) & self._selectable[first:last]
            if atom.accounts.requirements:
                selected &= self._accounts.select(atom.accounts, first, last)
            found.append(first + np.flatnonzero(selected))
        return np.sort(self._order[np.concatenate(found)]).astype(np.int32) if found else np.empty(0, np.int32)

    def _in_namespaces(self, selector: LabelSelector) -> list[tuple[int, int]]:
        """List the stretches of pods, in order of namespaces, that live in the selected ones."""
        if (found := self._ranges.get(selector)) is None:
            namespaces = np.flatnonzero(self._namespaces.select(selector, 0, len(self._starts) - 1))
            found = []
            bounds = self._starts[namespaces].tolist(), self._starts[namespaces + 1].tolist()
            for first, last in zip(*bounds, strict=True):
                if found and found[-1][1] == first:
                    found[-1] = (found[-1][0], last)
                elif first < last:
                    found.append((first, last))
            self._ranges[selector] = found
        return found


def _namespace_of(pod: Pod) -> str | tuple[str, tuple[tuple[str, str], ...]]:
    """Return what pods in equal namespaces have in common: its name, and its labels where the pod tells them."""
    labels = pod.namespace_labels
    return pod.namespace if labels is None else (pod.namespace, tuple(sorted(labels.items())))
