"""Members: which identities peer sets and subjects hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.members import distinct, list_parts, toggle_sets
from ..kernels.rows import MAYBE, YES, number_signatures
from ..model.peers import Endpoints, Network, PeerSet
from .atoms import Atoms, Plain
from .identities import Identities
from .space import network_ranges
from .words import words


@dataclass(frozen=True)
class Sets:
    """Sets of identities, for kernels.

    Attributes
    ----------
    starts : int64[sets + 1]
        The stretches of set s are rows ``starts[s]`` to ``starts[s + 1]`` of `stretches`.
    stretches : int64[..., 2]
        A stretch holds identities from the first place up to the second one of `pool`; it may name them repeatedly.
    maybes : int64[sets, 2]
        The stretch of those that a set may hold, as far as it does not hold them for sure.
    pool : int32[...]
        Identities.
    in_doubt : bool
        Whether sets may hold identities whose address is known.
    """

    starts: NDArray[np.int64]
    stretches: NDArray[np.int64]
    maybes: NDArray[np.int64]
    pool: NDArray[np.int32]
    in_doubt: bool


class Partition:
    """Identities that some sets do not tell apart, taken together.

    Attributes
    ----------
    count : int
        How many parts there are.
    of_identity : int32[identities]
        Part of each identity; parts are numbered in order of appearance.
    firsts : int64[count]
        The first identity of each part.
    starts, ends_sure : int64[sets + 1], int64[sets]
        Set s holds the parts from ``starts[s]`` to ``starts[s + 1]`` of `members`; up to ``ends_sure[s]`` for sure.
    members : int32[...]
        Parts of the sets.
    """

    def __init__(self, sets: Sets, signatures: NDArray[np.uint64]) -> None:
        """Part identities whose signatures, uint64[identities, 2], differ, or that sets hold apart."""
        signatures = signatures.copy()
        number = len(sets.maybes)
        given = (sets.starts, sets.stretches, sets.maybes, sets.pool)
        toggle_sets(*given, words(2 * number, seed=4), np.full(len(signatures), -1, np.int32), signatures)
        self.of_identity = np.empty(len(signatures), np.int32)
        firsts = np.empty(len(signatures), np.int64)
        self.count: int = number_signatures(signatures, self.of_identity, firsts)
        self.firsts = firsts[: self.count].copy()
        self.starts, self.ends_sure = np.empty(number + 1, np.int64), np.empty(number, np.int64)
        size = 0
        for _ in range(2):  # counted first, then written
            self.members = np.empty(size, np.int32)
            seen = np.full(self.count, -1, np.int32)
            list_parts(*given, self.of_identity, seen, self.starts, self.ends_sure, self.members)
            size = int(self.starts[-1])


class Members:
    """Knows which identities atoms hold; those that nobody asked about are looked for together."""

    def __init__(self, atoms: Atoms, identities: Identities) -> None:
        self._atoms = atoms
        self._identities = identities
        self._stretches: list[list[tuple[int, int]]] = []
        self._maybes: list[tuple[int, int]] = []
        self._in_doubt: list[bool] = []
        blocks, unknown = identities.by_range, identities.at_unknown_address
        self._pool = np.concatenate([blocks, unknown])
        self._unknown = blocks.size, self._pool.size

    def _find(self) -> None:
        """Find the members of atoms that were numbered since."""
        new = list(self._atoms.numbers.items())[len(self._stretches) :]
        self._stretches += [[] for _ in new]
        self._maybes += [self._unknown if isinstance(atom, Network) else (0, 0) for atom, _ in new]
        self._in_doubt += [False] * len(new)
        if new:
            self._find_blocks(new)
            self._find_pods(new)
            self._find_others(new)

    def _find_blocks(self, new: list[tuple[PeerSet, int]]) -> None:
        for family, space in self._identities.spaces.items():
            bounds, numbers = [], []
            for atom, number in new:
                if isinstance(atom, Network) and atom.cidr.family is family:
                    ranges = network_ranges(atom)
                    bounds += ranges
                    numbers += [number] * len(ranges)
            firsts, lasts = space.stretches(bounds)
            starts = self._identities.range_starts[family]
            for number, first, last in zip(numbers, starts[firsts].tolist(), starts[lasts].tolist(), strict=True):
                self._stretches[number].append((first, last))

    def _find_pods(self, new: list[tuple[PeerSet, int]]) -> None:
        known = self._identities
        seen = np.full(known.count, -1, np.int32)
        parts = [self._pool]
        start = self._pool.size
        for atom, number in new:
            if isinstance(atom, Endpoints):
                pods = known.selector.select(atom)
                found = known.widened(distinct(pods, known.ends.first_of_pod, known.of_end, number, seen))
                self._stretches[number] = [(start, start + found.size)]
                parts.append(found)
                start += found.size
        self._pool = np.concatenate(parts)

    def _find_others(self, new: list[tuple[PeerSet, int]]) -> None:
        """Find the members of what is no plain atom: such sets are asked about every identity."""
        known = self._identities
        parts = [self._pool]
        start = self._pool.size
        for peer, number in new:
            if not isinstance(peer, Plain):
                states = known.sights.states(peer, known.firsts)
                sure, maybe = (np.flatnonzero(states == state).astype(np.int32) for state in (YES, MAYBE))
                end = start + sure.size
                self._stretches[number] = [(start, end)]
                self._maybes[number] = end, end + maybe.size
                self._in_doubt[number] = bool(known.firsts.family[maybe].any())
                parts += [sure, maybe]
                start = end + maybe.size
        self._pool = np.concatenate(parts)

    def sets(self, peers: Sequence[PeerSet]) -> Sets:
        """List the identities of peer sets, none of them everybody."""
        stretches: list[tuple[int, int]] = []
        counts, maybes, in_doubt = [], [], False
        of_peers = [self._atoms.of(peer) or () for peer in peers]
        self._find()
        for atoms in of_peers:
            for atom in atoms:
                stretches += self._stretches[atom]
            counts.append(len(stretches))
            maybes.append(max([self._maybes[atom] for atom in atoms], default=(0, 0)))
            in_doubt = in_doubt or any([self._in_doubt[atom] for atom in atoms])
        return Sets(
            np.array([0, *counts], np.int64),
            np.array(stretches, np.int64).reshape(-1, 2),
            np.array(maybes, np.int64).reshape(-1, 2),
            self._pool,
            in_doubt,
        )

    def atoms_of(self, peer: PeerSet) -> tuple[int, ...] | None:
        """Name what makes a peer set: equal ones hold the same; None for everybody."""
        return self._atoms.of(peer)
