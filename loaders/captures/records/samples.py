"""The beginning of a file, as far as it tells what the file is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import pyarrow as pa

from ..storage import size_of
from ..streams import MARK, is_parquet, read_start

LOOKED_AT = 1 << 16
"""Bytes that tell what a file is."""
_MOST_OBJECTS = 8


@dataclass(frozen=True)
class Sample:
    """The beginning of a file.

    Attributes
    ----------
    data : bytes
        Its first bytes, unpacked; empty where it is Parquet.
    parquet : mapping of str to DataType, or None
        Its columns, where it is Parquet.
    is_cut : bool
        Whether it goes on behind `data`.
    """

    data: bytes
    parquet: Mapping[str, pa.DataType] | None = None
    is_cut: bool = False

    @cached_property
    def lines(self) -> list[bytes]:
        """The whole lines, those of blanks left out."""
        found = self.data.removeprefix(MARK).split(b"\n")
        if self.is_cut and len(found) > 1:
            found.pop()
        return [line.rstrip(b"\r") for line in found if line.strip()]

    @cached_property
    def is_text(self) -> bool:
        """Whether it is text rather than numbers."""
        try:
            self.data[:-4].decode()
        except UnicodeDecodeError:
            return False
        return b"\0" not in self.data

    @cached_property
    def has_object_lines(self) -> bool:
        """Whether its first lines, or most of them, are JSON objects of their own."""
        first = self.lines[:_MOST_OBJECTS]
        return bool(first) and 2 * sum(isinstance(_decoded(line), dict) for line in first) >= len(first)

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The first JSON objects: of lines, of a list, or one after the other; the last one may be incomplete."""
        if not self.is_text:
            return []
        if self.has_object_lines:
            return [value for line in self.lines[:_MOST_OBJECTS] if isinstance(value := _decoded(line), dict)]
        return _started(self.data.removeprefix(MARK))


def read_sample(path: str) -> Sample:
    """Read the beginning of a file.

    Raises
    ------
    OSError
        It cannot be read.
    """
    from ..parquet import open_file

    if path != "-" and is_parquet(path):
        return Sample(b"", open_file(path, {}).types)
    data = read_start(path, LOOKED_AT)
    return Sample(data, None, len(data) == LOOKED_AT or size_of(path) > LOOKED_AT)


def _decoded(line: bytes) -> object:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _started(data: bytes) -> list[dict[str, Any]]:
    """Read objects as far as they go."""
    import ijson

    if data.lstrip()[:1] not in (b"{", b"["):
        return []
    found: list[Any] = []
    builder = ijson.ObjectBuilder()
    depth = 0
    try:
        for event, value in ijson.basic_parse(data, use_float=True, multiple_values=True):
            builder.event(event, value)
            depth += event in ("start_map", "start_array")
            depth -= event in ("end_map", "end_array")
            if not depth:
                found.append(builder.value)
                builder = ijson.ObjectBuilder()
    except (ijson.JSONError, UnicodeDecodeError, RecursionError):
        pass
    if depth:
        found.append(builder.value)
    listed = [item for value in found for item in (value if isinstance(value, list) else [value])]
    return [item for item in listed if isinstance(item, dict)][:_MOST_OBJECTS]
