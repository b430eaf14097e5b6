"""Sizes and folders of the benchmarks. ``--quick`` runs them all on small data, to see that they work."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from .clusters import Scenario, load_scenario, write_cluster


@dataclass(frozen=True)
class Sizes:
    """How much is timed."""

    kernel: tuple[int, int, int]
    kernel_flows: int
    clusters: tuple[str, ...]
    replay_cluster: str
    replay_flows: int
    tests: int
    rounds: int
    dpdk_rules: int
    dpdk_flows: int
    dpdk_iterations: int
    live_connections: int
    live_packets: int
    load_connections: int

    def rounds_of(self, wanted: int) -> int:
        return min(wanted, self.rounds)


FULL = Sizes(
    (10_000, 5_000, 1_000),
    10_000_000,
    ("S", "M", "L"),
    "M",
    10_000_000,
    1_000,
    100,
    10_000,
    200_000,
    50,
    live_connections=1_000_000,
    live_packets=10_000_000,
    load_connections=24_000,
)
QUICK = Sizes(
    (500, 200, 50),
    200_000,
    ("S",),
    "S",
    100_000,
    20,
    1,
    500,
    10_000,
    2,
    live_connections=20_000,
    live_packets=100_000,
    load_connections=500,
)


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
