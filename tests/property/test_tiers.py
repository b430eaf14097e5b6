"""Tables and kernels against the reference under rules of every kind there is: the same in everything."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import judge_flows
from simcore.reference import Reference

from .. import strategies_rules


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference_on_every_kind_of_rule(seed):
    random = Random(seed)
    cluster, ends = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(100)]
    reference = Reference(cluster, policies, profile)
    for flow, judgement in zip(flows, judge_flows(cluster, policies, flows, profile), strict=True):
        assert judgement == reference.judge(flow), flow
