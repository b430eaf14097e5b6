import json
import re
from dataclasses import replace

import pytest

from loaders import load_manifests, load_policies
from simcore.errors import LoadError, Place
from simcore.model.addresses import Cidr
from simcore.model.labels import EVERYTHING, LabelSelector
from simcore.model.peers import AnyOf, DomainNames, Endpoints, Network, Nodes
from simcore.model.policy import Action, Direction, PolicyRef, Role, Tier
from simcore.model.ports import EVERY_PORT, PORT_PROTOCOLS, SCTP, TCP, UDP, NamedPort, PortRange, PortSet
from simcore.model.profile import UPSTREAM

OLD, NEW = "policy.networking.k8s.io/v1alpha1", "policy.networking.k8s.io/v1alpha2"
ANP, BANP, CNP = "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"
EVERYBODY = {"namespaces": {}}
SHOP = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
HEADS = {
    ANP: (OLD, "a", {"priority": 10}),
    BANP: (OLD, "default", {}),
    CNP: (NEW, "a", {"tier": "Admin", "priority": 10}),
}
KINDS = pytest.mark.parametrize("kind", HEADS)


def document(kind, **spec):
    version, name, head = HEADS[kind]
    spec = {**head, "subject": EVERYBODY, **spec}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def read(tmp_path, *documents, **options):
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}), "utf-8")
    return load_policies([str(path)], **options)


def policy_of(tmp_path, kind, **spec):
    (policy,) = read(tmp_path, document(kind, **spec))
    return policy


def rule(kind, side="from", **more):
    return {"action": "Accept" if kind == CNP else "Allow", side: [EVERYBODY], **more}


def rule_of(tmp_path, kind, written, direction="egress"):
    (found,) = policy_of(tmp_path, kind, **{direction: [written]}).rules
    return found


def peer_of(tmp_path, kind, peer, direction="egress"):
    side = "to" if direction == "egress" else "from"
    return rule_of(tmp_path, kind, {**rule(kind, side), side: [peer]}, direction).peer


def ports_of(tmp_path, kind, *items):
    field = "protocols" if kind == CNP else "ports"
    return rule_of(tmp_path, kind, rule(kind, "to", **{field: list(items)})).ports


def complaints(tmp_path, *documents, **options):
    with pytest.raises(LoadError) as caught:
        read(tmp_path, *documents, **options)
    return [f"{found.place.field}: {found.message}" for found in caught.value.diagnostics]


def warnings_of(tmp_path, *documents):
    found = []
    read(tmp_path, *documents, diagnostics=found)
    return [f"{warning.place.field}: {warning.message}" for warning in found]


def changed(kind, **fields):
    return {**document(kind), **fields}


def in_rule(kind, side="to", **fields):
    """A policy whose one rule has other fields; None takes a field away."""
    written = {name: value for name, value in {**rule(kind, side), **fields}.items() if value is not None}
    return document(kind, **{"egress" if side == "to" else "ingress": [written]})


def in_peer(kind, side="to", **peer):
    return in_rule(kind, side, **{side: [peer]})


def in_ports(kind, **item):
    return in_rule(kind, **{"protocols" if kind == CNP else "ports": [item]})


# What becomes of a policy


def test_a_policy_becomes_rules_in_the_order_of_priority_and_position(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(
        f"apiVersion: {OLD}\nkind: {ANP}\nmetadata: {{name: guard}}\n"
        "spec:\n  priority: 7\n  subject: {namespaces: {}}\n  egress:\n"
        "  - {name: names, action: Allow, to: [{namespaces: {}}]}\n"
        "  - {action: Deny, to: [{networks: [10.0.0.0/8]}]}\n"
        "  ingress:\n  - {action: Pass, from: [{pods: {namespaceSelector: {}, podSelector: {}}}]}\n"
    )
    (policy,) = load_policies([str(path)])
    ref = PolicyRef(ANP, "", "guard")
    assert (policy.ref, str(policy.ref), policy.place) == (ref, f"{ANP} guard", Place(str(path), 1, 1))
    inward, first, second = policy.rules
    assert {(r.policy, r.tier, r.role, r.tie) for r in policy.rules} == {(ref, Tier("anp"), Role.WRITTEN, (7.0,))}
    assert [r.action for r in policy.rules] == [Action.PASS, Action.ALLOW, Action.DENY]
    assert [r.order for r in policy.rules] == [(0, 7.0, f"guard//{ANP}", index) for index in (0, 0, 1)]
    assert (inward.direction, first.direction) == (Direction.INGRESS, Direction.EGRESS)
    assert [r.name for r in policy.rules] == ["", "names", ""]
    assert [r.place for r in (inward, second)] == [
        Place(str(path), 1, 11, "spec.ingress[0]"),
        Place(str(path), 1, 9, "spec.egress[1]"),
    ]
    assert (first.subject, first.ports) == (Endpoints(), EVERY_PORT)


@pytest.mark.parametrize(
    ("kind", "spec", "tier", "tie"),
    [
        (ANP, {}, "anp", (10.0,)),
        (BANP, {}, "banp", None),
        (CNP, {}, "cnp-admin", (10.0,)),
        (CNP, {"tier": "Baseline", "priority": 0}, "cnp-baseline", (0.0,)),
    ],
)
def test_the_tier_comes_from_the_kind_or_from_the_policy(tmp_path, kind, spec, tier, tie):
    (found,) = policy_of(tmp_path, kind, **spec, ingress=[rule(kind)]).rules
    assert (found.tier, found.tie) == (Tier(tier), tie)


@KINDS
@pytest.mark.parametrize("spec", [{}, {"ingress": [], "egress": []}])
def test_a_policy_without_rules_does_nothing_and_says_so(tmp_path, kind, spec):
    assert policy_of(tmp_path, kind, **spec).rules == ()
    assert warnings_of(tmp_path, document(kind, **spec)) == ["spec: the policy has no rules, so it does nothing"]


def test_a_policy_of_the_cluster_makes_no_namespace(tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(document(ANP, ingress=[rule(ANP)])))
    assert load_manifests([str(path)]).cluster.namespaces == {}


@KINDS
def test_subjects(tmp_path, kind):
    def subject(written):
        return policy_of(tmp_path, kind, subject=written, ingress=[rule(kind)]).rules[0].subject

    web = {"matchLabels": {"app": "web"}}
    assert subject({"namespaces": SHOP}) == Endpoints(LabelSelector.namespace("shop"))
    assert subject({"pods": {"namespaceSelector": SHOP, "podSelector": web}}) == Endpoints(
        LabelSelector.namespace("shop"), LabelSelector.equal({"app": "web"})
    )


@KINDS
def test_peers(tmp_path, kind):
    assert peer_of(tmp_path, kind, EVERYBODY, "ingress") == Endpoints()
    pods = {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}
    assert peer_of(tmp_path, kind, {"pods": pods}) == Endpoints(EVERYTHING, LabelSelector.equal({"app": "web"}))
    blocks = [Network(Cidr.parse(text)) for text in ("10.0.0.0/8", "fd00::/8")]
    assert peer_of(tmp_path, kind, {"networks": ["10.0.0.0/8", "fd00::/8"]}) == AnyOf(tuple(blocks))
    assert peer_of(tmp_path, kind, {"nodes": {}}) == Nodes()
    linux = {"matchLabels": {"kubernetes.io/os": "linux"}}
    assert peer_of(tmp_path, kind, {"nodes": linux}) == Nodes(LabelSelector.equal({"kubernetes.io/os": "linux"}))


@pytest.mark.parametrize(
    ("written", "inside", "outside"),
    [
        ("www.Example.com", ["www.example.com"], ["example.com", "a.www.example.com", "wwwxexample.com"]),
        ("*.k8s.io", ["www.k8s.io", "latest.blog.k8s.io"], ["k8s.io", "wk8s.io", ".k8s.io", "www.k8s.io.org"]),
        ("k8s.io.", ["k8s.io"], ["www.k8s.io"]),
    ],
)
@pytest.mark.parametrize("kind", [ANP, CNP])
def test_domain_names(tmp_path, kind, written, inside, outside):
    found = peer_of(tmp_path, kind, {"domainNames": [written]})
    assert isinstance(found, DomainNames)
    assert found.written == (written,)
    (pattern,) = found.patterns
    assert [name for name in (*inside, *outside) if re.fullmatch(pattern, name)] == inside


def named(name):
    return PortSet(tuple(NamedPort(protocol, name) for protocol in PORT_PROTOCOLS))


@pytest.mark.parametrize(
    ("item", "ports"),
    [
        ({"portNumber": {"protocol": "UDP", "port": 53}}, PortSet((PortRange(UDP, 53, 53),))),
        ({"portNumber": {"port": 80}}, PortSet((PortRange(TCP, 80, 80),))),
        ({"portRange": {"protocol": "SCTP", "start": 1, "end": 65535}}, PortSet((PortRange(SCTP, 1, 65535),))),
        ({"portRange": {"start": 80, "end": 80}}, PortSet((PortRange(TCP, 80, 80),))),
        ({"portRange": {"start": 81, "end": 80}}, PortSet(())),
        ({"namedPort": "web"}, named("web")),
    ],
)
@pytest.mark.parametrize("kind", [ANP, BANP])
def test_ports_of_v1alpha1(tmp_path, kind, item, ports):
    assert ports_of(tmp_path, kind, item) == ports


@pytest.mark.parametrize(
    ("item", "ports"),
    [
        ({"udp": {"destinationPort": {"number": 53}}}, PortSet((PortRange(UDP, 53, 53),))),
        ({"tcp": {"destinationPort": {"range": {"start": 80, "end": 81}}}}, PortSet((PortRange(TCP, 80, 81),))),
        ({"sctp": {"destinationPort": {"number": 1}}}, PortSet((PortRange(SCTP, 1, 1),))),
        ({"destinationNamedPort": "web"}, named("web")),
    ],
)
def test_protocols_of_v1alpha2(tmp_path, item, ports):
    assert ports_of(tmp_path, CNP, item) == ports


def test_items_of_a_list_add_up(tmp_path):
    items = [{"portNumber": {"port": 80}}, {"portNumber": {"port": 81}}]
    assert ports_of(tmp_path, ANP, *items) == PortSet((PortRange(TCP, 80, 80), PortRange(TCP, 81, 81)))


# What is warned of


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            in_peer(ANP, pods={"namespaceSelector": {}}),
            "podSelector: podSelector is missing, so everything is selected",
        ),
        (in_peer(ANP, pods={"podSelector": {}}), "namespaceSelector: namespaceSelector is missing, so everything"),
        (in_peer(CNP, pods={"namespaceSelector": {}}), "podSelector: podSelector is missing"),
        (in_ports(ANP, portRange={"start": 81, "end": 80}), "81 to 80 holds no port, so this matches nothing"),
        (in_ports(ANP, namedPort="80"), "no container can name a port '80', so this matches nothing"),
        (
            in_rule(ANP, to=[{"networks": ["10.0.0.0/8"]}], ports=[{"namedPort": "web"}]),
            "ports: only pods have port names, so a name never matches networks",
        ),
        (in_peer(ANP, networks=["10.0.0.1/8"]), "has bits set beyond its prefix, so it means 10.0.0.0/8"),
    ],
)
def test_warnings(tmp_path, written, message):
    (warning,) = warnings_of(tmp_path, written)
    assert message in warning


def test_pods_of_v1alpha2_need_no_namespace_selector(tmp_path):
    assert warnings_of(tmp_path, in_peer(CNP, pods={"podSelector": {}})) == []


# What is refused

WRONG = [
    # versions, metadata
    (changed(ANP, apiVersion=NEW), "apiVersion: there is no AdminNetworkPolicy in", "with tier: Admin"),
    (changed(BANP, apiVersion=NEW), "apiVersion: there is no BaselineAdminNetworkPolicy in", "with tier: Baseline"),
    (changed(CNP, apiVersion=OLD), "apiVersion: there is no ClusterNetworkPolicy in", f"Write apiVersion: {NEW}"),
    (changed(BANP, metadata={"name": "mine"}), "metadata.name: there is one", "its name is default"),
    (changed(ANP, metadata={"name": "a", "namespace": "b"}), "metadata.namespace: this kind belongs to no namespace"),
    (changed(ANP, spec=None), "spec: a spec is required"),
    # spec
    (document(ANP, tier="Admin"), "spec.tier: unknown field", "The kind says it"),
    (document(BANP, priority=1), "spec.priority: unknown field", "so it has none"),
    (document(ANP, policyTypes=["Ingress"]), "spec.policyTypes: unknown field", "AP-4"),
    (document(ANP, priority=None), "spec.priority: a priority is required"),
    (document(ANP, priority=1001), "spec.priority: 1001 is not a priority"),
    (document(ANP, priority=10**400), "is not a priority: they go from 0 to 1000"),
    (document(ANP, priority=-1), "spec.priority: -1 is not a priority"),
    (document(ANP, priority="1"), "spec.priority: expected a whole number"),
    (document(CNP, tier=None), "spec.tier: a tier is required. Write Admin or Baseline"),
    (document(CNP, tier="admin"), "spec.tier: 'admin' is not a tier. Did you mean Admin?"),
    (document(CNP, tier="Platform"), "spec.tier: 'Platform' is not a tier. Write Admin or Baseline"),
    (document(ANP, ingress=None), "spec.ingress: null is no value here"),
    # subjects
    (document(ANP, subject=None), "spec.subject: a subject is required"),
    (document(ANP, subject={}), "spec.subject: one of namespaces, pods is required"),
    (document(ANP, subject={**EVERYBODY, "pods": {}}), "spec.subject: namespaces and pods stand in one item"),
    (document(ANP, subject={"podSelector": {}}), "spec.subject.podSelector: unknown field", "below pods"),
    # rules
    (in_rule(ANP, action=None), "spec.egress[0].action: an action is required"),
    (in_rule(ANP, action="Accept"), "AdminNetworkPolicy has no action 'Accept'. Write Allow"),
    (in_rule(CNP, action="Allow"), "ClusterNetworkPolicy has no action 'Allow'. Write Accept"),
    (in_rule(CNP, action="ACCEPT"), "'ACCEPT' is not an action. Write Accept"),
    (in_rule(BANP, action="Pass"), "BaselineAdminNetworkPolicy cannot pass: nothing follows it"),
    (in_rule(ANP, action="Drop"), "'Drop' is not an action. Write one of Allow, Deny, Pass"),
    (in_rule(ANP, name="n" * 101), "spec.egress[0].name: the name of a rule has at most 100 characters"),
    (in_rule(ANP, to=None), "spec.egress[0].to: at least one peer is required"),
    (in_rule(ANP, to=[]), "spec.egress[0].to: an empty list is refused"),
    (in_rule(ANP, **{"from": [EVERYBODY]}), "spec.egress[0].from: unknown field", "names its peers in to"),
    (in_rule(ANP, protocols=[]), "spec.egress[0].protocols: unknown field", "Only a ClusterNetworkPolicy has it"),
    (in_rule(CNP, ports=[]), "spec.egress[0].ports: unknown field", "calls it protocols"),
    (document(ANP, egress=[None]), "spec.egress[0]: an empty item is no rule"),
    # peers
    (in_peer(ANP), "spec.egress[0].to[0]: one of namespaces, pods, networks, nodes, domainNames is required", "AP-15"),
    (in_peer(ANP, "from"), "spec.ingress[0].from[0]: one of namespaces, pods is required", "AP-15"),
    (in_peer(ANP, namespaces={}, nodes={}), "spec.egress[0].to[0]: namespaces and nodes stand in one item"),
    (in_peer(ANP, namespaces={"namespaceSelector": {}}), "namespaceSelector: unknown field", "means every namespace"),
    (in_peer(ANP, namespaces={"sameLabels": ["team"]}), "sameLabels: unknown field", "until v0.1.2"),
    (in_peer(ANP, namespaces={"notSameLabels": ["team"]}), "notSameLabels: unknown field", "until v0.1.2"),
    (in_peer(ANP, "from", networks=["10.0.0.0/8"]), "from[0].networks: unknown field", "Only egress rules take it"),
    (in_peer(CNP, "from", nodes={}), "from[0].nodes: unknown field", "Only egress rules take it"),
    (in_peer(BANP, domainNames=["a.b"]), "domainNames: unknown field", "BaselineAdminNetworkPolicy takes none"),
    (in_peer(ANP, networks=[]), "networks: an empty list is refused"),
    (in_peer(ANP, networks=["10.0.0.0/8"] * 2), "networks[1]: 10.0.0.0/8 stands here twice"),
    (in_peer(ANP, networks=["10.0.0.0"]), "networks[0]:", "add /32"),
    (in_peer(ANP, networks=["010.0.0.0/8"]), "networks[0]: 010.0.0.0/8 has leading zeros, which is refused here"),
    (in_peer(ANP, networks=["::ffff:10.0.0.0/104"]), "is an IPv4 block in IPv6 dress, which is refused here"),
    (in_peer(ANP, networks=["0" * 40 + "::/8"]), "a CIDR has at most 43 characters"),
    (in_peer(ANP, domainNames=["*"]), "domainNames[0]: '*' is not a domain name"),
    (in_peer(ANP, domainNames=["www.*.com"]), "'www.*.com' is not a domain name"),
    (in_peer(ANP, domainNames=["*.a.com", "*.a.com"]), "domainNames[1]: *.a.com stands here twice"),
    (in_rule(CNP, action="Deny", to=[{"domainNames": ["a.com"]}]), "to: domainNames go with Accept only"),
    (in_rule(ANP, action="Pass", to=[EVERYBODY, {"domainNames": ["a.com"]}]), "domainNames go with Allow only"),
    # ports
    (in_rule(ANP, ports=[]), "spec.egress[0].ports: an empty list is refused", "or remove the field"),
    (in_rule(CNP, protocols=[]), "spec.egress[0].protocols: an empty list is refused"),
    (in_ports(ANP), "ports[0]: one of portNumber, portRange, namedPort is required", "AP-15"),
    (in_ports(CNP), "protocols[0]: one of tcp, udp, sctp, destinationNamedPort is required", "AP-15"),
    (in_ports(ANP, portNumber={}), "portNumber.port: a port number is required"),
    (in_ports(ANP, portNumber={"port": 0}), "portNumber.port: 0 is not a port"),
    (in_ports(ANP, portNumber={"port": 80, "protocol": "ICMP"}), "protocol: 'ICMP' is not a protocol"),
    (in_ports(ANP, portNumber={"port": 80, "protocol": "tcp"}), "protocol: 'tcp' is not a protocol", "Write TCP"),
    (in_ports(ANP, portRange={"start": 80}), "portRange.end: a port number is required"),
    (in_ports(ANP, namedPort=""), "namedPort: the port name is empty"),
    (in_ports(ANP, port=80), "ports[0].port: unknown field. Put it below portNumber"),
    (in_ports(ANP, tcp={}), "ports[0].tcp: unknown field", "how a ClusterNetworkPolicy writes it"),
    (in_ports(CNP, tcp={}), "protocols[0].tcp: destinationPort is required", "range: {start: 1, end: 65535}"),
    (in_ports(CNP, tcp={"destinationPort": {}}), "tcp.destinationPort: one of number, range is required"),
    (in_ports(CNP, tcp={"destinationPort": {"number": 65536}}), "number: 65536 is not a port"),
    (in_ports(CNP, tcp={"destinationPort": {"range": {"start": 80, "end": 80}}}), "start 80 must be below end 80"),
    (in_ports(CNP, udp={"destinationPort": {"range": {"start": 81, "end": 80}}}), "Did you swap them?"),
    (in_ports(CNP, namedPort="web"), "protocols[0].namedPort: unknown field. Did you mean destinationNamedPort?"),
    (in_ports(CNP, port=80), "protocols[0].port: unknown field. Write tcp: {destinationPort: {number: 80}}"),
    (in_ports(CNP, portNumber={"port": 80}), "protocols[0].portNumber: unknown field", "AdminNetworkPolicy writes it"),
    (in_ports(CNP, tcp={"number": 80}), "tcp.number: unknown field. Put it below destinationPort"),
]


@pytest.mark.parametrize(("written", "messages"), [(written, messages) for written, *messages in WRONG])
def test_what_is_refused(tmp_path, written, messages):
    found = complaints(tmp_path, written)
    assert any(all(message in complaint for message in messages) for complaint in found), found


@pytest.mark.parametrize(("kind", "most"), [(ANP, 100), (BANP, 100), (CNP, 25)])
def test_lists_have_an_end(tmp_path, kind, most):
    number = {"tcp": {"destinationPort": {"number": 80}}} if kind == CNP else {"portNumber": {"port": 80}}
    field = "protocols" if kind == CNP else "ports"
    for spec in (
        {"ingress": [rule(kind)] * (most + 1)},
        {"ingress": [rule(kind, **{"from": [EVERYBODY] * (most + 1)})]},
        {"ingress": [rule(kind, **{field: [number] * (most + 1)})]},
    ):
        (complaint,) = complaints(tmp_path, document(kind, **spec))
        assert f"{most + 1} items, and at most {most} are taken" in complaint
    fitting = rule(kind, **{"from": [EVERYBODY] * most, field: [number] * most})
    assert len(policy_of(tmp_path, kind, ingress=[fitting] * most).rules) == most


@pytest.mark.parametrize("field", ["networks", "domainNames"])
def test_a_peer_has_at_most_25_blocks_or_names(tmp_path, field):
    items = [f"10.0.{n}.0/24" if field == "networks" else f"a{n}.com" for n in range(26)]
    (complaint,) = complaints(tmp_path, in_peer(ANP, **{field: items}))
    assert "26 items, and at most 25 are taken" in complaint


def test_strict_cidrs(tmp_path):
    written = in_peer(ANP, networks=["10.0.0.1/8"])
    assert (
        "strict CIDR checking refuses it"
        in complaints(tmp_path, written, profile=replace(UPSTREAM, strict_cidr=True))[0]
    )


# Kinds


@pytest.mark.parametrize(
    ("version", "kind", "message"),
    [
        (OLD, "Adminnetworkpolicy", "'Adminnetworkpolicy' is not a kind. Did you mean AdminNetworkPolicy?"),
        (
            "networking.k8s.io/v1",
            ANP,
            f"there is no AdminNetworkPolicy in networking.k8s.io/v1. Write apiVersion: {OLD}",
        ),
        ("networking.k8s.io/v1", CNP, f"Write apiVersion: {NEW}"),
        ("v1", "list", "'list' is not a kind. Did you mean List?"),
        (NEW, "clusternetworkpolicylist", "Did you mean ClusterNetworkPolicyList?"),
        (NEW, "NetworkPolicy", f"there is no NetworkPolicy in {NEW}. Write apiVersion: networking.k8s.io/v1"),
    ],
)
def test_misspelt_kinds(tmp_path, version, kind, message):
    (complaint,) = complaints(tmp_path, {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}})
    assert message in complaint


def test_a_cluster_network_policy_of_another_group_is_none_of_these(tmp_path):
    path, version = tmp_path / "a.json", "security.antrea.tanzu.vmware.com/v1alpha1"
    path.write_text(json.dumps({"apiVersion": version, "kind": CNP, "metadata": {"name": "a"}}))
    assert load_policies([str(path)]) == ()
