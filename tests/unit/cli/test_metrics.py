"""``flowverdict replay --metrics`` as a user runs it."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.demo import write_demo
from simcore.cli.run import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("metrics") / "demo")


@pytest.fixture
def call(demo, capsys):
    def _call(*arguments, capture=demo.capture):
        code = run(["replay", str(capture), "-c", str(demo.cluster), "-p", str(demo.policies), *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


def last_values(path):
    """The last sample of each series."""
    rows = (line.rsplit(" ", 2) for line in path.read_text("utf-8").splitlines() if not line.startswith("#"))
    return {series: float(value) for series, value, _ in rows}


def test_the_metrics_of_the_demo(call, demo, tmp_path):
    out = tmp_path / "out.prom"
    code, text, err = call("--apply", demo.change, "--metrics", out)
    assert (code, err) == (0, "")
    assert text == call("--apply", demo.change)[1]
    values = last_values(out)
    denied = 'hubble_flows_processed_total{source_namespace="shop",destination_namespace="kube-system",protocol="UDP"'
    assert values[f'{denied},verdict="DROPPED"}}'] == 19_271
    asked = sum(value for series, value in values.items() if series.startswith("flowverdict_dns_queries_denied_total"))
    assert 2 * 19_271 - 50 < asked < 2 * 19_271
    ways = {(name, way) for name in ("shop", "payments") for way in ("ingress", "egress")}
    for series, value in values.items():
        if series.startswith("flowverdict_namespace_without_default_deny"):
            _, name, _, way, _ = series.split('"')
            assert value == ((name, way) not in ways)
    assert values['node_nf_conntrack_entries_limit{node="node-1"}'] == 262_144
    assert values['node_nf_conntrack_entries{node="node-1"}'] > 1_000
    assert not any(series.startswith("coredns") for series in values)


def test_without_attempts_each_denied_lookup_is_one_query(call, demo, tmp_path):
    out = tmp_path / "out.prom"
    settings = ("--dns-attempts", 1, "--syn-attempts", 1, "--metrics-step", "5m", "--scale", 10)
    assert call("--apply", demo.change, "--metrics", out, *settings)[0] == 0
    values = last_values(out)
    asked = sum(value for series, value in values.items() if series.startswith("flowverdict_dns_queries_denied_total"))
    dropped = sum(value for series, value in values.items() if series.startswith("cilium_drop_count_total"))
    assert (asked, dropped) == (192_710, 284_800)
    assert out.read_text("utf-8").count('direction="EGRESS"} ') == 3 * 13


def test_dns_servers_that_may_not_ask_theirs_fail(call, demo, tmp_path):
    policy = tmp_path / "closed.yaml"
    policy.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: kube-system}\n"
        "spec: {podSelector: {}, policyTypes: [Egress]}\n"
    )
    out = tmp_path / "out.prom"
    assert call("--apply", policy, "--metrics", out)[0] == 0
    failed = {series: value for series, value in last_values(out).items() if series.startswith("coredns")}
    series = 'coredns_dns_responses_total{namespace="kube-system",workload="Deployment/coredns",rcode="SERVFAIL"}'
    assert failed == {series: 3_267}
    assert "flowverdict_dns_queries_denied_total{" not in out.read_text("utf-8")


def test_a_capture_without_times_has_no_metrics(call, demo, tmp_path):
    capture = tmp_path / "flows.parquet"
    pq.write_table(pq.read_table(demo.capture).slice(0, 100).drop_columns(["time", "end_time"]), capture)
    code, out, err = call("--metrics", tmp_path / "out.prom", capture=capture)
    assert (code, out) == (2, "")
    assert f"{capture}: no record has a time" in err
    assert not (tmp_path / "out.prom").exists()


def test_records_without_time_are_told(call, demo, tmp_path):
    table = pq.read_table(demo.capture).slice(0, 100)
    times = table.column("time").cast(pa.int64()).to_pylist()
    some = pa.array([*times[:-3], None, None, None], pa.timestamp("ns"))
    capture = tmp_path / "flows.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("time"), "time", some), capture)
    code, _, err = call("--metrics", tmp_path / "out.prom", capture=capture)
    assert (code, err) == (0, "left out of all metrics: 3 records without time, or from before 1970\n")


def test_nothing_but_metrics_is_replaced(call, tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    code, _, err = call("--metrics", other)
    assert code == 2
    assert f"{other} exists and is no metrics" in err
    assert other.read_text() == "mine"
    assert "the folder" in call("--metrics", tmp_path / "none" / "out.prom")[2]
    assert "it must be 1s or more" in call("--metrics", tmp_path / "out.prom", "--metrics-step", "0s")[2]
