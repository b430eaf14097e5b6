"""Whether two labels may be meant to be one."""

from __future__ import annotations

from collections.abc import Iterable

SHORT = 4
"""Words of so many letters are other words as soon as two letters differ."""


def is_slip(one: str, other: str) -> bool:
    """Whether one word may be the other, mistyped: a letter or two missing, added, replaced or exchanged.

    Words that differ in digits only are two: ``db-1`` and ``db-2``.
    """
    if one == other or _without_digits(one) == _without_digits(other):
        return False
    if one.lower() == other.lower():
        return True
    shorter = min(len(one), len(other))
    most = 0 if shorter < 3 else 1 if shorter <= SHORT else 2
    return abs(len(one) - len(other)) <= most and distance(one, other) <= most


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the one that may be meant by a word; None where there is none."""
    near = [(distance(word, other), other) for other in words if is_slip(word, other)]
    return min(near)[1] if near else None


def distance(one: str, other: str) -> int:
    """Count the letters to add, to leave out, to replace, or to exchange with the next, from one word to another."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _without_digits(word: str) -> str:
    return "".join("0" if letter.isdigit() else letter for letter in word)
