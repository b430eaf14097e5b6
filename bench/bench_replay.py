"""Replaying a Parquet capture, beside the bare decoding of the same columns."""

import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import pyarrow.parquet as pq
import pytest

import simcore
from loaders import open_capture
from loaders.synthetic.flows import generate_flows
from simcore.analyses.ends import JUDGED_COLUMNS
from simcore.analyses.judging import judge_batch
from simcore.analyses.shards import Threads
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS, sweep
from simcore.analyses.tally import GROUPED_COLUMNS
from simcore.model.flows import Flow, Verdict
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .checks import assert_right, captured_flows, sample
from .clusters import SEED
from .peers import decode
from .results import CAPTURES

ROUNDS = 3


@pytest.fixture(scope="module")
def made(scenario, sizes):
    return scenario(sizes.replay_cluster)


@pytest.fixture(scope="module")
def tables(made):
    return build_tables(made.cluster, made.policies)


@pytest.fixture(scope="module")
def captures(made, folder, sizes):
    paths = {name: folder / f"flows-{number}.parquet" for number, name in enumerate(CAPTURES)}
    reference = Reference(made.cluster, made.policies)

    def expected(flow: Flow) -> bool:
        return reference.judge(flow).verdict is Verdict.ALLOW

    generate_flows(made.cluster, sizes.replay_flows, SEED, paths["ipv4"], ipv6=0.0, expected=expected)
    generate_flows(made.cluster, sizes.replay_flows, SEED, paths["both families"], expected=expected)
    plain = paths["ipv4, pyarrow's defaults"]
    with pq.ParquetFile(paths["ipv4"]) as file, pq.ParquetWriter(plain, file.schema_arrow) as writer:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group))
    return paths


@pytest.fixture(params=CAPTURES)
def capture(request, captures):
    return open_capture([str(captures[request.param])])


def columns_of(capture):
    return [name for name in (*JUDGED_COLUMNS, *GROUPED_COLUMNS) if name in capture.columns]


@pytest.mark.parametrize("threads", [1, 2])
def test_decode(benchmark, capture, sizes, threads):
    task = (Path(capture.files[0]), columns_of(capture), DEFAULT_BATCH_ROWS, threads)
    rows = benchmark.pedantic(decode, task, rounds=sizes.rounds_of(ROUNDS), warmup_rounds=1)
    benchmark.extra_info.update(flows=rows)
    assert rows == sizes.replay_flows


@pytest.mark.parametrize("threads", [1, 2])
def test_sweep(benchmark, capture, made, tables, sizes, threads):
    """A replay whose tables are there already; each round beside a decoding, as machines change their pace."""
    batch = next(iter(capture.read(capture.splits[0], JUDGED_COLUMNS, DEFAULT_BATCH_ROWS)))
    rows = sample(batch.num_rows)
    assert_right(made, tables, captured_flows(batch, rows), rows, judge_batch(tables, batch))
    decodes = []

    def decode_first():
        start = perf_counter()
        decode(Path(capture.files[0]), columns_of(capture), DEFAULT_BATCH_ROWS, threads)
        decodes.append(perf_counter() - start)
        return (capture, tables, lambda verdict: verdict[0] != Verdict.ALLOW, Threads(threads)), {}

    found = benchmark.pedantic(sweep, setup=decode_first, rounds=sizes.rounds_of(3 * ROUNDS))
    ratios = [seconds / decoding for seconds, decoding in zip(benchmark.stats.stats.data, decodes, strict=True)]
    benchmark.extra_info.update(flows=sizes.replay_flows, groups=found.tally.size, to_decode=median(ratios))
    assert found.counts.sum() == sizes.replay_flows


@pytest.mark.parametrize("threads", [2])
def test_replay(benchmark, captures, made, sizes, threads):
    """The whole of it, tables and groups included."""
    capture = open_capture([str(captures["ipv4"])])
    result = benchmark.pedantic(
        simcore.replay,
        (capture, made.cluster, made.policies),
        {"threads": threads},
        rounds=sizes.rounds_of(ROUNDS),
    )
    benchmark.extra_info.update(flows=result.flows)
    assert result.flows == sizes.replay_flows


@pytest.mark.parametrize("threads", [2])
def test_whatif(benchmark, captures, made, sizes, threads):
    """The same with a second policy set, which lacks every tenth policy."""
    capture = open_capture([str(captures["ipv4"])])
    candidate = tuple(policy for number, policy in enumerate(made.policies) if number % 10)
    result = benchmark.pedantic(
        simcore.whatif,
        (capture, made.cluster, made.policies, candidate),
        {"threads": threads},
        rounds=sizes.rounds_of(1),
    )
    benchmark.extra_info.update(flows=result.flows)
    assert result.flows == sizes.replay_flows


# A process starts with the peak of the one that made it, so a small one makes and watches the command.
WATCH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def test_command(benchmark, captures, cluster_folder, sizes, folder):
    """``flowverdict replay CAPTURE --cluster DIR -o OUT`` from nothing, and the most memory it held."""
    out = folder / "verdicts.parquet"
    command = [Path(sys.executable).parent / "flowverdict", "replay", captures["ipv4"], "-o", out]
    command += ["--cluster", cluster_folder(sizes.replay_cluster)]
    watched = [sys.executable, "-c", WATCH, *map(str, command)]
    options = {"capture_output": True, "text": True, "check": True}
    done = benchmark.pedantic(subprocess.run, (watched,), options, rounds=1)
    benchmark.extra_info.update(flows=sizes.replay_flows, peak_bytes=int(done.stdout) * 1024)
    assert pq.read_metadata(out).num_rows == sizes.replay_flows
