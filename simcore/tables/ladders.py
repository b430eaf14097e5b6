"""Ladders: where the request of a flow decides, the rules that may, in order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.ladders import FIRST_CODE, RUNG


class Ladders(NamedTuple):
    """Some ladders, and where they are asked.

    Attributes
    ----------
    of : int32[scan rows, extra classes]
        The ladder of a row of extra classes; -1 where no request decides.
    starts : int64[ladders + 1]
        Where the rungs of each begin.
    rungs : int64[..., RUNG]
        See `simcore.kernels.ladders`; what they lead to are codes, or numbers of codes, or -1.
    """

    of: NDArray[np.int32]
    starts: NDArray[np.int64]
    rungs: NDArray[np.int64]

    @property
    def codes(self) -> NDArray[np.int64]:
        """What rungs lead to: a part of `rungs`."""
        return self.rungs[:, FIRST_CODE:]

    def after(self, before: Ladders, codes: int) -> Ladders:
        """Return these behind others, whose codes have so many numbers."""
        rungs = self.rungs.copy()
        rungs[:, FIRST_CODE:][self.codes >= 0] += codes
        return Ladders(
            np.concatenate([before.of, np.where(self.of < 0, self.of, self.of + np.int32(before.starts.size - 1))]),
            np.append(before.starts, before.starts[-1] + self.starts[1:]),
            np.concatenate([before.rungs, rungs]),
        )

    def used(self, scans: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what rungs of the ladders of some rows of extra classes lead to, in no order."""
        is_used = np.zeros(self.starts.size - 1, bool)
        found = self.of[scans]
        is_used[found[found >= 0]] = True
        codes = self.codes[np.repeat(is_used, np.diff(self.starts))]
        return np.asarray(codes[codes >= 0], np.int64)

    def leading_to(self, cells: NDArray[np.uint32]) -> NDArray[np.int32]:
        """Return the rungs with cells in place of the numbers of codes."""
        rungs = self.rungs.astype(np.int32)
        is_one = self.codes >= 0
        rungs[:, FIRST_CODE:][is_one] = cells[self.codes[is_one]]
        return rungs


class LadderWriter:
    """Holds equal ladders once."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._rungs: list[NDArray[np.int64]] = []

    def add(self, starts: NDArray[np.int64], rungs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take in some ladders, and return their numbers."""
        numbers = np.empty(starts.size - 1, np.int64)
        for place, (first, end) in enumerate(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)):
            ladder = rungs[first:end]
            number = numbers[place] = self._numbers.setdefault(ladder.tobytes(), len(self._numbers))
            if number == len(self._rungs):
                self._rungs.append(ladder)
        return numbers

    def written(self, of: NDArray[np.int64]) -> Ladders:
        """Return all that were taken in, and where they are asked."""
        starts = np.cumsum([0, *map(len, self._rungs)])
        return Ladders(of.astype(np.int32), starts, np.concatenate([np.empty((0, RUNG), np.int64), *self._rungs]))
