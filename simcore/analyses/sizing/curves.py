"""Curves of entries over time, as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...model.flows import Capture
from ..results import WORDS, check_file
from .sizes import Curves

CURVE_SCHEMA = pa.schema(
    [
        pa.field("case", WORDS, nullable=False),
        pa.field("time", pa.timestamp("ns"), nullable=False),
        pa.field("node", WORDS, nullable=False),
        pa.field("table", WORDS),
        pa.field("live_min", pa.int64()),
        pa.field("live_max", pa.int64()),
        pa.field("live_mean", pa.float64()),
        pa.field("allocated", pa.int64()),
        pa.field("allocated_bound", pa.int64()),
    ]
)
"""What `size` writes: a row for each bin of time, table and case; nodes in their order, all of them together last."""


def check_curves(path: Path, capture: Capture) -> None:
    """Refuse an output that would replace the capture; see `simcore.analyses.results.check_file`."""
    check_file(path, path, capture.files)


def write_curves(path: Path, cases: Sequence[tuple[str, Curves]]) -> None:
    """Write curves of one or several cases in CURVE_SCHEMA, whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        with pq.ParquetWriter(partial, CURVE_SCHEMA, compression="zstd", version="2.6") as writer:
            for case, curves in cases:
                table = _table(case, curves)
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _table(case: str, curves: Curves) -> pa.Table:
    bins, count = curves.times.size, len(curves.names)
    number = np.repeat(np.arange(count, dtype=np.int32), bins)
    there = np.zeros(count * bins, np.int32)
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(there), pa.array([case], pa.string())),
        pa.array(np.tile(curves.times, count)).cast(pa.timestamp("ns")),
        _repeated([node for node, _ in curves.names], number),
        _repeated([table or None for _, table in curves.names], number),
        *(_whole(values) for values in (curves.least, curves.most)),
        pa.array(curves.mean.ravel(), from_pandas=True),
        *(_whole(values) for values in (curves.allocated, curves.bound)),
    ]
    return pa.table(
        [column.cast(field.type) for column, field in zip(columns, CURVE_SCHEMA, strict=True)], schema=CURVE_SCHEMA
    )


def _repeated(words: Sequence[str | None], number: np.ndarray) -> pa.Array:
    """Make a column of words by their numbers; each is in the dictionary once, as Parquet wants it."""
    return pa.array(words, pa.string()).dictionary_encode().take(pa.array(number))


def _whole(values: np.ndarray) -> pa.Array:
    """Round up to whole entries; what is not a number is missing."""
    flat = values.ravel()
    missing = np.isnan(flat)
    return pa.array(np.where(missing, 0, np.ceil(np.where(missing, 0, flat))).astype(np.int64), mask=missing)
