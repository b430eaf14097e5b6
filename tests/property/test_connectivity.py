"""All possible connections against the reference: every pair of pods, every edge of a range, port by port."""

from collections import Counter
from dataclasses import replace
from itertools import permutations, product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.connectivity import RangeEnd, WorkloadEnd, connectivity
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import WorkloadRef
from simcore.model.flows import End, Flow, Verdict
from simcore.model.ports import PORT_PROTOCOLS
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies, strategies_rules
from ..manifests import load

OSPF = 89
POINTS = [(protocol, port) for protocol in PORT_PROTOCOLS for port in (0, 53, 79, 80, 81, 443, 8080, 65535)]
DENIED = (Verdict.DENY,) * (len(POINTS) + 1)
ADDRESSES = [
    Address.parse(text) for text in (*strategies.OUTSIDE, *strategies.POD_ADDRESSES_V4, *strategies.SERVICE_ADDRESSES)
]
ADDRESSES += [
    Address(block.family, edge) for block in map(Cidr.parse, strategies.BLOCKS) for edge in (block.first, block.last)
]


@st.composite
def questions(draw):
    return draw(strategies.clusters()), draw(strategies.policies()), draw(strategies.profiles())


def apart(cluster, random):
    """The cluster with its pods in few workloads, and on nodes of their own: what own nodes may do is not told."""
    owners = [(), *((WorkloadRef("n1", "Deployment", name),) for name in "ab")]
    pods = [
        replace(pod, node=pod.node and f"of-{number}", owners=random.choice(owners))
        for number, pod in enumerate(cluster.pods)
    ]
    return replace(cluster, pods=tuple(pods))


def asked(reference, source, destination):
    """The verdicts of some ports of each protocol, then that of a protocol without ports."""
    flows = [Flow(source, destination, *point) for point in POINTS]
    return tuple(reference.judge(flow).verdict for flow in [*flows, Flow(source, destination, OSPF, None)])


def told(ports):
    return (*(ports.verdict(*point) for point in POINTS), ports.other)


def families(pod):
    return {address.family for address in pod.addresses} or set(Family)


def between(reference, source, destination):
    if families(source) & families(destination):
        return asked(reference, End(pod=source.full_name), End(pod=destination.full_name))
    return DENIED


@given(questions(), st.integers(0, 2**48))
def test_every_pair_is_as_the_reference_says(question, seed):
    cluster, policies, profile = question
    snapshot = load(*cluster, *policies)
    check(apart(snapshot.cluster, Random(seed)), snapshot.policies, profile)


@given(st.integers(0, 2**48))
def test_every_kind_of_rule_is_as_the_reference_says(seed):
    random = Random(seed)
    cluster, _ = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    check(apart(cluster, random), policies, profile)


@given(strategies.clusters(), strategies.policies(), strategies.profiles())
def test_tables_that_took_over_others_tell_the_same(documents, written, profile):
    """Such tables may tell apart what their rules do not."""
    snapshot = load(*documents, *written)
    cluster, kept = snapshot.cluster, snapshot.policies[::2]
    base = build_tables(cluster, snapshot.policies, profile=profile)
    rebuilt = connectivity(build_tables(cluster, kept, profile=profile, base=base))
    fresh = connectivity(build_tables(cluster, kept, profile=profile))
    assert (rebuilt.ends, rebuilt.ports) == (fresh.ends, fresh.ports)
    for part in ("source_class", "destination_class", "end_of_pod", "cells"):
        assert (getattr(rebuilt, part) == getattr(fresh, part)).all()


def check(cluster, policies, profile):
    reference = Reference(cluster, policies, profile)
    found = connectivity(build_tables(cluster, policies, profile=profile))
    pods = [pod for pod in cluster.pods if pod.is_plain and not pod.finished]
    check_pods(found, pods, reference)
    ranges = check_ranges(found, somebody(cluster, profile))
    for number, address in ranges:
        check_outside(found, number, address, pods, reference)
    for each in (found.ports, map(bytes, found.cells), map(bytes, found.cells.T)):
        kinds = list(each)
        assert len(set(kinds)) == len(kinds)


def check_pods(found, pods, reference):
    """Pairs of pods, counted by workloads and verdicts."""
    wanted = Counter(
        (str(source.workload), str(destination.workload), between(reference, source, destination))
        for source, destination in permutations(pods, 2)
    )
    ends = [(n, end) for n, end in enumerate(found.ends) if isinstance(end, WorkloadEnd)]
    got = Counter()
    for (source, one), (destination, other) in product(ends, ends):
        pairs = one.pods * (other.pods - (source == destination))
        got[one.workload, other.workload, told(found.ports_of(source, destination))] += pairs
    assert +got == wanted
    totals = Counter(str(pod.workload) for pod in pods)
    assert all(end.total == totals[end.workload] for _, end in ends)
    by_workload = [(end.workload, found.source_class[n], found.destination_class[n]) for n, end in ends]
    assert len(set(by_workload)) == len(ends)
    assert [end.workload for _, end in ends] == sorted(end.workload for _, end in ends)


def somebody(cluster, profile):
    """The addresses at which a bare record finds somebody."""
    services = {address for service in cluster.services for address in service.addresses}
    guests = cluster.host_pods_at if profile.hostnetwork == "pod" else ()
    return {*cluster.pods_at, *cluster.node_at, *guests, *services}


def check_ranges(found, owned):
    """Addresses of nobody are in one range each, all others in none; return some addresses with their ends."""
    ranges = [(n, end) for n, end in enumerate(found.ends) if isinstance(end, RangeEnd)]
    holding = {
        address: [n for n, end in ranges for first, last in end.ranges if first <= address <= last]
        for address in ADDRESSES
    }
    assert {address: len(numbers) for address, numbers in holding.items()} == {
        address: int(address not in owned) for address in ADDRESSES
    }
    for _, end in ranges:
        for (_, last), (first, _) in zip(end.ranges, end.ranges[1:], strict=False):
            assert last.value + 1 < first.value
    assert len({(end.example.family, found.source_class[n], found.destination_class[n]) for n, end in ranges}) == len(
        ranges
    )
    edges = [(n, edge) for n, end in ranges for pair in (end.ranges[0], end.ranges[-1]) for edge in pair]
    return {*edges, *((numbers[0], address) for address, numbers in holding.items() if numbers)}


def check_outside(found, number, address, pods, reference):
    """Both directions between an outside address and every pod."""
    by_workload = {}
    for n, end in enumerate(found.ends):
        if isinstance(end, WorkloadEnd):
            by_workload.setdefault(end.workload, []).append(n)
    wanted, got = Counter(), Counter()
    for pod in pods:
        one, other = End(pod=pod.full_name), End(address=address)
        is_fitting = address.family in families(pod)
        out, back = (asked(reference, *pair) if is_fitting else DENIED for pair in ((one, other), (other, one)))
        wanted[str(pod.workload), out, back] += 1
    for workload, numbers in by_workload.items():
        for n in numbers:
            out, back = told(found.ports_of(n, number)), told(found.ports_of(number, n))
            got[workload, out, back] += found.ends[n].pods
    assert got == wanted
