"""The conformance tests of kubernetes-sigs/network-policy-api: every probe of every state of its policies."""

import json
from functools import cache

import pytest
import yaml

from simcore.model.flows import End, Flow, Verdict
from simcore.model.labels import NAMESPACE_NAME_LABEL
from simcore.model.ports import PROTOCOL_NUMBERS
from tests.conftest import CORPUS
from tests.engines import engines
from tests.manifests import load

ROOT = CORPUS / "network-policy-api"


@cache
def cases():
    path = ROOT / "cases.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", cases(), ids=[case["name"] for case in cases()])


@cache
def documents(name):
    return [document for document in yaml.safe_load_all((ROOT / name).read_text("utf-8")) if document]


def relabelled(document, overrides):
    """The namespace as a case has it: other labels, but its own name."""
    name = document["metadata"]["name"]
    if document["kind"] != "Namespace" or name not in overrides:
        return document
    return {**document, "metadata": {"name": name, "labels": {**overrides[name], NAMESPACE_NAME_LABEL: name}}}


def snapshot_of(case):
    objects = [relabelled(document, case["namespace_label_overrides"]) for document in documents(case["snapshot"])]
    return load(*objects, *(document for name in case["policies"] for document in documents(name)))


def flow_of(cluster, probe):
    """A probe goes to the pod's address, and comes from the pod's."""
    ends = [cluster.pods[cluster.pod_numbers[probe[side]]].addresses[0] for side in ("from", "to")]
    return Flow(End(ends[0]), End(ends[1]), PROTOCOL_NUMBERS[probe["protocol"]], probe["port"])


@pytest.mark.parametrize("engine", engines())
def test_case(case, engine):
    snapshot = snapshot_of(case)
    flows = [flow_of(snapshot.cluster, probe) for probe in case["probes"]]
    judgements = engines()[engine](snapshot.cluster, snapshot.policies, flows)
    expected = [Verdict.ALLOW if probe["allowed"] else Verdict.DENY for probe in case["probes"]]
    assert [judgement.verdict for judgement in judgements] == expected


def test_the_suite_is_whole(corpus):
    assert len(cases()) == 126
    assert sum(len(case["probes"]) for case in cases()) == 382


def test_every_kind_and_tier_is_met(corpus):
    tiers = {rule.tier.name for case in cases() for policy in snapshot_of(case).policies for rule in policy.rules}
    assert tiers == {"anp", "banp", "cnp-admin", "cnp-baseline", "networkpolicy"}
