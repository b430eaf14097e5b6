"""Flows that a rule by domain name decides at a time when no such name is known to stand for the address."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.moments import NO_TIME
from ..model.flows import Verdict
from ..tables.layout import Tables
from ..tables.timely import Timely
from .ends import EndColumn, raw_values, validity


def read_times(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Read when flows began; NO_TIME where that is not told."""
    if "time" not in batch.schema.names:
        return np.full(batch.num_rows, NO_TIME)
    column = batch.column("time")
    return np.where(validity(column), raw_values(column), NO_TIME) if column.null_count else raw_values(column)


def settle_names(
    timely: Timely,
    source: EndColumn,
    destination: EndColumn,
    times: NDArray[np.int64],
    egress: NDArray[np.uint32],
    ingress: NDArray[np.uint32],
    verdict: NDArray[np.uint8],
) -> None:
    """Put a doubt in place of what was decided by a name at a time when none is known to hold.

    Parameters
    ----------
    timely : Timely
    source, destination : EndColumn
    times : int64[n]
        When each flow began; NO_TIME, which is within no stretch, where that is not told.
    egress, ingress : uint32[sets, n]
        Changed.
    verdict : uint8[sets, n]
        Changed.
    """
    for number in range(len(verdict)):
        for cells, peer in ((egress[number], destination), (ingress[number], source)):
            rows = np.flatnonzero(timely.instead[cells >> 2] >= 0)
            rows = rows[_is_untimely(timely, cells[rows] >> 2, peer.take(rows), times[rows])] if rows.size else rows
            cells[rows] = timely.instead[cells[rows] >> 2].astype(np.uint32) << 2 | Verdict.UNKNOWN
            out, back = egress[number, rows] & 3, ingress[number, rows] & 3
            denied = (out == Verdict.DENY) | (back == Verdict.DENY)
            verdict[number, rows] = np.where(denied, Verdict.DENY, np.maximum(out, back))


def _is_untimely(
    timely: Timely, outcomes: NDArray[np.uint32], peer: EndColumn, times: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell of flows which of them lie outside of the times of their rules' names."""
    found = np.zeros(outcomes.size, bool)
    rows = np.flatnonzero(peer.known)
    keys = np.stack([outcomes[rows].astype(np.uint64), peer.high[rows], peer.low[rows]], axis=1)
    distinct, number = np.unique(keys, axis=0, return_inverse=True)
    number = number.ravel()
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(len(distinct) + 1)).tolist()
    for key, first, last in zip(distinct.tolist(), starts[:-1], starts[1:], strict=True):
        edges = timely.edges(*key)
        if edges is not None:
            part = rows[order[first:last]]
            found[part] = np.searchsorted(edges, times[part], "right") % 2 == 0
    return found


def times_of(tables: Tables, batch: pa.RecordBatch) -> NDArray[np.int64] | None:
    """Return when the flows of a batch began, where verdicts depend on it."""
    return read_times(batch) if tables.asks_times else None
