"""The matrix: what is possible between every two kinds of ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...model.flows import Verdict
from ...model.policy import Direction
from ...tables.layout import Tables
from ...tables.ports import OTHER_SLOT
from ..rows import PORTS, port_stretches, ranges_with, rows_of_programs, verdicts_of_rows
from .results import Ports

Numbers = NDArray[np.int64]
Member = tuple[int, int]
"""Family (0: unknown) and identity of an end at one of its addresses."""

NOTHING = -1
"""Number of the verdicts of ends that have no family in common."""
SOMEWHERE, ANYWHERE, NODE = range(3)
"""Where ends are: on a node that is known, or on any; or they are nodes, of which pods may meet their own."""
_CELLS = 1 << 22
"""Pairs that are looked at at a time."""


class Kinds:
    """Numbers of the kinds of ends: what tables see of one at each of its addresses.

    Attributes
    ----------
    found : dict
        Members, and where they are, to the number.
    """

    def __init__(self) -> None:
        self.found: dict[tuple[tuple[Member, ...], int], int] = {}

    def add(self, members: tuple[Member, ...], where: int) -> int:
        """Return the number of a kind."""
        return self.found.setdefault((members, where), len(self.found))


@dataclass(frozen=True)
class Matrix:
    """What is possible between kinds of ends.

    Attributes
    ----------
    cells : int32[source classes, destination classes]
        Numbers in `ports`.
    source_class, destination_class : int64[kinds]
    ports : list of Ports
    meeting : Meeting
        Tells the verdicts of all ports.
    """

    cells: NDArray[np.int32]
    source_class: Numbers
    destination_class: Numbers
    ports: list[Ports]
    meeting: Meeting

    @cached_property
    def classes(self) -> list[tuple[int, int]]:
        """Both classes of each kind: kinds of equal ones are alike."""
        return list(zip(self.source_class.tolist(), self.destination_class.tolist(), strict=True))


@dataclass(frozen=True)
class _Side:
    """Kinds of ends as sources, or as destinations, those that are alike held once.

    Attributes
    ----------
    family : int64[sides, members]
        -1 where there is no such member.
    program : int64[sides, members]
        Where the program that binds it begins, egress for sources.
    columns : int64[3, sides, members]
        Its column as a peer; the second where it is not known whether both ends are on one node, the third where they
        are.
    where : int64[sides]
        `SOMEWHERE`, `ANYWHERE` or `NODE`.
    """

    family: Numbers
    program: Numbers
    columns: Numbers
    where: Numbers

    def part(self, first: int, last: int) -> _Side:
        """Return some of them."""
        here = slice(first, last)
        return _Side(self.family[here], self.program[here], self.columns[:, here], self.where[here])


def matrix(tables: Tables, number: int, kinds: Kinds) -> Matrix:
    """Find out what is possible between every two kinds of ends."""
    sources, source_of = _sides(tables, number, kinds, Direction.EGRESS)
    destinations, destination_of = _sides(tables, number, kinds, Direction.INGRESS)
    meeting = Meeting(tables)
    size = max(_CELLS // max(destinations.where.size, 1), 1)
    parts = [
        meeting.meet(sources.part(first, first + size), destinations) for first in range(0, sources.where.size, size)
    ]
    cells = np.concatenate([np.empty((0, destinations.where.size), np.int32), *parts])
    ports, of_verdicts = meeting.ports()
    cells = of_verdicts[cells]
    rows, row_of = _distinct(cells)
    columns, column_of = _distinct(np.ascontiguousarray(cells[rows].T))
    return Matrix(cells[rows][:, columns], row_of[source_of], column_of[destination_of], ports, meeting)


def _sides(tables: Tables, number: int, kinds: Kinds, direction: Direction) -> tuple[_Side, Numbers]:
    """Return the distinct sides of kinds, and which is each kind's."""
    arrays = tables.arrays
    programs = arrays.program_of[2 * number + direction].astype(np.int64)
    columns = arrays.column_of[1 - direction].astype(np.int64)
    here, anywhere = columns[arrays.nearness] if arrays.nearness.shape[1] else (columns, columns)
    found: dict[tuple[tuple[tuple[int, ...], ...], int], int] = {}
    of_kind = []
    seen = list(zip(programs.tolist(), columns.tolist(), anywhere.tolist(), here.tolist(), strict=True))
    for members, where in kinds.found:
        key = tuple(sorted({(family, *seen[identity]) for family, identity in members})), where
        of_kind.append(found.setdefault(key, len(found)))
    width = max((len(members) for members, _ in found), default=1)
    table = np.zeros((5, len(found), width), np.int64)
    table[0] = -1
    for side, (parts, _) in enumerate(found):
        table[:, side, : len(parts)] = np.array(parts).T
    where_of = np.array([where for _, where in found], np.int64)
    return _Side(table[0], table[1], table[2:], where_of), np.array(of_kind, np.int64)


class Meeting:
    """Numbers the verdicts of all ports that pairs of ends meet."""

    def __init__(self, tables: Tables) -> None:
        self._row_of = tables.arrays.row_of
        self._asks_own = tables.arrays.nearness.shape[1] > 0
        stretches = port_stretches(tables)
        other = int(tables.arrays.port_class[OTHER_SLOT * PORTS])
        classes, inverse = np.unique([*(number for _, number in stretches), other], return_inverse=True)
        self._stretches = [(ports, int(place)) for (ports, _), place in zip(stretches, inverse[:-1], strict=True)]
        self._other = int(inverse[-1])
        verdicts = verdicts_of_rows(tables)[:, classes]
        parts = [_kinds_of_rows(verdicts, block) for block in rows_of_programs(tables)]
        (self._egress, self._egress_of), (self._ingress, self._ingress_of) = parts
        self._number_of = np.full(len(self._egress) * len(self._ingress), NOTHING, np.int32)
        self._found: dict[bytes, int] = {}

    def meet(self, sources: _Side, destinations: _Side) -> NDArray[np.int32]:
        """Return the number of what each source meets at each destination; NOTHING where families differ."""
        here, there = sources.where[:, None], destinations.where
        anywhere = (here == ANYWHERE) | (there == ANYWHERE)
        own = (here == SOMEWHERE) & (there == NODE)
        asks_own = self._asks_own and bool(own.any())
        cells = np.full(anywhere.shape, NOTHING, np.int32)
        for one, other in product(range(sources.family.shape[1]), range(destinations.family.shape[1])):
            fitting = _fitting(sources.family[:, one], destinations.family[:, other])
            if fitting.any():
                met = self._met(sources, one, destinations, other, anywhere)
                cells = self._agreed(cells, np.where(fitting, met, NOTHING))
                if asks_own:
                    met = self._met(sources, one, destinations, other, None)
                    cells = self._agreed(cells, np.where(fitting & own, met, NOTHING))
        return cells

    def _met(
        self, sources: _Side, one: int, destinations: _Side, other: int, anywhere: NDArray[np.bool_] | None
    ) -> NDArray[np.int32]:
        """Number what one member of each source meets at one of each destination; without `anywhere`, on one node."""
        to, back = destinations.columns[:, :, other], sources.columns[:, :, one, None]
        from_source = to[2] if anywhere is None else np.where(anywhere, to[1], to[0])
        from_destination = back[2] if anywhere is None else np.where(anywhere, back[1], back[0])
        outward = self._egress_of[self._row_of[sources.program[:, one, None] + from_source]]
        inward = self._ingress_of[self._row_of[destinations.program[:, other] + from_destination]]
        keys = outward * len(self._ingress) + inward
        met: NDArray[np.int32] = self._number_of[keys]
        new = np.unique(keys[met == NOTHING])
        if new.size:
            egress, ingress = self._egress[new // len(self._ingress)], self._ingress[new % len(self._ingress)]
            denied = (egress == Verdict.DENY) | (ingress == Verdict.DENY)
            together = np.where(denied, np.uint8(Verdict.DENY), np.maximum(egress, ingress))
            self._number_of[new] = self._numbers(together)
            met = self._number_of[keys]
        return met

    def _agreed(self, cells: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.int32]:
        """Number what ends meet that may be met in two ways: on ports where these differ it cannot be told (NP-29)."""
        result = np.where(cells == NOTHING, others, cells)
        differing = (cells != NOTHING) & (others != NOTHING) & (cells != others)
        if differing.any():
            keys = cells[differing].astype(np.int64) << 32 | others[differing]
            new, inverse = np.unique(keys, return_inverse=True)
            verdicts = self._all()
            one, other = verdicts[new >> 32], verdicts[new & 0xFFFFFFFF]
            result[differing] = self._numbers(np.where(one == other, one, np.uint8(Verdict.UNKNOWN)))[inverse]
        return result

    def _numbers(self, verdicts: NDArray[np.uint8]) -> NDArray[np.int32]:
        return np.array([self._found.setdefault(row.tobytes(), len(self._found)) for row in verdicts], np.int32)

    def _all(self) -> NDArray[np.uint8]:
        return np.frombuffer(b"".join(self._found), np.uint8).reshape(len(self._found), -1)

    def verdicts(self, direction: Direction, rows: Numbers) -> NDArray[np.uint8]:
        """Return what one direction says of every kind of ports, at some places of `Arrays.row_of`."""
        kinds, kind_of = (
            (self._egress, self._egress_of) if direction is Direction.EGRESS else (self._ingress, self._ingress_of)
        )
        found: NDArray[np.uint8] = kinds[kind_of[self._row_of[rows]]]
        return found

    def ports(self) -> tuple[list[Ports], NDArray[np.int32]]:
        """Return the distinct port sets, and the number of that of each number so far; the last is that of NOTHING."""
        found: dict[Ports, int] = {}
        of_verdicts = [found.setdefault(self._ports(verdicts), len(found)) for verdicts in self._rows()]
        return list(found), np.array(of_verdicts, np.int32)

    def _rows(self) -> Iterator[bytes]:
        yield from self._found
        yield bytes([Verdict.DENY]) * self._egress.shape[1]

    def _ports(self, verdicts: bytes) -> Ports:
        allowed, unknown = (ranges_with(self._stretches, verdicts, each) for each in (Verdict.ALLOW, Verdict.UNKNOWN))
        return Ports(allowed, unknown, Verdict(verdicts[self._other]))


def _fitting(families: Numbers, others: Numbers) -> NDArray[np.bool_]:
    """Tell which may meet: those of one family, and those of which it is not known."""
    one, other = families[:, None], others
    fitting: NDArray[np.bool_] = (one >= 0) & (other >= 0) & ((one == other) | (one == 0) | (other == 0))
    return fitting


def _kinds_of_rows(
    verdicts: NDArray[np.uint8], block: NDArray[np.unsignedinteger]
) -> tuple[NDArray[np.uint8], Numbers]:
    """Return the distinct verdicts of the rows of one direction, and for every row which they are."""
    used = np.zeros(len(verdicts), bool)
    used[block.ravel()] = True
    rows = np.flatnonzero(used)
    kept, kinds = _distinct(verdicts[rows])
    kind_of = np.zeros(len(verdicts), np.int64)
    kind_of[rows] = kinds
    return verdicts[rows[kept]], kind_of


def _distinct(table: NDArray[np.generic]) -> tuple[Numbers, Numbers]:
    """Return the first row of each distinct kind, and the kind of every row."""
    found: dict[bytes, int] = {}
    kinds: Sequence[int] = [found.setdefault(row.tobytes(), len(found)) for row in table]
    numbers = np.array(kinds, np.int64)
    return np.unique(numbers, return_index=True)[1], numbers
