"""What was nearly written: the selector next to one that holds nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from ..model.labels import LabelSelector, Operator, Requirement
from ..model.spelling import distance, is_slip

MOVED = 2
"""How far a value under another key is from the right one, in letters."""


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
    found: list[tuple[int, int, str, Nearest]] = []
    for was in selector.requirements:
        if was.operator is not Operator.IN or len(was.values) != 1:
            continue
        (value,) = was.values
        for key, other, far in _candidates(was.key, value, values):
            better = Requirement(key, Operator.IN, frozenset([other]))
            changed = LabelSelector.of(*(better if each == was else each for each in selector.requirements))
            if count := held(changed):
                found.append((far, -count, str(better), Nearest(changed, was, better, count)))
    return min(found, key=lambda each: each[:3])[3] if found else None


def _candidates(key: str, value: str, values: Mapping[str, set[str]]) -> Iterable[tuple[str, str, int]]:
    """Yield keys and values close to one pair, and how far they are."""
    of_key = ((key, other, distance(value, other)) for other in _slips(value, values.get(key, ())))
    of_value = ((other, value, distance(key, other)) for other in _slips(key, values) if value in values[other])
    moved = ((other, value, MOVED) for other, known in values.items() if other != key and value in known)
    return chain(of_key, of_value, moved)


def _slips(word: str, others: Iterable[str]) -> list[str]:
    return [other for other in sorted(others) if is_slip(word, other)]
