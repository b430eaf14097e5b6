"""Clusters over time: snapshots of several moments, and what objects tell of their own times."""

import gzip
import json

import pyarrow as pa
import pytest

from loaders import History, load_history, load_manifests
from loaders.files import Source
from loaders.history.lives import life_of
from loaders.history.times import read_time, split_time, time_in_name, write_time
from loaders.reader import Reader, Skipped
from simcore.errors import LoadError
from simcore.model.names import ALWAYS
from tests.histories import at, day, lives, namespace, netpol, pod, with_metadata, write_list

SECOND = 1 / 60
BEGIN, END = ALWAYS


def errors_of(paths):
    with pytest.raises(LoadError) as caught:
        load_history(list(map(str, paths)))
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def warnings_of(history):
    return [diagnostic.message for diagnostic in history.diagnostics]


# Times in words and names


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("shop-2026-11-20T10:00:00Z.json.gz", "10:00"),
        ("20261120T100000Z.json", "10:00"),
        ("shop_2026-11-20_10-00-00.yaml", "10:00"),
        ("shop-20261120-110000+0100.json", "10:00"),
        ("audit-2026-11-20T10-00-00.000.log", "10:00"),
        ("shop-2026-11-20.json", None),
        ("shop-2026-13-20T10:00:00Z.json", None),
        ("20261120T100000Z-20261120T110000Z.json", None),
        ("v1.30.2.json", None),
        ("x202611201000001.json", None),
    ],
)
def test_the_time_in_a_name(name, time):
    assert time_in_name(name) == (time and at(time))


@pytest.mark.parametrize(
    "text",
    ["", "now", "20261120", "2026-11-20", "2026-11-20T25:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],
)
def test_what_is_not_a_time(text):
    with pytest.raises(ValueError, match="is not a time"):
        read_time(text)


def test_times_are_written_as_they_are_read():
    assert write_time(read_time("2026-11-20T11:00:00.25+01:00")) == "2026-11-20T10:00:00.250000Z"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        (f"{day('10:00')}=a.json", (day("10:00"), "a.json")),
        ("a=b.json", (None, "a=b.json")),
        ("folder/2026=b.json", (None, "folder/2026=b.json")),
        ("2026-11=b=c.json", ("2026-11", "b=c.json")),
        ("2026-11-20=", (None, "2026-11-20=")),
    ],
)
def test_a_time_before_a_path(path, parts):
    assert split_time(path) == parts


# What objects tell of themselves


def life(tmp_path, found):
    path = tmp_path / "object.json"
    path.write_text(json.dumps(found))
    problems = []
    (document,) = Reader(Source(str(path), "object.json"), problems, Skipped()).documents()
    stretch = life_of(document, problems)
    minutes = [None if time in ALWAYS else (time - at("00:00")) / 60e9 for time in stretch]
    return minutes, list(map(str, problems))


def finished(*clocks):
    return [{"state": {"terminated": {"finishedAt": day(clock)}}} for clock in clocks]


@pytest.mark.parametrize(
    ("found", "first", "end"),
    [
        (pod(), None, None),
        (pod(came="01:00"), 60, None),
        (with_metadata(pod(), creationTimestamp=day("01:00")), 60, None),
        # A static pod runs before its mirror is created.
        (with_metadata(pod(came="01:00"), creationTimestamp=day("02:00")), 60, None),
        (with_metadata(pod(came="01:00"), deletionTimestamp=day("02:00")), 60, 120 + SECOND),
        (pod(came="01:00", phase="Succeeded", containerStatuses=finished("01:10", "01:20")), 60, 80 + SECOND),
        (pod(came="01:00", phase="Running", containerStatuses=finished("01:10")), 60, None),
        (
            with_metadata(pod(came="01:00", containerStatuses=finished("01:10")), deletionTimestamp=day("02:00")),
            60,
            70 + SECOND,
        ),
        (pod(came="01:00", phase="Failed", conditions=[{"lastTransitionTime": day("01:30")}]), 60, 90 + SECOND),
        (pod(came="01:00", phase="Failed"), 60, None),
        (pod(came="01:00", phase="Failed", containerStatuses=finished("00:10")), 60, 60 + SECOND),
        (with_metadata(namespace(), creationTimestamp=day("01:00"), deletionTimestamp=day("02:00")), 60, None),
    ],
)
def test_when_an_object_was_there(tmp_path, found, first, end):
    (told, problems) = life(tmp_path, found)
    assert problems == []
    assert told == [first, pytest.approx(end) if end else None]


@pytest.mark.parametrize("value", ["yesterday", 5, True, [1], {"a": 1}, "0001-01-01T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_told_and_passed_over(tmp_path, value):
    told, problems = life(tmp_path, with_metadata(pod(), creationTimestamp=value))
    assert told == [None, None]
    assert problems == [
        "object.json:1, metadata.creationTimestamp: this is not a time, so it is passed over. "
        "Write it as 2026-11-20T10:00:00Z"
    ]


def test_a_finished_pod_had_its_address_until_its_end(tmp_path):
    done = pod("job", came="01:00", phase="Succeeded", containerStatuses=finished("01:10"))
    path = write_list(tmp_path / "a.json", [done, pod(came="02:00"), namespace()])
    cluster = load_history([path]).cluster
    assert lives(cluster) == {
        "job 10.0.0.1": [(60, pytest.approx(70 + SECOND))],
        "web 10.0.0.1": [(120, None)],
    }
    assert not cluster.pods[0].finished
    assert load_manifests([path]).cluster.pods[0].finished


def test_a_finished_pod_that_tells_no_end_owns_nothing(tmp_path):
    path = write_list(tmp_path / "a.json", [pod("job", came="01:00", phase="Failed"), namespace()])
    assert load_history([path]).cluster.pods[0].finished


def test_nodes_and_services_were_not_there_before_their_creation(tmp_path):
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "creationTimestamp": day("01:00")}}
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "shop", "creationTimestamp": day("02:00")},
        "spec": {"clusterIP": "10.96.0.1"},
    }
    cluster = load_history([write_list(tmp_path / "a.json", [node, service, namespace()])]).cluster
    assert cluster.node_lives == {0: ((at("01:00"), END),)}
    assert cluster.service_lives == {0: ((at("02:00"), END),)}


def test_without_times_all_is_as_without_history(tmp_path):
    paths = [
        write_list(tmp_path / "a.json", [pod(), namespace(), netpol()]),
        write_list(tmp_path / "b.json", [pod("api", "10.0.0.2")]),
    ]
    plain = load_manifests(paths)
    history = load_history(paths)
    assert history == History.of(plain)
    assert not history.cluster.has_lives
    assert history.moments == ()


# Snapshots of several moments


@pytest.fixture
def reused(tmp_path):
    """Two snapshots, between which an address goes from one pod to another; returns what each holds."""
    return [pod("old"), namespace(), netpol()], [pod("new", came="10:30"), namespace(), netpol(app="new")]


def check_reused(history):
    assert lives(history.cluster) == {
        "old 10.0.0.1": [(None, 630)],
        "new 10.0.0.1": [(630, None)],
    }
    assert [(part.stretch, part.policies[0].rules[0].subject) for part in history.parts] == [
        ((BEGIN, at("11:00")), history.parts[0].policies[0].rules[0].subject),
        ((at("11:00"), END), history.parts[1].policies[0].rules[0].subject),
    ]
    assert history.parts[0].policies != history.parts[1].policies
    assert [line.partition(":00Z:")[0] for line in history.moments] == [
        "snapshot of 2026-11-20T10:00",
        "snapshot of 2026-11-20T11:00",
    ]


def test_times_of_annotations(tmp_path, reused):
    paths = [write_list(tmp_path / f"{n}.json", reused[n], taken) for n, taken in enumerate(("10:00", "11:00"))]
    check_reused(load_history(paths[::-1]))


def test_times_of_names(tmp_path, reused):
    write_list(tmp_path / "20261120T100000Z.json", reused[0])
    write_list(tmp_path / "20261120T110000Z.json", reused[1])
    check_reused(load_history([str(tmp_path)]))
    check_reused(load_history([str(tmp_path / "*.json")]))


def test_times_that_the_user_gives_go_first(tmp_path, reused):
    first = write_list(tmp_path / "a-20251120T100000Z.json", reused[0])
    second = write_list(tmp_path / "b.json", reused[1], taken="12:00")
    check_reused(load_history([f"{day('10:00')}={first}", f"{day('11:00')}={second}"]))


def test_a_path_that_is_there_is_no_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = f"{day('10:00')}=a.json"
    write_list(tmp_path / name, [pod(), namespace()])
    assert [line.split(":")[0] for line in load_history([name]).moments] == ["snapshot of 2026-11-20T10"]


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_packed_snapshots(tmp_path, reused, packing):
    paths = []
    for number, taken in enumerate(("10:00", "11:00")):
        data = (tmp_path / write_list(tmp_path / f"{number}.json", reused[number], taken)).read_bytes()
        path = tmp_path / f"{number}.json.{packing}"
        path.write_bytes(gzip.compress(data) if packing == "gz" else pa.compress(data, "zstd", asbytes=True))
        paths.append(str(path))
    check_reused(load_history(paths))


def test_files_of_one_time_are_one_snapshot_and_files_without_time_are_of_all(tmp_path, reused):
    write_list(tmp_path / "pods-20261120T100000Z.json", [pod("old")])
    write_list(tmp_path / "rest-20261120T100000Z.json", [netpol()])
    write_list(tmp_path / "all-20261120T110000Z.json", [pod("new", came="10:30"), netpol(app="new")])
    write_list(tmp_path / "spaces.json", [namespace()])
    history = load_history([str(tmp_path)])
    check_reused(history)
    assert history.moments[0].endswith("1 pods, 3 files")


def test_kinds_that_a_later_snapshot_does_not_hold_go_on(tmp_path, reused):
    write_list(tmp_path / "20261120T100000Z.json", reused[0])
    write_list(tmp_path / "20261120T110000Z.json", [reused[1][0]])
    history = load_history([str(tmp_path)])
    assert [part.policies for part in history.parts] == [history.parts[0].policies] * 2
    assert warnings_of(history) == [
        "the snapshot of 2026-11-20T11:00:00Z holds none of these kinds, so those of before go on: "
        "Namespace, NetworkPolicy"
    ]


def test_what_a_whole_snapshot_does_not_hold_was_not_there(tmp_path, reused):
    write_list(tmp_path / "a.json", reused[0], "10:00")
    write_list(tmp_path / "b.json", reused[1][:2], "11:00")
    assert [len(part.policies) for part in load_history([str(tmp_path)]).parts] == [1, 0]


def test_policies_hold_from_their_creation_on(tmp_path):
    new = with_metadata(netpol("new"), creationTimestamp=day("10:20"))
    anew = with_metadata(netpol("old", "other"), creationTimestamp=day("10:40"))
    old = with_metadata(netpol("old"), creationTimestamp=day("01:00"))
    gone = with_metadata(netpol("gone"), creationTimestamp=day("01:00"))
    write_list(tmp_path / "20261120T100000Z.json", [namespace(), pod(), gone, old])
    write_list(tmp_path / "20261120T110000Z.json", [namespace(), pod(), new, anew])
    history = load_history([str(tmp_path)])
    assert [(part.stretch[0], [policy.ref.name for policy in part.policies]) for part in history.parts] == [
        (BEGIN, ["gone", "old"]),
        (at("10:20"), ["gone", "new", "old"]),
        (at("10:40"), ["gone", "new", "old"]),
        (at("11:00"), ["new", "old"]),
    ]
    olds = [next(policy for policy in part.policies if policy.ref.name == "old") for part in history.parts]
    assert [one.rules == olds[0].rules for one in olds] == [True, True, False, False]


def test_a_snapshot_of_some_namespaces_is_not_whole(tmp_path):
    write_list(tmp_path / "20261120T100000Z.json", [namespace(), pod(), netpol()])
    path = tmp_path / "b.json"
    write_list(path, [namespace(), pod()], "11:00")
    assert [len(part.policies) for part in load_history([str(tmp_path)]).parts] == [1, 0]
    found = json.loads(path.read_text())
    found["metadata"]["annotations"]["flowverdict.dev/namespaces"] = "1"
    path.write_text(json.dumps(found))
    assert {len(part.policies) for part in load_history([str(tmp_path)]).parts} == {1}


def test_snapshots_without_times_are_told_how_to_give_them(tmp_path, reused):
    paths = [write_list(tmp_path / f"{n}.json", [pod(labels={"n": str(n)}), netpol(app=str(n))]) for n in range(2)]
    told = errors_of(paths)
    assert len(told) == 3
    assert all("is given twice and differs" in text for text in told[:2])
    assert told[-1] == (
        "--cluster: 2 objects are given twice, and differently. If these files are snapshots of different times, say "
        f"when each was taken: --cluster 2026-11-20T10:00:00Z={paths[0]}, or a time such as 20261120T100000Z in its "
        "name"
    )


def test_a_conflict_within_one_file_is_not_of_times(tmp_path):
    path = write_list(tmp_path / "a.json", [pod(labels={"n": "1"}), pod(labels={"n": "2"})])
    (told,) = errors_of([path])
    assert "is given twice and differs" in told


def test_times_that_cannot_be_read(tmp_path):
    path = write_list(tmp_path / "a.json", [pod(), namespace()])
    (told,) = errors_of([f"2026-11-20={path}"])
    assert told.startswith(f"--cluster 2026-11-20={path}: '2026-11-20' is not a time. Write it as")
    (tmp_path / "b.json").write_text(
        (tmp_path / "a.json")
        .read_text()
        .replace('"metadata": {}', json.dumps("metadata") + ': {"annotations": {"flowverdict.dev/taken-at": "noon"}}')
    )
    (told,) = errors_of([tmp_path / "b.json"])
    assert "b.json, metadata.annotations[flowverdict.dev/taken-at]: 'noon' is not a time" in told


def test_every_error_of_every_snapshot_is_told(tmp_path):
    for number, clock in enumerate(("10", "11")):
        wrong = pod(f"web{number}", address="10.0.0")
        write_list(tmp_path / f"20261120T{clock}0000Z.json", [wrong, namespace()])
    told = errors_of([tmp_path, "absent.json"])
    assert len(told) == 3


def test_annotations_of_others_and_of_items_are_no_times(tmp_path):
    noted = with_metadata(pod(), annotations={"flowverdict.dev/taken-at": day("10:00")})
    paths = [write_list(tmp_path / "a.json", [noted, namespace()]), str(tmp_path / "b.json")]
    (tmp_path / "b.json").write_text(json.dumps(pod("api", "10.0.0.2")))
    assert load_history(paths).moments == ()
