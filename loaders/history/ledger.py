"""What is known of every object over time: its versions, each with the stretch in which it held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from simcore.errors import Diagnostic, Severity
from simcore.model.cluster import Stretch
from simcore.model.names import ALWAYS

from ..clusters.objects import KINDS, Metadata, PodObject, PodStatus
from ..clusters.repeats import repeated_message
from ..documents import Document
from .changes import Change, Key, Outline
from .lives import LIVING, life_of

BEGIN, END = ALWAYS
_POD = ("", "Pod")
_VOLATILE = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Metadata that says nothing of what an object is for."""


@dataclass(slots=True)
class Version:
    """An object as it was for a time.

    Attributes
    ----------
    document : Document
        What it was.
    latest : Document
        The last that was told of it, which says most of its times.
    uid : object
        What tells it from another of its name.
    content : bytes
        All of it that verdicts depend on.
    has_place : bool
        Not a pod, or one whose address is known.
    first, end : int
        When it held (ns).
    """

    document: Document
    latest: Document
    uid: object
    content: bytes
    has_place: bool
    first: int
    end: int = END

    @property
    def stretch(self) -> Stretch:
        """When it held."""
        return self.first, self.end


class Ledger:
    """Takes what is known in order of time.

    Parameters
    ----------
    problems : list of Diagnostic
        Written: warnings.

    Attributes
    ----------
    unknown_before : int
        Objects of which the first thing told is a change, so that what they were before it is not known.
    untimed : int
        Changes that tell no time, and are taken to be of the time of the one before.
    """

    def __init__(self, problems: list[Diagnostic]) -> None:
        self._problems = problems
        self._versions: dict[Key, list[Version]] = {}
        self._seen_at: int | None = None
        self.unknown_before = 0
        self.untimed = 0

    def take(self, change: Change) -> None:
        """Take one change, none of which is earlier than those before."""
        if change.document is not None:
            self._set(change, change.document, self._current(change.key))
        if change.is_gone and (current := self._current(change.key)):
            current.end = max(min(change.time, self._life(current)[1]), current.first)

    def see(self, time: int, documents: Iterable[Document], *, is_whole: bool) -> None:
        """Take a snapshot; of kinds that it holds, or of all where it is whole, what is not in it is gone."""
        held: dict[Key, Document] = {}
        for document in documents:
            if key := Outline(document).key:
                first = held.setdefault(key, document)
                if first is document:
                    self.take(Change(time, key, document, is_seen=True))
                elif content_of(first) != content_of(document):
                    message = repeated_message(key[1], *key[2:], first.place())
                    self._problems.append(Diagnostic(Severity.ERROR, document.place(), message))
        kinds = {key[:2] for key in held}
        for key in self._versions:
            if key not in held and (is_whole or key[:2] in kinds):
                self.take(Change(time, key, None, is_gone=True))
        self._seen_at = time

    def versions(self) -> Iterator[Version]:
        """Yield all versions that held for a time, those of an object in order."""
        for versions in self._versions.values():
            for version in versions:
                end = min(version.end, self._life(version)[1])
                if version.first < end:
                    version.end = end
                    yield version

    def _current(self, key: Key) -> Version | None:
        versions = self._versions.get(key)
        return versions[-1] if versions and versions[-1].end == END else None

    def _set(self, change: Change, document: Document, current: Version | None) -> None:
        outline = Outline(document)
        content, has_place = content_of(document)
        new = Version(document, document, outline.uid, content, has_place, change.time)
        if current is None or current.uid != new.uid:
            new.first = self._began(change, new)
        elif current.content == content or not has_place:
            current.latest = document
            return
        elif not current.has_place:
            current.document, current.latest = document, document
            current.content, current.has_place = content, True
            current.first = max(current.first, self._life(current)[0])
            return
        if current is not None:
            current.end = max(new.first, current.first)
            self.untimed += not change.is_timed
        self._versions.setdefault(change.key, []).append(new)

    def _began(self, change: Change, new: Version) -> int:
        """Tell when an object came that was not known before, or was another."""
        before = self._versions.get(change.key)
        is_first = not before and self._seen_at is None
        if is_first and change.key[1] not in LIVING:
            if change.is_seen or change.is_gone:
                return BEGIN
            self.unknown_before += not change.is_new
            return change.time
        told = self._life(new)[0]
        if told == BEGIN:
            return BEGIN if is_first and not change.is_new else change.time
        if before:
            return max(told, before[-1].first if before[-1].end == END else before[-1].end)
        return told if self._seen_at is None else max(told, self._seen_at)

    def _life(self, version: Version) -> Stretch:
        return life_of(version.latest, self._problems)


def content_of(document: Document) -> tuple[bytes, bool]:
    """Return all of an object that verdicts depend on, and whether it tells where it is."""
    kind = (document.group, document.kind)
    try:
        found = document.decode(KINDS[kind]) if kind in KINDS else None
    except msgspec.ValidationError:
        found = None
    if found is None:
        return _plain(document), True
    found.metadata = msgspec.structs.replace(found.metadata or Metadata(), annotations=None)
    has_place = True
    if isinstance(found, PodObject):
        status = found.status or PodStatus()
        has_place = bool(status.pod_ip or status.pod_ips or (found.spec and found.spec.host_network and status.host_ip))
        found.status = msgspec.structs.replace(status, phase=None)
    return msgspec.json.encode(found, order="deterministic"), has_place


def _plain(document: Document) -> bytes:
    value = document.value
    if not isinstance(value, dict):
        return b""
    metadata = value.get("metadata")
    kept = {key: field for key, field in value.items() if key != "status"}
    if isinstance(metadata, dict):
        kept["metadata"] = {key: field for key, field in metadata.items() if key not in _VOLATILE}
    return msgspec.json.encode(kept, order="deterministic")
