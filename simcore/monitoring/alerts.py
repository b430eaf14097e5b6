"""Alerts: which rules would fire on some metrics, when and for whom, by Prometheus' own way of evaluating them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from .attempts import Attempts
from .metrics import Measurement
from .rates import rates
from .rules import WINDOW, Rule

DEFAULT_INTERVAL = 60
"""Seconds between evaluations, Prometheus' own default."""

Pairs = tuple[tuple[str, str], ...]
"""Labels of an alert, by name."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A time for which an alert fires: its first and its last evaluation, in seconds since 1970."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Course:
    """How an alert for one set of labels went.

    Attributes
    ----------
    pending : int or None
        When its condition first held, seconds since 1970; None: never.
    firings : tuple of Firing
        In order; none where it never held for long enough.
    peak : float or None
        The highest value that is compared with the threshold; None where it is not known.
    """

    pending: int | None
    firings: tuple[Firing, ...]
    peak: float | None


QUIET = Course(None, (), None)


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert for one set of labels, before and after a change.

    Attributes
    ----------
    name : str
    labels : tuple of (str, str)
    before, after : Course
        The same where there is no change.
    rule : Rule or None
        The one of ours that it is of; None where it is of a file's.
    """

    name: str
    labels: Pairs
    before: Course
    after: Course
    rule: Rule | None = None

    @property
    def is_new(self) -> bool:
        """Whether it fires after the change, and at no time before."""
        return bool(self.after.firings) and not self.before.firings


@dataclass(frozen=True)
class AlertsResult:
    """Which alerts would fire.

    Attributes
    ----------
    flows : int
        Records of the capture.
    begin, end : int
        First and last evaluation, in seconds since 1970.
    step, interval : int
        Seconds between samples, and between evaluations.
    rules : tuple of Rule
        Those of ours that were evaluated; none where a file of rules was.
    source : str
        The file of rules; empty where our own were evaluated.
    alerts : tuple of Alert
        Those of which the condition held at some time; where our own rules were evaluated, all that have any series.
    has_change : bool
    untimed : int
        Records without time, which are left out.
    unknown : int
        Records whose verdict after the change is not known, which count as neither dropped nor let through.
    scale : float
        Records that stand for one of the capture.
    attempts : Attempts
        How often clients are taken to try.
    """

    flows: int
    begin: int
    end: int
    step: int
    interval: int
    rules: tuple[Rule, ...]
    source: str
    alerts: tuple[Alert, ...]
    has_change: bool
    untimed: int
    unknown: int
    scale: float
    attempts: Attempts

    @property
    def firing_before(self) -> tuple[Alert, ...]:
        """The alerts that fire before the change."""
        return tuple(alert for alert in self.alerts if alert.before.firings)

    @property
    def firing_after(self) -> tuple[Alert, ...]:
        """The alerts that fire after the change."""
        return tuple(alert for alert in self.alerts if alert.after.firings)

    @property
    def new(self) -> tuple[Alert, ...]:
        """The alerts that fire after the change, and at no time before."""
        return tuple(alert for alert in self.alerts if alert.is_new)


def evaluation_times(measurement: Measurement, interval: int) -> NDArray[np.int64]:
    """Return when rules are evaluated: from the first sample to the last, in seconds since 1970."""
    if not measurement.samples:
        return np.empty(0, np.int64)
    return np.arange(measurement.start, measurement.end + 1, interval, dtype=np.int64)


def evaluate(rule: Rule, measurement: Measurement, times: NDArray[np.int64]) -> dict[Pairs, NDArray[np.float64]]:
    """Return what a rule compares with its threshold at some times, by labels; not a number where there is nothing."""
    names = rule.metric.labels
    sums: dict[Pairs, NDArray[np.float64]] = {}
    for labels, values in measurement.values.get(rule.metric.name, {}).items():
        by_name = dict(zip(names, labels, strict=True))
        key = tuple((name, by_name[name]) for name in rule.by if by_name[name])
        if rule.is_rate:
            found = rates(values, measurement.start, measurement.step, WINDOW, times)
        else:
            found = values[(times - measurement.start) // measurement.step]
        held = sums.get(key)
        sums[key] = found if held is None else np.where(np.isnan(held), found, held + np.nan_to_num(found))
    return sums


def course(values: Sequence[float], times: Sequence[int], threshold: float, hold: int) -> Course:
    """Follow an alert through its evaluations: pending once its condition holds, firing once it has held for long."""
    pending: int | None = None
    since: int | None = None
    firings: list[Firing] = []
    for value, time in zip(values, times, strict=True):
        if isnan(value) or value <= threshold:
            since = None
            continue
        is_going_on = since is not None and bool(firings) and firings[-1].begin >= since
        since = time if since is None else since
        pending = since if pending is None else pending
        if is_going_on:
            firings[-1] = Firing(firings[-1].begin, time)
        elif time - since >= hold:
            firings.append(Firing(time, time))
    known = [value for value in values if not isnan(value)]
    return Course(pending, tuple(firings), max(known, default=None))


def courses(rule: Rule, measurement: Measurement, times: NDArray[np.int64]) -> dict[Pairs, Course]:
    """Return the course of an alert for each set of labels."""
    moments = times.tolist()
    return {
        labels: course(values.tolist(), moments, rule.threshold, rule.hold)
        for labels, values in evaluate(rule, measurement, times).items()
    }


def compare(
    rules: Sequence[Rule], before: Measurement, after: Measurement, times: NDArray[np.int64]
) -> Iterator[Alert]:
    """Evaluate rules over metrics before and after a change; alerts in the order of rules, then of labels."""
    if not times.size:
        return
    for rule in rules:
        was = courses(rule, before, times)
        becomes = was if before is after else courses(rule, after, times)
        for labels in sorted({*was, *becomes}):
            yield Alert(rule.alert, labels, was.get(labels, QUIET), becomes.get(labels, QUIET), rule)
