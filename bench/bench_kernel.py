"""Judging five-tuples: verdict and both rules, on one thread and on two, beside a loop that looks nothing up."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from simcore.analyses.ends import EndColumn, PortColumns
from simcore.analyses.judging import Judged, Workspace, judge_columns
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS
from simcore.tables.build import build_tables
from simcore.tables.layout import Tables

from .checks import assert_right, five_tuple_flows, sample
from .clusters import FiveTuples, five_tuple_rules, kernel_scenario, matching_flows, random_flows
from .peers import copy_columns

_NO_HALVES = np.empty(0, np.uint64)
_NO_FLAGS = np.empty(0, bool)
_NO_PODS = np.empty(0, np.int32)
ROUNDS = 11


@pytest.fixture(scope="module")
def kernel(sizes):
    scenario = kernel_scenario(*sizes.kernel)
    flows = {
        "random": random_flows(scenario, sizes.kernel_flows),
        "matching": matching_flows(five_tuple_rules(scenario, sizes.dpdk_rules), sizes.kernel_flows),
    }
    return scenario, build_tables(scenario.cluster, scenario.policies), flows


def judge(tables: Tables, flows: FiveTuples, workspace: Workspace) -> Judged:
    ends = [EndColumn(v4, _NO_HALVES, _NO_HALVES, _NO_FLAGS, _NO_PODS) for v4 in (flows.source, flows.destination)]
    return judge_columns(tables, *ends, PortColumns(flows.protocol, flows.port, _NO_FLAGS), workspace)


def judge_all(tables: Tables, flows: FiveTuples, workspace: Workspace) -> None:
    for batch in flows.batches(DEFAULT_BATCH_ROWS):
        judge(tables, batch, workspace)


def copy_all(flows: FiveTuples, workspace: Workspace) -> None:
    for batch in flows.batches(DEFAULT_BATCH_ROWS):
        columns = (workspace.egress, workspace.ingress, workspace.verdict)
        copy_columns(*vars(batch).values(), *(column[:, : len(batch)] for column in columns))


def on_threads(count, task, flows, tables):
    """Run a task on parts of the flows, each thread with arrays of its own."""
    parts = list(flows.batches(-(-len(flows) // count)))
    spaces = [Workspace(tables, DEFAULT_BATCH_ROWS) for _ in parts]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(task, parts, spaces))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["random", "matching"])
def test_judge(benchmark, kernel, sizes, kind, threads):
    scenario, tables, flows = kernel
    flows = flows[kind]
    some = next(flows.batches(DEFAULT_BATCH_ROWS))
    rows = sample(len(some))
    judged = judge(tables, some, Workspace(tables, len(some)))
    assert_right(scenario, tables, five_tuple_flows(some, rows), rows, judged)
    benchmark.extra_info.update(
        flows=len(flows),
        pods=len(scenario.cluster.pods),
        policies=len(scenario.policies),
        allowed=float(np.mean(judged.verdict == 0)),
        table_bytes=tables.size,
    )
    benchmark.pedantic(
        on_threads,
        (threads, lambda part, space: judge_all(tables, part, space), flows, tables),
        rounds=sizes.rounds_of(ROUNDS),
        warmup_rounds=1,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_no_lookup(benchmark, kernel, sizes, threads):
    _, tables, flows = kernel
    flows = flows["random"]
    benchmark.extra_info.update(flows=len(flows))
    benchmark.pedantic(on_threads, (threads, copy_all, flows, tables), rounds=sizes.rounds_of(ROUNDS), warmup_rounds=1)
