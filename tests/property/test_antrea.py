"""Antrea's policies, loaded and judged by the reference, against the policies in their own words."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.model.flows import Reason, Verdict
from simcore.model.plugins import plugin_named
from simcore.reference import Reference
from tests import strategies as small
from tests import strategies_antrea as made
from tests.engines import engines
from tests.manifests import load
from tests.oracles import antrea as oracle

ANTREA = plugin_named("antrea").profile
PROBE_ADDRESSES = (*small.POD_ADDRESSES_V4, *small.POD_ADDRESSES_V6, *small.OUTSIDE, "10.9.0.1", "10.96.0.1")
PROBE_PORTS = sorted({port + step for port in small.PORTS for step in (-1, 0, 1)} - {65536})
VAGUE = (Reason.NO_PORT, Reason.UNKNOWN_ADDRESS)


@st.composite
def questions(draw):
    cluster = draw(made.clusters())
    return cluster, draw(made.policies()), draw(made.flow_lists(cluster)), draw(made.names())


@settings(max_examples=4 * settings.default.max_examples)
@given(questions())
def test_verdicts_agree_with_the_oracle(question):
    cluster, policies, flows, names = question
    snapshot = load(*cluster, *policies)
    reference = Reference(replace(snapshot.cluster, names=made.model_names(names)), snapshot.policies, ANTREA)
    for flow in flows:
        judgement = reference.judge(made.model_flow(flow))
        possible = oracle.answers(cluster, policies, flow, names, PROBE_ADDRESSES, PROBE_PORTS)
        if not possible:
            assert judgement.verdict is Verdict.UNKNOWN
        elif judgement.verdict is Verdict.UNKNOWN:
            assert {answer == "allow" for answer in possible} == {True, False} or is_vague(judgement, flow, cluster)
        elif judgement.verdict is Verdict.ALLOW:
            assert possible == {"allow"}
        else:
            assert "allow" not in possible
            assert denials(judgement) <= possible or is_placeless(flow, cluster)


@given(questions())
def test_tables_agree_with_the_reference(question):
    cluster, policies, flows, names = question
    snapshot = load(*cluster, *policies)
    known = replace(snapshot.cluster, names=made.model_names(names))
    asked = [made.model_flow(flow) for flow in flows]
    answers = [judge(known, snapshot.policies, asked, ANTREA) for judge in engines().values()]
    assert answers[0] == answers[1]


def is_vague(judgement, flow, cluster):
    """Whether the doubt is of an address or a port, where the reference may be overly careful."""
    outcomes = (judgement.egress, judgement.ingress)
    return is_placeless(flow, cluster) or any(reason in str(outcome) for outcome in outcomes for reason in VAGUE)


def is_placeless(flow, cluster):
    """Whether the address of an end is not known: the reference then cannot tell of which node it is, either."""
    without_address = {small.pod_name(pod) for pod in small.pods_of(cluster) if not small.pod_texts(pod)}
    ends = {flow[end]["pod"] for end in ("source", "destination")}
    return bool(without_address & ends) or bool(flow["service"] and without_address)


def denials(judgement):
    """How a flow is denied, where it is always the same end that denies."""
    for outcome in (judgement.egress, judgement.ingress):
        if outcome.verdict is Verdict.DENY:
            return {"reject" if outcome.reason is Reason.RULE_REJECTS else "drop"}
        if outcome.verdict is Verdict.UNKNOWN:
            return set()
    return set()
