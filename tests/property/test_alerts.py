"""Rates and the course of alerts against plain twins, written from what Prometheus' documentation says of them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.monitoring.alerts import Firing, course
from simcore.monitoring.rates import rates

START = 1_767_607_200
STEPS = (1, 15, 60)
RECORDED = Path(__file__).resolve().parents[1] / "data/rates.json"


def plain_rate(samples, begin, end):
    """The rate of a counter over ``(begin, end]``: what it rose by, extrapolated to the edges that are near.

    An edge is near within 1.1 times the mean distance of samples; else the counter is taken to go on for half of
    that. It is not taken back to before it was 0.
    """
    inside = [(time, value) for time, value in samples if begin < time <= end]
    if len(inside) < 2:
        return math.nan
    (first, low), (last, high) = inside[0], inside[-1]
    distance = (last - first) / (len(inside) - 1)
    ahead = first - begin if first - begin < 1.1 * distance else distance / 2
    if high > low:
        ahead = min(ahead, (last - first) * low / (high - low))
    behind = end - last if end - last < 1.1 * distance else distance / 2
    return (high - low) * (last - first + ahead + behind) / (last - first) / (end - begin)


@given(
    st.sampled_from(STEPS),
    st.lists(st.integers(0, 5), min_size=1, max_size=60),
    st.integers(2, 25),
    st.lists(st.integers(-3, 80), max_size=10),
    st.integers(0, 14),
)
def test_rates_are_those_of_a_plain_count(step, rises, width, at, shift):
    values = np.cumsum([0, *rises[1:]]).astype(np.float64)
    samples = [(START + step * number, value) for number, value in enumerate(values.tolist())]
    times = np.array([START + step * number + shift % step for number in at], np.int64)
    found = rates(values, START, step, width * step, times)
    expected = [plain_rate(samples, time - width * step, time) for time in times.tolist()]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "case", json.loads(RECORDED.read_text("utf-8")), ids=lambda case: f"{case['step']}-{case['window']}"
)
def test_rates_are_those_of_prometheus(case):
    """What the engine of Prometheus 3.5 answers for drawn counters that start at 0 s, to the last bit."""
    found = rates(np.array(case["values"], float), 0, case["step"], case["window"], np.array(case["at"]))
    expected = [math.nan if value is None else value for value in case["rates"]]
    np.testing.assert_array_equal(found, expected)


def plain_states(values, threshold, hold, interval):
    """The state at each evaluation: a condition that held at every evaluation for `hold` seconds fires."""
    states, held = [], 0
    for value in values:
        held = held + 1 if value > threshold else 0
        states.append("" if not held else "firing" if (held - 1) * interval >= hold else "pending")
    return states


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, math.nan]), max_size=40),
    st.sampled_from([0, 60, 90, 120]),
    st.sampled_from([15, 30, 60]),
)
def test_the_course_of_an_alert_is_that_of_its_states(values, hold, interval):
    times = [START + interval * number for number in range(len(values))]
    found = course(values, times, 1.0, hold)
    states = plain_states(values, 1.0, hold, interval)
    shown = {time for firing in found.firings for time in range(firing.begin, firing.end + 1, interval)}
    assert shown == {time for time, state in zip(times, states, strict=True) if state == "firing"}
    assert all(
        after.begin > before.end + interval - 1 for before, after in zip(found.firings, found.firings[1:], strict=False)
    )
    held = [time for time, state in zip(times, states, strict=True) if state]
    assert found.pending == min(held, default=None)


def test_an_alert_that_ends_and_comes_again_waits_again():
    found = course([2, 2, 0, 2, 2, 2], [0, 60, 120, 180, 240, 300], 1, 60)
    assert found.firings == (Firing(60, 60), Firing(240, 300))
