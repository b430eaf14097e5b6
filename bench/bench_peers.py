"""What users would pick instead: their answers are compared with ours on every flow, then both are timed."""

import numpy as np
import pytest

from loaders import open_capture
from simcore.analyses.judging import Workspace
from simcore.analyses.shards import Threads
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS, not_allowed, sweep
from simcore.tables.build import build_tables

from . import peers_rules, peers_tables
from .access_lists import access_scenario, matching_flows
from .captures import write_capture
from .counting import Answer, Judged, is_installed
from .flows import judge_tuples, random_flows, zipf_flows
from .pairs import take_turns
from .peers import run_dpdk
from .results import JOINS, LISTS, SQL_PEERS

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
    """Two captures, and what they are joined with."""
    paths = {"rules": folder / "joined.parquet", "random flows": folder / "random.parquet"}
    write_capture(zipf_flows(kernel.scenario, kernel.tables, sizes.joined_flows), paths["rules"])
    write_capture(random_flows(kernel.scenario, sizes.joined_flows // 5), paths["random flows"])
    tables = peers_tables.relations_of(kernel.scenario, kernel.tables)
    rules = peers_rules.relations_of(kernel.scenario, tables.ranges.select(["first", "label"]))
    return {**paths, "tables": paths["rules"]}, tables, rules


def peer_of(name, relations, path):
    engine = name.partition(" ")[2]
    if isinstance(relations, peers_rules.Relations):
        polars, duckdb = peers_rules.polars_rules, peers_rules.duckdb_rules
    else:
        polars, duckdb = peers_tables.polars_tables, peers_tables.duckdb_tables
    return polars(relations, path, engine) if engine else duckdb(relations, path, THREADS)


@pytest.mark.parametrize("name", SQL_PEERS)
@pytest.mark.parametrize("join", JOINS)
def test_join(benchmark, kernel, joined, sizes, join, name):
    """A replay with its counts, beside the same as joins over the same file."""
    if not is_installed(name):
        pytest.skip("not installed; make bench-peers")
    paths, tables, rules = joined
    capture = open_capture([str(paths[join])])
    peer = peer_of(name, tables if join == "tables" else rules, paths[join])
    decides = None if join == "tables" else rules.deciding(kernel.tables)

    def replay():
        return sweep(capture, kernel.tables, not_allowed, Threads(THREADS))

    differ = differing(kernel.tables, Judged.of_table(peer.judge()), decides)
    assert not differ.size, f"{name}: {differ.size} distinct flows are judged otherwise; the comparison is void"
    expected = Answer.of_sweep(replay())
    found, to_ours = take_turns(benchmark, peer.count, replay, sizes.rounds_of(ROUNDS))
    same = Answer.of_table(found).equals(expected if decides is None else expected.by_rule(decides))
    assert same, f"{name}: counts differ; the comparison is void"
    flows = sum(split.rows for split in capture.splits)
    benchmark.extra_info.update(flows=flows, groups=len(expected.groups), to_ours=to_ours, version=peer.version)


def differing(tables, judged, decides):
    """Find the flows whose cells, or deciding rules, are not ours."""
    ours = judge_tuples(tables, judged.flows)
    cells = ours.egress[0], ours.ingress[0]
    egress, ingress = cells if decides is None else (decides[each >> 2] for each in cells)
    return np.flatnonzero((judged.egress != egress) | (judged.ingress != ingress))
