"""Which directions a Cilium policy closes (docs/semantics/cilium.md, CI-18)."""

import pytest

from simcore.model.plugins import plugin_named
from simcore.model.policy import Direction, Role
from tests.manifests import load

CILIUM = plugin_named("cilium").profile
BOTH = {"ingress": True, "egress": True}


def closed(sections, **default_deny):
    spec = {"endpointSelector": {}, **sections, "enableDefaultDeny": default_deny}
    metadata = {"name": "p", "namespace": "n1"}
    policy = {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, "spec": spec}
    snapshot = load(policy, profile=CILIUM)
    rules = snapshot.policies[0].rules
    return {rule.direction for rule in rules if rule.role is Role.ISOLATION}, snapshot.diagnostics


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
