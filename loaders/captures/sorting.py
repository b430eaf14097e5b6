"""Rows in order of time, however many there are: sorted runs on disk, merged."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .writer import FlowWriter

MOMENT, ORDER = "moment", "order"
"""What rows are sorted by, beside the columns of FLOW_SCHEMA: nanoseconds, and what tells rows of one moment apart."""
RUN_ROWS = 400_000
GROUP_ROWS = 250_000
_BLOCK_ROWS = 16_384


class Sorter:
    """Takes tables and gives their rows out in order of time; a context manager.

    Parameters
    ----------
    folder : str
        Where runs are laid down while it is at work.
    run_rows : int
        Rows that are sorted at a time. Does not change the result.
    """

    def __init__(self, folder: str, run_rows: int = RUN_ROWS) -> None:
        self._folder = folder
        self._run_rows = run_rows
        self._held: list[pa.Table] = []
        self._rows = 0
        self._runs: list[str] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def add(self, table: pa.Table) -> None:
        """Take rows, which have a `MOMENT` and an `ORDER`, both int64."""
        self._held.append(table)
        self._rows += table.num_rows
        if self._rows >= self._run_rows:
            self._lay_down()

    def _sorted(self) -> pa.Table:
        table = pa.concat_tables(self._held).unify_dictionaries().combine_chunks()
        self._held, self._rows = [], 0
        return table.take(_ranks(table))

    def _lay_down(self) -> None:
        if not self._runs:
            self._temporary = self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix=".", dir=self._folder or ".")
            )
        path = os.path.join(self._temporary, str(len(self._runs)))
        table = self._sorted()
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=_BLOCK_ROWS)
        self._runs.append(path)

    def tables(self) -> Iterator[pa.Table]:
        """Yield all rows in order, once no more are to come."""
        if not self._runs:
            if self._held:
                yield self._sorted()
            return
        if self._held:
            self._lay_down()
        runs = [_Run(self._stack.enter_context(pa.OSFile(path, "rb"))) for path in self._runs]
        while runs := [run for run in runs if run.fill()]:
            last = min(run.last for run in runs)
            parts = [run.take_until(last) for run in runs]
            table = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
            yield table.take(_ranks(table))


class _Run:
    """A sorted run, read block by block."""

    def __init__(self, file: pa.NativeFile) -> None:
        self._reader = pa.ipc.open_file(file)
        self._next = 0
        self._rows: pa.Table | None = None

    def fill(self) -> bool:
        """Read the next block if nothing is held; False at the end."""
        if self._rows is not None and self._rows.num_rows:
            return True
        if self._next == self._reader.num_record_batches:
            return False
        self._rows = pa.Table.from_batches([self._reader.get_batch(self._next)])
        self._next += 1
        return True

    @property
    def last(self) -> tuple[int, int]:
        """Moment and order of the last row that is held."""
        assert self._rows is not None
        return int(_numbers(self._rows, MOMENT)[-1]), int(_numbers(self._rows, ORDER)[-1])

    def take_until(self, last: tuple[int, int]) -> pa.Table:
        """Take the rows up to one out, and that one with them."""
        assert self._rows is not None
        times = _numbers(self._rows, MOMENT)
        first, end = np.searchsorted(times, last[0], "left"), np.searchsorted(times, last[0], "right")
        count = int(first + np.searchsorted(_numbers(self._rows, ORDER)[first:end], last[1], "right"))
        taken, self._rows = self._rows.slice(0, count), self._rows.slice(count)
        return taken


def _numbers(table: pa.Table, name: str) -> NDArray[np.int64]:
    return np.asarray(table[name].combine_chunks())


def _ranks(table: pa.Table) -> pa.Array:
    return pc.sort_indices(table, sort_keys=[(MOMENT, "ascending"), (ORDER, "ascending")])


def write_sorted(sorter: Sorter, output: str, *, wide: bool, told_by: str = "") -> None:
    """Write all rows in order; `wide` is whether any address is IPv6, `told_by` the format that all come from."""
    with FlowWriter(output, wide=wide, group_rows=GROUP_ROWS, told_by=told_by) as writer:
        for table in sorter.tables():
            for batch in _finished(table, wide):
                writer.write(batch)


def _finished(table: pa.Table, wide: bool) -> Iterator[pa.RecordBatch]:
    """Leave out what rows were sorted by, and bring addresses to 32 bits where all are IPv4."""
    table = table.drop_columns([MOMENT, ORDER])
    for name in () if wide else ("source_address", "destination_address"):
        if (position := table.schema.get_field_index(name)) >= 0:
            table = table.set_column(position, name, pa.chunked_array(map(_narrow, table[name].chunks), pa.uint32()))
    yield from table.combine_chunks().to_batches()


def _narrow(column: pa.Array) -> pa.Array:
    words = np.frombuffer(column.buffers()[1], ">u4")[4 * column.offset : 4 * (column.offset + len(column))]
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    return pa.array(words[3::4].astype(np.uint32), mask=missing)
