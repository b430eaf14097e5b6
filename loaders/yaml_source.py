"""YAML streams as plain values that remember their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode, SequenceNode

from .paths import DEEPEST, TOO_DEEP, Path
from .scalars import key_text, resolve

HAS_C_PARSER: bool = yaml.__with_libyaml__
MOST_ALIASED = 100_000
"""Nodes that the aliases of one document may repeat: far beyond honest use, far below a denial of service."""

_TEXT = "tag:yaml.org,2002:str"
_PLAIN = "tag:flowverdict,2026:plain"
_MERGE = "<<"
_CONTAINERS = {MappingNode: "tag:yaml.org,2002:map", SequenceNode: "tag:yaml.org,2002:seq"}
_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with the text itself: 1-based line, and what."""

    line: int
    message: str


class _TooDeepError(Exception):
    """A document whose lists and mappings lie too deep in one another: found before any recursion ends the process."""

    def __init__(self, line: int, offset: int) -> None:
        super().__init__(TOO_DEEP)
        self.line, self.offset = line, offset


class _Resolver:
    """Tags scalars as quoted or plain, and leaves their meaning to `scalars.resolve`; stops where nesting is too deep.

    The composer calls `descend_resolver` with the parent of each node and `ascend_resolver` after it, so a dict knows
    the way down to a node: its own methods count levels for less than two functions that do nothing.
    """

    def watch_depth(self) -> None:
        self._way: dict[Node | None, object] = {}
        self.descend_resolver = self._way.__setitem__
        self.ascend_resolver = self._way.popitem

    def resolve(self, kind: type[CollectionNode] | type[ScalarNode], value: object, implicit: tuple[bool, bool]) -> str:
        if issubclass(kind, ScalarNode):
            return _PLAIN if implicit[0] else _TEXT
        if len(self._way) > DEEPEST:
            parent = next(reversed(self._way))
            assert parent is not None
            raise _TooDeepError(parent.start_mark.line, parent.start_mark.index)
        return _CONTAINERS[kind]


@cache
def _loader_class() -> Any:
    """Return the composer to use: libyaml's where PyYAML was built with it."""
    if HAS_C_PARSER:
        return type("FastLoader", (_Resolver, yaml.CSafeLoader.__bases__[0]), {})

    class SlowLoader(_Resolver, yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer):
        def __init__(self, stream: str) -> None:
            yaml.reader.Reader.__init__(self, stream)
            yaml.scanner.Scanner.__init__(self)
            yaml.parser.Parser.__init__(self)
            yaml.composer.Composer.__init__(self)

    return SlowLoader


class YamlValue:
    """One YAML document, or one item of a list in it: the value, its flaws, and where each part stands."""

    __slots__ = ("_base", "_node", "flaws", "value")

    def __init__(self, node: Node, base: int, value: Any, flaws: list[Flaw]) -> None:
        self._node, self._base = node, base
        self.value = value
        self.flaws = flaws

    @property
    def first_line(self) -> int:
        """1-based line of its first key."""
        return self._base + int(self._node.start_mark.line) + 1

    def line_of(self, path: Path) -> int:
        """Return the 1-based line of the part that `path` leads to, or of the last part on the way."""
        node, line = self._node, self.first_line
        for step in path:
            found = _child(node, step)
            if found is None:
                return line
            node, line = found[0], self._base + found[1] + 1
        return line

    def item(self, position: int) -> YamlValue:
        """Return one entry of the list ``items``."""
        found = _child(self._node, "items")
        below = _child(found[0], position) if found else None
        return YamlValue(below[0] if below else self._node, self._base, self.value["items"][position], [])


def _child(node: Node, step: str | int) -> tuple[Node, int] | None:
    """Find the part of a node that one step leads to, and its 0-based line."""
    if isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line
    if isinstance(node, MappingNode):
        for key, value in node.value:
            if key.value == step:
                return value, key.start_mark.line
    return None


def read_yaml(text: str) -> Iterator[YamlValue | Flaw | None]:
    """Read the documents of a stream in order.

    Yields
    ------
    YamlValue, Flaw or None
        None is an empty document. After a syntax error reading goes on at the next ``---``.
    """
    start = base = 0
    while True:
        resume = None
        try:
            for node in _nodes(text[start:] if start else text):
                yield _document(node, base)
        except yaml.YAMLError as error:
            yield _syntax_flaw(error, text, start, base)
            resume = _MARKER.search(text, max(start + 1, _offset_after(error, text, start)))
        except _TooDeepError as error:
            yield Flaw(base + error.line + 1, str(error))
            resume = _MARKER.search(text, start + error.offset)
        if resume is None:
            return
        base += text.count("\n", start, resume.start())
        start = resume.start()


def _nodes(text: str) -> Iterator[Node]:
    """Compose one node tree a document."""
    loader = _loader_class()(text)
    loader.watch_depth()
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        if HAS_C_PARSER:
            loader.dispose()


def _document(node: Node, base: int) -> YamlValue | Flaw | None:
    constructor = _Constructor(base)
    try:
        value = constructor.build(node)
    except _UnreadableError as error:
        return Flaw(error.line, str(error))
    if value is None and not constructor.flaws:
        return None
    return YamlValue(node, base, value, constructor.flaws)


def _offset_of_line(text: str, line: int, start: int) -> int:
    """Return where the 0-based `line`, counted from `start`, begins."""
    offset = start
    for _ in range(line):
        following = text.find("\n", offset)
        if following < 0:
            break
        offset = following + 1
    return offset


def _offset_after(error: yaml.YAMLError, text: str, start: int) -> int:
    """Return an offset past a syntax error, but not past a marker that it stumbled over."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return start + int(getattr(error, "position", 0))
    return _offset_of_line(text, mark.line, start) + (1 if mark.column else 0)


def _syntax_flaw(error: yaml.YAMLError, text: str, start: int, base: int) -> Flaw:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        character = getattr(error, "character", 0)
        line = base + 1 + text.count("\n", start, start + position)
        return Flaw(line, f"the control character {character!r} is not allowed in YAML. Is this a text file?")
    line_text = text[_offset_of_line(text, mark.line, start) :].partition("\n")[0]
    problem = getattr(error, "problem", None) or "it does not parse"
    message = f"not valid YAML: {problem} (column {mark.column + 1})"
    if "{{" in line_text:
        message += ". This looks like a template: render it first, for instance with `helm template`"
    elif line_text.lstrip(" ").startswith("\t"):
        message += ". Indent with spaces: YAML takes no tabs"
    return Flaw(base + mark.line + 1, message)


class _UnreadableError(Exception):
    """A document that cannot become a value at all."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Constructor:
    """Turns one node tree into plain values, noting what a strict reader objects to."""

    def __init__(self, base: int) -> None:
        self.flaws: list[Flaw] = []
        self._base = base
        self._built: dict[int, tuple[Any, int]] = {}
        self._open: set[int] = set()
        self._nodes = self._repeated = 0

    def build(self, node: Node) -> Any:
        """Return the plain value of a node."""
        if isinstance(node, ScalarNode):
            self._nodes += 1
            return resolve(node.value) if node.tag == _PLAIN else self._tagged(node)
        assert isinstance(node, CollectionNode)
        return self._collection(node)

    def _tagged(self, node: ScalarNode) -> Any:
        if node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:bool"):
            return resolve(node.value)
        return None if node.tag == "tag:yaml.org,2002:null" else node.value

    def _collection(self, node: CollectionNode) -> Any:
        identity = id(node)
        if identity in self._built:
            return self._repeat(node)
        if identity in self._open:
            raise self._unreadable(node, "an alias (*) may not stand inside the value that it repeats")
        self._open.add(identity)
        before = self._nodes + self._repeated
        if isinstance(node, SequenceNode):
            value: Any = [self.build(child) for child in node.value]
        else:
            assert isinstance(node, MappingNode)
            value = self._mapping(node)
        self._nodes += 1
        self._open.discard(identity)
        self._built[identity] = value, self._nodes + self._repeated - before
        return value

    def _repeat(self, node: CollectionNode) -> Any:
        """Return what an alias stands for; its value counts again, and may lie deeper here than where it stands."""
        value, size = self._built[id(node)]
        self._repeated += size
        if self._repeated > MOST_ALIASED:
            raise self._unreadable(node, f"its aliases (*) repeat over {MOST_ALIASED} values; write them out")
        if len(self._open) + _height(value) > DEEPEST:
            raise self._unreadable(node, f"with its aliases (*) written out, {TOO_DEEP}")
        return value

    def _mapping(self, node: MappingNode) -> dict[str, Any]:
        result: dict[str, Any] = {}
        lines: dict[str, int] = {}
        merged: list[dict[str, Any]] = []
        for key_node, value_node in node.value:
            if key_node.value == _MERGE and key_node.tag == _PLAIN:
                merged += self._merged(value_node)
                continue
            key, line = self._key(key_node), key_node.start_mark.line + self._base + 1
            if key in lines:
                message = f"the key {key!r} stands here again, first on line {lines[key]}. Keep one"
                self.flaws.append(Flaw(line, message))
            lines[key] = line
            result[key] = self.build(value_node)
        for mapping in merged:
            for key, value in mapping.items():
                result.setdefault(key, value)
        return result

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._unreadable(node, "a key must be text, not a list or a mapping")
        if node.tag == _PLAIN:
            return key_text(resolve(node.value))
        return str(node.value)

    def _merged(self, node: Node) -> list[dict[str, Any]]:
        """Return the mappings that a merge key brings in, the strongest first."""
        value = self.build(node)
        candidates = value if isinstance(value, list) else [value]
        if not all(isinstance(candidate, dict) for candidate in candidates):
            raise self._unreadable(node, "a merge key (<<) takes a mapping, or a list of mappings")
        return candidates

    def _unreadable(self, node: Node, message: str) -> _UnreadableError:
        return _UnreadableError(self._base + int(node.start_mark.line) + 1, message)


def _height(value: Any) -> int:
    """Count the levels of lists and mappings in a value."""
    height, level = 0, [value]
    while level := [below for below in level if isinstance(below, dict | list)]:
        height += 1
        level = [each for below in level for each in (below.values() if isinstance(below, dict) else below)]
    return height
