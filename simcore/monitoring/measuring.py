"""From counts to metrics over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import LoadError, Place
from ..model.flows import Capture
from .counting import Counting
from .metrics import COUNTERS, Labels, Measurement, Values

DEFAULT_STEP = 15
"""Seconds between samples."""
MOST_SAMPLES = 20_000_000
"""Samples of all series together that are made."""


def check_times(capture: Capture) -> None:
    """Refuse a capture that tells no times.

    Raises
    ------
    LoadError
        It has no times at all.
    """
    if "time" not in capture.columns:
        place = Place(capture.files[0] if capture.files else "")
        raise LoadError.at(
            place, "no record has a time, without which there is nothing over time. Name it: --map time=COLUMN"
        )


def measure(counting: Counting, number: int, step: int, scale: float = 1.0) -> Measurement:
    """Make the counters of a policy set, as if scraped every `step` seconds.

    Parameters
    ----------
    counting : Counting
        After the sweep.
    number : int
        Which policy set.
    step : int
        The one that `counting` counts by.
    scale : float
        Records that stand for one of the capture.

    Raises
    ------
    LoadError
        There would be too many samples.
    """
    steps = counting.last - counting.first + 1
    samples = steps + 1 if steps > 0 else 0
    values: dict[str, dict[Labels, NDArray[np.float64]]] = {}
    made = 0
    for metric in COUNTERS:
        found: dict[Labels, NDArray[np.float64]] = {}
        for labels, amounts in counting.series(number, metric):
            made += samples
            if made > MOST_SAMPLES:
                raise LoadError.at(
                    Place("metrics"),
                    f"{steps:,} steps of {step} s make more than {MOST_SAMPLES:,} samples. Name a longer step",
                )
            total = found.setdefault(labels, np.zeros(samples))
            total[1:] += scale * np.cumsum(amounts)
        values[metric.name] = dict(sorted(found.items()))
    return Measurement(counting.first * step, step, samples, values, counting.untimed)


def with_values(measurement: Measurement, values: Values) -> Measurement:
    """Return a measurement with further metrics."""
    both = {**measurement.values, **values}
    return Measurement(measurement.start, measurement.step, measurement.samples, both, measurement.untimed)
