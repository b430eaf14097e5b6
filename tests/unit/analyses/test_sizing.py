"""Sizing from a capture to figures, counted by hand."""

import pyarrow.parquet as pq
import pytest

from loaders import open_capture
from simcore.analyses.sizing.curves import CURVE_SCHEMA
from simcore.analyses.sizing.sizing import Assumptions, SizingOptions, size
from simcore.errors import LoadError
from simcore.model.conntrack import CILIUM, LINUX, kube_proxy
from simcore.report.sizing_json import sizing_json
from tests.sizing import CLUSTER, NO_WAY_INTO_DB, NO_WAY_OUT_OF_WEB, SECOND, START, SYN, flow, table

WEB1, WEB2, DB, OUTSIDE = "10.0.1.1", "10.0.2.1", "10.0.1.2", "8.8.8.8"
END = flow(300, OUTSIDE, "9.9.9.9")
"""Leaves no entry, and makes the capture end after five minutes."""


@pytest.fixture
def sized(tmp_path):
    def run(*flows, policies=(), settings=LINUX, candidate=None, group_rows=1000, threads=1, batch_rows=1000, **more):
        path = tmp_path / "flows.parquet"
        pq.write_table(table(*flows), path, row_group_size=group_rows)
        output = more.pop("output", None)
        return size(
            open_capture([str(path)]),
            CLUSTER,
            Assumptions(policies, settings),
            candidate,
            options=SizingOptions(**more),
            threads=threads,
            batch_rows=batch_rows,
            output=output,
        )

    return run


def peaks(result):
    return {each.node: each.peak_live for each in result.final.tables}


def seconds(time):
    return (time - START) / SECOND


def classes(each):
    return {(f.protocol, f.state.word, f.is_denied): number for f, number in each.classes}


def test_a_closed_connection_stays_for_two_minutes_on_both_nodes(sized):
    found = sized(flow(0, WEB1, WEB2, lasts=10), END)
    n1, n2, n3 = found.baseline.tables
    assert (n1.peak_live, n2.peak_live, n3.peak_live) == (1, 1, 0)
    assert found.baseline.fleet.peak_live == 2
    # 130 of 300 seconds, and nothing after that.
    assert n1.mean == pytest.approx(130 / 300, abs=1e-6)
    curves = found.baseline.curves
    there = [seconds(t) for t, most in zip(curves.times.tolist(), curves.most[1].tolist(), strict=True) if most > 0]
    assert (there[0], there[-1] + curves.bin / SECOND) == (0, 130)
    assert n1.owners == (("shop/Deployment/web", 1),)


def test_the_peak_is_where_most_are_there_at_once(sized):
    found = sized(
        flow(0, WEB1, WEB2, lasts=10, source_port=1),
        flow(100, WEB1, WEB2, lasts=1, source_port=2),
        flow(129, WEB1, DB, lasts=1, source_port=3),
        flow(131, WEB1, DB, lasts=1, source_port=4),
        END,
    )
    n1, n2, _ = found.baseline.tables
    assert (n1.peak_live, seconds(n1.peak_time)) == (3, 129)
    assert (n2.peak_live, seconds(n2.peak_time)) == (2, 100)
    assert (found.baseline.fleet.peak_live, seconds(found.baseline.fleet.peak_time)) == (5, 129)
    assert classes(n1) == {("TCP", "TIME_WAIT", False): 2, ("TCP", "ESTABLISHED", False): 1}


def test_expired_entries_are_allocated_until_the_collector_passes(sized):
    found = sized(*(flow(n, WEB1, WEB2, 53, protocol="udp", source_port=n + 1) for n in range(100)), END)
    n1 = found.baseline.tables[0]
    assert n1.peak_live == 30
    # The collector passes after 60 seconds, and until the last is made, 40 more expire.
    assert n1.peak_allocated == 70
    # At worst it has just passed before the first expired, and comes again once 100 samples of 60 seconds and 60 of at
    # most 30 have a mean of 49, which timers may be 2 seconds late for.
    assert 30 + 49 <= n1.allocated_bound <= 30 + 53


def test_what_egress_denies_has_no_entry_and_what_ingress_denies_one_at_its_client(sized):
    flows = [flow(0, WEB2, DB, flags=SYN, packets=3), END]
    assert peaks(sized(*flows)) == {"n1": 1, "n2": 1, "n3": 0}
    found = sized(*flows, policies=NO_WAY_INTO_DB)
    assert peaks(found) == {"n1": 0, "n2": 1, "n3": 0}
    assert classes(found.baseline.tables[1]) == {("TCP", "SYN_SENT", True): 1}
    assert peaks(sized(*flows, policies=NO_WAY_OUT_OF_WEB)) == {"n1": 0, "n2": 0, "n3": 0}


def test_a_candidate_is_held_against_the_baseline(sized):
    flows = [flow(n, WEB2, DB, source_port=n + 1, lasts=1) for n in range(10)] + [END]
    found = sized(*flows, candidate=Assumptions(NO_WAY_OUT_OF_WEB, LINUX))
    assert found.baseline.fleet.peak_live == 20
    assert found.final is found.candidate
    assert found.candidate.fleet.peak_live == 0
    shorter = LINUX.with_setting("tcp_timeout_time_wait", "4")
    found = sized(*flows, candidate=Assumptions((), shorter))
    # One a second, each there for a second and four more.
    assert (found.baseline.fleet.peak_live, found.candidate.fleet.peak_live) == (20, 10)
    found = sized(*flows, candidate=Assumptions((), LINUX, 2.5))
    assert (found.candidate.fleet.peak_live, found.candidate.scale) == (50, 2.5)


def test_a_service_counts_where_its_backend_is(sized):
    assert peaks(sized(flow(0, WEB1, "10.96.0.2", 80), END)) == {"n1": 1, "n2": 1, "n3": 0}
    assert peaks(sized(flow(0, OUTSIDE, "10.9.0.3", 30080), END)) == {"n1": 0, "n2": 1, "n3": 1}


def test_tunnels_have_entries_of_their_own(sized):
    flows = [flow(0, WEB1, WEB2, lasts=1), flow(1, WEB1, DB, lasts=1), END]
    found = sized(*flows, tunnels=True)
    n1, n2, _ = found.baseline.tables
    assert classes(n1) == {
        ("TCP", "ESTABLISHED", False): 1,
        ("TCP", "TIME_WAIT", False): 1,
        ("VXLAN", "UNREPLIED", False): 2,
    }
    assert classes(n2)["VXLAN", "UNREPLIED", False] == 2


def test_pods_of_no_known_node_are_told_apart(sized):
    found = sized(flow(0, "10.0.9.9", WEB2), END)
    assert peaks(found) == {"unknown": 1, "n1": 0, "n2": 1, "n3": 0}


def test_limits_come_from_the_node(sized):
    found = sized(flow(0, WEB1, WEB2), END)
    assert [(t.current.entries, t.current.buckets) for t in found.baseline.tables] == [
        (262144, 262144),
        (65536, 65536),
        (262144, 262144),
    ]
    assert [t.kube_proxy.entries for t in found.baseline.tables] == [262144, 131072, 131072]
    found = sized(flow(0, WEB1, WEB2), END, settings=kube_proxy(), preset="kube-proxy")
    assert [(t.current.entries, t.current.buckets) for t in found.baseline.tables] == [
        (262144, 262144),
        (131072, 65536),
        (131072, 262144),
    ]
    assert found.baseline.tables[0].advised.memory == 2048 * 384 + 262144 * 8
    found = sized(flow(0, WEB1, WEB2), END, maximum=7, buckets=512)
    assert {(t.current.entries, t.current.buckets) for t in found.baseline.tables} == {(7, 512)}


def test_a_full_table_turns_connections_away(sized):
    flows = [flow(n / 10, WEB1, WEB2, source_port=n + 1, lasts=0.05) for n in range(100)]
    found = sized(*flows, END, maximum=60, buckets=1 << 20)
    n1 = found.baseline.tables[0]
    # Nothing of this expires, and all but the last may be evicted by nobody: they are assured.
    assert (n1.peak_live, n1.turned_away, n1.evicted) == (100, 40, 0)
    assert n1.lost == (("shop/Deployment/web", 40),)
    assert seconds(n1.first_full) == 6
    assert n1.margin == pytest.approx(1 - 100 / 60)


def test_cilium_has_a_map_for_tcp_and_one_for_the_rest(sized):
    found = sized(flow(0, WEB1, DB), flow(1, WEB1, WEB2, 53, protocol="udp"), END, settings=CILIUM, preset="cilium")
    assert {(t.node, t.table): t.peak_live for t in found.baseline.tables if t.peak_live} == {
        ("n1", "tcp"): 2,
        ("n1", "any"): 1,
        ("n2", "any"): 1,
    }
    # 32 GiB by the agent's formula; 2 GiB is below its least; unknown memory leaves the default.
    maxima = {(t.node, t.table): t.current.entries for t in found.baseline.tables}
    assert maxima["n1", "tcp"] == 301401
    assert maxima["n2", "tcp"] == 131072 and maxima["n3", "any"] == 262144
    assert found.baseline.fleet.kube_proxy is None


def test_timeouts_that_outlast_the_capture_are_told(sized):
    found = sized(flow(0, WEB1, WEB2, flags="SA", lasts=1), END)
    assert [(each.setting, each.seconds, each.entries) for each in found.outlasting] == [
        ("nf_conntrack_tcp_timeout_established", 432000, 2)
    ]


MIXED = [
    flow(
        n * 0.37 % 250,
        (WEB1, WEB2, OUTSIDE, DB)[n % 4],
        (DB, "10.96.0.2", "10.9.0.3", WEB2)[n // 4 % 4],
        (8080, 80, 30080)[n % 3],
        lasts=n % 7,
        protocol=("tcp", "udp")[n % 5 == 0],
        source_port=1000 + n,
        flags=("FSPA", "S", "SA")[n % 3],
    )
    for n in range(600)
]


@pytest.mark.parametrize(("threads", "batch_rows", "group_rows"), [(1, 7, 100), (2, 1000, 100), (3, 64, 100)])
def test_neither_threads_nor_batches_matter(sized, tmp_path, threads, batch_rows, group_rows):
    def run(name, **how):
        result = sized(
            *MIXED,
            candidate=Assumptions(NO_WAY_INTO_DB, LINUX.with_setting("udp_timeout", "60"), 2.0),
            output=tmp_path / name,
            maximum=50,
            group_rows=group_rows,
            tunnels=True,
            **how,
        )
        return sizing_json(result), (tmp_path / name).read_bytes()

    assert run("a.parquet") == run("b.parquet", threads=threads, batch_rows=batch_rows)


def test_curves_are_written(sized, tmp_path):
    path = tmp_path / "curves.parquet"
    found = sized(*MIXED, candidate=Assumptions((), LINUX, 3.0), output=path)
    rows = pq.read_table(path)
    assert rows.schema.equals(CURVE_SCHEMA)
    assert set(rows["case"].to_pylist()) == {"baseline", "candidate"}
    most = {}
    for row in rows.to_pylist():
        key = row["case"], row["node"]
        most[key] = max(most.get(key, 0), row["live_max"] or 0)
        if row["live_max"] is not None:
            assert row["live_min"] <= row["live_mean"] <= row["live_max"] <= row["allocated"] <= row["allocated_bound"]
    for case, name in ((found.baseline, "baseline"), (found.candidate, "candidate")):
        for each in (*case.tables, case.fleet):
            assert most[name, each.node] == each.peak_live


def test_a_capture_without_times_is_refused(tmp_path):
    path = tmp_path / "flows.parquet"
    pq.write_table(table(END).drop_columns(["time"]), path)
    with pytest.raises(LoadError, match="no record has a time"):
        size(open_capture([str(path)]), CLUSTER, Assumptions((), LINUX))


def test_an_empty_capture_has_empty_tables(sized):
    found = sized(END)
    assert peaks(found) == {"n1": 0, "n2": 0, "n3": 0}
    assert found.baseline.tables[0].advised.entries == 2048
