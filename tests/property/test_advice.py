"""Proposed policies on hostile clusters: what a capture shows is kept, and what a change cut is restored."""

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import loaders
import simcore
from simcore.advice.hardening.baseline import default_deny
from simcore.advice.hardening.observed import observed
from simcore.advice.repair.restoring import repair
from simcore.advice.rules.blocks import External
from simcore.analyses.sightings import sightings
from simcore.model.flows import Verdict
from simcore.model.ports import PORT_PROTOCOLS
from simcore.report.proposals import manifests_text

from .. import strategies
from ..flows import Flows
from ..manifests import load

FEWER = settings(max_examples=settings.default.max_examples // 2)
PROFILES = [simcore.UPSTREAM, simcore.UPSTREAM.with_setting("hostnetwork", "pod")]
EXTERNAL = [External(), External("exact"), External("any"), External("length", 24)]


def loaded(policies, cluster):
    """Proposed policies as anybody reads them who is given the YAML."""
    if not policies:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "proposed.yaml"
        path.write_text(manifests_text(policies), "utf-8")
        problems = []
        found = loaders.load_policy_set([str(path)], diagnostics=problems).policies(cluster, problems)
    assert problems == []
    assert len(found) == len(policies)
    return found


@st.composite
def worlds(draw):
    documents = draw(strategies.clusters())
    flows = [strategies.model_flow(flow) for flow in draw(strategies.flow_lists(documents))]
    return documents, draw(strategies.policies()), draw(strategies.policies()), flows


def sayable(cluster, before, after, flows, profile=simcore.UPSTREAM):
    """The flows of whose loss a NetworkPolicy can say something, and what became of each."""
    was, becomes = (simcore.judge_flows(cluster, policies, flows, profile) for policies in (before, after))
    nowhere = {pod.full_name for pod in cluster.pods if pod.host_network and not pod.addresses}
    for flow, old, new in zip(flows, was, becomes, strict=True):
        has_place = not {flow.source.pod, flow.destination.pod} & nowhere
        if old.verdict is Verdict.ALLOW and flow.protocol in PORT_PROTOCOLS and flow.port and has_place:
            yield flow, new


def lost_of(seen):
    """How many flows are lost, of each verdict that they come to."""
    return Counter(
        {verdict: n for verdict in Verdict if (n := sum(s.flows for s in seen.lost if s.after.verdict is verdict))}
    )


def plainly_lost(cluster, before, after, flows, profile):
    was, becomes = (simcore.judge_flows(cluster, policies, flows, profile) for policies in (before, after))
    pairs = [(old.verdict, new.verdict) for old, new in zip(was, becomes, strict=True)]
    return Counter(new for old, new in pairs if old is Verdict.ALLOW and new is not Verdict.ALLOW)


@FEWER
@given(worlds(), st.sampled_from(EXTERNAL), st.sampled_from(PROFILES))
def test_hardening_keeps_what_was_seen(world, external, profile):
    documents, policies, _, flows = world
    snapshot = load(*documents, *policies)
    cluster, before = snapshot.cluster, snapshot.policies
    namespaces = sorted({pod.namespace for pod in cluster.pods})
    closed = loaded([default_deny(namespace) for namespace in namespaces], cluster)
    seen = sightings(Flows(flows, 7), cluster, before, closed, profile, threads=1)
    assert seen == sightings(Flows(flows), cluster, before, closed, profile, threads=2, batch_rows=3)
    assert lost_of(seen) == plainly_lost(cluster, before, closed, flows, profile)
    found = observed(seen, cluster, profile, namespaces, external)
    after = loaded(found.policies, cluster)
    for flow, now in sayable(cluster, before, after, flows, profile):
        assert now.verdict is Verdict.ALLOW, (flow, now)


@given(worlds())
def test_repair_restores_what_was_lost(world):
    documents, policies, change, flows = world
    before, after = load(*documents, *policies), load(*documents, *change)
    cluster, candidate = before.cluster, after.policies
    added = []
    for _ in range(3):
        seen = sightings(Flows(flows), cluster, before.policies, (*candidate, *loaded(added, cluster)), threads=1)
        found = repair(seen, cluster, (*candidate, *loaded(added, cluster)), simcore.UPSTREAM, External())
        added += found.policies
        if not found.policies:
            break
    restored = (*candidate, *loaded(added, cluster))
    for flow, now in sayable(cluster, before.policies, restored, flows):
        assert now.verdict is Verdict.ALLOW, (flow, now)
