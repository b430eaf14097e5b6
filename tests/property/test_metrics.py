"""Metrics against a plain count of what replay writes, row by row; and whatever the threads and batches."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from simcore.monitoring.attempts import Attempts
from simcore.monitoring.counting import Counting
from simcore.monitoring.measuring import measure
from simcore.monitoring.metrics import COUNTERS, DROPS, FLOWS, FORWARDED, METRICS
from simcore.report.openmetrics import openmetrics

ROWS = 6_000
STEP = 60
ONCE = Attempts(1, 1)
SAID = {"ALLOW": "FORWARDED", "DENY": "DROPPED", "UNKNOWN": "VERDICT_UNKNOWN"}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    generate_cluster("S", 7, folder / "cluster")
    snapshot = loaders.load_manifests([str(folder / "cluster")])
    whole = folder / "whole.parquet"
    generate_flows(snapshot.cluster, ROWS, 5, whole)
    table = pq.read_table(whole)
    times = table.column("time").cast(pa.int64()).to_pylist()
    gone = pa.array([None if row % 50 == 0 else time for row, time in enumerate(times)], pa.timestamp("ns"))
    table = table.set_column(table.schema.get_field_index("time"), "time", gone)
    pq.write_table(table, whole, row_group_size=900)
    return snapshot, loaders.open_capture([str(whole)]), table


def counted(world, attempts=ONCE, step=STEP, **settings):
    snapshot, capture, _ = world
    made = []

    def observing(tables, oriented):
        made.append(Counting(tables, oriented, step, attempts))
        return made[0]

    result = simcore.replay(capture, snapshot.cluster, snapshot.policies, observing=observing, **settings)
    return result, made[0]


def total(measurement, metric, **wanted):
    """The last value of the series of a metric that have some labels, added up."""
    found = 0
    for labels, values in measurement.values[metric.name].items():
        named = dict(zip(metric.labels, labels, strict=True))
        found += values[-1] if wanted.items() <= named.items() else 0
    return found


def test_the_steps_add_up_to_what_replay_counts(world):
    result, counting = counted(world)
    measurement = measure(counting, 0, STEP)
    untimed = world[2].column("time").null_count
    assert measurement.untimed == untimed > 0
    assert total(measurement, FLOWS) == result.flows - untimed


def test_each_step_is_what_a_plain_count_finds(world, tmp_path):
    out = tmp_path / "out.parquet"
    _, counting = counted(world, output=out)
    measurement = measure(counting, 0, STEP)
    words = pq.read_table(out).column("verdict").to_pylist()
    times = world[2].column("time").cast(pa.int64()).to_pylist()
    packets = world[2].column("packets").to_pylist()
    expected, seen = Counter(), Counter()
    for time, word in zip(times, words, strict=True):
        if time is not None:
            expected[SAID[word], time // (STEP * 10**9) * STEP] += 1
    for labels, values in measurement.values[FLOWS.name].items():
        assert values[0] == 0
        for time, amount in zip(measurement.times[:-1].tolist(), np.diff(values).tolist(), strict=True):
            seen[labels[-1], time] += int(amount)
    assert +seen == expected
    flags, protocols = (world[2].column(name).to_pylist() for name in ("tcp_flags", "protocol"))
    knocks = [f is not None and f & 0x12 == 0x02 and p == 6 for f, p in zip(flags, protocols, strict=True)]
    denied = sum(
        (many or 1) if knock else 1
        for time, word, many, knock in zip(times, words, packets, knocks, strict=True)
        if word == "DENY" and time is not None
    )
    assert total(measurement, DROPS) == denied > 0
    allowed = sum(
        1 if many is None else many
        for many, word, time in zip(packets, words, times, strict=True)
        if word == "ALLOW" and time is not None
    )
    assert 0 < total(measurement, FORWARDED, direction="EGRESS") <= allowed


def test_what_is_tried_again_comes_later_and_is_cut_at_the_end_of_the_capture(world):
    once, often = (measure(counted(world, attempts)[1], 0, STEP) for attempts in (ONCE, Attempts(2, 3)))
    assert often.samples == once.samples
    for labels, values in often.values[DROPS.name].items():
        assert (values >= once.values[DROPS.name][labels]).all()
    assert total(often, DROPS) > total(once, DROPS)
    assert once.values[FLOWS.name].keys() == often.values[FLOWS.name].keys()


@pytest.mark.parametrize("settings", [{"threads": 2}, {"threads": 2, "batch_rows": 77}, {"batch_rows": 501}], ids=str)
def test_threads_and_batches_change_no_byte(world, settings):
    texts = [
        "".join(openmetrics(measure(counted(world, Attempts(), 15, **chosen)[1], 0, 15)))
        for chosen in ({"threads": 1}, settings)
    ]
    assert texts[0] == texts[1]


def test_the_text_is_openmetrics(world):
    """Families in one piece, each told its type; samples of a series by time; an end."""
    lines = "".join(openmetrics(measure(counted(world)[1], 0, STEP, 0.5))).splitlines()
    assert lines[-1] == "# EOF"
    told = [line.split()[2:4] for line in lines if line.startswith("# TYPE")]
    assert told == [[metric.name.removesuffix("_total"), metric.kind] for metric in METRICS.values()]
    last = {}
    order = []
    for line in lines:
        if line.startswith("#"):
            continue
        series, value, time = line.rsplit(" ", 2)
        name = series.partition("{")[0]
        if not order or order[-1] != series:
            assert series not in last
            order.append(series)
        assert int(time) > last.get(series, (0, -1))[0]
        assert float(value) >= last.get(series, (0, 0))[1]
        last[series] = int(time), float(value)
        assert METRICS[name]
    assert {series.partition("{")[0] for series in order} <= {metric.name for metric in COUNTERS}
