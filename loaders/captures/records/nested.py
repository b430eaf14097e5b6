"""Columns of Parquet files that hold fields within fields, by their paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..storage import open_seekable
from ..streams import Source
from .reading import Reading
from .tabling import BATCH_ROWS, to_column


def read_nested(
    source: Source, reading: Reading, paths: Mapping[str, Sequence[str]]
) -> Iterator[tuple[int, dict[str, pa.Array]]]:
    """Read fields of a file's rows: how many rows, and an array for each path; of nulls where there is no such field.

    Rows that cannot be read any more are there, without fields, and are told.

    Parameters
    ----------
    source : Source
    reading : Reading
    paths : mapping of str to sequence of str
        For each array, the field of its row and the fields within it.

    Raises
    ------
    LoadError
        Something cannot be read, and `reading` is strict.
    """
    with open_seekable(source.path) as stored, pq.ParquetFile(stored) as file:
        held = set(file.schema_arrow.names)
        columns = sorted({path[0] for path in paths.values()} & held)
        for group in range(file.num_row_groups):
            left = file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(BATCH_ROWS, [group], columns=columns):
                    left -= batch.num_rows
                    yield batch.num_rows, {name: _field(batch, path) for name, path in paths.items()}
            except (OSError, pa.ArrowException) as error:
                told = str(error).partition("\n")[0]
                message = f"row group {group} cannot be read: {told}. {left:,} rows are read as missing, and unknown"
                if reading.strict:
                    reading.complain(source, "", message)
                reading.note(source, message)
                yield left, {name: pa.nulls(left) for name in paths}


def _field(batch: pa.RecordBatch, path: Sequence[str]) -> pa.Array:
    """Return a field of each row as numbers, times, texts or bytes."""
    first, *rest = path
    if first not in batch.schema.names:
        return pa.nulls(batch.num_rows)
    array = batch.column(first)
    for name in rest:
        if not pa.types.is_struct(array.type) or array.type.get_field_index(name) < 0:
            return pa.nulls(batch.num_rows)
        array = pc.struct_field(array, name)
    return array if _is_plain(array.type) else to_column(array.to_pylist())


def _is_plain(kind: pa.DataType) -> bool:
    of_numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp, pa.types.is_null)
    of_bytes = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in (*of_numbers, *of_bytes, pa.types.is_fixed_size_binary))
