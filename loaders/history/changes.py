"""Changes of objects: what a record says of one, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ..clusters.kubernetes import CLUSTER_WIDE
from ..clusters.objects import KINDS
from ..dialects import DIALECTS, LANGUAGES
from ..documents import Document
from ..edits import names_of_kind
from .shapes import Metadata, State, Status, TimedObject, TimedPod
from .times import SECOND, read_time

if TYPE_CHECKING:
    from ..reader import Given

Key = tuple[str, str, str, str]
"""API group, kind, namespace and name of an object."""

_KINDS = {*KINDS, *DIALECTS, *(kind for language in LANGUAGES for kind in language.kinds)}
_OF_RESOURCE = {(group, names_of_kind(kind)[1]): kind for group, kind in _KINDS}
"""The kinds that verdicts depend on, by API group and the name of their resource."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is known of an object from a time on.

    Attributes
    ----------
    time : int
        Nanoseconds since 1970.
    key : Key
    document : Document or None
        The object; None where nothing is known but that it is gone.
    is_gone : bool
        It is there no more.
    is_new : bool
        It was not there before.
    is_seen : bool
        It was seen so in a snapshot, which may be since long ago.
    is_timed : bool
        The time is that of the change, rather than of something before it.
    """

    time: int
    key: Key
    document: Document | None
    is_gone: bool = False
    is_new: bool = False
    is_seen: bool = False
    is_timed: bool = True


class Outline:
    """What an object says of itself, besides what it is for."""

    def __init__(self, document: Document) -> None:
        found = _decoded(document)
        self._metadata = found.metadata or Metadata()
        self._status = (found.status if isinstance(found, TimedPod) else None) or Status()
        self._document = document

    @property
    def key(self) -> Key | None:
        """What makes it the same object as another; None where it has no name."""
        name, namespace = self._metadata.name, self._metadata.namespace
        if not (isinstance(name, str) and name):
            return None
        group, kind = self._document.group, self._document.kind
        return key_of(group, kind, namespace if isinstance(namespace, str) else "", name)

    @property
    def uid(self) -> object:
        """What tells it from an earlier one of its name; None where nothing does."""
        return self._metadata.creation_timestamp or self._metadata.uid

    @property
    def created(self) -> int | None:
        """When it was created (ns)."""
        return _time(self._metadata.creation_timestamp)

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has deleted it."""
        return self._metadata.deletion_timestamp is not None

    @property
    def is_held(self) -> bool:
        """Whether it stays for a time when it is deleted: until its containers end, or its finalizers are done."""
        return bool(self._metadata.finalizers) or self._metadata.deletion_grace_period_seconds not in (None, 0)

    @property
    def last_told(self) -> int | None:
        """The latest time of which it tells that something happened to it (ns)."""
        metadata, status = self._metadata, self._status
        states = [container.state or State() for container in status.container_statuses or ()]
        told = [
            metadata.creation_timestamp,
            status.start_time,
            *(field.time for field in metadata.managed_fields or ()),
            *(condition.last_transition_time for condition in status.conditions or ()),
            *(state.running.started_at for state in states if state.running),
            *(state.terminated.finished_at for state in states if state.terminated),
        ]
        times = [time for value in told if (time := _time(value)) is not None]
        deleted, grace = _time(metadata.deletion_timestamp), metadata.deletion_grace_period_seconds
        if deleted is not None and isinstance(grace, int):
            times.append(deleted - grace * SECOND)
        return max(times, default=None)


def _decoded(document: Document) -> TimedObject:
    for wanted in (TimedPod, TimedObject):
        try:
            return document.decode(wanted)
        except msgspec.ValidationError:
            continue
    return TimedObject()


def key_of(group: str, kind: str, namespace: str, name: str) -> Key:
    """Return the key of an object; a missing namespace is ``default``."""
    return group, kind, "" if kind in CLUSTER_WIDE else namespace or "default", name


def kind_of_resource(group: str, resource: str) -> str | None:
    """Return the kind of a resource such as ``networkpolicies``; None where no verdict depends on it."""
    return _OF_RESOURCE.get((group, resource))


def is_minded(given: Given) -> bool:
    """Whether verdicts depend on objects of this kind."""
    return (given.group, given.kind) in _KINDS


def _time(value: object) -> int | None:
    try:
        return read_time(value) if isinstance(value, str) else None
    except ValueError:
        return None
