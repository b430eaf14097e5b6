"""Captures judged against a cluster and policies over time: every command, the same whatever the batches."""

from dataclasses import replace
from random import Random

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from simcore.analyses.prepared import prepare
from simcore.analyses.sessions.stateful import StatefulOptions
from simcore.analyses.shards import Threads
from simcore.analyses.sizing.sizing import Assumptions, size
from simcore.analyses.verify import verify
from simcore.model.addresses import Address
from simcore.model.conntrack import LINUX
from simcore.model.flows import End, Flow, Verdict
from simcore.model.names import ALWAYS
from simcore.model.timeline import PolicyHistory, over_time
from simcore.reference.moments import TimedReference
from simcore.report.sizing_json import sizing_json

ROWS, MOMENTS = 2_000, 16


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A cluster half of whose pods come, go and change, a history of policies, and a capture with and without times."""
    folder, random = tmp_path_factory.mktemp("world"), Random(11)
    generate_cluster("S", 3, folder / "cluster")
    snapshot = loaders.load_manifests([str(folder / "cluster")])
    path = folder / "flows.parquet"
    generate_flows(snapshot.cluster, ROWS, 5, path)
    table = pq.read_table(path)
    held = table["time"].cast(pa.int64()).to_pylist()
    begin, end = min(held), max(held) + 1
    step = (end - begin) // MOMENTS
    rounded = [None if random.random() < 0.02 else begin + (value - begin) // step * step for value in held]
    column = pa.array(rounded, pa.int64()).cast(table["time"].type)
    pq.write_table(table.set_column(table.schema.get_field_index("time"), "time", column), path, row_group_size=700)
    middle = (begin + end) // 2
    pods = [lived for pod in snapshot.cluster.pods for lived in lives_of(random, pod, begin, end)]
    cluster = over_time(
        [(space, (ALWAYS,)) for space in snapshot.cluster.namespaces.values()],
        pods,
        [(node, (ALWAYS,)) for node in snapshot.cluster.nodes],
        [(service, (ALWAYS,)) for service in snapshot.cluster.services],
    )
    fewer = tuple(policy for number, policy in enumerate(snapshot.policies) if number % 3)
    history = PolicyHistory.of([(0, snapshot.policies), (middle, fewer)])
    return cluster, history, loaders.open_capture([str(path)])


def lives_of(random, pod, begin, end):
    """A pod that is always there; or that goes, and another with its address comes at once or after a while."""
    if random.random() < 0.5:
        return [(pod, (ALWAYS,))]
    time = random.randrange(begin, end)
    later = time + random.choice([0, (end - time) // 3])
    other = replace(pod, name=random.choice([pod.name, f"{pod.name}-2"]), labels={"app": "other"})
    return [(pod, ((ALWAYS[0], time),)), (other, ((later, ALWAYS[1]),))]


def judgements(world):
    """What the reference says of every row at its time."""
    cluster, history, capture = world
    reference, known = TimedReference(cluster, history), {}
    columns = ["time", "source_address", "destination_address", "protocol", "destination_port"]
    for split in capture.splits:
        for batch in capture.read(split, columns, 1_000):
            times = batch["time"].cast(pa.int64()).to_pylist()
            for time, row in zip(times, batch.drop_columns(["time"]).to_pylist(), strict=True):
                source, destination = (End(address_of(row[f"{end}_address"])) for end in ("source", "destination"))
                key = Flow(source, destination, row["protocol"], row["destination_port"]), time
                if key not in known:
                    known[key] = reference.judge(*key)
                yield known[key]


def address_of(value):
    return Address.from_bytes(value if isinstance(value, bytes) else value.to_bytes(4, "big"))


def test_replay_says_what_the_reference_of_each_moment_says(world, tmp_path):
    cluster, history, capture = world
    result = simcore.replay(capture, cluster, history, output=tmp_path / "out.parquet")
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    expected = [one.verdict.name for one in judgements(world)]
    assert [row["verdict"] for row in rows] == expected
    assert {"nobody-then", "mixed"} <= result.unknown_reasons.keys()
    assert set(expected) == {"ALLOW", "DENY", "UNKNOWN"}


def test_neither_threads_nor_batches_matter(world, tmp_path):
    cluster, history, capture = world
    results = []
    for number, (threads, batch_rows) in enumerate([(1, 100_000), (2, 97)]):
        path = tmp_path / f"{number}.parquet"
        result = simcore.replay(capture, cluster, history, threads=threads, batch_rows=batch_rows, output=path)
        results.append((result.groups, path.read_bytes()))
    assert results[0] == results[1]


def test_a_what_if_holds_the_history_against_the_history_edited(world):
    cluster, history, capture = world
    gone = history[1][1][0].ref
    edited = history.changed(lambda held: [policy for policy in held if policy.ref != gone])
    found = simcore.whatif(capture, cluster, history, edited)
    before, after = (simcore.replay(capture, cluster, policies) for policies in (history, edited))
    changes = sum(abs(number) for number in (after.denied - before.denied, after.allowed - before.allowed))
    assert found.lost + found.gained >= changes / 2 > 0
    assert {group.cause.policy for group in found.groups if group.cause} == {gone}
    same = simcore.whatif(capture, cluster, history, history)
    assert (same.lost, same.gained, same.unknown) == (0, 0, 0)


def test_the_policies_of_one_time_are_the_same_as_a_history_of_them(world):
    cluster, history, capture = world
    found = [simcore.replay(capture, cluster, held) for held in (history[0][1], PolicyHistory.constant(history[0][1]))]
    assert found[0].groups == found[1].groups


def test_connections_are_followed_over_time(world):
    cluster, history, capture = world
    found = simcore.replay(capture, cluster, history, stateful=StatefulOptions())
    again = simcore.replay(capture, cluster, history, stateful=StatefulOptions(), threads=1, batch_rows=61)
    assert found.flows == ROWS
    assert found.groups == again.groups
    assert "nobody-then" in found.unknown_reasons


def test_tables_are_sized_over_time(world):
    cluster, history, capture = world
    found = size(capture, cluster, Assumptions(history, LINUX))
    again = size(capture, cluster, Assumptions(history, LINUX), threads=1, batch_rows=61)
    assert sizing_json(found) == sizing_json(again)


def test_recorded_verdicts_are_compared_over_time(world, tmp_path):
    cluster, history, capture = world
    verdicts = {Verdict.ALLOW: "forwarded", Verdict.DENY: "dropped", Verdict.UNKNOWN: None}
    table = pq.read_table(capture.files[0])
    told = pa.array([verdicts[one.egress.verdict] for one in judgements(world)])
    path = tmp_path / "told.parquet"
    pq.write_table(table.append_column("egress_verdict", told), path)
    found = verify(loaders.open_capture([str(path)]), cluster, history)
    assert found.comparable == len(told) - told.null_count > 0
    assert found.agrees


def test_sets_of_other_times_than_the_capture_are_not_built(world, tmp_path):
    cluster, history, capture = world
    before = PolicyHistory.of([*((time, history[time % 2][1]) for time in range(20)), (20, history[0][1])])
    assert len(before) > 10
    timed = tmp_path / "timed.parquet"
    table = pq.read_table(capture.files[0])
    pq.write_table(table.filter(pa.compute.is_valid(table["time"])), timed)
    for path, has_eras in ((timed, False), (capture.files[0], True)):
        found = loaders.open_capture([str(path)])
        tables = prepare(found, cluster, [before], None, Threads(1), 1000)
        assert (tables.eras is not None) is has_eras
        assert simcore.replay(found, cluster, before).flows == sum(split.rows for split in found.splits)
