"""Replaying a capture half of whose flows carry requests that rules look at, beside the same without requests."""

import pytest

from loaders import open_capture
from simcore.analyses.ends import judged_columns
from simcore.analyses.judging import judge_batch, judgement_of
from simcore.analyses.shards import Threads
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS, not_allowed, sweep
from simcore.model.flows import Flow, Reason
from simcore.model.requests import Request
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .checks import captured_flows, sample
from .clusters import SEED
from .pairs import take_turns
from .requests import REQUEST_COLUMNS, request_policies, write_requests, write_without

ROUNDS = 6
THREADS = 2


@pytest.fixture(scope="module")
def cluster(scenario, sizes):
    return scenario(sizes.replay_cluster).cluster


@pytest.fixture(scope="module")
def captures(cluster, folder, sizes):
    paths = folder / "requests.parquet", folder / "no-requests.parquet"
    write_requests(cluster, sizes.form_flows, SEED, paths[0])
    write_without(*paths)
    return [open_capture([str(path)]) for path in paths]


def test_requests(benchmark, cluster, captures, sizes):
    """Both replays have their tables, which are the same."""
    policies = request_policies()
    tables = build_tables(cluster, policies)
    check(cluster, policies, tables, captures[0])
    tasks = [lambda capture=capture: sweep(capture, tables, not_allowed, Threads(THREADS)) for capture in captures]
    found, to_bare = take_turns(benchmark, *tasks, sizes.rounds_of(ROUNDS))
    benchmark.extra_info.update(flows=sizes.form_flows, groups=found.tally.size, to_bare=to_bare)
    assert found.counts.sum() == sizes.form_flows
    assert found.requests.decided + found.requests.on_condition > 0.9 * sizes.form_flows


def check(cluster, policies, tables, capture):
    """Compare some answers with the reference."""
    batch = next(iter(capture.read(capture.splits[0], judged_columns(tables), DEFAULT_BATCH_ROWS)))
    judged = judge_batch(tables, batch)
    rows = sample(batch.num_rows)
    requests = [batch[name].take(rows).to_pylist() for name in REQUEST_COLUMNS]
    reference, seen = Reference(cluster, policies), set()
    for flow, method, path, row in zip(captured_flows(batch, rows), *requests, rows.tolist(), strict=True):
        asked = Flow(flow.source, flow.destination, flow.protocol, flow.port, request=Request(method, path))
        cells = judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row]
        found = judgement_of(tables, *map(int, cells))
        assert found == reference.judge(asked), asked
        seen.add(found.ingress.reason)
    assert {Reason.RULE, Reason.REQUEST_ALLOWED, Reason.REQUEST_NOT_ALLOWED} <= seen
