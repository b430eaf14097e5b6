"""Where files lie: on this machine, or in the stores that pyarrow reaches (``s3://``, ``gs://``)."""

from __future__ import annotations

import os
from typing import cast

import pyarrow as pa
from pyarrow import fs

SCHEMES = ("s3://", "gs://", "gcs://", "abfs://", "abfss://", "hdfs://", "file://")
"""How the paths of such stores begin."""


def is_remote(path: str) -> bool:
    """Whether a path names a store rather than a file of this machine."""
    return path.startswith(SCHEMES)


def reach(path: str) -> tuple[fs.FileSystem, str]:
    """Return the file system that a path lies in, and its path there.

    Raises
    ------
    OSError
        The store cannot be reached, or pyarrow was built without it.
    """
    if not is_remote(path):
        return fs.LocalFileSystem(), path
    try:
        return cast("tuple[fs.FileSystem, str]", fs.FileSystem.from_uri(path))
    except (pa.ArrowException, ValueError) as error:
        raise OSError(None, f"this store cannot be reached: {_first_line(error)}") from None


def is_file(path: str) -> bool:
    """Whether there is a file at a path; False where that cannot be found out."""
    if not is_remote(path):
        return os.path.isfile(path)
    try:
        store, inner = reach(path)
        return bool(store.get_file_info(inner).type == fs.FileType.File)
    except OSError:
        return False


def identity(path: str) -> str:
    """Return what two paths of one file have in common."""
    return path if path == "-" or is_remote(path) else os.path.realpath(path)


def size_of(path: str) -> int:
    """Return how many bytes a file has."""
    if not is_remote(path):
        return os.path.getsize(path)
    store, inner = reach(path)
    return int(store.get_file_info(inner).size or 0)


def open_seekable(path: str) -> pa.NativeFile:
    """Open a file that is read from any place.

    Raises
    ------
    OSError
        It cannot be opened.
    """
    if not is_remote(path):
        return pa.OSFile(path, "rb")
    store, inner = reach(path)
    return store.open_input_file(inner)


def files_below(path: str) -> list[str] | None:
    """List the files below a folder of a store, or the file itself; None where there is nothing."""
    store, inner = reach(path)
    scheme, _, rest = path.partition("://")
    _, question, options = rest.partition("?")
    found = store.get_file_info(inner)
    if found.type == fs.FileType.File:
        return [path]
    if found.type != fs.FileType.Directory:
        return None
    listed = store.get_file_info(fs.FileSelector(inner, recursive=True))
    files = sorted(each.path for each in listed if each.type == fs.FileType.File)
    return [f"{scheme}://{each}{question}{options}" for each in files]


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
