"""Programs: the ordered rules that bind one identity in one direction, shared where they are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..model.peers import AnyOf, Anything, Endpoints, Network
from ..model.policy import NETWORKPOLICY, Action, Direction, Policy, Rule
from ..model.ports import PORT_PROTOCOLS
from ..model.profile import Profile
from .ends import Kind
from .identities import Identities
from .members import Members, Partition, Sets
from .words import words


@dataclass(frozen=True)
class Program:
    """What binds an identity in one direction.

    Attributes
    ----------
    rules : tuple of int
        Numbers of the rules, in the order in which they are tried.
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


class RuleBook:
    """All rules of all policy sets, numbered; a policy that stands in several sets is held once.

    Where nothing is enforced, the sets are empty.
    """

    def __init__(self, policy_sets: Sequence[Sequence[Policy]], profile: Profile) -> None:
        self.rules: list[Rule] = []
        self.sets: list[list[int]] = []
        first_number: dict[int, int] = {}
        for policies in policy_sets:
            numbers: list[int] = []
            for policy in policies:
                first = first_number.setdefault(id(policy), len(self.rules))
                if first == len(self.rules):
                    self.rules += policy.rules
                numbers += range(first, first + len(policy.rules))
            self.sets.append(numbers if profile.enforced else [])
        for rule in self.rules:
            profile.place(rule.tier)
            if rule.tier != NETWORKPOLICY or not _is_plain(rule):
                raise UnsupportedError(f"{rule.place}: {rule} is of a kind that the tables cannot hold")
        self._sort_key = {n: (rule.order, n) for n, rule in enumerate(self.rules)}

    def ordered(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Sort rules in the order in which they are tried."""
        return tuple(sorted(numbers, key=self._sort_key.__getitem__))


def _is_plain(rule: Rule) -> bool:
    ends = [part for end in (rule.subject, rule.peer) for part in (end.members if isinstance(end, AnyOf) else (end,))]
    return (
        rule.action is not Action.PASS
        and not (rule.hosts or rule.rejects or rule.condition or rule.tie)
        and rule.source_ports.is_everything
        and not rule.ports.excluded
        and all(member.protocol in PORT_PROTOCOLS for member in rule.ports.members or ())
        and all(isinstance(end, Anything | Endpoints | Network) for end in ends)
        and all(not end.accounts.requirements for end in ends if isinstance(end, Endpoints))
    )


def bind_programs(book: RuleBook, members: Members, identities: Identities) -> tuple[list[Program], NDArray[np.int32]]:
    """Find the program of every identity, in each direction, under each policy set.

    Returns
    -------
    programs : list of Program
        The distinct ones.
    program_of : int32[sets * 2, identities]
        Row ``2 * set + direction``.
    """
    programs: dict[Program, int] = {}
    program_of = np.zeros((len(book.sets) * 2, identities.count), np.int32)
    for number, rules in enumerate(book.sets):
        for direction in Direction:
            row = program_of[2 * number + direction]
            for kind in Kind:
                here = identities.kind == kind
                row[here] = programs.setdefault(Program((), direction, kind=kind), len(programs))
            _bind(book, [n for n in rules if book.rules[n].direction is direction], members, identities, programs, row)
    return list(programs), program_of


def _bind(
    book: RuleBook,
    rules: Sequence[int],
    members: Members,
    identities: Identities,
    programs: dict[Program, int],
    row: NDArray[np.int32],
) -> None:
    """Enter the programs that rules of one direction make, and the number of each pod identity's own in `row`.

    Rules of one subject, a block, bind the same identities: those that the same blocks bind share a program.
    """
    blocks: dict[tuple[int, ...] | None, list[int]] = {}
    for number in rules:
        blocks.setdefault(members.atoms_of(book.rules[number].subject), []).append(number)
    everywhere = blocks.pop(None, [])
    sets = members.sets([book.rules[block[0]].subject for block in blocks.values()], surely=True)
    by_name = _bound_by_name(book, [everywhere, *blocks.values()], sets, identities)
    found = Partition(sets, words(len(identities.declared), seed=7)[identities.port_key] * by_name[:, np.newaxis])
    bound: list[list[int]] = [everywhere.copy() for _ in range(found.count)]
    bounds = found.starts.tolist()
    for block, first, last in zip(blocks.values(), bounds[:-1], bounds[1:], strict=True):
        for part in found.members[first:last].tolist():
            bound[part] += block
    keys = (identities.port_key * by_name)[found.firsts].tolist()
    is_pod = identities.kind == Kind.POD
    some = np.bincount(found.of_identity[is_pod], minlength=found.count).tolist()
    program_of = np.full(found.count, -1, np.int32)
    for part, (numbers, key) in enumerate(zip(bound, keys, strict=True)):
        if numbers and some[part]:
            program = Program(book.ordered(numbers), book.rules[numbers[0]].direction, key)
            program_of[part] = programs.setdefault(program, len(programs))
    here = is_pod & (program_of[found.of_identity] >= 0)
    row[here] = program_of[found.of_identity[here]]


def _bound_by_name(
    book: RuleBook, blocks: Sequence[Sequence[int]], sets: Sets, identities: Identities
) -> NDArray[np.bool_]:
    """Tell which identities are bound by an ingress rule that uses a name; the first of `blocks` binds all."""
    rules = book.rules
    uses = [any(rules[n].ports.names and rules[n].direction is Direction.INGRESS for n in block) for block in blocks]
    named = np.full(identities.count, uses[0])
    for number in np.flatnonzero(uses[1:]).tolist():
        for first, last in sets.stretches[sets.starts[number] : sets.starts[number + 1]].tolist():
            named[sets.pool[first:last]] = True
    return named
