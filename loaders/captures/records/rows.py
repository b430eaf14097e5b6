"""Batches of a format's own columns to tables of FLOW_SCHEMA's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simcore.errors import LoadError
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS

from ..absent import first_unreadable, is_there
from ..addresses import widen
from ..columns import Convert
from ..origins import Recognised
from ..shapes import FLOWS
from ..sorting import MOMENT, ORDER
from ..streams import Source
from .reading import Reading

_ADDRESSES = ("source_address", "destination_address")
_EARLIEST = -(2**63)


class Rows:
    """Turns the batches of one file into tables, whose order is that of the file.

    Parameters
    ----------
    source : Source
    known : Recognised
        What makes up each column of a flow.
    columns : sequence of str
        The columns of a table, whether this file has them or not.
    reading : Reading
        Counts rows, and values that cannot be read.
    order : int
        Position of the file among all.
    """

    def __init__(self, source: Source, known: Recognised, columns: Sequence[str], reading: Reading, order: int) -> None:
        self._source = source
        self._origins = known.origins
        self._columns = columns
        self._reading = reading
        self._order = order << 40
        self._rows = 0
        self._moment = _EARLIEST
        self._converts = {name: FLOWS.kinds[name].converter(origin.unit) for name, origin in known.origins.items()}
        self.is_wide = False

    def tables(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
        """Yield a table for each batch."""
        for batch in batches:
            if batch.num_rows:
                yield self._table(batch)

    def _table(self, batch: pa.RecordBatch) -> pa.Table:
        columns = {name: self._column(name, batch) for name in self._columns}
        numbers = pa.array(np.arange(self._rows, self._rows + batch.num_rows) + self._order)
        self._rows += batch.num_rows
        self._reading.rows += batch.num_rows
        moments = pa.array(self._moments(columns.get("time"), batch.num_rows))
        return pa.table({MOMENT: moments, ORDER: numbers, **columns})

    def _column(self, name: str, batch: pa.RecordBatch) -> pa.Array:
        origin = self._origins.get(name)
        held = [batch[column] for column in (origin.columns if origin else ()) if column in batch.schema.names]
        if not held or origin is None or (len(held) < len(origin.columns) and name not in _ADDRESSES):
            return self._typed(name, FLOWS.missing(name, batch.num_rows))
        column = self._converted(name, self._converts[name], held)
        if (row := first_unreadable(held, column)) is not None:
            value = next(array[row] for array in held if array[row].is_valid).as_py()
            lost = pc.and_(column.is_null(), reduce(pc.or_, map(is_there, held)))
            self._reading.misfit(self._source, name, value, self._rows + row + 1, lost.true_count)
        return self._typed(name, column)

    def _converted(self, name: str, convert: Convert, held: Sequence[pa.Array]) -> pa.Array:
        try:
            return FLOWS.convert(name, convert, held)
        except (UnicodeDecodeError, pa.ArrowInvalid) as error:
            told = str(error).partition("\n")[0]
            raise LoadError([self._reading.problem(self._source, f"{name} cannot be read: {told}")]) from None

    def _typed(self, name: str, column: pa.Array) -> pa.Array:
        if name in _ADDRESSES:
            self.is_wide |= column.type == WIDE_ADDRESS
            return column if column.type == WIDE_ADDRESS else widen(column)
        return column.cast(FLOW_SCHEMA.field(name).type)

    def _moments(self, times: pa.Array | None, rows: int) -> NDArray[np.int64]:
        """Say when rows count: one without a time with the row before it."""
        if times is None:
            return np.full(rows, self._moment)
        known = times.is_valid().to_numpy(zero_copy_only=False)
        values = np.where(known, times.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), self._moment)
        last = np.maximum.accumulate(np.where(known, np.arange(rows), -1))
        found = np.where(last < 0, self._moment, values[np.maximum(last, 0)])
        self._moment = int(found[-1])
        return found
