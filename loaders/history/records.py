"""Streams of records in JSON, one a line or written over several lines, read one at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from simcore.errors import Diagnostic, LoadError, Place, Severity

from ..captures.streams import Source as Stream
from ..captures.streams import read_lines, read_start
from ..documents import Document
from ..json_source import JsonText, JsonValue, is_too_deep
from ..paths import TOO_DEEP

LOOKED_AT = 1 << 16
"""Bytes that tell what a file is."""
_TOP = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_LARGEST = 1 << 26
"""Bytes of one record."""
_MOST_TRIES = 64
"""Lines that may be the last of one record."""
_AROUND = 1
"""Levels of a record that lie around an object."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the file, its number in it, the line on which it begins, and its bytes."""

    file: str
    number: int
    line: int
    data: bytes

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.file, line=self.line)


@dataclass(slots=True)
class Told:
    """What is to be said of streams as a whole.

    Attributes
    ----------
    problems : list of Diagnostic
    doubtful : Counter of str
        Records that tell less than would be needed, by what they lack.
    ignored : Counter of str
        Records that play no part, by what they are of.
    """

    problems: list[Diagnostic] = field(default_factory=list)
    doubtful: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def complain(self, place: Place, message: str) -> None:
        """Warn of a record that cannot be read."""
        self.problems.append(Diagnostic(Severity.WARNING, place, message))


def first_keys(path: str) -> dict[str, str]:
    """Return the keys of the first object of a file, with their values where these are texts.

    Only of the beginning of the file; nothing where it is no JSON object.
    """
    data = read_start(path, LOOKED_AT).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not data.startswith(b"{"):
        return {}
    found: dict[str, str] = {}
    depth, key = 0, None
    for match in _TOP.finditer(data):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
            key = None if depth <= 1 else key
        elif token in (b"}", b"]"):
            depth -= 1
            if not depth:
                break
        elif depth == 1:
            text = token[1:-1].decode("utf-8", "replace")
            is_key = data[match.end() : match.end() + 20].lstrip().startswith(b":")
            if is_key:
                key = text
                found.setdefault(text, "")
            elif key is not None:
                found[key] = text
    return found


def read_records(path: str, told: Told) -> Iterator[Record]:
    """Read the records of a file; what is none is warned of, and the rest goes on.

    Parameters
    ----------
    path : str
        Plain, gzip or zstd.
    told : Told
        Written.
    """
    yield from _Reader(path, told).records()


class _Reader:
    """Finds where records end: at the end of a line, or at a line that closes what began at the margin."""

    def __init__(self, path: str, told: Told) -> None:
        self._path = path
        self._told = told
        self._lines: list[bytes] = []
        self._start = 0
        self._size = 0
        self._tries = 0
        self._number = 0

    def records(self) -> Iterator[Record]:
        try:
            for number, line in read_lines(Stream(self._path)):
                yield from self._line(number, line)
        except LoadError as error:
            self._told.problems += (
                Diagnostic(Severity.WARNING, found.place, found.message) for found in error.diagnostics
            )
        if self._lines:
            self._drop("this record is cut off")

    def _line(self, number: int, line: bytes | None) -> Iterator[Record]:
        if line is None:
            self._told.complain(Place(self._path, line=number), "this line is too long to be a record")
            self._lines.clear()
            return
        if self._lines and line.startswith(b"{"):
            self._drop("this record is cut off, since another begins before its end")
        if not self._lines:
            self._start, self._size, self._tries = number, 0, 0
        self._lines.append(line)
        self._size += len(line) + 1
        if self._size > _LARGEST:
            self._drop("this is too long to be a record")
        elif len(self._lines) == 1 or line.startswith(b"}"):
            self._tries += 1
            yield from self._records()

    def _records(self) -> Iterator[Record]:
        """Yield the records that the lines so far hold, as far as they are whole."""
        data = b"\n".join(self._lines)
        start = 0
        while start < len(data):
            end = _end(data, start)
            if end <= start:
                self._keep(data, start, is_begun=end == _BEGUN)
                return
            self._number += 1
            yield Record(self._path, self._number, self._start + data.count(b"\n", 0, start), data[start:end])
            start = end
        self._lines.clear()

    def _keep(self, data: bytes, start: int, *, is_begun: bool) -> None:
        """Keep what is only the beginning of a record."""
        self._start += data.count(b"\n", 0, start)
        self._lines = [data[start:]]
        if not is_begun or self._tries >= _MOST_TRIES:
            self._drop("this is not a record in JSON")

    def _drop(self, message: str) -> None:
        self._told.complain(Place(self._path, line=self._start), f"{message}, so it is passed over")
        self._lines.clear()


_RAW = msgspec.json.Decoder(msgspec.Raw)
_BYTE = re.compile(r"\(byte (\d+)\)")
_BEGUN, _NONE = -1, -2


def _end(data: bytes, start: int) -> int:
    """Return where the JSON text ends that begins at an offset.

    `_BEGUN` where it is cut off, `_NONE` where it is none.
    """
    try:
        _RAW.decode(memoryview(data)[start:])
    except RecursionError:
        return _NONE
    except msgspec.DecodeError as error:
        text = str(error)
        match = _BYTE.search(text)
        if match and "trailing characters" in text:
            return start + int(match[1]) - 1
        return _BEGUN if "truncated" in text else _NONE
    return len(data)


class _Head(msgspec.Struct):
    api_version: object = msgspec.field(name="apiVersion", default=None)
    kind: object = None


_HEAD = msgspec.json.Decoder(_Head)


def document_in(record: Record, raw: msgspec.Raw, told: Told, implied: tuple[str, str] = ("", "")) -> Document | None:
    """Return the object that a record holds; None, and a warning, where it is none.

    Parameters
    ----------
    record : Record
    raw : msgspec.Raw
        The object, a part of the record.
    told : Told
        Written.
    implied : (str, str)
        Its ``apiVersion`` and ``kind``, where it does not say them.
    """
    data = bytes(raw)
    try:
        head = _HEAD.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        head = _Head("", "")
    api_version, kind = head.api_version or implied[0], head.kind or implied[1]
    if not (isinstance(api_version, str) and isinstance(kind, str) and api_version and kind and data[:1] == b"{"):
        told.complain(record.place, "this record holds no object with apiVersion and kind, so it is passed over")
        return None
    if not _is_text(data):
        told.complain(record.place, "this record is not UTF-8 text, so it is passed over")
        return None
    if is_too_deep(data, _AROUND):
        told.complain(record.place, f"{TOO_DEEP} It is passed over")
        return None
    body = JsonValue(JsonText(record.data, record.line), record.data.find(data), data)
    return Document(record.file, record.number, api_version, kind, body)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
