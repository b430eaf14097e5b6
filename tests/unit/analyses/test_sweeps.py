"""Replay and what-if: the same bytes whatever the threads and batches, and what the reference says of each flow."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from simcore.analyses.judging import judge_batch
from simcore.analyses.learning import learn_addresses
from simcore.analyses.shards import Threads
from simcore.errors import LoadError, Place
from simcore.model.addresses import Address
from simcore.model.cluster import Cluster, Namespace, Node, Pod, Service
from simcore.model.flows import End, Flow, Reason, Verdict
from simcore.model.groups import Change, Edit
from simcore.reference import Reference

ROWS = 6_000
JUDGED = ("source_address", "destination_address", "protocol", "destination_port")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    generate_cluster("S", 3, folder / "cluster")
    snapshot = loaders.load_manifests([str(folder / "cluster")])
    whole = folder / "whole.parquet"
    generate_flows(snapshot.cluster, ROWS, 5, whole)
    table = pq.read_table(whole)
    capture = folder / "capture"
    capture.mkdir()
    pq.write_table(table.slice(0, 4_000), capture / "a.parquet", row_group_size=1_500)
    pq.write_table(table.slice(4_000), capture / "b.parquet", row_group_size=900)
    return snapshot, loaders.open_capture([str(capture)])


def flows_of(capture):
    for split in capture.splits:
        for batch in capture.read(split, JUDGED, 1_000):
            yield from batch.to_pylist()


def model_flow(row):
    return Flow(model_end(row, "source"), model_end(row, "destination"), row["protocol"], row["destination_port"])


def model_end(row, end):
    value = row[f"{end}_address"]
    if value is None:
        return End()
    return End(Address.from_bytes(value if isinstance(value, bytes) else value.to_bytes(4, "big")))


def candidate_of(snapshot):
    """Every third policy gone: flows are gained, and lost where one of them allowed."""
    return tuple(policy for number, policy in enumerate(snapshot.policies) if number % 3)


def test_replay_counts_what_the_reference_says(world):
    snapshot, capture = world
    reference = Reference(snapshot.cluster, snapshot.policies)
    expected = Counter(reference.judge(model_flow(row)).verdict for row in flows_of(capture))
    result = simcore.replay(capture, snapshot.cluster, snapshot.policies)
    assert (result.allowed, result.denied, result.unknown) == tuple(expected[verdict] for verdict in Verdict)
    assert result.flows == ROWS
    assert sum(group.flows for group in result.groups) == result.denied + result.unknown
    assert sum(result.unknown_reasons.values()) == result.unknown


def test_whatif_counts_and_groups_what_the_reference_says(world):
    snapshot, capture = world
    candidate = candidate_of(snapshot)
    before = Reference(snapshot.cluster, snapshot.policies)
    after = Reference(snapshot.cluster, candidate)
    changes = Counter()
    for row in flows_of(capture):
        flow = model_flow(row)
        changes[Change.between(before.judge(flow).verdict, after.judge(flow).verdict)] += 1
    result = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate)
    assert (result.lost, result.gained, result.unknown, result.unchanged) == tuple(changes[c] for c in Change)
    assert changes[Change.LOST] + changes[Change.GAINED] > 0
    for group in result.groups:
        assert Change.between(group.before.verdict, group.after.verdict) is group.change
    found = Counter()
    for group in result.groups:
        found[group.change] += group.flows
    assert found == {change: count for change, count in changes.items() if change is not Change.UNCHANGED}


def test_an_example_is_the_earliest_flow_of_its_group(world):
    snapshot, capture = world
    result = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot))
    rows = {}
    for split in capture.splits:
        row = split.first_row
        for batch in capture.read(split, ["time", "destination_port"], 700):
            times = batch.column("time").cast(pa.int64()).to_pylist()
            for time, port in zip(times, batch.column("destination_port").to_pylist(), strict=True):
                rows[capture.files[split.file], row] = time, port
                row += 1
    for group in result.groups:
        time, port = rows[group.example.file, group.example.row]
        assert group.example.time == group.first_seen == time
        assert group.port == port


def outputs(world, folder, **settings):
    snapshot, capture = world
    folder.mkdir()
    replayed, changed = folder / "replay.parquet", folder / "changes.parquet"
    judged = simcore.replay(capture, snapshot.cluster, snapshot.policies, output=replayed, **settings)
    compared = simcore.whatif(
        capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot), output=changed, **settings
    )
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return judged.groups, compared, files


def test_threads_and_batches_change_no_byte(world, tmp_path):
    first = outputs(world, tmp_path / "one", threads=1)
    assert first == outputs(world, tmp_path / "two", threads=2, batch_rows=777)
    assert first == outputs(world, tmp_path / "three", threads=3, batch_rows=100_000)
    assert len(first[2]) == 4


def test_replay_writes_a_row_a_flow_in_the_order_of_the_capture(world, tmp_path):
    snapshot, capture = world
    output = tmp_path / "out.parquet"
    simcore.replay(capture, snapshot.cluster, snapshot.policies, output=output)
    written = pq.read_table(output).to_pylist()
    rules = pq.read_table(tmp_path / "out.rules.parquet").to_pylist()
    reference = Reference(snapshot.cluster, snapshot.policies)
    for row, result in zip(flows_of(capture), written, strict=True):
        judgement = reference.judge(model_flow(row))
        assert result["verdict"] == judgement.verdict.name
        assert result["egress_reason"] == str(judgement.egress)
        assert result["ingress_reason"] == str(judgement.ingress)
        number = result["ingress_rule"]
        rule = judgement.ingress.rule
        assert (number is None) == (rule is None)
        if rule is not None:
            assert (rules[number]["name"], rules[number]["index"]) == (rule.policy.name, rule.index)
            assert rules[number]["line"] == rule.place.line > 0


def test_an_empty_capture_has_no_flows(world, tmp_path):
    snapshot, _ = world
    path = tmp_path / "empty.parquet"
    schema = pa.schema([("source_address", pa.uint32()), ("destination_address", pa.uint32())])
    pq.write_table(schema.empty_table(), path)
    capture = loaders.open_capture([str(path)])
    result = simcore.whatif(capture, snapshot.cluster, snapshot.policies, (), output=tmp_path / "out.parquet")
    assert (result.flows, len(result.groups)) == (0, 0)
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_addresses_that_the_cluster_lacks_are_learned_from_the_capture(tmp_path):
    manifest = tmp_path / "web.yaml"
    manifest.write_text(
        """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {}
  ingress:
  - from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}]
"""
    )
    snapshot = loaders.load_manifests([str(manifest)])
    (pod,) = snapshot.cluster.pods
    path = tmp_path / "capture.parquet"
    rows = {
        "source_address": pa.array(
            [int.from_bytes(bytes(quad), "big") for quad in ((10, 2, 0, 1), (10, 1, 0, 1))], pa.uint32()
        ),
        "destination_address": pa.array([0x0A000001, 0x0A000001], pa.uint32()),
        "destination_pod": pa.array([pod.full_name, None], pa.string()),
        "destination_port": pa.array([80, 80], pa.uint16()),
        "protocol": pa.array([6, 6], pa.uint8()),
    }
    pq.write_table(pa.table(rows), path)
    result = simcore.replay(loaders.open_capture([str(path)]), snapshot.cluster, snapshot.policies)
    assert (result.allowed, result.denied, result.unknown) == (1, 1, 0)
    (group,) = result.groups
    assert group.destination == "shop/Deployment/web"


def test_the_edited_policy_is_named_and_a_moved_one_is_not_edited(world):
    snapshot, capture = world
    elsewhere = [
        replace(policy, rules=tuple(replace(rule, place=Place("moved.yaml")) for rule in policy.rules))
        for policy in snapshot.policies
    ]
    dropped, kept = elsewhere[::3], [policy for number, policy in enumerate(elsewhere) if number % 3]
    result = simcore.whatif(capture, snapshot.cluster, snapshot.policies, kept)
    for group in result.groups:
        mixed = any(o.reason is Reason.MIXED for j in (group.before, group.after) for o in (j.egress, j.ingress))
        assert group.cause or mixed
    edits = {(group.cause.policy, group.cause.edit) for group in result.groups if group.cause}
    assert edits <= {(policy.ref, Edit.REMOVED) for policy in dropped}


@pytest.mark.parametrize(
    "name", ["capture/a.parquet", "nowhere/out.parquet", "cluster/policies.yaml", "cluster", "a\udcff.parquet"]
)
def test_results_are_not_written_over_the_capture_or_to_nowhere(world, name):
    snapshot, capture = world
    folder = Path(capture.files[0]).parent.parent
    before = Path(capture.files[0]).read_bytes()
    with pytest.raises(LoadError):
        simcore.replay(capture, snapshot.cluster, snapshot.policies, output=folder / name)
    assert Path(capture.files[0]).read_bytes() == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("name", ["out.parquet", "out.rules.parquet"])
def test_results_are_not_written_over_a_link_to_the_capture(world, tmp_path, link, name):
    snapshot, capture = world
    path = tmp_path / "flows.parquet"
    path.write_bytes(Path(capture.files[0]).read_bytes())
    link(path, tmp_path / name)
    before = path.read_bytes()
    with pytest.raises(LoadError, match="is a file of the capture that is read"):
        simcore.replay(
            loaders.open_capture([str(path)]), snapshot.cluster, snapshot.policies, output=tmp_path / "out.parquet"
        )
    assert path.read_bytes() == before


def test_a_replay_that_fails_leaves_no_file(world, tmp_path):
    snapshot, capture = world

    class Broken:
        files, columns = capture.files, capture.columns
        splits = capture.splits

        def read(self, split, columns, batch_rows):
            if split is self.splits[-1]:
                raise LoadError.at(Place("b.parquet"), "broken")
            return capture.read(split, columns, batch_rows)

    with pytest.raises(LoadError, match="broken"):
        simcore.replay(Broken(), snapshot.cluster, snapshot.policies, output=tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_has_an_owner_is_not_learned_as_a_pods(tmp_path):
    homeless, owner = Pod("shop", "new", {}), Pod("shop", "old", {}, (Address.parse("10.0.0.1"),))
    node = Node("w1", (Address.parse("10.9.0.1"),))
    service = Service("shop", "web", (Address.parse("10.96.0.1"),))
    cluster = Cluster.of([Namespace("shop", {})], [homeless, owner], [node], [service])
    path = tmp_path / "capture.parquet"
    seen = ["10.9.0.1", "10.96.0.1", "10.0.0.1", "10.0.0.7"]
    rows = {
        "source_address": pa.array(seen),
        "source_pod": pa.array(["shop/new"] * 4),
        "destination_address": pa.array(["10.0.0.9"] * 4),
    }
    pq.write_table(pa.table(rows), path)
    learned = learn_addresses(loaders.open_capture([str(path)]), cluster, Threads(1), 100)
    assert learned.pods[0].addresses == (Address.parse("10.0.0.7"),)


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("protocol", pa.array([300], pa.int64())),
        ("destination_port", pa.array([700_000], pa.int64())),
        ("source_address", pa.array(["10.0.0.1"])),
        ("destination_address", pa.array([b"12345678901234567890"], pa.binary(20))),
    ],
)
def test_a_batch_of_other_types_is_refused(world, name, column):
    snapshot, _ = world
    tables = simcore.build_tables(snapshot.cluster, snapshot.policies)
    columns = {
        "source_address": pa.array([1], pa.uint32()),
        "destination_address": pa.array([2], pa.uint32()),
        "protocol": pa.array([6], pa.uint8()),
        "destination_port": pa.array([80], pa.uint16()),
    }
    judge_batch(tables, pa.RecordBatch.from_pydict(columns))
    with pytest.raises(TypeError, match=name):
        judge_batch(tables, pa.RecordBatch.from_pydict(columns | {name: column}))


def test_tallies_grow_as_they_need(monkeypatch, world, tmp_path):
    first = outputs(world, tmp_path / "one")
    monkeypatch.setattr("simcore.analyses.tally._FIRST_ROOM", 2)
    monkeypatch.setattr("simcore.analyses.tally._FIRST_SLOTS", 2)
    assert outputs(world, tmp_path / "two", batch_rows=100) == first


def test_some_groups_are_those_of_all_in_their_order(world):
    snapshot, capture = world
    every = list(simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot)).groups)
    for wanted in (
        slice(0),
        slice(1),
        slice(7),
        slice(3, 9, 2),
        slice(-2, None),
        slice(None, None, -1),
        slice(5, 0, -2),
    ):
        groups = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot)).groups
        assert list(groups[wanted]) == every[wanted]
        assert groups[wanted].flows == sum(group.flows for group in every[wanted])
    assert list(groups.dns) == [group for group in every if group.is_dns]
    assert list(groups[:9].of(Change.GAINED)) == [group for group in every[:9] if group.change is Change.GAINED]
    assert groups[-1] == every[-1]


def test_groups_are_a_table_too(world):
    snapshot, capture = world
    groups = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot)).groups
    rows = groups.to_table().drop_columns(["first_seen", "last_seen"]).to_pylist()
    for group, row in zip(groups, rows, strict=True):
        assert row["change"] == group.change.value
        assert (row["source"], row["destination"]) == (group.source, group.destination)
        assert (row["protocol"], row["port"], row["flows"]) == (group.protocol, group.port, group.flows)
        assert row["before_verdict"] == group.before.verdict.name
        assert row["after_ingress"] == str(group.after.ingress)


def test_whatif_names_the_file_of_each_changed_flow(world, tmp_path):
    snapshot, capture = world
    output = tmp_path / "out.parquet"
    result = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate_of(snapshot), output=output)
    written = pq.read_table(output)
    assert written.schema.equals(simcore.CHANGE_SCHEMA)
    places = {tuple(row.values()) for row in written.select(["file", "row"]).to_pylist()}
    assert {file for file, _ in places} == set(capture.files)
    assert {(group.example.file, group.example.row) for group in result.groups} <= places
    groups = pq.ParquetFile(output)
    for number in range(groups.num_row_groups):
        (chunk,) = groups.read_row_group(number, ["file"]).column("file").chunks
        assert len(chunk.dictionary) == 1


def test_a_replay_by_tables_is_the_one_by_cluster_and_policies(world, tmp_path):
    snapshot, capture = world
    tables = simcore.build_tables(snapshot.cluster, snapshot.policies)
    for name, arguments in (("a", (snapshot.cluster, snapshot.policies)), ("b", (tables,)), ("c", (tables,))):
        (tmp_path / name).mkdir()
        result = simcore.replay(capture, *arguments, output=tmp_path / name / "out.parquet")
        assert result.flows == ROWS
    first, *others = ([path.read_bytes() for path in sorted((tmp_path / name).iterdir())] for name in "abc")
    assert others == [first, first]


def test_a_whatif_by_tables_is_the_one_by_cluster_and_policies(world):
    snapshot, capture = world
    candidate = candidate_of(snapshot)
    expected = simcore.whatif(capture, snapshot.cluster, snapshot.policies, candidate)
    tables = simcore.build_tables(snapshot.cluster, snapshot.policies, candidate)
    assert simcore.whatif(capture, tables, snapshot.policies, candidate) == expected
    without = simcore.whatif(capture, tables)
    assert list(without.groups) == [replace(group, cause=None) for group in expected.groups]


def test_tables_have_their_own_profile(world):
    snapshot, capture = world
    profile = simcore.UPSTREAM.with_setting("ipblock_matches_pods", "false")
    tables = simcore.build_tables(snapshot.cluster, snapshot.policies, profile=profile)
    by_policies = simcore.replay(capture, snapshot.cluster, snapshot.policies, profile)
    assert simcore.replay(capture, tables).groups == by_policies.groups
    with pytest.raises(TypeError, match="give it to build_tables"):
        simcore.replay(capture, tables, profile=profile)


def test_tables_of_something_else_are_refused(world):
    snapshot, capture = world
    one = simcore.build_tables(snapshot.cluster, snapshot.policies)
    two = simcore.build_tables(snapshot.cluster, snapshot.policies, snapshot.policies)
    copies = [replace(policy, rules=tuple(map(replace, policy.rules))) for policy in snapshot.policies]
    with pytest.raises(ValueError, match="tables of 1 policy sets are needed, these are of 2"):
        simcore.replay(capture, two)
    with pytest.raises(ValueError, match="tables of 2 policy sets are needed, these are of 1"):
        simcore.whatif(capture, one)
    with pytest.raises(ValueError, match="built from other policies"):
        simcore.whatif(capture, two, snapshot.policies, copies)
    with pytest.raises(TypeError, match="policies are needed"):
        simcore.replay(capture, snapshot.cluster)


def test_tables_are_taken_as_they_are_until_addresses_are_learned(tmp_path):
    homeless = Pod("shop", "new", {})
    cluster = Cluster.of([Namespace("shop", {})], [homeless])
    path = tmp_path / "capture.parquet"
    rows = {"source_address": ["10.0.0.7"], "source_pod": ["shop/new"], "destination_address": ["10.0.0.9"]}
    pq.write_table(pa.table({**rows, "protocol": [6]}), path)
    capture = loaders.open_capture([str(path)])
    tables = simcore.build_tables(cluster, ())
    assert simcore.replay(capture, tables).flows == 1
    assert tables.cluster.pods[0].addresses == ()
    learned = simcore.learn_addresses(capture, cluster)
    assert simcore.build_tables(learned, ()).cluster.pods[0].addresses == (Address.parse("10.0.0.7"),)
