"""JSON objects and rows of Parquet as columns of text, whatever their values are.

What does not fit is found where text is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..streams import MARK, Source, is_parquet
from ..texts import decodable
from .nested import read_nested
from .objects import read_objects
from .reading import Reading
from .samples import read_sample
from .tabling import text_of, to_batches

Judge = Callable[[Mapping[str, Any]], str | None]
"""Says why an object is no flow; None where it is one."""
Open = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Returns the object that holds the fields of another."""

_NOTHING = pa.array(["", "-"])


def is_json(source: Source) -> bool:
    """Whether a file begins as JSON does."""
    return read_sample(source.path).data.removeprefix(MARK).lstrip()[:1] in (b"{", b"[")


def read_records(
    source: Source,
    reading: Reading,
    wanted: Sequence[str],
    judge: Judge = lambda _: None,
    opened: Open = lambda found: found,
) -> Iterator[pa.RecordBatch]:
    """Read the wanted fields of each object, or columns of each row, as text; null where one is absent.

    Bytes of a fixed length are no text, and stay.
    """
    if is_parquet(source.path):
        yield from _stored(source, reading, wanted)
        return
    rows = _rows(source, reading, wanted, judge, opened)
    for batch in to_batches(rows, wanted):
        yield pa.RecordBatch.from_arrays([_texts(column) for column in batch.columns], list(wanted))


def _rows(
    source: Source, reading: Reading, wanted: Sequence[str], judge: Judge, opened: Open
) -> Iterator[tuple[object, ...]]:
    for _, found in read_objects(source, reading):
        if why := judge(found):
            reading.leave_out(why)
        else:
            yield tuple(map(opened(found).get, wanted))


def _stored(source: Source, reading: Reading, wanted: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for _, held in read_nested(source, reading, {name: (name,) for name in wanted}):
        yield pa.RecordBatch.from_arrays([_texts(held[name]) for name in wanted], list(wanted))


def _texts(array: pa.Array) -> pa.Array:
    """Write values as text, times without zone; what says nothing is null."""
    kind = array.type
    if pa.types.is_fixed_size_binary(kind):
        return array
    if pa.types.is_timestamp(kind):
        array = array.cast(pa.timestamp(kind.unit))
    if pa.types.is_floating(kind):
        return pa.array(map(text_of, array.to_pylist()), pa.string())
    try:
        texts = array.cast(pa.string())
    except pa.ArrowInvalid:
        texts = decodable(array.cast(pa.large_binary()).view(pa.large_string()))
    return pc.if_else(pc.is_in(texts, _NOTHING), pa.scalar(None, pa.string()), texts)
