"""Tables rebuilt from others against tables built afresh: whatever way the edits took, the same answers."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import flow_columns, judge_columns, objects_of
from simcore.analyses.results import rule_table
from simcore.tables.build import build_tables

from .. import strategies, strategies_rules
from ..manifests import load

STEPS = 6


def edit(random, policies, pool, former):
    """Add, delete, change, move or undo."""
    policies = list(policies)
    place = random.randrange(len(policies) + 1)
    kind = random.choice(["add", "delete", "change", "change", "rule", "reorder", "undo"])
    if kind == "undo":
        return random.choice(former)
    if kind == "reorder":
        random.shuffle(policies)
    elif kind == "add":
        policies.insert(place, random.choice(pool))
    elif policies:
        place = random.randrange(len(policies))
        if kind == "delete":
            del policies[place]
        elif kind == "change":
            policies[place] = random.choice(pool)
        else:
            policies[place] = changed(random, policies[place])
    return tuple(policies)


def changed(random, policy):
    """Leave out a rule, put one in a second time, or make a rule equal to one there is, but another object."""
    rules = list(policy.rules)
    if rules:
        place = random.randrange(len(rules))
        rules[place : place + 1] = random.choice([[], [rules[place]] * 2, [replace(rules[place])]])
    return replace(policy, rules=tuple(rules))


def make_path(random):
    """A cluster, policies one edit apart, flows and a profile."""
    cluster = strategies.make_cluster(random)
    snapshots = [load(*cluster, *strategies.make_policies(random)) for _ in range(3)]
    pool = [policy for snapshot in snapshots for policy in snapshot.policies]
    flows = [strategies.model_flow(flow) for flow in strategies.make_flows(random, cluster)]
    return snapshots[0].cluster, make_steps(random, pool), flows, strategies.make_profile(random)


def make_path_of_every_kind(random):
    """The same with rules of every kind there is."""
    cluster, ends = strategies_rules.some_cluster(random)
    pool = [policy for _ in range(3) for policy in strategies_rules.some_policies(random)]
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(30)]
    return cluster, make_steps(random, pool), flows, strategies_rules.some_profile(random)


def make_steps(random, pool):
    steps = [tuple(random.sample(pool, random.randint(0, len(pool))))]
    for _ in range(STEPS if pool else 0):
        steps.append(edit(random, steps[-1], pool, steps))
    return steps


def answers(tables, flows):
    """All that people see: what decides each flow under every set, what its ends are called, which rules there are."""
    judged = judge_columns(tables, *flow_columns(tables.pod_numbers, flows))
    cells = [found.tolist() for found in (judged.egress, judged.ingress, judged.verdict)]
    objects = [objects_of(tables, end).tolist() for end in (judged.source, judged.destination)]
    labels = [[tables.labels[tables.label_of[number]] for number in numbers] for numbers in objects]
    return cells, objects, labels, tables.labels, tables.outcomes, rule_table(tables)


@pytest.mark.parametrize("make", [make_path, make_path_of_every_kind])
@given(st.integers(0, 2**48))
def test_edits_build_what_a_fresh_build_does(make, seed):
    random = Random(seed)
    cluster, steps, flows, profile = make(random)
    built = []
    for number, policies in enumerate(steps):
        sets = [policies] if random.random() < 0.7 else [steps[max(number - 1, 0)], policies]
        base = random.choice([*built, *built[-1:] * 3]) if built else None
        tables = build_tables(cluster, *sets, profile=profile, base=base)
        fresh = build_tables(cluster, *sets, profile=profile)
        assert answers(tables, flows) == answers(fresh, flows)
        built.append(tables)
