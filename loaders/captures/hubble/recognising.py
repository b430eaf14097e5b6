"""Which files hold Hubble's events, and their lines."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pyarrow as pa

from simcore.errors import Diagnostic, LoadError

from ..sources import Wanted, find_files, problem
from ..storage import identity, is_file, size_of
from ..streams import MARK, Lines, Source, damage, is_parquet, read_lines, read_start
from .messages import read_outline
from .stored import is_stored, read_stored

_LOOKED_AT = 1 << 16
"""Bytes that tell what a file is."""


def find_sources(paths: Iterable[str], problems: list[Diagnostic]) -> list[Source]:
    """Find the files that paths stand for; those of a folder are recognised by what they hold."""
    found: list[Source] = []
    for path in paths:
        if path == "-":
            found.append(Source(path))
        else:
            found += map(Source, find_files([path], problems, Wanted("export of Hubble", is_hubble)))
    for source in found:
        if not source.is_stream and size_of(source.path) and not is_hubble(source.path):
            text = "there is no event of Hubble's in it: JSON lines of `hubble observe -o jsonpb`, or of its exporter"
            problems.append(problem(source.path, text))
    return list({identity(source.path): source for source in found}.values())


def is_hubble(path: str) -> bool:
    """Whether a file holds Hubble's events, told by its first lines or by its columns."""
    if not is_file(path):
        return False
    try:
        return is_stored(path) if is_parquet(path) else holds_events(read_start(path, _LOOKED_AT))
    except (OSError, pa.ArrowException):
        return False


def holds_events(data: bytes) -> bool:
    """Whether the first bytes of a file hold an event of Hubble's."""
    lines = data.removeprefix(MARK).split(b"\n")
    return any(_is_line(line) for line in (lines[:-1] or lines))


def _is_line(line: bytes) -> bool:
    try:
        return read_outline(line).is_hubble
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def read_events(source: Source) -> Lines:
    """Read a file of events line by line, one in Parquet row by row.

    Raises
    ------
    LoadError
        See `read_lines`.
    """
    try:
        if not source.is_stream and is_parquet(source.path):
            yield from read_stored(source.path)
            return
    except (OSError, pa.ArrowException) as error:
        raise LoadError([problem(source.name, damage(error))]) from None
    yield from read_lines(source)
