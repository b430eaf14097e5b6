"""What is said to be needless, against the verdicts of all flows with and without it."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.redundancy.cells import meetings
from simcore.analyses.redundancy.redundancy import redundancy
from simcore.kernels.extras import SCAN
from simcore.model.flows import Reason, Verdict
from simcore.model.plugins import plugin_named
from simcore.model.policy import Role
from simcore.model.profile import UPSTREAM
from simcore.tables.build import build_tables

from .. import (
    strategies,
    strategies_admin,
    strategies_antrea,
    strategies_calico,
    strategies_cilium,
    strategies_cilium_policies,
    strategies_rules,
)
from ..calico import CALICO
from ..manifests import load

SEEDS = st.integers(0, 2**48)


def kubernetes(random):
    snapshot = load(*strategies.make_cluster(random), *strategies.make_policies(random))
    return snapshot.cluster, snapshot.policies, strategies.make_profile(random)


def admin(random):
    snapshot = load(*strategies_admin.make_cluster(random), *strategies_admin.make_policies(random, names=False))
    return snapshot.cluster, snapshot.policies, strategies.make_profile(random)


def any_rules(random):
    cluster, _ = strategies_rules.some_cluster(random)
    return cluster, strategies_rules.some_policies(random), strategies_rules.some_profile(random)


def plain_rules(random):
    """Rules that match wherever their ends and destination ports do."""
    cluster, policies, profile = any_rules(random)
    plain = {"condition": "", "requests": None, "doubt": "", "tie": None, "source_ports": strategies_rules.EVERY_PORT}
    policies = [replace(each, rules=tuple(replace(rule, **plain) for rule in each.rules)) for each in policies]
    return cluster, policies, profile


def calico(random):
    snapshot = load(*strategies_calico.make_cluster(random), *strategies_calico.make_documents(random))
    return snapshot.cluster, snapshot.policies, CALICO


def antrea(random):
    snapshot = load(*strategies_antrea.make_cluster(random), *strategies_antrea.make_policies(random))
    return snapshot.cluster, snapshot.policies, plugin_named("antrea").profile


def cilium(random):
    made, agent = strategies_cilium.make_cluster(random), strategies_cilium.make_settings(random)
    profile = strategies_cilium.profile_of(plugin_named("cilium").profile, agent)
    documents = strategies_cilium_policies.make_policies(random, agent)
    snapshot = load(*strategies_cilium.documents(made), *documents, profile=profile)
    return strategies_cilium.model_cluster(snapshot.cluster, made), snapshot.policies, profile


MAKERS = [kubernetes, admin, calico, antrea, cilium, plain_rules, any_rules]


def key_of(rule):
    return rule.policy, rule.direction, rule.section, rule.index, rule.role


def without(policies, needless):
    """The policies less some rules and policies."""
    gone = {each.rule.policy for each in needless if each.whole}
    keys = {key_of(rule) for each in needless for rule in each.rules}
    return [
        replace(policy, rules=tuple(rule for rule in policy.rules if key_of(rule) not in keys))
        for policy in policies
        if policy.ref not in gone
    ]


def verdicts(tables, number):
    """The verdicts between every two identities, at every class; rows of extra classes beside them."""
    arrays = tables.arrays
    told = arrays.decision.astype(np.uint8) & 3
    programs = arrays.program_of.reshape(-1, tables.sets, 2, arrays.program_of.shape[1])[:, number]
    real = (tables.kept.ground.classes.port >= 0) | ~np.isin(tables.kept.ground.classes.protocol, (6, 17, 132))
    somewhere = np.arange(arrays.kind.size) != tables.outside
    lines = []
    for family in programs:
        for direction in (0, 1):
            rows = arrays.row_of[family[direction][:, None] + arrays.column_of[direction][None, somewhere]]
            lines.append(told[rows][..., real])
    return np.array(lines)


def changes(cluster, policies, candidates, profile):
    """Of each candidate whether a verdict is another, and whether any comes or goes that the tables cannot tell.

    They look at one rule at a time: that a rule which may match is wider than another in doubt is nothing to them.
    """
    tables = build_tables(cluster, policies, *candidates, profile=profile)
    before = verdicts(tables, 0)
    for number in range(1, len(candidates) + 1):
        after = verdicts(tables, number)
        other = (before != SCAN) & (after != SCAN) & (before != after)
        known = (before < Verdict.UNKNOWN) & (after < Verdict.UNKNOWN)
        yield bool((other & known).any()), bool(other.any())


@pytest.mark.parametrize("make", MAKERS)
@given(SEEDS)
def test_without_what_is_needless_no_verdict_changes(make, seed):
    cluster, policies, profile = make(Random(seed))
    found = redundancy(build_tables(cluster, policies, profile=profile)).needless
    candidates = [without(policies, needless) for needless in [*([each] for each in found), found] if needless]
    for known, some in changes(cluster, policies, candidates, profile) if found else ():
        assert not known
        assert make is not kubernetes or not some


@given(SEEDS)
def test_what_stays_is_needed(seed):
    cluster, policies, _ = kubernetes(Random(seed))
    cluster = replace(cluster, pods=tuple(pod for pod in cluster.pods if pod.addresses))
    left = without(policies, redundancy(build_tables(cluster, policies)).needless)
    rules = [rule for policy in left for rule in policy.rules if rule.role is Role.WRITTEN]
    bare = [
        [replace(each, rules=tuple(other for other in each.rules if other is not rule)) for each in left]
        for rule in rules
    ]
    for rule, (_, some) in zip(rules, changes(cluster, left, bare, UPSTREAM) if rules else (), strict=True):
        assert some or is_open(cluster, policies, rule)


def is_open(cluster, policies, rule):
    """Whether a rule matches nothing, or something that is in doubt, such as an end whose address is unknown."""
    found = meetings(build_tables(cluster, policies))
    (serial,) = [serial for serial, each in found.rules.items() if key_of(each) == key_of(rule)]
    cells = [cell for cell in found.cells if any(serial == other for other, _, _ in cell)]
    return not cells or not all(is_sure for cell in cells for _, _, is_sure in cell)


@pytest.mark.parametrize("make", MAKERS)
@given(SEEDS)
def test_what_is_always_needless_is_so_in_other_clusters(make, seed):
    random = Random(seed)
    cluster, policies, profile = make(random)
    found = redundancy(build_tables(cluster, policies, profile=profile)).needless
    needless = [each for each in found if each.always]
    if needless:
        other, _, _ = make(random)
        candidates = [without(policies, each) for each in ([[one] for one in needless] + [needless])]
        assert not any(known for known, _ in changes(other, policies, candidates, profile))


@given(SEEDS)
def test_ties_are_told_where_the_tables_see_them(seed):
    random = Random(seed)
    cluster, policies, profile = admin(random)
    tables = build_tables(cluster, policies, profile=replace(profile, ties="unknown"))
    tied = any(outcome.reason is Reason.PRIORITY_TIE for outcome in tables.outcomes)
    assert bool(redundancy(tables).ties) >= tied
