"""What every pod may reach, all pairs at once: counted by kinds, and by workloads and outside ranges."""

import pytest

from simcore.analyses.connectivity import connectivity
from simcore.analyses.reachability import reachability
from simcore.tables.build import build_tables

SIZES = ("S", "M")


@pytest.mark.parametrize("size", SIZES)
def test_reach(benchmark, scenario, sizes, size):
    if size not in sizes.clusters:
        pytest.skip("not in a quick run")
    made = scenario(size)
    tables = build_tables(made.cluster, made.policies)
    found = benchmark.pedantic(reachability, (tables,), rounds=sizes.rounds_of(3), warmup_rounds=1)
    benchmark.extra_info.update(pods=found.pods, pairs=found.pairs)
    assert found.pairs == found.pods * (found.pods - 1)


@pytest.mark.parametrize("size", SIZES)
def test_connectivity(benchmark, scenario, sizes, size):
    if size not in sizes.clusters:
        pytest.skip("not in a quick run")
    made = scenario(size)
    tables = build_tables(made.cluster, made.policies)
    found = benchmark.pedantic(connectivity, (tables,), rounds=sizes.rounds_of(3), warmup_rounds=1)
    benchmark.extra_info.update(pods=len(made.cluster.pods), workloads=found.workloads)
    assert found.workloads
