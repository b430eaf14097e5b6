"""Tiered policies mixed with NetworkPolicies: loading, lowering and the reference against the API's own words."""

from dataclasses import asdict

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.model.flows import Reason, Verdict
from simcore.reference import Reference
from tests import strategies as small
from tests import strategies_admin as tiered
from tests.engines import assert_tables_agree
from tests.manifests import load
from tests.oracles import admin as oracle
from tests.property.test_lowering import PROBE_ADDRESSES, PROBE_PORTS, assert_among, enforcing

BY_PROTOCOL = (Reason.PROTOCOL_ALLOWED, Reason.PROTOCOL_DENIED)
CAREFUL = (Reason.NO_PORT, Reason.UNKNOWN_ADDRESS, Reason.UNCERTAIN_RULE)
"""Doubts that the reference may have where every reading comes out alike."""


@st.composite
def questions(draw, names=True):
    cluster = draw(tiered.clusters(services=False))
    flows = draw(small.flow_lists(cluster, False))
    return cluster, draw(tiered.policies(names)), flows, draw(enforcing())


def answers(cluster, policies, flow, profile):
    return oracle.verdicts(cluster, policies, flow, asdict(profile), PROBE_ADDRESSES, PROBE_PORTS)


@settings(max_examples=2 * settings.default.max_examples)
@given(questions())
def test_verdicts_agree_with_the_oracle(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    for flow in flows:
        possible = answers(cluster, policies, flow, profile)
        assert_among(possible, reference.judge(small.model_flow(flow)), is_careful)


def is_careful(judgement):
    return any(reason in str(outcome) for outcome in (judgement.egress, judgement.ingress) for reason in CAREFUL)


@given(questions())
def test_the_order_of_documents_does_not_matter(question):
    cluster, policies, flows, profile = question
    one, other = load(*cluster, *policies), load(*reversed(cluster), *reversed(policies))
    forwards, backwards = (Reference(each.cluster, each.policies, profile) for each in (one, other))
    for flow in map(small.model_flow, flows):
        assert forwards.judge(flow).verdict is backwards.judge(flow).verdict


@given(questions())
def test_tables_agree_with_the_reference(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    assert_tables_agree(snapshot.cluster, snapshot.policies, list(map(small.model_flow, flows)), profile)


@given(questions(names=False))
def test_a_chain_ends_where_the_verdict_comes_from(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    for flow in map(small.model_flow, flows[:5]):
        for pair in reference.explain(flow).pairs:
            for trace in (pair.egress, pair.ingress):
                if trace.outcome.verdict is not Verdict.UNKNOWN and trace.outcome.reason not in BY_PROTOCOL:
                    *passing, last = [step.rule for step in trace.chain] or [None]
                    assert last == trace.outcome.rule or (last.action, trace.outcome.rule) == ("pass", None)
                    assert all(rule.action == "pass" for rule in passing)
