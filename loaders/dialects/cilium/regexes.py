"""Regular expressions of Go and Envoy (RE2) in Python's notation (CI-34)."""

from __future__ import annotations

import re

_MOST_REPEATS = 1000
_DEEPEST = 100
"""How many groups may stand in each other: Python reads them by recursion, Go takes 1000."""
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")
_FLAGS = re.compile(r"\?([imsU]*)(?:-([imsU]+))?([:)])")
_GROUP_NAME = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_]*)>")
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_SPACES = r"\t\n\f\r "
_ESCAPES = {"a": r"\a", "f": r"\f", "n": r"\n", "r": r"\r", "t": r"\t", "v": r"\v"}
_CLASSES = frozenset("dDwW")
_ANCHORS = {"A": r"\A", "z": r"\Z", "b": r"\b", "B": r"\B"}


class RegexError(ValueError):
    """A text is not a regular expression that Go would compile."""


class UntranslatableError(ValueError):
    """A regular expression uses what Python has no equal of."""


def python_regex(text: str) -> str:
    """Write a regular expression of Go the way Python's `re` takes it, to be matched as a whole.

    Raises
    ------
    RegexError
        Go would not compile it.
    UntranslatableError
        Python has no equal of a part of it.
    """
    return _Scanner(text).translate()


class _Scanner:
    """Goes through one expression from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._out: list[str] = []
        self._flags = ""
        self._may_repeat = False
        self._doubt = ""
        self._anchored = False
        self._open = [1]
        self._last = 1

    def translate(self) -> str:
        self._leading_flags()
        while self._at < len(self._text):
            self._step()
        made = f"(?a{self._flags}){''.join(self._out)}"
        try:
            re.compile(made)
        except re.error as error:
            if self._doubt:
                raise UntranslatableError(self._doubt) from None
            raise RegexError(f"{error.msg}") from None
        except OverflowError:
            raise RegexError("a repeat count is too large") from None
        if self._doubt:
            raise UntranslatableError(self._doubt)
        return made

    def _leading_flags(self) -> None:
        match = re.match(r"\(\?([imsU]+)\)", self._text)
        if match:
            self._at = match.end()
            self._flags = "".join(dict.fromkeys(match[1].replace("U", "")))
            if "U" in match[1]:
                self._doubt = "the flag U"

    def _step(self) -> None:
        char = self._text[self._at]
        if char in "*+?" or (char == "{" and _REPEAT.match(self._text, self._at)):
            self._repeat(char)
            return
        self._may_repeat = char not in "(|"
        self._anchored = False
        self._last = self._open.pop() if char == ")" and len(self._open) > 1 else 1
        self._open[-1] = max(self._open[-1], self._last)
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "(":
            self._group()
        elif char == "$" and "m" not in self._flags:
            self._take(r"\Z")
            self._anchored = True
        elif char in "^$":
            self._take(char)
            self._anchored = True
        elif char == "{":
            self._take(r"\{")
        else:
            self._take(char)

    def _take(self, made: str, length: int = 1) -> None:
        self._out.append(made)
        self._at += length

    def _repeat(self, char: str) -> None:
        found = _REPEAT.match(self._text, self._at)
        written = found[0] if char == "{" and found else char
        if not self._may_repeat:
            raise RegexError(f"missing argument to repetition operator: {written}")
        if found and char == "{":
            counts = [int(found[1]), int(found[3] or found[1])]
            self._last *= max(1, *counts)
            self._open[-1] = max(self._open[-1], self._last)
            if self._last > _MOST_REPEATS or counts[0] > counts[1]:
                raise RegexError(f"invalid repeat count: {written}")
        if self._anchored:
            self._doubt = "a repeated ^, $ or word boundary"
        self._take(written, len(written))
        if self._text[self._at : self._at + 1] == "?":
            self._take("?")
        rest = self._text[self._at : self._at + 1]
        if rest in ("*", "+", "?") or (rest == "{" and _REPEAT.match(self._text, self._at)):
            raise RegexError(f"invalid nested repetition operator: {written}{rest}")

    def _group(self) -> None:
        rest = self._text[self._at + 1 :]
        self._open.append(1)
        if len(self._open) > _DEEPEST:
            raise UntranslatableError("groups in groups, more than a hundred deep")
        if not rest.startswith("?"):
            self._take("(")
            return
        if name := _GROUP_NAME.match(rest):
            self._take(f"(?P<{name[1]}>", 1 + name.end())
            return
        flags = _FLAGS.match(rest)
        if not flags:
            raise RegexError(f"invalid or unsupported Perl syntax: ({rest[:2]}")
        if "U" in flags[0] or flags[3] == ")" or "m" in flags[0]:
            self._doubt = f"the flags ({flags[0]}"
        self._take(f"({flags[0]}", 1 + flags.end())
        self._may_repeat = False

    def _escape(self) -> None:
        letter = self._text[self._at + 1 : self._at + 2]
        if not letter:
            raise RegexError("trailing backslash at end of expression")
        if letter == "Q":
            end = self._text.find(r"\E", self._at)
            literal = self._text[self._at + 2 : end if end >= 0 else None]
            self._take(re.escape(literal), len(literal) + (4 if end >= 0 else 2))
        elif letter in _ANCHORS:
            self._take(_ANCHORS[letter], 2)
            self._anchored = True
        elif letter in "sS":
            self._take(f"[{'^' if letter == 'S' else ''}{_SPACES}]", 2)
        elif letter in _CLASSES:
            self._take(f"\\{letter}", 2)
        else:
            self._character(letter)

    def _character(self, letter: str) -> None:
        """Take an escape that stands for one character, outside a class or in one."""
        if letter in "pP":
            self._doubt = f"the class \\{letter}"
            self._take("x", 2)
            if self._text[self._at : self._at + 1] == "{":
                self._at = self._text.find("}", self._at) + 1 or len(self._text)
            else:
                self._at += 1
        elif letter in _ESCAPES:
            self._take(_ESCAPES[letter], 2)
        elif code := re.match(r"x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|(0[0-7]{0,2}|[1-7][0-7]{1,2})", self._rest()):
            number = int(code[3], 8) if code[3] else int(code[1] or code[2], 16)
            if number > 0x10FFFF:
                raise RegexError(f"invalid escape sequence: \\{code[0]}")
            self._take(re.escape(chr(number)), 1 + code.end())
        elif letter.isascii() and not letter.isalnum():
            self._take(re.escape(letter), 2)
        else:
            raise RegexError(f"invalid escape sequence: \\{letter}")

    def _rest(self) -> str:
        return self._text[self._at + 1 :]

    def _class(self) -> None:
        self._take("[")
        if self._text[self._at : self._at + 1] == "^":
            self._take("^")
        is_first = True
        while is_first or self._text[self._at : self._at + 1] != "]":
            char = self._text[self._at : self._at + 1]
            if not char:
                raise RegexError("missing closing ]")
            self._class_part(char)
            is_first = False
        self._take("]")

    def _class_part(self, char: str) -> None:
        posix = re.match(r"\[:(\^?)(\w+):\]", self._text[self._at :])
        if posix:
            if posix[2] not in _POSIX:
                raise RegexError(f"invalid character class range: {posix[0]}")
            if posix[1]:
                self._doubt = f"the class {posix[0]}"
            self._take(_POSIX[posix[2]], posix.end())
        elif char == "\\":
            letter = self._text[self._at + 1 : self._at + 2]
            if letter == "s":
                self._take(_SPACES, 2)
            elif letter == "S":
                self._doubt = r"\S in a class"
                self._take("x", 2)
            elif letter and letter in _CLASSES:
                self._take(f"\\{letter}", 2)
            elif not letter:
                raise RegexError("missing closing ]")
            else:
                self._character(letter)
        else:
            self._take(char if char == "-" else re.escape(char))
