"""Watches and audit logs as a cluster and its policies over time."""

import gzip
import json
from contextlib import suppress
from random import Random

import pyarrow as pa
import pytest

from loaders import load_history
from loaders.history.records import Told, first_keys, read_records
from simcore.errors import LoadError
from simcore.model.names import ALWAYS
from tests.histories import at, day, lives, namespace, netpol, pod, with_metadata, write_list

BEGIN, END = ALWAYS
SECOND = 1 / 60


def event(word, found):
    return {"type": word, "object": found}


def managed(found, clock):
    return with_metadata(found, managedFields=[{"manager": "kubectl", "time": day(clock)}])


def created(found, clock, **changes):
    return with_metadata(found, creationTimestamp=day(clock), **changes)


RESOURCES = {
    "Pod": ("", "pods"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "Namespace": ("", "namespaces"),
}


def audit(clock, verb, found, *, response=True, **changes):
    group, resource = RESOURCES[found["kind"]]
    metadata = found["metadata"]
    return {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse",
        "stage": "ResponseComplete",
        "requestURI": "/",
        "verb": verb,
        "objectRef": {
            "resource": resource,
            "apiGroup": group,
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
        },
        "responseStatus": {"code": 200},
        "responseObject": found if response is True else response,
        "stageTimestamp": day(clock).replace("Z", ".250000Z"),
    } | changes


@pytest.fixture
def load(tmp_path):
    """Loads records as a stream, in one of two ways of writing them, beside a snapshot if there is one."""

    def loads(*records, before=None, indent=None, taken=None):
        path = tmp_path / "stream.log"
        path.write_text("".join(f"{json.dumps(record, indent=indent)}\n" for record in records))
        snapshots = [] if before is None else [write_list(tmp_path / "before.json", before, taken)]
        return load_history([*snapshots, str(path)])

    return loads


def warnings_of(history):
    return [f"{found.place}".rpartition("/")[2] + f": {found.message}" for found in history.diagnostics]


def names_of(history):
    return [(part.stretch, [policy.ref.name for policy in part.policies]) for part in history.parts]


def approx(found):
    return {
        key: [tuple(t if t is None else pytest.approx(t, abs=1) for t in s) for s in all_]
        for key, all_ in found.items()
    }


# Watches


@pytest.mark.parametrize("indent", [None, 4])
def test_a_watch_tells_when_pods_came_and_went(load, indent):
    web = pod(came="01:00")
    history = load(
        event("ADDED", namespace()),
        event("ADDED", web),
        event("MODIFIED", with_metadata(web, deletionTimestamp=day("02:00"), deletionGracePeriodSeconds=30)),
        event("DELETED", with_metadata(web, deletionTimestamp=day("02:00"), deletionGracePeriodSeconds=30)),
        event("ADDED", pod("api", came="02:30")),
        indent=indent,
    )
    assert lives(history.cluster) == approx({"web 10.0.0.1": [(60, 120)], "api 10.0.0.1": [(150, None)]})
    assert history.moments[0].endswith(f"5 changes, 2026-11-20T01:00:00Z to {day('02:30')}")


def test_a_pod_is_one_from_its_creation_to_its_address_and_to_its_end(load):
    pending = created(pod(address=""), "01:00")
    scheduled = {**pending, "status": {"phase": "Pending", "startTime": day("01:01")}}
    running = created(pod(came="01:01"), "01:00")
    ended = [{"state": {"terminated": {"finishedAt": day("01:30")}}}]
    done = created(pod(came="01:01", phase="Succeeded", containerStatuses=ended), "01:00")
    history = load(
        event("ADDED", pending),
        event("MODIFIED", scheduled),
        event("MODIFIED", running),
        event("MODIFIED", done),
        event("DELETED", done),
    )
    assert lives(history.cluster) == approx({"web 10.0.0.1": [(61, 90)]})
    assert not history.cluster.pods[0].finished


def test_labels_that_change_make_another_pod_of_the_same_name(load):
    web = pod(came="01:00")
    history = load(event("ADDED", web), event("MODIFIED", managed(pod(labels={"app": "other"}, came="01:00"), "02:00")))
    assert lives(history.cluster) == {"web 10.0.0.1": [(60, 120), (120, None)]}
    assert [one.labels for one in history.cluster.pods] == [{"app": "web"}, {"app": "other"}]


def test_pods_of_one_name_one_after_the_other(load):
    first = created(pod("db-0", came="01:00"), "01:00", uid="1")
    second = created(pod("db-0", "10.0.0.2", came="02:00"), "02:00", uid="2")
    history = load(event("ADDED", first), event("DELETED", managed(first, "01:30")), event("ADDED", second))
    assert lives(history.cluster) == {"db-0 10.0.0.1": [(60, 90)], "db-0 10.0.0.2": [(120, None)]}


def test_a_pod_whose_end_was_missed_went_when_the_next_of_its_name_came(load):
    first = created(pod("db-0", came="01:00"), "01:00")
    second = created(pod("db-0", "10.0.0.2", came="02:01"), "02:00")
    history = load(event("ADDED", first), event("ADDED", second))
    assert lives(history.cluster) == {"db-0 10.0.0.1": [(60, 121)], "db-0 10.0.0.2": [(121, None)]}


def test_a_watch_that_begins_anew_lists_what_it_has_listed(load):
    web = created(pod(came="01:00"), "01:00")
    later = created(pod("api", "10.0.0.2", came="02:00"), "02:00")
    history = load(event("ADDED", web), event("ADDED", later), event("ADDED", web))
    assert lives(history.cluster) == {"web 10.0.0.1": [(60, None)], "api 10.0.0.2": [(120, None)]}


def test_labels_of_namespaces_over_time(load):
    history = load(
        event("ADDED", created(namespace(team="a"), "00:30")),
        event("ADDED", pod(came="01:00")),
        event("MODIFIED", managed(namespace(team="b"), "02:00")),
    )
    teams = [one.namespace_labels and one.namespace_labels["team"] for one in history.cluster.pods]
    assert teams == ["a", None]
    assert lives(history.cluster) == {"web 10.0.0.1": [(60, 120), (120, None)]}
    assert history.cluster.namespaces["shop"].labels["team"] == "b"


def test_policies_over_time(load):
    deny = created(netpol("deny"), "01:00")
    other = managed(created(netpol("deny", "api"), "01:00"), "02:00")
    history = load(event("ADDED", deny), event("MODIFIED", other), event("DELETED", managed(other, "03:00")))
    assert names_of(history) == [
        ((BEGIN, at("01:00")), []),
        ((at("01:00"), at("02:00")), ["deny"]),
        ((at("02:00"), at("03:00")), ["deny"]),
        ((at("03:00"), END), []),
    ]
    assert history.parts[1].policies != history.parts[2].policies


def test_a_snapshot_without_time_is_of_before(load):
    history = load(
        event("DELETED", managed(netpol("old"), "02:00")),
        event("ADDED", created(netpol("new"), "03:00")),
        before=[namespace(), pod(), netpol("old")],
    )
    assert names_of(history) == [
        ((BEGIN, at("02:00")), ["old"]),
        ((at("02:00"), at("03:00")), []),
        ((at("03:00"), END), ["new"]),
    ]
    assert lives(history.cluster) == {"web 10.0.0.1": [(None, None)]}
    assert history.moments[1] == "snapshot before everything else: 3 objects, 1 file"


def test_a_snapshot_with_time_knows_what_the_stream_missed(load):
    history = load(
        event("ADDED", pod(came="01:00")),
        event("ADDED", pod("gone", "10.0.0.2", came="01:00")),
        event("ADDED", pod("late", "10.0.0.3", came="05:00")),
        before=[namespace(), pod(came="01:00"), pod("new", "10.0.0.4", came="03:30"), netpol()],
        taken="04:00",
    )
    assert lives(history.cluster) == {
        "web 10.0.0.1": [(60, None)],
        "gone 10.0.0.2": [(60, 240)],
        "new 10.0.0.4": [(210, None)],
        "late 10.0.0.3": [(300, None)],
    }
    assert names_of(history) == [(ALWAYS, ["deny"])]


def test_what_else_a_watch_writes(load):
    history = load(
        event("ADDED", pod(came="01:00")),
        event("BOOKMARK", {"apiVersion": "v1", "kind": "Pod", "metadata": {"resourceVersion": "9"}}),
        event("ERROR", {"apiVersion": "v1", "kind": "Status", "code": 410}),
        event("ADDED", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}),
        event("MODIFIED", pod(labels={"app": "other"}, came="01:00")),
        event("TURNED", pod()),
        event("ADDED", {"apiVersion": "v1", "kind": "Pod", "metadata": {}}),
        event("ADDED", {"kind": "Pod"}),
        event("ADDED", 5),
        {"a": 1},
    )
    assert dict(history.ignored) == {"v1 ConfigMap": 1}
    told = warnings_of(history)
    assert [text.partition(":")[2].partition(":")[0] for text in told[:6]] == ["3", "6", "7", "8", "9", "10"]
    assert "the watch broke off here" in told[0]
    assert told[6].startswith("input: 1 changes tell no time, so they count from the event before on")
    assert [one.labels for one in history.cluster.pods] == [{"app": "other"}]


# Audit logs


@pytest.mark.parametrize("packing", ["plain", "gzip", "zstd", "list"])
def test_an_audit_log_tells_who_was_there_and_what_held(tmp_path, packing):
    web, api = created(pod(came="01:00"), "01:00"), created(pod("api", came="02:10"), "02:05")
    dying = with_metadata(web, deletionTimestamp=day("02:01"), deletionGracePeriodSeconds=30)
    records = [
        audit("00:10", "create", created(namespace(), "00:10")),
        audit("01:00", "create", web),
        audit("01:30", "create", netpol("deny")),
        audit("02:00", "delete", dying),
        audit("02:00", "delete", with_metadata(dying, deletionGracePeriodSeconds=0)),
        audit("02:10", "patch", api),
        audit("03:00", "update", netpol("deny", "api")),
        audit("04:00", "delete", netpol("deny"), response={"kind": "Status", "apiVersion": "v1"}),
    ]
    lines = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    if packing == "list":
        lines = json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": records}).encode()
    path = tmp_path / "audit.log"
    pack = {"gzip": gzip.compress, "zstd": lambda data: pa.compress(data, "zstd", asbytes=True)}.get(packing, bytes)
    path.write_bytes(pack(lines))
    history = load_history([str(path)])
    assert lives(history.cluster) == approx({"web 10.0.0.1": [(60, 120)], "api 10.0.0.1": [(130, None)]})
    assert [names for _, names in names_of(history)] == [[], [], ["deny"], ["deny"], []]
    moments = [round((stretch[0] - at("00:00")) / 60e9) for stretch, _ in names_of(history)[1:]]
    assert moments == [10, 90, 180, 240]
    assert warnings_of(history) == []


def test_requests_that_changed_nothing(load):
    web = created(pod(came="01:00"), "01:00")
    history = load(
        audit("01:00", "create", web),
        audit("01:10", "get", web),
        audit("01:20", "delete", web, responseStatus={"code": 403}, response={"kind": "Status"}),
        audit("01:30", "delete", web, requestURI="/api/v1/namespaces/shop/pods/web?dryRun=All"),
        audit("01:40", "delete", web, stage="RequestReceived"),
        audit(
            "01:50",
            "create",
            web,
            response={"kind": "Status"},
            objectRef={"resource": "pods", "subresource": "binding"},
        ),
        audit("01:55", "create", web, objectRef={"resource": "events"}),
    )
    assert lives(history.cluster) == {"web 10.0.0.1": [(60, None)]}
    assert dict(history.ignored) == {"requests for other resources": 1}
    assert warnings_of(history)[1:] == []


def test_what_cannot_be_known_of_an_audit_log_is_counted(load):
    bare = {"level": "Metadata"}
    history = load(
        audit("01:00", "create", pod(came="01:00")),
        audit("02:00", "update", netpol(), response=None, **bare),
        audit("02:10", "patch", netpol(), response=None, **bare),
        audit("02:20", "approve", netpol()),
        audit("02:30", "update", netpol(), stageTimestamp="noon"),
        audit("03:00", "update", netpol("seen", "api")),
        audit("04:00", "delete", pod(came="01:00"), response=None, **bare),
    )
    told = warnings_of(history)
    assert "stream.log:5: this record has no stageTimestamp that is a time, so it is passed over" in told
    assert any(text.startswith("stream.log: 2 changes are recorded without their object") for text in told)
    assert any(text.startswith("stream.log: 1 requests have the verb 'approve'") for text in told)
    assert any(text.startswith("input: 1 objects are changed before anything told what they were") for text in told)
    (stretches,) = lives(history.cluster).values()
    assert stretches == approx({"": [(60, 240)]})[""]


def test_a_collection_is_deleted_one_by_one(load):
    policies = [{key: value for key, value in netpol(name).items() if key == "metadata"} for name in ("a", "b")]
    answer = {"kind": "NetworkPolicyList", "apiVersion": "networking.k8s.io/v1", "items": policies}
    history = load(
        audit("01:00", "create", netpol("a")),
        audit("01:00", "create", netpol("b")),
        audit("01:00", "create", netpol("c")),
        audit("02:00", "deletecollection", netpol(""), response=answer),
    )
    assert [names for _, names in names_of(history)] == [[], ["a", "b", "c"], ["c"]]


def test_finalizers_keep_what_is_deleted(load):
    held = created(netpol(), "01:00", deletionTimestamp=day("02:00"), deletionGracePeriodSeconds=0, finalizers=["a/b"])
    history = load(
        audit("01:00", "create", created(netpol(), "01:00")),
        audit("02:00", "delete", held),
        audit("03:00", "patch", with_metadata(held, finalizers=[])),
    )
    moments = [round((stretch[0] - at("00:00")) / 60e9) for stretch, _ in names_of(history)[1:]]
    assert moments == [60, 180]


def test_an_audit_log_of_policies_alone(tmp_path):
    path = tmp_path / "audit.log"
    records = [audit("02:00", "create", netpol("new")), audit("02:00", "create", pod("other", came="02:00"))]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    snapshot = write_list(tmp_path / "a.json", [pod(), namespace(), netpol("old")])
    history = load_history([snapshot], policies=str(path))
    assert [names for _, names in names_of(history)] == [["old"], ["new", "old"]]
    assert lives(history.cluster) == {"web 10.0.0.1": [(None, None)]}


# Files


def test_a_manifest_is_no_stream(tmp_path):
    for number, found in enumerate([pod(), {"items": [], "kind": "List"}, {"object": {}, "kind": "Pod"}]):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(found))
        assert "object" not in first_keys(str(path)) or "kind" in first_keys(str(path))
    history = load_history([write_list(tmp_path / "a.json", [pod(), namespace()])])
    assert history.moments == ()


def records_of(tmp_path, data):
    path = tmp_path / "stream.log"
    path.write_bytes(data)
    told = Told()
    found = [(record.line, json.loads(record.data)) for record in read_records(str(path), told)]
    return found, [f"{problem.place.line}: {problem.message}" for problem in told.problems]


@pytest.mark.parametrize(
    ("data", "found", "lines"),
    [
        (b'{"a":1}\n\n{"a":2}\n', [(1, {"a": 1}), (3, {"a": 2})], []),
        (b'{"a":1}{"a":2}\n{"a":3}', [(1, {"a": 1}), (1, {"a": 2}), (2, {"a": 3})], []),
        (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', [(1, {"a": 1}), (4, {"a": 2})], []),
        (b'{\n "a": 1\n}{\n "a": 2\n}\n', [(1, {"a": 1}), (3, {"a": 2})], []),
        (b'{"a":1}\n{"a":\n{"a":3}\n', [(1, {"a": 1}), (3, {"a": 3})], [2]),
        (b'{"a":1}\nnonsense\n{"a":3}\n', [(1, {"a": 1}), (3, {"a": 3})], [2]),
        (b'{"a":1}\n{\n "a": 2\n', [(1, {"a": 1})], [2]),
        (b'{"a":1}\n{"a" 2}\n{"a":3}', [(1, {"a": 1}), (3, {"a": 3})], [2]),
        (b"", [], []),
    ],
)
def test_records_and_what_is_none(tmp_path, data, found, lines):
    read, problems = records_of(tmp_path, data)
    assert read == found
    assert [int(problem.partition(":")[0]) for problem in problems] == lines


def test_brackets_without_end_are_not_tried_for_ever(tmp_path):
    data = b'{"a":[{\n' + b"},{\n" * 20_000 + b'{"b": 1}\n'
    read, problems = records_of(tmp_path, data)
    assert (20_002, {"b": 1}) in read
    assert len(problems) > 19_000


def test_a_stream_cut_off_anywhere_never_fails(tmp_path):
    records = [
        event("ADDED", pod(came="01:00")),
        event("MODIFIED", managed(netpol(), "02:00")),
        event("DELETED", pod(came="01:00")),
    ]
    data = "".join(f"{json.dumps(record)}\n" for record in records).encode()
    path = tmp_path / "stream.log"
    for end in range(40, len(data)):
        path.write_bytes(data[:end])
        history = load_history([str(path)])
        whole = data[:end].count(b"\n")
        cut = end > 0 and not data[:end].endswith(b"\n") and end + 1 < len(data) and data[end : end + 1] != b"\n"
        assert sum("cut off" in text for text in warnings_of(history)) == (1 if cut else 0), end
        assert whole <= 3


@pytest.mark.parametrize("form", ["watch", "audit log", "snapshot"])
def test_damaged_bytes_never_fail(tmp_path, form):
    web = created(pod(came="01:00"), "01:00", deletionTimestamp=day("02:00"), deletionGracePeriodSeconds=30)
    found = [namespace(), web, netpol()]
    text = {
        "watch": "".join(f"{json.dumps(event('ADDED', one))}\n" for one in found),
        "audit log": "".join(f"{json.dumps(audit('03:00', 'create', one))}\n" for one in found),
        "snapshot": json.dumps({"apiVersion": "v1", "kind": "List", "items": found}),
    }[form]
    draw = Random(1)
    path = tmp_path / "damaged.json"
    for _ in range(300):
        data = bytearray(text.encode())
        for _ in range(draw.randint(1, 3)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data[: draw.randrange(len(data))] if draw.random() < 0.2 else data)
        with suppress(LoadError):
            load_history([str(path)])


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_stream_that_is_cut_off_tells_so(tmp_path, packing):
    lines = "".join(f"{json.dumps(event('ADDED', pod(f'p{n}', f'10.0.{n // 250}.{n % 250}')))}\n" for n in range(3000))
    data = gzip.compress(lines.encode()) if packing == "gzip" else pa.compress(lines.encode(), "zstd", asbytes=True)
    path = tmp_path / "stream.log"
    path.write_bytes(data[: len(data) // 2])
    history = load_history([str(path)])
    assert any("cannot be read any further" in text for text in warnings_of(history))


@pytest.mark.parametrize(
    "found",
    [
        {"type": "ADDED", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": 5}}},
        {"type": "ADDED", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": [1]}},
        {"type": "ADDED", "object": {"apiVersion": 1, "kind": "Pod"}},
        {"type": ["ADDED"], "object": {}},
        {"type": "DELETED", "object": None},
        {"type": "ADDED", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "uid": {"b": []}}}},
        {"type": "ADDED", "object": with_metadata(pod(), creationTimestamp=[], managedFields=[{"time": 1}])},
        {
            "type": "DELETED",
            "object": with_metadata(pod(), deletionTimestamp=day("01:00"), deletionGracePeriodSeconds="x"),
        },
        {
            "type": "DELETED",
            "object": with_metadata(pod(), deletionTimestamp=day("01:00"), deletionGracePeriodSeconds=9**30),
        },
    ],
)
def test_records_of_any_shape_never_fail(load, found):
    history = load(event("ADDED", namespace()), found, event("ADDED", pod("api")))
    assert "api" in {one.name for one in history.cluster.pods}


def test_an_object_that_cannot_be_used_is_an_error_with_its_line(load):
    with pytest.raises(LoadError) as caught:
        load(event("ADDED", namespace()), event("ADDED", pod(address="10.0.0")), indent=2)
    (told,) = map(str, caught.value.diagnostics)
    assert "status.podIP" in told
    assert "stream.log:" in told


def test_a_policy_that_cannot_be_read_is_an_error(load):
    with pytest.raises(LoadError, match=r"stream\.log:1.*spec\.podSelector"):
        load(event("ADDED", {**netpol(), "spec": {"podSelector": 5}}))


def test_objects_that_a_snapshot_holds_twice(load):
    with pytest.raises(LoadError, match="is given twice and differs"):
        load(event("ADDED", namespace()), before=[pod(), pod(labels={"app": "other"})])
