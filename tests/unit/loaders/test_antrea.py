"""Antrea's policies as rules."""

import pytest

from simcore.model.addresses import Cidr
from simcore.model.labels import EVERYTHING, NAME_KEY, LabelSelector
from simcore.model.peers import (
    ANYTHING,
    NOBODY,
    AllOf,
    AnyOf,
    DomainNames,
    Endpoints,
    Network,
    Nodes,
    ThroughService,
    Unresolved,
)
from simcore.model.policy import Action, Direction, PolicyRef, Position
from simcore.model.ports import EVERY_PORT, ICMP, ICMPV6, TCP, UDP, IcmpType, NamedPort, PortRange, PortSet
from tests.antrea import APPLIED, cluster_group, cluster_policy, group, namespace, namespaced_policy, service, tier
from tests.manifests import load


def rules_of(policy, *others):
    (lowered,) = load(policy, *others).policies
    return lowered.rules


def rule_of(rule, *others, direction="ingress", **spec):
    (only,) = rules_of(cluster_policy(**{direction: [{"action": "Allow", **rule}]}, **spec), *others)
    return only


def peer_of(peer, *others, direction="ingress"):
    side = "from" if direction == "ingress" else "to"
    return rule_of({side: [peer]}, *others, direction=direction).peer


def subject_of(applied, *others):
    return rule_of({}, *others, appliedTo=[applied]).subject


def test_a_policy_of_the_cluster():
    policy = cluster_policy(
        priority=7.5,
        tier="platform",
        ingress=[{"action": "Drop", "name": "no"}, {"action": "Reject"}],
        egress=[{"action": "Pass"}],
    )
    (lowered,) = load(policy).policies
    assert lowered.ref == PolicyRef("ClusterNetworkPolicy.crd.antrea.io", "", "p")
    first, second, third = lowered.rules
    assert [rule.direction for rule in lowered.rules] == [Direction.INGRESS, Direction.INGRESS, Direction.EGRESS]
    assert [rule.index for rule in lowered.rules] == [0, 1, 0]
    assert [rule.action for rule in lowered.rules] == [Action.DENY, Action.DENY, Action.PASS]
    assert [rule.rejects for rule in lowered.rules] == [False, True, False]
    assert first.tie == (7.5, 0)
    assert first.order[:4] == (0, 7.5, 0, "p//ClusterNetworkPolicy.crd.antrea.io")
    assert second.order > first.order
    assert first.name == "no"
    assert first.subject == Endpoints(pods=LabelSelector.equal({"app": "a"}))
    assert (first.peer, first.ports, first.source_ports) == (ANYTHING, EVERY_PORT, EVERY_PORT)
    assert first.place.field == "spec.ingress[0]"
    assert third.tier.name == "platform"


def test_a_policy_of_a_namespace_binds_and_means_its_own_pods():
    policy = namespaced_policy(ingress=[{"action": "Allow", "from": [{"podSelector": {}}]}])
    (rule,) = rules_of(policy)
    assert rule.policy == PolicyRef("NetworkPolicy.crd.antrea.io", "n1", "p")
    assert rule.subject == Endpoints(LabelSelector.namespace("n1"), LabelSelector.equal({"app": "a"}))
    assert rule.peer == Endpoints(LabelSelector.namespace("n1"))


@pytest.mark.parametrize(
    ("name", "position", "is_fallback"),
    [
        (None, Position((0,), (250, 0)), False),
        ("", Position((0,), (250, 0)), False),
        ("emergency", Position((0,), (50, 0)), False),
        ("mine", Position((0,), (45, 0)), False),
        ("baseline", Position((2,), (253, 0)), True),
    ],
)
def test_tiers(name, position, is_fallback):
    rule = rule_of({}, tier("mine", 45), tier=name)
    assert (rule.tier.position, rule.tier.fallback) == (position, is_fallback)


def test_tiers_as_antrea_makes_them_are_taken():
    assert load(tier("emergency", 50), tier("baseline", 253)).diagnostics == ()


@pytest.mark.parametrize(("direction", "judges"), [("ingress", False), ("egress", True)])
def test_egress_judges_a_pod_that_reaches_itself_through_a_service(direction, judges):
    assert rule_of({}, direction=direction).tier.judges_hairpin is judges


# Peers


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ({"podSelector": {"matchLabels": {"app": "b"}}}, Endpoints(pods=LabelSelector.equal({"app": "b"}))),
        ({"namespaceSelector": {"matchLabels": {"t": "x"}}}, Endpoints(LabelSelector.equal({"t": "x"}))),
        (
            {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "b"}}},
            Endpoints(pods=LabelSelector.equal({"app": "b"})),
        ),
        (
            {"serviceAccount": {"namespace": "n1", "name": "sa"}},
            Endpoints(LabelSelector.namespace("n1"), accounts=LabelSelector.equal({NAME_KEY: "sa"})),
        ),
        ({"nodeSelector": {"matchLabels": {"zone": "1"}}}, Nodes(LabelSelector.equal({"zone": "1"}))),
        (
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
            Network(Cidr.parse("10.0.0.0/8"), (Cidr.parse("10.1.0.0/16"),)),
        ),
        ({"group": "missing"}, NOBODY),
    ],
)
def test_peers(peer, expected):
    assert peer_of(peer) == expected


def test_peers_are_alternatives():
    rule = rule_of({"from": [{"podSelector": {}}, {"nodeSelector": {}}]})
    assert rule.peer == AnyOf((Endpoints(), Nodes()))


@pytest.mark.parametrize("peers", [{}, {"from": []}, {"from": None}])
def test_no_peers_are_everybody(peers):
    assert rule_of(peers).peer == ANYTHING


@pytest.mark.parametrize(
    ("name", "pattern"),
    [("Example.com", r"example\.com"), ("*foobar.com", r".*foobar\.com"), ("a*.b", r"a.*\.b")],
)
def test_names(name, pattern):
    assert peer_of({"fqdn": name}, direction="egress") == DomainNames((pattern,), (name,))


def test_services():
    rule = rule_of({"toServices": [{"name": "s", "namespace": "n1"}]}, direction="egress")
    assert rule.peer == ThroughService("n1", "s")


def test_services_of_the_own_namespace():
    policy = namespaced_policy(egress=[{"action": "Drop", "toServices": [{"name": "s"}]}])
    assert rules_of(policy)[0].peer == ThroughService("n1", "s")


@pytest.mark.parametrize(
    ("peer", "direction"),
    [
        ({"externalEntitySelector": {}}, "ingress"),
        ({"podSelector": {}, "scope": "ClusterSet"}, "ingress"),
        ({"namespaces": {"match": "Self"}, "scope": "ClusterSet"}, "ingress"),
    ],
)
def test_what_is_not_in_the_input_is_nobody_known(peer, direction):
    found = [rule.peer for rule in rules_of(cluster_policy(**{direction: [{"action": "Allow", "from": [peer]}]}))]
    parts = found[0].members if isinstance(found[0], AnyOf) else found
    assert any(isinstance(part, AllOf) and isinstance(part.members[-1], Unresolved) for part in parts)


# Namespaces


NAMESPACES = (namespace("n1", t="x"), namespace("n2", t="x"), namespace("n3", t="y"), namespace("n4"))


def ends(policy):
    return [(rule.subject, rule.peer) for rule in rules_of(policy, *NAMESPACES)]


def test_self_is_a_row_for_each_namespace_that_is_guarded():
    applied = [{"namespaceSelector": {"matchLabels": {"t": "x"}}}]
    pods = {"matchLabels": {"app": "b"}}
    peers = [{"namespaces": {"match": "Self"}, "podSelector": pods}]
    found = ends(cluster_policy(appliedTo=applied, ingress=[{"action": "Allow", "from": peers}]))
    guarded = [
        LabelSelector.of(*LabelSelector.namespace(n).requirements, *LabelSelector.equal({"t": "x"}).requirements)
        for n in ("n1", "n2")
    ]
    assert [subject.namespaces for subject, _ in found] == guarded
    wanted = LabelSelector.equal({"app": "b"})
    assert [peer for _, peer in found] == [Endpoints(LabelSelector.namespace(n), wanted) for n in ("n1", "n2")]


def test_same_labels_is_a_row_for_each_value():
    peers = [{"namespaces": {"sameLabels": ["t"]}}]
    found = ends(cluster_policy(appliedTo=[{"namespaceSelector": {}}], ingress=[{"action": "Allow", "from": peers}]))
    values = [Endpoints(LabelSelector.equal({"t": value})) for value in ("x", "y")]
    assert found == [(value, value) for value in values]


def test_what_depends_on_the_namespace_stands_beside_what_does_not():
    peers = [{"namespaces": {"match": "Self"}}, {"nodeSelector": {}}]
    found = ends(cluster_policy(ingress=[{"action": "Allow", "from": peers}]))
    assert len(found) == 5
    assert found[0][1] == Nodes()


# Traffic


def traffic(rule, **others):
    return [(row.ports, row.source_ports) for row in rules_of(cluster_policy(ingress=[{"action": "Drop", **rule}]))]


@pytest.mark.parametrize(
    ("port", "member"),
    [
        ({}, PortRange(TCP)),
        ({"protocol": "UDP"}, PortRange(UDP)),
        ({"port": 80}, PortRange(TCP, 80, 80)),
        ({"port": 80, "endPort": 90}, PortRange(TCP, 80, 90)),
        ({"protocol": "UDP", "port": "dns"}, NamedPort(UDP, "dns")),
    ],
)
def test_ports(port, member):
    assert traffic({"ports": [port]}) == [(PortSet((member,)), EVERY_PORT)]


def test_each_source_port_is_a_row():
    ports = [{"port": 80, "sourcePort": 1, "sourceEndPort": 9}, {"port": 81}, {"port": 82, "sourcePort": 5}]
    assert traffic({"ports": ports}) == [
        (PortSet((PortRange(TCP, 80, 80),)), PortSet((PortRange(TCP, 1, 9),))),
        (PortSet((PortRange(TCP, 81, 81),)), EVERY_PORT),
        (PortSet((PortRange(TCP, 82, 82),)), PortSet((PortRange(TCP, 5, 5),))),
    ]


def test_ports_and_protocols_are_alternatives():
    rule = {"ports": [{"port": 80}], "protocols": [{"icmp": {"icmpType": 8, "icmpCode": 0}}]}
    members = (PortRange(TCP, 80, 80), IcmpType(ICMP, 8, 0), IcmpType(ICMPV6, 8, 0))
    assert traffic(rule) == [(PortSet(members), EVERY_PORT)]


def test_all_of_icmp():
    assert traffic({"protocols": [{"icmp": {}}]})[0][0] == PortSet((PortRange(ICMP), PortRange(ICMPV6)))


def test_a_code_alone_is_that_of_every_type():
    ((ports, _),) = traffic({"protocols": [{"icmp": {"icmpCode": 3}}]})
    assert len(ports.members) == 512
    assert {member.code for member in ports.members} == {3}


def test_igmp_in_general_is_certain_and_a_group_is_not():
    (rule,) = rules_of(cluster_policy(egress=[{"action": "Drop", "protocols": [{"igmp": {}}]}]))
    assert (rule.ports, rule.certain) == (PortSet((PortRange(2),)), True)
    igmp = {"igmpType": 0x12, "groupAddress": "225.1.2.3"}
    (rule,) = rules_of(cluster_policy(egress=[{"action": "Drop", "protocols": [{"igmp": igmp}]}]))
    assert not rule.certain


def test_layer_7_allows_perhaps_and_drops_the_rest():
    rule = {"ports": [{"port": 80}], "l7Protocols": [{"http": {"method": "GET", "path": "/a*"}}]}
    first, second = rules_of(cluster_policy(ingress=[{"action": "Allow", **rule}]))
    assert (first.action, first.certain) == (Action.ALLOW, False)
    assert (second.action, second.certain) == (Action.DENY, True)
    assert (first.index, first.tie) == (second.index, second.tie)
    assert first.order < second.order


# What policies apply to


@pytest.mark.parametrize(
    ("applied", "subject"),
    [
        ({"podSelector": {}}, Endpoints()),
        ({"namespaceSelector": {"matchLabels": {"t": "x"}}}, Endpoints(LabelSelector.equal({"t": "x"}))),
        (
            {"serviceAccount": {"namespace": "n1", "name": "sa"}},
            Endpoints(LabelSelector.namespace("n1"), accounts=LabelSelector.equal({NAME_KEY: "sa"})),
        ),
        ({"externalEntitySelector": {}}, NOBODY),
        ({"group": "missing"}, NOBODY),
        ({"nodeSelector": {}}, Nodes()),
    ],
)
def test_applied_to(applied, subject):
    assert subject_of(applied) == subject


def test_each_rule_may_say_whom_it_applies_to():
    rules = [{"action": "Drop", "appliedTo": [{"podSelector": {"matchLabels": {"app": n}}}]} for n in "ab"]
    found = rules_of(cluster_policy(appliedTo=None, ingress=rules))
    assert [rule.subject.pods for rule in found] == [LabelSelector.equal({"app": n}) for n in "ab"]


def test_policies_of_nodes_bind_hosts():
    rule = rule_of({}, appliedTo=[{"nodeSelector": {}}])
    assert rule.hosts
    assert "NodeNetworkPolicy" in rule.condition


def test_what_policies_of_nodes_do_not_support_is_in_doubt():
    rule = rule_of({"to": [{"fqdn": "a.b"}]}, direction="egress", appliedTo=[{"nodeSelector": {}}])
    assert not rule.certain


def test_policies_of_services_are_asked_first_and_of_clients_outside():
    applied = [{"service": {"namespace": "n1", "name": "s"}}]
    block = Network(Cidr.parse("192.0.2.0/24"))
    rule, of_hosts = rules_of(
        cluster_policy(
            appliedTo=applied, ingress=[{"action": "Allow", "from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]
        )
    )
    assert (rule.hosts, of_hosts.hosts) == (False, True)
    assert rule.action is Action.PASS
    assert rule.subject == of_hosts.subject == ThroughService("n1", "s")
    assert rule.tier.position < Position((0,))
    assert rule.peer.members[0] == block
    assert len(rule.peer.members) == 3


# Groups


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"podSelector": {}}, Endpoints()),
        ({"namespaceSelector": {"matchLabels": {"t": "x"}}}, Endpoints(LabelSelector.equal({"t": "x"}))),
        ({"nodeSelector": {}}, Nodes()),
        ({"ipBlocks": [{"cidr": "10.0.0.0/8"}]}, Network(Cidr.parse("10.0.0.0/8"))),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, Network(Cidr.parse("10.0.0.0/8"))),
        (
            {"serviceReference": {"namespace": "n1", "name": "s"}},
            Endpoints(LabelSelector.namespace("n1"), LabelSelector.equal({"app": "b"})),
        ),
        ({"serviceReference": {"namespace": "n1", "name": "other"}}, NOBODY),
        ({"childGroups": ["child", "absent"]}, Endpoints(pods=LabelSelector.equal({"app": "c"}))),
        ({"childGroups": ["parent"]}, NOBODY),
        ({"childGroups": ["child", "parent"]}, NOBODY),
    ],
)
def test_groups_as_peers(spec, expected):
    others = [
        service("s", app="b"),
        cluster_group("child", podSelector={"matchLabels": {"app": "c"}}),
        cluster_group("parent", childGroups=["child"]),
    ]
    assert peer_of({"group": "g"}, cluster_group("g", **spec), *others) == expected


def test_a_group_that_says_nothing_is_nobody_known():
    assert isinstance(peer_of({"group": "g"}, cluster_group("g")), Unresolved)


@pytest.mark.parametrize("spec", [{"ipBlocks": [{"cidr": "10.0.0.0/8"}]}, {"nodeSelector": {}}])
def test_groups_without_pods_bind_nobody(spec):
    assert subject_of({"group": "g"}, cluster_group("g", **spec)) == NOBODY


def test_pods_of_a_mixed_group_are_bound():
    children = [cluster_group("a", ipBlocks=[{"cidr": "10.0.0.0/8"}]), cluster_group("b", podSelector={})]
    assert subject_of({"group": "g"}, cluster_group("g", childGroups=["a", "b"]), *children) == Endpoints()


def test_groups_of_a_namespace():
    policy = namespaced_policy(ingress=[{"action": "Drop", "from": [{"group": "g"}]}])
    (rule,) = rules_of(policy, group("g", podSelector={}), cluster_group("g", nodeSelector={}))
    assert rule.peer == Endpoints(LabelSelector.namespace("n1"), EVERYTHING)


def test_a_group_that_reaches_beyond_the_namespace_binds_nobody():
    policy = namespaced_policy(appliedTo=[{"group": "g"}], ingress=[{"action": "Drop"}])
    (rule,) = rules_of(policy, group("g", namespaceSelector={}))
    assert rule.subject == NOBODY


def test_what_policies_apply_to_is_shared():
    assert rule_of({}, appliedTo=[*APPLIED, {"podSelector": {"matchLabels": {"app": "b"}}}]).subject == AnyOf(
        tuple(Endpoints(pods=LabelSelector.equal({"app": n})) for n in "ab")
    )
