"""The records of a capture in the order of time: splits read side by side, late records within a bounded window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...errors import LoadError, Place
from ...kernels.sessions.records import LATEST, release_rows
from ...kernels.sessions.sessions import ROW
from ...model.conntrack import SECOND
from ...model.flows import Capture, Split
from ..shards import Engine, Threads

WINDOW_ROWS = 1 << 19
"""About how many records a window holds."""
_WORDS = ROW.itemsize // 8

T = TypeVar("T")
MakeRows = Callable[[Split, int, pa.RecordBatch, NDArray[np.int64]], NDArray[np.void]]
"""What makes ROW records of a batch, given its split, its position in the capture, and the state of `settle_times`."""


@dataclass(frozen=True)
class Span:
    """When the records of a split begin.

    Attributes
    ----------
    split : Split
    position : int
        Of its first row among all rows of the capture.
    first, last : int
        Earliest and latest time, ns.
    """

    split: Split
    position: int
    first: int
    last: int


def find_spans(capture: Capture, engine: Engine, batch_rows: int) -> list[Span]:
    """Read the times of a capture; splits without rows with a time count as beginning when the capture does.

    Raises
    ------
    LoadError
        No record has a time.
    """
    if "time" not in capture.columns:
        raise _without_time(capture)

    def look(split: Split) -> tuple[int, int] | None:
        ends = []
        for batch in capture.read(split, ["time"], batch_rows):
            column = batch.column("time").view(pa.int64())
            if column.null_count < len(column):
                least = pc.min_max(column)
                ends.append(tuple(min(max(least[end].as_py(), 0), int(LATEST)) for end in ("min", "max")))
        return (min(first for first, _ in ends), max(last for _, last in ends)) if ends else None

    found = list(engine.map(look, capture.splits))
    known = [span for span in found if span]
    if capture.splits and not known:
        raise _without_time(capture)
    begin = min((first for first, _ in known), default=0)
    spans, position = [], 0
    for split, span in zip(capture.splits, found, strict=True):
        first, last = span or (begin, begin)
        spans.append(Span(split, position, first, last))
        position += split.rows
    return spans


def _without_time(capture: Capture) -> LoadError:
    place = Place(capture.files[0] if capture.files else "")
    return LoadError.at(
        place, "no record has a time, which connections need. Name the column with --map time=..., or use --no-stateful"
    )


def window_ends(spans: Sequence[Span], rows: int) -> list[int]:
    """Choose times so that about so many records lie between two of them; the last one is after all records."""
    if not spans:
        return []
    total = sum(span.split.rows for span in spans)
    edges = np.unique([time for span in spans for time in (span.first, span.last + 1)])
    counts = np.zeros(edges.size)
    for span in spans:
        counts += np.interp(edges, [span.first, span.last + 1], [0, span.split.rows])
    targets = np.arange(1, total // rows + 1) * rows
    # Relative to the first edge: a float does not hold nanoseconds since 1970.
    times = np.interp(targets[targets < total], counts, (edges - edges[0]).astype(np.float64))
    inner = np.unique(times.astype(np.int64) + edges[0])
    return [*inner[(inner > edges[0]) & (inner < edges[-1])].tolist(), int(edges[-1])]


class _Stream:
    """One split, read as far as is needed."""

    def __init__(self, span: Span, batches: Iterator[pa.RecordBatch], make: MakeRows, late: int) -> None:
        self.span = span
        self.seen = np.array([span.first, 0, 0], np.int64)
        self.is_done = False
        self._batches = batches
        self._make = make
        self._late = late
        self._position = span.position
        self._waiting = np.empty(0, ROW)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left of it."""
        return self.is_done and not self._waiting.size

    def pull(self, until: int, results: NDArray[np.uint8]) -> NDArray[np.void]:
        """Return what counts before a time, in the order of the split."""
        parts = [self._waiting]
        while not self.is_done and self.seen[0] - self._late < until:
            batch = next(self._batches, None)
            if batch is None:
                self.is_done = True
                break
            parts.append(self._make(self.span.split, self._position, batch, self.seen))
            self._position += batch.num_rows
        rows = _joined(parts)
        out = np.empty(rows.size * _WORDS, np.uint64).view(ROW)
        taken, left = release_rows(rows, until, out, rows, results)
        self._waiting = rows[:left].view(np.uint64).copy().view(ROW) if left < rows.size else rows
        return out[:taken]


def _joined(parts: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Join records; as words, since numpy copies structures field by field."""
    if len(parts) == 1:
        return parts[0]
    joined: NDArray[np.void] = np.concatenate([part.view(np.uint64) for part in parts]).view(ROW)
    return joined


class Reordered:
    """The records of a capture, window by window.

    Parameters
    ----------
    capture : Capture
    spans : sequence of Span
        See `find_spans`.
    columns : sequence of str
        What to read.
    make : MakeRows
    late : int
        How far behind the latest record of its split a record may come and still count at its own time; ns.

    Attributes
    ----------
    late_rows, untimed_rows : int
        Records that came later than that, and that had no time: both counted when they came.
    """

    def __init__(
        self, capture: Capture, spans: Sequence[Span], columns: Sequence[str], make: MakeRows, late: int
    ) -> None:
        self._capture = capture
        self._spans = sorted(spans, key=lambda span: (span.first, span.position))
        self._columns = columns
        self._make = make
        self._late = late
        self.late_rows = 0
        self.untimed_rows = 0

    def windows(
        self, engine: Engine, batch_rows: int, results: NDArray[np.uint8], rows: int = WINDOW_ROWS
    ) -> Iterator[tuple[NDArray[np.void], int]]:
        """Yield the records of each window, in the order of the capture, and the window's end.

        A window's records come from all splits that overlap it, read side by side; the next window is read while the
        caller is busy with this one. What a record counts as does not depend on windows or batches.
        """
        ends = window_ends(self._spans, rows)
        streams: list[_Stream] = []
        waiting = deque(self._spans)

        def read(number: int) -> tuple[NDArray[np.void], int]:
            end = ends[number]
            while waiting and waiting[0].first < end:
                span = waiting.popleft()
                batches = self._capture.read(span.split, self._columns, batch_rows)
                streams.append(_Stream(span, iter(batches), self._make, self._late))
            streams.sort(key=lambda stream: stream.span.position)
            until = end + SECOND if number + 1 == len(ends) else end  # an answer may count that much later
            found = list(engine.map(lambda stream: stream.pull(until, results), streams))
            done = [stream for stream in streams if stream.is_empty]
            self.late_rows += sum(int(stream.seen[1]) for stream in done)
            self.untimed_rows += sum(int(stream.seen[2]) for stream in done)
            streams[:] = [stream for stream in streams if not stream.is_empty]
            return _joined([np.empty(0, ROW), *found]), until

        if isinstance(engine, Threads) and engine.count == 1:
            yield from map(read, range(len(ends)))
        else:
            yield from ahead(read, len(ends))


def ahead(make: Callable[[int], T], count: int) -> Iterator[T]:
    """Yield ``make(0)`` to ``make(count - 1)``, each made while the caller is busy with the one before."""
    with ThreadPoolExecutor(1, thread_name_prefix="flowverdict") as pool:
        coming = pool.submit(make, 0) if count else None
        for number in range(count):
            assert coming is not None
            made = coming.result()
            coming = pool.submit(make, number + 1) if number + 1 < count else None
            yield made
