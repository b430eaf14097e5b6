"""Calico's policies and what they lean on, lowered to the rule list (docs/semantics/calico.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simcore.errors import Diagnostic, Place
from simcore.model import profile as profiles
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy

from ...documents import Document
from .endpoints import HostEndpoint, NetworkSet, Population
from .entities import Scope
from .hosts import (
    ALLOW_ALL,
    Failsafe,
    Profile,
    allow_all,
    failsafe_of,
    host_policy,
    read_failsafe,
    read_profile,
    read_profile_labels,
    warn_of_missing,
)
from .objects import BUILTIN_TIERS, TierEnd, read_host, read_set, read_tier
from .policies import KINDS as _ENFORCED
from .policies import STAGED, STAGED_KUBERNETES, World, lower_policy
from .reading import API_GROUP, STORAGE_GROUP, is_usable, read_head

POLICIES = (*_ENFORCED, *STAGED, STAGED_KUBERNETES)
OBJECTS = ("Tier", "NetworkSet", "GlobalNetworkSet", "HostEndpoint", "Profile", "FelixConfiguration")
_FROM_CLUSTER = ("kns.", "ksa.")
"""Profiles that Calico makes of namespaces and service accounts, and shows as if they were written."""


def lower(
    documents: Sequence[Document],
    cluster: Cluster,
    diagnostics: list[Diagnostic],
    *,
    profile: profiles.Profile = profiles.UPSTREAM,
) -> list[Policy]:
    """Turn all of Calico's documents into rules.

    Parameters
    ----------
    documents : sequence of Document
        Policies, staged ones too, and the tiers, sets, host endpoints and profiles that they lean on.
    cluster : Cluster
        Whose namespaces, pods and Services they mean.
    diagnostics : list of Diagnostic
        Written: every problem found, as the API would refuse it, and warnings.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.

    Returns
    -------
    list of Policy
        The policies, and a policy for each host endpoint; invalid documents are left out.
    """
    return _Reading(documents, cluster, diagnostics, profile.strict_cidr).policies()


@dataclass(frozen=True, slots=True)
class _Reading:
    """One set of documents."""

    documents: Sequence[Document]
    cluster: Cluster
    diagnostics: list[Diagnostic]
    strict_cidr: bool

    def policies(self) -> list[Policy]:
        labels = self._profile_labels()
        population = Population(self.cluster, tuple(self._sets()), tuple(self._hosts(labels)))
        profiles, failsafe = self._profiles(population), self._failsafe()
        world = World(population, self._tiers(), self.strict_cidr)
        return [
            *(host_policy(host, population, profiles, failsafe_of(host, failsafe)) for host in population.hosts),
            *(policy for document in self._of(POLICIES) for policy in self._policy(document, world)),
        ]

    def _of(self, kinds: Iterable[str]) -> Iterator[Document]:
        return (document for document in self.documents if document.kind in kinds)

    def _profile_documents(self) -> Iterator[Document]:
        """Yield the profiles that were written; others are made of namespaces and service accounts (CA-4)."""
        for document in self._of(["Profile"]):
            if not read_head(document, []).name.startswith(_FROM_CLUSTER):
                yield document

    def _profile_labels(self) -> dict[str, dict[str, str]]:
        """Read what host endpoints take over from profiles, whose rules are read when all host endpoints are known."""
        heads = [read_head(document, []) for document in self._profile_documents()]
        return {ALLOW_ALL: {}, **{head.name: read_profile_labels(head) for head in heads}}

    def _profiles(self, population: Population) -> dict[str, Profile]:
        found = {ALLOW_ALL: allow_all(Place(""))}
        scope = Scope(population, "", self.strict_cidr)
        for document in self._profile_documents():
            problems: list[Diagnostic] = []
            head = read_head(document, problems)
            profile, _ = read_profile(head, scope), read_profile_labels(head)
            if is_usable(document, problems, self.diagnostics):
                found[head.name] = profile
        return found

    def _hosts(self, labels: dict[str, dict[str, str]]) -> Iterator[HostEndpoint]:
        for document in self._of(["HostEndpoint"]):
            problems: list[Diagnostic] = []
            head = read_head(document, problems)
            host = read_host(head, labels)
            warn_of_missing(host, labels, head)
            if is_usable(document, problems, self.diagnostics):
                yield host

    def _failsafe(self) -> dict[str, Failsafe]:
        found = {}
        for document in self._of(["FelixConfiguration"]):
            problems: list[Diagnostic] = []
            head = read_head(document, problems)
            ports = read_failsafe(head)
            if is_usable(document, problems, self.diagnostics):
                found[head.name] = ports
        return found

    def _sets(self) -> Iterator[NetworkSet]:
        for document in self._of(["NetworkSet", "GlobalNetworkSet"]):
            problems: list[Diagnostic] = []
            found = read_set(read_head(document, problems), self.cluster, strict_cidr=self.strict_cidr)
            if is_usable(document, problems, self.diagnostics):
                yield found

    def _tiers(self) -> dict[str, TierEnd]:
        tiers = dict(BUILTIN_TIERS)
        for document in self._of(["Tier"]):
            problems: list[Diagnostic] = []
            tier = read_tier(read_head(document, problems))
            if is_usable(document, problems, self.diagnostics):
                tiers[tier.tier.name] = tier
        return tiers

    def _policy(self, document: Document, world: World) -> Iterator[Policy]:
        problems: list[Diagnostic] = []
        policy = lower_policy(read_head(document, problems), world)
        if is_usable(document, problems, self.diagnostics):
            yield policy


KINDS = {(group, kind): kind in POLICIES for group in (API_GROUP, STORAGE_GROUP) for kind in (*POLICIES, *OBJECTS)}
"""Calico's kinds that play a part, and whether they are policies."""
