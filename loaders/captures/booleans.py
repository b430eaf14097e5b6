"""Columns of booleans. What is neither true nor false becomes null."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from .numbers import fit
from .texts import is_text, map_distinct

_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def is_boolean(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold booleans."""
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or is_text(kind))


def to_booleans(array: pa.Array) -> pa.Array:
    """Bring booleans, the numbers 0 and 1, or words to booleans."""
    if pa.types.is_boolean(array.type):
        return array
    if is_text(array.type):
        return map_distinct(array, lambda text: _WORDS.get(text.strip().lower()), pa.bool_())
    return pc.index_in(fit(array, pa.uint8()), pa.array([0, 1], pa.uint8())).cast(pa.bool_())
