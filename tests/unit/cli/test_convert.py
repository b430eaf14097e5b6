"""``flowverdict convert``, and commands that read what it makes."""

import json

import pytest

from loaders.captures import open_capture
from simcore.cli.run import run
from tests.hubble import SERVER, denied, flow, layer7, save, text, wrapped

EVENTS = [
    flow(1),
    flow(1.001, direction="INGRESS"),
    denied(2, 1, reason="FIB_LOOKUP_FAILED", port=40_001),
    layer7(3, "RESPONSE", direction="EGRESS", dns={"query": "a.", "ips": ["1.2.3.4"], "ttl": 5}),
]
CLUSTER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": SERVER["pod_name"], "namespace": "store"},
    "status": {"podIP": "10.4.2.6", "phase": "Running"},
}


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.json").write_text(json.dumps(CLUSTER))

    def _call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


def test_every_line_is_told_of(call, tmp_path):
    path = save(tmp_path, *EVENTS)
    with open(path, "a") as file:
        file.write(text({"lost_events": {"num_events_lost": "7"}}, {"odd": 1}))
    code, out, err = call("convert", path, "-o", "out.parquet")
    assert (code, err) == (0, f"warning: {path}:6: this is JSON, and no event of Hubble's\n")
    assert out.splitlines() == [
        "out.parquet",
        "6  lines",
        "1  opened a connection",
        "1  the other side's verdict of a connection",
        "1  drops that are no policy's",
        "1  DNS answers",
        "1  notes of lost events",
        "1  not readable",
        "rows: 1 answer, 2 connection",
        "drops that are no policy's: FIB_LOOKUP_FAILED 1",
        "Hubble lost 7 events: what they told is missing here",
    ]
    assert open_capture(["out.parquet"]).columns >= {"egress_verdict", "record"}


def test_strict_stops_at_the_first_bad_line(call, tmp_path):
    path = tmp_path / "a.log"
    path.write_text(text(wrapped(EVENTS[0]), {}, {}))
    code, out, err = call("convert", path, "-o", "out.parquet", "--strict")
    assert (code, out, err) == (2, "", f"error: {path}:2: this is JSON, and no event of Hubble's\n")
    assert not (tmp_path / "out.parquet").exists()


def test_nothing_strange_is_replaced(call, tmp_path):
    path = save(tmp_path, *EVENTS)
    assert call("convert", path, "-o", path)[0] == 2
    assert call("convert", path, "-o", "gone/out.parquet")[0] == 2


def test_answers_are_left_out_and_told(call, tmp_path):
    path = save(tmp_path, *EVENTS)
    call("convert", path, "-o", "out.parquet")
    code, out, err = call("replay", "out.parquet", "-c", "cluster.json", "--format", "json")
    assert (code, json.loads(out)["flows"]) == (0, 2)
    assert "left out: 1 DNS answer is not judged, as no flow was\n" in err
    direct = call("replay", path, "-c", "cluster.json", "--format", "json")
    assert direct[:2] == (code, out.replace("out.parquet", path))
    assert "converted hubble on the way; flowverdict convert does that once and for all\n" in direct[2]
