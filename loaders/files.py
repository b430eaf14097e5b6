"""The files that paths stand for, and their bytes."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simcore.errors import Diagnostic, Place, Severity

STDIN = "<stdin>"
_SUFFIXES = tuple(f"{kind}{packing}" for packing in ("", ".gz", ".zst") for kind in (".yaml", ".yml", ".json"))
PARQUET = b"PAR1"
"""How Parquet files begin."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: its path, the name that messages use, and whether it was met inside a folder."""

    path: str
    name: str
    from_folder: bool = False


def find_sources(paths: Iterable[str], problems: list[Diagnostic]) -> Iterator[Source]:
    """Find the files that `paths` stand for: ``-`` is standard input, a folder all its manifests, a pattern what it
    matches, sorted.

    A file that two paths lead to is read once.
    """
    seen: set[str] = set()
    for path in paths:
        for source in _sources_of(path, problems):
            if not is_utf8(source.path):
                problems.append(problem(source.path, "this path is not UTF-8. Rename it"))
                continue
            identity = source.path if source.path == "-" else os.path.realpath(source.path)
            if identity not in seen:
                seen.add(identity)
                yield source


def _sources_of(path: str, problems: list[Diagnostic]) -> list[Source]:
    if path == "-":
        return [Source(path, STDIN)]
    if os.path.isdir(path):
        return _folder(path, problems)
    if not os.path.exists(path):
        if glob.has_magic(path) and (matches := sorted(glob.glob(path, recursive=True))):
            return [source for match in matches for source in _sources_of(match, problems)]
        problems.append(problem(path, "there is no such file or folder. Check the path"))
        return []
    return [Source(path, path)]


def _folder(folder: str, problems: list[Diagnostic]) -> list[Source]:
    found: list[str] = []

    def refused(error: OSError) -> None:
        problems.append(problem(str(error.filename), f"this folder cannot be read: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [os.path.join(parent, name) for name in files if is_manifest(name)]
    if not found and not any(diagnostic.place.file == folder for diagnostic in problems):
        problems.append(problem(folder, "this folder holds no manifest: no file ends in .yaml, .yml or .json"))
    return [Source(path, path, from_folder=True) for path in sorted(found)]


def is_manifest(path: str) -> bool:
    """Whether a file of a folder is read, by its path within the folder: hidden ones are not."""
    return path.lower().endswith(_SUFFIXES) and not any(part.startswith(".") for part in path.split("/"))


def is_utf8(path: str) -> bool:
    """Whether the bytes of a path are text: only then can results and reports name it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_bytes(source: Source) -> bytes:
    """Return what a file holds, unpacked where it is gzip or zstd.

    Raises
    ------
    OSError
        It cannot be read, or its packed data is damaged.
    """
    if source.path == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(source.path, "rb") as file:
            data = file.read()
    return unpacked(data)


def unpacked(data: bytes) -> bytes:
    """Return what packed data holds, and other data as it is.

    Raises
    ------
    OSError
        It is damaged.
    """
    if data.startswith(_ZSTD):
        return _unpacked_zstd(data)
    return _unpacked_gzip(data) if data.startswith(_GZIP) else data


def _unpacked_zstd(data: bytes) -> bytes:
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
            return bytes(stream.read())
    except (OSError, pa.ArrowException) as error:
        raise OSError(None, f"its zstd data is damaged ({error})") from None


def _unpacked_gzip(data: bytes) -> bytes:
    import gzip
    import zlib

    try:
        return gzip.decompress(data)
    except (EOFError, zlib.error) as error:
        raise OSError(None, f"its gzip data is damaged ({error})") from None


def problem(file: str, message: str, line: int = 0, number: int = 0) -> Diagnostic:
    """Make the error of a file as a whole, or of a line in it."""
    return Diagnostic(Severity.ERROR, Place(file, number, line), message)
