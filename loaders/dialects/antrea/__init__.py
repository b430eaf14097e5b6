"""Antrea's own policies, of crd.antrea.io (docs/semantics/antrea.md)."""

from __future__ import annotations

from collections.abc import Sequence

from simcore.errors import Diagnostic, Severity
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy
from simcore.model.profile import UPSTREAM, Profile

from ...documents import Document
from . import groups, policies, tiers
from .objects import GROUP, read_object

KINDS = {
    (GROUP, "NetworkPolicy"): True,
    (GROUP, "ClusterNetworkPolicy"): True,
    (GROUP, "Tier"): False,
    (GROUP, "Group"): False,
    (GROUP, "ClusterGroup"): False,
}
"""API group and kind of what is read; whether these are policies."""
_SPEC_FIELDS = {
    "Tier": tiers.SPEC_FIELDS,
    "Group": groups.SPEC_FIELDS,
    "ClusterGroup": groups.SPEC_FIELDS,
    "NetworkPolicy": policies.SPEC_FIELDS,
    "ClusterNetworkPolicy": policies.SPEC_FIELDS,
}


def lower(
    documents: Sequence[Document], cluster: Cluster, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM
) -> list[Policy]:
    """Turn the policies among Antrea's objects into rules.

    Parameters
    ----------
    documents : sequence of Document
        All objects of crd.antrea.io: policies, and the tiers and groups that these name.
    cluster : Cluster
        Its namespaces and Services say what ``namespaces`` and ``serviceReference`` mean.
    diagnostics : list of Diagnostic
        Written: every problem found, as Antrea's admission would refuse it, and warnings.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.

    Returns
    -------
    list of Policy
        Those without errors, in reading order.
    """
    problems: list[list[Diagnostic]] = [[] for _ in documents]
    found = [
        read_object(document, own, _SPEC_FIELDS[document.kind])
        for document, own in zip(documents, problems, strict=True)
    ]
    strict = profile.strict_cidr
    around = policies.Surroundings(cluster, tiers.Tiers(), groups.Groups(cluster, strict_cidr=strict), strict)
    for item in found:
        if item.kind == "Tier":
            around.tiers.add(item)
        elif item.kind in ("Group", "ClusterGroup"):
            around.groups.add(item)
    lowered = [policies.lower_policy(item, around) if KINDS[GROUP, item.kind] else None for item in found]
    result = []
    for own, policy in zip(problems, lowered, strict=True):
        diagnostics += sorted(own, key=lambda diagnostic: diagnostic.place.line)
        if policy and not any(diagnostic.severity is Severity.ERROR for diagnostic in own):
            result.append(policy)
    return result
