"""What ``kubectl get --watch -o json --output-watch-events`` writes: objects as they come, change and go."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from simcore.model.names import ALWAYS

from ..clusters.objects import Struct
from .changes import Change, Key, Outline, is_minded
from .records import Record, Told, document_in, read_records

_TYPES = ("ADDED", "MODIFIED", "DELETED")
_NEVER = ALWAYS[0]
_NO_OBJECT = ("BOOKMARK",)


def is_watch(keys: dict[str, str]) -> bool:
    """Whether a file is a watch, told by the keys of its first object."""
    return "object" in keys and keys.keys().isdisjoint(("apiVersion", "kind", "metadata", "items"))


class _Event(Struct):
    type: str | None = None
    found: msgspec.Raw = msgspec.field(name="object", default_factory=msgspec.Raw)


_EVENT = msgspec.json.Decoder(_Event)


def read_watch(path: str, told: Told) -> Iterator[Change]:
    """Read the changes that a watch tells, in order.

    Events have no time of their own. Each counts from the latest time on of which its object, or one before it, tells
    that something happened: no event comes before what it tells.

    Parameters
    ----------
    path : str
        One file, of one watch.
    told : Told
        Written.
    """
    watch = _Watch(told)
    for record in read_records(path, told):
        yield from watch.changes(record)


class _Watch:
    def __init__(self, told: Told) -> None:
        self._told = told
        self._now = _NEVER
        self._known: dict[Key, tuple[object, int]] = {}

    def changes(self, record: Record) -> Iterator[Change]:
        event = self._event(record)
        if event is None:
            return
        document = document_in(record, event.found, self._told)
        if document is None:
            return
        if not is_minded(document):
            self._told.ignored[f"{document.api_version} {document.kind}"] += 1
            return
        outline = Outline(document)
        key = outline.key
        if key is None:
            self._told.complain(record.place, "the object of this record has no name, so it is passed over")
            return
        yield self._change(str(event.type), Change(0, key, document), outline)

    def _event(self, record: Record) -> _Event | None:
        try:
            event = _EVENT.decode(record.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            event = _Event()
        if event.type in _TYPES:
            return event
        if event.type in _NO_OBJECT:
            return None
        if event.type == "ERROR":
            message = "the watch broke off here: what happened until the next event is not known"
        else:
            message = "this record is no event of a watch (type ADDED, MODIFIED or DELETED), so it is passed over"
        self._told.complain(record.place, message)
        return None

    def _change(self, word: str, change: Change, outline: Outline) -> Change:
        """Give a change its time."""
        uid, last = self._known.get(change.key, (None, _NEVER))
        is_new = word == "ADDED" and (change.key not in self._known or uid != outline.uid)
        told = outline.last_told or _NEVER
        own = (outline.created if is_new else told) or _NEVER
        self._now = max(self._now, told)
        time = own if is_new and own != _NEVER else self._now
        if word == "DELETED":
            self._known.pop(change.key, None)
        else:
            self._known[change.key] = outline.uid, max(last, told)
        is_timed = is_new or told > last
        return Change(time, change.key, change.document, word == "DELETED", is_new=is_new, is_timed=is_timed)
