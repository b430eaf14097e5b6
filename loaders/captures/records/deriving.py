"""Columns made of several columns of text: sums, ends, ICMP's types.

Text that does not fit stays text, so that it is found and told where columns are read.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from ..numbers import read_integer, to_times
from ..texts import map_distinct
from ..words import read_protocol

ICMP, TCP, ICMP_V6 = 1, 6, 58
NO_TEXT = pa.scalar(None, pa.string())


def added(parts: Sequence[pa.Array], factor: pa.Array | None = None) -> pa.Array:
    """Add counts, and multiply them by `factor` where that is more than one; null where no count is told."""
    try:
        numbers = [part.cast(pa.int64()) for part in parts]
        told = reduce(pc.or_, [number.is_valid() for number in numbers])
        added = reduce(pc.add_checked, [number.fill_null(0) for number in numbers])
        if factor is not None:
            times = pc.max_element_wise(factor.cast(pa.int64()).fill_null(1), pa.scalar(1, pa.int64()))
            added = pc.multiply_checked(added, times)
        return pc.if_else(told, added, pa.scalar(None, pa.int64()))
    except pa.ArrowInvalid:
        factors = factor if factor is not None else pa.nulls(len(parts[0]), pa.string())
        columns = [column.to_pylist() for column in (factors, *parts)]
        return pa.array([_sum(*row) for row in zip(*columns, strict=True)], pa.string())


def _sum(factor: str | None, *counts: str | None) -> str | None:
    """Add counts of a row; one that is no number is returned as it is."""
    told = [text for text in counts if text is not None]
    if not told:
        return None
    for text in (factor or "1", *told):
        if read_integer(text) is None:
            return text
    return str(sum(map(int, told)) * max(int(factor or 1), 1))


def later(start: pa.Array, duration: pa.Array) -> pa.Array:
    """Add durations in seconds to times that `told_times` read; null where either is."""
    begin, length = to_times(start, None), to_times(duration, "s")
    try:
        end = pc.add_checked(begin.view(pa.int64()), length.view(pa.int64())).view(begin.type)
    except pa.ArrowInvalid:
        return duration
    unread = pc.and_(duration.is_valid(), length.is_null())
    return pc.if_else(unread, duration, end.cast(pa.string())) if pc.any(unread).as_py() else end


def numbers_of(protocol: pa.Array) -> pa.Array:
    """Read protocols, int64; null where one is not known."""
    return map_distinct(protocol, read_protocol, pa.int64())


def is_icmp(numbers: pa.Array) -> pa.Array:
    """Tell the rows of ICMP and ICMPv6."""
    return pc.is_in(numbers, pa.array([ICMP, ICMP_V6], pa.int64()))


def only(rows: pa.Array, column: pa.Array) -> pa.Array:
    """Keep a column in some rows."""
    return pc.if_else(rows, column, pa.scalar(None, column.type))


def among(column: pa.Array, words: Collection[str]) -> pa.Array:
    """Tell the rows in which a column is one of some words."""
    return pc.is_in(column, pa.array(words, pa.string()))


def unit_of(times: pa.Array, whole: str | None) -> str | None:
    """Tell the unit of times by the first of them: None of dates, seconds where there is a fraction, else `whole`."""
    row = times.is_valid().index(True).as_py()
    text = times[row].as_py() if row >= 0 else ""
    return None if not text.replace(".", "", 1).isdigit() else "s" if "." in text else whole


def first_told(columns: Sequence[pa.Array], nothing: Collection[str]) -> pa.Array:
    """Return the first text of each row that says something; those of `nothing` do not."""
    return pc.coalesce(*(only(pc.invert(among(column, nothing)), column) for column in columns))


def told_times(texts: pa.Array, unit: str | None) -> pa.Array:
    """Read times; where one cannot be read, all are text that needs no unit."""
    times = to_times(texts, unit)
    unread = pc.and_(texts.is_valid(), times.is_null())
    return pc.if_else(unread, texts, times.cast(pa.string())) if pc.any(unread).as_py() else times
