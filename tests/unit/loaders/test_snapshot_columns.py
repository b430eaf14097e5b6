"""Snapshots in Parquet: the same cluster as in JSON, from pods in columns and everything else as text."""

import dataclasses
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders import load_cluster, load_manifests, load_policies
from loaders.history.loading import load_history
from loaders.snapshots.columns import LAYOUT, SCHEMA, row_of
from loaders.snapshots.notes import Notes
from loaders.snapshots.stored import read_notes, read_stored
from loaders.snapshots.writing import check_snapshot, write_snapshot
from loaders.synthetic.cluster import cluster_documents
from simcore.errors import LoadError, Place

END = "2026-11-20T11:00:00Z"
ENDED = {"state": {"terminated": {"finishedAt": END}}}
NOTES = Notes("2026-11-20T10:00:00Z", ["services"])
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]},
}


def pod(name="web", *addresses, labels=None, spec=None, status=None, metadata=None):
    given = {"podIP": addresses[0], "podIPs": [{"ip": text} for text in addresses]} if addresses else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", **({"labels": labels} if labels else {}), **(metadata or {})},
        "spec": {"nodeName": "one", "containers": [{"ports": [{"containerPort": 80}]}], **(spec or {})},
        "status": {"phase": "Running", **given, **(status or {})},
    }


PLAIN = [
    pod("a", "10.1.0.1", labels={"app": "web"}),
    pod("b", "10.1.0.2", "fd00::2", labels={"app": "web"}),
    pod("c", "fd00::3", "10.1.0.3", labels={"app": ""}),
    pod("d"),
    pod("e", "10.1.0.4", spec={"hostNetwork": True, "serviceAccountName": "robot"}),
    pod("f", "10.1.0.5", status={"phase": "Succeeded", "startTime": "2026-11-20T09:00:00Z"}),
    pod("g", "10.1.0.6", metadata={"creationTimestamp": "2026-11-20T08:00:00Z", "deletionTimestamp": "soon"}),
    pod("h", "10.1.0.7", status={"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}]}),
    pod("i", "10.1.0.8", metadata={"ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": True}]}),
    pod("l", "10.1.0.9", status={"phase": "Failed", "containerStatuses": [ENDED]}),
    pod("m", "10.1.0.10", metadata={"creationTimestamp": "2026-11-20T08:00:00Z", "deletionTimestamp": END}),
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "j", "namespace": "shop"}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "k", "namespace": "shop"}, "spec": {}},
]
ODD = [
    pod("three", "10.2.0.1", "10.2.0.2", "fd00::1"),
    pod("elsewhere", status={"hostIP": "10.0.0.1"}, spec={"hostNetwork": True}),
    pod("single", status={"podIP": "10.2.0.3"}),
    pod("null", "10.2.0.4", metadata={"ownerReferences": None}),
    pod("late", "10.2.0.5", metadata={"creationTimestamp": "2026-11-20T08:00:00.5Z"}),
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}},
]


@pytest.fixture
def store(tmp_path):
    """Writes objects to a file; returns its path."""

    def store(*objects, name="snap.parquet", notes=NOTES):
        path = tmp_path / name
        write_snapshot(objects, path, notes)
        return str(path)

    return store


def read(path):
    return read_stored(Path(path).read_bytes(), "snap.parquet")


@pytest.mark.parametrize("found", PLAIN, ids=lambda found: found["metadata"]["name"])
def test_a_plain_pod_goes_into_columns_and_comes_out_the_same(found, store):
    assert "object" not in row_of(found)
    stored = read(store(found))
    assert stored.texts == []
    (document,) = stored.pods.documents()
    assert document.value == found
    assert (document.api_version, document.kind) == ("v1", "Pod")


@pytest.mark.parametrize("found", [*ODD, POLICY], ids=lambda found: found["metadata"]["name"])
def test_everything_else_is_a_text(found, store):
    stored = read(store(found))
    assert len(stored.pods) == 0
    assert list(map(msgspec.json.decode, stored.texts)) == [found]


def test_every_column_is_filled(store):
    filled = {name for found in [*PLAIN, POLICY] for name, value in row_of(found).items() if value is not None}
    assert filled == set(SCHEMA.names)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_cluster_is_that_of_the_json(seed, store):
    objects, policies = cluster_documents("S", seed)
    everything = [*objects, *PLAIN, *ODD, *policies]
    one, other = load_manifests([store(*everything)]), load_manifests([store(*everything, name="snap.json")])
    assert one.cluster == other.cluster
    assert [policy.ref for policy in one.policies] == [policy.ref for policy in other.policies]
    assert one.plugin == other.plugin
    assert [d.message for d in one.diagnostics] == [d.message for d in other.diagnostics]
    assert len(read(store(*everything)).pods) > 900


def test_pods_share_what_is_equal(store):
    first, second = load_cluster([store(*PLAIN[:2])]).pods
    assert first.labels is second.labels
    assert first.ports is second.ports


def test_times_are_those_of_the_json(store):
    histories = [load_history([store(*PLAIN, name=name)]) for name in ("snap.parquet", "snap.json")]
    one, other = (history.cluster for history in histories)
    assert one == other
    assert one.lives
    assert histories[0].moments == histories[1].moments


def test_snapshots_of_several_moments_are_those_of_the_json(store):
    later, moved = Notes("2026-11-20T12:00:00Z"), pod("a", "10.3.0.1", labels={"app": "web"})
    one, other = (
        load_history([store(*PLAIN, name=f"one.{kind}"), store(moved, POLICY, name=f"two.{kind}", notes=later)])
        for kind in ("parquet", "json")
    )
    assert one.cluster == other.cluster
    assert len(one.cluster.pods_named["shop/a"]) == 2
    assert one.moments == other.moments


def test_a_watch_goes_on_from_a_snapshot(store, tmp_path):
    event = {"type": "DELETED", "object": PLAIN[0]}
    (tmp_path / "watch.json").write_text(f"{msgspec.json.encode(event).decode()}\n" * 2)
    one, other = (load_history([store(*PLAIN, name=n), str(tmp_path / "watch.json")]) for n in ("s.parquet", "s.json"))
    assert one.cluster == other.cluster
    assert one.moments == other.moments


def test_what_a_snapshot_tells_of_itself_is_in_the_file_s_metadata(store):
    path = store(POLICY)
    assert pq.read_metadata(path).metadata[b"flowverdict.dev/taken-at"] == b"2026-11-20T10:00:00Z"
    assert read_notes(Path(path).read_bytes()) == NOTES
    found = load_manifests([path]).diagnostics
    assert f"{path}: {NOTES.warnings()[0]}" in map(str, found)
    assert read_notes(b"PAR1") == Notes()


def test_the_same_objects_give_the_same_bytes(store):
    first, second = (Path(store(*PLAIN, *ODD, name=f"{name}.parquet")) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_rows_stay_in_order_over_groups(store, monkeypatch):
    monkeypatch.setattr("loaders.snapshots.columns._BATCH_ROWS", 2)
    monkeypatch.setattr("loaders.snapshots.columns._GROUP_BATCHES", 2)
    path = store(*PLAIN, *ODD)
    assert pq.read_metadata(path).num_row_groups == 5
    assert [document.value for document in read(path).pods.documents()] == PLAIN
    assert load_cluster([path]) == load_cluster([store(*PLAIN, *ODD, name="snap.json")])


def errors(*paths):
    with pytest.raises(LoadError) as caught:
        load_manifests(list(paths))
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_errors_name_the_object(store):
    bad_policy = {**POLICY, "spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "none"}}]}]}}
    port = {"containers": [{"ports": [{"containerPort": 0}]}]}
    path = store(pod("p", "10.1.0.1", spec=port), pod("q", "none", "fd00::1"), pod("r", "10.1.0.2"), bad_policy)
    found = errors(path)
    assert [text.partition(": ")[0] for text in found] == [
        f"{path}, object NetworkPolicy shop/web, spec.ingress[0].from[0].ipBlock.cidr",
        f"{path}, object Pod shop/p, spec.containers[0].ports[0].containerPort",
        f"{path}, object Pod shop/q, status.podIPs",
    ]
    json = errors(store(pod("p", "10.1.0.1", spec=port), pod("q", "none", "fd00::1"), bad_policy, name="snap.json"))
    assert sorted(text.partition(": ")[2] for text in found) == sorted(text.partition(": ")[2] for text in json)


def test_rules_lead_back_to_the_object(store):
    (policy,) = load_policies([store(POLICY, *PLAIN)])
    place = policy.rules[0].place
    assert dataclasses.replace(place, file="") == Place("", 0, 0, "object NetworkPolicy shop/web, spec.ingress[0]")


def test_an_object_without_head_is_told(store):
    (found,) = errors(store({"kind": "Service", "metadata": {"name": "web"}}))
    assert "object Service web: this is not a Kubernetes object: it has no apiVersion" in found


def test_a_pod_given_again_must_be_the_same(store):
    one = store(*PLAIN[:2], name="one.parquet")
    same = store(PLAIN[1], name="same.parquet")
    other = store(pod("a", "10.9.0.1"), name="other.json")
    alike = load_manifests([one, same])
    assert len(alike.cluster.pods) == 2
    assert "already given, alike" in alike.diagnostics[-1].message
    (found,) = errors(one, other)
    assert found.startswith(f"{one}, object Pod shop/a: Pod shop/a is given twice and differs from the one at {other}")
    (found,) = errors(store(PLAIN[0], pod("a", "10.9.0.1")))
    assert "is given twice and differs" in found


def test_pods_of_several_files_are_put_together(store):
    paths = [store(*PLAIN[:3], name="one.parquet"), store(*PLAIN[3:], name="two.parquet")]
    assert load_cluster(paths) == load_cluster([store(*PLAIN)])


def test_a_capture_is_no_snapshot(tmp_path):
    path = tmp_path / "flows.parquet"
    pq.write_table(pa.table({"time": [1]}), path)
    (found,) = errors(str(path))
    assert found == f"{path}: this Parquet file is not a snapshot of a cluster. Is it a capture?"
    with pytest.raises(LoadError, match="is not a snapshot"):
        check_snapshot(path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda table: table.replace_schema_metadata({LAYOUT: "9"}),
            "layout 9, which is not known",
        ),
        (lambda table: table.drop(["rest"]), "other columns than it should"),
        (lambda table: changed_to(table, "address", 1, pa.int64()), "something else than it should"),
        (lambda table: changed_to(table, "name", None), "a pod without a name"),
        (lambda table: changed_to(table, "labels", "{"), "damaged"),
        (lambda table: changed_to(table, "labels", '{"a": 1}'), "damaged"),
        (lambda table: changed_to(table, "rest", "[]"), "damaged"),
        (lambda table: changed_to(table, "object", "{"), "an object of this snapshot cannot be read"),
        (lambda table: changed_to(table, "object", "[" * 9999 + "]" * 9999), "levels deep"),
        (lambda table: changed_to(table, "object", '{"a":' * 999 + "1" + "}" * 999), "levels deep"),
    ],
)
def test_a_file_that_something_else_changed_is_told(changed, message, store):
    path = store(*PLAIN[:2])
    pq.write_table(changed(pq.read_table(path)), path)
    assert message in errors(path)[0]


def changed_to(table, name, value, kind=None):
    column = pa.array([value] * len(table), kind or pa.string())
    return table.set_column(table.schema.get_field_index(name), name, column)


def test_a_time_beyond_all_years_is_told(store):
    path = store(*PLAIN[:2])
    table = pq.read_table(path)
    times = pa.array([1 << 60] * 2, pa.int64()).cast(pa.timestamp("ms", "UTC"))
    pq.write_table(table.set_column(SCHEMA.names.index("created"), "created", times), path)
    assert "a time beyond all years" in errors(path)[0]


def test_damage_is_an_error_or_makes_no_difference(store, tmp_path):
    path = store(*PLAIN, POLICY)
    whole = Path(path).read_bytes()
    expected = load_manifests([path])
    damaged = tmp_path / "damaged.parquet"
    cut = [whole[:size] for size in range(1, len(whole), 97)]
    flipped = [whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in range(4, len(whole), 31)]
    for data in [*cut, *flipped]:
        damaged.write_bytes(data)
        try:
            found = load_manifests([str(damaged)])
        except LoadError as error:
            assert str(damaged) in str(error)
        else:
            assert found.cluster == expected.cluster
            assert [policy.ref for policy in found.policies] == [policy.ref for policy in expected.policies]
