"""Sizing the conntrack tables of a hundred nodes, as a library and as a command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import simcore
from loaders import open_capture
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.flows import generate_flows
from loaders.synthetic.scale import Scale
from simcore.model.conntrack import kube_proxy
from simcore.model.flows import Flow, Verdict
from simcore.reference import Reference

from .bench_replay import WATCH
from .clusters import SEED, load_scenario

HUNDRED_NODES = Scale(pods=10_000, policies=1_000, namespaces=80, nodes=100, dual_stack=0.0)
FEW_NODES = Scale(pods=500, policies=50, namespaces=8, nodes=10, dual_stack=0.0)


@pytest.fixture(scope="module")
def cluster(folder, sizes):
    place = folder / "sizing"
    generate_cluster(HUNDRED_NODES if sizes.replay_flows >= 10_000_000 else FEW_NODES, SEED, place)
    return place


@pytest.fixture(scope="module")
def flows(cluster, folder, sizes):
    made = load_scenario(cluster)
    reference = Reference(made.cluster, made.policies)

    def expected(flow: Flow) -> bool:
        return reference.judge(flow).verdict is Verdict.ALLOW

    path = folder / "sizing.parquet"
    return generate_flows(made.cluster, sizes.replay_flows, SEED, path, ipv6=0.0, expected=expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_size(benchmark, cluster, flows, sizes, threads):
    """The whole of it, tables included."""
    made = load_scenario(cluster)
    now = simcore.Assumptions(made.policies, kube_proxy())
    options = simcore.SizingOptions(preset="kube-proxy")
    result = benchmark.pedantic(
        simcore.size,
        (open_capture([str(flows)]), made.cluster, now),
        {"options": options, "threads": threads},
        rounds=sizes.rounds_of(2),
        warmup_rounds=0 if sizes.rounds_of(2) > 1 else 1,
    )
    benchmark.extra_info.update(flows=result.flows, tables=len(result.baseline.tables))
    assert result.flows == sizes.replay_flows
    assert result.baseline.fleet.peak_live > 0


@pytest.mark.parametrize("threads", [2])
def test_size_before_and_after(benchmark, cluster, flows, sizes, threads):
    """The same with other policies and timeouts beside it."""
    made = load_scenario(cluster)
    after = tuple(policy for number, policy in enumerate(made.policies) if number % 10)
    cases = (
        simcore.Assumptions(made.policies, kube_proxy()),
        simcore.Assumptions(after, kube_proxy().with_setting("udp_timeout", "60"), 2.0),
    )
    options = simcore.SizingOptions(preset="kube-proxy")
    keywords = {"options": options, "threads": threads}
    task = (open_capture([str(flows)]), made.cluster, *cases)
    result = benchmark.pedantic(simcore.size, task, keywords, rounds=1)
    benchmark.extra_info.update(flows=result.flows)
    assert result.candidate.fleet.peak_live > result.baseline.fleet.peak_live


def test_size_command(benchmark, cluster, flows, sizes, folder):
    """``flowverdict size CAPTURE --cluster DIR -o OUT`` from nothing, and the most memory it held."""
    out = folder / "occupancy.parquet"
    command = [Path(sys.executable).parent / "flowverdict", "size", flows, "-o", out, "--format", "json"]
    command += ["--cluster", cluster, "--preset", "kube-proxy"]
    watch = WATCH.replace("stdout=subprocess.DEVNULL", f"stdout=open({str(folder / 'size.json')!r}, 'w')")
    watched = [sys.executable, "-c", watch, *map(str, command)]
    options = {"capture_output": True, "text": True, "check": True}
    done = benchmark.pedantic(subprocess.run, (watched,), options, rounds=1)
    benchmark.extra_info.update(flows=sizes.replay_flows, peak_bytes=int(done.stdout) * 1024)
    assert json.loads((folder / "size.json").read_text())["flows"] == sizes.replay_flows
