from dataclasses import replace

import pytest

from simcore.errors import Place
from simcore.model.mixtures import mixture_problems
from simcore.model.peers import ANYTHING
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Position, Rule, Tier
from simcore.model.ports import EVERY_PORT
from simcore.model.profile import UPSTREAM


def policy(kind, tier):
    ref, place = PolicyRef(kind, "", "a"), Place(f"{tier}.yaml", 1, 1)
    order = (0, 1.0, f"a//{kind}", 0)
    rule = Rule(ref, 0, Direction.EGRESS, ANYTHING, ANYTHING, EVERY_PORT, Action.DENY, Tier(tier), order, place)
    return Policy(ref, (rule,), place)


ANP, BANP = policy("AdminNetworkPolicy", "anp"), policy("BaselineAdminNetworkPolicy", "banp")
ADMIN, BASELINE = (policy("ClusterNetworkPolicy", tier) for tier in ("cnp-admin", "cnp-baseline"))
NETWORK = policy("NetworkPolicy", "networkpolicy")


@pytest.mark.parametrize("pair", [(ANP, ADMIN), (BASELINE, BANP)])
def test_two_versions_in_one_tier_have_no_order(pair):
    (problem,) = mixture_problems([NETWORK, *pair], UPSTREAM)
    assert problem.place.file.startswith("cnp-")
    assert "nothing says which is asked first. Write all of them as ClusterNetworkPolicy" in problem.message


@pytest.mark.parametrize("policies", [(ANP, BANP, NETWORK), (ADMIN, BASELINE), (ANP, BASELINE), (ADMIN, BANP), ()])
def test_what_has_an_order(policies):
    assert mixture_problems(policies, UPSTREAM) == []


def test_a_profile_may_know_the_order():
    tiers = [replace(t, position=Position((0,), (1.0,))) if t.name == "cnp-admin" else t for t in UPSTREAM.tiers]
    assert mixture_problems([ANP, ADMIN], replace(UPSTREAM, tiers=tuple(tiers))) == []
