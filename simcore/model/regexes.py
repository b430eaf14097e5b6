"""Regular expressions that match whole texts, in time that at worst grows with the square of the length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache

_TOKEN = re.compile(
    r"(?P<open>\((?:\?P<\w+>|\?(?P<flags>[a-z]*(?:-[a-z]+)?):)?)|(?P<close>\))|(?P<or>\|)"
    r"|(?P<repeat>[*+?]|\{(?P<least>\d+)(?P<comma>,)?(?P<most>\d*)\})\??"
    r"|(?P<anchor>\\[AZbB]|[$^])|(?P<char>\[\^?(?:\\.|[^\\\]])*\]|\\.|.)",
    re.DOTALL,
)
_FLAGS = re.compile(r"\(\?([a-z]+)\)")
_MOST_OPEN = 2
"""How many repeats without end `re` may try one after the other: time grows with the length to this power."""
_MOST_OPTIONAL = 10
_MOST_STEPS = 1 << 16
"""How many steps of one expression are remembered."""

Matches = Callable[[str], object]


@cache
def matcher(pattern: str) -> Matches:
    """Return what tells whether a whole text matches an expression.

    Parameters
    ----------
    pattern : str
        As `re` takes it, without references to groups and without looking ahead or behind.
    """
    return _Automaton(pattern).matches if _may_backtrack(pattern) else re.compile(pattern).fullmatch


def _may_backtrack(pattern: str) -> bool:
    """Tell whether `re` may try so many ways that time grows out of hand."""
    repeats = [token for token in _TOKEN.finditer(pattern) if token["repeat"]]
    optional = sum(token["repeat"] == "?" for token in repeats)
    is_nested = any(token["repeat"] != "?" and pattern[token.start() - 1] == ")" for token in repeats)
    return len(repeats) - optional > _MOST_OPEN or optional > _MOST_OPTIONAL or (is_nested and len(repeats) > 1)


@dataclass(slots=True)
class _Part:
    """A part of an expression: a character, an anchor, a fork, or the end.

    Attributes
    ----------
    test : callable or None
        Of a character: whether one is meant.
    anchor : str
        What must hold between two characters.
    ways : list of _Part
        What may come next.
    """

    test: Matches | None = None
    anchor: str = ""
    ways: list[_Part] = field(default_factory=list)


_State = frozenset[int]


class _Automaton:
    """Follows all ways through an expression at once; each step is worked out once and remembered."""

    def __init__(self, pattern: str) -> None:
        self._parts: list[_Part] = []
        self._end = _Part()
        flags = _FLAGS.match(pattern)
        self._multiline = flags is not None and "m" in flags[1]
        tree = _Parser(pattern, flags.end() if flags else 0, flags[1] if flags else "").tree()
        first = _linked(tree, self._end)
        self._number(first)
        self._first = frozenset([self._numbers[id(first)]])
        self._has_anchors = any(part.anchor for part in self._parts)
        self._steps: dict[tuple[_State, str, str], _State] = {}

    def _number(self, first: _Part) -> None:
        self._numbers: dict[int, int] = {}
        open_ = [first]
        while open_:
            part = open_.pop()
            if id(part) not in self._numbers:
                self._numbers[id(part)] = len(self._parts)
                self._parts.append(part)
                open_ += part.ways

    def matches(self, text: str) -> bool:
        """Tell whether a whole text matches."""
        state, before = self._first, ""
        for char in text:
            key = state, before, char
            found = self._steps.get(key)
            if found is None:
                found = self._step(*key)
                if len(self._steps) >= _MOST_STEPS:
                    self._steps.clear()
                self._steps[key] = found
            if not found:
                return False
            state, before = found, char if self._has_anchors else ""
        return self._end in self._reached(state, before, "")

    def _step(self, state: _State, before: str, char: str) -> _State:
        found = (part for part in self._reached(state, before, char) if part.test is not None and part.test(char))
        return frozenset(self._numbers[id(part.ways[0])] for part in found)

    def _reached(self, state: _State, before: str, after: str) -> Iterator[_Part]:
        """Yield the characters, and the end, that come next between two characters."""
        open_, seen = list(state), set(state)
        while open_:
            part = self._parts[open_.pop()]
            if part.test is not None or part is self._end:
                yield part
            elif not part.anchor or self._holds(part.anchor, before, after):
                new = {self._numbers[id(way)] for way in part.ways} - seen
                seen |= new
                open_ += new

    def _holds(self, anchor: str, before: str, after: str) -> bool:
        match anchor:
            case "^" | r"\A":
                return not before or (anchor == "^" and self._multiline and before == "\n")
            case "$" | r"\Z":
                return not after or (anchor == "$" and after == "\n" and self._multiline)
            case _:
                return (_is_word(before) != _is_word(after)) == (anchor == r"\b")


def _is_word(char: str) -> bool:
    return char.isascii() and (char.isalnum() or char == "_")


@dataclass(frozen=True, slots=True)
class _Node:
    """A node of the tree that an expression is: a leaf, or what `parts` are put together by."""

    kind: str
    parts: tuple[_Node, ...] = ()
    test: Matches | None = None
    anchor: str = ""
    least: int = 0
    most: int | None = None


class _Parser:
    """Reads an expression as a tree."""

    def __init__(self, pattern: str, start: int, flags: str) -> None:
        self._tokens = list(_TOKEN.finditer(pattern, start))
        self._flags = flags
        self._at = 0

    def tree(self) -> _Node:
        """Read the whole."""
        return self._either(set(self._flags))

    def _either(self, flags: set[str]) -> _Node:
        """Read alternatives, to the end or to the parenthesis that closes them."""
        found: list[list[_Node]] = [[]]
        while self._at < len(self._tokens) and not self._tokens[self._at]["close"]:
            token = self._tokens[self._at]
            self._at += 1
            if token["or"]:
                found.append([])
            elif token["repeat"]:
                found[-1].append(_repeated(found[-1].pop(), token))
            else:
                found[-1].append(self._one(token, flags))
        self._at += 1
        return _Node("either", tuple(_Node("all", tuple(parts)) for parts in found))

    def _one(self, token: re.Match[str], flags: set[str]) -> _Node:
        if token["open"]:
            more, _, fewer = (token["flags"] or "").partition("-")
            return self._either((flags | set(more)) - set(fewer))
        if token["anchor"]:
            return _Node("anchor", anchor=token["anchor"])
        written = f"(?{''.join(sorted(flags))})" if flags else ""
        return _Node("char", test=re.compile(written + token["char"]).fullmatch)


def _repeated(node: _Node, token: re.Match[str]) -> _Node:
    least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(token["repeat"][0], (0, None))
    if token["least"]:
        least = int(token["least"])
        most = (int(token["most"]) if token["most"] else None) if token["comma"] else least
    return _Node("repeat", (node,), least=least, most=most)


def _linked(node: _Node, after: _Part) -> _Part:
    """Return where a node begins that `after` follows."""
    match node.kind:
        case "char":
            return _Part(node.test, ways=[after])
        case "anchor":
            return _Part(anchor=node.anchor, ways=[after])
        case "either":
            return _Part(ways=[_linked(part, after) for part in node.parts])
        case "all":
            for part in reversed(node.parts):
                after = _linked(part, after)
            return after
    return _linked_repeat(node, after)


def _linked_repeat(node: _Node, after: _Part) -> _Part:
    if node.most is None:
        loop = _Part()
        loop.ways = [_linked(node.parts[0], loop), after]
        first = loop
    else:
        first = after
        for _ in range(node.most - node.least):
            first = _Part(ways=[_linked(node.parts[0], first), after])
    for _ in range(node.least):
        first = _linked(node.parts[0], first)
    return first
