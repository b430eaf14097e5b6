"""Numbers at many places of some bytes at a time, in network order."""

from __future__ import annotations

import numpy as np

from .frames import Numbers, Octets

_REST = 64


class View:
    """Bytes that are read at many places; behind their end are zeros."""

    def __init__(self, data: Octets) -> None:
        self._data = np.concatenate([data, np.zeros(_REST, np.uint8)])
        self._last = data.size

    def octet(self, at: Numbers) -> Numbers:
        """Return the byte at each place."""
        found: Numbers = self._data[np.minimum(at, self._last)].astype(np.int64)
        return found

    def short(self, at: Numbers) -> Numbers:
        """Return the number of two bytes at each place."""
        at = np.minimum(at, self._last)
        found: Numbers = self._data[at].astype(np.int64) << 8 | self._data[at + 1]
        return found

    def word(self, at: Numbers) -> Numbers:
        """Return the number of four bytes at each place."""
        return self.short(at) << 16 | self.short(at + 2)

    def rows(self, at: Numbers, size: int) -> Octets:
        """Return `size` bytes from each place on, a row each."""
        return self._data[np.minimum(at, self._last)[:, None] + np.arange(size)]

    def piece(self, start: int, end: int) -> bytes:
        """Return the bytes from one place to another."""
        return self._data[start:end].tobytes()
