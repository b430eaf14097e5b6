"""Clusters over time: the tables against the plain reference of each flow's moment."""

from itertools import chain
from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import flow_columns, judge_batch, judge_columns, judgement_of, objects_of
from simcore.kernels.moments import NO_TIME
from simcore.model.addresses import Address, Family
from simcore.model.flows import End, Flow, Verdict
from simcore.model.ports import TCP
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from simcore.model.timeline import PolicyHistory
from simcore.reference.moments import TimedReference
from simcore.tables.build import build_tables
from simcore.tables.eras import distinct_sets, in_eras

from .. import strategies_rules, timelines


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference_of_the_moment(seed):
    random = Random(seed)
    cluster, ends = timelines.some_timeline(random)
    policies = strategies_rules.some_policies(random)
    profile = strategies_rules.some_profile(random)
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(120)]
    times = [random.choice([None, *range(-1, timelines.MOMENTS + 10)]) for _ in flows]
    tables, reference = build_tables(cluster, policies, profile=profile), TimedReference(cluster, policies, profile)
    judged = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=held(times))
    is_exact = all(map(timelines.is_constant, policies)) and not profile.cilium
    for row, (flow, moment) in enumerate(zip(flows, times, strict=True)):
        cells = judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row]
        check(judgement_of(tables, *map(int, cells)), reference.judge(flow, moment), is_exact, flow, moment)


@given(st.integers(0, 2**48))
def test_each_flow_is_judged_by_the_policies_of_its_time(seed):
    random = Random(seed)
    cluster, ends = timelines.some_timeline(random)
    if random.random() < 0.5:
        cluster = cluster.at(5)
    sets = [strategies_rules.some_policies(random) for _ in range(3)]
    sets.append([*sets[0][:1], *sets[1][1:]])
    histories = [some_history(random, sets) for _ in range(2)]
    profile = strategies_rules.some_profile(random)
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(80)]
    times = [random.choice([None, *range(-1, timelines.MOMENTS + 10)]) for _ in flows]
    chosen = distinct_sets(histories)
    tables = in_eras(build_tables(cluster, *chosen, profile=profile), histories, chosen)
    judged = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=held(times))
    is_exact = all(map(timelines.is_constant, chain.from_iterable(chosen))) and not profile.cilium
    for number, history in enumerate(histories):
        reference = TimedReference(cluster, history, profile)
        for row, (flow, moment) in enumerate(zip(flows, times, strict=True)):
            cells = judged.egress[number, row], judged.ingress[number, row], judged.verdict[number, row]
            check(judgement_of(tables, *map(int, cells)), reference.judge(flow, moment), is_exact, flow, moment)


def some_history(random, sets):
    return PolicyHistory.of([(random.randrange(timelines.MOMENTS), random.choice(sets)) for _ in range(4)])


def held(times):
    return np.array([NO_TIME if moment is None else moment for moment in times], np.int64)


def check(found, expected, is_exact, *flow):
    if is_exact:
        assert found == expected, flow
    else:
        assert found.verdict in (expected.verdict, Verdict.UNKNOWN), flow


@given(st.integers(0, 2**48))
def test_a_batch_is_judged_as_its_flows_are(seed):
    random = Random(seed)
    cluster, ends = timelines.some_timeline(random)
    tables = build_tables(cluster, strategies_rules.some_policies(random))
    addressed = [End(end.address) for end in ends if end.address] + [End(Address.parse("10.0.0.1"))]
    is_narrow = random.random() < 0.5
    if is_narrow:
        addressed = [end for end in addressed if end.address.family is Family.V4]
    flows = [Flow(random.choice(addressed), random.choice(addressed), TCP, random.choice([80, 443])) for _ in range(40)]
    times = [random.choice([None, *range(-1, timelines.MOMENTS + 10)]) for _ in flows]
    columns = {
        f"{end}_address": pa.array([pack(getattr(flow, end).address, is_narrow) for flow in flows], kind_of(is_narrow))
        for end in ("source", "destination")
    }
    columns["time"] = pa.array(times, pa.int64()).cast(FLOW_SCHEMA.field("time").type)
    columns["protocol"] = pa.array([TCP] * len(flows), pa.uint8())
    columns["destination_port"] = pa.array([flow.port for flow in flows], pa.uint16())
    found = judge_batch(tables, pa.RecordBatch.from_pydict(columns))
    expected = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=held(times))
    assert found.verdict.tolist() == expected.verdict.tolist()
    assert (found.egress.tolist(), found.ingress.tolist()) == (expected.egress.tolist(), expected.ingress.tolist())
    objects = [[objects_of(tables, end).tolist() for end in (one.source, one.destination)] for one in (found, expected)]
    assert objects[0] == objects[1]


def kind_of(is_narrow):
    return pa.uint32() if is_narrow else WIDE_ADDRESS


def pack(address, is_narrow):
    if is_narrow:
        return address.value
    return (address.value | (0xFFFF << 32 if address.family is Family.V4 else 0)).to_bytes(16, "big")
