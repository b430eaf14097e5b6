"""Parquet files as a capture: a row group is a split, and is read in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from simcore.errors import Diagnostic, LoadError
from simcore.model.flows import Split

from .answers import find_answers
from .origins import Origin
from .shapes import FLOWS, Shape
from .sources import MAGIC, problem
from .texts import first_undecodable, is_text

_BUFFER_BYTES = 1 << 18
"""Read from a column chunk at a time. Without it a whole chunk is held, 160 MB in a row group of 20 million numbers
against 8 MB, and it is no faster."""
_DICTIONARY_BYTES = 1 << 20
_INDEX_BYTES = 3


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
        metadata = pq.read_metadata(path)
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
        with open(path, "rb") as file:
            start = file.read(len(MAGIC))
            file.seek(0, 2)
            size = file.tell()
            file.seek(max(0, size - len(MAGIC)))
            end = file.read()
    except OSError as refused:
        return f"it cannot be read: {refused.strerror}"
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
    keeps : object
        What is to live as long as it does.
    """

    contents: Sequence[File]
    origins: Sequence[Mapping[str, Origin]]
    shape: Shape
    files: Sequence[str]
    splits: Sequence[Split]
    columns: frozenset[str]
    formats: Sequence[str] = ()
    diagnostics: Sequence[Diagnostic] = ()
    keeps: object = None
    answers: Sequence[Split] = ()

    @classmethod
    def of(
        cls,
        contents: Sequence[File],
        origins: Sequence[Mapping[str, Origin]],
        shape: Shape = FLOWS,
        formats: Sequence[str] = (),
    ) -> ParquetCapture:
        """Make the capture of these files."""
        splits = [split for number, file in enumerate(contents) for split in _splits(number, file.metadata)]
        columns = frozenset(name for each in origins for name in each)
        answers = find_answers(contents, origins, splits)
        flows = [split for split in splits if split not in answers] if answers else splits
        files = [file.path for file in contents]
        return cls(contents, origins, shape, files, flows, columns, formats, answers=answers)

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
        for rows, parts in _read_parts(self.contents[split.file], split, needed, batch_rows):
            arrays = []
            for name in wanted:
                if name not in origins:
                    arrays.append(self.shape.missing(name, rows))
                    continue
                held = [parts[column] for column in origins[name].columns]
                try:
                    arrays.append(self.shape.convert(name, converts[name], held))
                except (UnicodeDecodeError, pa.ArrowInvalid):
                    if (row := first_undecodable(held)) is None:
                        raise
                    text = f"this text is not UTF-8. Mend the file, or leave the column out with --map {name}="
                    raise LoadError([self._problem(split, origins[name], first_row, row, text)]) from None
                if complaint := self.shape.complaint(name, held, arrays[-1]):
                    raise LoadError([self._problem(split, origins[name], first_row, *complaint)])
            yield pa.RecordBatch.from_arrays(arrays, names=wanted)
            first_row += rows

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
        with pq.ParquetFile(
            file.path, metadata=file.metadata, read_dictionary=encoded, pre_buffer=False, buffer_size=_BUFFER_BYTES
        ) as opened:
            batches = opened.iter_batches(batch_rows, [split.group], list(columns), use_threads=False)
            for batch in batches:
                yield batch.num_rows, dict(zip(batch.schema.names, batch.columns, strict=True))
    except (OSError, pa.ArrowException) as error:
        trouble = f"row group {split.group} cannot be read: {_first_line(error)}"
        message = f"{trouble}. It changed since it was opened, or it is damaged"
        raise LoadError([problem(file.path, message)]) from error


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
