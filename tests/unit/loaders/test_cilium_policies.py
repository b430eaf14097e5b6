"""Cilium's policies as rules."""

import pytest

from simcore.model.addresses import Cidr
from simcore.model.cilium import DEFAULT, NORMAL
from simcore.model.labels import NAME_KEY, LabelSelector, Operator, Requirement
from simcore.model.peers import (
    ANYTHING,
    NOBODY,
    AllOf,
    AnyOf,
    Backends,
    DomainNames,
    Endpoints,
    Except,
    Network,
    Nodes,
    OfFamily,
    Outside,
    Reserved,
    Unresolved,
    atoms_of,
)
from simcore.model.policy import Action, Direction, PolicyRef, Role
from simcore.model.ports import (
    EVERY_PORT,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    IcmpType,
    NamedPort,
    PortRange,
    PortSet,
)
from tests.cilium import agent, ccnp, cidr_group, cnp, document, service_pair
from tests.manifests import load

SHOP = LabelSelector.namespace("shop")
WEB = {"matchLabels": {"app": "web"}}
PODS = Endpoints(SHOP, LabelSelector.equal({"app": "web"}))
OWN, OTHERS = Nodes(where="here"), Nodes(where="elsewhere")
SERVED = [*service_pair({"name": "kubernetes", "namespace": "default", "endpoint_ips": ["192.0.2.1"]}, "10.96.0.1")]


def read(*documents, profile=None):
    return load(document("v1", "Namespace", "shop"), *documents, profile=profile or agent())


def rules_of(policy, *others, **options):
    (lowered,) = read(policy, *others, **options).policies
    return lowered.rules


def written(policy, *others, **options):
    return [rule for rule in rules_of(policy, *others, **options) if rule.role is Role.WRITTEN]


def rule_of(item, *others, make=cnp, direction="ingress", profile=None, **spec):
    (only,) = written(make(**{direction: [item]}, **spec), *others, profile=profile)
    return only


def peer_of(*others, make=cnp, profile=None, **item):
    direction = "egress" if any(name.startswith("to") for name in item) else "ingress"
    return rule_of(item, *others, make=make, direction=direction, profile=profile).peer


def warnings_of(*documents, profile=None):
    return [diagnostic.message for diagnostic in read(*documents, profile=profile).diagnostics]


def ports(*items, **more):
    return {"toPorts": [{"ports": [*items], **more}]}


def web_port(**rules):
    return ports({"port": "80", "protocol": "TCP"}, rules=rules)


# The order of rules, and what they are called


def test_denials_come_first_and_each_list_is_named():
    policy = cnp(ingress=[{}, {"fromEndpoints": [WEB]}], ingressDeny=[{"fromEntities": ["world"]}])
    allow, deny, closing = rules_of(policy)
    assert (str(allow), str(deny)) == (
        "CiliumNetworkPolicy shop/p ingress[1]",
        "CiliumNetworkPolicy shop/p ingressDeny[0]",
    )
    assert str(closing) == "CiliumNetworkPolicy shop/p ingress isolation"
    assert [rule.action for rule in (allow, deny, closing)] == [Action.ALLOW, Action.DENY, Action.DENY]
    assert (allow.tier, deny.tier, closing.tier) == (NORMAL, NORMAL, DEFAULT)
    assert deny.order < allow.order
    assert closing.subject == Endpoints(SHOP)


def test_every_one_of_several_specifications_holds():
    policy = document(
        "cilium.io/v2",
        "CiliumNetworkPolicy",
        "p",
        "shop",
        spec={"endpointSelector": {}, "egress": [{}]},
        specs=[
            {"endpointSelector": WEB, "ingress": [{}]},
            {"endpointSelector": WEB, "egressDeny": [{"toEntities": ["all"]}]},
        ],
    )
    assert [str(rule).partition(" shop/p ")[2] for rule in rules_of(policy)] == [
        "specs[1].egressDeny[0]",
        "egress isolation",
        "specs[0].ingress isolation",
        "specs[1].egress isolation",
    ]


@pytest.mark.parametrize(
    ("spec", "closed"),
    [
        ({"ingress": [{}]}, {Direction.INGRESS}),
        ({"egressDeny": [{}]}, {Direction.EGRESS}),
        ({"ingress": [{}], "egress": []}, {Direction.INGRESS}),
        ({"ingress": [{}], "enableDefaultDeny": {"ingress": False}}, set()),
        ({"ingress": [{}], "egress": [{}], "enableDefaultDeny": {"egress": False}}, {Direction.INGRESS}),
    ],
)
def test_what_is_closed(spec, closed):
    assert {rule.direction for rule in rules_of(cnp(**spec)) if rule.role is Role.ISOLATION} == closed


def test_default_deny_cannot_be_switched_off_before_1_16():
    policy = cnp(ingress=[{}], enableDefaultDeny={"ingress": False})
    assert len(rules_of(policy, profile=agent("1.15"))) == 1
    assert "Cilium knows this from 1.16 on" in warnings_of(policy, profile=agent("1.15"))[0]


# Subjects


@pytest.mark.parametrize(
    ("selector", "subject"),
    [
        ({}, Endpoints(SHOP)),
        (WEB, PODS),
        ({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "bank"}}, Endpoints(SHOP)),
        ({"matchLabels": {"reserved:init": ""}}, NOBODY),
        (
            {"matchLabels": {"io.cilium.k8s.policy.serviceaccount": "till"}},
            Endpoints(SHOP, accounts=LabelSelector.equal({NAME_KEY: "till"})),
        ),
    ],
)
def test_subjects_of_a_namespace(selector, subject):
    (lowered,) = read(cnp(endpointSelector=selector, ingress=[{}])).policies
    assert [rule.subject for rule in lowered.rules] == ([subject] if subject != NOBODY else [])


def test_a_foreign_namespace_without_prefix_selects_nothing():
    policy = cnp(endpointSelector={"matchLabels": {"io.kubernetes.pod.namespace": "bank"}}, ingress=[{}])
    (closing,) = rules_of(policy)
    assert not any(closing.subject.namespaces.matches({"kubernetes.io/metadata.name": n}) for n in ("shop", "bank"))
    assert "it selects no pod" in warnings_of(policy)[0]


def test_a_clusterwide_policy_selects_endpoints_of_cilium_too():
    (closing,) = rules_of(ccnp(ingress=[{}]))
    assert closing.subject == AnyOf((Endpoints(), Reserved("health"), Reserved("ingress"), Reserved("init")))
    (closing,) = rules_of(ccnp(endpointSelector={"matchLabels": {"reserved:health": ""}}, ingress=[{}]))
    assert closing.subject == Reserved("health")


def test_policies_of_nodes():
    policy = ccnp(nodeSelector={"matchLabels": {"role": "edge"}}, ingress=[{"fromEntities": ["world"]}])
    rule, closing = rules_of(policy, profile=agent(host_firewall=True))
    assert rule.hosts and closing.hosts
    assert rule.subject == Nodes(LabelSelector.equal({"role": "edge"}))
    assert "the host firewall is off" in warnings_of(policy)[0]
    assert warnings_of(policy, profile=agent(host_firewall=True)) == []


# Selectors of peers


@pytest.mark.parametrize(
    ("selector", "peer"),
    [
        ({}, Endpoints(SHOP)),
        (WEB, PODS),
        ({"matchLabels": {"k8s:app": "web"}}, PODS),
        ({"matchLabels": {"any:app": "web"}}, PODS),
        ({"matchLabels": {"cni:app": "web"}}, NOBODY),
        ({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "bank"}}, Endpoints(LabelSelector.namespace("bank"))),
        ({"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "Exists"}]}, Endpoints()),
        ({"matchExpressions": [{"key": "io.kubernetes.pod.namespace", "operator": "DoesNotExist"}]}, None),
        (
            {"matchLabels": {"io.cilium.k8s.namespace.labels.team": "till"}},
            Endpoints(LabelSelector.equal({"team": "till"})),
        ),
        ({"matchLabels": {"io.cilium.k8s.policy.cluster": "far"}}, NOBODY),
        ({"matchLabels": {"reserved:host": ""}}, OWN),
        ({"matchLabels": {"reserved:remote-node": ""}}, OTHERS),
        ({"matchLabels": {"reserved:world": ""}}, Outside()),
        ({"matchLabels": {"reserved:ingress": ""}}, Reserved("ingress")),
        (
            {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]},
            Endpoints(SHOP, LabelSelector.of(Requirement("env", Operator.NOT_IN, frozenset(["prod"])))),
        ),
    ],
)
def test_peers_of_a_namespace(selector, peer):
    found = peer_of(fromEndpoints=[selector])
    assert found == peer if peer is not None else Endpoints() not in atoms_of(found)


def test_peers_of_a_clusterwide_policy_are_pods_of_any_namespace():
    assert peer_of(make=ccnp, fromEndpoints=[{}]) == Endpoints()
    assert peer_of(make=ccnp, fromEndpoints=[WEB]) == Endpoints(pods=LabelSelector.equal({"app": "web"}))


def test_peers_of_endpoints_without_identity_are_anybody():
    policy = ccnp(endpointSelector={"matchLabels": {"reserved:init": ""}}, ingress=[{"fromEndpoints": [{}]}])
    (rule,) = written(policy, profile=agent("1.18"))
    assert (rule.subject, rule.peer) == (Reserved("init"), ANYTHING)


def test_labels_that_identities_lack_are_never_there():
    labels = {"matchLabels": {"pod-template-hash": "1"}}
    assert peer_of(fromEndpoints=[labels]) == NOBODY
    absent = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "DoesNotExist"}]}
    assert peer_of(fromEndpoints=[absent]) == Endpoints(SHOP)
    assert "leaves the label pod-template-hash out" in warnings_of(cnp(ingress=[{"fromEndpoints": [labels]}]))[0]


def test_other_clusters():
    far = document("v1", "Pod", "far", "shop", {"io.cilium.k8s.policy.cluster": "far"}, spec={}, status={})
    local = Requirement("io.cilium.k8s.policy.cluster", Operator.DOES_NOT_EXIST)
    own = Endpoints(SHOP, LabelSelector.of(Requirement("app", Operator.IN, frozenset(["web"])), local))
    assert peer_of(far, fromEndpoints=[WEB]) == own
    assert peer_of(far, fromEndpoints=[WEB], profile=agent("1.18")) == PODS
    assert peer_of(far, fromEndpoints=[WEB], profile=agent(policy_default_local_cluster="false")) == PODS
    there = {"matchLabels": {"io.cilium.k8s.policy.cluster": "far"}}
    asked = LabelSelector.equal({"io.cilium.k8s.policy.cluster": "far"})
    assert peer_of(far, fromEndpoints=[there]) == Endpoints(SHOP, asked)
    either = {
        "matchExpressions": [{"key": "io.cilium.k8s.policy.cluster", "operator": "In", "values": ["far", "default"]}]
    }
    assert set(atoms_of(peer_of(far, fromEndpoints=[either]))) == {
        Endpoints(SHOP, LabelSelector.of(local)),
        Endpoints(SHOP, asked),
    }
    assert peer_of(far, fromEntities=["cluster"], profile=agent()).members[0] == Endpoints(pods=LabelSelector.of(local))


@pytest.mark.parametrize(
    ("entity", "peer"),
    [
        ("all", ANYTHING),
        ("world", Outside()),
        ("host", OWN),
        ("remote-node", OTHERS),
        ("health", Reserved("health")),
        ("unmanaged", Reserved("unmanaged")),
        ("none", NOBODY),
        ("kube-apiserver", Backends("default", "kubernetes")),
    ],
)
def test_entities(entity, peer):
    assert peer_of(*SERVED, fromEntities=[entity]) == peer


def test_the_entity_cluster():
    assert set(peer_of(*SERVED, fromEntities=["cluster"]).members) == {
        Endpoints(),
        Nodes(),
        *map(Reserved, ("health", "ingress", "init", "unmanaged")),
        Backends("default", "kubernetes"),
    }


def test_the_api_server_is_unknown_where_its_service_is():
    unknown = [atom.why for atom in atoms_of(peer_of(toEntities=["kube-apiserver"])) if isinstance(atom, Unresolved)]
    assert len(unknown) == 1
    assert "Add the Service default/kubernetes" in unknown[0]


def test_nodes_that_are_or_are_not_the_api_server():
    both = {"matchLabels": {"reserved:remote-node": "", "reserved:kube-apiserver": ""}}
    server = Backends("default", "kubernetes")
    assert peer_of(*SERVED, fromEndpoints=[both]) == AllOf((OTHERS, server))
    expression = {"key": "reserved:kube-apiserver", "operator": "DoesNotExist"}
    without = {"matchLabels": {"reserved:world": ""}, "matchExpressions": [expression]}
    assert peer_of(*SERVED, fromEndpoints=[without]) == AllOf((Outside(), Except(server)))


def test_worlds_of_one_family():
    asked = {"matchLabels": {"reserved:world-ipv4": ""}}
    found = peer_of(fromEndpoints=[asked], profile=agent(ipv6=True))
    assert found == AllOf((Outside(), OfFamily(4)))
    assert peer_of(fromEndpoints=[asked]) == NOBODY
    assert peer_of(fromEndpoints=[{"matchLabels": {"reserved:world": ""}}], profile=agent(ipv6=True)) == NOBODY


def test_other_nodes_by_their_labels():
    on = agent(enable_node_selector_labels=True)
    asked = [{"matchLabels": {"role": "edge"}}]
    assert peer_of(fromNodes=asked, profile=on) == Nodes(LabelSelector.equal({"role": "edge"}), "elsewhere")
    assert peer_of(fromNodes=[{"matchLabels": {"k8s:role": "edge"}}], profile=on) == NOBODY


# Blocks, Services, names


def test_blocks():
    net = Cidr.parse
    assert peer_of(fromCIDR=["10.0.0.0/8"]) == Network(net("10.0.0.0/8"))
    one = {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}
    assert peer_of(toCIDRSet=[one]) == Network(net("10.0.0.0/8"), (net("10.1.0.0/16"),))


def test_groups_of_blocks():
    far = cidr_group("far", "192.0.2.0/24", "2001:db8::/32", labels={"role": "far"})
    blocks = [Network(Cidr.parse(text)) for text in ("192.0.2.0/24", "2001:db8::/32")]
    assert peer_of(far, toCIDRSet=[{"cidrGroupRef": "far"}]) == AnyOf(tuple(blocks))
    by_label = {"cidrGroupSelector": {"matchLabels": {"role": "far"}}}
    assert peer_of(far, toCIDRSet=[by_label]) == AnyOf(tuple(blocks))
    hole = {"cidrGroupRef": "far", "except": ["192.0.2.128/25"]}
    assert peer_of(far, toCIDRSet=[hole]).members[0].excluded == (Cidr.parse("192.0.2.128/25"),)
    assert peer_of(toCIDRSet=[{"cidrGroupRef": "gone"}]) == NOBODY
    gone = cnp(egress=[{"toCIDRSet": [{"cidrGroupRef": "gone"}]}])
    assert "there is no CiliumCIDRGroup gone" in warnings_of(gone)[0]


def backed(name, namespace="shop", **fields):
    return service_pair({"name": name, "namespace": namespace, **fields}, "10.96.0.7")


def test_services():
    chosen = [*backed("web", selector={"app": "web"}, labels={"tier": "front"})]
    by_name = [{"k8sService": {"serviceName": "web", "namespace": "shop"}}]
    assert peer_of(*chosen, toServices=by_name) == PODS
    by_label = [{"k8sServiceSelector": {"selector": {"matchLabels": {"k8s:tier": "front"}}}}]
    assert peer_of(*chosen, toServices=by_label) == PODS
    listed = [*backed("web", endpoint_ips=["192.0.2.7"])]
    assert peer_of(*listed, toServices=by_name) == Network(Cidr.parse("192.0.2.7/32"))
    dropped = [*backed("web", selector={"pod-template-hash": "1"})]
    assert peer_of(*dropped, toServices=by_name) == NOBODY


def test_a_service_that_is_not_there_leaves_the_rule_to_everybody():
    by_name = [{"k8sService": {"serviceName": "gone", "namespace": "shop"}}]
    policy = cnp(egress=[{"toServices": by_name, **ports({"port": "80"})}])
    assert written(policy, *SERVED)[0].peer == ANYTHING
    assert "the rule holds for everybody" in warnings_of(policy, *SERVED)[0]
    assert written(cnp(egress=[{"toServices": by_name}]), *SERVED) == []
    assert isinstance(peer_of(toServices=by_name), Unresolved)


def test_names():
    found = peer_of(toFQDNs=[{"matchName": "Example.COM."}, {"matchPattern": "*.example.com"}])
    assert all(isinstance(peer, DomainNames) and peer.external for peer in found.members)
    assert [peer.patterns for peer in found.members] == [(r"example\.com",), (r"[-a-z0-9_]*\.example\.com",)]
    assert [peer.written for peer in found.members] == [("Example.COM.",), ("*.example.com",)]


def test_groups_of_a_cloud_are_unknown():
    found = peer_of(toGroups=[{"aws": {"securityGroupsIds": ["sg-1"]}}])
    assert {type(atom) for atom in atoms_of(found)} == {Outside, Unresolved}


# What is empty, and what is absent


@pytest.mark.parametrize("name", ["toEndpoints", "toEntities", "toCIDR", "toCIDRSet"])
def test_an_empty_list_of_peers_is_nobody(name):
    assert written(cnp(egress=[{name: [], **ports({"port": "80"})}])) == []


@pytest.mark.parametrize("name", ["toFQDNs", "toServices", "toGroups"])
def test_an_empty_list_of_others_is_none(name):
    assert peer_of(**{name: [], **ports({"port": "80"})}) == ANYTHING


@pytest.mark.parametrize("item", [{}, {"toPorts": []}, {"icmps": []}, {"toPorts": [{"ports": []}]}, {"toPorts": [{}]}])
def test_items_that_select_nothing_only_close(item):
    assert [rule.role for rule in rules_of(cnp(egress=[item]))] == [Role.ISOLATION]


# Ports


@pytest.mark.parametrize(
    ("port", "members"),
    [
        ({"port": "80"}, {PortRange(p, 80, 80) for p in (TCP, UDP, SCTP)}),
        ({"port": "80", "protocol": "ANY"}, {PortRange(p, 80, 80) for p in (TCP, UDP, SCTP)}),
        ({"port": "0", "protocol": "UDP"}, {PortRange(UDP)}),
        ({"port": "80", "endPort": 90, "protocol": "TCP"}, {PortRange(TCP, 80, 90)}),
        ({"port": "80", "endPort": 70, "protocol": "TCP"}, {PortRange(TCP, 80, 80)}),
        ({"port": "HTTP", "endPort": 70, "protocol": "TCP"}, {NamedPort(TCP, "http")}),
        ({"port": "0x10", "protocol": "TCP"}, {NamedPort(TCP, "0x10")}),
        ({"port": "010", "protocol": "TCP"}, {PortRange(TCP, 8, 8)}),
        ({"protocol": "VRRP"}, {PortRange(112)}),
        ({"port": "0", "protocol": "GRE"}, {PortRange(47)}),
    ],
)
def test_ports(port, members):
    assert set(rule_of(ports(port)).ports.members) == members


def test_ranges_are_known_from_1_16():
    found = rule_of(ports({"port": "80", "endPort": 90, "protocol": "TCP"}), profile=agent("1.15"))
    assert found.ports == PortSet((PortRange(TCP, 80, 80),))


def test_no_ports_are_all_protocols():
    assert rule_of({"fromEntities": ["all"]}).ports == EVERY_PORT


def test_messages():
    fields = [{"type": 8}, {"type": "EchoRequest", "family": "IPv6"}, {"type": "3", "family": "IPv4"}]
    found = rule_of({"icmps": [{"fields": fields}]})
    assert found.ports.members == (IcmpType(ICMP, 8), IcmpType(ICMPV6, 128), IcmpType(ICMP, 3))
    assert found.peer == ANYTHING


# Requirements


def test_requirements_deny_whom_they_leave_out():
    policy = cnp(ingress=[{"fromRequires": [WEB]}], egress=[{"toRequires": [WEB]}])
    inward, outward = written(policy, profile=agent("1.18"))
    assert (inward.action, inward.peer) == (Action.DENY, AllOf((Except(PODS), Except(OWN))))
    assert (outward.action, outward.peer) == (Action.DENY, Except(PODS))


# Authentication


def test_authentication():
    item = {"fromEndpoints": [WEB]}
    assert rule_of({**item, "authentication": {"mode": "required"}}).condition == "authentication (required)"
    assert rule_of({**item, "authentication": {"mode": "disabled"}}).condition == ""
    never = rule_of({**item, "authentication": {"mode": "test-always-fail"}})
    assert (never.action, never.condition) == (Action.DENY, "authentication (test-always-fail)")


def test_names_of_policies():
    first, second = read(cnp(ingress=[{}]), ccnp(ingress=[{}])).policies
    assert first.ref == PolicyRef("CiliumClusterwideNetworkPolicy", "", "p")
    assert second.ref == PolicyRef("CiliumNetworkPolicy", "shop", "p")
