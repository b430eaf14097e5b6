"""Names that decide by their order, such as those of policies of one order: pseudonyms that sort as they do."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping

_DIGITS = "bcdfghjklmnpqrstvwxz"
"""Letters of codes. None is ``a``, the lowest there is, so that something always fits before a code."""
_ROOM = 4
"""How many times as many codes as names are laid out, so that later names find room."""


class Order:
    """Codes for names, which sort as the names do. What was given once is never changed.

    Parameters
    ----------
    known : mapping of str to str
        Codes of names that were given before.
    kept : mapping of str to str
        Names that keep their place as they are, and what codes behind them begin with.
    sort_key : callable
        By what names sort.
    """

    def __init__(self, known: Mapping[str, str], kept: Mapping[str, str], sort_key: Callable[[str], str] = str) -> None:
        self.codes = dict(known)
        self._kept = kept
        self._sort_key = sort_key
        self._names = sorted({*known, *kept}, key=sort_key)

    def learn(self, names: Iterable[str]) -> None:
        """Give names codes, all those that come between two known names evenly."""
        new = sorted({name for name in names if name not in self.codes and name not in self._kept}, key=self._sort_key)
        between: dict[int, list[str]] = {}
        keys = [self._sort_key(name) for name in self._names]
        for name in new:
            between.setdefault(bisect_left(keys, self._sort_key(name)), []).append(name)
        for place, group in between.items():
            low = self._floor(self._names[place - 1]) if place else ""
            high = self._code(self._names[place]) if place < len(self._names) else ""
            self.codes.update(zip(group, codes_between(low, high, len(group)), strict=True))
        self._names = sorted([*self._names, *new], key=self._sort_key)

    def code(self, name: str) -> str:
        """Return the code of a name; empty for one that is kept."""
        if name in self._kept:
            return ""
        if name not in self.codes:
            self.learn([name])
        return self.codes[name]

    def _floor(self, name: str) -> str:
        return self._kept[name] if name in self._kept else self.codes[name]

    def _code(self, name: str) -> str:
        return name if name in self._kept else self.codes[name]


def codes_between(low: str, high: str, number: int) -> list[str]:
    """Return codes in order, all behind `low` and, unless that is empty, before `high`."""
    prefix = low
    while high.startswith(prefix) and high:
        if high[len(prefix)] > "a":
            prefix += "a"
            break
        prefix = high[: len(prefix) + 1]
    width, size = 1, len(_DIGITS)
    while size < _ROOM * (number + 1):
        width, size = width + 1, size * len(_DIGITS)
    return [prefix + _written((place + 1) * size // (number + 1), width) for place in range(number)]


def _written(value: int, width: int) -> str:
    digits = []
    for _ in range(width):
        value, rest = divmod(value, len(_DIGITS))
        digits.append(_DIGITS[rest])
    return "".join(reversed(digits))
