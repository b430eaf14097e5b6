"""Files of rules, evaluated by promtool: what it is asked, and what is made of its answer."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from simcore.errors import LoadError
from simcore.monitoring.alerts import Firing, compare, evaluation_times
from simcore.monitoring.metrics import DNS_DENIED, DROPS, WITHOUT_DENY, Measurement
from simcore.monitoring.promtool import check_rules, compare_by_promtool, find_promtool, read_states, unit_test
from simcore.monitoring.rules import RULES, rule_file

START = 1_767_607_200
TOLD = """Unit Testing:  test.json
  FAILED:
    expr: "ALERTS", time: 1m,
        exp: nil
        got: {__name__="ALERTS", alertname="A", alertstate="pending", pod="we\\"b, {x}"} 1E+00
    expr: "ALERTS", time: 1h1m30s,
        exp: nil
        got: {__name__="ALERTS", alertname="A", alertstate="firing", pod="we\\"b, {x}"} 1E+00, {__name__="ALERTS", \
alertname="B", alertstate="firing"} 1E+00
"""
FAKE = """#!/usr/bin/env python3
import json, sys
if sys.argv[1] == "check":
    text = open(sys.argv[3]).read()
    if "broken" in text:
        print(f"  FAILED:\\n{sys.argv[3]}: yaml: line 1: it is broken", file=sys.stderr)
    sys.exit("broken" in text)
if "silent" in open(json.load(open(sys.argv[3]))["rule_files"][0]).read():
    print("no memory left", file=sys.stderr)
    sys.exit(1)
test = json.load(open(sys.argv[3]))["tests"][0]
found = False
for asked in test["promql_expr_test"]:
    time = asked["eval_time"]
    for series in test["input_series"]:
        value = series["values"].split()[int(time[:-1]) // 15]
        if series["series"].startswith("cilium_drop") and float(value) > 100:
            found = True
            print(f'    expr: "ALERTS", time: {int(time[:-1]) // 60}m, \\n        exp:nil\\n        got:'
                  '{__name__="ALERTS", alertname="Drops", '
                  f'alertstate="{"firing" if int(time[:-1]) > 60 else "pending"}", node="w1"}} 1E+00', file=sys.stderr)
sys.exit(found)
"""


def drops(values):
    return Measurement(
        START, 15, len(values), {DROPS.name: {("w1", "EGRESS", "Policy denied"): np.array(values, float)}}
    )


@pytest.fixture
def promtool(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "promtool").write_text(FAKE)
    (folder / "promtool").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return find_promtool()


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("groups: []\n")
    return path


def test_states_are_read_with_times_and_labels():
    odd = ("A", (("pod", 'we"b, {x}'),))
    assert read_states(TOLD, 1000) == {odd: {1060: "pending", 4690: "firing"}, ("B", ()): {4690: "firing"}}


def test_the_test_holds_our_samples_and_expects_nothing(rules):
    test = unit_test(rules, drops([0, 1, np.nan]), [START, START + 30])
    (group,) = test["tests"]
    assert (test["evaluation_interval"], group["interval"]) == ("30s", "15s")
    series = 'cilium_drop_count_total{node="w1",direction="EGRESS",reason="Policy denied"}'
    assert group["input_series"] == [{"series": series, "values": "0.0 1.0 _"}]
    assert [asked["eval_time"] for asked in group["promql_expr_test"]] == ["0s", "30s"]
    assert json.loads(json.dumps(test)) == test


def test_before_and_after_are_asked_apart(promtool, rules):
    times = [START, START + 60, START + 120]
    quiet, loud = drops([0] * 9), drops([0, *[500] * 8])
    (alert,) = compare_by_promtool(promtool, rules, quiet, loud, times)
    assert (alert.name, alert.labels, alert.is_new) == ("Drops", (("node", "w1"),), True)
    assert alert.after.firings == (Firing(START + 120, START + 120),)
    assert (alert.after.pending, alert.after.peak, alert.before.firings) == (START + 60, None, ())


def test_a_broken_file_is_told_with_promtools_words(promtool, rules):
    rules.write_text("broken")
    with pytest.raises(LoadError, match=r"rules.yaml: yaml: line 1: it is broken"):
        check_rules(promtool, rules)
    with pytest.raises(LoadError, match="there is no such file"):
        check_rules(promtool, Path("none.yaml"))


def test_promtool_that_fails_is_no_answer(promtool, rules):
    rules.write_text("silent")
    with pytest.raises(LoadError, match="promtool could not evaluate it: no memory left"):
        list(compare_by_promtool(promtool, rules, drops([0, 1]), drops([0, 1]), [START]))


def test_without_promtool_it_is_told_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LoadError, match=r"--rules: .* not installed.*apt-get install prometheus.*Without --rules"):
        find_promtool()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_agrees_with_our_own_evaluation(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(rule_file(RULES))
    check_rules("promtool", path)
    random = np.random.default_rng(3)
    bursts = np.repeat(random.choice([0, 5, 30, 900], 20), 12)
    counters = {
        DROPS: [("w1", "EGRESS", "Policy denied"), ("w1", "INGRESS", "Policy denied")],
        DNS_DENIED: [("n", "w")],
    }
    values = {
        metric.name: {labels: np.cumsum([0, *random.poisson(bursts * (2 + number) + 1)]).astype(float)}
        for metric, series in counters.items()
        for number, labels in enumerate(series)
    }
    values[WITHOUT_DENY.name] = {("n", "egress"): np.ones(241), ("m", "egress"): np.zeros(241)}
    measured = Measurement(START, 15, 241, values)
    times = evaluation_times(measured, 60)
    ours = {
        (alert.name, alert.labels): (alert.after.pending, alert.after.firings)
        for alert in compare(RULES, measured, measured, times)
        if alert.after.pending is not None
    }
    theirs = {
        (alert.name, tuple(pair for pair in alert.labels if pair[0] not in ("severity", "cause"))): (
            alert.after.pending,
            alert.after.firings,
        )
        for alert in compare_by_promtool("promtool", path, measured, measured, times.tolist())
    }
    assert {(name, tuple(sorted(labels))): course for (name, labels), course in ours.items()} == theirs
    assert len(theirs) >= 3
