"""The Parquet files that paths stand for, and the partitions that their folders name."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote

from simcore.errors import Diagnostic, Place, Severity

from ..files import is_utf8
from .storage import files_below, identity, is_remote, open_seekable

MAGIC = b"PAR1"
_SUFFIXES = (".parquet", ".parq", ".pq")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files of a folder are meant: what they are called, and what tells them."""

    noun: str
    takes: Callable[[str], bool]


def problem(file: str, message: str) -> Diagnostic:
    """Make the error of a file, a path or an option."""
    return Diagnostic(Severity.ERROR, Place(file), message)


def find_files(paths: Iterable[str], problems: list[Diagnostic], wanted: Wanted | None = None) -> Iterator[str]:
    """Find the files that `paths` stand for: a folder is all its Parquet files, a pattern what it matches.

    `wanted` chooses other files of a folder than Parquet.

    The paths keep their order, the files of a folder or pattern are sorted by name. A file that two paths lead to
    is read once: its flows would count twice.
    """
    seen: set[str] = set()
    for path in paths:
        for file in _files_of(path, problems, wanted or Wanted("Parquet file", looks_like_parquet)):
            if not is_utf8(file):
                problems.append(problem(file, "this path is not UTF-8. Rename it"))
                continue
            if identity(file) not in seen:
                seen.add(identity(file))
                yield file


def _files_of(path: str, problems: list[Diagnostic], wanted: Wanted) -> list[str]:
    if is_remote(path):
        return _remote(path, problems, wanted)
    if os.path.isdir(path):
        return _folder(path, problems, wanted)
    if os.path.exists(path):
        return [path]
    if glob.has_magic(path):
        return _pattern(path, problems, wanted)
    problems.append(problem(path, _missing(path)))
    return []


def _missing(path: str) -> str:
    if path == "-":
        return "a capture cannot come from standard input: Parquet is read from its end. Write it to a file"
    if "://" in path:
        return "this kind of store is not read. Copy the capture to this machine, or to s3:// or gs://"
    return "there is no such file or folder. Check the path"


def _remote(path: str, problems: list[Diagnostic], wanted: Wanted) -> list[str]:
    if "@" in path.partition("://")[2].partition("/")[0]:
        told = "credentials do not belong in a path. Leave them to the environment (AWS_ACCESS_KEY_ID and its like)"
        problems.append(problem(path.partition("://")[0] + "://", told))
        return []
    try:
        found = files_below(path)
    except OSError as error:
        problems.append(problem(path, f"it cannot be read: {error.strerror or error}"))
        return []
    if found == [path]:
        return found
    within = len(path.partition("?")[0].rstrip("/")) + 1
    found = [each for each in found or () if not any(map(_hidden, each.partition("?")[0][within:].split("/")))]
    captures = [each for each in found if wanted.takes(each)]
    if not captures:
        problems.append(problem(path, f"there is no {wanted.noun} at this place. Check the path"))
    return captures


def _pattern(pattern: str, problems: list[Diagnostic], wanted: Wanted) -> list[str]:
    found: list[str] = []
    for path in sorted(glob.glob(pattern, recursive=True)):
        if _hidden(os.path.basename(path)) and not _hidden(os.path.basename(pattern)):
            continue
        found += _folder(path, problems, wanted) if os.path.isdir(path) else [path]
    if not found:
        problems.append(problem(pattern, "no file matches this pattern. Check it, or quote it for the shell"))
    return found


def _folder(folder: str, problems: list[Diagnostic], wanted: Wanted) -> list[str]:
    found: list[str] = []
    before = len(problems)

    def refused(error: OSError) -> None:
        problems.append(problem(str(error.filename), f"this folder cannot be read: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not _hidden(name)]
        found += [os.path.join(parent, name) for name in files if not _hidden(name)]
    captures = [path for path in sorted(found) if wanted.takes(path)]
    if not captures and len(problems) == before:
        held = f" among its {len(found)} files" if found else ": it is empty"
        problems.append(problem(folder, f"this folder holds no {wanted.noun}{held}. Name a folder of captures"))
    return captures


def _hidden(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def looks_like_parquet(path: str) -> bool:
    """Whether a file is Parquet; Hive tables have files without suffix, known by their first bytes."""
    if path.lower().endswith(_SUFFIXES):
        return True
    try:
        with open_seekable(path) as file:
            return bytes(file.read(len(MAGIC))) == MAGIC
    except OSError:
        return False


def partitions_of(path: str) -> dict[str, str | None]:
    """Return the ``key=value`` folders that a file lies in, outermost first."""
    found: dict[str, str | None] = {}
    for step in os.path.dirname(path).split(os.sep):
        key, equals, value = step.partition("=")
        if key and equals:
            found[unquote(key)] = None if value == _NULL_PARTITION else unquote(value)
    return found
