"""Replaying a Parquet capture, beside the bare decoding of the same columns."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import simcore
from loaders import open_capture
from loaders.synthetic.flows import generate_flows
from simcore.analyses.ends import JUDGED_COLUMNS
from simcore.analyses.judging import judge_batch
from simcore.analyses.shards import Threads
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS, not_allowed, sweep
from simcore.analyses.tally import GROUPED_COLUMNS
from simcore.model.flows import Flow, Verdict
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .captures import write_as_text
from .checks import assert_right, captured_flows, sample
from .clusters import SEED
from .pairs import take_turns
from .peers import decode
from .results import CAPTURES, FORMS

ROUNDS = 3
THREADS = 2


@pytest.fixture(scope="module")
def made(scenario, sizes):
    return scenario(sizes.replay_cluster)


@pytest.fixture(scope="module")
def tables(made):
    return build_tables(made.cluster, made.policies)


@pytest.fixture(scope="module")
def expected(made):
    """Whether policies allow a flow: captures are mostly of such."""
    reference = Reference(made.cluster, made.policies)
    known: dict[Flow, bool] = {}

    def is_allowed(flow: Flow) -> bool:
        if flow not in known:
            known[flow] = reference.judge(flow).verdict is Verdict.ALLOW
        return known[flow]

    return is_allowed


@pytest.fixture(scope="module")
def captures(made, expected, folder, sizes):
    paths = {name: folder / f"flows-{number}.parquet" for number, name in enumerate(CAPTURES)}
    generate_flows(made.cluster, sizes.replay_flows, SEED, paths["ipv4"], ipv6=0.0, expected=expected)
    generate_flows(made.cluster, sizes.replay_flows, SEED, paths["both families"], expected=expected)
    plain = paths["ipv4, pyarrow's defaults"]
    with pq.ParquetFile(paths["ipv4"]) as file, pq.ParquetWriter(plain, file.schema_arrow) as writer:
        for group in range(file.num_row_groups):
            writer.write_table(file.read_row_group(group))
    return paths


@pytest.fixture(scope="module")
def forms(made, expected, folder, sizes):
    """The same traffic with addresses of 4 bytes, of IPv6, and in words."""
    paths = {name: folder / f"{name}.parquet" for name in ("ipv4", *FORMS)}
    generate_flows(made.cluster, sizes.form_flows, SEED, paths["ipv4"], ipv6=0.0, expected=expected)
    generate_flows(made.cluster, sizes.form_flows, SEED, paths["IPv6"], ipv6=1.0, expected=expected)
    write_as_text(paths["ipv4"], paths["text"])
    return {name: open_capture([str(path)]) for name, path in paths.items()}


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


def replaying(capture, tables, threads=THREADS):
    return lambda: sweep(capture, tables, not_allowed, Threads(threads))


def decoding(capture, threads=THREADS):
    return lambda: decode(Path(capture.files[0]), columns_of(capture), DEFAULT_BATCH_ROWS, threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_sweep(benchmark, capture, made, tables, sizes, threads):
    """A replay whose tables are there already, and a decoding in turns."""
    batch = next(iter(capture.read(capture.splits[0], JUDGED_COLUMNS, DEFAULT_BATCH_ROWS)))
    rows = sample(batch.num_rows)
    assert_right(made, tables, captured_flows(batch, rows), rows, judge_batch(tables, batch))
    tasks = replaying(capture, tables, threads), decoding(capture, threads)
    found, to_decode = take_turns(benchmark, *tasks, sizes.rounds_of(2 * ROUNDS))
    benchmark.extra_info.update(flows=sizes.replay_flows, groups=found.tally.size, to_decode=to_decode)
    assert found.counts.sum() == sizes.replay_flows


def test_long(benchmark, made, tables, expected, folder, sizes):
    """The same on a capture that is larger than what processors keep at hand."""
    path = folder / "long.parquet"
    generate_flows(made.cluster, sizes.long_flows, SEED, path, ipv6=0.0, expected=expected)
    capture = open_capture([str(path)])
    tasks = replaying(capture, tables), decoding(capture)
    found, to_decode = take_turns(benchmark, *tasks, sizes.rounds_of(ROUNDS))
    benchmark.extra_info.update(flows=sizes.long_flows, groups=found.tally.size, to_decode=to_decode)
    assert found.counts.sum() == sizes.long_flows
    path.unlink()


@pytest.mark.parametrize("form", FORMS)
def test_form(benchmark, forms, tables, sizes, form):
    """A replay of addresses in another form than 4 bytes, and of 4 bytes in turns."""
    tasks = replaying(forms[form], tables), replaying(forms["ipv4"], tables)
    found, to_ipv4 = take_turns(benchmark, *tasks, sizes.rounds_of(2 * ROUNDS))
    benchmark.extra_info.update(flows=sizes.form_flows, groups=found.tally.size, to_ipv4=to_ipv4)
    if form == "text":
        assert np.array_equal(found.counts, tasks[1]().counts)


def test_whatif_sweep(benchmark, captures, made, tables, sizes):
    """A what-if whose tables are there already, and a replay in turns."""
    capture = open_capture([str(captures["ipv4"])])
    both = build_tables(made.cluster, made.policies, without_some(made.policies, 100))
    found, to_replay = take_turns(
        benchmark,
        lambda: sweep(capture, both, lambda verdict: verdict[0] != verdict[1], Threads(THREADS)),
        replaying(capture, tables),
        sizes.rounds_of(2 * ROUNDS),
    )
    benchmark.extra_info.update(flows=sizes.replay_flows, groups=found.tally.size, to_replay=to_replay)
    assert found.counts.sum() == sizes.replay_flows


def without_some(policies, every):
    return tuple(policy for number, policy in enumerate(policies) if number % every)


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
    result = benchmark.pedantic(
        simcore.whatif,
        (capture, made.cluster, made.policies, without_some(made.policies, 10)),
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
