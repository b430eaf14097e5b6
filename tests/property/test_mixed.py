"""Every dialect in one cluster, under every network plugin: the tables against the reference."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.model.plugins import PLUGINS
from tests import strategies as small
from tests import strategies_admin as admin
from tests import strategies_antrea as antrea
from tests import strategies_calico as calico
from tests import strategies_cilium_policies as cilium
from tests.engines import assert_tables_agree
from tests.manifests import load

AGENT = {"version": (1, 20), "enable_node_selector_labels": False, "enable_extended_ip_protocols": False}


@st.composite
def questions(draw):
    cluster = draw(st.one_of(antrea.clusters(), calico.clusters()))
    documents = [*draw(admin.policies()), *draw(antrea.policies()), *draw(calico.documents())]
    documents += [document for document in draw(cilium.policies(AGENT)) if "cilium" in document["apiVersion"]]
    flows = [antrea.model_flow(flow) for flow in draw(antrea.flow_lists(cluster))]
    flows += [small.model_flow(flow) for flow in draw(small.flow_lists(cluster))]
    return cluster, documents, flows, draw(antrea.names()), draw(st.sampled_from(PLUGINS))


@settings(max_examples=4 * settings.default.max_examples)
@given(questions())
def test_tables_agree_with_the_reference(question):
    cluster, documents, flows, names, plugin = question
    snapshot = load(*cluster, *documents)
    world = replace(snapshot.cluster, names=antrea.model_names(names))
    policies = [policy for policy in snapshot.policies if policy.ref.kind in plugin.enforces]
    assert_tables_agree(world, policies, flows, plugin.profile)
