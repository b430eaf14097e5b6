"""What Cilium's agent makes of policies, by both engines."""

from dataclasses import replace

import pytest

from simcore.analyses.judging import judge_flows
from simcore.model.addresses import Cidr
from simcore.model.agent import CiliumAgent
from simcore.model.cilium import AGENT, AUDITED, DEFAULT, NORMAL, is_identity_label
from simcore.model.cluster import ContainerPort
from simcore.model.flows import Reason, Verdict
from simcore.model.labels import LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, NOBODY, Endpoints, Network, Nodes, Reserved
from simcore.model.plugins import plugin_named
from simcore.model.policy import Action, Policy, PolicyRef, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT, ICMP, SCTP, TCP, NamedPort, PortRange, PortSet
from simcore.model.requests import HttpMatch, RequestSet
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .test_reference import DB, EGRESS, HTTP, INGRESS, PLACE, TO_DB, WEB, app, cluster, flow, pod, policy, service

ALLOW, DENY, UNKNOWN = Verdict.ALLOW, Verdict.DENY, Verdict.UNKNOWN
CILIUM = replace(plugin_named("cilium").profile, sctp="enforced")
OLD, NEW = (1, 19), (1, 20)
OWN_NODE, OTHER_NODE = flow("10.9.0.2", "shop/db"), flow("10.9.0.1", "shop/db")
CLOSED = policy(INGRESS, app("db"))
GRE, IGMP = 47, 2


def judged(the_flow, *policies, world=None, profile=CILIUM, **settings):
    world, profile = world or cluster(), replace(profile, cilium=replace(CiliumAgent(), **settings))
    judgement = Reference(world, policies, profile).judge(the_flow)
    assert judge_flows(world, policies, [the_flow], profile) == [judgement]
    return judgement


def ingress(*arguments, **settings):
    return judged(*arguments, **settings).ingress


def told(outcome):
    """The verdict, and what decides: the agent's rule by its name, or that of a policy."""
    return outcome.verdict, outcome.rule and outcome.rule.policy.name


def rule_of(direction, subject, peer, *, action=Action.ALLOW, tier=NORMAL, order=0, hosts=False, **fields):
    ref = PolicyRef("CiliumNetworkPolicy", "shop", f"{tier.name}-{order}")
    given = {"ports": EVERY_PORT, "order": (order, 1.0, "p", 0), "place": PLACE, "hosts": hosts, **fields}
    return Rule(policy=ref, index=0, direction=direction, subject=subject, peer=peer, action=action, tier=tier, **given)


def of(*rules):
    return Policy(rules[0].policy, rules, PLACE)


def closing(direction, subject, *, hosts=False):
    ref = PolicyRef("CiliumNetworkPolicy", "shop", "closing")
    return of(Rule.closing(ref, direction, subject, DEFAULT, (1, 1.0, "p", 0), PLACE, Role.ISOLATION, hosts=hosts))


def admin(tier, *actions, priority=1.0, name="guard"):
    """A ClusterNetworkPolicy for ingress to db: rules for everybody, in the order of their numbers."""
    ref = PolicyRef("ClusterNetworkPolicy", "", name)
    rules = [
        Rule(
            *(ref, number, INGRESS, app("db"), ANYTHING, EVERY_PORT, action, Tier(tier)),
            (0, priority, name, number),
            PLACE,
            tie=(priority,),
        )
        for number, action in enumerate(actions)
    ]
    return Policy(ref, tuple(rules), PLACE)


# The own node


@pytest.mark.parametrize(
    ("version", "setting", "expected"),
    [
        (NEW, "auto", (ALLOW, "allow-localhost")),
        (NEW, "always", (ALLOW, "allow-localhost")),
        (NEW, "policy", (DENY, "p")),
        (OLD, "auto", (ALLOW, "allow-localhost")),
        (OLD, "policy", (DENY, "p")),
    ],
)
def test_the_own_node_enters_unless_only_policies_count(version, setting, expected):
    assert told(ingress(OWN_NODE, CLOSED, version=version, allow_localhost=setting)) == expected
    assert told(ingress(OTHER_NODE, CLOSED, version=version, allow_localhost=setting)) == (DENY, "p")


@pytest.mark.parametrize("version", [OLD, NEW])
def test_a_denial_keeps_the_own_node_out(version):
    denial = of(rule_of(INGRESS, app("db"), Nodes(where="here"), action=Action.DENY, order=-1))
    assert ingress(OWN_NODE, CLOSED, denial, version=version).reason is Reason.RULE_DENIES
    assert told(ingress(OTHER_NODE, denial, version=version)) == (ALLOW, None)


@pytest.mark.parametrize(
    ("version", "action", "expected"),
    [
        (NEW, Action.DENY, (DENY, "guard")),
        (NEW, Action.ALLOW, (ALLOW, "guard")),
        (OLD, Action.DENY, (ALLOW, "allow-localhost")),
    ],
)
def test_baseline_comes_before_the_own_node_where_there_are_tiers(version, action, expected):
    assert told(ingress(OWN_NODE, CLOSED, admin("cnp-baseline", action), version=version)) == expected


@pytest.mark.parametrize(("version", "decides"), [(OLD, "allow-localhost"), (NEW, "cilium-0.5")])
def test_the_own_node_passes_by_the_proxy_up_to_1_19(version, decides):
    proxied = of(rule_of(INGRESS, app("db"), ANYTHING, order=0.5, proxy="http"))
    assert told(ingress(OWN_NODE, CLOSED, proxied, version=version)) == (ALLOW, decides)
    plain = of(rule_of(INGRESS, app("db"), ANYTHING))
    assert told(ingress(OWN_NODE, CLOSED, plain, version=version)) == (ALLOW, "cilium-0")


@pytest.mark.parametrize(("version", "expected"), [(OLD, ALLOW), (NEW, DENY)])
def test_where_all_is_closed_the_own_node_needs_a_rule_since_1_20(version, expected):
    settings = {"policy_enforcement_mode": "always", "version": version}
    assert ingress(OWN_NODE, **settings).verdict is expected
    assert ingress(OWN_NODE, CLOSED, **settings).verdict is ALLOW


def test_where_a_pod_runs_decides_and_must_be_known():
    lost = cluster(WEB, replace(DB, node=""))
    assert ingress(OWN_NODE, CLOSED, world=lost).reason is Reason.UNCERTAIN_RULE
    assert ingress(OWN_NODE, world=lost).reason is Reason.NOT_ISOLATED


def test_behind_a_service_too_a_node_must_be_known_to_be_the_own_one():
    web = service(addresses=["10.96.0.9"])
    closed = policy(INGRESS, app("web"))
    to_service = {text: flow(text, "10.96.0.9") for text in ("10.9.0.1", "10.9.0.2")}
    there = cluster(WEB, DB, services=[web])
    lost = cluster(replace(WEB, node=""), DB, services=[web])
    assert ingress(to_service["10.9.0.1"], closed, world=there).verdict is ALLOW
    assert ingress(to_service["10.9.0.2"], closed, world=there).verdict is DENY
    for asked in to_service.values():
        assert ingress(asked, closed, world=lost).reason is Reason.UNCERTAIN_RULE


def test_egress_to_the_own_node_is_as_any_other():
    closed = policy(EGRESS, app("db"))
    setting = replace(CILIUM, egress_to_own_node="allow")
    assert judged(flow("shop/db", "10.9.0.2"), closed, profile=setting).egress.verdict is DENY


# Enforcement


def test_a_network_policy_closes_after_baseline():
    assert told(ingress(TO_DB, CLOSED)) == (DENY, "p")
    assert ingress(TO_DB, CLOSED).reason is Reason.NO_RULE
    assert told(ingress(TO_DB, CLOSED, admin("cnp-baseline", Action.ALLOW))) == (ALLOW, "guard")


@pytest.mark.parametrize("passing", ["cnp-admin", "cnp-baseline"])
def test_what_is_passed_on_meets_a_closed_pod_all_the_same(passing):
    guard = admin(passing, Action.PASS, Action.ALLOW)
    assert told(ingress(TO_DB, CLOSED, guard)) == (DENY, "p")
    assert told(ingress(OWN_NODE, CLOSED, guard)) == (ALLOW, "allow-localhost")
    assert told(ingress(TO_DB, guard)) == (ALLOW, None)


def test_always_closes_every_endpoint_and_never_none():
    always, never = ({"policy_enforcement_mode": mode} for mode in ("always", "never"))
    assert told(judged(TO_DB, **always).egress) == (DENY, "policy-enforcement-mode")
    assert told(ingress(TO_DB, **always)) == (DENY, "policy-enforcement-mode")
    assert told(ingress(TO_DB, CLOSED, **never)) == (ALLOW, None)
    assert judged(flow("10.9.0.1", "192.0.2.1"), **always).egress.reason is Reason.NODE
    assert told(judged(flow("10.9.0.1", "192.0.2.1"), host_firewall=True, **always).egress) == (
        DENY,
        "policy-enforcement-mode",
    )


@pytest.mark.parametrize("version", [OLD, NEW])
def test_endpoints_in_creation_are_closed_until_a_rule_lets_in(version):
    young = replace(pod("young", "10.0.0.7", node="w1", labels={}), namespace="", reserved="init")
    health = replace(pod("health", "10.0.0.8", node="w1", labels={}), namespace="", reserved="health")
    world = cluster(WEB, DB, young, health)
    settings = {"world": world, "version": version}
    assert told(ingress(flow("shop/web", "10.0.0.7"), **settings)) == (DENY, "endpoints-in-creation")
    assert told(ingress(flow("shop/web", "10.0.0.8"), **settings)) == (ALLOW, None)
    never = {"policy_enforcement_mode": "never", **settings}
    assert ingress(flow("shop/web", "10.0.0.7"), **never).verdict is ALLOW
    opened = of(rule_of(INGRESS, Reserved("init"), app("web")))
    assert ingress(flow("shop/web", "10.0.0.7"), opened, **settings).verdict is ALLOW
    from_node = flow("10.9.0.1", "10.0.0.7")
    assert ingress(from_node, opened, **settings).verdict is ALLOW
    assert ingress(from_node, **settings).verdict is (ALLOW if version == OLD else DENY)


@pytest.mark.parametrize(("on", "expected"), [(True, (DENY, "closing")), (False, (ALLOW, None))])
def test_nodes_are_guarded_with_the_host_firewall(on, expected):
    guard = closing(INGRESS, Nodes(), hosts=True)
    assert told(ingress(flow("shop/web", "10.9.0.2"), guard, host_firewall=on)) == expected
    assert told(ingress(flow("10.9.0.2", "10.9.0.2"), guard, host_firewall=True)) == (ALLOW, "loopback")


def test_audit_only_tells():
    denied = of(rule_of(INGRESS, app("db"), app("web"), action=Action.DENY, order=-1))
    for policies in ((CLOSED,), (denied,)):
        assert ingress(TO_DB, *policies).verdict is DENY
        outcome = ingress(TO_DB, *policies, policy_audit_mode=True)
        assert (outcome.verdict, outcome.detail) == (ALLOW, AUDITED)
    assert ingress(TO_DB, policy_audit_mode=True).detail == ""
    always = {"policy_audit_mode": True, "policy_enforcement_mode": "always"}
    assert told(ingress(TO_DB, **always)) == (ALLOW, "policy-enforcement-mode")
    assert judged(flow("shop/web", "shop/db", GRE, None), policy_audit_mode=True).verdict is DENY


def test_what_a_proxy_refuses_is_refused_in_audit_mode_too():
    asked = RequestSet((HttpMatch(method="GET"),))
    proxied = of(rule_of(INGRESS, app("db"), app("web"), order=0.5, proxy="http", requests=asked))
    read = Reference(cluster(), (proxied, CLOSED), replace(CILIUM, cilium=CiliumAgent(policy_audit_mode=True)))
    trace = read.explain(TO_DB).pairs[0].ingress
    assert trace.outcome.verdict is ALLOW
    again = [rule for rule in read._index.candidates(INGRESS, "shop") if rule.policy == proxied.ref]
    assert [(rule.action, rule.role, rule.requests) for rule in again] == [
        (Action.ALLOW, Role.WRITTEN, asked),
        (Action.DENY, Role.ISOLATION, None),
    ]


# Protocols and ports


@pytest.mark.parametrize(
    ("protocol", "version", "extended", "expected"),
    [
        (GRE, NEW, False, DENY),
        (GRE, NEW, True, ALLOW),
        (GRE, OLD, True, DENY),
        (IGMP, OLD, True, ALLOW),
        (IGMP, OLD, False, DENY),
        (ICMP, OLD, False, ALLOW),
        (89, NEW, True, DENY),
    ],
)
def test_protocols_that_are_not_tracked_are_stopped(protocol, version, extended, expected):
    given = {"version": version, "enable_extended_ip_protocols": extended}
    found = judged(flow("shop/web", "shop/db", protocol, None), **given)
    assert (found.egress.verdict, found.ingress.verdict) == (expected, expected)
    opened = policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT))
    assert ingress(flow("shop/web", "shop/db", protocol, None), opened, **given).verdict is expected
    if expected is DENY:
        assert (found.egress.reason, found.egress.rule.policy.kind) == (Reason.RULE_DENIES, AGENT)


def test_icmp_goes_by_rules_without_ports():
    ping = flow("shop/web", "shop/db", ICMP, None)
    assert ingress(ping, policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT))).verdict is ALLOW
    assert ingress(ping, policy(INGRESS, app("db"), (ANYTHING, HTTP))).verdict is DENY
    assert ingress(ping, policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT))).detail == ""


def test_sctp_is_in_doubt_only_where_it_would_be_let_through():
    unknown = replace(CILIUM, sctp="unknown")
    by_sctp = flow("shop/web", "shop/db", SCTP)
    assert ingress(by_sctp, profile=unknown).reason is Reason.UNCERTAIN_RULE
    assert ingress(by_sctp, CLOSED, profile=unknown).verdict is DENY
    assert ingress(by_sctp).verdict is ALLOW
    assert ingress(TO_DB, profile=unknown).verdict is ALLOW


def test_names_of_ports_are_the_whole_clusters_up_to_1_19():
    named = policy(EGRESS, app("web"), (ANYTHING, PortSet((NamedPort(TCP, "http"), PortRange(TCP, 9, 9)))))
    twice = cluster(WEB, replace(DB, ports=(ContainerPort("http", TCP, 81),)))
    to_port = {port: flow("shop/web", "shop/db", port=port) for port in (8080, 81, 9)}
    for world, version, expected in (
        (None, OLD, {8080: ALLOW, 81: DENY, 9: ALLOW}),
        (None, NEW, {8080: DENY, 81: DENY, 9: ALLOW}),
        (twice, OLD, {8080: DENY, 81: DENY, 9: ALLOW}),
        (twice, NEW, {8080: DENY, 81: ALLOW, 9: ALLOW}),
    ):
        found = {port: judged(asked, named, world=world, version=version).egress for port, asked in to_port.items()}
        assert {port: outcome.verdict for port, outcome in found.items()} == expected


# Labels and ties


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("app", True),
        ("app.kubernetes.io/name", True),
        ("io.kubernetes.pod.namespace", True),
        ("io.kubernetes.other", False),
        ("kubernetes.io/hostname", False),
        ("node.beta.kubernetes.io/x", False),
        ("k8s.io/x", False),
        ("pod-template-hash", False),
        ("controller-revision-hash", False),
        ("controller-uid", False),
        ("statefulset.kubernetes.io/pod-name", False),
        ("apps.kubernetes.io/pod-index", False),
        ("batch.kubernetes.io/job-name", True),
        ("batch.kubernetes.io/controller-uid", False),
        ("annotation.x", False),
        ("topology.kubernetes.io/zone", False),
        ("my-pod-template-hash", True),
    ],
)
def test_which_labels_are_part_of_an_identity(key, expected):
    assert is_identity_label(key) is expected


@pytest.mark.parametrize(
    ("operator", "expected"),
    [
        (Operator.IN, DENY),
        (Operator.EXISTS, DENY),
        (Operator.NOT_IN, ALLOW),
        (Operator.DOES_NOT_EXIST, ALLOW),
    ],
)
def test_network_policies_do_not_see_other_labels(operator, expected):
    key = "pod-template-hash"
    hashed = cluster(replace(WEB, labels={"app": "web", key: "abc"}), DB)
    hidden = LabelSelector.of(
        Requirement("app", Operator.IN, frozenset(["web"])), Requirement(key, operator, frozenset(["abc"]))
    )
    asks = policy(INGRESS, app("db"), (Endpoints(pods=hidden), EVERY_PORT))
    assert ingress(TO_DB, asks, world=hashed).verdict is expected
    by_subject = policy(EGRESS, Endpoints(pods=hidden))
    assert judged(TO_DB, by_subject, world=hashed).egress.verdict is (ALLOW if expected is DENY else DENY)
    written = of(rule_of(INGRESS, app("db"), NOBODY)), closing(INGRESS, app("db"))
    assert ingress(TO_DB, *written, world=hashed).verdict is DENY


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ((Action.ALLOW, Action.DENY), DENY),
        ((Action.DENY, Action.ALLOW), DENY),
        ((Action.PASS, Action.ALLOW), ALLOW),
    ],
)
def test_rules_of_one_priority_are_asked_denials_first(actions, expected):
    one, other = (admin("cnp-admin", action, name=f"g{number}") for number, action in enumerate(actions))
    assert ingress(TO_DB, one, other, CLOSED).verdict is expected


def test_the_number_of_a_rule_counts_before_what_it_does():
    both = admin("cnp-admin", Action.ALLOW, Action.DENY)
    assert ingress(TO_DB, both).verdict is ALLOW
    between = admin("cnp-admin", Action.DENY, priority=1.005, name="between")
    assert told(ingress(TO_DB, both, between)) == (ALLOW, "guard")
    second = replace(both, rules=tuple(replace(rule, index=1 - rule.index) for rule in both.rules))
    assert told(ingress(TO_DB, replace(second, rules=second.rules[:1]), between)) == (DENY, "between")


def test_there_are_no_tiers_before_1_20():
    guard = admin("cnp-admin", Action.DENY)
    assert ingress(TO_DB, guard, version=NEW).verdict is DENY
    assert ingress(TO_DB, guard, version=OLD).verdict is ALLOW


# Edits


@pytest.mark.parametrize("agent", [{}, {"policy_audit_mode": True}, {"policy_enforcement_mode": "always"}])
def test_an_edit_leaves_the_other_policies_the_objects_that_they_were(agent):
    profile, world = replace(CILIUM, cilium=replace(CiliumAgent(), **agent)), cluster()
    policies = [CLOSED, policy(INGRESS, app("web"), (app("db"), HTTP), name="q")]
    first = build_tables(world, policies, profile=profile)
    second = build_tables(world, [CLOSED], profile=profile, base=first)
    assert {id(rule) for rule in second.rules if rule.policy.kind != AGENT} < {id(rule) for rule in first.rules}
    assert second.rules == build_tables(world, [CLOSED], profile=profile).rules


# What a verdict rests on


def rests_on(the_flow, *policies):
    trace = Reference(cluster(), policies, CILIUM).explain(the_flow)
    return {(each.setting, each.current, each.word, each.verdict) for each in trace.depends_on}


def test_a_verdict_rests_on_settings_of_the_agent():
    assert rests_on(OWN_NODE, CLOSED) == {("allow_localhost", "auto", "policy", DENY)}
    assert rests_on(OTHER_NODE, CLOSED) == set()
    by_block = policy(INGRESS, app("db"), (Network(Cidr.parse("10.0.0.0/8")), EVERY_PORT))
    modes = {("policy_cidr_match_mode", "none", word, ALLOW) for word in ("pods", "nodes,pods")}
    assert rests_on(TO_DB, by_block) == modes


def test_habits_are_told_only_where_they_matter():
    trace = Reference(cluster(), (CLOSED,), CILIUM).explain(TO_DB)
    (pair,) = trace.pairs
    assert pair.egress.considered == ()
    assert [str(step.rule) for step in pair.ingress.considered] == ["NetworkPolicy shop/p ingress isolation"]
    trace = Reference(cluster(), (CLOSED,), CILIUM).explain(OWN_NODE)
    assert [str(step.rule) for step in trace.pairs[0].ingress.considered] == ["CiliumAgent allow-localhost ingress"]
