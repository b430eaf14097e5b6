"""What proxies look at in Cilium's policies, as rules; conflicts; regular expressions."""

import pytest

from simcore.errors import LoadError
from simcore.model.labels import LabelSelector
from simcore.model.match import Match
from simcore.model.peers import ANYTHING, AllOf, Endpoints, Except, Nodes
from simcore.model.policy import Action, Direction, Role
from simcore.model.ports import TCP, PortRange
from simcore.model.regexes import RegexError, matcher
from simcore.model.requests import DnsMatch, HeaderMatch, HttpMatch, KafkaMatch, OpaqueMatch, Request, SniMatch
from tests.cilium import agent, cnp, document
from tests.manifests import load

WEB, TLS = {"port": "80", "protocol": "TCP"}, {"port": "443", "protocol": "TCP"}
SECRET = {"secret": {"namespace": "shop", "name": "cert"}}


def read(*documents, profile=None):
    return load(document("v1", "Namespace", "shop"), *documents, profile=profile or agent())


def rules_of(policy, **options):
    (lowered,) = read(policy, **options).policies
    return [rule for rule in lowered.rules if rule.role is not Role.ISOLATION]


def rule_of(port, direction="egress", profile=None, **fields):
    item = {"toPorts": [{"ports": [port], **fields}]}
    return rules_of(cnp(**{direction: [item]}), profile=profile)[0]


def http(*requests, **options):
    return rule_of(WEB, rules={"http": list(requests)}, **options)


def dns(*names, **options):
    return rule_of({"port": "53", "protocol": "ANY"}, rules={"dns": list(names)}, **options)


def asks(rule, **request):
    return rule.requests.match(Request(**request))


# HTTP


def test_requests_of_http():
    rule = http({"method": "GET", "path": "/a.*"}, {"host": "x\\.com", "headers": ["X-A: b c", "X-D"]})
    first, second = rule.requests.members
    assert (first.method, first.path, first.host) == ("GET", "/a.*", None)
    assert second == HttpMatch(host=r"x\.com", headers=(HeaderMatch("x-a", "b c"), HeaderMatch("x-d")))
    assert (rule.proxy, rule.action) == ("http", Action.ALLOW)
    assert rule.condition == "l7-http: GET /a.*; host x\\.com header x-a: b c header x-d"


def test_three_requests_are_told_and_the_rest_counted():
    rule = http(*({"method": "GET", "path": f"/{n}"} for n in range(5)))
    assert rule.condition == "l7-http: GET /0; GET /1; GET /2 and 2 more"


@pytest.mark.parametrize("requests", [[{}], [{"method": "GET"}, {}]])
def test_a_rule_for_every_request_redirects_and_looks_at_nothing(requests):
    rule = http(*requests)
    assert (rule.proxy, rule.requests, rule.condition) == ("http", None, "")


@pytest.mark.parametrize("rules", [{}, {"http": []}, {"dns": []}])
def test_no_requests_are_no_proxy(rules):
    assert rule_of(WEB, rules=rules).proxy == ""


@pytest.mark.parametrize(
    ("match", "headers"),
    [
        ({"name": "X-A", "value": "1"}, (HeaderMatch("x-a", "1"),)),
        ({"name": "X-A"}, (HeaderMatch("x-a"),)),
        ({"name": "X-A", "value": "1", "mismatch": "REPLACE"}, ()),
    ],
)
def test_headers_that_must_match(match, headers):
    assert http({"path": "/", "headerMatches": [match]}).requests.members[0].headers == headers


def test_what_cannot_be_judged_is_a_doubt():
    secret = {"name": "X-A", "secret": {"name": "token"}}
    assert "Secret token, which is not read" in http({"path": "/", "headerMatches": [secret]}).doubt
    assert "Envoy" in http({"host": "*"}).doubt


# Default deny off, and the own node


def test_a_direction_that_stays_open_lets_every_request_through():
    item = {"toPorts": [{"ports": [WEB], "rules": {"http": [{"method": "GET"}]}}]}
    policy = cnp(ingress=[item], enableDefaultDeny={"ingress": False})
    (rule,) = rules_of(policy)
    assert (rule.proxy, rule.requests) == ("http", None)
    rule, refusal = rules_of(policy, profile=agent("1.17"))
    assert rule.requests is not None
    assert (refusal.action, refusal.role, refusal.peer, refusal.ports) == (
        Action.DENY,
        Role.TIER_END,
        rule.peer,
        rule.ports,
    )
    assert rule.order < refusal.order


def test_requests_of_the_own_node_are_not_settled():
    _, doubtful = rules_of(cnp(ingress=[{"toPorts": [{"ports": [WEB], "rules": {"http": [{"method": "GET"}]}}]}]))
    assert (doubtful.action, doubtful.peer) == (Action.DENY, Nodes(where="here"))
    assert "the own node enters" in doubtful.doubt
    strict = agent(allow_localhost="policy")
    item = {"toPorts": [{"ports": [WEB], "rules": {"http": [{"method": "GET"}]}}]}
    assert len(rules_of(cnp(ingress=[item]), profile=strict)) == 1
    assert len(rules_of(cnp(ingress=[item]), profile=agent("1.19"))) == 1
    assert len(rules_of(cnp(ingress=[{"fromEndpoints": [{}], **item}]))) == 1


# DNS, TLS, Kafka, listeners


@pytest.mark.parametrize(
    ("pattern", "version", "names", "others"),
    [
        ("*.a.io", "1.20", ["x.a.io"], ["a.io", "x.y.a.io"]),
        ("**.a.io", "1.20", ["x.a.io", "x.y.a.io"], ["a.io"]),
        ("**.a.io", "1.18", ["x.a.io"], ["a.io", "x.y.a.io"]),
        ("A.io.", "1.20", ["a.io"], ["aaio"]),
        ("x***y.io", "1.20", ["xy.io", "x-1_y.io"], ["x.y.io"]),
    ],
)
def test_questions(pattern, version, names, others):
    rule = dns({"matchPattern": pattern}, {"matchName": "never.invalid"}, profile=agent(version))
    assert [asks(rule, dns_query=name) for name in names] == [Match.YES] * len(names)
    assert [asks(rule, dns_query=name) for name in others] == [Match.NO] * len(others)


@pytest.mark.parametrize("pattern", ["*", "**", "*."])
def test_every_question(pattern):
    rule = dns({"matchName": "a.io"}, {"matchPattern": pattern})
    assert (rule.proxy, rule.requests) == ("dns", None)


def test_names_of_questions_are_told():
    rule = dns({"matchName": "a.io"})
    assert rule.requests.members == (DnsMatch(r"a\.io", "a.io"),)
    assert (rule.proxy, rule.condition) == ("dns", "l7-dns: a.io")


def test_server_names():
    rule = rule_of(TLS, serverNames=["a.io", "*.b.io"])
    assert rule.requests.members == (SniMatch(r"a\.io", "a.io"), SniMatch(r"[-a-z0-9_]*\.b\.io", "*.b.io"))
    assert (rule.proxy, rule.condition) == ("tls", "l7-tls: server a.io; server *.b.io")
    plain = rule_of(TLS, serverNames=["*.b.io"], profile=agent("1.18"))
    assert asks(plain, tls_sni="x.b.io") is Match.NO


def test_tls_contexts_alone_redirect():
    rule = rule_of(TLS, terminatingTLS=SECRET, originatingTLS=SECRET)
    assert (rule.proxy, rule.requests) == ("tls", None)


def test_kafka():
    rule = rule_of(
        WEB,
        rules={"kafka": [{"role": "produce", "topic": "t"}, {"apiKey": "Fetch", "clientID": "c"}]},
        profile=agent("1.19"),
    )
    first, second = rule.requests.members
    assert first == KafkaMatch(frozenset({"produce", "metadata", "apiversions"}), "t")
    assert second == KafkaMatch(frozenset({"fetch"}), unseen=True)
    assert (rule.proxy, rule.condition) == ("kafka", "l7-kafka: produce t; Fetch client c")


def test_a_named_parser():
    rule = rule_of(WEB, rules={"l7proto": "r2d2", "l7": [{"cmd": "READ"}]}, profile=agent("1.19"))
    assert rule.requests.members == (OpaqueMatch("cmd=READ"),)
    assert (rule.proxy, rule.condition) == ("listener", "l7-r2d2: cmd=READ")


def test_a_listener():
    rule = rule_of(TLS, listener={"envoyConfig": {"kind": "CiliumEnvoyConfig", "name": "cec"}, "name": "l"})
    assert rule.requests.members == (OpaqueMatch("cec/l"),)
    assert (rule.proxy, rule.condition) == ("listener", "l7-listener: listener cec/l decides")


# Rules that meet


def conflicting(*items):
    return [{"toPorts": [{"ports": [TLS], **item}]} for item in items]


def listener(name, priority=5):
    return {"listener": {"envoyConfig": {"name": "c"}, "name": name, "priority": priority}}


HTTP, QUESTIONS = {"rules": {"http": [{"method": "GET"}]}}, {"rules": {"dns": [{"matchName": "a.io"}]}}


@pytest.mark.parametrize(
    ("items", "why"),
    [
        (conflicting(HTTP, QUESTIONS), "conflicting L7 parsers (dns/http)"),
        (conflicting(listener("a"), listener("b")), "listeners of equal priority"),
        (conflicting({"terminatingTLS": SECRET}, {"terminatingTLS": {"secret": {"name": "other"}}}), "TLS contexts"),
        (
            [{**conflicting({})[0], "authentication": {"mode": mode}} for mode in ("required", "disabled")],
            "authentication is disabled and required",
        ),
    ],
)
def test_conflicts_within_a_policy_are_refused(items, why):
    with pytest.raises(LoadError, match=r"policy conflict with egress\[0\]") as caught:
        read(cnp(egress=items))
    (diagnostic,) = caught.value.diagnostics
    assert why in diagnostic.message
    assert diagnostic.place.field == "spec.egress[1]"


@pytest.mark.parametrize(
    "items",
    [
        conflicting(HTTP, {}),
        conflicting(HTTP, HTTP),
        conflicting({"terminatingTLS": SECRET}, HTTP),
        conflicting(listener("a"), listener("b", 6)),
        [conflicting(HTTP)[0], {"toEntities": ["world"], **conflicting(QUESTIONS)[0]}],
    ],
)
def test_what_goes_together(items):
    read(cnp(egress=items))


def test_policies_that_conflict_leave_their_endpoints_unknown():
    web = {"endpointSelector": {"matchLabels": {"app": "web"}}}
    first, second = cnp("a", **web, egress=conflicting(HTTP)), cnp("b", egress=conflicting(QUESTIONS))
    pod = document("v1", "Pod", "web", "shop", {"app": "web"}, spec={}, status={})
    assert read(first, second).diagnostics == ()
    snapshot = read(first, second, pod)
    (warning,) = snapshot.diagnostics
    assert "policy conflict with CiliumNetworkPolicy shop/a" in warning.message
    doubtful = [rule for policy in snapshot.policies for rule in policy.rules if rule.doubt]
    assert {rule.direction for rule in doubtful} == set(Direction)
    shop = LabelSelector.namespace("shop")
    subject = AllOf((Endpoints(shop, LabelSelector.equal({"app": "web"})), Endpoints(shop)))
    assert [(rule.subject, rule.peer) for rule in doubtful] == [(subject, ANYTHING)] * 2


def test_server_names_hold_for_every_rule_of_the_peer_and_port():
    both = [TLS, WEB]
    plain = {"toEntities": ["world", "host"], "toPorts": [{"ports": both}]}
    named = {"toEntities": ["world"], "toPorts": [{"ports": [TLS], "serverNames": ["a.io"]}]}
    snapshot = read(cnp(egress=[plain, named]))
    assert "serverNames of another rule" in snapshot.diagnostics[0].message
    rows = [rule for rule in snapshot.policies[0].rules if rule.role is Role.WRITTEN and not rule.proxy]
    assert [row.ports.members for row in rows] == [
        (PortRange(TCP, 443, 443), PortRange(TCP, 80, 80)),
        (PortRange(TCP, 80, 80),),
    ]
    other = cnp("q", endpointSelector={"matchLabels": {"app": "web"}}, egress=[named])
    pod = document("v1", "Pod", "web", "shop", {"app": "web"}, spec={}, status={})
    (lowered, _) = read(cnp(egress=[plain]), other, pod).policies
    assert any(
        isinstance(rule.subject, AllOf) and isinstance(rule.subject.members[1], Except) for rule in lowered.rules
    )


# Regular expressions


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("GET|POST", "POST"),
        ("/a$", "/a"),
        (r"\Aa\z", "a"),
        (r"\Qa.b\E", "a.b"),
        ("[[:alpha:]_]+", "a_b"),
        (r"\x{41}\x42\103", "ABC"),
        ("(?i)abc", "ABC"),
        ("(?i:A)b", "ab"),
        ("a{,2}", "a{,2}"),
        ("[]a]+", "]a"),
        (r"\/\_\-", "/_-"),
        ("(?P<n>a)(?<m>b)", "ab"),
        (r"[\s\d]+", " 1"),
        (r"\pL", "\u00e9"),
        (r"\p{Greek}x", "\u03b1x"),
        ("a(?i)b", "aB"),
        ("(?U)a+", "aa"),
        ("[[:^alpha:]]", "1"),
        (r"[\S]", "a"),
        ("^*a", "a"),
        ("(?m:^a)", "a"),
    ],
)
def test_expressions(text, value):
    assert matcher(text)(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [(r"\d", "\u0664"), ("/a$", "/a\n"), (r"\s", "\v"), (r"\Qa.b\E", "axb"), ("/public", "/public/x")],
)
def test_expressions_that_do_not_match(text, value):
    assert not matcher(text)(value)


NOT_GO = [
    "*",
    "a|*",
    "(*)",
    "a**",
    "a++",
    "a{2}{3}",
    "a{1001}",
    "a{3,2}",
    "(a{10}b{2}){101}",
    "((a{100}|b){5,}){3}",
    "(",
    "[a",
    "(?=a)",
    "(?<=a)",
    "\\1",
    "\\y",
    "a\\",
    "[[:words:]]",
    "\\x{110000}",
    "[b-a]",
]


@pytest.mark.parametrize("text", NOT_GO)
def test_what_go_does_not_compile(text):
    with pytest.raises(RegexError):
        matcher(text)
