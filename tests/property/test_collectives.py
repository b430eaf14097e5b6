"""Ends named by what stands for many: the tables against the reference, flow by flow and by batches."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from simcore.analyses.judging import flow_columns, judge_batch, judge_columns, judge_flows, judgement_of
from simcore.model.addresses import Address
from simcore.model.flows import End, Verdict
from simcore.reference import Reference
from simcore.reference.moments import TimedReference
from simcore.tables import collectives
from simcore.tables.build import build_tables
from simcore.tables.collectives import with_collectives
from tests.property.test_identities import batch_of

from .. import strategies, strategies_rules, timelines

NAMES = (
    *(f"{namespace}/{prefix}*" for namespace in strategies.NAMESPACES for prefix in ("", "p", "p1", "none")),
    *(f"node:{name}" for name in (*strategies.NODES, "nowhere")),
    *("external:public", "external:partners", "p*", "node:"),
)


def some_question(random):
    cluster, ends = strategies_rules.some_cluster(random)
    own = [End(None, random.choice(NAMES)) for _ in range(8)]
    own += [End(Address.parse(random.choice(strategies_rules.ADDRESSES)), random.choice(NAMES)) for _ in range(2)]
    flows = [strategies_rules.some_flow(random, cluster, [*ends[:5], *own]) for _ in range(60)]
    return cluster, strategies_rules.some_policies(random), flows, strategies_rules.some_profile(random)


def members(cluster, end):
    """What an end may be, each an end that means one: pods by name, else addresses; None where it is none of these."""
    name = end.pod or ""
    if name.endswith("*") and "/" in name:
        return [End(None, pod.full_name) for pod in cluster.pods if pod.full_name.startswith(name[:-1])]
    if name.startswith("node:"):
        return [End(address) for address, node in cluster.node_at.items() if f"node:{node}" == name]
    return None if name.startswith("external:") else [end]


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference(seed):
    cluster, policies, flows, profile = some_question(Random(seed))
    reference = Reference(cluster, policies, profile)
    for flow, judgement in zip(flows, judge_flows(cluster, policies, flows, profile), strict=True):
        assert judgement == reference.judge(flow), flow


@given(st.integers(0, 2**48), st.booleans())
def test_batches_agree_with_the_reference(seed, wide):
    check_batches(seed, wide)


@given(st.integers(0, 2**48))
def test_verdicts_are_the_same_of_fewer_members(seed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(collectives, "_FEW", 0)
        check_batches(seed, wide=True)


def check_batches(seed, wide):
    cluster, policies, flows, profile = some_question(Random(seed))
    if not wide:
        flows = [replace(f, source=replace(f.source, address=None)) for f in flows]
        flows = [replace(f, destination=replace(f.destination, address=None)) for f in flows]
    tables = with_collectives(build_tables(cluster, policies, profile=profile), NAMES[:9])
    tables = with_collectives(tables, NAMES)
    judged = judge_batch(tables, batch_of(flows, wide=wide, named=True))
    reference = Reference(cluster, policies, profile)
    for row, flow in enumerate(flows):
        found = (int(cells[0, row]) for cells in (judged.egress, judged.ingress, judged.verdict))
        assert judgement_of(tables, *found) == reference.judge(flow), flow
    assert tables.pod_name(tables.pod_numbers["external:public"]) == "external:public"


@given(st.integers(0, 2**48))
def test_a_verdict_that_is_known_is_that_of_all_who_may_be_meant(seed):
    cluster, policies, flows, profile = some_question(Random(seed))
    reference = Reference(cluster, policies, profile)
    for flow in flows:
        sources, destinations = members(cluster, flow.source), members(cluster, flow.destination)
        if sources is None or destinations is None or (sources, destinations) == ([flow.source], [flow.destination]):
            continue
        pairs = [replace(flow, source=source, destination=end) for source in sources for end in destinations]
        verdict = reference.judge(flow).verdict
        if verdict is not Verdict.UNKNOWN:
            assert {reference.judge(pair).verdict for pair in pairs} <= {verdict, Verdict.UNKNOWN}, flow


@given(st.integers(0, 2**48))
def test_verdicts_at_a_time_are_those_of_who_was_there_or_unknown(seed):
    random = Random(seed)
    cluster, ends = timelines.some_timeline(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    assume(not profile.cilium and all(map(timelines.is_constant, policies)))
    named = [End(None, name) for name in random.sample(NAMES, 8)]
    flows = [strategies_rules.some_flow(random, cluster, [*named, *ends[:3]]) for _ in range(60)]
    times = [random.randrange(timelines.MOMENTS) for _ in flows]
    tables = with_collectives(build_tables(cluster, policies, profile=profile), NAMES)
    judged = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=np.array(times, np.int64))
    reference = TimedReference(cluster, policies, profile)
    for row, (flow, time) in enumerate(zip(flows, times, strict=True)):
        if Verdict(judged.verdict[0, row]) is not Verdict.UNKNOWN:
            assert judged.verdict[0, row] == reference.judge(flow, time).verdict.value, (flow, time)
