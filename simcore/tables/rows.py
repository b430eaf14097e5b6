"""Decision rows: for a program and a peer, the deciding rule of every port class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CapacityError
from ..kernels.extras import SCAN
from ..kernels.rows import MAYBE, YES, count_uses, lay_out, number_signatures, sign_columns
from ..model.policy import Direction
from ..model.profile import Profile
from ..model.requests import RequestSet
from .book import RuleBook
from .columns import Columns
from .decisions import REASONS, Decider
from .extras import Extras
from .identities import Identities
from .ladders import Ladders, LadderWriter
from .members import Members
from .ports import PortClasses
from .programs import Binding, Program
from .words import words

_PER_RULE = len(REASONS) * 8
SCANNED = SCAN * 2
"""The end of a code that names a row of extra classes."""


class Codes(NamedTuple):
    """What rows lead to.

    Attributes
    ----------
    decided : uint16 or uint32[rows, classes]
        Numbers of codes.
    scanned : uint16 or uint32[rows, extra classes]
        Numbers of codes; of flows without a request.
    ladders : Ladders
        Of `scanned`, with numbers of codes.
    codes : int64[...]
        ``((serial number of the rule + 1) * len(REASONS) + reason) * 8 + verdict * 2 + undefined``; 0 for no rule.
        Or, where the extra class decides, or the request, ``row of scanned * 8 + SCANNED``.
    """

    decided: NDArray[np.unsignedinteger]
    scanned: NDArray[np.unsignedinteger]
    ladders: Ladders
    codes: NDArray[np.int64]

    @property
    def divided(self) -> NDArray[np.bool_]:
        """Tell of which rows of extra classes these make a difference."""
        parts = self.scanned, self.ladders.of
        return np.asarray(np.any([(part != part[:, :1]).any(axis=1) for part in parts], axis=0), bool)


@dataclass(frozen=True)
class Rows:
    """All decision rows.

    Attributes
    ----------
    row_of : uint16 or uint32[...]
        The row of program p against column c is at ``starts[p] + c``.
    starts : dict
        By program.
    blocks : tuple of uint16 or uint32[..., columns]
        The parts of `row_of` for either direction, by what equal programs share and by column.
    column_of : int32[2, identities]
        For either direction, the column of an identity that is the peer: peers that no rule of the direction tells
        apart share one.
    held : Codes
    uses : int64[rows]
        In how many lines of `blocks` each row stands; 0 for those left over from programs that are gone.
    asked : tuple of RequestSet
        What rungs of ladders look at, by number.
    """

    row_of: NDArray[np.unsignedinteger]
    starts: Mapping[Program, int]
    blocks: tuple[NDArray[np.unsignedinteger], ...]
    column_of: NDArray[np.int32]
    held: Codes
    uses: NDArray[np.int64]
    asked: tuple[RequestSet, ...]

    def starts_of(self, binding: Binding) -> NDArray[np.uint32]:
        """Return where the program that binds each identity begins in `row_of`."""
        starts = np.array([self.starts[program] for program in binding.programs], np.uint32)
        return np.asarray(starts[binding.program_of])

    @property
    def crowded(self) -> bool:
        """Whether most rows are left over."""
        return 2 * int(np.count_nonzero(self.uses)) + 1000 < self.uses.size

    def lines(self, programs: Sequence[Program], direction: Direction) -> NDArray[np.int64]:
        """Return the lines of some programs in the block of their direction."""
        first = self.blocks[Direction.EGRESS].size if direction is Direction.INGRESS else 0
        starts = np.array([self.starts[program] for program in programs], np.int64)
        return np.asarray((starts - first) // self.blocks[direction].shape[1], np.int64)


def build_rows(
    programs: Sequence[Program],
    book: RuleBook,
    members: Members,
    identities: Identities,
    classes: PortClasses,
    extras: Extras,
    profile: Profile,
    before: Rows | None,
) -> Rows:
    """Decide every program against every column of peers; equal rows are held once.

    Programs that were decided `before`, for the same identities and port classes, are taken over.
    """
    serials = sorted({n for program in programs if not (before and program in before.starts) for n in program.rules})
    rules = [book.rule(serial) for serial in serials]
    told_apart = before.column_of if before else np.zeros((len(Direction), identities.count), np.int32)
    columns = [Columns(rules, members, identities, direction, told_apart[direction]) for direction in Direction]
    asked = before.asked if before else ()
    decider = Decider(rules, book, identities, columns, classes, extras, profile, asked)
    writer = _Writer(serials, decider, before)
    parts = []
    for direction in Direction:
        ours = [program for program in programs if program.direction is direction]
        parts.append(_part(ours, columns[direction], direction, writer, before))
    return _joined(parts, writer.codes(), before.uses if before else np.empty(0, np.int64), decider.asked)


@dataclass(frozen=True)
class _Part:
    """The rows of one direction.

    Attributes
    ----------
    lines : dict
        Line of each program, of those of `old` and `new` together.
    old : uint16 or uint32[..., old columns]
        The lines before.
    taken : int64[...]
        Which of them are taken over.
    source : int64[columns]
        The old column of each column.
    new : uint32[..., columns]
        Further lines.
    column_of : int32[identities]
    """

    lines: dict[Program, int]
    old: NDArray[np.unsignedinteger]
    taken: NDArray[np.int64]
    source: NDArray[np.integer]
    new: NDArray[np.unsignedinteger]
    column_of: NDArray[np.int32]

    @property
    def shape(self) -> tuple[int, int]:
        """How many lines and columns there are."""
        return self.taken.size + len(self.new), self.new.shape[1]

    def write(self, block: NDArray[np.unsignedinteger]) -> None:
        """Write all lines."""
        count = self.taken.size
        block[count:] = self.new
        if not count:
            return
        if self.old.shape[1] < self.source.size:
            block[:count] = self.old[self.taken][:, self.source]
        elif self.old.dtype == block.dtype:
            self.old.take(self.taken, axis=0, out=block[:count], mode="clip")  # "raise" would copy them twice
        else:
            block[:count] = self.old[self.taken]


class _Writer:
    """Decides programs and holds equal rows once."""

    def __init__(self, serials: Sequence[int], decider: Decider, before: Rows | None) -> None:
        self._serials = np.array([-1, *serials], np.int64)
        self._local = {serial: number for number, serial in enumerate(serials)}
        self._decider = decider
        self._before = before
        self._first = before.uses.size if before else 0
        self._rows: dict[bytes, int] = {}
        self._decided: list[NDArray[np.int64]] = []
        self._scans: dict[bytes, int] = {}
        self._scanned: list[NDArray[np.int64]] = []
        self._ladders = LadderWriter()

    def decide(self, program: Program) -> tuple[NDArray[np.int32], NDArray[np.uint32]]:
        """Return which peer each column is, overwritten by the next call, and the row of each peer."""
        rules = np.array([self._local[serial] for serial in program.rules], np.int64)
        subjects = np.full(rules.size, YES, np.uint8)
        if program.maybes:
            subjects[[serial in program.maybes for serial in program.rules]] = MAYBE
        numbers, found = self._decider.decide(program, rules, subjects)
        decided = found.codes
        if len(found.scans):
            ladders = np.append(self._ladders.add(found.starts, found.rungs), -1)[found.ladders]
            scans = [self._scan(scan) for scan in np.stack([found.scans, ladders], axis=1)]
            asks = decided < 0
            decided[asks] = -1 - np.array(scans)[-1 - decided[asks]]
        places = np.empty(len(decided), np.uint32)
        for position, row in enumerate(decided):
            place = self._rows.setdefault(row.tobytes(), len(self._rows))
            if place == len(self._decided):
                self._decided.append(row)
            places[position] = self._first + place
        return numbers, places

    def _scan(self, scan: NDArray[np.int64]) -> int:
        place = self._scans.setdefault(scan.tobytes(), len(self._scans))
        if place == len(self._scanned):
            self._scanned.append(scan)
        return place

    def codes(self) -> Codes:
        """Return what all rows lead to."""
        decided = np.array(self._decided, np.int64).reshape(-1, self._decider.classes)
        scans = np.array(self._scanned, np.int64).reshape(-1, 2, self._decider.extras)
        scanned, ladders = scans[:, 0], self._ladders.written(scans[:, 1])
        asks = decided < 0
        rows = -1 - decided[asks]
        if len(scanned):
            decided[asks] = scanned[0, 0]
        present = np.zeros(self._serials.size * _PER_RULE, bool)
        present[decided], present[scanned] = True, True
        present[ladders.codes[ladders.codes >= 0]] = True
        codes = np.flatnonzero(present)
        numbers = np.cumsum(present, dtype=np.uint32) - 1
        rules, rest = np.divmod(codes, _PER_RULE)
        codes = (self._serials[rules] + 1) * _PER_RULE + rest
        found, found_scanned = numbers[decided], numbers[scanned]
        ladders.codes[:] = np.where(ladders.codes < 0, np.int64(-1), numbers[ladders.codes])
        found[asks] = codes.size + rows
        before = self._before.held if self._before else None
        first = len(before.scanned) if before else 0
        codes = np.append(codes, (first + np.arange(len(scanned))) * 8 + SCANNED)
        if before:
            found += before.codes.size
            found_scanned += before.codes.size
            found = np.concatenate([before.decided, found])
            found_scanned = np.concatenate([before.scanned, found_scanned])
            ladders = ladders.after(before.ladders, before.codes.size)
            codes = np.append(before.codes, codes)
        width = _width(codes.size)
        return Codes(found.astype(width), found_scanned.astype(width), ladders, codes)


def _part(
    programs: Sequence[Program], columns: Columns, direction: Direction, writer: _Writer, before: Rows | None
) -> _Part:
    """Write the lines of all programs of a direction."""
    lines: dict[Program, int] = {}
    old, taken, source = np.empty((0, 0), np.uint16), np.empty(0, np.int64), columns.firsts
    if before:
        old, source = before.blocks[direction], before.column_of[direction][columns.firsts]
        known = [program for program in programs if program in before.starts]
        taken, places = np.unique(before.lines(known, direction), return_inverse=True)
        lines.update(zip(known, places.tolist(), strict=True))
    new = np.empty((len(programs) - len(lines), columns.count), np.uint32)
    stirring = words(columns.count, seed=8)
    held: dict[tuple[int, int], int] = {}
    for program in programs:
        if program not in lines:
            signature = lay_out(*writer.decide(program), stirring, new[len(held)])
            lines[program] = taken.size + held.setdefault(signature, len(held))
    new = new[: len(held)]
    if before:
        return _Part(lines, old, taken, source, new, columns.of_identity)
    number_of, firsts = _distinct_columns(new)
    return _Part(lines, old, taken, source, new[:, firsts], number_of[columns.of_identity])


def _joined(parts: Sequence[_Part], held: Codes, used: NDArray[np.int64], asked: tuple[RequestSet, ...]) -> Rows:
    """Put the lines of both directions into one array."""
    uses = np.append(used, np.zeros(len(held.decided) - used.size, np.int64))
    sizes = [part.shape[0] * part.shape[1] for part in parts]
    if sum(sizes) > np.iinfo(np.uint32).max:
        raise CapacityError(f"the programs and their peers make {sum(sizes):,} pairs, more than 4 billion")
    row_of = np.empty(sum(sizes), _width(len(held.decided)))
    starts, blocks, first = {}, [], 0
    for part, size in zip(parts, sizes, strict=True):
        count_uses(part.new, 1, uses)
        count_uses(np.delete(part.old, part.taken, axis=0), -1, uses)
        block = row_of[first : first + size].reshape(part.shape)
        part.write(block)
        starts.update({program: first + line * block.shape[1] for program, line in part.lines.items()})
        blocks.append(block)
        first += size
    column_of = np.stack([part.column_of for part in parts])
    return Rows(row_of, starts, tuple(blocks), column_of, held, uses, asked)


def _width(count: int) -> type[np.unsignedinteger]:
    """Return the type that holds numbers below `count`."""
    return np.uint16 if count <= 1 << 16 else np.uint32


def _distinct_columns(block: NDArray[np.uint32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number equal columns alike; return the number of each, and where each number first stands."""
    signatures = np.zeros((block.shape[1], 2), np.uint64)
    sign_columns(block, words(len(block), seed=9), signatures)
    numbers, firsts = np.empty(len(signatures), np.int32), np.empty(len(signatures), np.int64)
    count = number_signatures(signatures, numbers, firsts)
    return numbers, firsts[:count]
