"""The rate of counters as Prometheus 3 computes it (https://prometheus.io/docs/prometheus/latest/querying/functions/#rate)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_NEAR = 1.1
"""A sample nearer to an edge of the window than so many distances between samples is taken to go on to the edge."""


def rates(
    values: NDArray[np.float64], start: int, step: int, window: int, at: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the rate per second over a window before each of some times.

    Parameters
    ----------
    values : float64[samples]
        A counter that never falls, sampled every `step` seconds from `start` on.
    window : int
        Seconds. A sample at its beginning is outside, one at its end inside.
    at : int64[n]
        Seconds.

    Returns
    -------
    float64[n]
        Not a number where fewer than two samples lie within the window.
    """
    last = np.minimum((at - start) // step, values.size - 1)
    first = np.maximum((at - window - start) // step + 1, 0)
    enough = last > first
    found = np.full(at.size, np.nan)
    first, last, ends = first[enough], last[enough], at[enough]
    rise = values[last] - values[first]
    sampled = (last - first) * float(step)
    to_start = start + first * step - (ends - window)
    to_end = ends - (start + last * step)
    # Both edges: half a step beyond the outermost sample, or the edge itself where that is near.
    before = np.where(to_start >= _NEAR * step, step / 2, to_start)
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = np.where(rise > 0, sampled * (values[first] / rise), np.inf)
    after = np.where(to_end >= _NEAR * step, step / 2, to_end)
    reach = sampled + np.minimum(before, to_zero) + after
    # In Prometheus' own order, so that a rate at a threshold is rounded to the same side of it.
    found[enough] = rise * (reach / sampled / window)
    return found
