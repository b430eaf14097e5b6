"""Parquet files as a capture: a row group is a split, and is read in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.parquet as pq

from simcore.errors import Diagnostic, LoadError, Severity
from simcore.model.flows import Split

from .answers import find_answers
from .columns import Convert
from .origins import Origin
from .shapes import FLOWS, Shape
from .sources import MAGIC, problem
from .storage import open_seekable
from .texts import decodable, first_undecodable, is_text

_BUFFER_BYTES = 1 << 18
"""Read from a column chunk at a time. Without it a whole chunk is held, 160 MB in a row group of 20 million numbers
against 8 MB, and it is no faster."""
_DICTIONARY_BYTES = 1 << 20
_INDEX_BYTES = 3
_NAMES_ROWS = 1 << 16
_READ_AS_MISSING = "It is read as missing"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a capture.

    Attributes
    ----------
    path : str
        As the user gave it, or found below what they gave.
    metadata : FileMetaData
        Its footer.
    types : mapping of str to DataType
        Its columns.
    leaves : mapping of str to int
        Position of each flat column among the file's column chunks.
    partitions : mapping of str to str or None
        What the names of its folders say: constant columns of text.
    """

    path: str
    metadata: pq.FileMetaData
    types: Mapping[str, pa.DataType]
    leaves: Mapping[str, int]
    partitions: Mapping[str, str | None]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns, then those of its partitions."""
        return (*self.types, *(key for key in self.partitions if key not in self.types))

    def type_of(self, column: str) -> pa.DataType:
        """Return the type of a column; a partition is text."""
        return self.types.get(column, pa.string())


def open_file(path: str, partitions: Mapping[str, str | None]) -> File:
    """Read the footer of a file.

    Raises
    ------
    LoadError
        It cannot be read or is not Parquet.
    """
    try:
        with open_seekable(path) as stored:
            metadata = pq.read_metadata(stored)
        schema = metadata.schema.to_arrow_schema()
    except (OSError, pa.ArrowException) as error:
        raise LoadError([problem(path, _complaint(path, error))]) from None
    except UnicodeDecodeError:
        raise LoadError([problem(path, "the name of a column is not UTF-8 text. Write the file anew")]) from None
    if twice := sorted(name for name, count in Counter(schema.names).items() if count > 1):
        raise LoadError([problem(path, f"two columns have the name {twice[0]!r}. Rename one of them")])
    leaves = {metadata.schema.column(leaf).path: leaf for leaf in range(metadata.num_columns)}
    return File(path, metadata, dict(zip(schema.names, schema.types, strict=True)), leaves, partitions)


def _complaint(path: str, error: Exception) -> str:
    try:
        with open_seekable(path) as file:
            size = file.size()
            start = bytes(file.read(len(MAGIC)))
            file.seek(max(0, size - len(MAGIC)))
            end = bytes(file.read())
    except OSError as refused:
        return f"it cannot be read: {refused.strerror or refused}"
    if not size:
        return "this file is empty. Was it written to its end?"
    if start == b"PARE":
        return "this Parquet file is encrypted. Decrypt it first"
    if start != MAGIC:
        return "this is neither Parquet nor an export of Hubble's"
    if end != MAGIC:
        return "this Parquet file is cut off: its end is missing. Copy or write it again"
    return f"this Parquet file is damaged: {_first_line(error)}. Copy or write it again"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__


class DamageError(Exception):
    """A part of a file that cannot be read."""

    def __init__(self, problem: Diagnostic) -> None:
        super().__init__(problem.message)
        self.problem = problem


def as_warning(found: Diagnostic, message: str = "") -> Diagnostic:
    """Return a diagnostic as a warning, with another message if one is given."""
    return Diagnostic(Severity.WARNING, found.place, message or found.message)


@dataclass(frozen=True, slots=True)
class ParquetCapture:
    """A capture in Parquet files. Any number of threads may read splits at a time.

    Attributes
    ----------
    contents : sequence of File
        The files, in order.
    origins : sequence of mapping
        For each file, what makes up each column of a row that the file has.
    shape : Shape
        What a row is.
    files, splits, columns, answers
        See `simcore.model.flows.Capture`.
    formats : sequence of str
        For each file, the name of its format; empty where that does not matter.
    diagnostics : sequence of Diagnostic
        What is not quite right with it.
    keeps : tuple of object
        What is to live as long as it does.
    strict : bool
        Whether what cannot be read is an error. Otherwise it is missing, and told in `damage`.
    damage : mapping of (int, int, str) to Diagnostic
        Written as splits are read: what could not be, by file, row group and column (empty: all).
    """

    contents: Sequence[File]
    origins: Sequence[Mapping[str, Origin]]
    shape: Shape
    files: Sequence[str]
    splits: Sequence[Split]
    columns: frozenset[str]
    formats: Sequence[str] = ()
    diagnostics: Sequence[Diagnostic] = ()
    keeps: tuple[object, ...] = ()
    answers: Sequence[Split] = ()
    strict: bool = True
    damage: dict[tuple[int, int, str], Diagnostic] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        contents: Sequence[File],
        origins: Sequence[Mapping[str, Origin]],
        shape: Shape = FLOWS,
        formats: Sequence[str] = (),
        *,
        strict: bool = True,
    ) -> ParquetCapture:
        """Make the capture of these files."""
        splits = [split for number, file in enumerate(contents) for split in _splits(number, file.metadata)]
        columns = frozenset(name for each in origins for name in each)
        answers = find_answers(contents, origins, splits)
        flows = [split for split in splits if split not in answers] if answers else splits
        files = [file.path for file in contents]
        return cls(contents, origins, shape, files, flows, columns, formats, answers=answers, strict=strict)

    def joined(self, other: ParquetCapture) -> ParquetCapture:
        """Return a capture of the files of both; those of the other come last."""
        count = len(self.contents)
        return replace(
            self,
            contents=[*self.contents, *other.contents],
            origins=[*self.origins, *other.origins],
            files=[*self.files, *other.files],
            splits=[*self.splits, *(replace(split, file=split.file + count) for split in other.splits)],
            answers=[*self.answers, *(replace(split, file=split.file + count) for split in other.answers)],
            columns=self.columns | other.columns,
            formats=[*self.formats, *other.formats],
            diagnostics=[*self.diagnostics, *other.diagnostics],
            keeps=(*self.keeps, *other.keeps),
        )

    def read(self, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Read a split, in its row order, as batches of at most `batch_rows` rows.

        Only what the asked-for columns are made of is read from the file. A column that other files of the capture
        have and this one lacks is null.

        Raises
        ------
        LoadError
            The file cannot be read any more; a text is not UTF-8; or, where the shape is strict, a value does not fit.
        ValueError
            `columns` names one that no row has, or `batch_rows` is less than 1.
        """
        if unknown := [name for name in columns if name not in self.shape.kinds]:
            raise ValueError(f"no such column of a {self.shape.noun}: {', '.join(unknown)}")
        if batch_rows < 1:
            raise ValueError("a batch has at least one row")
        wanted = [name for name in columns if name in self.columns]
        origins = {name: origin for name, origin in self.origins[split.file].items() if name in wanted}
        converts = {name: self.shape.kinds[name].converter(origin.unit) for name, origin in origins.items()}
        needed = tuple(dict.fromkeys(column for origin in origins.values() for column in origin.columns))
        first_row = split.first_row
        try:
            for rows, parts in _read_parts(self.contents[split.file], split, needed, batch_rows):
                arrays = [self._column(split, name, origins, converts, parts, rows, first_row) for name in wanted]
                yield pa.RecordBatch.from_arrays(arrays, names=wanted)
                first_row += rows
        except DamageError as error:
            if self.strict:
                raise LoadError([error.problem]) from None
            left = split.first_row + split.rows - first_row
            yield from self._missing(split, error.problem, wanted, left, batch_rows)

    def names(self, split: Split, column: str) -> Iterator[pa.Array]:
        """Yield the names in a column of a split, some of them several times.

        A dictionary that the file holds tells them all, and takes no reading of rows.
        """
        file, origin = self.contents[split.file], self.origins[split.file].get(column)
        if origin is None:
            return
        stored = [name for name in origin.columns if name in file.types]
        is_told = len(stored) == len(origin.columns) == 1 and _stays_encoded(file, split.group, stored[0])
        for batch in self.read(split, [column], 1 if is_told else _NAMES_ROWS):
            yield batch.column(0).dictionary
            if is_told:
                return

    def _column(
        self,
        split: Split,
        name: str,
        origins: Mapping[str, Origin],
        converts: Mapping[str, Convert],
        parts: Mapping[str, pa.Array],
        rows: int,
        first_row: int,
    ) -> pa.Array:
        if name not in origins:
            return self.shape.missing(name, rows)
        held = [parts[column] for column in origins[name].columns]
        try:
            column = self.shape.convert(name, converts[name], held)
        except (UnicodeDecodeError, pa.ArrowInvalid):
            if (row := first_undecodable(held)) is None:
                raise
            text = f"this text is not UTF-8. Mend the file, or leave the column out with --map {name}="
            found = self._problem(split, origins[name], first_row, row, text)
            if self.strict:
                raise LoadError([found]) from None
            self.damage.setdefault(
                (split.file, split.group, name), as_warning(found, f"{found.message}. {_READ_AS_MISSING}")
            )
            return self.shape.convert(name, converts[name], [decodable(array) for array in held])
        if complaint := self.shape.complaint(name, held, column):
            raise LoadError([self._problem(split, origins[name], first_row, *complaint)])
        return column

    def _missing(
        self, split: Split, found: Diagnostic, columns: Sequence[str], rows: int, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield rows of which nothing is known in place of those that cannot be read."""
        text = f"{found.message}. {rows:,} rows are read as missing, and unknown"
        self.damage[split.file, split.group, ""] = as_warning(found, text)
        for first in range(0, rows, batch_rows):
            count = min(batch_rows, rows - first)
            yield pa.RecordBatch.from_arrays([self.shape.missing(name, count) for name in columns], names=columns)

    def _problem(self, split: Split, origin: Origin, first_row: int, row: int, text: str) -> Diagnostic:
        columns = " and ".join(map(repr, origin.columns))
        return problem(self.files[split.file], f"column {columns}, row {first_row + row:,} (from 0): {text}")


def _splits(number: int, metadata: pq.FileMetaData) -> Iterator[Split]:
    first_row = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if rows:
            yield Split(number, group, first_row, rows)
        first_row += rows


Parts = tuple[int, Mapping[str, pa.Array]]
"""How many rows, and the columns of the file (or of its partitions) for them."""


def _read_parts(file: File, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[Parts]:
    constants = {column: file.partitions[column] for column in columns if column not in file.types}
    stored = [column for column in columns if column in file.types]
    batches = _read_stored(file, split, stored, batch_rows) if stored else _empty(split.rows, batch_rows)
    for rows, parts in batches:
        yield rows, {**parts, **{column: _repeat(value, rows) for column, value in constants.items()}}


def _empty(rows: int, batch_rows: int) -> Iterator[Parts]:
    for first in range(0, rows, batch_rows):
        yield min(batch_rows, rows - first), {}


def _repeat(value: str | None, rows: int) -> pa.Array:
    indices = pa.repeat(pa.scalar(0, pa.int32()), rows)
    return pa.DictionaryArray.from_arrays(indices, pa.array([value], pa.string()))


def _read_stored(file: File, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[Parts]:
    encoded = [column for column in columns if _stays_encoded(file, split.group, column)]
    try:
        with (
            open_seekable(file.path) as stored,
            pq.ParquetFile(
                stored, metadata=file.metadata, read_dictionary=encoded, pre_buffer=False, buffer_size=_BUFFER_BYTES
            ) as opened,
        ):
            batches = opened.iter_batches(batch_rows, [split.group], list(columns), use_threads=False)
            for batch in batches:
                yield batch.num_rows, dict(zip(batch.schema.names, batch.columns, strict=True))
    except (OSError, pa.ArrowException) as error:
        trouble = f"row group {split.group} cannot be read: {_first_line(error)}"
        message = f"{trouble}. It changed since it was opened, or it is damaged"
        raise DamageError(problem(file.path, message)) from error


def _stays_encoded(file: File, group: int, column: str) -> bool:
    """Whether text is worth keeping as a dictionary: where the writer did not give its dictionary up.

    The footer lists the same encodings either way, so the size tells: a row of dictionary-encoded text takes less
    than three bytes, on top of a dictionary of a megabyte at most; a row of plain text at least four.
    """
    if not is_text(file.types[column]):
        return False
    row_group = file.metadata.row_group(group)
    chunk = row_group.column(file.leaves[column])
    return bool(
        chunk.has_dictionary_page
        and chunk.total_uncompressed_size <= _DICTIONARY_BYTES + _INDEX_BYTES * row_group.num_rows
    )
