"""Decision rows: for a program and a peer, the deciding rule of every port class."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..model.flows import Outcome
from ..model.policy import Direction, Rule
from ..model.profile import Profile
from .columns import Columns
from .decisions import Decider
from .identities import Identities
from .members import Members
from .ports import PortClasses
from .programs import Program


@dataclass(frozen=True)
class Rows:
    """All decision rows.

    Attributes
    ----------
    row_of : uint16 or uint32[...]
        The row of program p against column c is at ``starts[p] + c``.
    starts : int64[programs]
    first_ingress : int
        Where the rows of ingress programs begin in `row_of`.
    column_of : int32[2, identities]
        For either direction, the column of an identity that is the peer: peers that no rule of the direction tells
        apart share one.
    decision : uint16 or uint32[rows, classes]
        ``outcome << 2 | verdict``.
    outcomes : list of Outcome
        What the numbers stand for; the first ones are those that the caller asked for.
    """

    row_of: NDArray[np.unsignedinteger]
    starts: NDArray[np.int64]
    first_ingress: int
    column_of: NDArray[np.int32]
    decision: NDArray[np.unsignedinteger]
    outcomes: list[Outcome]


def build_rows(
    programs: Sequence[Program],
    rules: Sequence[Rule],
    members: Members,
    identities: Identities,
    classes: PortClasses,
    profile: Profile,
    outcomes: Sequence[Outcome],
) -> Rows:
    """Decide every program against every column of peers; equal rows are held once."""
    columns = [Columns(rules, members, identities, direction) for direction in Direction]
    decider = Decider(rules, identities, columns, classes, profile)
    rows: dict[bytes, int] = {}
    codes: list[NDArray[np.int64]] = []
    blocks: tuple[dict[bytes, int], ...] = tuple({} for _ in Direction)
    row_of_program = np.empty(len(programs), np.int64)
    for program_number, program in enumerate(programs):
        numbers, decided = decider.decide(program)
        places = np.empty(len(decided), np.uint32)
        for position, row in enumerate(decided):
            place = rows.setdefault(row.tobytes(), len(rows))
            if place == len(codes):
                codes.append(row)
            places[position] = place
        held = blocks[program.direction]
        row_of_program[program_number] = held.setdefault(places[numbers].tobytes(), len(held))
    distinct, inverse = np.unique(np.array(codes), return_inverse=True)
    known = {outcome: number for number, outcome in enumerate(outcomes)}
    cells = np.array([_cell(decider.outcome(int(code)), known) for code in distinct], np.uint32)
    of_direction = np.array([program.direction for program in programs])
    starts = np.empty(len(programs), np.int64)
    column_of, row_of, first = [], [], 0
    for direction in Direction:
        number_of, block = _distinct_columns(blocks[direction], columns[direction].count)
        column_of.append(number_of[columns[direction].of_identity])
        here = of_direction == direction
        starts[here] = first + row_of_program[here] * block.shape[1]
        row_of.append(block.astype(_width(len(codes))).ravel())
        first += block.size
    if first > np.iinfo(np.uint32).max:
        raise CapacityError(f"the programs and their peers make {first:,} pairs, more than 4 billion")
    return Rows(
        np.concatenate(row_of),
        starts,
        row_of[Direction.EGRESS].size,
        np.stack(column_of).astype(np.int32),
        cells[inverse.reshape(len(codes), -1)].astype(_width(len(known) << 2)),
        list(known),
    )


def _width(count: int) -> type[np.unsignedinteger]:
    """Return the type that holds numbers below `count`."""
    return np.uint16 if count <= 1 << 16 else np.uint32


def _distinct_columns(rows: Iterable[bytes], count: int) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Hold equal columns once; return which of them each column is, and what is left of the rows."""
    block = np.frombuffer(b"".join(rows), np.uint32).reshape(-1, count).T.copy()
    seen: dict[bytes, int] = {}
    numbers = np.array([seen.setdefault(column.tobytes(), len(seen)) for column in block], np.int64)
    return numbers, block[np.unique(numbers, return_index=True)[1]].T


def _cell(outcome: Outcome, known: dict[Outcome, int]) -> int:
    return known.setdefault(outcome, len(known)) << 2 | outcome.verdict
