"""Following connections as a user does."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import golden
from tests.connections import ALL, CLUSTER, DB, SCHEMA, VPC, WEB, row


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_text(CLUSTER)
    (tmp_path / "change.yaml").write_text(CLUSTER[CLUSTER.rindex("---") : CLUSTER.index("  ingress:")])
    pq.write_table(pa.table(VPC), tmp_path / "vpc.parquet")
    both = [row(number, (WEB, 40_000 + number), (DB, 5432), ALL, lasts=1, packets=9) for number in range(3)]
    pq.write_table(pa.Table.from_pylist(both, SCHEMA), tmp_path / "both.parquet")


@pytest.mark.parametrize("form", ["text", "json"])
def test_replay(form, call, update_golden):
    code, out, _ = call("replay", "vpc.parquet", "-c", "cluster.yaml", "--format", form)
    assert code == 0
    golden.compare(f"stateful-replay.{'txt' if form == 'text' else form}", out, update_golden)


@pytest.mark.parametrize("form", ["text", "json"])
def test_whatif(form, call, update_golden):
    change = ["--apply", "change.yaml", "--set", "on_change=reevaluate"]
    code, out, _ = call("whatif", "vpc.parquet", "-c", "cluster.yaml", *change, "--format", form)
    assert code == 0
    golden.compare(f"stateful-whatif.{'txt' if form == 'text' else form}", out, update_golden)


def test_rows_without_any_time_are_judged_by_themselves(call, tmp_path):
    timeless = [row(None, (WEB, 40_000), (DB, 5432), ALL), row(None, (DB, 5432), (WEB, 40_000), ALL)]
    pq.write_table(pa.Table.from_pylist(timeless, SCHEMA), tmp_path / "timeless.parquet")
    code, out, _ = call("replay", "timeless.parquet", "-c", "cluster.yaml", "--format", "json")
    assert code == 0
    assert "stateful" not in json.loads(out)
    code, _, err = call("replay", "timeless.parquet", "-c", "cluster.yaml", "--stateful")
    assert code == 2
    assert "no record has a time" in err


def test_no_rows_have_no_time(call, tmp_path):
    pq.write_table(pa.Table.from_pylist([], SCHEMA), tmp_path / "none.parquet")
    _, out, _ = call("replay", "none.parquet", "-c", "cluster.yaml", "--stateful", "--format", "json")
    assert (json.loads(out)["stateful"]["begin"], json.loads(out)["stateful"]["end"]) == (None, None)


def test_rows_of_both_directions_are_judged_by_themselves_unless_asked(call):
    _, out, _ = call("replay", "both.parquet", "-c", "cluster.yaml", "--format", "json")
    assert "stateful" not in json.loads(out)
    _, out, _ = call("replay", "both.parquet", "-c", "cluster.yaml", "--format", "json", "--stateful")
    assert json.loads(out)["stateful"]["connections"] == 3
    _, out, _ = call("replay", "vpc.parquet", "-c", "cluster.yaml", "--format", "json", "--no-stateful")
    assert (json.loads(out)["denied"], "stateful" in json.loads(out)) == (3, False)


def test_timeouts_are_set_by_the_kernels_names(call):
    """The second rows of the connection come two seconds after the first have ended: too late for this kernel."""
    settings = ["--set", "nf_conntrack_tcp_timeout_established=1", "--set", "nf_conntrack_tcp_loose=0"]
    _, out, _ = call("replay", "vpc.parquet", "-c", "cluster.yaml", "--format", "json", *settings)
    assert json.loads(out)["stateful"]["classes"] == {"new": 2, "established": 1, "invalid": 2, "none": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--reorder", "soon"], "'soon' is no duration, such as 60s, 5m or 1h"),
        (["--orientation", "left"], "'left' is not one of"),
        (["--set", "nf_conntrack_nonsense=1"], "no setting is named 'nf_conntrack_nonsense'"),
        (["--set", "nf_conntrack_udp_timeout=long"], "nf_conntrack_udp_timeout takes a whole number, not 'long'"),
        (
            ["--preset", "cilium", "--set", "nf_conntrack_udp_timeout=9"],
            "no setting is named 'nf_conntrack_udp_timeout'",
        ),
        (["--map", "time=", "--stateful"], "no record has a time"),
    ],
)
def test_wrong_use_is_told(arguments, message, call):
    code, _, err = call("replay", "vpc.parquet", "-c", "cluster.yaml", *arguments)
    assert code == 2
    assert message in err
