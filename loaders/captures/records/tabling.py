"""Records that were read one by one, to batches of columns; and what a field of an object holds, whatever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
import pyarrow as pa

BATCH_ROWS = 32_768
_NOTHING: Mapping[str, Any] = {}
_INTEGERS, _TEXTS, _NONE = {int}, {str}, type(None)


def to_batches(rows: Iterable[tuple[object, ...]], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Turn rows, each with a value for each column, into batches; numbers stay numbers, and texts stay texts."""
    rows = iter(rows)
    while block := list(islice(rows, BATCH_ROWS)):
        yield pa.RecordBatch.from_arrays(
            [to_column(values) for values in zip(*block, strict=True)], names=list(columns)
        )


def to_column(values: Sequence[object]) -> pa.Array:
    """Make a column of values of JSON: of numbers where all are whole numbers, else of texts."""
    kinds = set(map(type, values)) - {_NONE}
    if kinds <= _TEXTS:
        return pa.array(values, pa.string())
    if float in kinds:
        values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
        kinds = set(map(type, values)) - {_NONE}
    if kinds <= _INTEGERS:
        try:
            return pa.array(values, pa.int64())
        except OverflowError:
            pass
    return pa.array([text_of(value) for value in values], pa.string())


def text_of(value: object) -> str | None:
    """Write a value of JSON as text; a whole number has no fraction, and what is null stays so."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, float) and "e" in repr(value):
        return f"{Decimal(repr(value)):f}"
    return msgspec.json.encode(value).decode() if isinstance(value, (bool, list, dict)) else str(value)


def part(value: object, name: str) -> Mapping[str, Any]:
    """Return the object that a field of an object holds; one without fields where it holds none."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else _NOTHING


def name_of(value: object) -> str:
    """Return what a field names; the empty text where it says that there is no name."""
    text = text_of(value) or ""
    return "" if text == "-" else text


def pod_of(namespace: object, name: object) -> str | None:
    """Name a pod as columns of pods do; nothing where a part is missing."""
    where, what = name_of(namespace), name_of(name)
    return f"{where}/{what}" if where and what else None


def labels_of(value: object) -> str | None:
    """Part labels by commas, whether they are a list or a text that parts them by bars or commas."""
    listed = value if isinstance(value, list) else (text_of(value) or "").replace("|", ",").split(",")
    return ",".join(filter(None, (name_of(label).strip() for label in listed))) or None


def port_of(value: object) -> object:
    """Return a port as it is; 0 stands for none, of protocols without ports."""
    return None if value in (0, "0") else value


def total(*counts: object) -> int | str | None:
    """Add up counts that are numbers or texts of digits; those that are missing add nothing.

    The first that is neither is given back as it is, so that it can be told.
    """
    found = None
    for count in counts:
        if count is None or count == "":
            continue
        number = _whole(count)
        if number is None:
            return text_of(count)
        found = number if found is None else found + number
    return found


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def moment_of(value: object, per_second: int = 1) -> str | None:
    """Write a time as text: one that is a number, or digits, counts from 1970 on, `per_second` each second."""
    if isinstance(value, str) and not value.isdigit():
        return value.removesuffix(" UTC")
    count = _whole(value)
    if count is None:
        return text_of(value)
    seconds, rest = divmod(count, per_second)
    second = _of_seconds(seconds)
    return f"{second}.{rest:0{len(str(per_second)) - 1}}Z" if per_second > 1 else f"{second}Z"


@lru_cache(65_536)
def _of_seconds(seconds: int) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    except (ValueError, OverflowError, OSError):
        return str(seconds)
