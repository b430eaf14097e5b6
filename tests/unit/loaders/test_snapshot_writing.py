"""Snapshots as they are written, and what they tell of themselves."""

import gzip
import json

import pytest

from loaders import load_manifests
from loaders.snapshots.notes import Notes
from loaders.snapshots.writing import check_snapshot, write_snapshot
from simcore.errors import LoadError

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}
NODE = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "one"}}
NOTES = Notes("2026-11-20T10:00:00Z", ["services", "nodes"], 2)


@pytest.mark.parametrize("name", ["snap.json", "snap.json.gz"])
def test_a_snapshot_is_a_list_that_tells_of_itself(name, tmp_path):
    path = tmp_path / name
    write_snapshot(iter([POD, NODE]), path, NOTES)
    data = path.read_bytes()
    found = json.loads(gzip.decompress(data) if name.endswith(".gz") else data)
    assert found["kind"] == "List"
    assert found["items"] == [POD, NODE]
    assert found["metadata"]["annotations"] == {
        "flowverdict.dev/taken-at": "2026-11-20T10:00:00Z",
        "flowverdict.dev/missing": "services, nodes",
        "flowverdict.dev/namespaces": "2",
    }
    assert Notes.of(found["metadata"]["annotations"]) == NOTES
    assert [pod.full_name for pod in load_manifests([str(path)]).cluster.pods] == ["shop/web"]


def test_the_same_objects_give_the_same_bytes(tmp_path):
    for name in ("a.json.gz", "b.json.gz"):
        write_snapshot([POD, NODE], tmp_path / name, NOTES)
    first, second = ((tmp_path / name).read_bytes() for name in ("a.json.gz", "b.json.gz"))
    assert first == second
    assert first[4:8] == bytes(4), "the time in the head of gzip"


def test_notes_are_read_after_the_last_object(tmp_path):
    notes = Notes("2026-11-20T10:00:00Z")

    def objects():
        yield POD
        notes.missing.append("nodes")

    write_snapshot(objects(), tmp_path / "snap.json", notes)
    assert "nodes" in (tmp_path / "snap.json").read_text()


def test_a_listing_that_breaks_off_leaves_what_was_there(tmp_path):
    path = tmp_path / "snap.json"
    write_snapshot([POD], path, NOTES)
    before = path.read_bytes()

    def objects():
        yield NODE
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(objects(), path, NOTES)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["snap.json", "snap.json.gz"])
def test_only_snapshots_are_replaced(name, tmp_path):
    path = tmp_path / name
    check_snapshot(path)
    write_snapshot([POD], path, NOTES)
    check_snapshot(path)
    for other in (b"[]", b"\x1f\x8bdamaged", gzip.compress(b"kind: Pod")):
        path.write_bytes(other)
        with pytest.raises(LoadError, match="is not a snapshot"):
            check_snapshot(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(LoadError, match="is not a snapshot"):
        check_snapshot(path)


@pytest.mark.parametrize(("name", "message"), [("snap.yaml", "ends in"), ("none/snap.json", "does not exist")])
def test_a_name_that_will_not_do_is_told(name, message, tmp_path):
    with pytest.raises(LoadError, match=message):
        check_snapshot(tmp_path / name)


def test_foreign_annotations_are_passed_over():
    assert Notes.of({"a": 1, "flowverdict.dev/namespaces": "many", "flowverdict.dev/missing": ""}) == Notes()


def test_what_a_snapshot_lacks_is_put_in_words():
    lacks, part = NOTES.warnings()
    assert "services, nodes" in lacks
    assert "2 namespaces" in part
    assert "one namespace only" in Notes(namespaces=1).warnings()[0]
    assert Notes("2026-11-20T10:00:00Z").warnings() == []


@pytest.mark.parametrize("name", ["snap.json", "snap.json.gz"])
def test_whoever_loads_a_snapshot_is_told_what_it_lacks(name, tmp_path):
    write_snapshot([POD], tmp_path / name, NOTES)
    found = [str(diagnostic) for diagnostic in load_manifests([str(tmp_path / name)]).diagnostics]
    assert f"{tmp_path / name}: {NOTES.warnings()[0]}" in found
    assert f"{tmp_path / name}: {NOTES.warnings()[1]}" in found


@pytest.mark.parametrize("metadata", ["[]", "{}", '{"annotations": 1}', '{"annotations": null}', "null"])
def test_metadata_of_other_lists_says_nothing(metadata, tmp_path):
    path = tmp_path / "list.json"
    path.write_text('{"apiVersion": "v1", "kind": "List", "items": [], "metadata": ' + metadata + "}")
    assert load_manifests([str(path)]).diagnostics == ()
