"""Loading a dump and compiling its policies."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from loaders import load_cluster, load_manifests
from loaders.snapshots.notes import Notes
from loaders.snapshots.writing import write_snapshot
from simcore.analyses.judging import judge_flows
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .checks import SAMPLE

ROOT = Path(__file__).resolve().parent.parent
SIZES = ("S", "M")
LARGE = "XL"
ROUNDS = 5


@pytest.fixture(params=SIZES)
def size(request, sizes):
    if request.param not in sizes.clusters:
        pytest.skip("not in a quick run")
    return request.param


def test_load(benchmark, cluster_folder, sizes, size):
    path = str(cluster_folder(size))
    snapshot = benchmark.pedantic(load_manifests, ([path],), rounds=sizes.rounds_of(2))
    benchmark.extra_info.update(pods=len(snapshot.cluster.pods), policies=len(snapshot.policies))


def test_load_columns(benchmark, cluster_folder, sizes, tmp_path):
    """The objects of a large cluster, without its policies, from Parquet."""
    size = LARGE if LARGE in sizes.clusters else sizes.clusters[-1]
    dump = json.loads((cluster_folder(size) / "cluster.json").read_bytes())
    path = tmp_path / "snapshot.parquet"
    write_snapshot(dump["items"], path, Notes())
    cluster = benchmark.pedantic(load_cluster, ([str(path)],), rounds=sizes.rounds_of(3))
    benchmark.extra_info.update(pods=len(cluster.pods), bytes=path.stat().st_size)


def test_build(benchmark, scenario, sizes, size):
    made = scenario(size)
    tables = benchmark.pedantic(
        build_tables,
        (made.cluster, made.policies),
        rounds=sizes.rounds_of(ROUNDS),
        warmup_rounds=int(size == "S"),
    )
    benchmark.extra_info.update(pods=len(made.cluster.pods), policies=len(made.policies), table_bytes=tables.size)
    assert_same_answers(made)


def test_large(benchmark, cluster_folder, sizes):
    """Everything about a large cluster, in a process of its own that tells the most memory that it held."""
    size = LARGE if LARGE in sizes.clusters else sizes.clusters[-1]
    command = [sys.executable, "-m", "bench.large", str(cluster_folder(size)), str(sizes.rounds_of(2))]
    options = {"capture_output": True, "text": True, "check": True, "cwd": ROOT}
    done = benchmark.pedantic(subprocess.run, (command,), options, rounds=1)
    benchmark.extra_info.update(json.loads(done.stdout))


def assert_same_answers(made):
    """Compare flows between random pods, judged with fresh tables and by the reference."""
    random = np.random.default_rng(0)
    ends = [End(address) for address in made.cluster.pods_at if address.family is Family.V4]
    pairs = random.choice(len(ends), (SAMPLE, 2)).tolist()
    ports = random.choice([53, 80, 443, 5432, 8080], SAMPLE).tolist()
    flows = [Flow(ends[a], ends[b], TCP, port) for (a, b), port in zip(pairs, ports, strict=True)]
    reference = Reference(made.cluster, made.policies)
    assert judge_flows(made.cluster, made.policies, flows) == [reference.judge(flow) for flow in flows]
