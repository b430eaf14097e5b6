"""Loading and lowering, judged by the reference, against NetworkPolicy in its own words."""

from dataclasses import asdict, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.model.flows import Reason, Verdict
from simcore.model.profile import PLUGIN_SETTINGS
from simcore.reference import Reference
from tests import strategies as small
from tests.manifests import load
from tests.oracles import networkpolicy as oracle

PROBE_ADDRESSES = (*small.POD_ADDRESSES_V4, *small.POD_ADDRESSES_V6, *small.OUTSIDE, "10.9.0.1", "10.96.0.1")
PROBE_PORTS = sorted({port + step for port in small.PORTS for step in (-1, 0, 1)} - {65536})
VAGUE = (Reason.NO_PORT, Reason.UNKNOWN_ADDRESS)


def enforcing():
    """Profiles of dataplanes that enforce policies."""
    return small.profiles().map(lambda profile: replace(profile, enforced=True))


@st.composite
def questions(draw, strange):
    cluster = draw(small.clusters(services=False))
    return cluster, draw(small.policies()), draw(small.flow_lists(cluster, strange)), draw(enforcing())


def answers(cluster, policies, flow, profile):
    """What the oracle says of every reading of a flow."""
    return oracle.verdicts(cluster, policies, flow, asdict(profile), PROBE_ADDRESSES, PROBE_PORTS)


def assert_among(possible, judgement, may_be_careful):
    """A judgement is what every reading comes to; in doubt only where they differ, or where it may be careful."""
    if not possible:
        assert judgement.egress.reason is Reason.MIXED_FAMILIES
    elif judgement.verdict is Verdict.UNKNOWN:
        assert len(possible) == 2 or may_be_careful(judgement)
    else:
        assert possible == {judgement.verdict is Verdict.ALLOW}


@settings(max_examples=4 * settings.default.max_examples)
@given(questions(strange=False))
def test_verdicts_agree_with_the_oracle(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    for flow in flows:
        possible = answers(cluster, policies, flow, profile)
        assert_among(possible, reference.judge(small.model_flow(flow)), is_vague)


@given(questions(strange=True))
def test_what_a_record_leaves_out_is_never_guessed(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    for flow in flows:
        judgement = reference.judge(small.model_flow(flow))
        expected = what_is_missing(flow)
        if expected:
            assert judgement.egress.reason is judgement.ingress.reason is expected
        elif judgement.verdict is not Verdict.UNKNOWN:
            assert answers(cluster, policies, flow, profile) == {judgement.verdict is Verdict.ALLOW}


def is_vague(judgement):
    """Whether the doubt is of an address or a port, where the reference may be overly careful."""
    outcomes = (judgement.egress, judgement.ingress)
    return any(reason in str(outcome) for outcome in outcomes for reason in VAGUE)


def what_is_missing(flow):
    """Why a flow cannot be judged at all, if that is so."""
    if flow["protocol"] is None:
        return Reason.UNKNOWN_PROTOCOL
    ends = (flow["source"], flow["destination"])
    if any(not end["pod"] and not end["address"] for end in ends):
        return Reason.NO_ADDRESS
    return Reason.UNKNOWN_POD if any(end["pod"] == "n1/no" for end in ends) else None


@given(questions(strange=True))
def test_the_order_of_documents_does_not_matter(question):
    cluster, policies, flows, profile = question
    one, other = load(*cluster, *policies), load(*reversed(cluster), *reversed(policies))
    assert one.cluster == other.cluster
    forwards = Reference(one.cluster, one.policies, profile)
    backwards = Reference(other.cluster, tuple(reversed(other.policies)), profile)
    for flow in map(small.model_flow, flows):
        assert forwards.judge(flow).verdict is backwards.judge(flow).verdict


@given(questions(strange=True))
def test_a_trace_names_exactly_the_settings_that_matter(question):
    cluster, policies, flows, profile = question
    snapshot = load(*cluster, *policies)
    reference = Reference(snapshot.cluster, snapshot.policies, profile)
    for flow in map(small.model_flow, flows[:5]):
        trace = reference.explain(flow)
        assert trace.judgement == reference.judge(flow)
        named = {(d.setting, d.word): d.verdict for d in trace.depends_on}
        open_questions = {
            setting: words for setting, words in profile.choices().items() if setting not in PLUGIN_SETTINGS
        }
        for setting, words in open_questions.items():
            for word in words:
                under = Reference(snapshot.cluster, snapshot.policies, profile.with_setting(setting, word))
                verdict = under.judge(flow).verdict
                assert named.get((setting, word), trace.judgement.verdict) is verdict
