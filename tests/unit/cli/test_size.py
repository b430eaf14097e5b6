"""``flowverdict size`` as a user runs it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.demo import write_demo
from simcore.cli.run import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("size") / "demo")


@pytest.fixture
def call(demo, capsys):
    def _call(*arguments, policies=True):
        given = ["size", str(demo.capture), "-c", str(demo.cluster)]
        given += ["-p", str(demo.policies)] if policies else []
        code = run([*given, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


def found(call, *arguments):
    code, out, err = call("--format", "json", *arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


def peaks(case):
    return {node["node"]: node["peak_live"] for node in case["nodes"]}


def test_the_policies_of_the_demo_leave_fewer_entries_after_the_change(call, demo):
    result = found(call, "--preset", "kube-proxy", "--apply", demo.change)
    assert result["changes"] == [f"apply {demo.change}"]
    assert peaks(result).keys() == peaks(result["baseline"]).keys() == {"node-1", "node-2", "node-3"}
    assert all(after < peaks(result["baseline"])[node] for node, after in peaks(result).items())
    for node in (*result["nodes"], result["fleet"]):
        assert node["peak_live"] <= node["peak_allocated"] <= node["allocated_bound"] <= node["recommended_max"]
        assert sum(entry["entries"] for entry in node["entries"]) == node["peak_live"]
        assert sum(owner["entries"] for owner in node["owners"]) == node["peak_live"]
    assert [(node["cpus"], node["kube_proxy_max"], node["current_max"]) for node in result["nodes"]] == [
        (8, 262144, 262144)
    ] * 3


def test_timeouts_and_traffic_are_compared_with_what_is(call):
    result = found(call, "--set", "nf_conntrack_tcp_timeout_time_wait=30", "--scale", "2")
    assert result["changes"] == [
        "nf_conntrack_tcp_timeout_time_wait 30 instead of 120",
        "2 times the traffic",
    ]
    assert result["scale"] == 2
    before, after = peaks(result["baseline"]), peaks(result)
    assert all(0.5 < after[node] / before[node] < 0.7 for node in before)
    assert found(call)["baseline"] is None


def test_limits_are_of_every_node(call):
    result = found(call, "--max", "3000", "--buckets", "1000")
    assert {(node["current_max"], node["current_buckets"]) for node in result["nodes"]} == {(3000, 1024)}
    assert result["nodes"][0]["drops_at_current_max"] > 0
    assert result["nodes"][0]["margin"] < 0
    assert result["baseline"] is None
    by_setting = found(call, "--set", "nf_conntrack_max=3000", "--set", "nf_conntrack_buckets=1000")
    assert by_setting["nodes"] == result["nodes"]


def test_settings_of_the_dataplane_and_of_the_kernel_are_told_apart(call):
    result = found(call, "--set", "hostnetwork=pod", "--set", "nf_conntrack_udp_timeout=60")
    assert result["changes"] == ["nf_conntrack_udp_timeout 60 instead of 30"]


def test_a_setting_may_do_without_its_prefix(call):
    assert found(call, "--set", "udp_timeout=60")["changes"] == ["nf_conntrack_udp_timeout 60 instead of 30"]
    collected = found(call, "--preset", "cilium", "--set", "conntrack-gc-interval=60")
    assert collected["changes"] == ["conntrack_gc_interval 60 instead of 0"]


def test_a_reorder_window_may_be_longer_than_any_capture(call):
    assert found(call, "--reorder", "999999999d") == found(call, "--reorder", "36500d")


def part(demo, path, rows, **columns):
    """Write some rows of the demo's capture, some columns replaced."""
    table = pq.read_table(demo.capture).slice(0, rows)
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, path)
    return path


def test_an_empty_capture_has_no_time(demo, tmp_path, capsys):
    arguments = ["size", str(part(demo, tmp_path / "none.parquet", 0)), "-c", str(demo.cluster)]
    assert run([*arguments, "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["flows"], result["begin"], result["end"]) == (0, None, None)
    assert {node[time] for node in result["nodes"] for time in ("peak_time", "bound_time")} == {None}
    assert run(arguments) == 0
    out = capsys.readouterr().out
    assert "1970" not in out
    assert "WARNING" not in out


def test_a_capture_whose_times_are_all_missing_cannot_be_sized(demo, tmp_path, capsys):
    path = part(demo, tmp_path / "timeless.parquet", 3, time=pa.nulls(3, pa.timestamp("ns")))
    assert run(["size", str(path), "-c", str(demo.cluster)]) == 2
    err = capsys.readouterr().err
    assert "no record has a time, without which nothing can be sized" in err
    assert "--no-stateful" not in err


def test_curves_of_two_tables_a_node_name_each_node_once(call, tmp_path):
    """Parquet takes a dictionary with repeated words for shorter than it is, and writes whatever lies behind it."""
    path, again = tmp_path / "curves.parquet", tmp_path / "again.parquet"
    assert call("--preset", "cilium", "-o", path)[0] == 0
    pq.write_table(pq.read_table(path), again, compression="zstd", version="2.6")
    found, plain = (pq.read_metadata(each).row_group(0).column(2) for each in (path, again))
    assert found.total_uncompressed_size == plain.total_uncompressed_size


def test_cilium_has_timeouts_of_its_own(call):
    result = found(call, "--preset", "cilium", "--set", "bpf_ct_timeout_regular_any=30")
    assert result["changes"] == ["bpf_ct_timeout_regular_any 30 instead of 60"]
    assert [node["table"] for node in result["nodes"]] == ["tcp", "any"] * 3


def test_a_plot_and_curves_are_written(call, tmp_path):
    code, out, _ = call("-o", tmp_path / "curves.parquet", "--plot", tmp_path / "plot.svg", "--vxlan")
    assert code == 0
    assert out.startswith("Conntrack tables of 3 nodes, from 200,000 flows\n")
    assert pq.read_metadata(tmp_path / "curves.parquet").num_rows > 0
    assert (tmp_path / "plot.svg").read_text().startswith("<svg")


WRONG = {
    "scale": (["--scale", "0"], "0.0 is not in the range 0<x<=1000000.0"),
    "scale that is no number": (["--scale", "nan"], "is not a number"),
    "headroom that is no number": (["--headroom", "nan"], "is not a number"),
    "first pass that is no number": (["--gc-first-pass", "nan"], "is not a number"),
    "percentile": (["--percentile", "101"], "101.0 is not in the range"),
    "setting": (["--set", "nf_conntrack_udp_time=1"], "no setting is named 'nf_conntrack_udp_time'"),
    "setting of either kind": (["--set", "hostnetwrk=pod"], "of policies: ipblock_matches_pods"),
    "setting without value": (["--set", "nf_conntrack_udp_timeout"], "is not NAME=VALUE"),
    "setting of 33 bits": (["--set", "udp_timeout=2147483648"], "is 0 to 2,147,483,647"),
    "maximum": (["--max", "2147483648"], "2147483648 is not in the range"),
    "buckets": (["--buckets", "268435457"], "268435457 is not in the range"),
    "value": (["--set", "nf_conntrack_udp_timeout=soon"], "takes a whole number"),
    "preset": (["--preset", "calico"], "'calico' is not one of"),
    "orientation": (["--orientation", "time"], "'time' is not one of"),
    "reorder": (["--reorder", "soon"], "is no duration"),
    "plot folder": (["--plot", "nowhere/plot.svg"], "the folder nowhere does not exist"),
    "two outputs in one": (["--plot", "one.svg", "-o", "./one.svg"], "name the same file, one.svg"),
    "output folder": (["-o", "nowhere/out.parquet"], "the folder nowhere does not exist"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused_with_a_reason(name, call):
    arguments, message = WRONG[name]
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_nothing_but_a_plot_is_replaced_by_one(call, demo):
    code, _, err = call("--plot", demo.cluster)
    assert code == 2
    assert "exists and is no SVG" in err
    code, _, err = call("-o", demo.capture)
    assert code == 2
    assert "is a file of the capture" in err


def test_nodes_nobody_knows_are_told(demo, tmp_path, capsys):
    cluster = tmp_path / "bare.json"
    cluster.write_text('{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bare"}}')
    assert run(["size", str(demo.capture), "-c", str(cluster)]) == 0
    assert "so there is no table to size" in capsys.readouterr().out
