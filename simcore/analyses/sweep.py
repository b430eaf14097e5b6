"""One sweep over a capture: every flow judged, counted, grouped where it matters, and written as results come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..model.flows import Capture, Split, Verdict
from ..tables.layout import Tables
from .carried import RequestTally, tally_requests
from .ends import judged_columns
from .judging import Judged, Workspace, judge_batch
from .not_there import count_not_there
from .shards import Engine
from .tally import GROUPED_COLUMNS, Merger, Tally

DEFAULT_BATCH_ROWS = 131_072

Progress = Callable[[int, int], None]
"""Called with the rows done and the rows there are."""

Select = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""Which flows to group, from ``verdict[sets, n]``."""

Describe = Callable[[Split, int, pa.RecordBatch, Judged], pa.RecordBatch]
"""What to write of a batch: given the split, the batch's first row within the file, the batch, and its verdicts."""


def not_allowed(verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Choose the flows that the first policy set does not allow."""
    # A member of an enumeration would turn this into a comparison of int64, eight times as wide.
    return np.asarray(verdict[0] != np.uint8(Verdict.ALLOW))


@dataclass(frozen=True)
class Output:
    """A Parquet file of results: where, of what schema, and how a batch's rows are made."""

    path: Path
    schema: pa.Schema
    describe: Describe
    columns: Sequence[str] = ()


class Observer(Protocol):
    """Somebody who looks at every batch as well, and counts what a sweep does not."""

    @property
    def columns(self) -> Sequence[str]:
        """What it needs of a capture besides."""
        ...

    def observe(self, split: Split, first_row: int, batch: pa.RecordBatch, judged: Judged) -> Any:
        """Look at a batch; called on many threads."""
        ...

    def take(self, seen: Sequence[Any]) -> None:
        """Take in what `observe` returned of the batches of one split; called in the order of splits."""
        ...


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes
    ----------
    counts : int64[3, 3]
        Flows by verdict before and after; the diagonal where there is one policy set.
    tally : Tally
        The selected flows by group.
    settled : int
        Flows that were decided by their source port, or by their ICMP type or code.
    requests : RequestTally
        What is told of requests.
    not_there : int
        Flows of times at which one of their ends was nobody's, was several pods', or was a pod that was not there.
    """

    counts: NDArray[np.int64]
    tally: Tally
    settled: int
    requests: RequestTally
    not_there: int


@dataclass(frozen=True)
class _Part:
    """What one split gives."""

    rows: int
    counts: NDArray[np.int64]
    merger: Merger
    settled: int
    requests: RequestTally
    not_there: int
    written: list[pa.RecordBatch]
    seen: list[Any]


def sweep(
    capture: Capture,
    tables: Tables,
    select: Select,
    engine: Engine,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Output | None = None,
    progress: Progress | None = None,
    observer: Observer | None = None,
) -> Sweep:
    """Judge every flow of a capture, split by split.

    The result, and every byte that is written, is the same whatever the engine and the size of batches: splits are
    merged in their order, and within one nothing depends on where batches end.
    """
    asked = [*(output.columns if output else ()), *(observer.columns if observer else ())]
    wanted = dict.fromkeys([*judged_columns(tables), *GROUPED_COLUMNS, *asked])
    columns = [name for name in wanted if name in capture.columns]

    def judge_split(split: Split) -> _Part:
        counts = np.zeros((3, 3), np.int64)
        merger = Merger(tables.sets)
        written: list[pa.RecordBatch] = []
        seen: list[Any] = []
        first_row, settled, requests, not_there = split.first_row, 0, RequestTally.none(tables), 0
        most_rows = min(batch_rows, split.rows)
        workspace = Workspace(tables, most_rows)
        room = np.empty((2, most_rows), np.int32)
        for batch in capture.read(split, columns, batch_rows):
            judged = judge_batch(tables, batch, workspace)
            counts += _counted(judged.verdict)
            if judged.notes.size:
                settled += judged.settled
                requests += tally_requests(tables, judged)
            not_there += count_not_there(tables, judged)
            rows = np.flatnonzero(select(judged.verdict))
            if rows.size:
                merger.add_flows(tables, judged, batch, rows, split, first_row, room)
            if output is not None:
                written.append(output.describe(split, first_row, batch, judged))
            if observer is not None:
                seen.append(observer.observe(split, first_row, batch, judged))
            first_row += batch.num_rows
        return _Part(first_row - split.first_row, counts, merger, settled, requests, not_there, written, seen)

    total = sum(split.rows for split in capture.splits)
    counts = np.zeros((3, 3), np.int64)
    merger = Merger(tables.sets)
    done, settled, requests, not_there = 0, 0, RequestTally.none(tables), 0
    parts = engine.map(judge_split, capture.splits)
    for part in _written(parts, output):
        counts += part.counts
        merger = merger.joined(part.merger)
        settled += part.settled
        requests += part.requests
        not_there += part.not_there
        if observer is not None:
            observer.take(part.seen)
        done += part.rows
        if progress is not None:
            progress(done, total)
    return Sweep(counts, merger.merged(), settled, requests, not_there)


def _counted(verdict: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count flows by their verdict under the first and the last policy set, as int64[3, 3]."""
    before, after = ([row == np.uint8(kind) for kind in Verdict] for row in (verdict[0], verdict[-1]))
    if len(verdict) == 1:
        return np.diag([np.count_nonzero(flows) for flows in before])
    return np.array([[np.count_nonzero(was & becomes) for becomes in after] for was in before])


def _written(parts: Iterator[_Part], output: Output | None) -> Iterator[_Part]:
    """Write what parts have to write, in their order, one row group a part; the file appears once it is whole."""
    if output is None:
        yield from parts
        return
    partial = output.path.with_name(f"{output.path.name}.partial")
    try:
        with pq.ParquetWriter(partial, output.schema, compression="zstd", version="2.6") as writer:
            for part in parts:
                table = pa.Table.from_batches(part.written, output.schema).combine_chunks()
                if table.num_rows:
                    writer.write_table(table, row_group_size=table.num_rows)
                yield part
        partial.replace(output.path)
    finally:
        partial.unlink(missing_ok=True)
