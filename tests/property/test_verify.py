"""Captures that the reference recorded: all agree; where a policy is taken away, its flows differ and name it."""

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

import simcore
from simcore.model.flows import Verdict
from simcore.model.policy import Direction
from simcore.model.verification import Suspicion
from simcore.reference import Reference
from tests import captures as samples
from tests import strategies, strategies_rules
from tests.manifests import load
from tests.recorded import policies_of, rows_of, save


@st.composite
def captures(draw):
    """A cluster with policies, flows in it, and which policy is to be taken away."""
    cluster, policies = draw(strategies.clusters()), draw(strategies.policies())
    flows = [strategies.model_flow(flow) for flow in draw(st.lists(strategies.flows(cluster), min_size=1, max_size=30))]
    snapshot = load(*cluster, *policies)
    gone = draw(st.sampled_from([policy.ref for policy in snapshot.policies] or [None]))
    return snapshot, flows, draw(strategies.profiles()), gone


def recorded(flows, judgements):
    with tempfile.TemporaryDirectory() as folder:
        yield save(rows_of(flows, judgements), Path(folder) / "a.parquet")


def differences(then, now):
    """What decided at the sides whose verdict was known and is another now; those that are known now come first."""
    outcomes = [(then.outcome(side), now.outcome(side)) for side in Direction]
    differing = [(was, is_) for was, is_ in outcomes if was.verdict not in (Verdict.UNKNOWN, is_.verdict)]
    return [was for was, _ in sorted(differing, key=lambda pair: pair[1].verdict is Verdict.UNKNOWN)]


@given(captures())
def test_what_the_reference_recorded_agrees(question):
    snapshot, flows, profile, _ = question
    judgements = [Reference(snapshot.cluster, snapshot.policies, profile).judge(flow) for flow in flows]
    told = [j for j in judgements if any(j.outcome(side).verdict is not Verdict.UNKNOWN for side in Direction)]
    if not told:
        return
    for capture in recorded(flows, judgements):
        result = simcore.verify(capture, snapshot.cluster, snapshot.policies, profile)
        assert result.agrees
        assert result.comparable == len(told)


def some_request(random):
    """A request as a file tells it: what is empty there is not told."""
    request = strategies_rules.some_request(random)
    return replace(request, http_path=request.http_path or None, http_headers=request.http_headers or None)


@given(st.integers(0, 2**48))
def test_what_the_reference_recorded_agrees_under_rules_of_every_kind_and_requests(seed):
    random = Random(seed)
    cluster, ends = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    flows = [strategies_rules.some_flow(random, cluster, ends) for _ in range(40)]
    flows = [samples.recorded(replace(flow, request=some_request(random))) for flow in flows]
    judgements = [Reference(cluster, policies, profile).judge(flow) for flow in flows]
    told = [j for j in judgements if any(j.outcome(side).verdict is not Verdict.UNKNOWN for side in Direction)]
    for capture in recorded(flows, judgements) if told else ():
        result = simcore.verify(capture, simcore.build_tables(cluster, policies, profile=profile))
        assert result.agrees
        assert result.comparable == len(told)


@given(captures())
def test_a_policy_that_is_taken_away_is_told_by_exactly_its_flows(question):
    snapshot, flows, profile, gone = question
    left = [policy for policy in snapshot.policies if policy.ref != gone]
    then = [Reference(snapshot.cluster, snapshot.policies, profile).judge(flow) for flow in flows]
    now = [Reference(snapshot.cluster, left, profile).judge(flow) for flow in flows]
    if not any(j.outcome(side).verdict is not Verdict.UNKNOWN for j in then for side in Direction):
        return
    changed = [differences(was, is_) for was, is_ in zip(then, now, strict=True)]
    assert all(was.rule is not None and was.rule.policy == gone for found in changed for was in found)
    for capture in recorded(flows, then):
        result = simcore.verify(capture, snapshot.cluster, left, profile)
        assert result.opposite + result.undecided == sum(map(bool, changed))
        named = sum(policies_of(found[0]) is not None for found in changed if found)
        blamed = Counter()
        for each in result.disagreements:
            assert (each.suspicion is Suspicion.POLICY_MISSING) == bool(each.recorded.policies)
            blamed[each.suspicion, each.about] += each.flows
        assert blamed[Suspicion.POLICY_MISSING, str(gone)] == named
        assert all(about == str(gone) for suspicion, about in blamed if suspicion is Suspicion.POLICY_MISSING)
