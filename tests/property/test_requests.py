"""Rules that look at requests: tables and kernels against the reference, one flow at a time and in batches."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.model.peers import ANYTHING, Endpoints
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT, TCP, PortRange, PortSet
from simcore.model.profile import Profile

from .. import strategies, strategies_rules
from ..engines import assert_tables_agree

TIERS = (NETWORKPOLICY, NETWORKPOLICY, NETWORKPOLICY, Tier("anp"), Tier("banp"))
ONE_PORT = PortSet((PortRange(TCP, 80, 80),))


def some_rule(random, ref, number, direction, tier, tie):
    rule = strategies_rules.some_rule(random, ref, number, direction, ANYTHING, tier, False, tie)
    return replace(
        rule,
        subject=rule.subject if random.random() < 0.1 else random.choice([ANYTHING, Endpoints()]),
        peer=rule.peer if random.random() < 0.2 else ANYTHING,
        ports=rule.ports if random.random() < 0.1 else random.choice([EVERY_PORT, EVERY_PORT, ONE_PORT]),
        source_ports=rule.source_ports if random.random() < 0.3 else EVERY_PORT,
        action=random.choice([rule.action, Action.ALLOW]),
        requests=strategies_rules.some_requests(random) if random.random() < 0.7 else None,
    )


def some_policy(random, name, direction, tier):
    ref = PolicyRef("NetworkPolicy", "n1", name)
    tie = random.choice([None, None, (1.0,)])
    rules = [some_rule(random, ref, number, direction, tier, tie) for number in range(random.randint(1, 4))]
    if random.random() < 0.7:
        role = Role.ISOLATION if tier == NETWORKPOLICY else Role.TIER_END
        order = (1, 1000.0, name, "")
        rules.append(Rule.closing(ref, direction, Endpoints(), tier, order, strategies_rules.PLACE, role))
    return Policy(ref, tuple(rules), strategies_rules.PLACE)


def some_question(random):
    """A cluster, policies most of whose rules look at requests, and flows most of which have one."""
    cluster, ends = strategies_rules.some_cluster(random)
    policies = [
        some_policy(random, f"p{number}", random.choice(list(Direction)), random.choice(TIERS))
        for number in range(random.randint(1, 4))
    ]
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(60)]
    requests = [strategies_rules.some_request(random) if random.random() < 0.8 else None for _ in flows]
    flows = [
        replace(flow, request=request, protocol=random.choice([TCP, TCP, flow.protocol]), port=flow.port or 80)
        for flow, request in zip(flows, requests, strict=True)
    ]
    return cluster, policies, flows, random.choice([Profile(), strategies.make_profile(random)])


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference(seed):
    assert_tables_agree(*some_question(Random(seed)))
