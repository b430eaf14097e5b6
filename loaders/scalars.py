"""What a plain YAML scalar means to kubectl: YAML 1.1 words and numbers, without dates and base 60."""

from __future__ import annotations

import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_TRUE = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]
_FALSE = ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]
_NULL = ["", "~", "null", "Null", "NULL"]
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_NULL, None),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LARGEST_WHOLE = 1e15


@lru_cache(maxsize=65536)
def resolve(text: str) -> Scalar:
    """Read an unquoted scalar the way kubectl does.

    ``010`` and ``0o10`` are 8, ``no`` and ``n`` are false, ``1_000`` is 1000; ``2026-01-01`` and ``12:30:00``
    stay text. A float without fraction is an integer, which is what it becomes on kubectl's way through JSON.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    plain = text.replace("_", "")
    if match := _INTEGER.fullmatch(plain):
        sign, *digits = match.groups()
        value = next(int(d, base) for d, base in zip(digits, (16, 2, 8, 10), strict=True) if d)
        return -value if sign == "-" else value
    if _FLOAT.fullmatch(plain):
        number = float(plain)
        return int(number) if number.is_integer() and abs(number) < _LARGEST_WHOLE else number
    return text


def key_text(value: Scalar) -> str:
    """Write a mapping key as the text it becomes in JSON: ``on: x`` has the key ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)
