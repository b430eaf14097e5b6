"""Files of JSON objects: a line each, one after the other, in a list, or in a list within one big object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from simcore.errors import LoadError

from ..streams import Source, read_blocks, read_lines
from .reading import Reading
from .samples import Sample, read_sample

Placed = tuple[int | str, dict[str, Any]]
"""Where an object stands, its line or in words, and the object."""


def read_objects(source: Source, reading: Reading, path: str = "") -> Iterator[Placed]:
    """Read the objects of a file, one at a time; whatever is none is told.

    Parameters
    ----------
    source : Source
    reading : Reading
    path : str
        Field of an object that holds the list of those that are meant, if it does.
    """
    sample = read_sample(source.path) if not source.is_stream else Sample(b"{}\n")
    placed = _of_lines(source, reading) if sample.has_object_lines else _of_document(source, reading, sample, path)
    for where, value in placed:
        inner = value.get(path) if path and isinstance(value, dict) else None
        if isinstance(inner, list):
            for number, each in enumerate(inner, 1):
                yield from _object(source, reading, _within(where, path, number), each)
        else:
            yield from _object(source, reading, where, value)


def _within(where: int | str, path: str, number: int) -> str:
    return f"{path}[{number - 1}]" if isinstance(where, str) else f"line {where}, {path}[{number - 1}]"


def _object(source: Source, reading: Reading, where: int | str, value: object) -> Iterator[Placed]:
    if isinstance(value, dict):
        yield where, value
    else:
        reading.complain(source, where, f"this is {_named(value)}, and records are objects")


def _named(value: object) -> str:
    return "a list" if isinstance(value, list) else "no object"


def _of_lines(source: Source, reading: Reading) -> Iterator[tuple[int, Any]]:
    decode = msgspec.json.Decoder().decode
    try:
        for number, line in read_lines(source):
            if line is None:
                reading.complain(source, number, "this line is longer than 16 MB")
                continue
            try:
                value = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                reading.complain(source, number, f"this is no JSON: {error}")
                continue
            yield number, value
    except LoadError as error:
        if reading.strict:
            raise
        reading.complain(source, "", error.diagnostics[0].message)


def _of_document(source: Source, reading: Reading, sample: Sample, path: str) -> Iterator[tuple[str, Any]]:
    import ijson

    prefix = _prefix(sample, path)
    stream = _Stream(read_blocks(source))
    number = 0
    try:
        for value in ijson.items(stream, prefix, use_float=True, multiple_values=True):
            number += 1
            yield f"record {number:,}", value
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        told = str(error).partition("\n")[0]
        reading.complain(source, f"behind record {number:,}", f"what follows is no JSON, or is cut off: {told}")
    except LoadError as error:
        if reading.strict:
            raise
        reading.complain(source, "", error.diagnostics[0].message)


def _prefix(sample: Sample, path: str) -> str:
    if sample.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"[":
        return "item"
    return f"{path}.item" if path and any(path in each for each in sample.objects) else ""


class _Stream:
    """What ijson reads from: blocks, as a file."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not size:
            return b""
        if not self._rest:
            self._rest = next(self._blocks, b"")
        found, self._rest = self._rest[:size], self._rest[size:]
        return found
