import json
from dataclasses import replace
from textwrap import dedent

import pytest

from loaders import load_manifests, load_policies
from simcore.errors import LoadError, Place
from simcore.model.addresses import Cidr
from simcore.model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, AnyOf, Endpoints, Network
from simcore.model.policy import NETWORKPOLICY, Action, Direction, PolicyRef, Role
from simcore.model.ports import EVERY_PORT, SCTP, TCP, UDP, NamedPort, PortRange, PortSet
from simcore.model.profile import UPSTREAM

HEAD = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: web, namespace: shop}\n"
OWN = LabelSelector.namespace("shop")
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS


def load(tmp_path, text, name="web.yaml", **options):
    path = tmp_path / name
    path.write_text(text)
    return load_policies([str(path)], **options)


def policy_of(tmp_path, spec, **options):
    (policy,) = load(tmp_path, HEAD + f"spec: {spec}\n", **options)
    return policy


def first_rule(tmp_path, rule, **options):
    spec = json.dumps({"ingress": [rule]}) if not isinstance(rule, str) else f"{{ingress: [{rule}]}}"
    return policy_of(tmp_path, spec, **options).rules[0]


def complaints(tmp_path, text, name="web.yaml", **options):
    with pytest.raises(LoadError) as caught:
        load(tmp_path, text, name, **options)
    return [str(diagnostic).removeprefix(f"{tmp_path}/") for diagnostic in caught.value.diagnostics]


def test_a_policy_becomes_rules_and_a_row_that_isolates(tmp_path):
    text = dedent("""\
        # the shop
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: web
          namespace: shop
        spec:
          podSelector:
            matchLabels: {app: web}
          ingress:
          - from:
            - podSelector: {}
          - ports:
            - port: 80
        """)
    (policy,) = load(tmp_path, text)
    file = str(tmp_path / "web.yaml")
    ref = PolicyRef("NetworkPolicy", "shop", "web")
    assert (policy.ref, policy.place) == (ref, Place(file, 1, 2, ""))
    first, second, isolation = policy.rules
    assert [(rule.policy, rule.tier, rule.direction) for rule in policy.rules] == [(ref, NETWORKPOLICY, INGRESS)] * 3
    assert {rule.subject for rule in policy.rules} == {Endpoints(OWN, LabelSelector.equal({"app": "web"}))}
    assert (first.index, first.order, first.action, first.role) == (
        0,
        (0, 1000.0, "web/shop/NetworkPolicy", 0),
        Action.ALLOW,
        Role.WRITTEN,
    )
    assert (first.peer, first.ports) == (Endpoints(OWN), EVERY_PORT)
    assert first.place == Place(file, 1, 11, "spec.ingress[0]")
    assert (second.index, second.order) == (1, (0, 1000.0, "web/shop/NetworkPolicy", 1))
    assert (second.peer, second.ports) == (ANYTHING, PortSet((PortRange(TCP, 80, 80),)))
    assert second.place == Place(file, 1, 13, "spec.ingress[1]")
    assert (isolation.index, isolation.order, isolation.action) == (
        -1,
        (1, 1000.0, "web/shop/NetworkPolicy"),
        Action.DENY,
    )
    assert (isolation.role, isolation.peer, isolation.ports) == (Role.ISOLATION, ANYTHING, EVERY_PORT)
    assert isolation.place == Place(file, 1, 2, "")
    assert all(rule.certain for rule in policy.rules)


def test_rules_of_json_lists_know_their_line(tmp_path):
    item = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "a"}}
    item["spec"] = {"egress": [{"to": [{"ipBlock": {"cidr": "1.2.3.4/32"}}]}, {}], "policyTypes": ["Egress"]}
    other = {**item, "metadata": {"name": "b"}}
    text = json.dumps(
        {"kind": "NetworkPolicyList", "apiVersion": "networking.k8s.io/v1", "items": [item, other]}, indent=1
    )
    policies = load(tmp_path, text, "dump.json")
    lines = text.splitlines()
    second = policies[1].rules[1].place
    assert (second.document, second.field, lines[second.line - 1].strip()) == (2, "spec.egress[1]", "{}")
    assert policies[1].rules[2].place.field == "spec.policyTypes"
    assert lines[policies[1].place.line - 1] == "  {"


@pytest.mark.parametrize(
    ("spec", "types"),
    [  # section 3, NP-6 to NP-9
        ("{}", [INGRESS]),
        ("null", [INGRESS]),
        ("{policyTypes: null, egress: null}", [INGRESS]),
        ("{policyTypes: [], egress: []}", [INGRESS]),
        ("{egress: []}", [INGRESS]),
        ("{egress: [{}]}", [INGRESS, EGRESS]),
        ("{ingress: [{}], egress: [{}], policyTypes: []}", [INGRESS, EGRESS]),
        ("{policyTypes: [Ingress], egress: [{}]}", [INGRESS]),
        ("{policyTypes: [Egress]}", [EGRESS]),
        ("{policyTypes: [Egress], ingress: [{}]}", [EGRESS]),
        ("{policyTypes: [Egress, Ingress]}", [INGRESS, EGRESS]),
        ("{policyTypes: [Ingress, Ingress]}", [INGRESS]),
    ],
)
def test_policy_types_are_defaulted_as_the_api_server_does(tmp_path, spec, types):
    rules = policy_of(tmp_path, spec).rules
    assert [rule.direction for rule in rules if rule.role is Role.ISOLATION] == types
    assert {rule.direction for rule in rules} == set(types)


def test_rules_without_effect_are_warned_of(tmp_path):
    warnings = []
    policy_of(tmp_path, "{policyTypes: [Ingress], egress: [{}]}", diagnostics=warnings)
    assert "spec.egress: these rules have no effect, because policyTypes does not list Egress" in str(warnings[0])


@pytest.mark.parametrize(
    "selector", ["null", "{}", "{matchLabels: {}}", "{matchExpressions: []}", "{matchLabels: null}"]
)
def test_an_empty_pod_selector_means_every_pod_of_the_namespace(tmp_path, selector):
    rule = policy_of(tmp_path, f"{{podSelector: {selector}}}").rules[0]
    assert rule.subject == Endpoints(OWN, EVERYTHING)


@pytest.mark.parametrize("ingress", ["null", "[]"])
def test_no_rules_deny_everything(tmp_path, ingress):
    assert [rule.role for rule in policy_of(tmp_path, f"{{ingress: {ingress}}}").rules] == [Role.ISOLATION]


@pytest.mark.parametrize("rule", ["{}", "{from: [], ports: []}", "{from: null}", "{ports: null}"])
def test_an_empty_rule_allows_everything(tmp_path, rule):
    found = first_rule(tmp_path, rule)
    assert (found.peer, found.ports) == (ANYTHING, EVERY_PORT)


S, N = LabelSelector.equal({"app": "a"}), LabelSelector.equal({"team": "t"})
POD, NAMESPACE = "podSelector: {matchLabels: {app: a}}", "namespaceSelector: {matchLabels: {team: t}}"


@pytest.mark.parametrize(
    ("peers", "expected"),
    [  # section 4
        ("[{podSelector: {}}]", Endpoints(OWN)),
        (f"[{{{POD}}}]", Endpoints(OWN, S)),
        (f"[{{{POD}, namespaceSelector: null}}]", Endpoints(OWN, S)),
        ("[{namespaceSelector: {}}]", Endpoints()),
        (f"[{{{NAMESPACE}}}]", Endpoints(N)),
        (f"[{{{NAMESPACE}, podSelector: {{}}}}]", Endpoints(N)),
        (f"[{{{NAMESPACE}, {POD}}}]", Endpoints(N, S)),
        (f"[{{{NAMESPACE}}}, {{{POD}}}]", AnyOf((Endpoints(N), Endpoints(OWN, S)))),
        (f"[{{{POD}}}, {{{POD}}}]", Endpoints(OWN, S)),
        (f"[{{namespaceSelector: {{}}, {POD}}}]", Endpoints(EVERYTHING, S)),
        ("[{ipBlock: {cidr: 10.0.0.0/8}}]", Network(Cidr.parse("10.0.0.0/8"))),
        (
            "[{ipBlock: {cidr: 'fd00::/8', except: ['fd00::/16']}}]",
            Network(Cidr.parse("fd00::/8"), (Cidr.parse("fd00::/16"),)),
        ),
    ],
)
def test_peers(tmp_path, peers, expected):
    assert first_rule(tmp_path, f"{{from: {peers}}}").peer == expected
    egress = policy_of(tmp_path, f"{{egress: [{{to: {peers}}}]}}").rules[0]
    assert (egress.direction, egress.peer) == (EGRESS, expected)


@pytest.mark.parametrize(
    ("ports", "expected"),
    [  # section 4, NP-17, NP-18
        ("[{}]", [PortRange(TCP)]),
        ("[{port: null}]", [PortRange(TCP)]),
        ("[{protocol: UDP}]", [PortRange(UDP)]),
        ("[{port: 80}]", [PortRange(TCP, 80, 80)]),
        ("[{port: 80, endPort: 90}]", [PortRange(TCP, 80, 90)]),
        ("[{port: 80, endPort: 80}]", [PortRange(TCP, 80, 80)]),
        ("[{port: 80, endPort: null, protocol: null}]", [PortRange(TCP, 80, 80)]),
        ("[{port: http}]", [NamedPort(TCP, "http")]),
        ("[{port: dns, protocol: UDP}]", [NamedPort(UDP, "dns")]),
        ("[{port: 1, protocol: SCTP}, {port: 65535}]", [PortRange(SCTP, 1, 1), PortRange(TCP, 65535, 65535)]),
        ("[{port: 0x50}]", [PortRange(TCP, 80, 80)]),
    ],
)
def test_ports(tmp_path, ports, expected):
    assert first_rule(tmp_path, f"{{ports: {ports}}}").ports == PortSet(tuple(expected))


def test_selectors(tmp_path):
    expressions = (
        "[{key: a, operator: In, values: [x, z]}, {key: b, operator: NotIn, values: ['']},"
        " {key: c.io/d, operator: Exists}, {key: e, operator: DoesNotExist, values: []}]"
    )
    rule = policy_of(tmp_path, f"{{podSelector: {{matchLabels: {{f: ''}}, matchExpressions: {expressions}}}}}").rules[0]
    assert rule.subject.pods == LabelSelector.of(
        Requirement("a", Operator.IN, frozenset("xz")),
        Requirement("b", Operator.NOT_IN, frozenset([""])),
        Requirement("c.io/d", Operator.EXISTS),
        Requirement("e", Operator.DOES_NOT_EXIST),
        Requirement("f", Operator.IN, frozenset([""])),
    )


def test_a_label_without_value_is_empty_with_a_warning(tmp_path):
    warnings = []
    policy = policy_of(tmp_path, "{podSelector: {matchLabels: {a: }}}", diagnostics=warnings)
    assert policy.rules[0].subject.pods == LabelSelector.equal({"a": ""})
    assert "read as the empty text" in str(warnings[0])


@pytest.mark.parametrize(
    ("cidr", "meant", "habit"),
    [  # NP-15
        ("10.1.2.3/8", "10.0.0.0/8", "bits set beyond"),
        ("fd00::1/64", "fd00::/64", "bits set beyond"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8", "in IPv6 dress"),
        ("010.0.0.0/8", "10.0.0.0/8", "leading zeros"),
        ("10.0.0.0/08", "10.0.0.0/8", "leading zeros"),
    ],
)
def test_loose_cidrs_are_warned_of_or_refused(tmp_path, cidr, meant, habit):
    rule = f"{{from: [{{ipBlock: {{cidr: '{cidr}'}}}}]}}"
    warnings = []
    assert first_rule(tmp_path, rule, diagnostics=warnings).peer == Network(Cidr.parse(meant))
    assert habit in warnings[0].message
    assert f"Write {meant}" in warnings[0].message
    (complaint,) = complaints(
        tmp_path, HEAD + f"spec: {{ingress: [{rule}]}}\n", profile=replace(UPSTREAM, strict_cidr=True)
    )
    assert "strict CIDR checking refuses it" in complaint


def test_plain_cidrs_raise_no_warning(tmp_path):
    warnings = []
    for cidr in ("10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/64", "1.2.3.4/32"):
        first_rule(tmp_path, {"from": [{"ipBlock": {"cidr": cidr}}]}, diagnostics=warnings)
    assert warnings == []


def peer(item):
    return f"spec: {{ingress: [{{from: [{item}]}}]}}"


def port(item):
    return f"spec: {{ingress: [{{ports: [{item}]}}]}}"


def selector(text):
    return f"spec: {{podSelector: {text}}}"


LONG = "a" * 64
BAD = [
    # section 14, row by row: the text below the head, the field, and what the message says
    (selector("{matchLabels: {'a b': x}}"), "spec.podSelector.matchLabels[a b]", "is not a label key"),
    (selector(f"{{matchLabels: {{{LONG}: x}}}}"), LONG, "1 to 63 characters"),
    (selector("{matchLabels: {'A_b/c': x}}"), "[A_b/c]", "must be a DNS name in lower case"),
    (selector("{matchLabels: {'a/': x}}"), "[a/]", "1 to 63 characters"),
    (selector(f"{{matchLabels: {{a: {LONG}}}}}"), "matchLabels.a", "longer than 63"),
    (selector("{matchLabels: {a: -x}}"), "matchLabels.a", "is not a label value"),
    (selector("{matchLabels: {a: 1}}"), "matchLabels.a", "expected text, got the number 1. Write it in quotes"),
    (selector("{matchLabels: {a: y}}"), "matchLabels.a", "YAML reads yes, no, on, off, y and n as booleans"),
    (selector("{matchLabels: [a]}"), "podSelector.matchLabels", "expected a mapping, got a list"),
    (selector("{matchExpressions: {key: a}}"), "matchExpressions", "expected a list, got a mapping. Put a dash"),
    (selector("{matchExpressions: [{operator: Exists}]}"), "[0].key", "a label key is required"),
    (selector("{matchExpressions: [{key: a}]}"), "[0].operator", "an operator is required. Use one of In, NotIn"),
    (selector("{matchExpressions: [{key: a, operator: Gt}]}"), "operator", "'Gt' is not a selector operator"),
    (selector("{matchExpressions: [{key: a, operator: exists}]}"), "operator", "Did you mean Exists?"),
    (selector("{matchExpressions: [{key: a, operator: In}]}"), "[0].values", "In needs at least one value"),
    (selector("{matchExpressions: [{key: a, operator: NotIn, values: []}]}"), "[0].values", "NotIn needs at least"),
    (selector("{matchExpressions: [{key: a, operator: Exists, values: [x]}]}"), "[0].values", "Exists takes no values"),
    (selector("{matchExpressions: [{key: a, operator: In, values: [-x]}]}"), "values[0]", "is not a label value"),
    (selector("{matchExpressions: [{key: a, operator: In, values: x}]}"), "values", "expected a list"),
    (selector("{matchLabel: {a: b}}"), "podSelector.matchLabel", "Did you mean matchLabels?"),
    (selector("{app: web}"), "podSelector.app", "Put labels below matchLabels"),
    (selector("web"), "spec.podSelector", 'expected a mapping, got the text "web"'),
    ("spec: {policyTypes: [Ingress, Egress, Ingress]}", "spec.policyTypes", "at most two types"),
    ("spec: {policyTypes: [ingress]}", "spec.policyTypes[0]", "Write Ingress or Egress, with a capital"),
    ("spec: {policyTypes: [null]}", "spec.policyTypes[0]", "nothing is not a policy type"),
    ("spec: {policyTypes: Ingress}", "spec.policyTypes", "expected a list"),
    (peer("{}"), "spec.ingress[0].from[0]", "a peer is required"),
    (peer("{podSelector: null}"), "spec.ingress[0].from[0]", "a peer is required"),
    (peer("null"), "spec.ingress[0].from[0]", "a peer is required"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}"), "from[0].ipBlock", "may not stand beside a selector"),
    (peer("{ipBlock: {}}"), "from[0].ipBlock.cidr", "a CIDR is required"),
    (peer("{ipBlock: {cidr: ''}}"), "ipBlock.cidr", "a CIDR is required"),
    (peer("{ipBlock: {cidr: 10.0.0.1}}"), "ipBlock.cidr", "For a single address add /32"),
    (peer("{ipBlock: {cidr: 'fd00::1'}}"), "ipBlock.cidr", "For a single address add /128"),
    (peer("{ipBlock: {cidr: 10.0.0.0/33}}"), "ipBlock.cidr", "at most 32"),
    (peer("{ipBlock: {cidr: 10.0.0/8}}"), "ipBlock.cidr", "is not a CIDR"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: [x]}}"), "except[0]", "is not a CIDR"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: ['']}}"), "except[0]", "a CIDR is required"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/16]}}"), "except[0]", "is not inside cidr 10.0.0.0/8"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/8]}}"), "except[0]", "leaves nothing of cidr"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: [0.0.0.0/0]}}"), "except[0]", "is not inside cidr"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, except: ['fd00::/16']}}"), "except[0]", "is IPv6, cidr 10.0.0.0/8 is IPv4"),
    (peer("{ipBlock: {cidr: 10.0.0.0/8, excepts: []}}"), "ipBlock.excepts", "Did you mean except?"),
    (peer("{cidr: 10.0.0.0/8}"), "from[0].cidr", "Put it below ipBlock"),
    (peer("{podselector: {}}"), "from[0].podselector", "Did you mean podSelector?"),
    (port("{protocol: tcp}"), "ports[0].protocol", "Write TCP"),
    (port("{protocol: ICMP}"), "ports[0].protocol", "Use one of TCP, UDP, SCTP"),
    (port("{protocol: ''}"), "ports[0].protocol", "is not a protocol"),
    (port("{protocol: 6}"), "ports[0].protocol", "expected text"),
    (port("{port: 0}"), "ports[0].port", "ports go from 1 to 65535"),
    (port("{port: 65536}"), "ports[0].port", "ports go from 1 to 65535"),
    (port("{port: -1}"), "ports[0].port", "ports go from 1 to 65535"),
    (port("{port: 80.5}"), "ports[0].port", "expected a whole number"),
    (port("{port: yes}"), "ports[0].port", "expected a whole number, got the boolean true"),
    (port("{port: ''}"), "ports[0].port", "the port name is empty"),
    (port("{port: '80'}"), "ports[0].port", "Write 80 without quotes"),
    (port("{port: a-port-name-long}"), "ports[0].port", "longer than 15"),
    (port("{port: Http}"), "ports[0].port", "lower-case letters"),
    (port("{port: 1-2}"), "ports[0].port", "needs a letter"),
    (port("{port: a--b}"), "ports[0].port", "no '--'"),
    (port("{port: -a}"), "ports[0].port", "at the ends"),
    (port("{endPort: 90}"), "ports[0].endPort", "there is no port to begin it"),
    (port("{port: http, endPort: 90}"), "ports[0].endPort", "a range needs numbers"),
    (port("{port: 8080, endPort: 80}"), "ports[0].endPort", "80 is below port 8080. Did you swap them?"),
    (port("{port: 80, endPort: 70000}"), "ports[0].endPort", "ports go from 1 to 65535"),
    (port("{port: 80, endPort: '90'}"), "ports[0].endPort", "expected a whole number"),
    (port("{port: 80, endport: 90}"), "ports[0].endport", "Did you mean endPort?"),
    (port("null"), "ports[0]", "an empty item would stand for every TCP port"),
    ("spec: {ingress: [null]}", "spec.ingress[0]", "an empty item would allow everything"),
    ("spec: {ingress: [{to: []}]}", "spec.ingress[0].to", "An ingress rule names its peers in from"),
    ("spec: {egress: [{from: []}]}", "spec.egress[0].from", "An egress rule names its peers in to"),
    ("spec: {ingress: [{form: []}]}", "spec.ingress[0].form", "Did you mean from?"),
    ("spec: {ingress: [{port: 80}]}", "spec.ingress[0].port", "Put it into an item of ports"),
    ("spec: {ingress: {from: []}}", "spec.ingress", "expected a list, got a mapping. Put a dash"),
    ("spec: {ingres: []}", "spec.ingres", "Did you mean ingress?"),
    ("spec: {policytypes: []}", "spec.policytypes", "Did you mean policyTypes?"),
    ("spec: {from: []}", "spec.from", "It belongs into an item of ingress"),
    ("spec: [1]", "spec", "expected a mapping, got a list"),
    ("ingress: []", "ingress", "Put it below spec"),
    ("specs: {}", "specs", "Did you mean spec?"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "field", "message"), BAD, ids=[text for text, _, _ in BAD])
def test_what_the_api_server_refuses_is_refused(tmp_path, text, field, message):
    (complaint,) = complaints(tmp_path, f"{HEAD}{text}\n")
    place, _, said = complaint.partition(": ")
    assert place.startswith("web.yaml:4, ")
    assert place.endswith(field)
    assert message in said


@pytest.mark.parametrize(
    ("metadata", "field", "message"),
    [
        ("{}", "metadata.name", "a name is required"),
        ("{name: ''}", "metadata.name", "a name is required"),
        ("{generateName: a-}", "metadata.name", "generateName is filled in by the API server only"),
        ("{name: 5}", "metadata.name", "expected text"),
        ("{name: a, namespace: A}", "metadata.namespace", "is not a namespace name"),
        (f"{{name: a, namespace: {LONG}}}", "metadata.namespace", "longer than 63"),
        ("{name: a, labels: {b: 1}}", "metadata.labels.b", "expected text"),
        ("{name: a, labels: {b: 'c d'}}", "metadata.labels.b", "is not a label value"),
        ("{name: a, annotations: {b: 1}}", "metadata.annotations.b", "expected text"),
        ("{name: a, namespcae: b}", "metadata.namespcae", "Did you mean namespace?"),
    ],
)
def test_metadata_is_checked(tmp_path, metadata, field, message):
    text = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\n"
    (complaint,) = complaints(tmp_path, text)
    assert complaint.startswith(("web.yaml:3, ", "web.yaml:1, "))
    assert field in complaint
    assert message in complaint


def test_a_name_that_the_api_server_refuses_is_only_warned_of(tmp_path):
    warnings = []
    (policy,) = load(tmp_path, HEAD.replace("web", "my_web"), diagnostics=warnings)
    assert policy.ref.name == "my_web"
    assert "The API server refuses this name" in str(warnings[0])


def test_no_namespace_is_the_default_one(tmp_path):
    (policy,) = load(tmp_path, HEAD.replace(", namespace: shop", ""))
    assert policy.ref.namespace == "default"


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (
            "apiVersion: extensions/v1beta1\nkind: NetworkPolicy",
            "extensions/v1beta1 is no longer served. Write apiVersion: networking.k8s.io/v1, the only version",
        ),
        (
            "apiVersion: networking.k8s.io/v2\nkind: NetworkPolicy",
            "there is no NetworkPolicy in networking.k8s.io/v2. Write apiVersion: networking.k8s.io/v1, the only",
        ),
        (
            "apiVersion: v1\nkind: NetworkPolicy",
            "there is no NetworkPolicy in v1. Write apiVersion: networking.k8s.io/v1",
        ),
        ("apiVersion: networking.k8s.io/v1\nkind: networkpolicy", "Did you mean NetworkPolicy?"),
        ("apiVersion: v1\nkind: pod", "Did you mean Pod?"),
    ],
)
def test_versions_and_kinds_that_do_not_exist_are_refused(tmp_path, head, message):
    (complaint,) = complaints(tmp_path, f"{head}\nmetadata: {{name: a}}\n")
    assert message in complaint


def test_both_halves_of_a_peer_that_is_too_much_are_checked(tmp_path):
    peer = "{ipBlock: {cidr: x}, podSelector: {matchLabel: {}}, namespaceSelector: {matchLabels: {a: 1}}}"
    found = complaints(tmp_path, f"{HEAD}spec: {{ingress: [{{from: [{peer}]}}]}}\n")
    fields = ["ipBlock", "podSelector.matchLabel", "namespaceSelector.matchLabels.a", "ipBlock.cidr"]
    assert [each.partition("from[0].")[2].partition(": ")[0] for each in found] == fields


def test_every_problem_of_the_whole_input_is_reported_in_order(tmp_path):
    text = HEAD + "spec:\n  ingress:\n  - ports:\n    - port: 8080\n      endPort: 80\n  - to: []\n"
    second = HEAD.replace("web", "b") + "spec: {podSelector: 1}\n"
    found = complaints(tmp_path, f"{text}---\nx: [\n---\n{second}")
    assert found[0] == "web.yaml:8, spec.ingress[0].ports[0].endPort: 80 is below port 8080. Did you swap them?"
    assert found[1].startswith("web.yaml:9, spec.ingress[1].to: unknown field.")
    assert found[2].startswith("web.yaml:12, document 2: not valid YAML")
    assert found[3].startswith("web.yaml:16, document 3, spec.podSelector: expected a mapping")
    assert len(found) == 4


def test_keys_that_json_holds_twice_are_refused(tmp_path):
    head = '{"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",\n "metadata": {"name": "a"},'
    text = head + '\n "spec": {"ingress": [],\n  "ingress": [{}]}}'
    assert complaints(tmp_path, text, "a.json") == ["a.json:4, spec.ingress: this key stands here twice. Keep one"]


def test_fields_of_live_objects_are_passed_over(tmp_path):
    text = """\
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata:
          name: web
          uid: 1-2
          resourceVersion: "5"
          generation: 1
          creationTimestamp: 2026-01-01T00:00:00Z
          ownerReferences: []
          finalizers: []
          managedFields: [{manager: kubectl}]
          annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
        spec: {}
        status: {}
        """
    assert len(load(tmp_path, dedent(text))) == 1


def test_a_policy_given_twice_must_be_the_same(tmp_path):
    spec = HEAD + "spec: {ingress: [{}]}\n"
    warnings = []
    assert len(load(tmp_path, f"{spec}---\n{spec}", diagnostics=warnings)) == 1
    assert "already given, alike, at" in str(warnings[0])
    (complaint,) = complaints(tmp_path, f"{spec}---\n{HEAD}spec: {{}}\n")
    assert complaint.startswith("web.yaml:6, document 2: NetworkPolicy shop/web is given twice and differs")
    assert complaint.endswith("web.yaml:1. Keep one of them")


def test_policies_are_sorted_by_name(tmp_path):
    names = [("b", "b"), ("a", "z"), ("b", "a")]
    text = "---\n".join(HEAD.replace("web", name).replace("shop", namespace) for namespace, name in names)
    assert [(p.ref.namespace, p.ref.name) for p in load(tmp_path, text)] == sorted(names)


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("cilium.io/v2", "CiliumLocalNetworkPolicy"),
        ("security.antrea.tanzu.vmware.com/v1alpha1", "ClusterNetworkPolicy"),
        ("policy.networking.x-k8s.io/v1alpha1", "AdminNetworkPolicy"),
        ("policy.networking.k8s.io/v1alpha3", "ClusterNetworkPolicies"),
        ("policy.networking.k8s.io/v1alpha3", "TrafficPolicy"),
        ("networking.gke.io/v1alpha1", "FQDNNetworkPolicy"),
    ],
)
def test_policies_that_are_not_modelled_are_warned_of(tmp_path, api_version, kind):
    path = tmp_path / "a.yaml"
    path.write_text(f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n---\n" * 3)
    snapshot = load_manifests([str(path)])
    assert dict(snapshot.ignored) == {}
    (warning,) = snapshot.diagnostics
    assert f"{kind} ({api_version}) is not modelled: verdicts do not take 3 policies of this kind" in warning.message
