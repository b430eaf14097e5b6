"""Small hostile clusters over time: pods die and are born, change, and take each other's names and addresses."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from simcore.model.cluster import Cluster
from simcore.model.flows import End
from simcore.model.labels import LabelSelector
from simcore.model.names import ALWAYS, united
from simcore.model.peers import AllOf, AnyOf, Backends, Except, Nodes
from simcore.model.timeline import over_time

from . import strategies, strategies_rules

MOMENTS = 40


def some_stretches(random):
    """Some stretches of time; now and then all of it."""
    starts = [random.randrange(MOMENTS) for _ in range(random.randint(1, 3))]
    found = [(start, start + random.randint(1, 15)) for start in starts]
    return united(random.choice([found, found, [(ALWAYS[0], starts[0])], [(starts[0], ALWAYS[1])], [ALWAYS]]))


def some_timeline(random):
    """A cluster over time, and some ends of flows in it."""
    cluster, ends = strategies_rules.some_cluster(random)
    pods = [lived for pod in cluster.pods for lived in some_lives(random, cluster, pod)]
    nodes = [(node, some_stretches(random) if random.random() < 0.3 else (ALWAYS,)) for node in cluster.nodes]
    nodes += [(replace(one, labels=strategies.make_labels(random)), some_stretches(random)) for one in cluster.nodes]
    services = [(one, some_stretches(random) if random.random() < 0.3 else (ALWAYS,)) for one in cluster.services]
    services += [(replace(one, selector=LabelSelector()), some_stretches(random)) for one in cluster.services[:1]]
    spaces = [
        (replace(space, labels={**space.labels, **strategies.make_labels(random)}), times)
        for space in cluster.namespaces.values()
        for times in random.choice([[(ALWAYS,)], [((ALWAYS[0], 10),), ((10, 25),), ((25, ALWAYS[1]),)]])
    ]
    accounts = [(key, labels, (ALWAYS,)) for key, labels in cluster.accounts.items()]
    found = over_time(spaces, pods, nodes, services, accounts)
    ends += [End(None, random.choice(cluster.pods).full_name) for _ in range(3)] if cluster.pods else []
    return replace(found, names=cluster.names), ends


def some_lives(random, cluster, pod):
    """A pod and what takes its place, each with its times: mostly one after the other, else at once by chance."""
    versions = [pod, *(some_change(random, cluster, pod) for _ in range(random.choice([0, 1, 2])))]
    if random.random() < 0.2:
        return [(version, some_stretches(random)) for version in versions]
    edges = [ALWAYS[0], *sorted(random.sample(range(MOMENTS), 4)), ALWAYS[1]]
    shares = [[] for _ in versions]
    for stretch in pairwise(edges):
        if random.random() < 0.8:
            random.choice(shares).append(stretch)
    return [(version, united(times)) for version, times in zip(versions, shares, strict=True)]


def some_change(random, cluster: Cluster, pod):
    """Another pod by the name of one, or one of another name with its address."""
    other = random.choice(cluster.pods)
    return replace(
        pod,
        name=random.choice([pod.name, pod.name, other.name]),
        labels=strategies.make_labels(random),
        addresses=random.choice([pod.addresses, other.addresses]),
        ports=other.ports,
        node=other.node,
    )


def is_constant(policy):
    """Whether rules hold the same ends at all times, but for pods that change: they go by no nodes and no backends."""
    return all(map(_is_constant, (peers for rule in policy.rules for peers in (rule.subject, rule.peer))))


def _is_constant(peer):
    match peer:
        case AnyOf(members) | AllOf(members):
            return all(map(_is_constant, members))
        case Except(inner):
            return _is_constant(inner)
        case _:
            return not isinstance(peer, Nodes | Backends)
