"""Clusters, policies and flows under pseudonyms, judged as they were under their own names."""

from dataclasses import replace

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders.anonymous import Anonymizer, KeyFile, Pseudonyms, anonymous_flows, anonymous_objects
from loaders.anonymous.shapes import Scribe
from simcore.model.addresses import Address
from simcore.model.plugins import plugin_named
from simcore.model.policy import PolicyRef
from simcore.model.requests import Request, read_headers, write_headers
from simcore.model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from simcore.reference import Reference

from .. import strategies as small
from .. import strategies_admin as tiered
from .. import strategies_antrea as antrea
from .. import strategies_calico as calico
from .. import strategies_cilium as cilium
from .. import strategies_cilium_policies as cilium_policies
from ..calico import CALICO
from ..captures import wide
from ..manifests import load

FEWER = settings(max_examples=settings.default.max_examples // 2)
"""Two clusters are loaded for each example."""
KEYS = st.binary(min_size=32, max_size=32)
TEXTS = ("http_method", "http_path", "http_host", "dns_query", "tls_sni")


def pseudonyms(key):
    return Pseudonyms(KeyFile("", key))


def rewritten(documents, names):
    return list(anonymous_objects(documents, Anonymizer(names)))


def column(name, values):
    kind = FLOW_SCHEMA.field(name).type
    return pa.array(values, kind.value_type if pa.types.is_dictionary(kind) else kind)


def hidden_flows(flows, names):
    """The flows as a capture under pseudonyms tells them."""
    columns = {}
    for side in ("source", "destination"):
        ends = [getattr(flow, side) for flow in flows]
        packed = [end.address and wide(str(end.address)) for end in ends]
        columns[f"{side}_address"] = pa.array(packed, WIDE_ADDRESS)
        columns[f"{side}_pod"] = column(f"{side}_pod", [end.pod for end in ends])
    requests = [flow.request or Request() for flow in flows]
    for name in TEXTS:
        columns[name] = column(name, [getattr(request, name) for request in requests])
    headers = [None if r.http_headers is None else write_headers(r.http_headers) for r in requests]
    columns["http_headers"] = column("http_headers", headers)
    batch = anonymous_flows(pa.RecordBatch.from_pydict(columns), Scribe(names)).to_pylist()
    return [hidden_flow(flow, row, names) for flow, row in zip(flows, batch, strict=True)]


def hidden_flow(flow, row, names):
    ends = {
        side: replace(
            getattr(flow, side),
            address=row[f"{side}_address"] and Address.from_bytes(row[f"{side}_address"]),
            pod=own if (own := getattr(flow, side).pod) in cilium.RESERVED else row[f"{side}_pod"],
        )
        for side in ("source", "destination")
    }
    request = flow.request
    if request is not None:
        told = {name: row[name] for name in TEXTS}
        headers = row["http_headers"]
        topic = request.kafka_topic and names.name(request.kafka_topic)
        request = replace(
            request, **told, http_headers=None if headers is None else read_headers(headers), kafka_topic=topic
        )
    return replace(flow, **ends, request=request)


def hidden_names(cluster, names):
    """The cluster with what is known of domain names, under pseudonyms."""
    if cluster.names is None:
        return None
    return {
        names.joined(name): tuple(Address.parse(names.addresses.address(str(each))) for each in addresses)
        for name, addresses in cluster.names.items()
    }


def told(judgement, rename, *, in_full):
    """What is said of a flow: verdicts; and reasons, and who decided, where one end is meant on each side."""
    sides = [judgement.egress, judgement.ingress]
    verdicts = [judgement.verdict, *(outcome.verdict for outcome in sides)]
    rules = [outcome.rule and (rename(outcome.rule.policy), outcome.rule.index, outcome.rule.role) for outcome in sides]
    return (verdicts, [outcome.reason for outcome in sides], rules) if in_full else verdicts


def is_single(flow, cluster):
    """Whether each end is one end: of several, any may be shown first."""
    services = {address for service in cluster.services for address in service.addresses}
    ends = [end.address for end in (flow.source, flow.destination) if end.pod is None]
    shared = [address for address in ends if len(cluster.pods_at.get(address, ())) > 1 or address in services]
    shared += [address for address in ends if address in cluster.host_pods_at]
    return not shared and flow.port not in small.NODE_PORTS


def renamer(names):
    """The name of a policy as it is under pseudonyms; what no file gave has none."""

    def rename(ref):
        if ref.kind.startswith(("HostEndpoint", "Profile")):
            own = names.host(ref.name) if ref.kind.startswith("HostEndpoint") else ref.name
            return PolicyRef(ref.kind, "", own if ref.kind.startswith("HostEndpoint") else "")
        if ref.kind in ("CiliumAgent", "NetworkPlugin"):
            return ref
        return PolicyRef(ref.kind, names.name(ref.namespace), names.policy(ref.name))

    return rename


def without_profiles(ref):
    return replace(ref, name="") if ref.kind.startswith("Profile") else ref


def assert_same(documents, policies, flows, profile, key, known=None):
    """Both worlds say the same of every flow."""
    names = pseudonyms(key)
    snapshot = load(*documents, *policies, profile=profile)
    hidden = load(*rewritten([*documents, *policies], names), profile=profile)
    cluster = replace(snapshot.cluster, names=known)
    twin = replace(hidden.cluster, names=hidden_names(cluster, names))
    ours = Reference(cluster, snapshot.policies, profile)
    theirs = Reference(twin, hidden.policies, profile)
    for flow, other in zip(flows, hidden_flows(flows, names), strict=True):
        in_full = is_single(flow, cluster)
        before = told(ours.judge(flow), renamer(names), in_full=in_full)
        assert before == told(theirs.judge(other), without_profiles, in_full=in_full), (flow, other)


@st.composite
def kubernetes_questions(draw):
    cluster = draw(small.clusters())
    flows = [small.model_flow(flow) for flow in draw(small.flow_lists(cluster))]
    return cluster, draw(small.policies()), flows, draw(small.profiles())


@FEWER
@given(kubernetes_questions(), KEYS)
def test_network_policies_say_the_same(question, key):
    assert_same(*question, key)


@st.composite
def tiered_questions(draw):
    cluster = draw(tiered.clusters())
    flows = [small.model_flow(flow) for flow in draw(small.flow_lists(cluster))]
    return cluster, draw(tiered.policies()), flows, draw(small.profiles())


@FEWER
@given(tiered_questions(), KEYS)
def test_policies_with_tiers_say_the_same(question, key):
    assert_same(*question, key)


@st.composite
def calico_questions(draw):
    cluster = draw(calico.clusters())
    return cluster, draw(calico.documents(True)), [calico.model_flow(each) for each in draw(calico.packets(cluster))]


@FEWER
@given(calico_questions(), KEYS)
def test_calico_says_the_same(question, key):
    assert_same(*question, CALICO, key)


@st.composite
def antrea_questions(draw):
    cluster = draw(antrea.clusters())
    flows = [antrea.model_flow(flow) for flow in draw(antrea.flow_lists(cluster))]
    return cluster, draw(antrea.policies()), flows, antrea.model_names(draw(antrea.names()))


@FEWER
@given(antrea_questions(), KEYS)
def test_antrea_says_the_same(question, key):
    cluster, policies, flows, known = question
    assert_same(cluster, policies, flows, plugin_named("antrea").profile, key, known)


@st.composite
def cilium_questions(draw):
    cluster, agent = draw(cilium.clusters()), draw(cilium.settings_choices())
    return cluster, agent, draw(cilium_policies.policies(agent)), draw(cilium.flow_lists(cluster))


@FEWER
@given(cilium_questions(), KEYS)
def test_cilium_says_the_same(question, key):
    cluster, agent, policies, flows = question
    names = pseudonyms(key)
    profile = cilium.profile_of(plugin_named("cilium").profile, agent)
    documents = [*cilium.documents(cluster), *policies]
    snapshot, hidden = load(*documents, profile=profile), load(*rewritten(documents, names), profile=profile)
    known = cilium.model_cluster(snapshot.cluster, cluster)
    twin = cilium.model_cluster(hidden.cluster, hidden_ends(cluster, names))
    ours, theirs = Reference(known, snapshot.policies, profile), Reference(twin, hidden.policies, profile)
    asked = [cilium.model_flow(flow) for flow in flows]
    for flow, other in zip(asked, hidden_flows(asked, names), strict=True):
        in_full = is_single(flow, known)
        before = told(ours.judge(flow), renamer(names), in_full=in_full)
        assert before == told(theirs.judge(other), without_profiles, in_full=in_full), (flow, other)


def hidden_ends(cluster, names):
    """What of a drawn cluster no manifest tells, under pseudonyms."""
    address = names.addresses.address
    ends = [
        {**end, "ips": list(map(address, end["ips"])), "node": end["node"] and names.name(end["node"])}
        for end in cluster["endpoints"]
        if end["kind"] in cilium.RESERVED
    ]
    known = cluster["names"]
    told_names = known and {names.joined(name): list(map(address, found)) for name, found in known.items()}
    return {"endpoints": ends, "names": told_names}
