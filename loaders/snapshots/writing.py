"""Objects to a snapshot: one JSON list, plain or gzip, or Parquet."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from simcore.errors import LoadError, Place

from ..files import PARQUET
from .notes import Notes

JsonObject = dict[str, Any]
"""A Kubernetes object as plain dicts and lists."""

_HEAD = b'{"apiVersion":"v1","kind":"List","items":[\n'
_BETWEEN = b",\n"
_GZIP = b"\x1f\x8b"
_LEVEL = 6


def write_snapshot(objects: Iterable[JsonObject], path: str | Path, notes: Notes) -> None:
    """Write objects to a file, one after the other; the file appears under its name once it is whole.

    Parameters
    ----------
    objects : iterable of dict
        Each with ``apiVersion`` and ``kind``.
    path : str or Path
        Ends in ``.json``, ``.json.gz`` or ``.parquet``; one that is there is replaced.
    notes : Notes
        What the snapshot tells of itself; read after the last object.

    Raises
    ------
    OSError
        It cannot be written.
    """
    with _replacing(Path(path)) as file:
        if str(path).endswith(".parquet"):
            from .columns import write_columns

            write_columns(objects, file, notes)
        elif str(path).endswith(".gz"):
            with gzip.GzipFile("", "wb", _LEVEL, file, mtime=0) as packed:
                _write_list(objects, cast(IO[bytes], packed), notes)
        else:
            _write_list(objects, file, notes)


def check_snapshot(path: str | Path) -> None:
    """Make sure that a snapshot can be written under this name, and replaces nothing but a snapshot.

    Raises
    ------
    LoadError
        It cannot.
    """
    file, place = Path(path), Place(str(path))
    if not str(path).endswith((".json", ".json.gz", ".parquet")):
        raise LoadError.at(place, "the name of a snapshot ends in .json, .json.gz or .parquet. Name it so")
    if not file.absolute().parent.is_dir():
        raise LoadError.at(place, f"the folder {file.parent} does not exist. Make it first")
    if file.exists() and not _may_be_replaced(file):
        raise LoadError.at(place, "this exists and is not a snapshot. Name another file to write")


def _may_be_replaced(file: Path) -> bool:
    """Whether a path is a regular file that begins as a snapshot does, or is empty."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        start = opened.read(len(_HEAD))
        opened.seek(0)
        if start.startswith(PARQUET):
            from .stored import is_snapshot

            return is_snapshot(opened)
        if start.startswith(_GZIP):
            try:
                with gzip.GzipFile(fileobj=opened) as packed:
                    start = packed.read(len(_HEAD))
            except (OSError, EOFError, zlib.error):
                return False
    return start in (b"", _HEAD)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of `path` at the end; after an exception there is none."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _write_list(objects: Iterable[JsonObject], file: IO[bytes], notes: Notes) -> None:
    """Write one object a line; the list's own metadata is behind them, since it tells what became of the listing."""
    encode = msgspec.json.Encoder().encode
    file.write(_HEAD)
    between = b""
    for found in objects:
        file.write(between + encode(found))
        between = _BETWEEN
    file.write(b'\n],"metadata":' + encode({"annotations": notes.annotations()}) + b"}\n")
