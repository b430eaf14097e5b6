"""Commands from a cold start of the interpreter, the compiled kernels being on disk."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from loaders.synthetic.flows import generate_flows
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP
from simcore.reference import Reference

from .clusters import SEED, load_scenario

FEW = 1_000
COMMAND = str(Path(sys.executable).parent / "flowverdict")


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=True)


def test_help(benchmark, sizes):
    done = benchmark.pedantic(run, ("--help",), rounds=sizes.rounds_of(15), warmup_rounds=1)
    assert "replay" in done.stdout


def test_first_verdict(benchmark, cluster_folder, folder, sizes):
    """``flowverdict replay`` of a few flows: load a small cluster, build tables, judge, tell."""
    path = folder / "few.parquet"
    generate_flows(load_scenario(cluster_folder("S")).cluster, FEW, SEED, path, ipv6=0.0)
    arguments = ("replay", str(path), "--cluster", str(cluster_folder("S")), "--format", "json")
    done = benchmark.pedantic(run, arguments, rounds=sizes.rounds_of(7), warmup_rounds=1)
    benchmark.extra_info.update(flows=FEW)
    assert json.loads(done.stdout)["flows"] == FEW


@pytest.mark.parametrize("size", ["S", "M"])
def test_check(benchmark, scenario, cluster_folder, folder, sizes, size):
    """``flowverdict check``; what is expected is what the reference says, so that it exits with 0."""
    if size not in sizes.clusters:
        pytest.skip("not in a quick run")
    tests = folder / f"tests-{size}.json"
    tests.write_text(json.dumps({"tests": expectations(scenario(size), sizes.tests)}))
    arguments = ("check", str(tests), "--cluster", str(cluster_folder(size)), "--format", "json")
    done = benchmark.pedantic(run, arguments, rounds=sizes.rounds_of(5), warmup_rounds=1)
    benchmark.extra_info.update(tests=sizes.tests)
    assert json.loads(done.stdout)["passed"] == sizes.tests


def expectations(made, count):
    random = Random(0)
    reference = Reference(made.cluster, made.policies)
    pods = [
        pod
        for pod in made.cluster.pods
        if pod.addresses and not pod.finished and not pod.host_network and pod.addresses[0].family is Family.V4
    ]
    tests = []
    for _ in range(count):
        source, destination = random.sample(pods, 2)
        port = random.choice([53, 80, 443, 5432, 8080])
        ends = (End(pod=source.full_name), End(pod=destination.full_name))
        expect = reference.judge(Flow(*ends, TCP, port)).verdict.word
        test = {"from": source.full_name, "to": destination.full_name, "port": port, "expect": expect}
        tests.append(test)
    return tests
