"""Values that are there and cannot be read, told from those that are not there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from .texts import ABSENT, is_text, map_distinct


def first_unreadable(arrays: Sequence[pa.Array], column: pa.Array) -> int | None:
    """Find the first row that is null in `column` though one of the arrays it was made from says something."""
    if len(arrays) == 1 and arrays[0].null_count == column.null_count:
        return None
    lost = pc.and_(column.is_null(), reduce(pc.or_, map(is_there, arrays)))
    row: int = lost.index(True).as_py()
    return None if row < 0 else row


def is_there(array: pa.Array) -> pa.Array:
    """Tell which values say something."""
    if is_text(array.type):
        return map_distinct(array, lambda text: text.strip() not in ABSENT, pa.bool_()).fill_null(False)
    return array.is_valid()
