"""Programs: the ordered rules that bind one identity in one direction, shared where they are equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..model.policy import Direction, Rule
from .book import RuleBook
from .ends import Kind
from .identities import Identities
from .members import Members, Partition


@dataclass(frozen=True)
class Program:
    """What binds an identity in one direction.

    Attributes
    ----------
    rules : tuple of int
        Serial numbers of the rules, in the order in which they are tried.
    direction : Direction
        Whose side they guard.
    port_key : int
        Port key of the subject where an ingress rule uses a name, else 0.
    kind : Kind
        POD, or the kind of end that nothing binds.
    """

    rules: tuple[int, ...]
    direction: Direction
    port_key: int = 0
    kind: Kind = Kind.POD

    def __hash__(self) -> int:
        """Hash by the rules alone: thousands of programs are looked up time and again."""
        return hash(self.rules)


@dataclass(frozen=True)
class Binding:
    """Which program binds every identity.

    Attributes
    ----------
    programs : dict
        The distinct programs, numbered.
    program_of : int32[sets * 2, identities]
        Row ``2 * set + direction``.
    sets : list of int64[rules]
        Serial numbers of the rules of every policy set, in the order of their numbers.
    """

    programs: Mapping[Program, int]
    program_of: NDArray[np.int32]
    sets: Sequence[NDArray[np.int64]]


def bind_programs(book: RuleBook, members: Members, identities: Identities, before: Binding | None) -> Binding:
    """Find the program of every identity, in each direction, under each policy set.

    What other rules bound `before` to the same identities is changed where rules came or went.
    """
    programs: dict[Program, int] = dict(before.programs) if before else {}
    rows = []
    for number, serials in enumerate(book.sets):
        for direction in Direction:
            if before and before.sets:
                like = min(number, len(before.sets) - 1)
                old, row = before.sets[like], before.program_of[2 * like + direction]
            else:
                old, row = np.empty(0, np.int64), _unbound(direction, identities, programs)
            rows.append(_Binder(book, members, identities, direction, programs).bind(old, serials, row))
    program_of = np.array(rows, np.int32).reshape(-1, identities.count)
    live = np.unique(program_of)
    every = list(programs)
    found = {every[number]: position for position, number in enumerate(live.tolist())}
    return Binding(found, np.searchsorted(live, program_of).astype(np.int32), book.sets)


def _unbound(direction: Direction, identities: Identities, programs: dict[Program, int]) -> NDArray[np.int32]:
    """Return the programs of identities that no rule binds."""
    of_kind = [programs.setdefault(Program((), direction, kind=kind), len(programs)) for kind in Kind]
    return np.asarray(np.array(of_kind, np.int32)[identities.kind])


class _Binder:
    """Binds the rules of one direction and policy set."""

    def __init__(
        self,
        book: RuleBook,
        members: Members,
        identities: Identities,
        direction: Direction,
        programs: dict[Program, int],
    ) -> None:
        self._book = book
        self._members = members
        self._identities = identities
        self._direction = direction
        self._programs = programs

    def bind(self, old: NDArray[np.int64], new: NDArray[np.int64], program_of: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the programs of all identities, who were bound as `program_of` says by other rules."""
        was, is_ = np.zeros((2, self._book.number_of.size), bool)
        was[old], is_[new] = True, True
        dropped, added = set(np.flatnonzero(was & ~is_).tolist()), np.flatnonzero(is_ & ~was)
        moved = not np.array_equal(new[was[new]], old[is_[old]])
        known = self._identities
        everywhere, blocks = self._blocks(added.tolist())
        sets = self._members.sets([self._rule(block[0]).subject for block in blocks], surely=True)
        parts = Partition(sets, np.stack([program_of, known.port_key], axis=1).astype(np.uint64))
        entering: dict[int, list[int]] = {}
        for block, part in _pairs(parts):
            entering.setdefault(part, []).extend(blocks[block])
        result = program_of[parts.firsts]
        every = list(self._programs)
        touched = np.zeros(len(every), bool)
        for number in np.unique(result).tolist():
            touched[number] = moved or bool(everywhere) or not dropped.isdisjoint(every[number].rules)
        changed = touched[result]
        changed[list(entering)] = True
        for part in np.flatnonzero(changed & (known.kind[parts.firsts] == Kind.POD)).tolist():
            before = [serial for serial in every[result[part]].rules if serial not in dropped]
            key = int(known.port_key[parts.firsts[part]])
            program = self._program([*before, *everywhere, *entering.get(part, ())], key)
            result[part] = self._programs.setdefault(program, len(self._programs))
        return np.asarray(result[parts.of_identity], np.int32)

    def _rule(self, serial: int) -> Rule:
        return self._book.rule(serial)

    def _blocks(self, serials: Sequence[int]) -> tuple[list[int], list[list[int]]]:
        """Take rules of one subject, which bind the same identities, together; first those that bind all."""
        blocks: dict[tuple[int, ...] | None, list[int]] = {}
        for serial in serials:
            if self._rule(serial).direction is self._direction:
                blocks.setdefault(self._members.atoms_of(self._rule(serial).subject), []).append(serial)
        return blocks.pop(None, []), list(blocks.values())

    def _program(self, serials: Sequence[int], port_key: int) -> Program:
        by_name = self._direction is Direction.INGRESS and any(self._rule(serial).ports.names for serial in serials)
        return Program(self._book.ordered(serials), self._direction, port_key if by_name else 0)


def _pairs(parts: Partition) -> Iterator[tuple[int, int]]:
    """Yield every set with every part that it holds."""
    bounds = parts.starts.tolist()
    for number, (first, last) in enumerate(pairwise(bounds)):
        for part in parts.members[first:last].tolist():
            yield number, part
