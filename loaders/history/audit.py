"""The audit log of an API server (``audit.k8s.io``): what was done to objects, and when."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ..clusters.objects import Struct
from .changes import Change, Key, Outline, is_minded, key_of, kind_of_resource
from .records import Record, Told, document_in, read_records
from .times import read_time

GROUP = "audit.k8s.io/"
_CHANGING = ("create", "update", "patch", "delete", "deletecollection")
_READING = ("get", "list", "watch", "proxy", "connect")
_DONE = "ResponseComplete"
_FIRST_ERROR = 300
_WITHOUT_OBJECT = (
    "changes are recorded without their object, so what they changed is not known, and verdicts after them may be "
    "wrong. The audit level RequestResponse records objects"
)


def is_audit(keys: dict[str, str]) -> bool:
    """Whether a file is an audit log, told by the keys of its first object."""
    return keys.get("apiVersion", "").startswith(GROUP) and keys.get("kind") in ("Event", "EventList")


class _Reference(Struct):
    resource: str = ""
    namespace: str = ""
    name: str = ""
    api_group: str = ""
    subresource: str = ""


class _Answer(Struct):
    code: int | None = None


class _Event(Struct):
    kind: str = ""
    items: list[msgspec.Raw] | None = None
    stage: str = ""
    verb: str = ""
    stage_timestamp: str | None = None
    request_received_timestamp: str | None = None
    request_uri: str = msgspec.field(name="requestURI", default="")
    object_ref: _Reference | None = None
    response_status: _Answer | None = None
    response_object: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)


class _Response(Struct):
    api_version: str = ""
    kind: str = ""
    items: list[msgspec.Raw] | None = None


_EVENT = msgspec.json.Decoder(_Event)
_RESPONSE = msgspec.json.Decoder(_Response)


def read_audit(path: str, told: Told) -> Iterator[Change]:
    """Read the changes that an audit log tells, in the order of the file.

    Requests that changed nothing (refused, tried with ``dryRun``, reading) are passed over. What only the level
    ``Metadata`` recorded is counted: of a deletion that is enough, of other changes it is not.

    Parameters
    ----------
    path : str
        One file.
    told : Told
        Written.
    """
    for record in read_records(path, told):
        for event in _events(record, told):
            yield from _changes(record, event, told)


def _events(record: Record, told: Told) -> Iterator[_Event]:
    event = _decoded(record, record.data, told)
    if event is None:
        return
    if event.kind != "EventList":
        yield event
        return
    for item in event.items or ():
        if inner := _decoded(record, bytes(item), told):
            yield inner


def _decoded(record: Record, data: bytes, told: Told) -> _Event | None:
    try:
        event = _EVENT.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        event = _Event()
    if event.kind in ("Event", "EventList"):
        return event
    told.complain(record.place, f"this record is no Event of {GROUP.rstrip('/')}, so it is passed over")
    return None


def _changes(record: Record, event: _Event, told: Told) -> Iterator[Change]:
    if event.stage != _DONE or event.verb in _READING:
        return
    reference = event.object_ref or _Reference()
    kind = kind_of_resource(reference.api_group, reference.resource)
    if kind is None:
        told.ignored["requests for other resources"] += 1
        return
    if event.verb not in _CHANGING:
        told.doubtful[f"requests have the verb {event.verb!r}, which is not known, so they are passed over"] += 1
        return
    status = event.response_status or _Answer()
    if (status.code or 0) >= _FIRST_ERROR or "dryRun=" in event.request_uri:
        return
    time = _time(event)
    if time is None:
        told.complain(record.place, "this record has no stageTimestamp that is a time, so it is passed over")
        return
    yield from _Request(
        record, event, time, key_of(reference.api_group, kind, reference.namespace, reference.name)
    ).told(told)


def _time(event: _Event) -> int | None:
    for text in (event.stage_timestamp, event.request_received_timestamp):
        try:
            return read_time(text or "")
        except ValueError:
            continue
    return None


class _Request:
    """One request that changed something."""

    def __init__(self, record: Record, event: _Event, time: int, key: Key) -> None:
        self._record, self._event, self._time, self._key = record, event, time, key
        self._is_deletion = event.verb in ("delete", "deletecollection")

    def told(self, told: Told) -> Iterator[Change]:
        """Yield what it changed."""
        response = self._response()
        if response.kind == self._key[1]:
            yield from self._object(self._event.response_object, told)
        elif response.items is not None and response.kind.endswith("List"):
            for item in response.items:
                yield from self._object(item, told, (response.api_version, response.kind.removesuffix("List")))
        elif self._event.verb == "delete" and self._key[3]:
            yield Change(self._time, self._key, None, is_gone=True)
        elif not (self._event.object_ref or _Reference()).subresource:
            told.doubtful[_WITHOUT_OBJECT] += 1

    def _response(self) -> _Response:
        try:
            return _RESPONSE.decode(self._event.response_object)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return _Response()

    def _object(self, raw: msgspec.Raw, told: Told, implied: tuple[str, str] = ("", "")) -> Iterator[Change]:
        document = document_in(self._record, raw, told, implied)
        if document is None or not is_minded(document):
            return
        outline = Outline(document)
        if (key := outline.key) is None:
            told.complain(self._record.place, "the object of this record has no name, so it is passed over")
            return
        is_gone = (self._is_deletion or outline.is_deleted) and not outline.is_held
        is_new = self._event.verb == "create" and not (self._event.object_ref or _Reference()).subresource
        yield Change(self._time, key, document, is_gone=is_gone, is_new=is_new)
