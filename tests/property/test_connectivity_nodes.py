"""Nodes as ends of connections against the reference: every pod with every node, both ways."""

from dataclasses import replace
from itertools import permutations, product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.connectivity import NodeEnd, RangeEnd, WorkloadEnd, connectivity
from simcore.model.flows import End, Verdict
from simcore.model.services import frontends
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies_rules
from ..manifests import load
from .test_connectivity import DENIED, POINTS, asked, families, questions, told

ALLOWED = (Verdict.ALLOW,) * len(DENIED)


@given(questions())
def test_nodes_are_as_the_reference_says(question):
    cluster, policies, profile = question
    snapshot = load(*cluster, *policies)
    check(snapshot.cluster, snapshot.policies, profile)


@given(st.integers(0, 2**48))
def test_every_kind_of_rule_is_as_the_reference_says(seed):
    random = Random(seed)
    cluster, _ = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    check(cluster, policies, profile)


def check(cluster, policies, profile):
    found = connectivity(build_tables(cluster, policies, profile=profile), nodes=True)
    asking = Asking(cluster, policies, profile)
    ends = [(number, end) for number, end in enumerate(found.ends) if isinstance(end, NodeEnd)]
    assert sorted(name for _, end in ends for name in end.nodes) == sorted(asking.addresses)
    for number, end in ends:
        for name, addresses in zip(end.nodes, end.addresses, strict=True):
            assert list(addresses) == asking.addresses[name]
        for workload, other in enumerate(found.ends):
            if isinstance(other, WorkloadEnd):
                pods = [cluster.pods[pod] for pod in (found.end_of_pod == workload).nonzero()[0]]
                check_workload(asking, end, pods, found.ports_of(workload, number), is_egress=True)
                check_workload(asking, end, pods, found.ports_of(number, workload), is_egress=False)
    check_beyond(found, ends, asking)


class Asking:
    """Asks the reference about nodes by their addresses; ports at which Services listen are left out."""

    def __init__(self, cluster, policies, profile):
        self.profile = profile
        self.reference = Reference(cluster, policies, profile)
        self.addresses = {}
        for address, name in sorted(cluster.node_at.items()):
            if address not in cluster.pods_at:
                self.addresses.setdefault(name, []).append(address)
        judged = replace(profile, egress_to_own_node="policy")
        self.on = {
            home: Reference(replace(cluster, pods=tuple(moved(cluster, home))), policies, judged)
            for home in ("", "elsewhere", *self.addresses)
        }
        guests = cluster.host_pods_at if profile.hostnetwork == "pod" else ()
        self.shared = {name for name, known in self.addresses.items() if any(each in guests for each in known)}
        served = {(one.protocol, one.port) for one in frontends(cluster)}
        self.points = [n for n, point in enumerate((*POINTS, None)) if point not in served]

    def seen(self, verdicts):
        return tuple(verdicts[number] for number in self.points)

    def with_pod(self, reference, pod, name, *, is_egress):
        """What a pod and a node may do."""
        fitting = [each for each in self.addresses[name] if each.family in families(pod)]
        ends = [(End(pod=pod.full_name), End(address=each)) for each in fitting]
        return self.agreed(reference, ends if is_egress else [pair[::-1] for pair in ends])

    def agreed(self, reference, pairs):
        found = [asked(reference, *pair) for pair in pairs] or [DENIED]
        return self.seen(merged(found))


def moved(cluster, home):
    """The pods, on one node."""
    for pod in cluster.pods:
        yield pod if pod.host_network else replace(pod, node=home)


def merged(found):
    return tuple(each[0] if len(set(each)) == 1 else Verdict.UNKNOWN for each in zip(*found, strict=True))


def check_workload(asking, end, pods, ports, *, is_egress):
    """With nodes of other pods as is told; to nodes as from there and from elsewhere, where these agree."""
    if asking.shared & set(end.nodes):
        return
    got = asking.seen(told(ports))
    is_judged = asking.profile.cilium or asking.profile.egress_to_own_node == "policy"
    for pod, name in product(pods, end.nodes):
        if is_egress and not pod.host_network:
            homes = ("elsewhere", name) if pod.node else ("",)
            assert got == merged([asking.with_pod(asking.on[home], pod, name, is_egress=True) for home in homes])
        if pod.node != name or (is_egress and is_judged):
            truth = asking.with_pod(asking.reference, pod, name, is_egress=is_egress)
            assert all(one in (verdict, Verdict.UNKNOWN) for one, verdict in zip(got, truth, strict=True))
            assert is_egress or got == truth


def check_beyond(found, ends, asking):
    """Among nodes, and with addresses outside: all is open unless policies bind nodes."""
    known = [(number, end, name) for number, end in ends for name in end.nodes if name not in asking.shared]
    for (number, _, name), (other, _, its) in permutations(known, 2):
        pairs = product(asking.addresses[name], asking.addresses[its])
        check_pair(found, asking, (number, other), [pair for pair in pairs if pair[0].family is pair[1].family])
    for (number, _, name), (other, outside) in product(known, enumerate(found.ends)):
        if isinstance(outside, RangeEnd):
            own = [each for each in asking.addresses[name] if each.family is outside.example.family]
            check_pair(found, asking, (number, other), [(each, outside.example) for each in own])
            check_pair(found, asking, (other, number), [(outside.example, each) for each in own])


def check_pair(found, asking, numbers, pairs):
    wanted = asking.agreed(asking.reference, [(End(address=one), End(address=other)) for one, other in pairs])
    assert asking.seen(told(found.ports_of(*numbers))) == wanted
    assert found.binds_nodes or not pairs or wanted == asking.seen(ALLOWED)
