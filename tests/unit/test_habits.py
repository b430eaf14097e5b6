"""What a network plugin makes of policies."""

from dataclasses import replace

import pytest

from simcore.analyses.judging import judge_flows
from simcore.model.addresses import Cidr
from simcore.model.cluster import WorkloadRef
from simcore.model.flows import Reason, Verdict
from simcore.model.peers import AnyOf, Network
from simcore.model.plugins import PLUGINS, plugin_named
from simcore.model.policy import Tier
from simcore.model.ports import SCTP, TCP, NamedPort, PortRange, PortSet
from simcore.model.profile import UPSTREAM
from simcore.reference import Reference

from .test_reference import ANYTHING, DB, EVERY_PORT, INGRESS, TO_DB, WEB, app, cluster, flow, pod, policy

ALLOW, DENY, UNKNOWN = Verdict.ALLOW, Verdict.DENY, Verdict.UNKNOWN
NODES = Network(Cidr.parse("10.9.0.0/16"))
POD = Network(Cidr.parse("10.0.0.1/32"))


def outcome(the_flow, *policies, world=None, **settings):
    """The ingress outcome, by both engines."""
    profile = replace(UPSTREAM, **settings)
    judgement = Reference(world or cluster(), policies, profile).judge(the_flow)
    assert judge_flows(world or cluster(), policies, [the_flow], profile) == [judgement]
    return judgement.ingress


def verdict(*arguments, **settings):
    return outcome(*arguments, **settings).verdict


def test_a_range_without_end_port_is_its_first_port():
    wide = policy(INGRESS, app("db"), (ANYTHING, PortSet((PortRange(TCP, 80, 90), PortRange(TCP, 100, 100)))))
    for port, expected in ((80, ALLOW), (81, DENY), (100, ALLOW)):
        assert verdict(flow("shop/web", "shop/db", port=port), wide, endport=False) is expected
    other = replace(wide, rules=tuple(replace(rule, tier=Tier("cnp-admin")) for rule in wide.rules))
    assert verdict(flow("shop/web", "shop/db", port=81), other, endport=False) is ALLOW
    whole = policy(INGRESS, app("db"), (ANYTHING, PortSet((PortRange(TCP),))))
    assert verdict(TO_DB, whole, endport=False) is ALLOW


def test_what_becomes_of_sctp_is_unknown_where_policies_bind():
    opened = policy(INGRESS, app("db"), (ANYTHING, EVERY_PORT))
    by_sctp = flow("shop/web", "shop/db", SCTP)
    assert outcome(by_sctp, opened, sctp="unknown").reason is Reason.UNCERTAIN_RULE
    assert verdict(TO_DB, opened, sctp="unknown") is ALLOW
    assert verdict(flow("shop/db", "shop/web", SCTP), opened, sctp="unknown") is ALLOW
    both = policy(INGRESS, app("db"), (ANYTHING, PortSet((PortRange(TCP, 80, 80), PortRange(SCTP, 80, 80)))))
    assert verdict(TO_DB, both, sctp="unknown") is ALLOW
    assert verdict(by_sctp, both, sctp="unknown") is UNKNOWN


def test_named_ports_from_blocks_let_nothing_in():
    ports = PortSet((NamedPort(TCP, "http"), PortRange(TCP, 81, 81)))
    named = policy(INGRESS, app("web"), (AnyOf((POD, app("db"))), ports))
    outside = Network(Cidr.parse("192.0.2.0/24"))
    world = cluster(WEB, DB)
    from_outside = policy(INGRESS, app("web"), (AnyOf((outside, app("db"))), ports))
    for source, port, expected in (
        ("192.0.2.1", 8080, DENY),
        ("192.0.2.1", 81, ALLOW),
        ("shop/db", 8080, ALLOW),
        ("shop/db", 81, ALLOW),
    ):
        asked = flow(source, "shop/web", port=port)
        assert verdict(asked, from_outside, world=world, named_ports_from_blocks=False) is expected
    assert verdict(flow("shop/db", "shop/web", port=8080), named, named_ports_from_blocks=False) is ALLOW


def test_bare_pods_are_no_subjects_where_they_are_ignored():
    owned = replace(pod("db", "10.0.0.2", node="w2"), owners=(WorkloadRef("shop", "StatefulSet", "db"),))
    closed = policy(INGRESS, app("db"))
    assert verdict(TO_DB, closed, bare_pods="ignored") is ALLOW
    assert verdict(TO_DB, closed, world=cluster(WEB, owned), bare_pods="ignored") is DENY


def test_unselected_pods_are_closed_in_strict_mode():
    to_web = policy(INGRESS, app("web"), (ANYTHING, EVERY_PORT))
    strict = {"unselected_pods": "closed"}
    assert verdict(TO_DB, to_web, **strict) is DENY
    assert verdict(flow("shop/db", "shop/web"), to_web, **strict) is ALLOW
    leaving = Reference(cluster(), [to_web], replace(UPSTREAM, **strict)).judge(flow("shop/web", "192.0.2.1"))
    assert leaving.egress.verdict is ALLOW
    closed = Reference(cluster(), [], replace(UPSTREAM, **strict)).judge(TO_DB)
    assert (closed.verdict, closed.ingress.reason) == (DENY, Reason.RULE_DENIES)


@pytest.mark.parametrize(("setting", "expected"), [(True, ALLOW), (False, DENY)])
def test_blocks_may_not_match_nodes(setting, expected):
    from_nodes = policy(INGRESS, app("db"), (NODES, EVERY_PORT))
    assert verdict(flow("10.9.0.1", "shop/db"), from_nodes, ipblock_matches_nodes=setting) is expected


@pytest.mark.parametrize(("plugin", "expected"), [("upstream", "unknown"), ("calico", "name"), ("calico-3.30", "name")])
def test_policies_of_one_priority_have_an_order_where_the_plugin_gives_them_one(plugin, expected):
    assert plugin_named(plugin).profile.ties == expected


def test_plugins_have_names_of_their_own_and_sources():
    assert len({plugin.name for plugin in PLUGINS}) == len(PLUGINS)
    assert all(habit.source for plugin in PLUGINS for habit in plugin.habits)
    assert plugin_named("flannel").profile.enforced is False
    with pytest.raises(ValueError, match="no network plugin is named 'calic'"):
        plugin_named("calic")
