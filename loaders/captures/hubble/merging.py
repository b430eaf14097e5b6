"""Events of several files in one order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from simcore.errors import Diagnostic, LoadError, Place, Severity

from ..streams import Lines, Source
from . import counts as fates
from .counts import EventCounts
from .event import Event
from .events import EventReader, UnreadableError
from .recognising import read_events

WINDOW = 5_000_000_000
"""How far events of one file may be out of order, in nanoseconds: a file may hold several nodes."""
MOST_WAITING = 400_000
"""Events that wait for earlier ones; where time is so dense that there are more, half of them go on."""
CHUNK_LINES = 2_048
"""Lines of a file that are read at a time."""

Placed = tuple[int, int, int, Event]
"""When it counts, its file and line, and an event."""


@dataclass(slots=True)
class _Feed:
    """A file that is being read, from its first event on.

    Attributes
    ----------
    latest : int
        The latest time that was met.
    """

    number: int
    source: Source
    lines: Lines | None = None
    latest: int = 0
    is_started: bool = False
    ahead: list[Placed] = field(default_factory=list)

    @property
    def frontier(self) -> int:
        """The time from which on events may still come."""
        return self.latest - WINDOW


class Merger:
    """Reads files and yields their events in order of time.

    An event counts at its time, or `WINDOW` before the latest time that its file told before. Of equal times, the order
    is that of files and lines. A file is opened when its first time comes, so many files take little room.

    Parameters
    ----------
    reader : EventReader
    counts : EventCounts
    strict : bool
        Whether the first unreadable line is an error.
    chunk_lines : int
        Lines read at a time. Does not change the result.
    """

    def __init__(
        self, reader: EventReader, counts: EventCounts, *, strict: bool = False, chunk_lines: int = CHUNK_LINES
    ) -> None:
        self._reader = reader
        self._counts = counts
        self._strict = strict
        self._chunk_lines = chunk_lines

    def events(self, sources: Sequence[Source]) -> Iterator[Event]:
        """Yield the events of all files; one that is there twice counts once.

        Raises
        ------
        LoadError
            A line cannot be read, and `strict` is set.
        """
        time, seen = -1, set[str]()
        for _, _, _, event in self._ordered(sources):
            if event.time != time:
                time, seen = event.time, set()
            if event.uuid:
                if event.uuid in seen:
                    self._counts.fates[fates.DUPLICATES] += 1
                    continue
                seen.add(event.uuid)
            yield event

    def _ordered(self, sources: Sequence[Source]) -> Iterator[Placed]:
        feeds = [self._opened(number, source) for number, source in enumerate(sources)]
        feeds = [feed for feed in feeds if feed.is_started]
        waiting: list[Placed] = []
        ordered = 0
        while feeds:
            feed = min(feeds, key=lambda each: (each.latest, each.number))
            if not self._read_on(feed, waiting):
                feeds.remove(feed)
            if feeds and len(waiting) - ordered < max(self._chunk_lines, ordered // 2):
                continue
            waiting.sort()
            ready = _first_from(waiting, min(each.frontier for each in feeds)) if feeds else len(waiting)
            if len(waiting) - ready > MOST_WAITING:
                ready = len(waiting) - MOST_WAITING // 2
            yield from waiting[:ready]
            del waiting[:ready]
            ordered = len(waiting)

    def _opened(self, number: int, source: Source) -> _Feed:
        """Find the first time of a file, and close it again unless it can be read only once."""
        feed = _Feed(number, source)
        if source.is_stream:
            feed.lines = read_events(source)
            self._read_some(feed, feed.lines, feed.ahead, 1)
            return feed
        looking = Merger(EventReader(EventCounts()), EventCounts())
        looking._read_some(feed, read_events(source), [], 1)
        if not feed.is_started:
            self._read_some(feed, read_events(source), [], 1)
        return feed

    def _read_on(self, feed: _Feed, waiting: list[Placed]) -> bool:
        """Read the next lines of a file; False where there are none."""
        if feed.lines is None:
            feed.lines = read_events(feed.source)
        waiting += feed.ahead
        feed.ahead = []
        return self._read_some(feed, feed.lines, waiting, self._chunk_lines)

    def _read_some(self, feed: _Feed, lines: Lines, waiting: list[Placed], wanted: int) -> bool:
        """Read up to so many events; return whether there may be more."""
        read, latest, number = self._reader.read, feed.latest, feed.number
        found = 0
        try:
            for line_number, line in lines:
                event = None
                try:
                    if line is None:
                        raise UnreadableError("this line is longer than 16 MB")
                    event = read(line)
                except UnreadableError as error:
                    self._complain(feed.source, line_number, str(error))
                if event is not None:
                    time = event.time
                    if time > latest or not feed.is_started:
                        latest, feed.is_started = time, True
                    elif time < latest - WINDOW:
                        time = latest - WINDOW
                        self._counts.late += 1
                    waiting.append((time, number, line_number, event))
                    found += 1
                    if found == wanted:
                        feed.latest = latest
                        return True
        except LoadError as error:
            if self._strict:
                raise
            self._counts.problems += [replace(each, severity=Severity.WARNING) for each in error.diagnostics]
        feed.latest = latest
        return False

    def _complain(self, source: Source, line: int, text: str) -> None:
        problem = Diagnostic(Severity.ERROR if self._strict else Severity.WARNING, Place(source.name, 0, line), text)
        if self._strict:
            raise LoadError([problem])
        self._counts.complain(problem)


def _first_from(waiting: Sequence[Placed], frontier: int) -> int:
    """Return how many events come before a time."""
    low, high = 0, len(waiting)
    while low < high:
        middle = (low + high) // 2
        if waiting[middle][0] < frontier:
            low = middle + 1
        else:
            high = middle
    return low
