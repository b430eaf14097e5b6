"""Files of Hubble's, whatever they are packed in, as lines with their numbers."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import msgspec
import pyarrow as pa

from simcore.errors import Diagnostic, LoadError

from ...files import STDIN
from ..sources import MAGIC, Wanted, find_files, problem
from .messages import read_outline
from .stored import is_stored, read_stored

_BLOCK = 1 << 16
"""Bytes read at a time: where a packed file is cut off, those of the last block are lost."""
_MARK = b"\xef\xbb\xbf"
"""What some editors and shells begin a file with."""
_LOOKED_AT = 1 << 16
"""Bytes that tell what a file is."""
LONGEST = 1 << 24
"""Bytes of a line; the longest that Hubble writes are some thousands."""
_PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}

Lines = Iterator[tuple[int, bytes | None]]
"""Lines with their numbers, from 1; None for one that is too long."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or standard input where its path is ``-``."""

    path: str

    @property
    def is_stream(self) -> bool:
        """Whether it can be read only once."""
        return self.path == "-" or not os.path.isfile(self.path)

    @property
    def name(self) -> str:
        """The name that messages use."""
        return STDIN if self.path == "-" else self.path


def find_sources(paths: Iterable[str], problems: list[Diagnostic]) -> list[Source]:
    """Find the files that paths stand for; those of a folder are recognised by what they hold."""
    found: list[Source] = []
    for path in paths:
        if path == "-":
            found.append(Source(path))
        else:
            found += map(Source, find_files([path], problems, Wanted("export of Hubble", is_hubble)))
    for source in found:
        if not source.is_stream and os.path.getsize(source.path) and not is_hubble(source.path):
            text = "there is no event of Hubble's in it: JSON lines of `hubble observe -o jsonpb`, or of its exporter"
            problems.append(problem(source.path, text))
    return list({os.path.realpath(source.path) if source.path != "-" else "-": source for source in found}.values())


def is_hubble(path: str) -> bool:
    """Whether a file holds Hubble's events, told by its first lines or by its columns."""
    if not os.path.isfile(path):
        return False
    try:
        if _is_parquet(path):
            return is_stored(path)
        with _opened(path) as stream:
            data = stream.read(_LOOKED_AT)
    except (OSError, pa.ArrowException):
        return False
    lines = bytes(data).removeprefix(_MARK).split(b"\n")
    return any(_is_line(line) for line in (lines[:-1] or lines))


def _is_line(line: bytes) -> bool:
    try:
        return read_outline(line).is_hubble
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


@contextmanager
def _opened(path: str) -> Iterator[pa.NativeFile]:
    """Open a file, unpacked as it is read."""
    if path == "-":
        with _unpacked(pa.PythonFile(sys.stdin.buffer, "r"), sys.stdin.buffer) as stream:
            yield stream
        return
    with open(path, "rb") as file, _unpacked(pa.PythonFile(file, "r"), file) as stream:
        yield stream


def _unpacked(stream: pa.NativeFile, file: BinaryIO) -> pa.NativeFile:
    start = file.peek(4)[:4] if hasattr(file, "peek") else b""
    packing = next((name for mark, name in _PACKED.items() if start.startswith(mark)), None)
    return stream if packing is None else pa.CompressedInputStream(stream, packing)


def read_lines(source: Source) -> Lines:
    """Read a file line by line; lines of blanks are left out.

    Raises
    ------
    LoadError
        It cannot be read, or is cut off or damaged; the lines before that were given out.
    """
    try:
        if not source.is_stream and _is_parquet(source.path):
            yield from read_stored(source.path)
            return
        with _opened(source.path) as stream:
            yield from _unmarked(_split(stream))
    except (OSError, pa.ArrowException) as error:
        text = f"it cannot be read any further: {getattr(error, 'strerror', None) or error}"
        raise LoadError([problem(source.name, f"{text}. What was unpacked before is kept")]) from None


def _is_parquet(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _unmarked(lines: Lines) -> Lines:
    for number, line in lines:
        yield number, line.removeprefix(_MARK) if line and number == 1 else line


def _split(stream: pa.NativeFile) -> Lines:
    number, rest = 0, b""
    is_too_long = False
    while data := stream.read(_BLOCK):
        *lines, rest = (rest + bytes(data)).split(b"\n")
        for line in lines:
            number += 1
            if is_too_long:
                is_too_long = False
                yield number, None
            elif line and not line.isspace():
                yield number, line
        if len(rest) > LONGEST:
            is_too_long, rest = True, b""
    if is_too_long or (rest and not rest.isspace()):
        yield number + 1, None if is_too_long else rest
