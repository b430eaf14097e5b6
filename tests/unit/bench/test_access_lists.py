"""Policies written out as five-tuple rules say what the policies say."""

import numpy as np
import pytest

from bench.access_lists import access_scenario, matching_flows
from bench.clusters import kernel_scenario
from bench.flows import FiveTuples, judge_tuples, random_flows, zipf_flows
from simcore.model.addresses import Address, Family
from simcore.model.flows import Verdict
from simcore.tables.build import build_tables


@pytest.fixture(scope="module")
def scenario():
    return kernel_scenario(500, 200, 50)


def first_match(lines, flow):
    source, destination, _, port, protocol = flow
    for line in lines:
        if (
            line.source.contains(Address(Family.V4, source))
            and line.destination.contains(Address(Family.V4, destination))
            and line.first_port <= port <= line.last_port
            and line.protocol in (None, protocol)
        ):
            return line.rule
    return None


@pytest.mark.parametrize("kind", ["random", "matching"])
def test_the_first_line_that_matches_is_the_deciding_rule(scenario, kind):
    kept, lines = access_scenario(scenario, 500)
    flows = random_flows(scenario, 300) if kind == "random" else matching_flows(lines, 300)
    tables = build_tables(kept.cluster, kept.policies)
    judged = judge_tuples(tables, flows)
    rows = zip(*(column.tolist() for column in vars(flows).values()), strict=True)
    expected = [first_match(lines, flow) if flow[0] != flow[1] else None for flow in rows]
    assert [tables.outcomes[cell >> 2].rule for cell in judged.egress[0]] == expected
    assert len(lines) <= 500
    assert any(expected)
    assert len(kept.policies) > 1


def test_realistic_flows_are_mostly_allowed_and_the_same_again(scenario):
    tables = build_tables(scenario.cluster, scenario.policies)
    flows, again = (zipf_flows(scenario, tables, 20_000) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(vars(flows).values(), vars(again).values(), strict=True))
    assert 0.8 < np.mean(judge_tuples(tables, flows).verdict[0] == Verdict.ALLOW) < 0.999
    pairs = np.unique(np.stack([flows.source, flows.destination]), axis=1, return_counts=True)[1]
    assert np.sort(pairs)[::-1][:100].sum() > 0.02 * len(flows)


def test_batches_are_stretches_of_all_columns():
    flows = FiveTuples(*(np.arange(5) for _ in range(5)))
    assert [len(batch) for batch in flows.batches(2)] == [2, 2, 1]
