"""One line of ``conntrack -L``, ``conntrack -E`` or ``/proc/net/nf_conntrack``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

SECOND = 1_000_000_000
NEW, UPDATE, DESTROY, LISTED = "NEW", "UPDATE", "DESTROY", ""

_HEAD = re.compile(
    r"\s*(?:\[(?P<seconds>\d{1,10})\.(?P<fraction>\d{1,9})\]\s+)?"
    r"(?:\[(?P<event>NEW|UPDATE|DESTROY)\]\s+)?"
    r"(?:(?:ipv4\s+2|ipv6\s+10)\s+)?"
    r"(?P<name>[a-z][a-z0-9-]*)\s+(?P<protocol>\d{1,3})\s+"
    r"(?:(?P<timeout>\d{1,9})\s+)?"
    r"(?:[A-Z][A-Z0-9_]*\s+|timeout=\d+,\s+stream_timeout=\d+\s+)?"
    r"(?=src=)"
)
_STAMP = re.compile(r"\[(start|stop)=([^\]]*)\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ENDS = ("src", "dst")
_SELECTORS = ("sport", "dport", "type", "code", "srckey", "dstkey")
_LAST = 2**63 - 1
_DIGITS = 18


@dataclass(slots=True)
class Line:
    """What a line tells of an entry.

    Attributes
    ----------
    event : str
        ``NEW``, ``UPDATE`` or ``DESTROY``; empty for a line of a list.
    time : int or None
        When the event was printed, in nanoseconds since 1970.
    protocol : str
        IANA number.
    original, reply : mapping of str to str
        The tuples of both directions, by the names that the line gives.
    others : mapping of str to str
        What stands behind them: ``zone``, ``id`` and the like.
    timeout : int or None
        Seconds until the entry expires.
    start, stop : int or None
        When the kernel made the entry and took it out, in nanoseconds since 1970.
    packets, bytes : int or None
        Of both directions.
    """

    event: str
    time: int | None
    protocol: str
    timeout: int | None
    original: dict[str, str] = field(default_factory=dict)
    reply: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    start: int | None = None
    stop: int | None = None
    packets: int | None = None
    bytes: int | None = None

    @property
    def key(self) -> str:
        """What tells the entry from all others: its original tuple and zones, and its id where it is told."""
        zones = [f"{name}={value}" for name, value in self.others.items() if name.startswith(("zone", "id"))]
        return " ".join((self.protocol, *self.original.values(), *zones))

    @property
    def age(self) -> int | None:
        """How long the entry had been there, in nanoseconds, known to the second."""
        seconds = _number(self.others.get("delta-time"))
        return None if seconds is None or seconds > _LAST // SECOND // 4 else seconds * SECOND


def read_line(text: str) -> Line | None:
    """Read a line; None if it is none of an entry.

    Raises
    ------
    ValueError
        It begins as an entry, and its rest is damaged.
    """
    head = _HEAD.match(text)
    if head is None:
        return None
    time = None if head["seconds"] is None else _nanoseconds(head["seconds"], head["fraction"])
    timeout = None if head["timeout"] is None else int(head["timeout"])
    line = Line(head["event"] or LISTED, time, head["protocol"], timeout)
    rest = text[head.end() :]
    if "[st" in rest:
        for name, stamp in _STAMP.findall(rest):
            setattr(line, name, _local_time(stamp))
        rest = _STAMP.sub("", rest)
    _fill(line, rest.split())
    for direction, known in (("original", line.original), ("reply", line.reply)):
        if missing := [name for name in _ENDS if name not in known]:
            raise ValueError(f"the {direction} direction has no {missing[0]}=")
    return line


def _fill(line: Line, words: list[str]) -> None:
    """Take in what is told by name: the second ``src=`` begins the other direction."""
    known = line.original
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            continue
        if name == "src" and "src" in known:
            if known is line.reply:
                raise ValueError("it has three times src=")
            known = line.reply
        if name in _ENDS or name in _SELECTORS:
            known.setdefault(name, value)
        elif name in ("packets", "bytes"):
            _count(line, name, value)
        elif name == "id" and "type" in known and "id" not in known:
            known["id"] = value
        else:
            line.others[name] = value


def _count(line: Line, name: str, value: str) -> None:
    number = _number(value)
    if number is None:
        raise ValueError(f"{name}={value} is no number")
    setattr(line, name, number + (getattr(line, name) or 0))


def _number(text: str | None) -> int | None:
    """Read digits, if they are not so many that no count can be meant."""
    return int(text) if text and len(text) <= _DIGITS and text.isascii() and text.isdigit() else None


def _nanoseconds(seconds: str, fraction: str) -> int:
    time = int(seconds) * SECOND + int(fraction.ljust(9, "0"))
    if time > _LAST:
        raise ValueError(f"{seconds} seconds are after the year 2262")
    return time


def _local_time(stamp: str) -> int:
    """Read ``Mon Nov 23 02:15:41 2026``, which names no zone; it is taken for UTC."""
    try:
        _day, month, day, clock, year = stamp.split()
        hour, minute, second = map(int, clock.split(":"))
        moment = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{stamp!r} is no time such as Mon Nov 23 02:15:41 2026") from None
    seconds = int(moment.timestamp())
    if not 0 <= seconds <= _LAST // SECOND // 2:
        raise ValueError(f"{stamp!r} is too far off")
    return seconds * SECOND
