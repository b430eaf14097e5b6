"""Versions of objects as a cluster over time, and as the policies of each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

from simcore.errors import Diagnostic, LoadError
from simcore.model.cluster import Cluster, Namespace, Node, Pod, Service, Stretch
from simcore.model.names import ALWAYS
from simcore.model.profile import Profile
from simcore.model.timeline import over_time, within_stretch

from ..clusters.kubernetes import Collector
from ..clusters.plugins import Guess
from ..documents import Document
from ..manifests import Intake
from ..policysets import PolicySet
from .ledger import Version

_Lived = tuple[Stretch, ...]


@dataclass(frozen=True)
class Period:
    """A stretch of time in which no object but pods changed, and the cluster as it was, all pods of that time in it."""

    stretch: Stretch
    cluster: Cluster
    plugin: Guess | None


def cuts_of(versions: Iterable[Version]) -> list[Stretch]:
    """Return the stretches between the times at which something changed, in order and without gaps."""
    edges = {edge for version in versions for edge in version.stretch}
    return list(pairwise(sorted({*ALWAYS, *edges})))


class Clusters:
    """Makes clusters of versions.

    Parameters
    ----------
    versions : sequence of Version
        Of all kinds.
    policy_namespaces : set of str
        The namespaces of policies of any time.
    problems : list of Diagnostic
        Written.
    """

    def __init__(self, versions: Sequence[Version], policy_namespaces: set[str], problems: list[Diagnostic]) -> None:
        own = [one for one in versions if is_of_cluster(one)]
        self._pods = [one for one in own if one.document.kind == "Pod"]
        self._others = [one for one in own if one.document.kind != "Pod"]
        self._groups = {one.document.group for one in versions}
        self._namespaces = policy_namespaces
        self._problems = problems
        self._spaces: list[tuple[Namespace, _Lived]] = []
        self._lived: list[tuple[Pod, _Lived]] = []
        self._nodes: list[tuple[Node, _Lived]] = []
        self._services: list[tuple[Service, _Lived]] = []
        self._accounts: list[tuple[tuple[str, str], Mapping[str, str], _Lived]] = []
        self._identities: dict[int, str] = {}

    def periods(self) -> list[Period]:
        """Return the cluster of each time."""
        found = []
        for stretch in cuts_of(self._others):
            problems: list[Diagnostic] = []
            found.append(self._period(stretch, problems))
            is_last = stretch[1] == ALWAYS[1]
            self._problems += (problem for problem in problems if is_last or problem.place.document)
        return found

    def over_time(self) -> Cluster:
        """Return everything that ever was as one cluster; after `periods`."""
        cluster = over_time(self._spaces, self._lived, self._nodes, self._services, self._accounts)
        return replace(cluster, identities=dict(sorted(self._identities.items())))

    def _period(self, stretch: Stretch, problems: list[Diagnostic]) -> Period:
        others = [one.document for one in self._others if _meets(one, stretch)]
        first, *later = _layers([one for one in self._pods if _meets(one, stretch)]) or [[]]
        collector = self._collected(others, first, problems)
        cluster = collector.cluster(self._namespaces)
        self._note(cluster, stretch)
        self._note_pods(cluster, first, stretch)
        for layer in later:
            pods = self._collected(others, layer, problems).cluster(self._namespaces)
            names = {_full_name(one.document) for one in layer}
            self._note_pods(replace(pods, pods=tuple(p for p in pods.pods if p.full_name in names)), layer, stretch)
        return Period(stretch, cluster, collector.plugin(cluster, self._groups))

    def _collected(self, others: Iterable[Document], pods: Iterable[Version], problems: list[Diagnostic]) -> Collector:
        collector = Collector(problems)
        for document in (*others, *(one.document for one in pods)):
            collector.add(document)
        return collector

    def _note(self, cluster: Cluster, stretch: Stretch) -> None:
        self._spaces += ((space, (stretch,)) for space in cluster.namespaces.values())
        self._nodes += ((node, (stretch,)) for node in cluster.nodes)
        self._services += ((service, (stretch,)) for service in cluster.services)
        self._accounts += ((key, labels, (stretch,)) for key, labels in cluster.accounts.items())
        self._identities.update(cluster.identities)

    def _note_pods(self, cluster: Cluster, versions: Iterable[Version], stretch: Stretch) -> None:
        lives = {_full_name(one.document): one.stretch for one in versions}
        for pod in cluster.pods:
            life = lives.get(pod.full_name, ALWAYS)
            ended = replace(pod, finished=False) if pod.finished and life[1] < ALWAYS[1] else pod
            if within := within_stretch((life,), stretch):
                self._lived.append((ended, within))


def _meets(version: Version, stretch: Stretch) -> bool:
    return version.first < stretch[1] and stretch[0] < version.end


def _layers(versions: Iterable[Version]) -> list[list[Version]]:
    """Part pods so that no two of a name are together; the first versions of all names come first."""
    seen: defaultdict[str, int] = defaultdict(int)
    layers: list[list[Version]] = []
    for version in versions:
        name = _full_name(version.document)
        if seen[name] == len(layers):
            layers.append([])
        layers[seen[name]].append(version)
        seen[name] += 1
    return layers


def _full_name(document: Document) -> str:
    metadata = cast("dict[str, dict[str, str]]", document.value)["metadata"]  # as policies have, once they are lowered
    return f"{metadata.get('namespace') or 'default'}/{metadata['name']}"


class PolicySets:
    """Makes sets of policies of versions."""

    def __init__(self, versions: Sequence[Version], profile: Profile, problems: list[Diagnostic]) -> None:
        self._versions = [one for one in versions if not is_of_cluster(one)]
        self._problems = problems
        self._profile = profile
        self._written = [self._lowered(one.document) for one in self._versions]

    @property
    def namespaces(self) -> set[str]:
        """The namespaces of all policies."""
        return {name for _, namespaces in self._written for name in namespaces}

    def sets(self) -> Iterator[tuple[int, PolicySet]]:
        """Yield the set of each time with the time from which it held, in order."""
        for stretch in cuts_of(self._versions):
            held = [
                written for one, (written, _) in zip(self._versions, self._written, strict=True) if _meets(one, stretch)
            ]
            everything = PolicySet(
                tuple(policy for written in held for policy in written.lowered),
                tuple(document for written in held for document in written.documents),
            )
            yield stretch[0], PolicySet().applied(everything)

    def _lowered(self, document: Document) -> tuple[PolicySet, set[str]]:
        intake = Intake(self._profile)
        intake.take(document, with_cluster=False)
        with suppress(LoadError):
            intake.finish()
        self._problems += intake.problems
        return intake.written(), intake.namespaces


def is_of_cluster(version: Version) -> bool:
    """Whether an object is part of the cluster, rather than of its policies."""
    return Collector.takes(version.document.group, version.document.kind)
