"""JSON files as values that remember their lines; items of large lists stay undecoded until asked for."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import msgspec

from .paths import DEEPEST, Path

_ONE_KIND = bytes.maketrans(b"[]", b"{}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_GAP = re.compile(rb"[\s,]*")


class JsonText:
    """The bytes of one file, or of a part that begins on a line of it, and the line of any offset in them."""

    __slots__ = ("_line", "_offset", "data")

    def __init__(self, data: bytes, first_line: int = 1) -> None:
        self.data = data
        self._offset, self._line = 0, first_line

    def line_at(self, offset: int) -> int:
        """Return the 1-based line of an offset; cheap where offsets are asked for in order."""
        if offset >= self._offset:
            self._line += self.data.count(b"\n", self._offset, offset)
        else:
            self._line -= self.data.count(b"\n", offset, self._offset)
        self._offset = offset
        return self._line


_NO_TEXT = JsonText(b"")


class JsonValue:
    """One JSON value of a file: its bytes, its value when asked for, and where each part stands."""

    __slots__ = ("_positions", "_start", "_text", "_value", "raw")

    def __init__(self, text: JsonText, start: int, raw: msgspec.Raw | bytes) -> None:
        self._text, self._start, self.raw = text, start, raw
        self._positions: dict[Path, int] | None = None
        self._value: Any = msgspec.UNSET

    @classmethod
    def at(cls, text: JsonText, start: int, end: int) -> JsonValue:
        """Return the value that stands between two offsets, blanks around it left out."""
        raw = text.data[start:end]
        return cls(text, start + len(raw) - len(raw.lstrip()), raw.strip())

    @property
    def value(self) -> Any:
        """The plain value."""
        if self._value is msgspec.UNSET:
            self._value = msgspec.json.decode(self.raw)
        return self._value

    @property
    def first_line(self) -> int:
        """1-based line on which it starts."""
        return self._text.line_at(self._start)

    def line_of(self, path: Path) -> int:
        """Return the 1-based line of the part that `path` leads to, or of the last part on the way."""
        if self._positions is None:
            self._positions = dict(walk(bytes(self.raw)))
        while path not in self._positions:
            path = path[:-1]
        return self._text.line_at(self._start + self._positions[path])

    def repeated_keys(self) -> list[Path]:
        """Return the keys that one object holds twice, which a JSON decoder would let pass."""
        found = walk(bytes(self.raw))
        self._positions = dict(found)
        if len(found) == len(self._positions):
            return []
        counts = Counter(path for path, _ in found)
        return [path for path, count in counts.items() if count > 1]


class StoredValue(JsonValue):
    """An object that is the text of a row: it has a name, but stands on no line."""

    __slots__ = ("name",)

    def __init__(self, raw: bytes, name: str) -> None:
        super().__init__(_NO_TEXT, 0, raw)
        self.name = name

    @property
    def first_line(self) -> int:
        """0: there is no line."""
        return 0

    def line_of(self, path: Path) -> int:
        """Return 0: there is no line."""
        return 0


def walk(data: bytes) -> list[tuple[Path, int]]:
    """List the path and offset of every key and list item, in order; the document's own is ``()``."""
    found: list[tuple[Path, int]] = [((), 0)]
    path: list[str | int] = []
    containers: list[bytes] = []
    expect_key = False
    for match in _TOKEN.finditer(data):
        token, offset = match.group(), match.start()
        first = token[:1]
        inside = containers[-1] if containers else b""
        if first in b"]}":
            containers.pop()
            path.pop()
            expect_key = False
            continue
        if first == b",":
            if inside == b"[":
                path[-1] = int(path[-1]) + 1
            else:
                expect_key = True
            continue
        if first == b":":
            continue
        if expect_key:
            path[-1] = json.loads(token)
            found.append((tuple(path), offset))
            expect_key = False
            continue
        if inside == b"[":
            found.append((tuple(path), offset))
        if first in b"{[":
            containers.append(first)
            path.append("" if first == b"{" else 0)
            expect_key = first == b"{"
    return found


def is_too_deep(data: bytes, above: int = 0) -> bool:
    """Whether lists and mappings lie deeper in one another than `DEEPEST`, `above` levels being around the text.

    Few texts have that many brackets. In those, what is not a bracket goes, then one level after the other from
    within; that goes by in C, at 300 MB/s where a walk makes 15.
    """
    most = DEEPEST - above
    if data.count(b"{") + data.count(b"[") <= most:
        return False
    outside = b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    brackets = outside.translate(_ONE_KIND, _NO_BRACKETS)
    for _ in range(most):
        brackets = brackets.replace(b"{}", b"")
    return bool(brackets)


def first_too_deep(data: bytes) -> int:
    """Return the offset of the first bracket that opens one level too many."""
    depth = 0
    for match in _TOKEN.finditer(data):
        if match.group() in (b"{", b"["):
            depth += 1
            if depth > DEEPEST:
                return match.start()
        elif match.group() in (b"}", b"]"):
            depth -= 1
    return 0


def list_items(text: JsonText, start: int, end: int, items: list[msgspec.Raw]) -> list[JsonValue]:
    """Find where each item of a document's top-level ``items`` stands.

    Between two items there is nothing but blanks and a comma, so only the first one is searched for.
    """
    if not items:
        return []
    head = bytes(items[0])
    offset = text.data.find(head, _items_offset(text.data, start, end))
    values = []
    for raw in items:
        offset = _GAP.match(text.data, offset).end()  # type: ignore[union-attr]
        values.append(JsonValue(text, offset, raw))
        offset += len(memoryview(raw))
    return values


def _items_offset(data: bytes, start: int, end: int) -> int:
    """Return the offset of the key ``items`` at the top level of an object."""
    depth = 0
    for match in _TOKEN.finditer(data, start, end):
        token = match.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and token == b'"items"':
            return match.end()
    return start
