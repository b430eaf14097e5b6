"""All pairs at once against the reference, pair by pair and port by port."""

from collections import Counter
from itertools import permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.reachability import reachability
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow, Verdict
from simcore.model.ports import PORT_PROTOCOLS
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies, strategies_rules
from ..manifests import load

OSPF = 89
SOME_PORTS = (0, 52, 53, 54, 79, 80, 81, 443, 8079, 8080, 8081, 9090, 65535)


@st.composite
def questions(draw):
    return draw(strategies.clusters()), draw(strategies.policies()), draw(strategies.profiles())


def first_end(pod):
    """A pod at the address at which it counts."""
    address = next((a for a in pod.addresses if a.family is Family.V4), next(iter(pod.addresses), None))
    return End(address, pod.full_name)


def seen(judge, source, destination):
    """The verdicts of some ports of each protocol, then that of one without ports."""
    flows = [Flow(source, destination, protocol, port) for protocol in PORT_PROTOCOLS for port in SOME_PORTS]
    return tuple(judge(flow).verdict for flow in [*flows, Flow(source, destination, OSPF, None)])


def told(each):
    """The same of a class of pairs."""

    def verdict(protocol, port):
        for ranges, word in ((each.allowed, Verdict.ALLOW), (each.unknown, Verdict.UNKNOWN)):
            if any(ports.contains(protocol, port) for ports in ranges):
                return word
        return Verdict.DENY

    return (*(verdict(protocol, port) for protocol in PORT_PROTOCOLS for port in SOME_PORTS), each.other)


@given(questions())
def test_pairs_are_counted_by_what_they_may_reach(question):
    cluster, policies, profile = question
    snapshot = load(*cluster, *policies)
    check(snapshot.cluster, snapshot.policies, profile)


@given(st.integers(0, 2**48))
def test_pairs_are_counted_under_every_kind_of_rule(seed):
    random = Random(seed)
    cluster, _ = strategies_rules.some_cluster(random)
    check(cluster, strategies_rules.some_policies(random), strategies_rules.some_profile(random))


def check(cluster, policies, profile):
    """Count the pairs both ways; of a source port that could decide nothing is known."""
    reference = Reference(cluster, policies, profile)
    pods = [p for p in cluster.pods if p.is_plain and (profile.hostnetwork == "pod" or not p.host_network)]
    families = {pod.full_name: first_end(pod).address for pod in pods}
    found = reachability(build_tables(cluster, policies, profile=profile), threads=1)
    wanted = Counter()
    for source, destination in permutations(pods, 2):
        ends = families[source.full_name], families[destination.full_name]
        if None not in ends and ends[0].family is not ends[1].family:
            wanted["mixed families"] += 1
        else:
            wanted[seen(reference.judge, first_end(source), first_end(destination))] += 1
    if not wanted["mixed families"]:
        got = Counter()
        for each in found.classes:
            got[told(each)] += each.pairs
        del wanted["mixed families"]
        assert got == wanted
    assert found.pods == len(pods)
    assert found.pairs == len(pods) * (len(pods) - 1)
