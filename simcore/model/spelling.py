"""Whether two words may be meant to be one."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST = 3
"""Letters of the shortest words of which one may be the other, mistyped."""
SHORT = 4
"""Words of so many letters are other words as soon as one letter is another: ``api`` and ``app``."""


def is_slip(one: str, other: str) -> bool:
    """Whether one word may be the other, mistyped: a letter or two missing, added, replaced or exchanged.

    Words whose digits differ are two: ``db-1`` and ``db-2``.
    """
    if one == other or _digits(one) != _digits(other):
        return False
    if one.lower() == other.lower():
        return True
    shorter, longer = sorted((len(one), len(other)))
    if shorter <= SHORT:
        has_another = shorter == longer and sorted(one) != sorted(other)
        return shorter >= SHORTEST and not has_another and distance(one, other) == 1
    return longer - shorter <= 2 and distance(one, other) <= 2


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


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())
