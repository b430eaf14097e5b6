"""Numbers of packets as columns of Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simcore.model.schema import WIDE_ADDRESS

from .frames import NO_TIME, Mask, Numbers, Octets


def numbers(values: Numbers, known: Mask, kind: pa.DataType) -> pa.Array:
    """Make a column of numbers; null where they are not known."""
    return pa.array(values.astype(kind.to_pandas_dtype()), kind, mask=~known)


def addresses(rows: Octets, known: Mask | None = None) -> pa.Array:
    """Make a column of addresses of 16 bytes."""
    buffers = [None, pa.py_buffer(np.ascontiguousarray(rows))]
    column = pa.FixedSizeBinaryArray.from_buffers(WIDE_ADDRESS, len(rows), buffers)
    return column if known is None else pc.if_else(pa.array(known), column, pa.scalar(None, WIDE_ADDRESS))


def times(values: Numbers) -> pa.Array:
    """Make a column of times."""
    return pa.array(values, pa.int64(), mask=values == NO_TIME).view(pa.timestamp("ns"))
