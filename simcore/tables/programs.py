"""Programs: the ordered rules that bind one identity in one direction, shared where they are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import UnsupportedError
from ..model.peers import Anything
from ..model.policy import Action, Direction, Policy, Rule
from ..model.profile import Profile
from .atoms import members_of
from .identities import Identities, Kind


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
    """All rules of all policy sets, numbered; a policy that stands in several sets is held once."""

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
            self.sets.append(numbers)
        for rule in self.rules:
            if rule.tier not in profile.tiers or rule.action is Action.PASS:
                raise UnsupportedError(
                    f"{rule.place}: {rule} is of a tier or an action that this profile has no place for"
                )
        tiers = {tier: position for position, tier in enumerate(profile.tiers)}
        self._sort_key = {n: (tiers[rule.tier], rule.order, n) for n, rule in enumerate(self.rules)}

    def ordered(self, numbers: Sequence[int]) -> tuple[int, ...]:
        """Sort rules in the order in which they are tried."""
        return tuple(sorted(numbers, key=self._sort_key.__getitem__))


def bind_programs(book: RuleBook, identities: Identities) -> tuple[list[Program], NDArray[np.int32]]:
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
            for key, members in _by_content(book, rules, direction, identities).items():
                port_key, blocks = key
                bound = book.ordered([n for block in blocks for n in block])
                row[members] = programs.setdefault(Program(bound, direction, port_key), len(programs))
    return list(programs), program_of


def _by_content(
    book: RuleBook, rules: Sequence[int], direction: Direction, identities: Identities
) -> dict[tuple[int, tuple[tuple[int, ...], ...]], list[int]]:
    """Group pod identities by the blocks of rules (those of one subject) that bind them, and their port key."""
    blocks: dict[object, list[int]] = {}
    for number in rules:
        if book.rules[number].direction is direction:
            blocks.setdefault(book.rules[number].subject, []).append(number)
    bound: dict[int, list[tuple[int, ...]]] = {}
    for block in blocks.values():
        frozen = tuple(block)
        for identity in _subjects(book.rules[block[0]], identities):
            bound.setdefault(identity, []).append(frozen)
    groups: dict[tuple[int, tuple[tuple[int, ...], ...]], list[int]] = {}
    uses_names = {n for n in rules if book.rules[n].ports.names}
    for identity, chosen in bound.items():
        by_name = direction is Direction.INGRESS and any(n in uses_names for block in chosen for n in block)
        port_key = int(identities.port_key[identity]) if by_name else 0
        groups.setdefault((port_key, tuple(chosen)), []).append(identity)
    return groups


def _subjects(rule: Rule, identities: Identities) -> list[int]:
    """List the pod identities that a rule binds."""
    members = members_of(rule.subject)
    if any(isinstance(member, Anything) for member in members):
        return [int(i) for i in identities.pods]
    found: set[int] = set()
    for member in members:
        if not isinstance(member, Anything):
            found.update(identities.members(member).sure.tolist())
    return sorted(i for i in found if identities.kind[i] == Kind.POD)
