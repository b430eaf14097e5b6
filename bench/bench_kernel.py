"""Judging five-tuples: verdict and both rules, on one thread and on two, beside a loop that looks nothing up."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from simcore.analyses.judging import Workspace
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS
from simcore.tables.build import build_tables
from simcore.tables.layout import Tables

from .checks import assert_right, five_tuple_flows, sample
from .clusters import SEED, Scenario
from .flows import FiveTuples, judge_tuples, random_flows, zipf_flows
from .pairs import take_turns
from .peers import copy_columns
from .tiers import admin_policies

ROUNDS = 11


@pytest.fixture(scope="module")
def flows(kernel, sizes):
    return {
        "zipf": zipf_flows(kernel.scenario, kernel.tables, sizes.kernel_flows),
        "random": random_flows(kernel.scenario, sizes.kernel_flows),
    }


def judge_all(tables: Tables, flows: FiveTuples, workspace: Workspace) -> None:
    for batch in flows.batches(DEFAULT_BATCH_ROWS):
        judge_tuples(tables, batch, workspace)


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
@pytest.mark.parametrize("kind", ["zipf", "random"])
def test_judge(benchmark, kernel, flows, sizes, kind, threads):
    scenario, tables = kernel.scenario, kernel.tables
    flows = flows[kind]
    some = next(flows.batches(DEFAULT_BATCH_ROWS))
    rows = sample(len(some))
    judged = judge_tuples(tables, some, Workspace(tables, len(some)))
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


def test_judge_tiers(benchmark, kernel, sizes):
    admin = admin_policies(kernel.scenario.cluster, sizes.tiered, SEED)
    scenario = Scenario(kernel.scenario.cluster, (*kernel.scenario.policies, *admin))
    tables = build_tables(scenario.cluster, scenario.policies)
    flows = zipf_flows(kernel.scenario, kernel.tables, sizes.kernel_flows)
    some = next(flows.batches(DEFAULT_BATCH_ROWS))
    rows = sample(len(some))
    judged = judge_tuples(tables, some, Workspace(tables, len(some)))
    assert_right(scenario, tables, five_tuple_flows(some, rows), rows, judged)
    workspace, plain = Workspace(tables, DEFAULT_BATCH_ROWS), Workspace(kernel.tables, DEFAULT_BATCH_ROWS)
    _, ratio = take_turns(
        benchmark,
        lambda: judge_all(tables, flows, workspace),
        lambda: judge_all(kernel.tables, flows, plain),
        sizes.rounds_of(ROUNDS),
    )
    benchmark.extra_info.update(
        flows=len(flows),
        pods=len(scenario.cluster.pods),
        policies=len(scenario.policies),
        table_bytes=tables.size,
        speed_to_plain=1 / ratio,
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_no_lookup(benchmark, kernel, flows, sizes, threads):
    flows = flows["random"]
    benchmark.extra_info.update(flows=len(flows))
    benchmark.pedantic(
        on_threads, (threads, copy_all, flows, kernel.tables), rounds=sizes.rounds_of(ROUNDS), warmup_rounds=1
    )
