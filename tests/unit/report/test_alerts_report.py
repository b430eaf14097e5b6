"""The report of alerts, at several widths and as data."""

import pytest

from simcore.monitoring.alerts import QUIET, Alert, AlertsResult, Course, Firing
from simcore.monitoring.attempts import Attempts
from simcore.monitoring.rules import RULES
from simcore.report.alerts import alerts, alerts_json
from simcore.report.layout import Layout
from simcore.report.render import PIPE, json_text, plain_text
from tests import golden

BEGIN = 1_767_607_200
END = BEGIN + 3600
DROPS, DNS, _, DENY, INTERNET = RULES


def firing(pending, *stretches, peak=None):
    return Course(BEGIN + pending, tuple(Firing(BEGIN + first, BEGIN + last) for first, last in stretches), peak)


def sample(**changed):
    wide = (("namespace", "kube-system"), ("workload", "Deployment/coredns"))
    held = (
        Alert(DROPS.alert, (("node", "node-1"),), Course(None, (), 0.958), Course(None, (), 99.5), DROPS),
        Alert(DROPS.alert, (("node", "node-2"),), QUIET, firing(3480, peak=100.4), DROPS),
        Alert(DNS.alert, (("namespace", "shop"),), QUIET, firing(300, (360, 900), (1815, 3600), peak=11.34), DNS),
        Alert(
            DENY.alert, (("namespace", "shop"), ("direction", "egress")), firing(0, (0, 3600), peak=1.0), QUIET, DENY
        ),
        Alert(INTERNET.alert, wide, *[firing(60, (60, 3600), peak=1.03)] * 2, INTERNET),
    )
    given = {
        "flows": 200_000,
        "begin": BEGIN,
        "end": END,
        "step": 15,
        "interval": 60,
        "rules": RULES,
        "source": "",
        "alerts": held,
        "has_change": True,
        "untimed": 0,
        "unknown": 0,
        "scale": 1.0,
        "attempts": Attempts(),
    }
    return AlertsResult(**{**given, **changed})


WIDTHS = {"pipe": PIPE, "80": Layout(80, 80), "120": Layout(110, 120)}


@pytest.mark.parametrize("width", WIDTHS)
def test_the_text(width, update_golden):
    golden.compare(f"alerts-{width}.txt", plain_text(alerts(sample(), 20), WIDTHS[width]), update_golden)


def test_the_json(update_golden):
    golden.compare("alerts.json", json_text(alerts_json(sample())), update_golden)


def test_what_is_told_without_a_change_and_of_a_file():
    held = tuple(Alert("Mine", (("pod", f"p{number}"),), *[firing(0, (0, 3600))] * 2) for number in range(3))
    text = plain_text(alerts(sample(alerts=held, rules=(), source="r.yaml", has_change=False, scale=10.0), 2))
    assert "3 alerts would fire." in text
    assert "pod p1  fires from the start" in text
    assert "... and 1 more (--limit)" in text
    assert "Each record stands for 10 (--scale)." in text
    assert "Rates are taken over 5 min" not in text


def test_a_short_capture_and_one_without_times_are_warned_of():
    assert "shorter than the 5 min" in plain_text(alerts(sample(end=BEGIN + 120), 20))
    nothing = sample(begin=0, end=-1, alerts=())
    assert plain_text(alerts(nothing, 20)).splitlines()[2:] == [
        "WARNING  No record tells a time, so that there is nothing to evaluate."
    ]
    assert (alerts_json(nothing)["begin"], alerts_json(nothing)["end"]) == (None, None)
    assert "The verdict of 12 flows (<0.1%) is not known" in plain_text(alerts(sample(unknown=12), 20))
    assert "7 records without time" in plain_text(alerts(sample(untimed=7), 20))


def test_times_of_several_days_tell_their_day():
    text = plain_text(alerts(sample(end=BEGIN + 86_400), 20))
    assert "fires from 01-05 10:06 (+6 min) to 01-05 11:00, 2 times" in text
