"""Exports of Hubble turned into captures."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from loaders.captures.hubble import convert_hubble
from loaders.synthetic.hubble.export import generate_hubble
from simcore.model.cluster import Cluster
from simcore.model.flows import Flow, Judgement
from simcore.model.plugins import plugin_named
from simcore.reference import Reference

from .bench_replay import WATCH
from .clusters import SEED, load_scenario


@pytest.fixture(scope="module")
def export(cluster_folder, folder):
    """Make an export of so many lines, plain or packed."""

    def make(lines: int, suffix: str) -> Path:
        made = load_scenario(cluster_folder("S"))
        profile = plugin_named("cilium").profile

        def judge(cluster: Cluster) -> Callable[[Flow], Judgement]:
            return Reference(cluster, made.policies, profile).judge

        (path,) = generate_hubble(made.cluster, made.policies, lines, SEED, folder / f"hubble{suffix}", judge)
        return path

    return make


def test_convert(benchmark, export, folder, sizes):
    """JSON lines to connections, on one core, as a library."""
    path = export(sizes.hubble_lines, ".json")
    output = str(folder / "hubble.parquet")
    counts = benchmark.pedantic(convert_hubble, ([str(path)], output), rounds=sizes.rounds_of(3))
    benchmark.extra_info.update(events=counts.lines, json_bytes=path.stat().st_size)
    assert counts.lines == sizes.hubble_lines
    assert counts.unreadable == 0


def test_convert_command(benchmark, export, folder, sizes):
    """``flowverdict convert EXPORT.gz -o OUT`` from nothing, and the most memory it held."""
    lines = 4 * sizes.hubble_lines
    path, output = export(lines, ".json.gz"), folder / "converted.parquet"
    command = [Path(sys.executable).parent / "flowverdict", "convert", path, "-o", output]
    watched = [sys.executable, "-c", WATCH, *map(str, command)]
    options = {"capture_output": True, "text": True, "check": True}
    done = benchmark.pedantic(subprocess.run, (watched,), options, rounds=1)
    benchmark.extra_info.update(events=lines, peak_bytes=int(done.stdout) * 1024)
    assert pq.read_metadata(output).num_rows
