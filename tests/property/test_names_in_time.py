"""Names that stand for addresses at times, and names that are not all there are: the tables against the reference."""

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.judging import flow_columns, judge_columns, judgement_of
from simcore.analyses.names import learn_names
from simcore.analyses.shards import Threads
from simcore.kernels.moments import NO_TIME
from simcore.model.names import ALWAYS, KnownNames, united
from simcore.model.peers import DomainNames
from simcore.reference import Reference
from simcore.reference.timely import at_time
from simcore.tables.build import build_tables

from .. import strategies_rules
from ..answers import Answers

MOMENTS = 40


def some_stretches(random):
    starts = [random.randrange(MOMENTS) for _ in range(random.randint(1, 3))]
    found = [(start, start + random.randint(1, 12)) for start in starts]
    return united(random.choice([found, found, [ALWAYS], [(ALWAYS[0], starts[0])]]))


def with_times(random, cluster):
    stretches = {key: some_stretches(random) for key in KnownNames.of(cluster).stretches}
    return KnownNames(stretches).given_to(cluster, are_all=random.random() < 0.5)


def with_names(random, policies):
    """The policies, with many rules of names."""
    atoms = [
        DomainNames((pattern,), (pattern,), external)
        for pattern in (r"[^.]*\.example", r"b\.example")
        for external in (True, False)
    ]
    return [
        replace(
            policy,
            rules=tuple(
                replace(rule, peer=random.choice(atoms)) if random.random() < 0.6 else rule for rule in policy.rules
            ),
        )
        for policy in policies
    ]


@given(st.integers(0, 2**48))
def test_tables_agree_with_the_reference(seed):
    random = Random(seed)
    cluster, ends = strategies_rules.some_cluster(random)
    cluster = with_times(random, cluster)
    policies = with_names(random, strategies_rules.some_policies(random))
    profile = strategies_rules.some_profile(random)
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(80)]
    times = [random.choice([None, *range(MOMENTS)]) for _ in flows]
    tables, reference = build_tables(cluster, policies, profile=profile), Reference(cluster, policies, profile)
    held = np.array([NO_TIME if moment is None else moment for moment in times], np.int64)
    judged = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=held)
    for row, (flow, moment) in enumerate(zip(flows, times, strict=True)):
        cells = judged.egress[0, row], judged.ingress[0, row], judged.verdict[0, row]
        expected = at_time(reference.judge(flow), flow, cluster, moment)
        assert judgement_of(tables, *map(int, cells)) == expected, (flow, moment)


@given(st.integers(0, 2**48), st.integers(1, 7), st.integers(1, 7))
def test_answers_tell_the_same_whatever_the_batches(seed, split_rows, batch_rows):
    random = Random(seed)
    cluster = with_times(random, strategies_rules.some_cluster(random)[0])
    rows = [
        (
            random.choice(["a.example", "B.example.", "d.other", None, ""]),
            random.choice(["10.0.0.2", "203.0.113.7,8.8.8.8", "fd00::1, 8.8.8.8", "", None, "nonsense"]),
            random.choice([None, *range(0, 400 * 10**9, 10**10)]),
            random.choice([None, -1, 0, 5, 100]),
        )
        for _ in range(random.randint(1, 20))
    ]
    found, learnt = learn_names(Answers(rows, split_rows), cluster, Threads(2), batch_rows)
    told = {}
    answers = [row for row in rows if row[0] and row[1]]
    for name, texts, moment, ttl in answers:
        stretch = ALWAYS if moment is None else (moment, moment + max(ttl or 0, 0) * 10**9 + 60 * 10**9)
        for text in texts.replace("nonsense", "").replace(" ", "").split(","):
            if text:
                told.setdefault((name.lower().rstrip("."), text), []).append(stretch)
    assert learnt.answers == len(answers)
    assert learnt.names == len({name for name, _ in told})
    before = {(name, str(address)): held for (name, address), held in KnownNames.of(cluster).stretches.items()}
    after = {(name, str(address)): held for (name, address), held in KnownNames.of(found).stretches.items()}
    expected = {key: united([*before.get(key, ()), *told.get(key, ())]) for key in before.keys() | told.keys()}
    assert after == expected
