"""Sizes and folders of the benchmarks. ``--quick`` runs them all on small data, to see that they work."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from simcore.tables.build import build_tables
from simcore.tables.layout import Tables

from .clusters import Scenario, kernel_scenario, load_scenario, write_cluster


@dataclass(frozen=True)
class Sizes:
    """How much is timed."""

    kernel: tuple[int, int, int]
    kernel_flows: int
    tiered: int
    clusters: tuple[str, ...]
    replay_cluster: str
    replay_flows: int
    form_flows: int
    long_flows: int
    tests: int
    rounds: int
    dpdk_rules: int
    dpdk_flows: int
    dpdk_iterations: int
    joined_flows: int
    live_connections: int
    live_packets: int
    load_connections: int
    hubble_lines: int
    format_rows: int

    def rounds_of(self, wanted: int) -> int:
        return min(wanted, self.rounds)


FULL = Sizes(
    kernel=(10_000, 5_000, 1_000),
    kernel_flows=10_000_000,
    tiered=500,
    clusters=("S", "M", "XL"),
    replay_cluster="M dual",
    replay_flows=10_000_000,
    form_flows=4_000_000,
    long_flows=100_000_000,
    tests=1_000,
    rounds=100,
    dpdk_rules=10_000,
    dpdk_flows=200_000,
    dpdk_iterations=50,
    joined_flows=5_000_000,
    live_connections=1_000_000,
    live_packets=10_000_000,
    load_connections=24_000,
    hubble_lines=500_000,
    format_rows=300_000,
)
QUICK = Sizes(
    kernel=(500, 200, 50),
    kernel_flows=200_000,
    tiered=40,
    clusters=("S",),
    replay_cluster="S dual",
    replay_flows=100_000,
    form_flows=50_000,
    long_flows=200_000,
    tests=20,
    rounds=1,
    dpdk_rules=500,
    dpdk_flows=10_000,
    dpdk_iterations=2,
    joined_flows=100_000,
    live_connections=20_000,
    live_packets=100_000,
    load_connections=500,
    hubble_lines=5_000,
    format_rows=2_000,
)


@dataclass(frozen=True)
class Kernel:
    """The cluster whose flows are judged in memory, and its tables."""

    scenario: Scenario
    tables: Tables


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="small data, one round")


@pytest.fixture(scope="session")
def sizes(request) -> Sizes:
    return QUICK if request.config.getoption("--quick") else FULL


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="session")
def cluster_folder(folder):
    return lambda size: write_cluster(size, folder / size)


@pytest.fixture(scope="session")
def scenario(cluster_folder):
    def load(size: str) -> Scenario:
        return load_scenario(cluster_folder(size))

    return load


@pytest.fixture(scope="session")
def kernel(sizes) -> Kernel:
    scenario = kernel_scenario(*sizes.kernel)
    return Kernel(scenario, build_tables(scenario.cluster, scenario.policies))
