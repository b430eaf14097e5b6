"""Hubble's exports to a capture in Parquet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from simcore.errors import Diagnostic, LoadError

from ..sorting import RUN_ROWS, Sorter, write_sorted
from ..sources import problem
from ..streams import Source
from .columns import BATCH_ROWS, batches
from .counts import UNREADABLE, EventCounts
from .event import Event
from .events import EventReader
from .joining import Joiner
from .merging import Merger
from .recognising import find_sources

_BETWEEN = 16_384

Progress = Callable[[int], None]
"""Called with the events joined so far."""


def convert_hubble(
    paths: Sequence[str],
    output: str,
    *,
    strict: bool = False,
    progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
    run_rows: int = RUN_ROWS,
) -> EventCounts:
    """Turn exports of Hubble into one capture: a row for each connection, each request and each DNS answer.

    Rows come in order of time, DNS answers last. Memory is bounded, whatever the size of the exports.

    Parameters
    ----------
    paths : sequence of str
        Files of JSON lines, plain or packed with gzip or zstd, or of events in Parquet; folders of such; ``-``.
    output : str
        Parquet file to write.
    strict : bool
        Whether a line that cannot be read is an error, rather than counted.
    progress : callable, optional
        Called now and then.
    batch_rows, run_rows : int
        Rows that are turned to columns, and sorted, at a time. Do not change the result.

    Raises
    ------
    LoadError
        A path leads nowhere, a file holds no event of Hubble's, or a line cannot be read and `strict` is set.
    """
    problems: list[Diagnostic] = []
    sources = find_sources(paths, problems)
    if problems:
        raise LoadError(problems)
    return convert_sources(sources, output, strict=strict, progress=progress, batch_rows=batch_rows, run_rows=run_rows)


def convert_sources(
    sources: Sequence[Source],
    output: str,
    *,
    strict: bool = False,
    progress: Progress | None = None,
    batch_rows: int = BATCH_ROWS,
    run_rows: int = RUN_ROWS,
) -> EventCounts:
    """Do what `convert_hubble` does with files that were found."""
    counts = EventCounts()
    reader = EventReader(counts)
    events = Merger(reader, counts, strict=strict).events(sources)
    rows = Joiner(counts).rows(events if progress is None else _told(events, progress))
    with Sorter(os.path.dirname(output), run_rows) as sorter:
        for table in batches(rows, reader.book.ends, batch_rows):
            sorter.add(table)
        if counts.fates.total() == counts.fates[UNREADABLE]:
            raise LoadError(_nothing(sources, counts))
        wide = reader.values.has_v6
        write_sorted(sorter, output, wide=wide)
    return counts


def _told(events: Iterator[Event], progress: Progress) -> Iterator[Event]:
    for number, event in enumerate(events, 1):
        if not number % _BETWEEN:
            progress(number)
        yield event


def _nothing(sources: Sequence[Source], counts: EventCounts) -> list[Diagnostic]:
    names = ", ".join(source.name for source in sources)
    return [*counts.problems, problem(names, "there is no event of Hubble's in it. Was it written to its end?")]
