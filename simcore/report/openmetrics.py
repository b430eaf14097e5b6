"""Metrics as OpenMetrics text with timestamps."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from ..monitoring.metrics import METRICS, Labels, Measurement, Metric

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def openmetrics(measurement: Measurement) -> Iterator[str]:
    """Write metrics line by line: a family after the other, each series by time.

    A metric that has no series is told all the same, so that whoever reads it sees that there was nothing.
    """
    times = measurement.times.tolist()
    for metric in METRICS.values():
        family = metric.name.removesuffix("_total")
        yield f"# TYPE {family} {metric.kind}\n"
        yield f"# HELP {family} {metric.text.translate(_ESCAPES)}\n"
        for labels, values in measurement.values.get(metric.name, {}).items():
            name = series_name(metric, labels)
            for time, value in zip(times, values.tolist(), strict=True):
                if not isnan(value):
                    yield f"{name} {number(value)} {time}\n"
    yield "# EOF\n"


def series_name(metric: Metric, labels: Labels) -> str:
    """Write a metric with its labels: ``name{node="w1"}``; empty labels are left out."""
    given = [
        f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(metric.labels, labels, strict=True) if value
    ]
    return f"{metric.name}{{{','.join(given)}}}" if given else metric.name


def number(value: float) -> str:
    """Write a number, a whole one without a point."""
    return str(int(value)) if value.is_integer() else repr(value)
