import json

import pytest

from loaders import enforce_staged, load_manifests
from simcore.errors import LoadError
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.flows import End, Flow, Reason, Verdict
from simcore.model.labels import NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, AllOf, AnyOf, DomainNames, Endpoints, Except, Network, OfFamily
from simcore.model.policy import Action, Direction, PolicyRef, Role
from simcore.model.ports import EVERY_PORT, TCP, UDP, IcmpType, NamedPort, PortRange, PortSet
from simcore.reference import Reference
from tests.calico import CALICO

V3, STORED = "projectcalico.org/v3", "crd.projectcalico.org/v1"
SHOP = LabelSelector.namespace("shop")
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


def document(kind, spec, name="web", namespace=None, labels=None, api_version=V3):
    if namespace is None and kind in ("NetworkPolicy", "StagedNetworkPolicy", "NetworkSet"):
        namespace = "shop"
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def pod(name, address=None, namespace="shop", labels=None, node="n1", **spec):
    status = {"phase": "Running", "podIPs": [{"ip": address}] if address else []}
    body = document("Pod", {"nodeName": node, "containers": [], **spec}, name, namespace, labels, "v1")
    return {**body, "status": status}


def node(name, address):
    return {**document("Node", {}, name, api_version="v1"), "status": {"addresses": [internal(address)]}}


def internal(address):
    return {"type": "InternalIP", "address": address}


NAMESPACES = [
    document("Namespace", {}, "shop", labels={"team": "pay"}, api_version="v1"),
    document("Namespace", {}, "bank", labels={"team": "money"}, api_version="v1"),
]


@pytest.fixture
def load(tmp_path):
    def load(*documents):
        path = tmp_path / "all.json"
        items = [*NAMESPACES, *documents]
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        return load_manifests([str(path)])

    return load


@pytest.fixture
def rule_of(load):
    """The first row of a policy with one rule."""

    def rule_of(rule, direction="ingress", kind="NetworkPolicy", others=()):
        (policy,) = (p for p in load(document(kind, {direction: [rule]}), *others).policies if p.ref.name == "web")
        return policy.rules[0]

    return rule_of


@pytest.fixture
def complaints(load):
    def complaints(*documents):
        with pytest.raises(LoadError) as caught:
            load(*documents)
        return [(d.place.field, d.message) for d in caught.value.diagnostics]

    return complaints


def asks(**parts):
    return Endpoints(**{part: LabelSelector.of(*requirements) for part, requirements in parts.items()})


def is_in(key, *values):
    return Requirement(key, Operator.IN, frozenset(values))


def judge(snapshot, source, destination, port=80, protocol=TCP, **more):
    flow = Flow(end_of(source), end_of(destination), protocol, port, **more)
    return Reference(snapshot.cluster, snapshot.policies, CALICO).judge(flow)


def end_of(text):
    return End(pod=text) if "/" in text else End(Address.parse(text))


# Tiers, order, directions


def test_a_policy_becomes_rows_and_the_end_of_its_tier(load):
    spec = {"order": 5, "selector": "app == 'web'", "ingress": [{"action": "Log"}, {"action": "Allow"}]}
    (policy,) = load(document("NetworkPolicy", spec)).policies
    assert policy.ref == PolicyRef("NetworkPolicy.projectcalico.org", "shop", "web")
    allow, end = policy.rules
    assert (allow.index, allow.action, allow.role) == (1, Action.ALLOW, Role.WRITTEN)
    assert allow.order == (0, 5.0, "web/shop/NetworkPolicy.projectcalico.org", 1)
    assert allow.tier.position.stage == (0, 1_000_000.0, "default")
    assert allow.subject == Endpoints(SHOP, LabelSelector.equal({"app": "web"}))
    assert (allow.peer, allow.ports) == (ANYTHING, EVERY_PORT)
    assert (end.index, end.action, end.role, end.peer) == (-1, Action.DENY, Role.TIER_END, ANYTHING)
    assert end.order == (1, 5.0, "web/shop/NetworkPolicy.projectcalico.org")
    assert allow.place.field == "spec.ingress[1]"


def test_a_tier_that_passes_has_no_end(load):
    tier = document("Tier", {"order": 7, "defaultAction": "Pass"}, "soft")
    rules = load(tier, document("NetworkPolicy", {"tier": "soft", "ingress": [{"action": "Deny"}]})).policies[0].rules
    assert [(rule.role, rule.tier.position.stage) for rule in rules] == [(Role.WRITTEN, (0, 7.0, "soft"))]


def test_without_order_policies_and_tiers_come_last(load):
    tier = document("Tier", {}, "late")
    (rule,) = load(tier, document("NetworkPolicy", {"tier": "late"})).policies[0].rules
    assert rule.order[:2] == (1, float("inf"))
    assert rule.tier.position.stage == (1, 0.0, "late")


def test_a_tier_that_does_not_exist_comes_last_and_denies(load):
    snapshot = load(document("NetworkPolicy", {"tier": "gone"}))
    (rule,) = snapshot.policies[0].rules
    assert (rule.tier.position.stage, rule.role) == ((2, 0.0, "gone"), Role.TIER_END)
    (warning,) = (d for d in snapshot.diagnostics if d.place.field == "spec.tier")
    assert "there is no tier 'gone', only default, kube-admin, kube-baseline" in warning.message


@pytest.mark.parametrize(
    ("spec", "api_version", "types"),
    [
        ({}, V3, [INGRESS]),
        ({"egress": [{"action": "Allow"}]}, V3, [EGRESS]),
        ({"egress": [{"action": "Allow"}], "ingress": [{"action": "Allow"}]}, V3, [INGRESS, EGRESS]),
        ({"egress": [{"action": "Allow"}], "types": ["Ingress"]}, V3, [INGRESS]),
        ({}, STORED, [INGRESS, EGRESS]),
    ],
)
def test_types(load, spec, api_version, types):
    (policy,) = load(document("NetworkPolicy", spec, api_version=api_version)).policies
    assert [rule.direction for rule in policy.rules if rule.role is Role.TIER_END] == types


def test_a_stored_policy_sheds_the_prefix_of_the_default_tier(load):
    policies = load(
        document("NetworkPolicy", {"types": ["Ingress"]}, "default.web", api_version=STORED),
        document("NetworkPolicy", {"types": ["Ingress"]}, "default.web"),
    ).policies
    assert {policy.ref.name for policy in policies} == {"web", "default.web"}


def test_an_invalid_stored_object_is_left_out_with_a_warning(load):
    snapshot = load(document("NetworkPolicy", {"types": ["Ingress"], "selector": "a =="}, api_version=STORED))
    assert snapshot.policies == ()
    (warning,) = (d for d in snapshot.diagnostics if d.place.field == "spec.selector")
    assert "column 5: expected text in quotes, found the end. Calico leaves out a stored NetworkPolicy" in str(warning)


# What a rule matches


@pytest.mark.parametrize(
    ("source", "peer"),
    [
        ({}, ANYTHING),
        ({"selector": "a == 'x' && b != 'y'"},
         Endpoints(SHOP, LabelSelector.of(is_in("a", "x"), Requirement("b", Operator.NOT_IN, frozenset("y"))))),
        ({"selector": "has(a) || has(b)"}, AllOf((Endpoints(SHOP), AnyOf((
            asks(pods=[Requirement("a", Operator.EXISTS)]), asks(pods=[Requirement("b", Operator.EXISTS)])))))),
        ({"selector": "!(a starts with 'x')"}, AllOf((Endpoints(SHOP), Except(
            asks(pods=[Requirement("a", Operator.STARTS_WITH, frozenset("x"))]))))),
        ({"namespaceSelector": "all()"}, Endpoints()),
        ({"namespaceSelector": "team == 'pay'"}, asks(namespaces=[is_in("team", "pay")])),
        ({"namespaceSelector": "projectcalico.org/name == 'bank'"},
         asks(namespaces=[is_in(NAMESPACE_NAME_LABEL, "bank")])),
        ({"namespaceSelector": "global()"}, AnyOf(())),
        ({"serviceAccounts": {"names": ["a", "b"]}},
         Endpoints(SHOP, accounts=LabelSelector.of(is_in(NAME_KEY, "a", "b")))),
        ({"serviceAccounts": {"selector": "role == 'x'"}},
         Endpoints(SHOP, accounts=LabelSelector.of(is_in("role", "x")))),
        ({"notSelector": "has(a)"},
         AllOf((Endpoints(SHOP), Except(asks(pods=[Requirement("a", Operator.EXISTS)]))))),
        ({"nets": ["10.0.0.0/8"], "notNets": ["10.1.0.0/16"]}, AllOf((
            Network(Cidr.parse("10.0.0.0/8")), OfFamily(Family.V4), Except(Network(Cidr.parse("10.1.0.0/16")))))),
    ],
)  # fmt: skip
def test_sources(rule_of, source, peer):
    assert rule_of({"action": "Allow", "source": source}).peer == peer


def test_sets_are_their_blocks(rule_of):
    sets = (
        document("NetworkSet", {"nets": ["10.1.0.0/16"]}, "own", labels={"kind": "x"}),
        document("NetworkSet", {"nets": ["10.2.0.0/16"]}, "other", "bank", labels={"kind": "x"}),
        document("GlobalNetworkSet", {"nets": ["10.3.0.0/16", "192.0.2.1"]}, "all", labels={"kind": "x"}),
    )
    found = {}
    for selector in ("all()", "global()", "team == 'money'", None):
        source = {"selector": "kind == 'x'"} | ({"namespaceSelector": selector} if selector else {})
        peer = rule_of({"action": "Allow", "source": source}, others=sets).peer
        members = peer.members if isinstance(peer, AnyOf) else [peer]
        found[selector] = [str(member.cidr) for member in members if isinstance(member, Network)]
    assert found == {
        "all()": ["10.1.0.0/16", "10.2.0.0/16"],
        "global()": ["10.3.0.0/16", "192.0.2.1/32"],
        "team == 'money'": ["10.2.0.0/16"],
        None: ["10.1.0.0/16"],
    }


def test_a_pods_own_label_hides_that_of_its_namespace(load):
    policy = document("GlobalNetworkPolicy", {"namespaceSelector": "team == 'pay'", "ingress": []})
    plain = load(policy).policies[0].rules[0]
    assert plain.subject == asks(namespaces=[is_in("team", "pay")])
    snapshot = load(
        pod("liar", "10.0.0.1", labels={"pcns.team": "none"}),
        pod("guest", "10.0.0.2", "bank", labels={"pcns.team": "pay"}),
        pod("usual", "10.0.0.3"),
        policy,
    )
    denied = [name for name in ("shop/liar", "bank/guest", "shop/usual") if not is_open(snapshot, name)]
    assert denied == ["bank/guest", "shop/usual"]


def is_open(snapshot, name):
    return judge(snapshot, "192.0.2.1", name).verdict is Verdict.ALLOW


def test_the_names_of_very_long_service_accounts_are_no_label(load):
    long = "a" * 63
    policy = document("GlobalNetworkPolicy", {"selector": f"projectcalico.org/serviceaccount != '{long}'"})
    snapshot = load(pod("long", "10.0.0.1", serviceAccountName=long), pod("short", "10.0.0.2"), policy)
    assert [is_open(snapshot, name) for name in ("shop/long", "shop/short")] == [False, False]
    has = document("GlobalNetworkPolicy", {"selector": "has(projectcalico.org/serviceaccount)"})
    snapshot = load(pod("long", "10.0.0.1", serviceAccountName=long), pod("short", "10.0.0.2"), has)
    assert [is_open(snapshot, name) for name in ("shop/long", "shop/short")] == [True, False]


def test_service_accounts_that_are_not_there_are_warned_of_where_their_labels_are_asked(load):
    asked = document("GlobalNetworkPolicy", {"serviceAccountSelector": "role == 'x'"})
    snapshot = load(pod("p", "10.0.0.1", serviceAccountName="robot"), asked)
    (warning,) = snapshot.diagnostics
    assert warning.place.field == "spec.serviceAccountSelector"
    assert "service accounts that pods use (shop/robot): they are taken to have no labels" in warning.message
    account = document("ServiceAccount", {}, "robot", "shop", api_version="v1")
    assert load(pod("p", "10.0.0.1", serviceAccountName="robot"), account, asked).diagnostics == ()


@pytest.mark.parametrize(
    ("rule", "ports", "source_ports"),
    [
        ({"protocol": "TCP"}, PortSet((PortRange(TCP),)), EVERY_PORT),
        ({"protocol": 89}, PortSet((PortRange(89),)), EVERY_PORT),
        ({"protocol": "UDP", "destination": {"ports": [53, "1:9", "80"]}},
         PortSet((PortRange(UDP, 53, 53), PortRange(UDP, 1, 9), PortRange(UDP, 80, 80))), EVERY_PORT),
        ({"protocol": "TCP", "destination": {"ports": ["http"], "notPorts": [22]}},
         PortSet((NamedPort(TCP, "http"),), (PortRange(TCP, 22, 22),)), EVERY_PORT),
        ({"destination": {"ports": ["http"]}},
         PortSet(tuple(NamedPort(protocol, "http") for protocol in (6, 17, 132))), EVERY_PORT),
        ({"notProtocol": "UDP"}, PortSet(None, (PortRange(UDP),)), EVERY_PORT),
        ({"protocol": "ICMP", "icmp": {"type": 8}, "notICMP": {"type": 8, "code": 1}},
         PortSet((IcmpType(1, 8),), (IcmpType(1, 8, 1),)), EVERY_PORT),
        ({"protocol": "TCP", "source": {"ports": [7], "notPorts": ["5:9"]}},
         PortSet((PortRange(TCP),)), PortSet((PortRange(TCP, 7, 7),), (PortRange(TCP, 5, 9),))),
    ],
)  # fmt: skip
def test_ports(rule_of, rule, ports, source_ports):
    found = rule_of({"action": "Allow", **rule})
    assert (found.ports, found.source_ports) == (ports, source_ports)


def test_the_other_end_narrows_whom_a_rule_binds(rule_of):
    rule = rule_of({"action": "Allow", "destination": {"selector": "a == 'x'", "nets": ["10.0.0.0/8"]}})
    own = Endpoints(SHOP, LabelSelector.equal({"a": "x"}))
    assert rule.subject == AllOf((own, Network(Cidr.parse("10.0.0.0/8"))))
    assert rule.peer == ANYTHING


def test_names_and_http_are_kept_as_they_are(rule_of):
    domains = {"domains": ["*.Example.com", "www.example.org."]}
    peer = rule_of({"action": "Allow", "destination": domains}, "egress").peer
    assert peer == DomainNames(
        (r"[^.]+(?:\.[^.]+)*\.example\.com", r"www\.example\.org"), ("*.Example.com", "www.example.org.")
    )
    http = {"methods": ["GET", "PUT"], "paths": [{"exact": "/a"}, {"prefix": "/b"}]}
    assert rule_of({"action": "Allow", "http": http}).condition == "HTTP GET or PUT, path /a or /b/..."


def test_the_endpoints_of_a_service_at_their_ports(load):
    spec = {"selector": {"a": "x"}, "ports": [{"port": 80, "targetPort": 8080}]}
    service = document("Service", spec, "svc", "shop", api_version="v1")
    rule = {"action": "Allow", "destination": {"services": {"name": "svc", "namespace": "shop"}}}
    policy = document("NetworkPolicy", {"egress": [rule]})
    row = load(service, policy).policies[0].rules[0]
    assert row.peer == Endpoints(SHOP, LabelSelector.equal({"a": "x"}))
    assert row.ports == PortSet((PortRange(TCP, 8080, 8080),))
    slices = [piece(n, address, port) for n, (address, port) in enumerate([("10.0.0.1", 1), ("10.0.0.2", 2)])]
    rows = load(service, *slices, policy).policies[0].rules[:-1]
    assert [(str(row.peer.cidr), row.ports.members[0].first, row.index) for row in rows] == [
        ("10.0.0.1/32", 1, 0),
        ("10.0.0.2/32", 2, 0),
    ]


def piece(number, address, port):
    metadata = {"name": f"svc-{number}", "namespace": "shop", "labels": {"kubernetes.io/service-name": "svc"}}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": "IPv4",
        "ports": [{"port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address]}],
    }


# Host endpoints


def host(name="h1", node="n1", interface="*", **spec):
    return document("HostEndpoint", {"node": node, "interfaceName": interface, **spec}, name, labels={"role": "node"})


NODES = (node("n1", "10.9.0.1"), node("n2", "10.9.0.2"))


def test_a_host_endpoint_without_profile_is_closed_but_for_failsafe_ports(load):
    snapshot = load(*NODES, host(), pod("p", "10.0.0.1", node="n2"))
    denied = judge(snapshot, "192.0.2.1", "10.9.0.1")
    assert str(denied.ingress.rule) == "HostEndpoint.projectcalico.org h1 ingress, end of tier profiles"
    assert judge(snapshot, "192.0.2.1", "10.9.0.1", 22).verdict is Verdict.ALLOW
    assert judge(snapshot, "192.0.2.1", "10.9.0.1", 22, UDP).verdict is Verdict.DENY
    assert judge(snapshot, "10.9.0.1", "shop/p", 53, UDP).verdict is Verdict.ALLOW
    assert judge(snapshot, "10.9.0.1", "shop/p", 53).verdict is Verdict.DENY
    assert judge(snapshot, "192.0.2.1", "10.9.0.2").verdict is Verdict.ALLOW


def test_felix_says_which_ports_are_failsafe(load):
    everywhere = {"failsafeInboundHostPorts": [], "logSeverityScreen": "Info"}
    one = {"failsafeInboundHostPorts": [{"protocol": "TCP", "port": 80, "net": "192.0.2.0/24"}]}
    snapshot = load(
        *NODES,
        host(),
        host("h2", "n2"),
        document("FelixConfiguration", everywhere, "default"),
        document("FelixConfiguration", one, "node.n2"),
    )
    assert judge(snapshot, "192.0.2.1", "10.9.0.1", 22).verdict is Verdict.DENY
    assert judge(snapshot, "192.0.2.1", "10.9.0.2", 80).verdict is Verdict.ALLOW
    assert judge(snapshot, "198.51.100.1", "10.9.0.2", 80).verdict is Verdict.DENY
    assert judge(snapshot, "10.9.0.1", "192.0.2.1", 53, UDP).verdict is Verdict.ALLOW


def test_profiles_follow_the_tiers(load):
    profile = document("Profile", {"ingress": [{"action": "Pass", "protocol": "UDP"}, {"action": "Allow"}]}, "some")
    snapshot = load(*NODES, profile, host(profiles=["some"]))
    assert judge(snapshot, "192.0.2.1", "10.9.0.1").ingress.rule.policy.name == "some"
    assert judge(snapshot, "192.0.2.1", "10.9.0.1", 80, UDP).verdict is Verdict.DENY
    snapshot = load(*NODES, host(profiles=["projectcalico-default-allow", "gone"]))
    assert judge(snapshot, "192.0.2.1", "10.9.0.1").verdict is Verdict.ALLOW
    assert [d.message for d in snapshot.diagnostics] == ["there is no profile 'gone': it allows nothing"]


def test_a_global_policy_binds_hosts_unless_it_asks_for_namespaces(load):
    for spec, is_bound in [({}, True), ({"selector": "all()"}, True), ({"namespaceSelector": "all()"}, False)]:
        snapshot = load(*NODES, host(profiles=["projectcalico-default-allow"]), document("GlobalNetworkPolicy", spec))
        assert (judge(snapshot, "192.0.2.1", "10.9.0.1").verdict is Verdict.DENY) is is_bound


def test_a_named_interface_is_its_addresses_and_not_the_way_of_its_own_pods(load):
    named = host(interface="eth0", expectedIPs=["10.9.0.1"])
    snapshot = load(*NODES, named, pod("p", "10.0.0.1"), pod("q", "10.0.0.2", node="n2"))
    assert judge(snapshot, "192.0.2.1", "10.9.0.1").verdict is Verdict.DENY
    assert judge(snapshot, "shop/q", "10.9.0.1").verdict is Verdict.DENY
    assert judge(snapshot, "shop/p", "10.9.0.1").verdict is Verdict.ALLOW
    unknown = judge(load(*NODES, host(interface="eth0")), "192.0.2.1", "10.9.0.1")
    assert (unknown.verdict, unknown.ingress.reason) == (Verdict.UNKNOWN, Reason.UNCERTAIN_RULE)


EARLY = {"applyOnForward": True, "types": ["Ingress"], "selector": "role == 'node'"}


@pytest.mark.parametrize("group", ["doNotTrack", "preDNAT"])
def test_untracked_and_early_policies_come_before_the_tiers(load, group):
    early = EARLY | {group: True, "order": 9, "ingress": [{"action": "Allow", "protocol": "TCP"}]}
    usual = {"order": 5, "selector": "role == 'node'", "ingress": [{"action": "Deny"}]}
    snapshot = load(
        *NODES, host(), document("GlobalNetworkPolicy", early), document("GlobalNetworkPolicy", usual, "usual")
    )
    assert judge(snapshot, "192.0.2.1", "10.9.0.1").ingress.rule.policy.name == "web"
    assert judge(snapshot, "192.0.2.1", "10.9.0.1", 80, UDP).ingress.rule.policy.name == "usual"


def test_what_a_host_forwards_to_pods_is_not_known_where_it_may_be_denied(load):
    policy = EARLY | {"ingress": [{"action": "Allow", "source": {"nets": ["192.0.2.0/24"]}}, {"action": "Deny"}]}
    snapshot = load(*NODES, host(), host("h2", "n2"), pod("p", "10.0.0.1"), document("GlobalNetworkPolicy", policy))
    assert judge(snapshot, "192.0.2.1", "shop/p").verdict is Verdict.ALLOW
    denied = judge(snapshot, "198.51.100.1", "shop/p").ingress
    assert (denied.verdict, denied.reason) == (Verdict.UNKNOWN, Reason.UNCERTAIN_RULE)
    assert "host endpoints forward" in denied.rule.doubt


# Staged policies


def test_a_staged_policy_is_not_in_force(load):
    staged = document("StagedNetworkPolicy", {"ingress": [{"action": "Deny"}]})
    snapshot = load(pod("p", "10.0.0.1"), staged)
    assert snapshot.policies[0].stages == PolicyRef("NetworkPolicy.projectcalico.org", "shop", "web")
    assert judge(snapshot, "192.0.2.1", "shop/p").verdict is Verdict.ALLOW


def test_enforcing_puts_staged_policies_in_place_of_their_twins(load):
    snapshot = load(
        document("NetworkPolicy", {"ingress": [{"action": "Allow"}]}),
        document("StagedNetworkPolicy", {"order": 3, "ingress": [{"action": "Deny"}]}),
        document("StagedGlobalNetworkPolicy", {"ingress": []}),
        document("StagedKubernetesNetworkPolicy", {"podSelector": {}}, namespace="bank"),
        document("GlobalNetworkPolicy", {}, "gone"),
        document("StagedGlobalNetworkPolicy", {"stagedAction": "Delete"}, "gone"),
    )
    enforced = enforce_staged(snapshot.policies)
    assert [str(policy.ref) for policy in enforced] == [
        "GlobalNetworkPolicy.projectcalico.org web",
        "NetworkPolicy bank/web",
        "NetworkPolicy.projectcalico.org shop/web",
    ]
    assert {policy.stages for policy in enforced} == {None}
    assert [(rule.action, rule.order[:3]) for rule in enforced[2].rules] == [
        (Action.DENY, (0, 3.0, "web/shop/NetworkPolicy.projectcalico.org")),
        (Action.DENY, (1, 3.0, "web/shop/NetworkPolicy.projectcalico.org")),
    ]
    assert {rule.policy for policy in enforced for rule in policy.rules} == {policy.ref for policy in enforced}


# What is refused

SERVICES = {"services": {"name": "s", "namespace": "shop"}}


@pytest.mark.parametrize(
    ("kind", "spec", "field", "words"),
    [
        ("NetworkPolicy", {"podSelector": {}}, "spec.podSelector", "Calico selects pods by selector"),
        ("NetworkPolicy", {"namespaceSelector": "all()"}, "spec.namespaceSelector", "unknown field"),
        ("NetworkPolicy", {"types": []}, "spec.types", "an empty list is not taken"),
        ("NetworkPolicy", {"types": ["Egress", "Egress"]}, "spec.types[1]", "stands here twice"),
        ("NetworkPolicy", {"types": ["ingress"]}, "spec.types[0]", "Write Ingress"),
        ("NetworkPolicy", {"order": "5"}, "spec.order", "expected a number, got the text"),
        ("NetworkPolicy", {"selector": "x" * 1025}, "spec.selector", "1025 characters; the API takes 1024"),
        ("NetworkPolicy", {"performanceHints": ["Fast"]}, "spec.performanceHints", "is no hint"),
        ("GlobalNetworkPolicy", {"doNotTrack": True}, "spec.doNotTrack", "applyOnForward: true"),
        ("GlobalNetworkPolicy", {"doNotTrack": "yes"}, "spec.doNotTrack", "expected true or false"),
        ("GlobalNetworkPolicy", EARLY | {"doNotTrack": True, "preDNAT": True}, "spec.preDNAT", "exclude each other"),
        ("StagedNetworkPolicy", {"stagedAction": "Delete", "order": 1}, "spec.order", "no other field than tier"),
        ("StagedNetworkPolicy", {"stagedAction": "Drop"}, "spec.stagedAction", "Use one of Set, Delete"),
        ("Tier", {"defaultAction": "deny"}, "spec.defaultAction", "Write Deny"),
        ("GlobalNetworkSet", {"nets": ["10.0.0"]}, "spec.nets[0]", "not an IP address"),
        ("HostEndpoint", {"interfaceName": "*"}, "spec.node", "a node is required"),
        (
            "FelixConfiguration",
            {"failsafeInboundHostPorts": [{}]},
            "spec.failsafeInboundHostPorts[0].port",
            "0 to 65535",
        ),
    ],
)
def test_objects_that_are_refused(complaints, kind, spec, field, words):
    found = complaints(document(kind, spec))
    assert [field] == [where for where, message in found if words in message], found


@pytest.mark.parametrize(
    ("rule", "field", "words"),
    [
        ({}, ".action", "an action is required"),
        ({"action": "Drop"}, ".action", "Write Deny"),
        ({"from": []}, ".from", "Calico rules say source"),
        ({"protocol": "tcp"}, ".protocol", "Write TCP"),
        ({"protocol": 0}, ".protocol", "from 1 to 255"),
        ({"protocol": True}, ".protocol", "is no protocol"),
        ({"ipVersion": 5}, ".ipVersion", "write 4 or 6"),
        ({"icmp": {"type": 8}}, ".icmp", "needs protocol: ICMP"),
        ({"protocol": "ICMP", "icmp": {"type": 8, "code": 256}}, ".icmp.code", "0 to 255"),
        ({"protocol": "TCP", "source": {"ports": [0]}}, ".source.ports[0]", "from 1 to 65535"),
        ({"protocol": "TCP", "source": {"ports": [True]}}, ".source.ports[0]", "expected a port"),
        ({"protocol": "ICMP", "source": {"ports": ["http"]}}, ".source.ports[0]", "without ports"),
        ({"protocol": "TCP", "source": {"ports": [1] * 51}}, ".source.ports", "51 ports; the API takes 50"),
        ({"source": {"nets": ["10.0.0.1"]}}, ".source.nets[0]", "For a single address add /32"),
        ({"source": {"nets": [None]}}, ".source.nets[0]", "a CIDR is required"),
        ({"source": {"notNets": ["::/0"]}}, ".source.notNets[0]", "could never match"),
        ({"ipVersion": 6, "source": {"nets": ["10.0.0.0/8"]}}, ".ipVersion", "nothing could match"),
        ({"source": {"podSelector": {}}}, ".source.podSelector", "Calico selects pods by selector"),
        ({"source": {"selector": "global()"}}, ".source.selector", "global() may only stand alone"),
        ({"source": {"namespaceSelector": "global() || has(a)"}}, ".source.namespaceSelector", "stand alone"),
        ({"source": {"services": {"namespace": "shop"}}}, ".source.services.name", "is required"),
        ({"source": SERVICES | {"nets": ["10.0.0.0/8"]}}, ".source.nets", "services may not stand beside"),
        ({"destination": SERVICES}, ".destination.services", "asks for services in its source"),
        ({"destination": {"domains": ["a.b"]}}, ".destination.domains", "an egress rule that allows"),
        ({"action": "Deny", "http": {}}, ".http", "only an ingress rule that allows"),
        ({"http": {"methods": ["GET", "GET"]}}, ".http.methods", "stands here twice"),
        ({"http": {"paths": [{"exact": "/a", "prefix": "/b"}]}}, ".http.paths[0]", "exactly one of"),
        ({"http": {"paths": [{"exact": "a"}]}}, ".http.paths[0]", "begins with /"),
    ],
)
def test_rules_that_are_refused(complaints, rule, field, words):
    given = rule if field == ".action" else {"action": "Allow", **rule}
    found = complaints(document("NetworkPolicy", {"ingress": [given]}))
    assert [f"spec.ingress[0]{field}"] == [where for where, message in found if words in message], found


def test_a_policy_without_namespace_is_refused_one(complaints):
    assert complaints(document("GlobalNetworkPolicy", {}, namespace="shop"))[0][0] == "metadata.namespace"


def test_another_version_is_refused(complaints):
    ((field, message),) = complaints(document("NetworkPolicy", {}, api_version="projectcalico.org/v2"))
    assert field == "apiVersion"
    assert message.endswith("Write apiVersion: projectcalico.org/v3")
