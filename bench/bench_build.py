"""Loading a dump and compiling its policies."""

import numpy as np
import pytest

from loaders import load_manifests
from simcore.analyses.judging import judge_flows
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .checks import SAMPLE

SIZES = ("S", "M", "L")
ROUNDS = {"S": 5, "M": 5, "L": 1}


@pytest.fixture(params=SIZES)
def size(request, sizes):
    if request.param not in sizes.clusters:
        pytest.skip("not in a quick run")
    return request.param


def test_load(benchmark, cluster_folder, sizes, size):
    path = str(cluster_folder(size))
    snapshot = benchmark.pedantic(load_manifests, ([path],), rounds=sizes.rounds_of(min(2, ROUNDS[size])))
    benchmark.extra_info.update(pods=len(snapshot.cluster.pods), policies=len(snapshot.policies))


def test_build(benchmark, scenario, sizes, size):
    made = scenario(size)
    tables = benchmark.pedantic(
        build_tables,
        (made.cluster, made.policies),
        rounds=sizes.rounds_of(ROUNDS[size]),
        warmup_rounds=int(size == "S"),
    )
    benchmark.extra_info.update(pods=len(made.cluster.pods), policies=len(made.policies), table_bytes=tables.size)
    if size != "L":
        assert_same_answers(made)


def assert_same_answers(made):
    """Compare flows between random pods, judged with fresh tables and by the reference."""
    random = np.random.default_rng(0)
    ends = [End(address) for address in made.cluster.pods_at if address.family is Family.V4]
    pairs = random.choice(len(ends), (SAMPLE, 2)).tolist()
    ports = random.choice([53, 80, 443, 5432, 8080], SAMPLE).tolist()
    flows = [Flow(ends[a], ends[b], TCP, port) for (a, b), port in zip(pairs, ports, strict=True)]
    reference = Reference(made.cluster, made.policies)
    assert judge_flows(made.cluster, made.policies, flows) == [reference.judge(flow) for flow in flows]
