"""The smallest rules that restore what a change of policies would cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...analyses.sightings import Sightings
from ...model.cluster import Cluster, Pod, WorkloadRef
from ...model.peers import Endpoints
from ...model.policy import Direction, Policy
from ...model.profile import Profile
from ..proposals import (
    NOTHING_SEEN,
    Evidence,
    Labels,
    PodPeer,
    ProposedPeer,
    ProposedPolicy,
    ProposedRule,
    selector_of,
)
from ..rules.blocks import External
from ..rules.building import Building, Group
from ..rules.dns import NameServers, name_servers
from ..rules.naming import Names, name_of
from ..rules.needs import Need, Needs, needs_of
from ..rules.selectors import Selectors


@dataclass(frozen=True)
class Repair:
    """What is proposed beside a change.

    Attributes
    ----------
    policies : tuple of ProposedPolicy
    needs : Needs
        What they were made of, and what could not be put in terms of a NetworkPolicy.
    notes : tuple of str
        What is to be known of the policies.
    """

    policies: tuple[ProposedPolicy, ...]
    needs: Needs
    notes: tuple[str, ...]


def repair(
    seen: Sightings,
    cluster: Cluster,
    candidate: Sequence[Policy],
    profile: Profile,
    external: External,
) -> Repair:
    """Propose policies that restore flows, beside a candidate.

    Parameters
    ----------
    seen : Sightings
        Of what the candidate, the last policy set of the tables, cuts.
    """
    needs, servers, selectors = needs_of(seen.lost, cluster, profile), name_servers(cluster), Selectors(cluster)
    building, isolation = Building(cluster, selectors, external), _Isolation(cluster, candidate)
    lookups = {need: evidence for need, evidence in needs.found.items() if _is_lookup(need, servers)}
    rest = {need: evidence for need, evidence in needs.found.items() if need not in lookups}
    proposed = [*_resolving(lookups, servers, building, isolation)]
    proposed += [_policy(group) for group in building.policies(rest)]
    names = Names((policy.ref.namespace, policy.ref.name) for policy in candidate)
    policies = tuple(map(names.named, proposed))
    return Repair(policies, needs, (*building.notes, *isolation.notes(policies)))


class _Isolation:
    """Knows which pods are isolated, so that what is added opens and does not close."""

    def __init__(self, cluster: Cluster, policies: Iterable[Policy]) -> None:
        self._cluster = cluster
        self._pods = [pod for pod in cluster.pods if pod.is_plain and not pod.host_network and not pod.finished]
        self._closing = [rule for policy in policies if policy.stages is None for rule in policy.rules if rule.closes]

    def holds(self, pod: Pod, direction: Direction) -> bool:
        """Whether some policy isolates a pod."""
        around = self._cluster.labels_around(pod)
        return any(
            rule.direction is direction
            and isinstance(rule.subject, Endpoints)
            and rule.subject.namespaces.matches(around)
            and rule.subject.pods.matches(pod.labels)
            for rule in self._closing
        )

    def open_pods(self, namespace: str, labels: Labels, direction: Direction) -> list[Pod]:
        """Return the pods that a policy would select and that nothing isolates yet."""
        selects = selector_of(labels).matches
        return [
            pod
            for pod in self._pods
            if pod.namespace == namespace and selects(pod.labels) and not self.holds(pod, direction)
        ]

    def notes(self, policies: Iterable[ProposedPolicy]) -> list[str]:
        """Say which policies close pods that were open."""
        found = []
        for policy in policies:
            for direction in policy.rules:
                pods = self.open_pods(policy.namespace, policy.pods, direction)
                if pods:
                    names = ", ".join(pod.full_name for pod in pods[:3]) + (", ..." if len(pods) > 3 else "")
                    found.append(f"{policy.namespace}/{policy.name} isolates pods that were open before: {names}")
        return found


def _is_lookup(need: Need, servers: NameServers) -> bool:
    return need.direction is Direction.EGRESS and need.party in servers.workloads and servers.answers(*need.port)


def _resolving(
    lookups: Mapping[Need, Evidence], servers: NameServers, building: Building, isolation: _Isolation
) -> Iterable[ProposedPolicy]:
    """Restore name resolution: for a namespace as a whole where all of it is closed, else for those who lost it."""
    by_namespace: dict[str, dict[WorkloadRef, Evidence]] = {}
    for need, evidence in sorted(lookups.items(), key=lambda item: item[0].subject):
        lost = by_namespace.setdefault(need.subject.namespace, {})
        lost[need.subject] = lost.get(need.subject, NOTHING_SEEN) + evidence
    for namespace, workloads in by_namespace.items():
        all_closed = not isolation.open_pods(namespace, (), Direction.EGRESS)
        subjects = [()] if len(workloads) > 1 and all_closed else _subjects(workloads, building)
        for labels in subjects:
            selects = selector_of(labels).matches
            some = {w: e for w, e in workloads.items() if selects(dict(_flat(building.subject(w).labels)))}
            yield _dns(namespace, labels, servers, some)


def _subjects(workloads: Collection[WorkloadRef], building: Building) -> list[Labels]:
    """Return selectors of workloads: a single one where they differ in one label only."""
    labels = list(dict.fromkeys(building.subject(workload).labels for workload in workloads))
    keys = {tuple(key for key, _ in each) for each in labels}
    if len(labels) > 1 and len(keys) == 1 and len(next(iter(keys))) == 1:
        (key,) = next(iter(keys))
        return [((key, tuple(sorted(value for each in labels for value in each[0][1]))),)]
    return labels


def _flat(labels: Labels) -> list[tuple[str, str]]:
    return [(key, values[0]) for key, values in labels]


def _dns(
    namespace: str, labels: Labels, servers: NameServers, workloads: Mapping[WorkloadRef, Evidence]
) -> ProposedPolicy:
    who = ", ".join(map(str, workloads))
    evidence = sum(workloads.values(), NOTHING_SEEN)
    first, *others = servers.peers
    peers = (ProposedPeer(first, (), evidence), *map(ProposedPeer, others))
    rules = {Direction.EGRESS: (ProposedRule(peers, servers.ports),)}
    return ProposedPolicy(namespace, "allow-dns-egress", labels, rules, (f"Name resolution, which {who} would lose.",))


def _policy(group: Group) -> ProposedPolicy:
    who = ", ".join(map(str, group.workloads))
    return ProposedPolicy(
        group.subject.namespace, _name(group), group.subject.labels, group.rules, (f"What {who} would lose.",)
    )


def _name(group: Group) -> str:
    """Name a policy after its workload, and after the other end where there is one only."""
    name = f"allow-{name_of(group.workloads)}"
    peers = [peer for rules in group.rules.values() for rule in rules for peer in rule.peers]
    if len(group.rules) > 1 or len(peers) != 1 or not isinstance(peers[0].peer, PodPeer):
        return name
    word = "to" if Direction.EGRESS in group.rules else "from"
    return f"{name}-{word}-{peers[0].who[0].rpartition('/')[2]}"
