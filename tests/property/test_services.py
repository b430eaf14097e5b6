"""Flows to a Service against the flows to each of its pods."""

from dataclasses import asdict, replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from simcore.analyses.judging import judge_flows
from simcore.model.flows import Reason, Verdict
from simcore.reference import Reference
from tests import strategies as small
from tests.manifests import load
from tests.oracles import networkpolicy, services


@st.composite
def questions(draw):
    """A cluster whose pods all have an address, policies, a profile and a flow to a Service or a node."""
    cluster = draw(small.clusters())
    assume(all(d["status"].get("podIPs") for d in cluster if d["kind"] == "Pod"))
    cluster = [document for document in cluster if document["kind"] != "Service"]
    address = draw(st.sampled_from(small.SERVICE_ADDRESSES))
    service = draw(small.service_documents("s0", address))
    flow = draw(small.flows(cluster, strange=False))
    port = draw(st.sampled_from(service["spec"]["ports"]))
    is_node_port = "nodePort" in port and draw(st.booleans())
    destination = draw(st.sampled_from(small.NODES["w1"])) if is_node_port else address
    flow |= {
        "destination": {"pod": None, "address": destination},
        "protocol": draw(st.sampled_from([port.get("protocol") or "TCP"] * 4 + ["TCP"])),
        "port": draw(st.sampled_from([port["nodePort"] if is_node_port else port["port"]] * 4 + [444])),
    }
    return [*cluster, service], draw(small.policies()), flow, draw(small.profiles())


@st.composite
def local_questions(draw):
    """A question whose Service hands on locally, and selects most pods; these, and most clients, are on known nodes."""
    cluster, policies, flow, profile = draw(questions())
    *others, service = cluster
    service["spec"] |= {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local"}
    service["metadata"]["namespace"] = "n1"
    (key, value), *_ = service["spec"]["selector"].items()
    for pod in [document for document in others if document["kind"] == "Pod"]:
        pod["spec"].setdefault("nodeName", draw(st.sampled_from(list(small.NODES))))
        if draw(st.integers(0, 3)):
            pod["metadata"]["namespace"] = "n1"
            pod["metadata"]["labels"] = (pod["metadata"].get("labels") or {}) | {key: value}
    running = [f"{d['metadata']['namespace']}/{d['metadata']['name']}" for d in others if d["kind"] == "Pod"]
    sources = [{"pod": None, "address": "192.0.2.7"}, {"pod": None, "address": small.NODES["w2"][0]}]
    sources += [{"pod": name, "address": None} for name in running] * 2
    flow["source"] = draw(st.sampled_from(sources))
    return cluster, policies, flow, profile


@settings(max_examples=300)
@given(local_questions())
def test_a_service_that_keeps_to_the_node(question):
    check(question)


@settings(max_examples=300)
@given(local_questions())
def test_both_engines_keep_to_the_node(question):
    cluster, policies, flow, profile = question
    snapshot = load(*cluster, *policies)
    asked = small.model_flow(flow)
    judgement = Reference(snapshot.cluster, snapshot.policies, profile).judge(asked)
    assert judge_flows(snapshot.cluster, snapshot.policies, [asked], profile) == [judgement]


@given(questions())
def test_a_service_is_what_stands_behind_it(question):
    check(question)


def check(question):
    cluster, policies, flow, profile = question
    profile = replace(profile, service_hairpin="allow", enforced=True)
    snapshot = load(*cluster, *policies)
    judgement = Reference(snapshot.cluster, snapshot.policies, profile).judge(small.model_flow(flow))
    behind = services.destinations(cluster, flow)
    if behind == []:
        assert judgement.egress.reason is Reason.NO_BACKEND
        return
    possible = set().union(
        *(
            networkpolicy.verdicts(cluster, policies, one, asdict(profile))
            for one in ([flow] if behind is None else behind)
        )
    )
    if not possible:
        assert judgement.egress.reason is Reason.MIXED_FAMILIES
    elif judgement.verdict is Verdict.UNKNOWN:
        assert len(possible) == 2
    else:
        assert possible == {judgement.verdict is Verdict.ALLOW}
