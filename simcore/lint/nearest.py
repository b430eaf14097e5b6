"""What was nearly written: the selector next to one that holds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain

from ..model.labels import LabelSelector, Operator, Requirement

LIKENESS = 0.75
"""From how much of two words agreeing on they are taken for one misspelt, as `difflib` measures it."""
SHORTEST = 3
"""Letters of the shortest words of which one may be taken for another misspelt."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A selector that differs from the written one in one label, and the pods or namespaces that it holds.

    Attributes
    ----------
    selector : LabelSelector
    was, better : Requirement
        What is written, and what stands in its place.
    held : int
        How many it holds.
    """

    selector: LabelSelector
    was: Requirement
    better: Requirement
    held: int


def nearest(
    selector: LabelSelector, labels: Iterable[Mapping[str, str]], held: Callable[[LabelSelector], int]
) -> Nearest | None:
    """Find the selector that differs from one in a single label, and holds something.

    A key or a value that is misspelt, a value in another case, or the value under another key.

    Parameters
    ----------
    selector : LabelSelector
        It holds nothing.
    labels : iterable of mapping
        Those of what it could have meant.
    held : callable
        Counts what a selector holds.
    """
    values: dict[str, set[str]] = {}
    for each in labels:
        for key, value in each.items():
            values.setdefault(key, set()).add(value)
    found: list[tuple[float, int, str, Nearest]] = []
    for was in selector.requirements:
        if was.operator is not Operator.IN or len(was.values) != 1:
            continue
        (value,) = was.values
        for key, other, likeness in _candidates(was.key, value, values):
            better = Requirement(key, Operator.IN, frozenset([other]))
            changed = LabelSelector.of(*(better if each == was else each for each in selector.requirements))
            if count := held(changed):
                found.append((-likeness, -count, str(better), Nearest(changed, was, better, count)))
    return min(found, key=lambda each: each[:3])[3] if found else None


def _candidates(key: str, value: str, values: Mapping[str, set[str]]) -> Iterable[tuple[str, str, float]]:
    """Yield keys and values close to one pair, and how close they are."""
    of_key = ((key, other, _likeness(value, other)) for other in _close(value, values.get(key, ())))
    of_value = ((other, value, _likeness(key, other)) for other in _close(key, values) if value in values[other])
    moved = ((other, value, LIKENESS) for other, known in values.items() if other != key and value in known)
    return chain(of_key, of_value, moved)


def _close(word: str, others: Iterable[str]) -> list[str]:
    return [other for other in sorted(others) if other != word and are_close(word, other)]


def are_close(one: str, other: str) -> bool:
    """Whether one word may be another misspelt: not one that differs in its digits, such as ``web-1`` and ``web-2``."""
    one, other = one.lower(), other.lower()
    if one == other:
        return True
    if min(len(one), len(other)) < SHORTEST or _digits(one) != _digits(other):
        return False
    return _likeness(one, other) >= LIKENESS or _is_one_slip(one, other)


def _digits(word: str) -> str:
    return "".join(letter for letter in word if letter.isdigit())


def _is_one_slip(one: str, other: str) -> bool:
    """Whether two letters next to each other are swapped, or one is another."""
    if len(one) != len(other):
        return False
    apart = [place for place, letter in enumerate(one) if letter != other[place]]
    if len(apart) == 1:
        return len(one) > SHORTEST
    return len(apart) == 2 and apart[1] == apart[0] + 1 and sorted(one) == sorted(other)


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()
