"""Clusters over time: the tables against the plain reference of each flow's moment."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import flow_columns, judge_columns, judgement_of
from simcore.kernels.moments import NO_TIME
from simcore.model.flows import Verdict
from simcore.reference.moments import TimedReference
from simcore.tables.build import build_tables

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
    held = np.array([NO_TIME if moment is None else moment for moment in times], np.int64)
    judged = judge_columns(tables, *flow_columns(cluster, flows), times=held)
    is_exact = all(map(timelines.is_constant, policies)) and not profile.cilium
    for row, (flow, moment) in enumerate(zip(flows, times, strict=True)):
        cells = judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row]
        found, expected = judgement_of(tables, *map(int, cells)), reference.judge(flow, moment)
        if is_exact:
            assert found == expected, (flow, moment)
        else:
            assert found.verdict in (expected.verdict, Verdict.UNKNOWN), (flow, moment)
