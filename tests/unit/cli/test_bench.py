"""The pace of a machine: a report of made-up figures, and the command on little data."""

import json
from dataclasses import replace

import pytest

from simcore.analyses.pace import Pace
from simcore.cli import bench
from simcore.cli.run import run
from simcore.report.pace import pace, pace_json
from simcore.report.render import plain_text
from tests import golden

HERE = Pace(
    pods=999,
    policies=100,
    flows=4_000_000,
    threads=8,
    build_seconds=0.05,
    table_bytes=1_780_000,
    one_thread=41.5e6,
    all_threads=310.2e6,
    replay=121.9e6,
    to_decode=1.254,
)
THERE = replace(HERE, threads=2, build_seconds=0.1, one_thread=50e6, all_threads=97.5e6, replay=50e6, to_decode=1.3)


def figures(result, published=None):
    return pace_json(result, "S", 406_000_000, "a processor, 8 cores", "1.2.3", published)


def test_the_report(update_golden):
    published = figures(THERE) | {"machine": "another, 2 cores", "peak_bytes": None}
    golden.compare("bench.txt", plain_text(pace(figures(HERE, published))), update_golden)


def test_nothing_published_is_told():
    text = plain_text(pace(figures(HERE)))
    assert "Nothing was published of this size" in text
    assert "310.2 M" in text


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(bench.FLOWS, "S", 3_000)


def test_the_command(small, capsys):
    assert run(["bench", "--size", "s", "--threads", "1", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flows"] == 3_000
    assert found["threads"] == 1
    assert all(found[name] > 0 for name in ("judged_one_thread", "judged_all_threads", "replayed", "build_seconds"))
    assert found["published"] is None or found["published"]["size"] == "S"


def test_published_figures_are_those_of_the_report():
    for size, each in bench.published().items():
        assert each.keys() == figures(HERE).keys()
        assert each["size"] == size
        assert each["published"] is None
