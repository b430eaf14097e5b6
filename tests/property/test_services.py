"""Flows to a Service against the flows to each of its pods."""

from dataclasses import asdict, replace

from hypothesis import assume, given
from hypothesis import strategies as st

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


@given(questions())
def test_a_service_is_what_stands_behind_it(question):
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
