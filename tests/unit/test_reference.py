from dataclasses import replace

import pytest

from simcore.analyses.judging import judge_flows
from simcore.errors import Place
from simcore.model.addresses import Address, Cidr
from simcore.model.cluster import Cluster, ContainerPort, Namespace, Node, Pod, Service, ServicePort
from simcore.model.flows import End, Flow, Judgement, Outcome, Reason, Verdict
from simcore.model.labels import NAMESPACE_NAME_LABEL, LabelSelector
from simcore.model.match import Match
from simcore.model.peers import ANYTHING, AnyOf, Endpoints, Network
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT, ICMP, SCTP, TCP, UDP, NamedPort, PortRange, PortSet
from simcore.model.profile import UPSTREAM
from simcore.model.requests import HttpMatch, Request, RequestSet
from simcore.model.trace import SETTING_NUMBERS
from simcore.reference import Reference

ALLOW, DENY, UNKNOWN = Verdict.ALLOW, Verdict.DENY, Verdict.UNKNOWN
EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
HTTP = PortSet((PortRange(TCP, 80, 80),))
WEB_NAME = PortSet((NamedPort(TCP, "http"),))
PLACE = Place("policies.yaml")


def pod(name, *addresses, **fields):
    labels = fields.pop("labels", {"app": name})
    return Pod("shop", name, labels, tuple(map(Address.parse, addresses)), **fields)


WEB = pod("web", "10.0.0.1", "fd00::1", node="w1", ports=(ContainerPort("http", TCP, 8080),))
DB = pod("db", "10.0.0.2", node="w2")
NODES = (Node("w1", (Address.parse("10.9.0.1"),)), Node("w2", (Address.parse("10.9.0.2"),)))


def cluster(*pods, services=(), nodes=NODES):
    return Cluster.of([Namespace("shop", {NAMESPACE_NAME_LABEL: "shop"})], pods or (WEB, DB), nodes, services)


def app(name):
    return Endpoints(LabelSelector.namespace("shop"), LabelSelector.equal({"app": name}))


def policy(direction, subject, *rules, name="p", tier=NETWORKPOLICY):
    """A policy whose rules are (peer, ports), (peer, ports, action) or (peer, ports, action, doubt)."""
    ref = PolicyRef("NetworkPolicy", "shop", name)
    written = [written_rule(ref, index, direction, subject, tier, *rule) for index, rule in enumerate(rules)]
    order = (1, "shop", name)
    isolation = Rule(ref, -1, direction, subject, ANYTHING, EVERY_PORT, Action.DENY, tier, order, PLACE, Role.ISOLATION)
    return Policy(ref, (*written, isolation), PLACE)


def written_rule(ref, index, direction, subject, tier, peer, ports, action=Action.ALLOW, doubt=""):
    order = (0, "shop", ref.name, index)
    return Rule(ref, index, direction, subject, peer, ports, action, tier, order, PLACE, doubt=doubt)


def end(text):
    if text is None:
        return End()
    return End(pod=text) if "/" in text else End(Address.parse(text))


def flow(source, destination, protocol=TCP, port=80):
    return Flow(end(source), end(destination), protocol, port)


def judge(the_flow, *policies, world=None, **settings):
    """The reference's answer, which is the tables' too."""
    world, profile = world or cluster(), replace(UPSTREAM, **settings)
    judgement = Reference(world, policies, profile).judge(the_flow)
    assert judge_flows(world, policies, [the_flow], profile) == [judgement]
    return judgement


def summary(outcome):
    return outcome.verdict, outcome.reason


TO_DB = flow("shop/web", "shop/db")
DENY_INTO_DB = policy(INGRESS, app("db"))


# Rules that guard nodes


def test_a_host_pod_that_meets_itself_does_so_at_the_address_that_is_named():
    host = pod("host", "10.9.0.1", "fd00:9::1", node="w1", host_network=True)
    nobody = policy(EGRESS, Network(Cidr.parse("10.9.0.0/16")))
    closed = replace(nobody, rules=tuple(replace(rule, hosts=True) for rule in nobody.rules))
    for text, verdict in (("10.9.0.1", DENY), ("fd00:9::1", ALLOW)):
        to_itself = replace(flow("shop/host", "shop/host"), destination=End(Address.parse(text), "shop/host"))
        assert judge(to_itself, closed, world=cluster(host)).verdict is verdict


# Ports that are left out


ENDS_OF_NAMES = (("in", "10.0.0.3"), ("out", "10.0.0.4"))


def test_a_number_may_be_let_in_by_one_name_and_left_out_by_another():
    named = PortSet((NamedPort(TCP, "in"),), (NamedPort(TCP, "out"),))
    pods = [pod(name, address, ports=(ContainerPort(name, TCP, 80),)) for name, address in ENDS_OF_NAMES]
    world = cluster(WEB, *pods)
    for name, verdict in (("in", ALLOW), ("out", DENY)):
        both = policy(INGRESS, Endpoints(), (ANYTHING, named))
        assert judge(flow("shop/web", f"shop/{name}"), both, world=world).verdict is verdict


# A network plugin that enforces nothing


@pytest.mark.parametrize(
    "the_flow",
    [
        TO_DB,
        flow(None, "no/pod", None),
        flow("no/pod", "10.96.0.1", port=81),
        flow("shop/web", "shop/web"),
        flow("10.0.0.1", "2001:db8::1"),
        flow("10.9.0.2", "10.96.0.1"),
    ],
)
def test_where_nothing_is_enforced_everything_passes(the_flow):
    judgement = judge(the_flow, DENY_INTO_DB, world=cluster(WEB, DB, services=[service()]), enforced=False)
    free = Outcome(ALLOW, Reason.NOT_ENFORCED)
    assert judgement == Judgement(free, free, ALLOW)


def test_a_trace_where_nothing_is_enforced_names_no_policy():
    trace = Reference(cluster(), [DENY_INTO_DB], replace(UPSTREAM, enforced=False)).explain(TO_DB)
    assert trace.pairs[0].ingress.isolating == () and trace.pairs[0].verdict is ALLOW
    assert trace.depends_on == ()


# Flows that cannot be judged


@pytest.mark.parametrize(
    ("the_flow", "reason"),
    [
        (flow(None, "no/pod", None), Reason.UNKNOWN_PROTOCOL),
        (flow(None, "no/pod"), Reason.NO_ADDRESS),
        (flow("no/pod", "10.96.0.1", port=81), Reason.UNKNOWN_POD),
        (flow("shop/web", "10.96.0.1", port=81), Reason.NO_BACKEND),
        (flow("fd00::1", "10.0.0.2"), Reason.MIXED_FAMILIES),
    ],
)
def test_what_cannot_be_judged_is_unknown_in_both_directions(the_flow, reason):
    judgement = judge(the_flow, DENY_INTO_DB, world=cluster(WEB, DB, services=[service()]))
    assert judgement.verdict is UNKNOWN
    assert summary(judgement.egress) == summary(judgement.ingress) == (UNKNOWN, reason)


# Reasons


def test_a_pod_without_policies_is_open():
    judgement = judge(TO_DB)
    assert judgement.verdict is ALLOW
    assert summary(judgement.egress) == summary(judgement.ingress) == (ALLOW, Reason.NOT_ISOLATED)
    assert judgement.ingress.rule is None


def test_a_rule_that_allows_is_named():
    allowing = policy(INGRESS, app("db"), (app("web"), HTTP))
    judgement = judge(TO_DB, allowing)
    assert summary(judgement.ingress) == (ALLOW, Reason.RULE)
    assert judgement.ingress.rule is allowing.rules[0]


def test_an_isolation_without_rules_says_so():
    outcome = judge(TO_DB, DENY_INTO_DB).ingress
    assert summary(outcome) == (DENY, Reason.NO_RULE)
    assert outcome.rule is DENY_INTO_DB.rules[-1]


def test_a_peer_that_no_rule_selects_is_told():
    outcome = judge(TO_DB, policy(INGRESS, app("db"), (app("cache"), EVERY_PORT))).ingress
    assert summary(outcome) == (DENY, Reason.PEER_NOT_SELECTED)


def test_a_port_that_no_rule_allows_is_told():
    outcome = judge(replace(TO_DB, port=81), policy(INGRESS, app("db"), (app("web"), HTTP))).ingress
    assert summary(outcome) == (DENY, Reason.PORT_NOT_ALLOWED)


def test_a_port_name_that_the_destination_lacks_is_told():
    outcome = judge(TO_DB, policy(INGRESS, app("db"), (app("web"), WEB_NAME))).ingress
    assert summary(outcome) == (DENY, Reason.NAMED_PORT_UNDECLARED)


def test_a_port_name_of_another_protocol_is_no_undeclared_port():
    names = PortSet((NamedPort(UDP, "http"),))
    outcome = judge(TO_DB, policy(INGRESS, app("db"), (app("web"), names))).ingress
    assert outcome.reason is Reason.PORT_NOT_ALLOWED


def test_a_written_denial_is_told():
    outcome = judge(TO_DB, policy(INGRESS, app("db"), (app("web"), HTTP, Action.DENY))).ingress
    assert summary(outcome) == (DENY, Reason.RULE_DENIES)


def test_the_isolation_of_the_first_policy_by_name_is_cited():
    policies = [policy(INGRESS, app("db"), name=name) for name in ("b", "a")]
    assert judge(TO_DB, *policies).ingress.rule is policies[1].rules[-1]


def test_one_refusal_is_enough():
    judgement = judge(TO_DB, DENY_INTO_DB)
    assert (judgement.egress.verdict, judgement.verdict) == (ALLOW, DENY)


# Ends


def test_an_outside_address_is_not_bound():
    assert summary(judge(flow("192.0.2.1", "shop/db")).egress) == (ALLOW, Reason.NOT_A_POD)


def test_a_node_is_not_bound():
    assert summary(judge(flow("10.9.0.1", "shop/db")).egress) == (ALLOW, Reason.NODE)


def test_the_own_node_gets_in():
    assert summary(judge(flow("10.9.0.2", "shop/db"), DENY_INTO_DB).ingress) == (ALLOW, Reason.OWN_NODE)


def test_another_node_does_not():
    assert judge(flow("10.9.0.1", "shop/db"), DENY_INTO_DB).verdict is DENY


@pytest.mark.parametrize(("setting", "verdict"), [("policy", DENY), ("allow", ALLOW)])
def test_egress_to_the_own_node_is_a_setting(setting, verdict):
    closed = policy(EGRESS, app("db"))
    assert judge(flow("shop/db", "10.9.0.2"), closed, egress_to_own_node=setting).verdict is verdict


def test_a_pod_reaches_itself_by_another_address():
    closed = [policy(direction, app("web")) for direction in Direction]
    judgement = judge(Flow(End(pod="shop/web"), end("10.0.0.1"), TCP, 80), *closed)
    assert summary(judgement.egress) == summary(judgement.ingress) == (ALLOW, Reason.SELF)


def test_a_finished_pod_owns_no_address():
    world = cluster(WEB, replace(DB, finished=True))
    assert summary(judge(flow("shop/web", "10.0.0.2"), DENY_INTO_DB, world=world).ingress) == (
        ALLOW,
        Reason.NOT_A_POD,
    )


def test_a_finished_pod_is_judged_when_named():
    world = cluster(WEB, replace(DB, finished=True))
    assert judge(TO_DB, DENY_INTO_DB, world=world).verdict is DENY


def test_a_name_outweighs_an_address():
    named = Flow(End(pod="shop/web"), End(Address.parse("192.0.2.1"), "shop/db"), TCP, 80)
    assert judge(named, DENY_INTO_DB).verdict is DENY


@pytest.mark.parametrize(("text", "verdict"), [("10.0.0.1", DENY), ("fd00::1", ALLOW)])
def test_the_address_of_a_named_pod_is_the_one_of_the_flows_family(text, verdict):
    inside = policy(INGRESS, app("db"), (Network(Cidr.parse("fd00::/16")), EVERY_PORT))
    world = cluster(WEB, pod("db", "10.0.0.2", "fd00::2"))
    ends = End(Address.parse(text), "shop/web"), End(Address.parse(text), "shop/db")
    assert judge(Flow(*ends, TCP, 80), inside, world=world).verdict is verdict


HOST = pod("agent", "10.9.0.1", node="w1", host_network=True, ports=(ContainerPort("http", TCP, 80),))


@pytest.mark.parametrize(("setting", "reason"), [("node", Reason.NODE), ("pod", Reason.NO_RULE)])
def test_a_named_host_network_pod_is_a_node_or_a_pod(setting, reason):
    world = cluster(WEB, DB, HOST)
    judgement = judge(flow("shop/agent", "shop/db"), policy(EGRESS, app("agent")), world=world, hostnetwork=setting)
    assert judgement.egress.reason is reason


def test_the_address_of_a_host_network_pod_may_be_its_node():
    world = cluster(WEB, DB, HOST)
    closed = policy(EGRESS, app("agent"))
    outcome = judge(flow("10.9.0.1", "shop/db"), closed, world=world, hostnetwork="pod").egress
    assert summary(outcome) == (UNKNOWN, Reason.MIXED)
    assert outcome.detail == "allow: node, deny: no-rule"


# Rules by address


NEAR = Network(Cidr.parse("10.0.0.0/24"), (Cidr.parse("10.0.0.2/32"),))


@pytest.mark.parametrize(("setting", "verdict"), [(True, ALLOW), (False, DENY)])
def test_a_block_matches_pods_or_not(setting, verdict):
    inside = policy(INGRESS, app("db"), (NEAR, EVERY_PORT))
    assert judge(TO_DB, inside, ipblock_matches_pods=setting).verdict is verdict


def test_an_unknown_address_leaves_a_rule_by_address_open():
    world = cluster(pod("web"), DB)
    by_address = policy(INGRESS, app("db"), (NEAR, EVERY_PORT))
    outcome = judge(TO_DB, by_address, world=world).ingress
    assert summary(outcome) == (UNKNOWN, Reason.UNKNOWN_ADDRESS)
    assert outcome.rule is by_address.rules[0]


def test_an_unknown_address_does_not_matter_where_pods_are_no_matter_of_blocks():
    by_address = policy(INGRESS, app("db"), (NEAR, EVERY_PORT))
    judgement = judge(TO_DB, by_address, world=cluster(pod("web"), DB), ipblock_matches_pods=False)
    assert judgement.ingress.reason is Reason.PEER_NOT_SELECTED


def test_an_unknown_address_does_not_matter_where_another_rule_allows():
    rules = (NEAR, EVERY_PORT), (app("web"), EVERY_PORT)
    assert judge(TO_DB, policy(INGRESS, app("db"), *rules), world=cluster(pod("web"), DB)).verdict is ALLOW


def test_the_best_member_of_a_union_counts():
    union = AnyOf((NEAR, app("web")))
    judgement = judge(TO_DB, policy(INGRESS, app("db"), (union, EVERY_PORT)), world=cluster(pod("web"), DB))
    assert judgement.verdict is ALLOW


# Ports


@pytest.mark.parametrize(
    ("ports", "verdict", "reason"),
    [
        (EVERY_PORT, ALLOW, Reason.RULE),
        (PortSet((PortRange(TCP),)), ALLOW, Reason.RULE),
        (HTTP, UNKNOWN, Reason.NO_PORT),
        (PortSet((PortRange(UDP),)), DENY, Reason.PORT_NOT_ALLOWED),
        (WEB_NAME, DENY, Reason.NAMED_PORT_UNDECLARED),
    ],
)
def test_a_flow_without_port(ports, verdict, reason):
    outcome = judge(replace(TO_DB, port=None), policy(INGRESS, app("db"), (app("web"), ports))).ingress
    assert summary(outcome) == (verdict, reason)


def test_a_flow_without_port_may_be_of_a_named_port():
    named = policy(INGRESS, app("web"), (app("db"), WEB_NAME))
    outcome = judge(flow("shop/db", "shop/web", port=None), named).ingress
    assert summary(outcome) == (UNKNOWN, Reason.NO_PORT)


@pytest.mark.parametrize(("setting", "verdict"), [("any", ALLOW), ("first", DENY)])
def test_a_name_declared_twice(setting, verdict):
    twice = replace(WEB, ports=(*WEB.ports, ContainerPort("http", TCP, 9090)))
    named = policy(INGRESS, app("web"), (ANYTHING, WEB_NAME))
    to_second = flow("shop/db", "shop/web", port=9090)
    judgement = judge(to_second, named, world=cluster(twice, DB), duplicate_port_names=setting)
    assert judgement.verdict is verdict


def test_an_outside_destination_declares_no_name():
    named = policy(EGRESS, app("web"), (ANYTHING, WEB_NAME))
    outcome = judge(flow("shop/web", "192.0.2.1", port=8080), named).egress
    assert summary(outcome) == (DENY, Reason.NAMED_PORT_UNDECLARED)


# Protocols without ports


PING = flow("shop/web", "shop/db", ICMP, None)


@pytest.mark.parametrize(
    ("setting", "ports", "verdict", "reason"),
    [
        ("follow-peers", EVERY_PORT, ALLOW, Reason.RULE),
        ("follow-peers", HTTP, DENY, Reason.PORT_NOT_ALLOWED),
        ("follow-peers", WEB_NAME, DENY, Reason.PORT_NOT_ALLOWED),
        ("allow", HTTP, ALLOW, Reason.PROTOCOL_ALLOWED),
        ("deny", EVERY_PORT, DENY, Reason.PROTOCOL_DENIED),
    ],
)
def test_other_protocols_are_a_setting_and_say_so(setting, ports, verdict, reason):
    policies = policy(INGRESS, app("db"), (app("web"), ports))
    outcome = judge(PING, policies, other_protocols=setting).ingress
    assert summary(outcome) == (verdict, reason)
    assert outcome.detail.startswith("NP-20")


def test_other_protocols_to_a_pod_without_policies_are_plainly_allowed():
    outcome = judge(PING, other_protocols="deny").ingress
    assert (outcome.reason, outcome.detail) == (Reason.NOT_ISOLATED, "")


def test_sctp_is_a_protocol_with_ports():
    sctp = PortSet((PortRange(SCTP, 80, 80),))
    judgement = judge(replace(TO_DB, protocol=SCTP), policy(INGRESS, app("db"), (app("web"), sctp)))
    assert (judgement.verdict, judgement.ingress.detail) == (ALLOW, "")


# Services


def service(target="http", port=80, node_port=0, selector=("app", "web"), addresses=("10.96.0.1",), **fields):
    ports = (ServicePort("", TCP, port, target, node_port),)
    selected = LabelSelector.equal({selector[0]: selector[1]})
    return Service("shop", "web", tuple(map(Address.parse, addresses)), ports, selected, **fields)


def test_a_service_leads_to_its_pod_and_its_target_port():
    allowing = policy(INGRESS, app("web"), (app("db"), PortSet((PortRange(TCP, 8080, 8080),))))
    judgement = judge(flow("shop/db", "10.96.0.1"), allowing, world=cluster(WEB, DB, services=[service()]))
    assert summary(judgement.ingress) == (ALLOW, Reason.RULE)


def test_backends_with_different_answers_are_mixed():
    other = pod("web2", "10.0.0.3", labels={"app": "web", "more": ""})
    closed = Endpoints(LabelSelector.namespace("shop"), LabelSelector.equal({"more": ""}))
    world = cluster(WEB, DB, other, services=[service(target=80)])
    judgement = judge(flow("shop/db", "10.96.0.1"), policy(INGRESS, closed), world=world)
    assert judgement.verdict is UNKNOWN
    assert summary(judgement.ingress) == (UNKNOWN, Reason.MIXED)
    assert judgement.ingress.detail == "allow: not-isolated, deny: no-rule"
    assert judgement.egress.verdict is ALLOW


def test_pairs_that_all_refuse_refuse_though_their_directions_differ():
    twins = [pod("one", "10.0.0.7"), pod("two", "10.0.0.7")]
    into_one, into_db = policy(EGRESS, app("one")), policy(INGRESS, app("db"), (app("one"), EVERY_PORT))
    judgement = judge(flow("10.0.0.7", "shop/db"), into_one, into_db, world=cluster(DB, *twins))
    assert judgement.verdict is DENY
    assert judgement.egress.reason is judgement.ingress.reason is Reason.MIXED


def test_a_service_without_pods_has_no_backend():
    world = cluster(WEB, DB, services=[service(selector=("app", "none"))])
    assert judge(flow("shop/db", "10.96.0.1"), world=world).egress.reason is Reason.NO_BACKEND


def test_a_node_port_leads_on_from_any_node():
    world = cluster(WEB, DB, services=[service(node_port=30080)])
    judgement = judge(flow("192.0.2.1", "10.9.0.2", port=30080), policy(INGRESS, app("web")), world=world)
    assert summary(judgement.ingress) == (DENY, Reason.NO_RULE)


def test_a_node_port_without_backend():
    world = cluster(WEB, DB, services=[service(node_port=30080, selector=("app", "none"))])
    assert judge(flow("192.0.2.1", "10.9.0.2", port=30080), world=world).egress.reason is Reason.NO_BACKEND


def test_the_name_of_a_destination_outweighs_its_service_address():
    world = cluster(WEB, DB, services=[service()])
    named = Flow(end("shop/db"), End(Address.parse("10.96.0.1"), "shop/web"), TCP, 80)
    allowing = policy(INGRESS, app("web"), (ANYTHING, HTTP))
    assert judge(named, allowing, world=world).verdict is ALLOW


@pytest.mark.parametrize(
    ("setting", "verdict", "reason"), [("allow", ALLOW, Reason.HAIRPIN), ("policy", DENY, Reason.NO_RULE)]
)
def test_a_hairpin_is_a_setting(setting, verdict, reason):
    world = cluster(WEB, DB, services=[service()])
    closed = policy(INGRESS, app("web"))
    judgement = judge(flow("shop/web", "10.96.0.1"), closed, world=world, service_hairpin=setting)
    assert summary(judgement.ingress) == (verdict, reason)


# Rules that may match, tiers


@pytest.mark.parametrize(("action", "verdict"), [(Action.ALLOW, UNKNOWN), (Action.DENY, DENY)])
def test_an_uncertain_rule_counts_only_where_it_could_change_the_answer(action, verdict):
    unsure = policy(INGRESS, app("db"), (app("web"), HTTP, action, "cannot be judged"))
    judgement = judge(TO_DB, unsure)
    assert judgement.verdict is verdict
    assert (judgement.ingress.reason is Reason.UNCERTAIN_RULE) == (verdict is UNKNOWN)


def test_the_uncertain_rule_is_the_reason_before_the_unknown_address():
    unsure = policy(INGRESS, app("db"), (NEAR, HTTP, Action.ALLOW, "cannot be judged"))
    assert judge(TO_DB, unsure, world=cluster(pod("web"), DB)).ingress.reason is Reason.UNCERTAIN_RULE


def test_the_unknown_address_is_the_reason_before_the_missing_port():
    by_address = policy(INGRESS, app("db"), (NEAR, HTTP))
    outcome = judge(replace(TO_DB, port=None), by_address, world=cluster(pod("web"), DB)).ingress
    assert outcome.reason is Reason.UNKNOWN_ADDRESS


def tiered(*rules):
    admin = policy(INGRESS, app("db"), *rules, name="admin", tier=Tier("anp"))
    return replace(admin, rules=admin.rules[:-1])


def test_pass_skips_the_rest_of_its_tier():
    admin = tiered((app("web"), HTTP, Action.PASS), (ANYTHING, EVERY_PORT, Action.DENY))
    allowing = policy(INGRESS, app("db"), (app("web"), HTTP))
    assert judge(TO_DB, allowing, admin).ingress.rule is allowing.rules[0]


def test_a_list_that_runs_out_after_a_pass_allows():
    admin = tiered((app("web"), HTTP, Action.PASS), (ANYTHING, EVERY_PORT, Action.DENY))
    assert summary(judge(TO_DB, admin).ingress) == (ALLOW, Reason.NOT_ISOLATED)


@pytest.mark.parametrize(("lower", "verdict"), [((), DENY), (((app("web"), HTTP),), UNKNOWN)])
def test_an_uncertain_pass_is_followed_to_its_end(lower, verdict):
    admin = tiered((app("web"), HTTP, Action.PASS, "cannot be judged"), (ANYTHING, EVERY_PORT, Action.DENY))
    assert judge(TO_DB, policy(INGRESS, app("db"), *lower), admin).verdict is verdict


def test_a_doubt_in_the_tier_that_an_uncertain_pass_leads_to_counts():
    admin = tiered((app("web"), HTTP, Action.PASS, "cannot be judged"), (ANYTHING, EVERY_PORT, Action.DENY))
    unsure = policy(INGRESS, app("db"), (app("web"), HTTP, Action.ALLOW, "cannot be judged"))
    assert judge(TO_DB, unsure, admin).verdict is UNKNOWN


def test_a_list_that_may_run_out_after_an_uncertain_pass_may_allow():
    admin = tiered((app("web"), HTTP, Action.PASS, "cannot be judged"), (ANYTHING, EVERY_PORT, Action.DENY))
    unsure = policy(INGRESS, app("db"), (app("web"), HTTP, Action.DENY, "cannot be judged"))
    lower = replace(unsure, rules=unsure.rules[:-1])
    assert judge(TO_DB, lower, admin).verdict is UNKNOWN


def test_a_tier_that_the_profile_does_not_know_is_refused():
    stray = policy(INGRESS, app("db"), tier=Tier("stray"))
    with pytest.raises(ValueError, match="tier 'stray'"):
        Reference(cluster(), [stray])


# The trace


def explain(the_flow, *policies, world=None, **settings):
    return Reference(world or cluster(), policies, replace(UPSTREAM, **settings)).explain(the_flow)


def test_the_trace_names_the_candidates():
    trace = explain(flow("192.0.2.1", "10.96.0.1"), world=cluster(WEB, DB, services=[service()]))
    assert trace.sources == ("192.0.2.1 (outside the cluster)",)
    assert trace.destinations == ("pod shop/web (10.0.0.1)",)
    assert (trace.pairs[0].service, trace.pairs[0].port) == ("shop/Service/web", 8080)


def test_the_trace_holds_every_rule_that_was_walked():
    mixed = policy(INGRESS, app("db"), (app("cache"), HTTP), (app("web"), WEB_NAME))
    ingress = explain(TO_DB, mixed).pairs[0].ingress
    matches = [(step.peer, step.ports, step.match) for step in ingress.considered]
    assert matches == [
        (Match.NO, Match.YES, Match.NO),
        (Match.YES, Match.NO, Match.NO),
        (Match.YES, Match.YES, Match.YES),
    ]
    assert ingress.isolating == (mixed.ref,)
    assert ingress.outcome.rule is ingress.considered[-1].rule


def test_the_trace_says_why_a_rule_does_not_match():
    step = explain(TO_DB, policy(INGRESS, app("db"), (app("cache"), HTTP))).pairs[0].ingress.considered[0]
    assert step.why == (
        "pod shop/web (10.0.0.1) is not among pods with app=cache in namespace shop; TCP 80 is among TCP 80"
    )


def test_the_trace_of_a_flow_that_cannot_be_judged_has_no_pairs():
    trace = explain(flow("no/pod", "shop/db"))
    assert trace.pairs == ()
    assert trace.judgement.verdict is UNKNOWN


def test_the_trace_agrees_with_the_judgement():
    trace = explain(TO_DB, DENY_INTO_DB)
    assert trace.judgement == judge(TO_DB, DENY_INTO_DB)
    assert trace.pairs[0].verdict is DENY


@pytest.mark.parametrize(
    ("the_flow", "policies", "setting", "word", "verdict"),
    [
        (TO_DB, policy(INGRESS, app("db"), (NEAR, HTTP)), "ipblock_matches_pods", "false", DENY),
        (PING, policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT)), "other_protocols", "deny", DENY),
        (flow("shop/db", "10.9.0.2"), policy(EGRESS, app("db")), "egress_to_own_node", "allow", ALLOW),
    ],
)
def test_the_trace_says_which_setting_the_verdict_rests_on(the_flow, policies, setting, word, verdict):
    (dependence,) = explain(the_flow, policies).depends_on
    assert (dependence.setting, dependence.word, dependence.verdict) == (setting, word, verdict)
    assert dependence.number == SETTING_NUMBERS[setting]


def test_the_trace_of_a_plain_verdict_rests_on_no_setting():
    assert explain(TO_DB, DENY_INTO_DB).depends_on == ()


def test_every_setting_has_its_number():
    assert SETTING_NUMBERS.keys() == UPSTREAM.choices().keys() | UPSTREAM.agent_choices().keys()


def test_a_node_answers_where_a_service_has_its_address_but_not_the_port():
    shared = service(addresses=["10.9.0.2"])
    judgement = judge(flow("10.0.0.1", "10.9.0.2", port=10250), world=cluster(WEB, DB, services=[shared]))
    assert summary(judgement.ingress) == (ALLOW, Reason.NODE)


def test_replicas_behind_a_service_are_told_apart_where_the_source_is_one_of_them():
    twins = [pod(f"web{n}", f"10.0.0.{n}", labels={"app": "web"}) for n in (5, 6)]
    world = cluster(*twins, services=[service(target=80)])
    judgement = judge(flow("10.0.0.5", "10.96.0.1"), policy(INGRESS, app("web")), world=world)
    assert summary(judgement.ingress) == (UNKNOWN, Reason.MIXED)
    assert judgement.ingress.detail == "allow: hairpin, deny: no-rule"


def test_replicas_behind_a_service_are_told_apart_where_the_source_is_the_node_of_one():
    twins = [pod(f"web{n}", f"10.0.0.{n}", labels={"app": "web"}, node=f"w{n}") for n in (1, 2)]
    world = cluster(*twins, services=[service(target=80)])
    judgement = judge(flow("10.9.0.2", "10.96.0.1"), policy(INGRESS, app("web")), world=world)
    assert judgement.ingress.detail == "allow: own-node, deny: no-rule"


def test_a_backend_of_unknown_address_is_of_any_family():
    unknown = pod("web", labels={"app": "web"})
    known = pod("db", "fd00::2")
    world = cluster(known, unknown, services=[service(target=80)])
    judgement = judge(flow("fd00::2", "10.96.0.1"), policy(INGRESS, app("web")), world=world)
    assert summary(judgement.ingress) == (DENY, Reason.NO_RULE)


def test_a_pod_reaches_itself_from_any_of_its_addresses():
    judgement = judge(
        flow("10.0.0.1", "10.0.0.2"), policy(INGRESS, app("web")), world=cluster(pod("web", "10.0.0.1", "10.0.0.2"))
    )
    assert summary(judgement.ingress) == (ALLOW, Reason.SELF)


def test_the_reserved_protocol_is_none():
    assert summary(judge(flow("10.0.0.1", "10.0.0.2", protocol=255)).egress) == (UNKNOWN, Reason.UNKNOWN_PROTOCOL)


def test_dual_stack_pods_that_are_only_named_may_use_either_family():
    web, db = pod("web", "10.0.0.1", "fd00::1"), pod("db", "10.0.0.2", "fd00::2")
    v4_only = Network(Cidr.parse("0.0.0.0/0"))
    world = cluster(web, db, pod("six", "fd00::3"))
    judgement = judge(flow("shop/web", "shop/db"), policy(EGRESS, app("web"), (v4_only, HTTP)), world=world)
    assert summary(judgement.egress) == (UNKNOWN, Reason.MIXED)
    judgement = judge(flow("shop/web", "shop/six"), policy(EGRESS, app("web"), (v4_only, HTTP)), world=world)
    assert summary(judgement.egress) == (DENY, Reason.PEER_NOT_SELECTED)


@pytest.mark.parametrize(("isolates", "verdict"), [(False, DENY), (True, ALLOW)])
def test_what_a_networkpolicy_lets_through_itself_is_final_for_hairpins(isolates, verdict):
    world = cluster(WEB, DB, services=[service()])
    baseline = policy(INGRESS, app("web"), (ANYTHING, EVERY_PORT, Action.DENY), name="base", tier=Tier("banp"))
    policies = [replace(baseline, rules=baseline.rules[:-1]), *([policy(INGRESS, app("web"))] if isolates else [])]
    assert judge(flow("shop/web", "10.96.0.1"), *policies, world=world).verdict is verdict


PUBLIC = RequestSet((HttpMatch(method="GET", path="/public"),))


def through_a_proxy(*, plainly=False, action=Action.ALLOW):
    """Ingress into db: rules that look at requests behind a rule that does not, which decides if it is there."""
    made = policy(INGRESS, app("db"), (ANYTHING, HTTP), (ANYTHING, HTTP))
    plain, asking, *closing = made.rules
    asking = replace(asking, requests=PUBLIC, proxy="http", order=(0.5, *asking.order[1:]), condition="GET /public")
    return Policy(made.ref, (*([replace(plain, action=action)] if plainly else []), asking, *closing), made.place)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (None, (ALLOW, Reason.RULE, "GET /public")),
        (Request(dns_query="db.shop"), (ALLOW, Reason.RULE, "GET /public")),
        (Request("GET", "/public"), (ALLOW, Reason.REQUEST_ALLOWED, "")),
        (Request("PUT"), (DENY, Reason.REQUEST_NOT_ALLOWED, "")),
        (Request("GET"), (UNKNOWN, Reason.UNKNOWN_REQUEST, "")),
    ],
)
def test_a_request_decides_what_a_proxy_lets_through(request_, expected):
    asked = replace(flow("shop/web", "shop/db"), request=request_)
    outcome = judge(asked, through_a_proxy()).ingress
    assert (outcome.verdict, outcome.reason, outcome.detail) == expected


@pytest.mark.parametrize(
    ("policies", "request_", "proxy"),
    [
        (through_a_proxy(), None, "http"),
        (through_a_proxy(), Request("PUT"), "http"),
        (through_a_proxy(plainly=True), Request("PUT"), "http"),
        (through_a_proxy(plainly=True, action=Action.DENY), None, ""),
        (policy(INGRESS, app("db"), (ANYTHING, HTTP)), None, ""),
    ],
)
def test_the_proxy_of_a_connection_is_named_even_where_a_plain_rule_lets_it(policies, request_, proxy):
    (pair,) = Reference(cluster(), [policies]).explain(replace(flow("shop/web", "shop/db"), request=request_)).pairs
    assert (pair.egress.proxy, pair.ingress.proxy) == ("", proxy)


def test_the_rules_that_bind_a_pod_are_those_of_the_direction_in_the_order_of_the_walk():
    one = policy(EGRESS, app("web"), (ANYTHING, HTTP), (app("db"), EVERY_PORT))
    other = policy(INGRESS, app("web"), (ANYTHING, EVERY_PORT), name="q")
    reference = Reference(cluster(), (other, one))
    assert reference.binding("shop/web", EGRESS) == one.rules
    assert reference.binding("shop/web", INGRESS) == other.rules
    assert reference.binding("shop/db", EGRESS) == ()


def test_no_rule_for_pods_binds_a_pod_that_counts_as_its_node():
    host = replace(WEB, host_network=True)
    policies = (policy(EGRESS, app("web"), (ANYTHING, HTTP)),)
    assert Reference(cluster(host, DB), policies).binding("shop/web", EGRESS) == ()
    as_pod = replace(UPSTREAM, hostnetwork="pod")
    assert Reference(cluster(host, DB), policies, as_pod).binding("shop/web", EGRESS) == policies[0].rules
