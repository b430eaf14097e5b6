"""Tables and kernels against the reference: same verdict, same rule, same reason, for every flow."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import judge_flows
from simcore.model.flows import Flow
from simcore.reference import Reference

from .. import strategies
from ..manifests import load


@st.composite
def questions(draw):
    """A cluster, its policies, and every flow between some ends, on some ports."""
    cluster = draw(strategies.clusters())
    ends = [strategies.model_end(end) for end in draw(st.lists(strategies.ends(cluster), min_size=3, max_size=8))]
    drawn = [strategies.model_flow(draw(strategies.flows(cluster))) for _ in range(4)]
    flows = [
        Flow(source, destination, flow.protocol, flow.port) for source, destination, flow in product(ends, ends, drawn)
    ]
    return cluster, draw(strategies.policies()), [*drawn, *flows], draw(strategies.profiles())


@given(questions())
def test_tables_agree_with_the_reference(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    judged = judge_flows(snapshot.cluster, snapshot.policies, flows, profile)
    for flow, judgement in zip(flows, judged, strict=True):
        assert judgement == reference.judge(flow), flow
