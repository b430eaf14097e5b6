"""What becomes of all connections, against the reference on both sides, pod by pod."""

from collections import Counter
from itertools import permutations, product
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.connectivity import RangeEnd, connectivity
from simcore.analyses.connectivity.differences import Side, differences, flows_between
from simcore.model.flows import End, Flow, Verdict
from simcore.model.groups import Change
from simcore.model.ports import PORT_PROTOCOLS
from simcore.reference import Reference
from simcore.tables.build import build_tables

from .. import strategies
from ..manifests import load
from .test_connectivity import ADDRESSES, apart, families, somebody

POINTS = [(protocol, port) for protocol in PORT_PROTOCOLS for port in (0, 1, 2, 79, 80, 81, 82, 443, 444, 8080, 65535)]
DENIED = (Verdict.DENY,) * len(POINTS)


@st.composite
def questions(draw):
    policies = draw(strategies.policies()), draw(strategies.policies())
    return draw(strategies.clusters()), *policies, draw(strategies.profiles())


def asked(reference, source, destination):
    return tuple(reference.judge(Flow(source, destination, *point)).verdict for point in POINTS)


def told(change):
    return tuple(tuple(ports.verdict(*point) for point in POINTS) for ports in (change.before, change.after))


@given(questions(), st.integers(0, 2**48))
def test_changes_of_policies(question, seed):
    documents, before, after, profile = question
    loaded = [load(*documents, *policies) for policies in (before, after)]
    cluster = apart(loaded[0].cluster, Random(seed))
    sets = [snapshot.policies for snapshot in loaded]
    references = [Reference(cluster, policies, profile) for policies in sets]
    tables = build_tables(cluster, *sets, profile=profile)
    found = differences(*(Side(connectivity(tables, number), cluster) for number in (0, 1)))
    assert (found.only_before, found.only_after) == ([], [])
    check(found, cluster, references)
    check_outside(found, cluster, profile, references)
    check_examples(found, references)


def check(found, cluster, references):
    pods = [pod for pod in cluster.pods if pod.is_plain and not pod.finished]
    wanted, got = Counter(), Counter()
    for source, destination in permutations(pods, 2):
        ends = End(pod=source.full_name), End(pod=destination.full_name)
        if families(source) & families(destination):
            before, after = (asked(reference, *ends) for reference in references)
            if before != after:
                wanted[str(source.workload), str(destination.workload), (before, after)] += 1
    for source, destination, change in found.pairs():
        if source.is_workload and destination.is_workload:
            pairs = source.end.pods * (destination.end.pods - (source is destination))
            got[source.end.workload, destination.end.workload, told(change)] += pairs
    assert got == wanted


def check_outside(found, cluster, profile, references):
    """Some addresses of nobody, towards and from every pod."""
    pods = [pod for pod in cluster.pods if pod.is_plain and not pod.finished]
    free = [address for address in ADDRESSES if address not in somebody(cluster, profile)]
    wanted, got = Counter(), Counter()
    for pod, address in product(pods, free):
        for is_out, ends in (
            (True, (End(pod=pod.full_name), End(address))),
            (False, (End(address), End(pod=pod.full_name))),
        ):
            if address.family in families(pod):
                before, after = (asked(reference, *ends) for reference in references)
                if before != after:
                    wanted[str(pod.workload), address, is_out, (before, after)] += 1
    for source, destination, change in found.pairs():
        is_out = isinstance(destination.end, RangeEnd)
        if is_out or isinstance(source.end, RangeEnd):
            inner, outer = (source, destination) if is_out else (destination, source)
            for address in free:
                if any(first <= address <= last for first, last in outer.end.ranges):
                    got[inner.end.workload, address, is_out, told(change)] += inner.end.pods
    assert got == wanted


def check_examples(found, references):
    """Whoever is asked about a pair has the verdicts of the pair."""
    for source, destination, change in found.pairs():
        for kind in (Change.LOST, Change.GAINED, Change.UNKNOWN):
            for one in change.of(kind)[:1]:
                flows = flows_between(source, destination, one.protocol, one.first)
                verdicts = [reference.judge(flow).verdict for reference, flow in zip(references, flows, strict=True)]
                assert Change.between(*verdicts) is kind


def test_two_clusters_are_compared_by_names():
    """What is on one side only had, or has, no connection."""
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "n1"}} for name in ("a", "b", "c")
    ]
    cluster, other = (load(*some).cluster for some in (pods[:2], pods[1:]))
    found = differences(*(Side(connectivity(build_tables(one, ())), one) for one in (cluster, other)))
    assert (found.only_before, found.only_after) == (["n1/Pod/a"], ["n1/Pod/c"])
    assert found.kinds == {"added": 6, "removed": 6}
    assert found.changes == {Change.LOST: 6, Change.GAINED: 6, Change.UNKNOWN: 0}
