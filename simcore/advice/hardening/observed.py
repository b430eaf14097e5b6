"""The policies that keep what a capture shows and close the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...analyses.sightings import Sightings
from ...model.cluster import Cluster, WorkloadRef
from ...model.policy import Direction, PolicyRef
from ...model.profile import Profile
from ..proposals import NOTHING_SEEN, Evidence, PodPeer, ProposedPeer, ProposedPolicy, ProposedRule
from ..rules.blocks import External
from ..rules.building import Building, Group
from ..rules.dns import NameServers, name_servers
from ..rules.naming import Names, name_of
from ..rules.needs import Need, Needs, needs_of
from ..rules.selectors import Selectors
from .baseline import default_deny, dns_egress
from .shared import shared

KIND = "NetworkPolicy"


@dataclass(frozen=True)
class Observed:
    """What is proposed from a capture.

    Attributes
    ----------
    policies : tuple of ProposedPolicy
        By namespace: what closes it, name resolution, then a policy for each workload that was seen.
    needs : Needs
        What they were made of, and what could not be put in terms of a NetworkPolicy.
    notes : tuple of str
        What is to be known of the policies.
    silent : tuple of WorkloadRef
        Workloads of these namespaces that nothing was seen of: all of theirs is closed but name resolution.
    """

    policies: tuple[ProposedPolicy, ...]
    needs: Needs
    notes: tuple[str, ...]
    silent: tuple[WorkloadRef, ...]


def observed(
    seen: Sightings, cluster: Cluster, profile: Profile, namespaces: Sequence[str], external: External
) -> Observed:
    """Propose policies for some namespaces.

    Parameters
    ----------
    seen : Sightings
        Of what closing these namespaces would cut, as `closed` makes it the last policy set of the tables.
    """
    needs, servers = needs_of(seen.lost, cluster, profile), name_servers(cluster)
    selectors = Selectors(cluster)
    building = Building(cluster, selectors, external)
    lookups, answering, rest = _divided(needs.found, servers)
    groups = [*building.policies(rest)]
    names, policies = Names(), []
    for namespace in sorted(namespaces):
        policies.append(names.named(default_deny(namespace)))
        policies.append(names.named(dns_egress(namespace, servers, _asked(lookups, namespace, servers))))
        own = [group for group in groups if group.subject.namespace == namespace]
        guarded = _with_answering(own, answering, namespace, servers, building)
        common, left = shared(namespace, guarded, selectors.workloads_in(namespace))
        policies += [names.named(policy) for policy in (*common, *map(_policy, left))]
    seen_of = {need.subject for need in needs.found} | {
        need.party for need in needs.found if isinstance(need.party, WorkloadRef)
    }
    silent = [
        workload
        for namespace in sorted(namespaces)
        for workload in selectors.workloads_in(namespace)
        if workload not in seen_of
    ]
    return Observed(tuple(policies), needs, building.notes, tuple(silent))


def stands_instead(ref: PolicyRef, namespaces: Iterable[str]) -> bool:
    """Whether the proposal for some namespaces takes the place of a policy."""
    return ref.kind == KIND and ref.namespace in set(namespaces)


def _divided(
    needs: Mapping[Need, Evidence], servers: NameServers
) -> tuple[dict[Need, Evidence], dict[Need, Evidence], dict[Need, Evidence]]:
    """Tell apart lookups, what name servers answer, and everything else."""
    lookups: dict[Need, Evidence] = {}
    answering: dict[Need, Evidence] = {}
    rest: dict[Need, Evidence] = {}
    for need, evidence in needs.items():
        own, other = need.subject in servers.workloads, need.party in servers.workloads
        if not servers.answers(*need.port) or not isinstance(need.party, WorkloadRef):
            rest[need] = evidence
        elif need.direction is Direction.EGRESS and other:
            lookups[need] = evidence
        elif need.direction is Direction.INGRESS and own:
            answering[need] = evidence
        else:
            rest[need] = evidence
    return lookups, answering, rest


def _asked(lookups: Mapping[Need, Evidence], namespace: str, servers: NameServers) -> tuple[ProposedPeer, ...]:
    """Return the name servers as peers, with who of a namespace asked them."""
    own = {need: evidence for need, evidence in lookups.items() if need.subject.namespace == namespace}
    who = tuple(sorted({str(need.subject) for need in own}))
    evidence = sum(own.values(), NOTHING_SEEN)
    remark = f"asked by {', '.join(who)}" if who else ""
    first, *others = servers.peers
    return (ProposedPeer(first, (), evidence, remark), *map(ProposedPeer, others))


def _with_answering(
    groups: list[Group],
    answering: Mapping[Need, Evidence],
    namespace: str,
    servers: NameServers,
    building: Building,
) -> list[Group]:
    """Let name servers be asked by every namespace, as all of them are allowed to ask."""
    asked: dict[WorkloadRef, dict[Need, Evidence]] = {}
    for need, evidence in answering.items():
        if need.subject.namespace == namespace:
            asked.setdefault(need.subject, {})[need] = evidence
    for workload, needs in sorted(asked.items()):
        subject = building.subject(workload)
        peer = ProposedPeer(PodPeer(""), (), sum(needs.values(), NOTHING_SEEN), "every namespace may resolve names")
        rule = ProposedRule((peer,), servers.ports)
        former = next((group for group in groups if group.subject == subject), Group(subject, (workload,), {}))
        rules = {Direction.INGRESS: (rule, *former.rules.get(Direction.INGRESS, ()))}
        if Direction.EGRESS in former.rules:
            rules[Direction.EGRESS] = former.rules[Direction.EGRESS]
        groups = [group for group in groups if group is not former]
        groups.append(Group(subject, tuple(sorted({*former.workloads, workload})), rules))
    return sorted(groups, key=lambda group: group.workloads)


def _policy(group: Group) -> ProposedPolicy:
    who = ", ".join(map(str, group.workloads))
    return ProposedPolicy(
        group.subject.namespace,
        name_of(group.workloads),
        group.subject.labels,
        group.rules,
        (f"Connections that {who} was seen to {_deeds(group)}.",),
    )


def _deeds(group: Group) -> str:
    words = {Direction.INGRESS: "accept", Direction.EGRESS: "open"}
    return " and to ".join(words[direction] for direction in group.rules)
