"""Regular expressions of paths and hosts, word by word: an expression and a text under pseudonyms match as before.

That holds where an expression names whole words, or asks for anything: then the words may be others. One that looks
into words (``/pub.*`` means ``/public`` too) cannot be written so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

_TOKEN = re.compile(
    r"(?P<group>\((?:\?:)?(?!\?))|(?P<close>\))|(?P<or>\|)|(?P<anchor>\^|\$)"
    r"|(?P<any>\.|\\[dw]|\[\^?\]?(?:\\.|[^\]\\])*\])|\\(?P<escaped>[^\w])|(?P<char>[^\\\[\](){}*+?|^$.])",
    re.ASCII,
)
_REPEAT = re.compile(r"[*+?]\??")
_WORD = re.compile(r"[0-9A-Za-z]+")
_ALL = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_DIGITS = frozenset("0123456789")
Word = Callable[[str], str]
"""Returns the pseudonym of one word: digits for digits, and letters for everything else."""


class IntoWordsError(ValueError):
    """An expression looks into words."""


def written_text(text: str, word: Word) -> str:
    """Return a text with pseudonyms in place of its words."""
    return _WORD.sub(lambda found: word(found[0]), text)


def written_pattern(pattern: str, word: Word) -> str:
    """Return an expression that matches `written_text` of exactly those texts that `pattern` matches as a whole.

    Raises
    ------
    IntoWordsError
        There is none that is written like it.
    """
    reader = _Reader(pattern, word)
    found = reader.either()
    if reader.at < len(pattern):
        raise IntoWordsError(pattern)
    return found.text


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of an expression: its text, and whether what it matches may begin or end with a letter or digit."""

    text: str
    begins: bool = False
    ends: bool = False
    is_empty: bool = False
    """Whether it may match nothing."""
    kind: Literal["word", "other", "group"] = "other"


@dataclass(slots=True)
class _Row:
    """Pieces one after the other."""

    pieces: list[_Piece] = field(default_factory=list)

    def add(self, piece: _Piece) -> None:
        """Add a piece; two that may meet within a word cannot follow each other."""
        for before in reversed(self.pieces):
            if before.ends and piece.begins:
                raise IntoWordsError(piece.text)
            if not before.is_empty:
                break
        self.pieces.append(piece)

    def joined(self, text: str) -> _Piece:
        """Return the row as one piece."""
        return _Piece(
            text,
            begins=_reaches(self.pieces, "begins"),
            ends=_reaches(self.pieces[::-1], "ends"),
            is_empty=all(piece.is_empty for piece in self.pieces),
            kind="group",
        )


def _reaches(pieces: Sequence[_Piece], side: Literal["begins", "ends"]) -> bool:
    for piece in pieces:
        if getattr(piece, side):
            return True
        if not piece.is_empty:
            return False
    return False


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, pattern: str, word: Word) -> None:
        self._pattern = pattern
        self._word = word
        self.at = 0

    def either(self) -> _Piece:
        """Read alternatives, to the end or to a parenthesis."""
        found = [self._row()]
        while self._pattern[self.at : self.at + 1] == "|":
            self.at += 1
            found.append(self._row())
        text = "|".join(piece.text for piece in found)
        return _Piece(
            text,
            any(piece.begins for piece in found),
            any(piece.ends for piece in found),
            any(piece.is_empty for piece in found),
            "group",
        )

    def _row(self) -> _Piece:
        row = _Row()
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            row.add(self._repeated(self._piece()))
        return row.joined("".join(piece.text for piece in row.pieces))

    def _piece(self) -> _Piece:
        if found := self._whole_word():
            return _Piece(self._word(found), begins=True, ends=True, kind="word")
        token = _TOKEN.match(self._pattern, self.at)
        if token is None:
            raise IntoWordsError(self._pattern)
        self.at = token.end()
        if token["group"]:
            inner = self.either()
            if self._pattern[self.at : self.at + 1] != ")":
                raise IntoWordsError(self._pattern)
            self.at += 1
            return replace(inner, text=f"{token[0]}{inner.text})")
        if token["anchor"]:
            return _Piece(token[0], is_empty=True)
        if token["any"]:
            return self._class(token[0])
        return _Piece(token[0])

    def _whole_word(self) -> str:
        """Read the letters and digits that follow; the last is left if a sign repeats it alone."""
        found = _WORD.match(self._pattern, self.at)
        if found is None:
            return ""
        self.at = found.end()
        if self._pattern[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise IntoWordsError(found[0])
        return found[0]

    def _class(self, text: str) -> _Piece:
        """Take a class that holds all letters and digits, or none, or all digits: only these say as much of others."""
        test = re.compile(text, re.ASCII)
        held = frozenset(char for char in _ALL if test.fullmatch(char))
        if not held:
            return _Piece(text)
        if held not in (_ALL, _DIGITS) or self._pattern[self.at : self.at + 1] not in ("*", "+"):
            raise IntoWordsError(text)
        return _Piece(text, begins=True, ends=True)

    def _repeated(self, piece: _Piece) -> _Piece:
        sign = _REPEAT.match(self._pattern, self.at)
        if sign is None:
            if self._pattern[self.at : self.at + 1] == "{":
                raise IntoWordsError(self._pattern)
            return piece
        self.at = sign.end()
        if piece.kind == "group" and sign[0][0] != "?" and piece.ends and piece.begins:
            raise IntoWordsError(piece.text)
        return replace(piece, text=piece.text + sign[0], is_empty=piece.is_empty or sign[0][0] != "+")
