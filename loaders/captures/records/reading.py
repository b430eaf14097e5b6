"""What became of the records of files that are read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from simcore.errors import Diagnostic, LoadError, Place, Severity

from ..streams import Source

MOST_TOLD = 100
"""Unreadable records that are told one by one; the rest is counted."""


@dataclass(slots=True)
class Reading:
    """Counts what is read: every record becomes a row, is left out for a reason, or cannot be read.

    Attributes
    ----------
    strict : bool
        Whether a record or a value that cannot be read is an error.
    rows : int
        Records that became rows.
    left_out : Counter of str
        Records that are no flow, by what they are.
    unreadable : int
        Records that cannot be read; a file that is cut off counts once.
    problems : list of Diagnostic
        The first of those, and what else is not right.
    """

    strict: bool = False
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    problems: list[Diagnostic] = field(default_factory=list)
    _told_of: int = 0
    _misfits: dict[tuple[str, str], _Misfits] = field(default_factory=dict)

    @property
    def records(self) -> int:
        """How many records were met."""
        return self.rows + self.left_out.total() + self.unreadable

    @property
    def untold(self) -> int:
        """How many records cannot be read and are not told one by one."""
        return self.unreadable - self._told_of

    def complain(self, source: Source, where: int | str, message: str) -> None:
        """Count a record that cannot be read.

        Parameters
        ----------
        source : Source
            Its file.
        where : int or str
            Its line, or its place in words: ``record 12``, ``byte 4,096``; empty for the file as a whole.
        message : str
            What is wrong.

        Raises
        ------
        LoadError
            `strict` is set.
        """
        line, words = (where, "") if isinstance(where, int) else (0, where)
        found = self._diagnostic(source, line, f"{words}: {message}" if words else message)
        if self.strict:
            raise LoadError([found])
        self.unreadable += 1
        if self._told_of < MOST_TOLD:
            self._told_of += 1
            self.problems.append(found)

    def misfit(self, source: Source, column: str, value: object, row: int, count: int) -> None:
        """Count values of a column that cannot be read, of rows that stay.

        Parameters
        ----------
        source : Source
        column : str
            Column of a flow.
        value : object
            The first of them.
        row : int
            Its row among those of the file, from 1.
        count : int
            How many there are.

        Raises
        ------
        LoadError
            `strict` is set.
        """
        found = self._misfits.setdefault((source.name, column), _Misfits(source, value, row))
        found.count += count
        if self.strict:
            raise LoadError([self._told(column, found)])

    def leave_out(self, why: str, count: int = 1) -> None:
        """Count records that are no flow; `why` says what they are."""
        if count:
            self.left_out[why] += count

    def note(self, source: Source, message: str) -> None:
        """Say something of a file, once."""
        found = Diagnostic(Severity.WARNING, Place(source.name), message)
        if found not in self.problems:
            self.problems.append(found)

    def problem(self, source: Source, message: str) -> Diagnostic:
        """Make what is wrong with a file as a whole."""
        return Diagnostic(Severity.ERROR, Place(source.name), message)

    def told(self) -> Sequence[tuple[int, str]]:
        """Return how many records met each fate, and what it is."""
        found = [(self.rows, "rows"), *((count, why) for why, count in sorted(self.left_out.items()))]
        return [*found, (self.unreadable, "not readable")] if self.unreadable else found

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """What is to be said of the files."""
        misfits = [self._told(column, found) for (_, column), found in self._misfits.items()]
        return [*self.problems, *misfits]

    def _told(self, column: str, found: _Misfits) -> Diagnostic:
        nouns = "value is" if found.count == 1 else "values are"
        first = f"row {found.row:,} has {found.value!r}"
        message = f"{found.count:,} {nouns} no {column}, and read as missing: {first}"
        return self._diagnostic(found.source, 0, message)

    def _diagnostic(self, source: Source, line: int, message: str) -> Diagnostic:
        severity = Severity.ERROR if self.strict else Severity.WARNING
        return Diagnostic(severity, Place(source.name, 0, line), message)


@dataclass(slots=True)
class _Misfits:
    source: Source
    value: object
    row: int
    count: int = 0
