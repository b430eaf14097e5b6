"""Frames of a file, gathered into arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simcore.errors import LoadError

BATCH_FRAMES = 32_768
KEPT = 1_024
"""Bytes of a frame that are looked at: its headers, and the first of its data."""
NO_TIME = -(2**63)

Numbers = NDArray[np.int64]
Octets = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frames:
    """Some frames, in the order of their file.

    Attributes
    ----------
    data : array of uint8
        The bytes of all, as far as they are looked at.
    start, end : array of int64
        Where those of each frame begin and end in `data`.
    length : array of int64
        How long each was on the wire.
    time : array of int64
        Nanoseconds since 1970, or NO_TIME.
    link, interface : array of int64
        Its link type, and the interface of the file that saw it.
    number : array of int64
        Its number in the file, from 1.
    """

    data: Octets
    start: Numbers
    end: Numbers
    length: Numbers
    time: Numbers
    link: Numbers
    interface: Numbers
    number: Numbers

    def take(self, rows: Mask | Numbers) -> Frames:
        """Return some of the frames."""
        columns = (self.start, self.end, self.length, self.time, self.link, self.interface, self.number)
        return Frames(self.data, *(column[rows] for column in columns))


@dataclass(slots=True)
class Gathering:
    """Frames that are read one by one, until they are enough for arrays."""

    data: list[bytes] = field(default_factory=list)
    told: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """Whether they are enough."""
        return len(self.data) >= BATCH_FRAMES

    def add(self, frame: bytes, length: int, time: int, link: int, interface: int, number: int) -> None:
        """Add a frame."""
        self.data.append(frame[:KEPT])
        self.told.append((length, time, link, interface, number))

    def take(self) -> Frames:
        """Return them, and begin anew."""
        sizes = np.fromiter(map(len, self.data), np.int64, len(self.data))
        ends = np.cumsum(sizes)
        told = np.array(self.told, np.int64).reshape(-1, 5).T
        data = np.frombuffer(b"".join(self.data), np.uint8)
        self.data, self.told = [], []
        return Frames(data, ends - sizes, ends, *told)


class Bytes:
    """A file's bytes, taken piece by piece from blocks.

    Attributes
    ----------
    offset : int
        How many were taken.
    error : LoadError or None
        Why there are no more of them, where that is not the end of the file.
    """

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.offset = 0
        self.error: LoadError | None = None
        self._blocks = blocks
        self._data = b""
        self._at = 0

    def take(self, size: int) -> bytes:
        """Take the next bytes; fewer where the file ends."""
        end = self._at + size
        if end > len(self._data):
            self._read(size)
            end = size
        piece = self._data[self._at : end]
        self._at = end
        self.offset += len(piece)
        return piece

    def _read(self, size: int) -> None:
        parts = [self._data[self._at :]]
        held = len(parts[0])
        try:
            while held < size and (block := next(self._blocks, b"")):
                parts.append(block)
                held += len(block)
        except LoadError as error:
            self.error = error
        self._data, self._at = b"".join(parts), 0
