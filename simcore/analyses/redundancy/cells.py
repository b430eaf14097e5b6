"""Cells: which rules meet the same traffic, for every subject, peer and port class of some tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...kernels.rows import MAYBE, YES, tell_apart
from ...kernels.walks import ASK, FIRST_PORTLESS
from ...model.policy import Action, Direction, Role, Rule
from ...model.ports import PORT_PROTOCOLS, PortSet
from ...tables.atoms import Atoms
from ...tables.columns import Columns
from ...tables.layout import Kept, Tables
from ...tables.members import Members
from ...tables.ports import Declared, PortClasses, names_at_peer
from ...tables.programs import Program, final_programs
from ...tables.words import words

ACTIONS = (Action.ALLOW, Action.DENY, Action.PASS)
_CUT = {"allow": Action.ALLOW, "deny": Action.DENY}
"""What isolation does to protocols without ports, where no rule of its stage is asked (NP-20)."""

Cell = tuple[tuple[int, Action, bool], ...]
"""Rules that meet the same traffic, in the order in which they are asked: serial number, what the rule does, and
whether it matches for sure; otherwise it depends on something that the cell does not tell."""


@dataclass(frozen=True)
class Meetings:
    """All the cells of a policy set.

    Attributes
    ----------
    cells : tuple of Cell
        Each once, in the order in which they are found.
    rules : dict of int to Rule
        The rules of the set by serial number, in the order of rules.
    order : dict of int to int
        Where each rule stands among all that a program may hold.
    stage : dict of int to int
        Rules that `PASS` skips together share one.
    """

    cells: tuple[Cell, ...]
    rules: dict[int, Rule]
    order: dict[int, int]
    stage: dict[int, int]


def meetings(tables: Tables, number: int = 0) -> Meetings:
    """Find which rules of a policy set meet the same traffic.

    Raises
    ------
    ValueError
        The tables are of a cluster over a time, or were unpickled.
    """
    if tables.moments is not None or tables.eras is not None or tables.kept is None:
        raise ValueError("which rules are needed is told of one instant, of tables as they were built")
    kept = tables.kept
    serials = kept.book.sets[number].tolist()
    rules = {serial: kept.book.rule(serial) for serial in serials}
    binding = final_programs(kept.binding, kept.book, tables.profile)
    rows = [row for row in range(len(binding.program_of)) if row // 2 % tables.sets == number]
    used = np.unique(binding.program_of[rows]).tolist()
    every = list(binding.programs)
    finder = _Finder(kept, rules, tables)
    cells = dict.fromkeys(cell for program in used for cell in finder.cells(every[program]))
    stages: dict[object, int] = {}
    return Meetings(
        tuple(cells),
        rules,
        {serial: place for place, serial in enumerate(kept.book.ordered(serials))},
        {serial: stages.setdefault(kept.book.position(rule).stage, len(stages)) for serial, rule in rules.items()},
    )


class _Finder:
    """Finds the cells of programs."""

    def __init__(self, kept: Kept, rules: dict[int, Rule], tables: Tables) -> None:
        self._rules = list(rules.values())
        self._local = {serial: number for number, serial in enumerate(rules)}
        self._kept = kept
        identities = kept.ground.identities
        members = Members(Atoms(self._rules), identities)
        blank = np.zeros(identities.count, np.int32)
        self._columns = [Columns(self._rules, members, identities, direction, blank) for direction in Direction]
        somewhere = np.arange(identities.count) != tables.outside
        self._present = [np.unique(columns.of_identity[somewhere]) for columns in self._columns]
        self._peers_of = np.array([self._columns[rule.direction].number(rule.peer) for rule in self._rules], np.int32)
        self._cut = _CUT.get(tables.profile.other_protocols)
        self._ports = _PortsOfRules(kept.ground.classes, identities.declared)
        self._sure = np.array([matches_for_sure(rule) for rule in self._rules], bool)

    def cells(self, program: Program) -> Iterator[Cell]:
        """Yield the cells of a program, some of them repeatedly."""
        if not program.rules:
            return
        local = np.array([self._local[serial] for serial in program.rules], np.int64)
        rules = [self._rules[number] for number in local.tolist()]
        states, keys = self._states(program, local)
        most = np.where(self._sure[local], YES, MAYBE)
        if program.maybes:
            most[[serial in program.maybes for serial in program.rules]] = MAYBE
        serials = program.rules
        isolations = [place for place, rule in enumerate(rules) if rule.role is Role.ISOLATION]
        cut = self._cut if isolations else None
        for key in np.unique(keys).tolist():
            ours = states[:, keys == key]
            destination = key if program.direction is Direction.EGRESS else program.port_key
            masks, has_ports = self._ports.distinct([rule.ports for rule in rules], destination)
            for masks_of_kind, action in ((masks[:, has_ports], None), (masks[:, ~has_ports], cut)):
                found = np.minimum(np.minimum(ours[:, :, None], masks_of_kind[:, None, :]), most[:, None, None])
                lines = {line.tobytes() for line in np.ascontiguousarray(found.reshape(len(rules), -1).T, np.uint8)}
                for line in sorted(lines):
                    cell = [
                        (serials[place], rules[place].action, match == YES) for place, match in enumerate(line) if match
                    ]
                    yield tuple(cell if action is None else self._shortened(cell, action, serials[isolations[0]]))

    def _states(self, program: Program, local: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Say what the rules think of each peer that the program tells apart, and what that one declares."""
        columns = self._columns[program.direction]
        by_peer = columns.in_doubt or any([bool(names_at_peer(self._rules[number])) for number in local.tolist()])
        numbers = np.empty(columns.count, np.int32)
        firsts, states = tell_apart(
            local,
            self._peers_of,
            columns.starts,
            columns.ends_sure,
            columns.members,
            words(2 * local.size, seed=3),
            columns.stamps if by_peer else columns.stamps[:0],
            np.empty((columns.count, 2), np.uint64),
            numbers,
        )
        present = np.unique(numbers[self._present[program.direction]])
        return states[:, present], columns.keys[firsts[present]]

    def _shortened(self, cell: list[tuple[int, Action, bool]], action: Action, isolation: int) -> Cell:
        """Leave out what is not asked where isolation alone settles protocols without ports."""
        book = self._kept.book
        stage = book.position(book.rule(isolation)).stage
        return tuple(
            (serial, action if book.isolates(serial) else what, is_sure)
            for serial, what, is_sure in cell
            if book.isolates(serial) or book.position(book.rule(serial)).stage != stage
        )


class _PortsOfRules:
    """What the port sets of rules hold, of port classes that they tell apart."""

    def __init__(self, classes: PortClasses, declared: Sequence[Declared]) -> None:
        self._classes = classes
        self._declared = declared
        self._chosen: dict[frozenset[bytes], NDArray[np.int64]] = {}
        self._real = (classes.port >= 0) | ~np.isin(classes.protocol, PORT_PROTOCOLS)
        self._has_ports = classes.slot < FIRST_PORTLESS

    def distinct(self, port_sets: Sequence[PortSet], destination: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return what port sets hold of one class of each kind, uint8[sets, kinds]; and which kinds have ports."""
        declared = self._declared[destination]
        masks = [self._classes.mask(ports, declared) for ports in port_sets]
        key = frozenset(mask.tobytes() for mask in masks)
        if (chosen := self._chosen.get(key)) is None:
            lines = np.array([*map(np.frombuffer, key, [np.uint8] * len(key)), self._has_ports])
            real = np.flatnonzero(self._real)
            _, first = np.unique(lines[:, real], axis=1, return_index=True)
            chosen = self._chosen[key] = real[np.sort(first)]
        found = np.array(masks)[:, chosen]
        return np.where(found == ASK, np.uint8(MAYBE), found), self._has_ports[chosen]


def matches_for_sure(rule: Rule) -> bool:
    """Whether it matches wherever ends and destination ports do."""
    return rule.certain and rule.requests is None and not rule.condition and rule.source_ports.is_everything
