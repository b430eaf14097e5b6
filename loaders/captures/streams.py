"""Files as bytes and as lines, whatever they are packed in and wherever they lie."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from simcore.errors import LoadError

from ..files import STDIN
from .sources import MAGIC, problem
from .storage import is_file, open_seekable

BLOCK = 1 << 16
"""Bytes read at a time: where a packed file is cut off, those of the last block are lost."""
MARK = b"\xef\xbb\xbf"
"""What some editors and shells begin a file with."""
LONGEST = 1 << 24
"""Bytes of a line."""
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
        return self.path == "-" or not is_file(self.path)

    @property
    def name(self) -> str:
        """The name that messages use."""
        return STDIN if self.path == "-" else self.path


@contextmanager
def opened(path: str) -> Iterator[pa.NativeFile]:
    """Open a file, unpacked as it is read."""
    if path == "-":
        head = sys.stdin.buffer.peek(4)[:4] if hasattr(sys.stdin.buffer, "peek") else b""
        with _unpacked(pa.PythonFile(sys.stdin.buffer, "r"), head) as stream:
            yield stream
        return
    with open_seekable(path) as file:
        head = bytes(file.read(4))
        file.seek(0)
        with _unpacked(file, head) as stream:
            yield stream


def _unpacked(stream: pa.NativeFile, head: bytes) -> pa.NativeFile:
    packing = next((name for mark, name in _PACKED.items() if head.startswith(mark)), None)
    return stream if packing is None else pa.CompressedInputStream(stream, packing)


def read_start(path: str, size: int) -> bytes:
    """Read the first bytes of a file, unpacked: as many as can be read.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    found = b""
    with opened(path) as stream:
        try:
            while len(found) < size and (data := stream.read(size - len(found))):
                found += bytes(data)
        except (OSError, pa.ArrowException):
            return found
    return found


def read_blocks(source: Source) -> Iterator[bytes]:
    """Read a file, unpacked, block by block.

    Raises
    ------
    LoadError
        It cannot be read, or is cut off or damaged; the blocks before that were given out.
    """
    try:
        with opened(source.path) as stream:
            while data := stream.read(BLOCK):
                yield bytes(data)
    except (OSError, pa.ArrowException) as error:
        raise LoadError([problem(source.name, damage(error))]) from None


def damage(error: Exception) -> str:
    """Say that a file cannot be read to its end."""
    told = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
    return f"it cannot be read any further: {told}. What was unpacked before is kept"


def read_lines(source: Source) -> Lines:
    """Read a file line by line; lines of blanks are left out.

    Raises
    ------
    LoadError
        See `read_blocks`.
    """
    for number, line in _split(read_blocks(source)):
        yield number, line.removeprefix(MARK) if line and number == 1 else line


def is_parquet(path: str) -> bool:
    """Whether a file begins as Parquet does."""
    with open_seekable(path) as file:
        return bytes(file.read(len(MAGIC))) == MAGIC


def _split(blocks: Iterator[bytes]) -> Lines:
    number, rest = 0, b""
    is_too_long = False
    for data in blocks:
        *lines, rest = (rest + data).split(b"\n")
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
