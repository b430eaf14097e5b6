"""Verify: what is compared with what, what is suspected where they differ, and that nothing rests on threads."""

from dataclasses import replace

import pytest

import simcore
from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow, Verdict
from simcore.model.plugins import plugin_named
from simcore.model.policy import Direction
from simcore.model.ports import TCP
from simcore.model.verification import Suspicion
from simcore.reference import Reference
from tests.manifests import load
from tests.recorded import rows_of, save

ADDRESSES = {"web": "10.0.0.1", "api": "10.0.0.2", "db": "10.0.0.3", "world": "203.0.113.9"}
TO_API, TO_DB = "NetworkPolicy shop/to-api", "NetworkPolicy shop/to-db"


def pod(name):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running", "podIP": ADDRESSES[name]},
    }


def policy(name, server, *clients):
    rules = [{"from": [{"podSelector": {"matchLabels": {"app": client}}}]} for client in clients]
    spec = {"podSelector": {"matchLabels": {"app": server}}, "policyTypes": ["Ingress"], "ingress": rules}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": spec,
    }


PODS = [pod(name) for name in ("web", "api", "db")]
POLICIES = [policy("to-api", "api", "web"), policy("to-db", "db", "api")]
MEETINGS = [("web", "api"), ("api", "db"), ("web", "db"), ("db", "web"), ("world", "api"), ("db", "world")]


def flow(source, destination, port=8080, source_port=40_000):
    return Flow(*(End(Address.parse(ADDRESSES[end])) for end in (source, destination)), TCP, port, source_port)


@pytest.fixture
def verified(tmp_path):
    """Verifies what the shop recorded under `then` with the policies of `now`."""

    def _verified(then=POLICIES, now=POLICIES, changed=None, flows=None, pods=PODS, **options):
        recorded, set_ = load(*PODS, *then), load(*pods, *now)
        flows = flows or [flow(*ends) for ends in MEETINGS]
        judge = Reference(recorded.cluster, recorded.policies).judge
        rows = list(rows_of(flows, map(judge, flows)))
        for row in rows:
            row.update(changed or {})
        return simcore.verify(save(rows, tmp_path / "a.parquet"), set_.cluster, set_.policies, **options)

    return _verified


def causes(result):
    return {(each.suspicion, each.about) for each in result.disagreements}


def pairs(result):
    return {(each.source.rpartition("/")[2], each.destination.rpartition("/")[2]) for each in result.disagreements}


def test_the_same_policies_agree_on_both_sides(verified):
    result = verified()
    assert result.agrees
    assert (result.flows, result.comparable, result.agreeing) == (6, 6, 6)
    assert [(side.side, side.comparable, side.agreeing) for side in result.sides] == [
        (Direction.EGRESS, 6, 6),
        (Direction.INGRESS, 6, 6),
    ]
    assert result.sides[1].flows[Verdict.DENY, Verdict.DENY] == 2


def test_a_policy_that_was_recorded_and_is_gone_is_named(verified):
    result = verified(now=[policy("to-api", "api", "db"), POLICIES[1]], then=[policy("old", "api", "web"), POLICIES[1]])
    assert causes(result) == {(Suspicion.POLICY_MISSING, "NetworkPolicy shop/old")}
    assert pairs(result) == {("web", "api")}
    (missing,) = result.missing
    assert (missing.name, missing.flows, missing.disagreeing) == ("NetworkPolicy shop/old", 1, 1)


def test_a_policy_that_is_gone_without_any_difference_is_told_all_the_same(verified):
    result = verified(now=POLICIES[:1])
    assert [(policy.name, policy.flows, policy.disagreeing) for policy in result.missing] == [(TO_DB, 1, 0)]


def test_what_is_denied_by_default_and_open_here_lacks_an_isolation(verified):
    result = verified(now=POLICIES[:1])
    assert causes(result) == {(Suspicion.ISOLATION_MISSING, "")}
    assert pairs(result) == {("web", "db")}


def test_a_policy_that_decides_here_and_is_not_recorded_may_be_newer(verified):
    result = verified(now=[*POLICIES, policy("closed", "web")])
    assert causes(result) == {(Suspicion.POLICY_NEWER, "NetworkPolicy shop/closed")}
    assert pairs(result) == {("db", "web")}
    (found,) = result.disagreements
    assert found.ours.ingress.rule.place.line or found.ours.ingress.rule.place.file
    opened = verified(now=[*POLICIES, policy("opened", "db", "web")])
    assert causes(opened) == {(Suspicion.POLICY_NEWER, "NetworkPolicy shop/opened")}


def test_a_policy_that_decided_and_is_there_was_changed(verified):
    result = verified(now=[policy("to-api", "api", "db"), POLICIES[1]])
    assert causes(result) == {(Suspicion.POLICY_CHANGED, TO_API)}


def test_a_pod_that_the_cluster_does_not_hold_is_named(verified):
    named = replace(flow("web", "api"), source=End(Address.parse(ADDRESSES["web"]), "shop/web"))
    result = verified(flows=[named], pods=PODS[1:])
    assert causes(result) == {(Suspicion.POD_UNKNOWN, "")}
    assert [each.source for each in result.disagreements] == ["shop/web"]
    assert (result.opposite, result.undecided) == (0, 1)
    assert not result.agrees


def test_a_side_that_is_judged_otherwise_tells_more_than_one_that_is_not_known(verified):
    homeless = [each | {"status": {"phase": "Running"}} for each in PODS]
    by_address = policy("by-address", "web")
    by_address["spec"] |= {"policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}]}]}
    named = Flow(End(pod="shop/web"), End(pod="shop/api"), TCP, 8080, 40_000)
    result = verified(now=[by_address, policy("closed", "api")], then=[], flows=[named], pods=homeless)
    assert causes(result) == {(Suspicion.POLICY_NEWER, "NetworkPolicy shop/closed")}
    assert [(side.side, side.flows[Verdict.ALLOW, Verdict.UNKNOWN]) for side in result.sides] == [
        (Direction.EGRESS, 1),
        (Direction.INGRESS, 0),
    ]
    unknown = verified(now=[by_address], then=[], flows=[named], pods=homeless)
    assert causes(unknown) == {(Suspicion.ADDRESS_UNKNOWN, "")}


def test_a_row_that_looks_like_an_answer_is_suspected_to_be_one(verified):
    answer = flow("api", "web", port=40_000, source_port=8080)
    result = verified(now=[*POLICIES, policy("closed", "web")], flows=[answer])
    assert causes(result) == {(Suspicion.REPLY, "")}


@pytest.mark.parametrize(
    ("record", "suspicion"), [("mid-stream", Suspicion.MID_STREAM), ("request", Suspicion.REQUEST)]
)
def test_what_the_row_stands_for_is_suspected(verified, record, suspicion):
    result = verified(now=[*POLICIES, policy("closed", "web")], changed={"record": record})
    assert {suspicion for suspicion, _ in causes(result)} == {suspicion}


def test_audits_count_as_denied(verified):
    audited = {"ingress_verdict": "audit", "egress_verdict": None, "observed_verdict": "forwarded"}
    denied = [flow("web", "db")]
    assert verified(flows=denied, changed=audited).agrees
    assert verified(flows=denied, changed=audited).audited == 1
    agent = plugin_named("cilium").profile.with_setting("policy_audit_mode", "true")
    assert verified(flows=denied, changed=audited, profile=agent).agrees
    let_through = verified(flows=denied, changed={"ingress_verdict": "forwarded"}, profile=agent)
    assert not let_through.agrees


def test_an_audit_that_nothing_here_denies_is_one_of_its_own(verified):
    audited = {"ingress_verdict": "audit", "ingress_policies": None}
    assert causes(verified(flows=[flow("db", "web")], changed=audited)) == {(Suspicion.AUDIT, "")}


def test_drops_that_no_policy_has_a_part_in_are_left_out_and_counted(verified):
    lost = {"egress_verdict": "dropped", "egress_reason": "CT_MAP_INSERTION_FAILED", "ingress_verdict": None}
    flows = [flow("web", "api"), flow("api", "db")]
    with pytest.raises(LoadError, match="none of 2 flows"):
        verified(flows=flows, changed=lost)
    result = verified(changed={**lost, "ingress_verdict": "forwarded"}, flows=flows)
    assert (result.comparable, result.agreeing) == (2, 2)


def test_a_flow_without_a_verdict_is_not_compared(tmp_path, verified):
    rows = list(rows_of([flow("web", "api")] * 3, [Reference(load(*PODS).cluster, []).judge(flow("web", "api"))] * 3))
    silent = dict.fromkeys(("egress_verdict", "ingress_verdict", "observed_verdict"))
    rows[1].update(silent)
    rows[2].update(silent, record="mid-stream")
    result = simcore.verify(save(rows, tmp_path / "b.parquet"), load(*PODS).cluster, [])
    assert (result.flows, result.comparable) == (3, 1)
    assert result.not_compared == {"": 1, "mid-stream": 1}


@pytest.mark.parametrize(
    ("through", "stopped"), [("ACCEPT", "REJECT"), ("allow", "deny"), ("forwarded", "dropped"), ("Allow", "Deny")]
)
def test_a_verdict_of_the_flow_as_a_whole_is_compared_with_ours(tmp_path, through, stopped):
    snapshot = load(*PODS, *POLICIES)
    flows = [flow(*ends) for ends in MEETINGS]
    judgements = [Reference(snapshot.cluster, snapshot.policies).judge(each) for each in flows]
    rows = [
        {
            **{name: value for name, value in row.items() if not name.startswith(("egress", "ingress"))},
            "observed_verdict": through if judgement.verdict is Verdict.ALLOW else stopped,
        }
        for row, judgement in zip(rows_of(flows, judgements), judgements, strict=True)
    ]
    capture = save(rows, tmp_path / "whole.parquet")
    result = simcore.verify(capture, snapshot.cluster, snapshot.policies)
    assert result.agrees and result.comparable == 6
    assert [side.side for side in result.sides] == [None]
    gone = simcore.verify(capture, snapshot.cluster, snapshot.policies[:1])
    assert causes(gone) == {(Suspicion.ISOLATION_MISSING, "")}


def test_threads_and_batches_change_nothing(tmp_path):
    snapshot = load(*PODS, *POLICIES)
    flows = [flow(*ends, port=8080 + number % 3) for number in range(40) for ends in MEETINGS]
    judge = Reference(snapshot.cluster, snapshot.policies).judge
    rows = list(rows_of(flows, map(judge, flows)))
    for row in rows:
        row["time"] = 1_000 - row["time"] % 7
    whole = save(rows, tmp_path / "c.parquet")
    first = simcore.verify(whole, snapshot.cluster, snapshot.policies[1:], threads=1)
    assert first.opposite == 40
    cut = save(rows, tmp_path / "c.parquet", group_rows=37)
    for threads, batch_rows in ((1, 1), (2, 17), (3, 1000)):
        assert (
            simcore.verify(cut, snapshot.cluster, snapshot.policies[1:], threads=threads, batch_rows=batch_rows)
            == first
        )


def test_a_capture_without_recorded_verdicts_is_refused(tmp_path):
    snapshot = load(*PODS)
    bare = {name: ADDRESSES["web"] for name in ("source_address", "destination_address")}
    capture = save(
        [{"protocol": TCP, **{k: Address.parse(v).value.to_bytes(16) for k, v in bare.items()}}], tmp_path / "d.parquet"
    )
    with pytest.raises(LoadError, match="egress_verdict, ingress_verdict and observed_verdict are looked for"):
        simcore.verify(capture, snapshot.cluster, [])


def test_words_that_mean_nothing_are_told(verified):
    nothing = {"egress_verdict": None, "ingress_verdict": None, "observed_verdict": "perhaps"}
    with pytest.raises(LoadError, match="say perhaps; understood are forwarded"):
        verified(changed=nothing)
