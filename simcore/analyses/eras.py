"""Flows judged by the policies of their own time, where these have a history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels.moments import NO_TIME
from ..model.flows import Verdict
from ..tables.decisions import REASONS
from ..tables.eras import Eras
from ..tables.layout import Tables

Cells = tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]
"""Egress, ingress, verdict (all ``[sets, n]``) and notes of some flows."""


def judge_eras(
    eras: Eras,
    times: NDArray[np.int64],
    judge: Callable[[Tables, NDArray[np.int64]], Cells],
    out: tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint8]],
) -> NDArray[np.uint8]:
    """Judge each flow by the tables of its time; one that tells none by all of them, for what they agree on.

    Parameters
    ----------
    eras : Eras
    times : int64[n]
        NO_TIME where not told.
    judge : callable
        Judges some rows by some tables.
    out : tuple of arrays
        Written: egress, ingress, verdict.

    Returns
    -------
    uint8[n] or uint8[0]
        Notes.
    """
    kind = eras.kind[np.maximum(np.searchsorted(eras.begins, times, "right") - 1, 0)]
    kind[times == NO_TIME] = -1
    notes = np.empty(0, np.uint8)
    for number in np.unique(kind).tolist():
        rows = np.flatnonzero(kind == number)
        if number >= 0:
            found = judge(eras.views[number], rows)
        else:
            found = _agreed(eras.views[0], [judge(view, rows) for view in eras.views])
        egress, ingress, verdict = out
        egress[:, rows], ingress[:, rows], verdict[:, rows] = found[:3]
        if found[3].size:
            notes = notes if notes.size else np.zeros(times.size, np.uint8)
            notes[rows] = found[3]
    return notes


def _agreed(tables: Tables, found: Sequence[Cells]) -> Cells:
    """Return what judgements agree on; where they do not, it is unknown."""
    egress, ingress = (_mixed(tables, np.stack([cells[part] for cells in found])) for part in (0, 1))
    verdicts = np.stack([cells[2] for cells in found])
    verdict = np.where((verdicts == verdicts[0]).all(axis=0), verdicts[0], np.uint8(Verdict.UNKNOWN))
    notes = np.bitwise_or.reduce([cells[3] for cells in found])
    return egress, ingress, verdict.astype(np.uint8), notes


def _mixed(tables: Tables, cells: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return one cell of several, ``[tables, sets, n]``: the first where their verdicts are one, else a mixed one."""
    if not cells.size:
        return np.empty(cells.shape[1:], np.uint32)
    reasons = np.array([REASONS.index(outcome.reason) + 1 for outcome in tables.outcomes], np.int64)
    parts, of_verdict = [], []
    for verdict in Verdict:
        has = (cells & 3) == verdict
        first = np.take_along_axis(cells, has.argmax(axis=0)[np.newaxis], axis=0)[0]
        parts.append(np.where(has.any(axis=0), reasons[first >> 2], 0))
        of_verdict.append(has.any(axis=0))
    is_one = np.sum(of_verdict, axis=0) == 1
    found: NDArray[np.uint32] = np.where(is_one, cells[0], tables.arrays.mixed[tuple(parts)])
    return found
