"""What is told of one entry, in one line or in several, as one connection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simcore.model.schema import CONNECTION, MID_STREAM

from .lines import DESTROY, LISTED, NEW, SECOND, Line

MOST_OPEN = 1 << 19
"""Entries that are kept until their end comes: some 350 MB."""

COLUMNS = (
    "time",
    "end_time",
    "source_address",
    "destination_address",
    "source_port",
    "destination_port",
    "protocol",
    "packets",
    "bytes",
    "icmp_type",
    "icmp_code",
    "record",
)
Row = tuple[int | str | None, ...]
"""Values of COLUMNS."""


@dataclass(slots=True)
class Entry:
    """A connection as far as it was told.

    Attributes
    ----------
    ends : tuple of str or None
        Source and destination address, their ports, and the protocol. The destination is the real one: where the reply
        comes from.
    icmp : tuple of str or None
        ICMP type and code.
    first, last : int or None
        When the entry was made, and when a packet of it was seen last, as far as is known.
    record : str
        Whether the file tells the opening.
    timeout : int or None
        Seconds that its last known packet gave it to live.
    start : int or None
        When it was made, if the kernel says so.
    packets, bytes : int or None
        Of both directions, as last told.
    """

    ends: tuple[str | None, ...]
    icmp: tuple[str | None, ...]
    first: int | None
    last: int | None
    record: str
    timeout: int | None
    start: int | None
    packets: int | None = None
    bytes: int | None = None

    def row(self) -> Row:
        """Return it as values of COLUMNS."""
        return (self.first, self.last, *self.ends, self.packets, self.bytes, *self.icmp, self.record)


class Entries:
    """Puts the lines of one file together; a connection is given out once its end is told.

    Attributes
    ----------
    pushed_out : int
        Connections given out before their end, because too many were open.
    """

    def __init__(self, most: int = MOST_OPEN) -> None:
        self.pushed_out = 0
        self._most = most
        self._open: dict[str, Entry] = {}

    def take(self, line: Line) -> Iterator[Row]:
        """Take in a line, and give out what is finished by it."""
        key = line.key
        entry = self._open.get(key)
        if entry and (line.event == NEW or _is_another(entry, line)):
            yield self._open.pop(key).row()
            entry = None
        if entry is None:
            entry = self._open[key] = _opened(line)
        else:
            _renew(entry, line)
        if line.packets is not None or line.bytes is not None:
            entry.packets, entry.bytes = line.packets, line.bytes
        if line.event == DESTROY:
            yield self._open.pop(key).row()
        elif len(self._open) > self._most:
            self.pushed_out += 1
            yield self._open.pop(next(iter(self._open))).row()

    def rest(self) -> Iterator[Row]:
        """Give out those whose end is not told."""
        for entry in self._open.values():
            yield entry.row()
        self._open.clear()


def _is_another(entry: Entry, line: Line) -> bool:
    """Whether a line is of a later connection between the same ends."""
    return entry.start is not None and line.start is not None and entry.start != line.start


def _opened(line: Line) -> Entry:
    original, reply = line.original, line.reply
    ends = (original["src"], reply["src"], original.get("sport"), reply.get("sport"), line.protocol)
    icmp = (original.get("type"), original.get("code"))
    if line.event == LISTED:
        return Entry(ends, icmp, line.start, None, CONNECTION, None, line.start)
    moment = _moment(line)
    first, record = _opening(line, moment)
    return Entry(ends, icmp, first, moment, record, line.timeout, line.start)


def _opening(line: Line, moment: int | None) -> tuple[int | None, str]:
    """Tell when an entry was made by the first event of it that the file has, and whether that is its opening."""
    if line.start is not None:
        return line.start, CONNECTION
    if line.event == DESTROY and moment is not None and line.age is not None:
        return moment - line.age, CONNECTION
    return moment, CONNECTION if line.event == NEW else MID_STREAM


def _renew(entry: Entry, line: Line) -> None:
    moment = _moment(line)
    if line.event == DESTROY:
        entry.last = _last_packet(entry, line, moment)
    elif line.event != LISTED:
        entry.last = moment if moment is not None else entry.last
        entry.timeout = line.timeout


def _last_packet(entry: Entry, line: Line, gone: int | None) -> int | None:
    """Tell when an entry that is gone saw its last packet: no later than its timeout before that."""
    if gone is None:
        return entry.last
    if entry.timeout is None:
        return gone
    idle = max(entry.timeout - (line.timeout or 0), 0) * SECOND
    return max(gone - idle, entry.last if entry.last is not None else gone - idle)


def _moment(line: Line) -> int | None:
    return line.stop if line.event == DESTROY and line.time is None else line.time
