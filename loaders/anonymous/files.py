"""Snapshots and manifests under pseudonyms, from file to file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from simcore.errors import Diagnostic, Place, Severity

from ..documents import Document
from ..files import find_sources
from ..history.instants import notes_of
from ..manifests import raise_errors
from ..reader import Skipped, read_documents
from ..snapshots.notes import Notes
from ..snapshots.writing import check_snapshot, write_snapshot
from .objects import Anonymizer, JsonObject, anonymous_objects
from .pseudonyms import Pseudonyms


@dataclass(frozen=True, slots=True)
class Written:
    """What became of objects.

    Attributes
    ----------
    objects : int
        How many were written.
    left_out : mapping of str to int
        How many were not, by what they are: verdicts do not depend on these.
    diagnostics : tuple of Diagnostic
        Warnings: what was kept as it is, and what may change.
    """

    objects: int
    left_out: Mapping[str, int]
    diagnostics: tuple[Diagnostic, ...]


def anonymize_files(paths: Sequence[str], output: str, key_file: str, beside: Sequence[str] = ()) -> Written:
    """Write the objects of files to one snapshot, under pseudonyms.

    Parameters
    ----------
    paths : sequence of str
        Snapshots and manifests: files (YAML, JSON or Parquet, also packed), folders, ``-`` for standard input.
    output : str
        Ends in ``.json``, ``.json.gz`` or ``.parquet``.
    key_file : str
        Made where it is not there.
    beside : sequence of str
        Files whose objects are looked at, so that selectors go on meaning the same, and not written.

    Raises
    ------
    LoadError
        An input cannot be read, or something in it cannot be hidden so that it says the same.
    """
    check_snapshot(output)
    problems: list[Diagnostic] = []
    notes = _notes(paths, problems)
    anonymizer = Anonymizer(Pseudonyms.open(key_file))
    for found in _objects(beside, problems):
        anonymizer.learn(found)
    counted = _Counted(anonymous_objects(_objects(paths, problems), anonymizer))
    write_snapshot(counted, output, notes)
    anonymizer.names.save()
    return Written(counted.number, anonymizer.left_out, (*problems, *anonymizer.warnings()))


class _Counted:
    """Objects, and how many there were."""

    def __init__(self, objects: Iterable[JsonObject]) -> None:
        self._objects = objects
        self.number = 0

    def __iter__(self) -> Iterator[JsonObject]:
        for found in self._objects:
            self.number += 1
            yield found


def _objects(paths: Sequence[str], problems: list[Diagnostic]) -> Iterator[JsonObject]:
    """Yield the objects of files.

    Raises
    ------
    LoadError
        At the end, with every error of all files.
    """
    for document in read_documents(paths, problems, Skipped()) if paths else ():
        yield _object(document)
    raise_errors(problems)


def _object(document: Document) -> JsonObject:
    value = document.value
    head = {"apiVersion": document.api_version, "kind": document.kind}
    return {**value, **head} if isinstance(value, dict) else head


def _notes(paths: Sequence[str], problems: list[Diagnostic]) -> Notes:
    """Return what the input tells of itself: one moment, if any."""
    found: list[tuple[str, Notes]] = []
    for source in find_sources([path for path in paths if path != "-"], problems):
        notes = notes_of(source)
        if notes.taken_at:
            found.append((source.name, notes))
    if len({notes.taken_at for _, notes in found}) > 1:
        message = "these snapshots are of several moments. Anonymize each by itself, with the same key file"
        problems.append(Diagnostic(Severity.ERROR, Place(found[1][0]), message))
    return found[0][1] if found else Notes()
