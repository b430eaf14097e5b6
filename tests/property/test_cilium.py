"""Cilium's policies, loaded and judged by the reference, against the policies in their own words."""

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.model.flows import Verdict
from simcore.model.plugins import plugin_named
from simcore.reference import Reference
from tests import strategies_cilium as made
from tests.engines import assert_tables_agree
from tests.manifests import load
from tests.oracles import cilium as oracle
from tests.strategies_cilium_policies import policies

CILIUM = plugin_named("cilium").profile
PROBE_PORTS = (0, 1, 53, 79, 80, 81, 82, 442, 443, 444, 8443, 9092, 65535)
PROBE_TYPES = (1, 3, 8, 11, 128, 129, 200)
VERDICTS = {
    oracle.ALLOWED: Verdict.ALLOW,
    oracle.PROXY_ALLOWS: Verdict.ALLOW,
    oracle.PROXY_ASKS: Verdict.ALLOW,
    oracle.DELEGATED: Verdict.ALLOW,
    oracle.AUTH: Verdict.ALLOW,
    oracle.PROXY_DENIES: Verdict.DENY,
    oracle.DENIED: Verdict.DENY,
}
CONNECTIONS = {"allow_icmp_frag_needed": False}
"""ICMP errors are no connections of their own, and not judged as what they are."""
CONDITIONAL = {oracle.PROXY_ASKS, oracle.AUTH}


@st.composite
def questions(draw):
    cluster, agent = draw(made.clusters()), draw(made.settings_choices())
    return cluster, agent, draw(policies(agent)), draw(made.flow_lists(cluster))


def loaded(question):
    """The cluster, the policies and the profile as the simulator takes them."""
    cluster, agent, documents, _ = question
    profile = made.profile_of(CILIUM, agent)
    snapshot = load(*made.documents(cluster), *documents, profile=profile)
    return made.model_cluster(snapshot.cluster, cluster), snapshot.policies, profile


@settings(max_examples=2 * settings.default.max_examples)
@given(questions())
def test_verdicts_agree_with_the_oracle(question):
    cluster, agent, documents, flows = question
    reference = Reference(*loaded(question))
    for flow in flows:
        judgement = reference.judge(made.model_flow(flow))
        answers = oracle.answers(cluster, documents, flow, {**agent, **CONNECTIONS}, PROBE_PORTS, PROBE_TYPES)
        if oracle.UNSETTLED in answers:
            continue
        possible = {VERDICTS[answer] for answer in answers}
        if judgement.verdict is Verdict.UNKNOWN:
            assert len(possible) == 2 or is_vague(flow, cluster), (flow, answers)
        else:
            assert possible == {judgement.verdict}, (flow, answers)
        if answers <= CONDITIONAL:
            assert is_conditional(judgement), flow


@given(questions())
def test_tables_agree_with_the_reference(question):
    known, found, profile = loaded(question)
    assert_tables_agree(known, found, [made.model_flow(flow) for flow in question[3]], profile)


def is_conditional(judgement):
    """Whether something must hold besides."""
    rules = (judgement.egress.rule, judgement.ingress.rule)
    return any(rule is not None and rule.condition for rule in rules)


def is_vague(flow, cluster):
    """Whether a port, a pod's node, or the API server is not known: the reference may then be overly careful."""
    ends = [endpoint_of(cluster, flow[side]) for side in ("source", "destination")]
    is_placeless = any(end["kind"] == "pod" and not end["node"] for end in ends)
    is_beyond_pods = any(end["kind"] in ("node", "world") or end.get("host_network") for end in ends)
    may_be_server = is_beyond_pods and cluster.get("api_server_unknown", False)
    return is_placeless or may_be_server or (flow["port"] is None and flow["icmp_type"] is None)


def endpoint_of(cluster, end):
    """Who is at an end."""
    known = [one for one in cluster["endpoints"] if not one.get("host_network") or one["id"] == end["id"]]
    return next(one for one in known if (one["id"] == end["id"] if end["id"] else end["address"] in one["ips"]))
