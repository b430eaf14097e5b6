"""What users would pick instead: their answers are compared with ours on every flow, then both are timed."""

import numpy as np
import pytest

from loaders import open_capture
from simcore.analyses.ends import JUDGED_COLUMNS
from simcore.analyses.judging import Workspace, judge_batch
from simcore.analyses.shards import Threads
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS, not_allowed, sweep
from simcore.tables.build import build_tables

from .access_lists import access_scenario, matching_flows
from .captures import write_capture
from .flows import judge_tuples, random_flows, zipf_flows
from .pairs import take_turns
from .peers import run_dpdk
from .peers_sql import Answer, duckdb_peer, is_installed, polars_peer, relations_of
from .results import LISTS, SQL_PEERS

THREADS = 2
ROUNDS = 5


@pytest.fixture(scope="module")
def access(kernel, sizes):
    scenario, lines = access_scenario(kernel.scenario, sizes.dpdk_rules)
    return scenario, lines, build_tables(scenario.cluster, scenario.policies)


@pytest.mark.parametrize("kind", LISTS)
def test_access_list(benchmark, access, sizes, kind):
    """Policies written out as an access list, beside DPDK; the same flows again and again, as it takes them."""
    scenario, lines, tables = access
    flows = random_flows(scenario, sizes.dpdk_flows) if kind == "random" else matching_flows(lines, sizes.dpdk_flows)
    workspace = Workspace(tables, DEFAULT_BATCH_ROWS)
    expected = deciding_rules(tables, judge_tuples(tables, flows))
    apart = flows.source != flows.destination  # a pod reaches itself, of which access lists know nothing
    runs = run_dpdk(lines, flows, sizes.dpdk_iterations)
    for algorithm, run in runs.items():
        found = np.array([*(id(line.rule) for line in lines), 0])[run.lines]
        differ = np.flatnonzero((found != expected) & apart)
        assert not differ.size, f"DPDK, {algorithm}: {differ.size} answers differ; the comparison is void"

    def judge_all():
        for _ in range(sizes.dpdk_iterations):
            for batch in flows.batches(DEFAULT_BATCH_ROWS):
                judge_tuples(tables, batch, workspace)

    benchmark.pedantic(judge_all, rounds=sizes.rounds_of(ROUNDS), warmup_rounds=1)
    benchmark.extra_info.update(
        flows=len(flows) * sizes.dpdk_iterations,
        policies=len(scenario.policies),
        lines=len(lines),
        dpdk={algorithm: run.speed for algorithm, run in runs.items()},
    )


def deciding_rules(tables, judged):
    """Return which rule decides each flow in egress, by its identity; 0 where none does, and the flow is allowed."""
    rules = np.array([0 if outcome.rule is None else id(outcome.rule) for outcome in tables.outcomes])
    return rules[judged.egress[0] >> 2]


@pytest.fixture(scope="module")
def joined(kernel, sizes, folder):
    path = folder / "joined.parquet"
    write_capture(zipf_flows(kernel.scenario, kernel.tables, sizes.joined_flows), path)
    return path, relations_of(kernel.scenario, kernel.tables)


@pytest.mark.parametrize("name", SQL_PEERS)
def test_join(benchmark, kernel, joined, sizes, name):
    """A replay with its counts, beside the same as a join over the same file."""
    if not is_installed(name):
        pytest.skip("not installed; make bench-peers")
    path, relations = joined
    capture = open_capture([str(path)])
    if name == "DuckDB":
        peer = duckdb_peer(relations, path, THREADS)
    else:
        peer = polars_peer(relations, path, name.partition(" ")[2])

    def replay():
        return sweep(capture, kernel.tables, not_allowed, Threads(THREADS))

    egress, ingress = peer.cells()
    differ = np.flatnonzero((egress != cells_of(kernel, capture, 0)) | (ingress != cells_of(kernel, capture, 1)))
    assert not differ.size, f"{name}: {differ.size} of {egress.size} verdicts differ; the comparison is void"
    expected = Answer.of_sweep(replay())
    found, to_ours = take_turns(benchmark, peer.answer, replay, sizes.rounds_of(ROUNDS))
    assert found.equals(expected), f"{name}: counts differ; the comparison is void"
    benchmark.extra_info.update(
        flows=sizes.joined_flows, groups=len(expected.groups), to_ours=to_ours, version=peer.version
    )


def cells_of(kernel, capture, direction):
    parts = []
    for split in capture.splits:
        for batch in capture.read(split, JUDGED_COLUMNS, DEFAULT_BATCH_ROWS):
            judged = judge_batch(kernel.tables, batch)
            parts.append((judged.egress, judged.ingress)[direction][0].copy())
    return np.concatenate(parts)
