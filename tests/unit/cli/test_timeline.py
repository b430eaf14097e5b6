"""Commands over clusters and policies that change with time."""

import json
import shutil
import subprocess

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.histories import at, day, namespace, netpol, pod, with_metadata, write_list

ENDED = [{"state": {"terminated": {"finishedAt": day("10:30")}}}]
CLIENT = pod("client", "10.0.0.9")
OLD = pod("web", came="09:00")
ENDING = pod("web", came="09:00", phase="Succeeded", containerStatuses=ENDED)
NEW = pod("other", came="10:40")


@pytest.fixture
def capture(tmp_path):
    """Writes flows from the client to 10.0.0.1, one at each clock."""

    def write(*clocks, name="flows.parquet", **columns):
        path = tmp_path / name
        count = len(clocks)
        table = {
            "time": pa.array([clock and at(clock) for clock in clocks], pa.timestamp("ns", "UTC")),
            "source_address": ["10.0.0.9"] * count,
            "destination_address": ["10.0.0.1"] * count,
            "destination_port": pa.array([80] * count, pa.uint16()),
            "protocol": pa.array([6] * count, pa.uint8()),
        }
        pq.write_table(pa.table(table | columns), path)
        return str(path)

    return write


def replayed(call, *arguments):
    code, out, err = call("replay", *arguments, "--format", "json")
    assert code == 0, err
    answer = json.loads(out)
    return {key: answer[key] for key in ("allowed", "denied", "unknown")}, answer


def test_an_address_that_was_used_again(call, capture, tmp_path):
    cluster = write_list(tmp_path / "cluster.json", [namespace(), CLIENT, ENDING, NEW, netpol()])
    flows = capture("10:00", "10:15", "10:35", "11:00", "11:10", "11:20")
    counts, answer = replayed(call, flows, "-c", cluster)
    assert counts == {"allowed": 3, "denied": 2, "unknown": 1}
    assert list(answer["unknown_reasons"]) == ["nobody-then"]
    assert "loaded" not in answer
    off, _answer = replayed(call, flows, "-c", cluster, "--timeline", "off")
    assert off == {"allowed": 6, "denied": 0, "unknown": 0}


def test_a_snapshot_younger_than_the_capture_is_warned_of(call, capture, tmp_path):
    cluster = write_list(tmp_path / "cluster.json", [namespace(), CLIENT, NEW, netpol()])
    flows = capture("08:00", "08:15", "11:00")
    code, out, _err = call("replay", flows, "-c", cluster)
    assert code == 0
    assert "2 flows of 3" in " ".join(out.split())
    assert "--timeline off" in out
    _code, out, _err = call("whatif", flows, "-c", cluster, "--delete", "netpol/shop/deny")
    assert "2 flows of 3" in " ".join(out.split())
    counts, _answer = replayed(call, flows, "-c", cluster)
    assert counts == {"allowed": 1, "denied": 0, "unknown": 2}


def test_several_snapshots(call, capture, tmp_path):
    write_list(tmp_path / "20261120T100000Z.json", [namespace(), CLIENT, OLD, netpol()])
    write_list(tmp_path / "20261120T110000Z.json", [namespace(), CLIENT, NEW, netpol(), netpol("more", "other")])
    flows = capture("08:00", "10:00", "10:39", "10:41", "11:01")
    counts, answer = replayed(call, flows, "-c", str(tmp_path / "2026*.json"))
    assert counts == {"allowed": 1, "denied": 3, "unknown": 1}
    assert answer["loaded"] == [
        "snapshot of 2026-11-20T10:00:00Z: 2 pods, 1 file",
        "snapshot of 2026-11-20T11:00:00Z: 2 pods, 1 file",
    ]
    _code, out, _err = call("replay", flows, "-c", str(tmp_path / "2026*.json"))
    assert "loaded: snapshot of 2026-11-20T10:00:00Z" in out


def test_a_change_is_made_to_every_set(call, capture, tmp_path):
    first = write_list(tmp_path / "a.json", [namespace(), CLIENT, pod(), netpol()])
    second = write_list(tmp_path / "b.json", [namespace(), CLIENT, pod(), netpol("other", "none")])
    clusters = ["-c", f"{day('10:00')}={first}", "-c", f"{day('11:00')}={second}"]
    flows = capture("10:00", "11:30")
    code, out, err = call("whatif", flows, *clusters, "--delete", "netpol/shop/deny", "--format", "json")
    assert code == 0, err
    answer = json.loads(out)
    assert (answer["gained"], answer["lost"], answer["unchanged"]) == (1, 0, 1)
    code, _out, err = call("whatif", flows, *clusters, "--delete", "netpol/shop/absent")
    assert code == 2
    assert "--delete netpol/shop/absent: there is no policy" in err
    code, _out, err = call("whatif", flows, *clusters, "--apply", write_list(tmp_path / "c.json", [netpol("all")]))
    assert code == 0, err


def test_watches_and_audit_logs(call, capture, tmp_path):
    cluster = write_list(tmp_path / "cluster.json", [namespace(), CLIENT, OLD, netpol()])
    gone = with_metadata(OLD, deletionTimestamp=day("10:30"), deletionGracePeriodSeconds=0)
    watch = tmp_path / "pods.watch"
    watch.write_text(
        "".join(
            f"{json.dumps({'type': word, 'object': found}, indent=4)}\n"
            for word, found in (("ADDED", OLD), ("DELETED", gone), ("ADDED", NEW))
        )
    )
    flows = capture("10:00", "10:35", "11:00")
    counts, answer = replayed(call, flows, "-c", cluster, "-c", str(watch))
    assert counts == {"allowed": 1, "denied": 1, "unknown": 1}
    assert answer["loaded"][0].startswith(f"watch {watch}: 3 changes")


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_policies_with_their_history(call, capture, tmp_path):
    def git(*words):
        names = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GIT_COMMITTER_DATE": clock, **names}
        subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)

    folder, clock = tmp_path / "deploy", day("10:00")
    folder.mkdir()
    git("init", "-q")
    (folder / "a.json").write_text(json.dumps(netpol("other", "none")))
    git("add", "-A")
    git("commit", "-q", "-m", "1")
    clock = day("11:00")
    (folder / "b.json").write_text(json.dumps(netpol()))
    git("add", "-A")
    git("commit", "-q", "-m", "2")
    cluster = write_list(tmp_path / "cluster.json", [namespace(), CLIENT, pod(), netpol("theirs")])
    flows = capture("09:00", "10:30", "11:30")
    counts, answer = replayed(call, flows, "-c", cluster, "--policies-history", str(folder))
    assert counts == {"allowed": 2, "denied": 1, "unknown": 0}
    assert answer["loaded"] == [f"policies of {folder}: 2 commits, {day('10:00')} to {day('11:00')}"]
    for wrong, text in (
        (["-p", str(folder)], "--policies and --policies-history both say"),
        (["--timeline", "off"], "--policies-history is of several times"),
    ):
        code, _out, err = call("replay", flows, "-c", cluster, "--policies-history", str(folder), *wrong)
        assert code == 2
        assert text in err


def test_what_cannot_be_loaded(call, capture, tmp_path):
    paths = [write_list(tmp_path / f"{n}.json", [namespace(), pod(labels={"n": str(n)})]) for n in range(2)]
    flows = capture("10:00")
    code, _out, err = call("replay", flows, "-c", paths[0], "-c", paths[1])
    assert code == 2
    assert "say when each was taken: --cluster 2026-11-20T10:00:00Z=" in err
    code, _out, err = call("replay", flows, "-c", f"2026-11-20={paths[0]}")
    assert code == 2
    assert "'2026-11-20' is not a time" in err
    code, _out, err = call("replay", flows, "-c", f"{day('10:00')}=-", "-p", "-")
    assert code == 2
    assert "name standard input" in err


@pytest.mark.parametrize("command", ["replay", "whatif", "size", "verify"])
def test_every_command_that_reads_flows_takes_times(call, capture, tmp_path, command):
    write_list(tmp_path / "20261120T100000Z.json", [namespace(), CLIENT, OLD, netpol()])
    write_list(tmp_path / "20261120T110000Z.json", [namespace(), CLIENT, NEW, netpol("other", "none")])
    verdicts = {"observed_verdict": ["deny", "allow"]} if command == "verify" else {}
    flows = capture("10:15", "11:00", source_port=pa.array([1025, 1026], pa.uint16()), **verdicts)
    change = ["--delete", "netpol/shop/deny"] if command == "whatif" else []
    code, out, err = call(command, flows, "-c", str(tmp_path / "2026*.json"), *change, "--format", "json")
    assert code == 0, err
    assert len(json.loads(out)["loaded"]) == 2
