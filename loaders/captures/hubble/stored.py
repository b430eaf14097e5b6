"""Hubble's events that somebody stored in Parquet, nested or with flattened names, as lines of JSON again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Raw, Struct

from ..storage import open_seekable
from .messages import LATER, Line

_BATCH_ROWS = 8_192
Path = tuple[str, ...]


def is_stored(path: str) -> bool:
    """Whether the columns of a Parquet file are those of Hubble's events."""
    try:
        with open_seekable(path) as file:
            schema = pq.read_schema(file)
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return False
    paths = _paths(schema)
    held = {path[1:] if path[0] == "flow" else path for path in paths.values()}
    return ("verdict",) in held and any(path[:1] == ("IP",) for path in held)


def _paths(schema: pa.Schema) -> dict[str, Path]:
    """Say which field of a message each column is."""
    found: dict[str, Path] = {}
    for name in schema.names:
        path = _fields().get(re.sub(r"[^a-z0-9]", "", name.lower()))
        if path is None:
            continue
        found[name] = path
        if path == ("flow",) and pa.types.is_struct(schema.field(name).type):
            inner = schema.field(name).type
            found |= {f"{name}\0{field.name}": ("flow", field.name) for field in inner}
    return found


@cache
def _fields() -> Mapping[str, Path]:
    """Every field of a message, by its path in small letters without signs; with and without ``flow`` before it."""
    paths = list(_below(Line, ()))
    paths += [path[1:] for path in paths if path[0] == "flow" and len(path) > 1]
    return {re.sub(r"[^a-z0-9]", "", "".join(path).lower()): path for path in reversed(paths)}


def _below(kind: type, path: Path) -> Iterator[Path]:
    for field in msgspec.structs.fields(kind):
        here = (*path, field.encode_name)
        yield here
        inner = LATER.get(field.name) if field.type is Raw else _struct_of(field.type)
        if inner is not None:
            yield from _below(inner, here)


def _struct_of(kind: Any) -> type | None:
    """Return the message that a field holds one of, if it does."""
    for each in getattr(kind, "__args__", (kind,)):
        if isinstance(each, type) and issubclass(each, Struct):
            return each
    return None


def read_stored(path: str) -> Iterator[tuple[int, bytes | None]]:
    """Yield the rows of a file as lines, numbered from 1."""
    number = 0
    with open_seekable(path) as stored, pq.ParquetFile(stored) as file:
        schema = file.schema_arrow
        paths = {name: path for name, path in _paths(schema).items() if "\0" not in name}
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(paths)):
            columns = {name: batch[name].cast(_written(batch[name].type)).to_pylist() for name in batch.schema.names}
            for row in range(batch.num_rows):
                number += 1
                line: dict[str, Any] = {}
                for name, values in columns.items():
                    _put(line, paths[name], _bare(values[row]))
                yield number, msgspec.json.encode(line)


def _written(kind: pa.DataType) -> pa.DataType:
    """Return the type with times as text."""
    if pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_written(field.type)) for field in kind])
    return kind


def _put(line: dict[str, Any], path: Path, value: Any) -> None:
    if value is None:
        return
    for step in path[:-1]:
        line = line.setdefault(step, {})
    if isinstance(value, dict) and isinstance(line.get(path[-1]), dict):
        line[path[-1]].update(value)
    else:
        line[path[-1]] = value


def _bare(value: Any) -> Any:
    """Leave out what is null: a message does not have it."""
    if isinstance(value, dict):
        found = {name: _bare(inner) for name, inner in value.items()}
        return {name: inner for name, inner in found.items() if inner is not None} or None
    return [_bare(inner) for inner in value] if isinstance(value, list) else value
