"""What FV022 to FV052 let pass beyond their examples."""

import pytest
import yaml

from tests.linting import linted

VERSIONS = {
    "Pod": "v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "CiliumNetworkPolicy": "cilium.io/v2",
    "CiliumClusterwideNetworkPolicy": "cilium.io/v2",
}
CALICO = "projectcalico.org/v3"


def document(kind, name, namespace="shop", version=None, **fields):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version or VERSIONS[kind], "kind": kind, "metadata": metadata, **fields}


def pod(name, address, namespace="shop", **labels):
    made = document("Pod", name, namespace, status={"podIP": address, "podIPs": [{"ip": address}]})
    made["metadata"]["labels"] = labels or {"app": name}
    return made


PODS = [pod("web", "10.0.0.1"), pod("api", "10.0.0.2"), pod("db", "10.0.0.3")]


def policy(name, app=None, **spec):
    selector = {"matchLabels": {"app": app}} if app else {}
    return document("NetworkPolicy", name, spec={"podSelector": selector, **spec})


def from_pods(*apps, port=80):
    return {"from": [{"podSelector": {"matchLabels": {"app": app}}} for app in apps], "ports": [{"port": port}]}


def cilium(name="p", kind="CiliumNetworkPolicy", app="web", **spec):
    namespace = "shop" if kind == "CiliumNetworkPolicy" else None
    return document(kind, name, namespace, spec={"endpointSelector": {"matchLabels": {"app": app}}, **spec})


@pytest.fixture
def found(tmp_path):
    """Lints documents and names the codes of what is found, in order."""

    def codes(*documents, select):
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([*PODS, *documents]), "utf-8")
        return [finding.code for finding in linted(tmp_path, select).findings]

    return codes


def test_a_default_deny_is_needed_beside_policies_that_allow(found):
    deny = policy("deny", policyTypes=["Ingress"])
    allow = policy("allow", policyTypes=["Ingress"], ingress=[from_pods("web")])
    assert found(deny, allow, select="FV02") == []


def test_a_second_default_deny_is_not(found):
    assert found(policy("a", policyTypes=["Ingress"]), policy("b", policyTypes=["Ingress"]), select="FV02") == ["FV024"]


def test_of_two_that_cover_each_other_one_is_told(found):
    rules = [from_pods("web", "api"), from_pods("api", "web")]
    assert found(policy("p", "db", policyTypes=["Ingress"], ingress=rules), select="FV02") == ["FV022"]


def test_a_rule_that_is_wider_in_one_way_stays(found):
    rules = [from_pods("web", "api"), from_pods("web", port=8080), from_pods("web")]
    assert found(policy("p", "db", policyTypes=["Ingress"], ingress=rules), select="FV02") == ["FV024"]


def test_one_side_is_silent_where_any_pod_gets_through(found):
    out = policy("out", policyTypes=["Egress"], egress=[{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}])
    into = policy("into", "db", policyTypes=["Ingress"], ingress=[from_pods("api")])
    assert found(out, into, select="FV025") == []
    assert found(out, policy("into", "db", policyTypes=["Ingress"]), select="FV025") == ["FV025"]


def test_rules_that_a_proxy_looks_at_are_not_needless(found):
    ports = {"ports": [{"port": "80", "protocol": "TCP"}]}
    ingress = [{"toPorts": [ports]}, {"toPorts": [{**ports, "rules": {"http": [{"method": "GET"}]}}]}]
    assert found(cilium(ingress=ingress), select="FV02") == []


def test_denials_close_nothing_that_another_policy_opens(found):
    denials = cilium("a", ingressDeny=[{"fromEndpoints": [{"matchLabels": {"app": "db"}}]}])
    assert found(denials, select="FV033") == ["FV033"]
    opened = cilium("b", ingress=[{"fromEndpoints": [{"matchLabels": {"app": "api"}}]}])
    assert found(denials, opened, select="FV033") == []


def test_empty_lists_open_nothing_without_ports(found):
    assert found(cilium(egress=[{"toServices": []}]), select="FV031") == []


@pytest.mark.parametrize(("entity", "codes"), [("health", []), ("cluster", []), ("world", ["FV035"])])
def test_health_endpoints_may_be_let_in_by_entity(found, entity, codes):
    spec = {"endpointSelector": {}, "ingress": [{"fromEntities": [entity]}]}
    assert found(cilium(kind="CiliumClusterwideNetworkPolicy", **spec), select="FV035") == codes


def test_passing_on_before_the_last_tier_is_left_alone(found):
    tier = document("Tier", "first", None, CALICO, spec={"order": 1})
    spec = {"tier": "first", "selector": "all()", "types": ["Ingress"], "ingress": [{"action": "Pass"}]}
    named = document("NetworkPolicy", "p", version=CALICO, spec=spec)
    assert found(tier, named, select="FV045") == []
    assert found(document("NetworkPolicy", "p", version=CALICO, spec={**spec, "tier": "default"}), select="FV045") == [
        "FV045"
    ]


def admin(name, action, priority, **labels):
    peer = {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": labels}}}
    spec = {"priority": priority, "subject": {"namespaces": {}}, "ingress": [{"action": action, "from": [peer]}]}
    return document("AdminNetworkPolicy", name, None, "policy.networking.k8s.io/v1alpha1", spec=spec)


def test_a_denial_that_decides_nothing_today_is_there_for_pods_to_come(found):
    front = pod("front", "10.0.0.4", app="front", tier="front")
    assert found(front, admin("a", "Allow", 1, app="front"), admin("b", "Deny", 2, tier="front"), select="FV023") == []
    assert found(front, admin("a", "Deny", 1, app="front"), admin("b", "Allow", 2, tier="front"), select="FV023") == [
        "FV023"
    ]
