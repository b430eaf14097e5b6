"""Files of Prometheus rules, evaluated by Prometheus itself: its promtool runs them over our metrics as a unit test.

The test expects that there are never any ``ALERTS``; what promtool says it got instead is the answer.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import LoadError, Place
from .alerts import QUIET, Alert, Course, Firing, Pairs
from .metrics import METRICS, Measurement

PROGRAM = "promtool"
_EXPRESSION = "ALERTS"
_FAILURE = re.compile(r'expr: "ALERTS", time: (\S+?),\s+exp:\s*"?nil"?\s+got:(.*)')
_SERIES = re.compile(r'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)=("(?:[^"\\]|\\.)*")')
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}

Key = tuple[str, Pairs]
"""Name of an alert, and its labels."""


def find_promtool() -> str:
    """Return where promtool is installed.

    Raises
    ------
    LoadError
        It is not.
    """
    found = shutil.which(PROGRAM)
    if found is None:
        raise LoadError.at(
            Place("--rules"),
            f"a file of rules is evaluated by Prometheus' own {PROGRAM}, which is not installed. It comes with "
            "Prometheus (Debian and Ubuntu: apt-get install prometheus); put it on the PATH. Without --rules the "
            "built-in alerts are evaluated, which need nothing",
        )
    return found


def check_rules(promtool: str, rules: Path) -> None:
    """Let promtool check a file of rules.

    Raises
    ------
    LoadError
        It is no file of rules, and what promtool has against it.
    """
    if not rules.is_file():
        raise LoadError.at(Place(str(rules)), "there is no such file. Name a file of Prometheus rules")
    done = _run([promtool, "check", "rules", str(rules)])
    if done.returncode:
        told = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        reasons = [line.removeprefix(f"{rules}: ") for line in told if line != "FAILED:"]
        raise LoadError.at(Place(str(rules)), "; ".join(reasons) or f"{PROGRAM} refuses it")


def compare_by_promtool(
    promtool: str, rules: Path, before: Measurement, after: Measurement, times: Sequence[int]
) -> Iterator[Alert]:
    """Evaluate a file of rules over metrics before and after a change; alerts by name and labels."""
    was = courses_by_promtool(promtool, rules, before, times)
    becomes = was if before is after else courses_by_promtool(promtool, rules, after, times)
    for name, labels in sorted({*was, *becomes}):
        key = name, labels
        yield Alert(name, labels, was.get(key, QUIET), becomes.get(key, QUIET))


def courses_by_promtool(
    promtool: str, rules: Path, measurement: Measurement, times: Sequence[int]
) -> dict[Key, Course]:
    """Return the courses of all alerts of a file of rules whose conditions hold at some time.

    Raises
    ------
    LoadError
        promtool does not answer as it should.
    """
    if not times:
        return {}
    with TemporaryDirectory(prefix="flowverdict-") as folder:
        test = Path(folder) / "test.json"
        test.write_text(json.dumps(unit_test(rules, measurement, times)), "utf-8")
        done = _run([promtool, "test", "rules", str(test)])
    told = f"{done.stdout}\n{done.stderr}"
    states = read_states(told, times[0])
    if done.returncode not in (0, 1) or bool(states) != bool(done.returncode):
        lines = [line.strip() for line in told.splitlines() if line.strip()]
        raise LoadError.at(Place(str(rules)), f"{PROGRAM} could not evaluate it: {'; '.join(lines[-3:])}")
    return _courses(states, times)


def unit_test(rules: Path, measurement: Measurement, times: Sequence[int]) -> dict[str, object]:
    """Make promtool's test of a file of rules: our metrics from time 0 on, and the expectation of no alert at all."""
    interval = times[1] - times[0] if len(times) > 1 else measurement.step
    expectations = [
        {"expr": _EXPRESSION, "eval_time": f"{time - times[0]}s", "exp_samples": list[object]()} for time in times
    ]
    return {
        "rule_files": [str(rules.resolve())],
        "evaluation_interval": f"{interval}s",
        "tests": [
            {
                "interval": f"{measurement.step}s",
                "input_series": list(_input_series(measurement)),
                "promql_expr_test": expectations,
            }
        ],
    }


def _input_series(measurement: Measurement) -> Iterator[dict[str, str]]:
    for name, held in measurement.values.items():
        for labels, values in held.items():
            named = zip(METRICS[name].labels, labels, strict=True)
            shown = ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in named if value)
            yield {
                "series": f"{name}{{{shown}}}",
                "values": " ".join("_" if isnan(value) else repr(value) for value in values.tolist()),
            }


def read_states(told: str, begin: int) -> dict[Key, dict[int, str]]:
    """Read from what promtool tells the state of each alert, ``pending`` or ``firing``, by time."""
    states: dict[Key, dict[int, str]] = {}
    for match in _FAILURE.finditer(told):
        time = begin + _seconds(match[1])
        for series in _SERIES.finditer(match[2]):
            labels = {name: ast.literal_eval(value) for name, value in _LABEL.findall(series[1])}
            name, state = labels.pop("alertname"), labels.pop("alertstate")
            labels.pop("__name__", None)
            states.setdefault((name, tuple(sorted(labels.items()))), {})[time] = state
    return states


def _seconds(text: str) -> int:
    """Read a time as Prometheus writes it: ``1h5m``."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([dhms])", text))


def _courses(states: Mapping[Key, Mapping[int, str]], times: Sequence[int]) -> dict[Key, Course]:
    found: dict[Key, Course] = {}
    for key, by_time in states.items():
        firings: list[Firing] = []
        was_firing = False
        for time in times:
            is_firing = by_time.get(time) == "firing"
            if is_firing:
                firings = (
                    [*firings[:-1], Firing(firings[-1].begin, time)] if was_firing else [*firings, Firing(time, time)]
                )
            was_firing = is_firing
        found[key] = Course(min(by_time), tuple(firings), None)
    return found


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
