"""Which file of a cluster was written when."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from simcore.errors import Diagnostic, Place, Severity

from ..clusters.objects import Struct
from ..files import PARQUET, Source, find_sources, read_bytes
from ..snapshots.notes import TAKEN_AT, Notes
from .times import read_time, split_time, time_in_name


@dataclass(frozen=True, slots=True)
class Dated:
    """A file, and when what it holds was seen (ns).

    Attributes
    ----------
    source : Source
    time : int or None
        None where nothing tells.
    is_whole : bool
        It says of itself that it is a snapshot of everything: what it does not hold was not there.
    """

    source: Source
    time: int | None
    is_whole: bool = False


class _Metadata(Struct):
    annotations: dict[str, object] | None = None


class _Head(Struct):
    kind: str | None = None
    metadata: _Metadata | None = None


_HEAD = msgspec.json.Decoder(_Head)


def dated_files(paths: Sequence[str], problems: list[Diagnostic]) -> list[Dated]:
    """Find the files that paths stand for, and when each was written.

    The user's word goes first (``TIME=FILE``), then what the list in the file says of itself, then the file's name.

    Parameters
    ----------
    paths : sequence of str
        As `find_sources` takes them, each with its time or without.
    problems : list of Diagnostic
        Written: what cannot be found, and times that cannot be read.
    """
    found: dict[str, tuple[Source, int | None]] = {}
    for path in paths:
        time, file = _given(path, problems)
        for source in find_sources([file], problems):
            identity = source.path if source.path == "-" else os.path.realpath(source.path)
            found.setdefault(identity, (source, time))
    return [_dated(source, time, problems) for source, time in found.values()]


def _given(path: str, problems: list[Diagnostic]) -> tuple[int | None, str]:
    if os.path.exists(path):
        return None, path
    text, file = split_time(path)
    if text is None:
        return None, path
    try:
        return read_time(text), file
    except ValueError as error:
        problems.append(Diagnostic(Severity.ERROR, Place(f"--cluster {path}"), str(error)))
        return None, file


def _dated(source: Source, given: int | None, problems: list[Diagnostic]) -> Dated:
    if source.path == "-":
        return Dated(source, given)
    notes = notes_of(source)
    is_whole = bool(notes.taken_at) and not notes.missing and not notes.namespaces
    if given is not None or not notes.taken_at:
        return Dated(source, time_in_name(os.path.basename(source.path)) if given is None else given, is_whole)
    try:
        return Dated(source, read_time(notes.taken_at), is_whole)
    except ValueError as error:
        place = Place(source.name, field=f"metadata.annotations[{TAKEN_AT}]")
        problems.append(Diagnostic(Severity.ERROR, place, str(error)))
        return Dated(source, None)


def notes_of(source: Source) -> Notes:
    """Return what a list in JSON, or a snapshot in Parquet, says of itself."""
    try:
        data = read_bytes(source)
        if data.startswith(PARQUET):
            from ..snapshots.stored import read_notes

            return read_notes(data)
        if TAKEN_AT.encode() not in data:
            return Notes()
        head = _HEAD.decode(data)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Notes()
    is_list = (head.kind or "").endswith("List") and head.metadata is not None
    return Notes.of(head.metadata.annotations or {}) if is_list and head.metadata else Notes()


def groups_by_time(files: Iterable[Dated]) -> Iterator[tuple[int | None, list[Dated]]]:
    """Yield the files of each moment, in order of time; files without time belong to every moment."""
    given = list(files)
    times = sorted({file.time for file in given if file.time is not None})
    if not times:
        yield None, given
    for time in times:
        yield time, [file for file in given if file.time in (None, time)]
