"""Programs: the ordered rules that bind one identity in one direction, shared where they are equal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..model.flows import Reason
from ..model.policy import Direction, Rule
from ..model.profile import Profile
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
        Port key of the subject where a rule looks up a name there, else 0.
    kind : Kind
        POD, OUTSIDE or NODE.
    maybes : frozenset of int
        Those of the rules of which it cannot be told whether they bind the identity.
    known : bool
        Whether its address is known, where there are such rules.
    hairpin : bool
        Whether it judges pods that reach themselves through a Service, by the rules that do so whatever the profile.
    """

    rules: tuple[int, ...]
    direction: Direction
    port_key: int = 0
    kind: Kind = Kind.POD
    maybes: frozenset[int] = frozenset()
    known: bool = False
    hairpin: bool = False

    def __hash__(self) -> int:
        """Hash by the rules alone: thousands of programs are looked up time and again."""
        return hash(self.rules)

    @property
    def otherwise(self) -> Reason:
        """Why traffic passes of which no rule decides."""
        if self.hairpin:
            return Reason.HAIRPIN
        if self.kind is Kind.OUTSIDE:
            return Reason.NOT_A_POD
        return Reason.NODE if self.kind is Kind.NODE and not self.rules else Reason.NOT_ISOLATED


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
    return _live(programs, np.array(rows, np.int32).reshape(-1, identities.count), book.sets)


def _live(programs: Iterable[Program], program_of: NDArray[np.int32], sets: Sequence[NDArray[np.int64]]) -> Binding:
    """Keep the programs that bind something."""
    live = np.unique(program_of)
    every = list(programs)
    found = {every[number]: position for position, number in enumerate(live.tolist())}
    return Binding(found, np.searchsorted(live, program_of).astype(np.int32), sets)


def final_programs(raw: Binding, book: RuleBook, profile: Profile) -> Binding:
    """Leave out the rules that a NetworkPolicy hides in both directions (AP-9), and add the programs of hairpins.

    Returns
    -------
    Binding
        After the rows of `raw` as many again for hairpins (AP-14), where rules judge them though the profile does not.
    """
    hides = profile.np_final == "any" and book.some_fall_back
    judges = profile.service_hairpin == "allow" and book.some_judge_hairpins
    if not (hides or judges):
        return raw
    programs, program_of = dict(raw.programs), raw.program_of.copy()
    if hides:
        isolates = np.array([any(map(book.isolates, program.rules)) for program in programs], bool)
        bare = _narrowed(programs, book, book.without_fallback, hairpin=False)
        for pair in program_of.reshape(len(raw.sets), 2, -1):
            hidden = isolates[pair].any(axis=0)
            pair[:, hidden] = bare[pair[:, hidden]]
    if judges:
        own = _narrowed(programs, book, book.of_hairpins, hairpin=True)
        program_of = np.concatenate([program_of, own[program_of]])
    return _live(programs, program_of, raw.sets)


def _narrowed(
    programs: dict[Program, int], book: RuleBook, kept: Callable[[Sequence[int]], list[int]], *, hairpin: bool
) -> NDArray[np.int32]:
    """Return the number of each program with some of its rules only; `programs` takes them up."""
    found = []
    for program in list(programs):
        end = program.direction, program.port_key, program.kind, program.known
        narrowed = _make(book, kept(program.rules), program.maybes, end, hairpin=hairpin)
        found.append(programs.setdefault(narrowed, len(programs)))
    return np.array(found, np.int32)


_End = tuple[Direction, int, Kind, bool]
"""What a program may depend on of the end that it binds: direction, port key, kind, whether its address is known."""
_NONE: frozenset[int] = frozenset()


def _make(
    book: RuleBook, serials: Sequence[int], maybes: Iterable[int], end: _End, *, hairpin: bool = False
) -> Program:
    """Make a program of some rules."""
    direction, port_key, kind, is_known = end
    in_doubt = frozenset(maybes).intersection(serials) if maybes else _NONE
    if book.named.isdisjoint(serials):
        port_key = 0
    return Program(book.ordered(serials), direction, port_key, kind, in_doubt, is_known and bool(in_doubt), hairpin)


def _unbound(direction: Direction, identities: Identities, programs: dict[Program, int]) -> NDArray[np.int32]:
    """Return the programs of identities that no rule binds."""
    of_kind = [programs.setdefault(Program((), direction, kind=_plain(kind)), len(programs)) for kind in Kind]
    return np.asarray(np.array(of_kind, np.int32)[identities.kind])


def _plain(kind: int) -> Kind:
    """Take nodes for nodes, wherever they are."""
    return Kind.NODE if kind > Kind.OUTSIDE else Kind(kind)


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
        sets = self._members.sets([self._rule(block[0]).subject for block in blocks])
        is_known = (known.firsts.family > 0) & sets.in_doubt
        parts = Partition(sets, np.stack([program_of, known.port_key << 1 | is_known], axis=1).astype(np.uint64))
        entering: dict[int, list[int]] = {}
        maybes: dict[int, list[int]] = {}
        for block, part, is_sure in _pairs(parts):
            entering.setdefault(part, []).extend(blocks[block])
            if not is_sure:
                maybes.setdefault(part, []).extend(blocks[block])
        result = program_of[parts.firsts]
        every = list(self._programs)
        touched = np.zeros(len(every), bool)
        for number in np.unique(result).tolist():
            touched[number] = moved or bool(everywhere) or not dropped.isdisjoint(every[number].rules)
        changed = touched[result]
        changed[list(entering)] = True
        kinds = known.kind[parts.firsts]
        for part in np.flatnonzero(changed & (kinds != Kind.OUTSIDE)).tolist():
            came = [*everywhere, *entering.get(part, ())]
            identity = int(parts.firsts[part])
            program = self._changed(every[result[part]], identity, dropped, came, maybes.get(part, ()))
            result[part] = self._programs.setdefault(program, len(self._programs))
        return np.asarray(result[parts.of_identity], np.int32)

    def _changed(
        self, program: Program, identity: int, dropped: set[int], entering: Sequence[int], maybes: Sequence[int]
    ) -> Program:
        """Return the program of an identity after some rules went and others, of which some may bind it, came."""
        known = self._identities
        end = self._direction, int(known.port_key[identity]), program.kind, bool(known.firsts.family[identity])
        rules = [serial for serial in program.rules if serial not in dropped]
        hosts = self._book.of_hosts
        if program.kind is Kind.NODE:
            rules += [serial for serial in entering if serial in hosts]
        else:
            rules += [serial for serial in entering if serial not in hosts] if hosts else entering
        return _make(self._book, rules, [*program.maybes, *maybes], end)

    def _rule(self, serial: int) -> Rule:
        return self._book.rule(serial)

    def _blocks(self, serials: Sequence[int]) -> tuple[list[int], list[list[int]]]:
        """Take rules of one subject, which bind the same identities, together; first those that bind all."""
        blocks: dict[tuple[int, ...] | None, list[int]] = {}
        for serial in serials:
            if self._rule(serial).direction is self._direction:
                blocks.setdefault(self._members.atoms_of(self._rule(serial).subject), []).append(serial)
        return blocks.pop(None, []), list(blocks.values())


def _pairs(parts: Partition) -> Iterator[tuple[int, int, bool]]:
    """Yield every set with every part that it holds, or may hold, and whether it does for sure."""
    bounds, sure = parts.starts.tolist(), parts.ends_sure.tolist()
    for number, (first, last) in enumerate(pairwise(bounds)):
        for place, part in enumerate(parts.members[first:last].tolist(), first):
            yield number, part, place < sure[number]
