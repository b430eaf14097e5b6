"""Columns of numbers and of times, brought to the types of FLOW_SCHEMA. What does not fit becomes null, never wraps."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .texts import is_text, map_distinct, plain

NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""Units of time, by the name that a mapping and Arrow give them."""

_TIME = pa.timestamp("ns")
_LAST = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_number(kind: pa.DataType) -> bool:
    """Whether `kind` holds numbers: whole ones, or floats as data frames make of whole ones with gaps."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def to_integers(array: pa.Array, target: pa.DataType, read_text: Callable[[str], int | None]) -> pa.Array:
    """Bring numbers, or text that `read_text` understands, to the integer type `target`."""
    if array.type == target:
        return array
    if read_text is read_integer and is_text(array.type) and not pa.types.is_dictionary(array.type):
        return fit(_from_digits(plain(array)), target)
    if is_text(array.type):
        return fit(map_distinct(array, read_text, pa.int64()), target)
    return fit(array, target)


def _from_digits(texts: pa.Array) -> pa.Array:
    """Read whole numbers as `read_integer` does, all at once: counts seldom repeat."""
    texts.validate(full=True)
    return _keep(texts, pc.match_substring_regex(texts, r"\A-?[0-9]{1,18}\z")).cast(pa.int64())


def to_counts(array: pa.Array) -> pa.Array:
    """Bring numbers, or text that is a number, to int64; a negative one counts nothing and becomes null."""
    counts = to_integers(array, pa.int64(), read_integer)
    least = pc.min(counts).as_py()
    return counts if least is None or least >= 0 else _keep(counts, pc.greater_equal(counts, pa.scalar(0, pa.int64())))


def fit(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Cast numbers to the integer type `target`; a number outside its range or with a fraction becomes null."""
    if pa.types.is_floating(array.type):
        array = _whole(array)
    try:
        return array.cast(target)
    except pa.ArrowInvalid:
        limits = np.iinfo(target.to_pandas_dtype())
        held = np.iinfo(array.type.to_pandas_dtype())
        low = pa.scalar(max(int(limits.min), int(held.min)), array.type)
        high = pa.scalar(min(int(limits.max), int(held.max)), array.type)
        fits = pc.and_(pc.greater_equal(array, low), pc.less_equal(array, high))
        return _keep(array, fits).cast(target)


def _whole(array: pa.Array) -> pa.Array:
    array = array.cast(pa.float64())
    fits = pc.and_(pc.equal(pc.trunc(array), array), pc.less(pc.abs(array), pa.scalar(2.0**63)))
    return _keep(array, fits).cast(pa.int64())


def read_integer(text: str) -> int | None:
    """Read a whole number that fits 64 bits, or nothing."""
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    return int(text)


def is_time(kind: pa.DataType) -> bool:
    """Whether `kind` holds times that know their unit."""
    return bool(pa.types.is_timestamp(kind))


def to_times(array: pa.Array, unit: str | None) -> pa.Array:
    """Bring timestamps, numbers of `unit` since 1970, or text of either, to nanoseconds UTC.

    Text is digits where there is a unit, a date and a time where there is none.

    A time beyond 1677 to 2262 does not fit and becomes null. Timestamps without zone are taken as UTC.
    """
    kind = array.type
    if kind == _TIME:
        return array
    if pa.types.is_timestamp(kind):
        return _scaled(array.cast(pa.timestamp(kind.unit)).view(pa.int64()), NANOSECONDS[kind.unit])
    if is_text(kind):
        return _of_texts(array, unit)
    if unit is None:
        raise ValueError("numbers are times only with a unit")
    factor = NANOSECONDS[unit]
    if pa.types.is_floating(kind):
        return _scaled_floats(array.cast(pa.float64()), factor)
    return _scaled(fit(array, pa.int64()), factor)


_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,18}))?\s?(Z|z|UTC|[+-]\d\d:?\d\d|[+-]\d\d)?", re.ASCII
)
_TICKS = re.compile(r"(-?)(\d{1,19})(?:\.(\d{0,18}))?", re.ASCII)
_DIGITS = 9
_SOUND = {
    True: r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?Z?$",
    False: r"^\d{1,10}(\.\d{1,9})?$",
}
"""Texts of times that Arrow reads as we do, by whether they are dates."""


def _of_texts(array: pa.Array, unit: str | None) -> pa.Array:
    """Read times that are text: in bulk where all are of the usual shape, a tenth of the time, else one by one."""
    is_date = unit is None
    if (is_date or unit == "s") and not pa.types.is_dictionary(array.type):
        found = _in_bulk(array, is_date)
        if found is not None:
            return found
    read = read_moment if unit is None else partial(_read_ticks, NANOSECONDS[unit])
    return map_distinct(array, read, pa.int64()).view(_TIME)


def _in_bulk(array: pa.Array, is_date: bool) -> pa.Array | None:
    texts = plain(array)
    if not pc.all(pc.match_substring_regex(texts, _SOUND[is_date])).as_py():
        return None
    if is_date and pc.any(pc.ends_with(texts, "Z")).as_py():
        texts = pc.utf8_rtrim(texts, "Z")
    try:
        return texts.cast(_TIME) if is_date else _scaled_exactly(texts)
    except pa.ArrowInvalid:
        return None


def _scaled_exactly(texts: pa.Array) -> pa.Array:
    ticks = pc.multiply(texts.cast(pa.decimal128(20, 9)), pa.scalar(NANOSECONDS["s"], pa.decimal128(10, 0)))
    return ticks.cast(pa.decimal128(38, 0)).cast(pa.int64()).view(_TIME)


def read_moment(text: str) -> int | None:
    """Read a date and time as nanoseconds since 1970; without a zone it is UTC."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    date, time, fraction, zone = found.groups()
    zone = "+00:00" if zone in (None, "Z", "z", "UTC") else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{time}{zone}")
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // timedelta(seconds=1)
    return _within(seconds * NANOSECONDS["s"] + int((fraction or "0")[:_DIGITS].ljust(_DIGITS, "0")))


def _read_ticks(factor: int, text: str) -> int | None:
    """Read a number of ticks, with decimals, as nanoseconds."""
    found = _TICKS.fullmatch(text.strip())
    if found is None:
        return None
    sign, whole, fraction = found.groups()
    ticks = int(whole) * factor + int((fraction or "0")[:_DIGITS].ljust(_DIGITS, "0")) * factor // 10**_DIGITS
    return _within(-ticks if sign else ticks)


def _within(time: int) -> int | None:
    return time if abs(time) <= _LAST else None


def _scaled(ticks: pa.Array, factor: int) -> pa.Array:
    try:
        return pc.multiply_checked(ticks, pa.scalar(factor)).view(_TIME)
    except pa.ArrowInvalid:
        limit = _LAST // factor
        fits = pc.and_(pc.greater_equal(ticks, pa.scalar(-limit)), pc.less_equal(ticks, pa.scalar(limit)))
        return pc.multiply(_keep(ticks, fits), pa.scalar(factor)).view(_TIME)


def _scaled_floats(ticks: pa.Array, factor: int) -> pa.Array:
    """Whole ticks and fractions are scaled apart: a double of seconds since 1970 has no room for nanoseconds."""
    ticks = _keep(ticks, pc.less(pc.abs(ticks), pa.scalar(float(_LAST // factor))))
    whole = pc.floor(ticks)
    fraction = pc.round(pc.multiply(pc.subtract(ticks, whole), pa.scalar(float(factor)))).cast(pa.int64())
    total = pc.add(pc.multiply(whole.cast(pa.int64()), pa.scalar(factor)), fraction)
    return total.view(_TIME)


def _keep(array: pa.Array, condition: pa.Array) -> pa.Array:
    return pc.if_else(condition, array, pa.scalar(None, array.type))
