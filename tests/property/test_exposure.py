"""Exposure against the reference: what is told of pods that do not exist, asked of them once they do."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.connectivity import exposure
from simcore.analyses.connectivity.strangers import FIRST_KNOWN
from simcore.model.cluster import Cluster, ContainerPort, Namespace
from simcore.model.flows import End, Flow, Verdict
from simcore.model.labels import NAMESPACE_NAME_LABEL
from simcore.model.policy import Direction
from simcore.model.ports import PORT_PROTOCOLS
from simcore.reference import Reference

from .. import strategies, strategies_rules
from ..manifests import load
from .test_connectivity import OSPF, POINTS, questions, told

NAMED = 50_123


@given(questions(), st.integers(0, 2**48))
def test_a_stranger_who_comes_gets_what_was_told(question, seed):
    cluster, policies, profile = question
    snapshot = load(*cluster, *policies)
    check(snapshot.cluster, snapshot.policies, profile, Random(seed))


@given(st.integers(0, 2**48))
def test_every_kind_of_rule_tells_strangers_right(seed):
    random = Random(seed)
    cluster, _ = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    check(cluster, policies, profile, random)


def check(cluster, policies, profile, random):
    found = exposure(cluster, policies, profile)
    pods = [pod for pod in cluster.pods if pod.is_plain and not pod.finished]
    assert sum(one.pods for one in found.exposed) == 2 * len(pods)
    for number, stranger in enumerate(found.strangers):
        if number >= FIRST_KNOWN:
            check_stranger(found, number, Reference(coming(cluster, stranger.pod), policies, profile))
    labels = strategies.make_labels(random)
    guest = replace(found.strangers[0].pod, labels=labels, namespace_labels=strategies.make_labels(random))
    reference = Reference(coming(cluster, guest), policies, profile)
    for one in found.exposed:
        pairs = zip(told(one.anybody.ports)[:-1], asked(reference, one), strict=False)
        assert all(verdict is Verdict.ALLOW for sure, verdict in pairs if sure is Verdict.ALLOW)


def check_stranger(found, number, reference):
    for one in found.exposed:
        openness = dict(one.others).get(number)
        if openness:
            assert asked(reference, one) == told(openness.ports)
            if one.direction is Direction.EGRESS:
                check_names(reference, one, openness)


def check_names(reference, one, openness):
    names = {(name.protocol, name.name): verdict for name, verdict in openness.names}
    for protocol in PORT_PROTOCOLS:
        for place, name in enumerate(strategies.PORT_NAMES):
            plain = openness.ports.verdict(protocol, NAMED + place)
            verdict = ask(reference, one, protocol, NAMED + place)
            assert verdict == names.get((protocol, name), plain)


def coming(cluster, pod):
    """The cluster once the stranger is there, in a namespace that can be called by its name."""
    name = "new" if pod.namespace.startswith("@") else pod.namespace
    labels = {**pod.namespace_labels, NAMESPACE_NAME_LABEL: name}
    ports = tuple(
        ContainerPort(each, protocol, NAMED + place)
        for place, each in enumerate(strategies.PORT_NAMES)
        for protocol in PORT_PROTOCOLS
    )
    guest = replace(pod, namespace=name, name="stranger", namespace_labels=None, account_labels=None, ports=ports)
    spaces = {**cluster.namespaces, name: Namespace(name, labels)}
    accounts = {**cluster.accounts, (name, pod.account): pod.account_labels}
    pods = [*cluster.pods, replace(guest, namespace_labels=labels, account_labels=pod.account_labels)]
    return Cluster.of(
        spaces.values(), pods, cluster.nodes, cluster.services, accounts, cluster.names, cluster.identities
    )


def asked(reference, one):
    """The verdicts of what binds the workload's pod, as `told` lists them."""
    return (*(ask(reference, one, *point) for point in POINTS), ask(reference, one, OSPF, None))


def ask(reference, one, protocol, port):
    guest = next(pod.full_name for pod in reference.cluster.pods if pod.name == "stranger")
    ends = End(pod=one.example), End(pod=guest)
    flow = Flow(*(ends if one.direction is Direction.EGRESS else ends[::-1]), protocol, port)
    return reference.judge(flow).outcome(one.direction).verdict
