"""Which directions a Cilium policy closes (docs/semantics/cilium.md, CI-18)."""

from dataclasses import replace

import pytest

from simcore.model.plugins import plugin_named
from simcore.model.policy import Direction, Role
from tests.manifests import load

CILIUM = plugin_named("cilium").profile
BOTH = {"ingress": True, "egress": True}


def rules_of(sections, default_deny, profile=CILIUM):
    spec = {"endpointSelector": {}, **sections, "enableDefaultDeny": default_deny}
    metadata = {"name": "p", "namespace": "n1"}
    policy = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}
    snapshot = load(policy, profile=profile)
    return snapshot.policies[0].rules, snapshot.diagnostics


def closed(sections, **default_deny):
    rules, diagnostics = rules_of(sections, default_deny)
    return {rule.direction for rule in rules if rule.role is Role.ISOLATION}, diagnostics


@pytest.mark.parametrize(
    ("default_deny", "expected"),
    [({}, {Direction.INGRESS}), ({"ingress": True}, {Direction.INGRESS}), ({"ingress": False}, set())],
)
def test_a_direction_with_rules_is_closed_unless_it_is_left_open(default_deny, expected):
    assert closed({"ingress": [{}]}, **default_deny)[0] == expected
    assert closed({"ingressDeny": [{}]}, **default_deny)[0] == expected


@pytest.mark.parametrize("sections", [{"ingress": [{}]}, {"ingress": [{}], "egress": []}])
def test_a_direction_without_rules_stays_open_whatever_enable_default_deny_says(sections):
    found, diagnostics = closed(sections, **BOTH)
    assert found == {Direction.INGRESS}
    assert ["no egress rule" in str(diagnostic) for diagnostic in diagnostics].count(True) == 1


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_requirement_denies_for_certain_only_where_its_direction_is_closed(is_closed):
    old = replace(CILIUM, cilium=CILIUM.cilium.of_version("1.18"))
    requirement = {"fromRequires": [{"matchLabels": {"app": "a"}}]}
    rules, _ = rules_of({"ingress": [requirement]}, {"ingress": is_closed}, old)
    (denial,) = (rule for rule in rules if rule.role is Role.WRITTEN)
    assert bool(denial.doubt) is not is_closed
