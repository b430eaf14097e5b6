"""Calico's policies, loaded and judged by the reference, against an evaluator in Calico's own words."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.dialects.calico.expressions import holds, parse
from simcore.model.flows import Verdict
from simcore.reference import Reference
from tests import strategies_calico as calico
from tests.calico import CALICO
from tests.engines import engines
from tests.manifests import load
from tests.oracles import calico as oracle
from tests.strategies import make_labels, seeded

FORWARDED = "it guards what host endpoints forward"


@st.composite
def questions(draw, staged=False):
    cluster = draw(calico.clusters())
    return cluster, draw(calico.documents(staged)), draw(calico.packets(cluster))


def compare(judgement, is_allowed):
    """What differs: nothing where a denial of forwarded traffic is not sure, and else nothing would deny."""
    if judgement.verdict is Verdict.UNKNOWN:
        doubts = [outcome.rule.doubt for outcome in (judgement.egress, judgement.ingress) if outcome.rule]
        return is_allowed and any(FORWARDED in doubt for doubt in doubts)
    return (judgement.verdict is Verdict.ALLOW) is is_allowed


@settings(max_examples=6 * settings.default.max_examples)
@given(questions())
def test_verdicts_agree_with_the_oracle(question):
    cluster, documents, packets = question
    snapshot = load(*cluster, *documents)
    reference = Reference(snapshot.cluster, snapshot.policies, CALICO)
    for packet in packets:
        judgement = reference.judge(calico.model_flow(packet))
        assert compare(judgement, oracle.allowed(cluster, documents, packet)), (packet, judgement.verdict)


@given(questions(staged=True))
def test_staged_policies_count_where_they_are_asked_for_alone(question):
    cluster, documents, packets = question
    snapshot = load(*cluster, *documents)
    enforced = Reference(snapshot.cluster, snapshot.policies, CALICO)
    pending = Reference(snapshot.cluster, [replace(policy, stages=None) for policy in snapshot.policies], CALICO)
    for packet in packets:
        flow = calico.model_flow(packet)
        assert compare(enforced.judge(flow), oracle.allowed(cluster, documents, packet))
        assert compare(pending.judge(flow), oracle.allowed(cluster, documents, packet, pending=True))


@given(questions(staged=True))
def test_every_engine_says_the_same(question):
    cluster, documents, packets = question
    snapshot = load(*cluster, *documents)
    flows = [calico.model_flow(packet) for packet in packets]
    first, *others = (judge(snapshot.cluster, snapshot.policies, flows, CALICO) for judge in engines().values())
    assert all(other == first for other in others)


@given(questions())
def test_the_order_of_documents_does_not_matter(question):
    cluster, documents, packets = question
    one, other = load(*cluster, *documents), load(*cluster, *reversed(documents))
    assert [policy.ref for policy in one.policies] == [policy.ref for policy in other.policies]
    forwards = Reference(one.cluster, one.policies, CALICO)
    backwards = Reference(other.cluster, tuple(reversed(other.policies)), CALICO)
    for flow in map(calico.model_flow, packets):
        assert forwards.judge(flow).verdict is backwards.judge(flow).verdict


@seeded
def expressions(random):
    return calico.make_selector(random, 4), make_labels(random)


@given(expressions())
def test_a_selector_means_what_its_canonical_text_means(drawn):
    text, labels = drawn
    expression = parse(text)
    assert holds(parse(str(expression)), labels) is holds(expression, labels) is oracle.truth(text, labels)
