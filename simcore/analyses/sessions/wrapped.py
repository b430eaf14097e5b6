"""A capture that is read through another one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ...model.flows import Capture, Split


class WrappedCapture:
    """What captures have in common that change the rows of another one as they are read.

    Parameters
    ----------
    capture : Capture
        The other one.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        starts = accumulate((split.rows for split in capture.splits), initial=0)
        self._starts = {(s.file, s.first_row): start for s, start in zip(capture.splits, starts, strict=False)}

    @property
    def files(self) -> Sequence[str]:
        """Paths of its files."""
        return self._capture.files

    @property
    def splits(self) -> Sequence[Split]:
        """Its parts."""
        return self._capture.splits

    @property
    def answers(self) -> Sequence[Split]:
        """Its parts that are DNS answers."""
        return self._capture.answers

    @property
    def columns(self) -> frozenset[str]:
        """The columns that any of its files has."""
        return self._capture.columns

    @property
    def formats(self) -> Sequence[str]:
        """The formats of its files, where that is known."""
        return getattr(self._capture, "formats", ())

    def position_of(self, split: Split, first_row: int) -> int:
        """Return the position of a row among all of the capture; `first_row` counts within the file."""
        return self._starts[split.file, split.first_row] + first_row - split.first_row
