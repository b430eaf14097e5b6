"""Lines of an export with places left for what differs from one connection to the next: encoded once, filled often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from .parties import Record

TIME, UUID, PORT = "@time@", "@uuid@", -424242
"""Stand for the time, the number of the event and the client's port."""

_MARKS = {f'"{TIME}"'.encode(): 0, f'"{UUID}"'.encode(): 1, str(PORT).encode(): 2}
_SECOND = 1_000_000_000
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Line:
    """One line: the text between its places, and what belongs into each of them.

    Attributes
    ----------
    node : str
        Whose line it is.
    """

    node: str
    texts: tuple[bytes, ...]
    places: tuple[int, ...]

    @classmethod
    def of(cls, record: Record, node: str) -> Line:
        """Encode a record."""
        left = escaped(_encode(record))
        texts, places = [], []
        while found := min((at, mark) for mark in _MARKS if (at := left.find(mark)) >= 0) if _has_mark(left) else None:
            at, mark = found
            texts.append(left[:at])
            places.append(_MARKS[mark])
            left = left[at + len(mark) :]
        return cls(node, (*texts, left + b"\n"), tuple(places))

    def filled(self, time: bytes, uuid: bytes, port: bytes) -> bytes:
        """Return the bytes of the line."""
        values = time, uuid, port
        parts = [self.texts[0]]
        for place, text in zip(self.places, self.texts[1:], strict=True):
            parts += (values[place], text)
        return b"".join(parts)


def escaped(text: bytes) -> bytes:
    """Escape what Go's encoder escapes besides."""
    return text.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")


def _has_mark(text: bytes) -> bool:
    return any(mark in text for mark in _MARKS)


def clock() -> Callable[[int], bytes]:
    """Return what writes nanoseconds since 1970 as protobuf's JSON does: 0, 3, 6 or 9 digits after the second."""
    second, shown = -1, b""

    def write(time: int) -> bytes:
        nonlocal second, shown
        whole, rest = divmod(time, _SECOND)
        if whole != second:
            second, shown = whole, datetime.fromtimestamp(whole, UTC).strftime('"%Y-%m-%dT%H:%M:%S').encode()
        if rest % 1000:
            return b'%b.%09dZ"' % (shown, rest)
        if rest % 1_000_000:
            return b'%b.%06dZ"' % (shown, rest // 1000)
        return b'%b.%03dZ"' % (shown, rest // 1_000_000) if rest else shown + b'Z"'

    return write


def uuid_of(number: int) -> bytes:
    """Write 128 bits as a UUID of the random kind."""
    digits = b"%032x" % number
    return b'"%b-%b-4%b-a%b-%b"' % (digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:])
