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
from simcore.model.policy import Role
from simcore.model.profile import UPSTREAM
from simcore.tables.build import build_tables

from .. import strategies, strategies_admin, strategies_rules
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


def changes(cluster, policies, candidate, profile):
    """Whether a verdict that was known is another; whether any verdict is."""
    tables = build_tables(cluster, policies, candidate, profile=profile)
    before, after = verdicts(tables, 0), verdicts(tables, 1)
    told = (before != SCAN) & (after != SCAN)
    other = before != after
    return bool((told & other & (before < Verdict.UNKNOWN)).any()), bool((told & other).any())


@pytest.mark.parametrize("make", [kubernetes, admin, plain_rules, any_rules])
@given(SEEDS)
def test_without_what_is_needless_no_verdict_changes(make, seed):
    cluster, policies, profile = make(Random(seed))
    found = redundancy(build_tables(cluster, policies, profile=profile)).needless
    for needless in [*([each] for each in found), found]:
        if needless:
            known, some = changes(cluster, policies, without(policies, needless), profile)
            assert not known
            assert make is not kubernetes or not some


@given(SEEDS)
def test_what_stays_is_needed(seed):
    random = Random(seed)
    cluster, policies, _ = kubernetes(random)
    cluster = replace(cluster, pods=tuple(pod for pod in cluster.pods if pod.addresses))
    found = redundancy(build_tables(cluster, policies)).needless
    left = without(policies, found)
    for rule in [rule for policy in left for rule in policy.rules if rule.role is Role.WRITTEN]:
        bare = [replace(each, rules=tuple(other for other in each.rules if other is not rule)) for each in left]
        assert changes(cluster, left, bare, UPSTREAM)[1] or is_open(cluster, policies, rule)


def is_open(cluster, policies, rule):
    """Whether a rule matches nothing, or something that is in doubt, such as an end whose address is unknown."""
    found = meetings(build_tables(cluster, policies))
    (serial,) = [serial for serial, each in found.rules.items() if key_of(each) == key_of(rule)]
    cells = [cell for cell in found.cells if any(serial == other for other, _, _ in cell)]
    return not cells or not all(is_sure for cell in cells for _, _, is_sure in cell)


@pytest.mark.parametrize("make", [kubernetes, admin, plain_rules, any_rules])
@given(SEEDS)
def test_what_is_always_needless_is_so_in_other_clusters(make, seed):
    random = Random(seed)
    cluster, policies, profile = make(random)
    found = redundancy(build_tables(cluster, policies, profile=profile)).needless
    needless = [each for each in found if each.always]
    if needless:
        other, _, _ = make(random)
        assert not changes(other, policies, without(policies, needless), profile)[0]


@given(SEEDS)
def test_ties_are_told_where_the_tables_see_them(seed):
    random = Random(seed)
    cluster, policies, profile = admin(random)
    tables = build_tables(cluster, policies, profile=replace(profile, ties="unknown"))
    tied = any(outcome.reason is Reason.PRIORITY_TIE for outcome in tables.outcomes)
    assert bool(redundancy(tables).ties) >= tied
