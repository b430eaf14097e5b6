"""Kinds of objects that are not read: which of them matter, and which are only misspelt."""

from __future__ import annotations

from .clusters.objects import KINDS
from .dialects import DIALECTS

_UNMODELLED = {
    "policy.networking.k8s.io": ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"),
    "cilium.io": ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"),
    "projectcalico.org": ("NetworkPolicy", "GlobalNetworkPolicy"),
    "crd.projectcalico.org": ("NetworkPolicy", "GlobalNetworkPolicy"),
    "crd.antrea.io": ("NetworkPolicy", "ClusterNetworkPolicy"),
    "security.antrea.tanzu.vmware.com": ("NetworkPolicy", "ClusterNetworkPolicy"),
    "k8s.ovn.org": ("EgressFirewall",),
    "network.openshift.io": ("EgressNetworkPolicy",),
}
_GROUPS = {group for group, _ in (*KINDS, *DIALECTS)}
_NAMES = {kind.lower(): (group, kind) for group, kind in (*KINDS, *DIALECTS) if group != "extensions"}
_VERSIONED = {"": "v1", "networking.k8s.io": "networking.k8s.io/v1"}


def unmodelled(group: str, kind: str) -> bool:
    """Whether objects of this kind decide about traffic in ways that are not modelled yet."""
    return kind in _UNMODELLED.get(group, ())


def misspelt(api_version: str, kind: str) -> str | None:
    """Return a complaint where `kind` is almost one that is read: it would silently play no part."""
    group = api_version.rpartition("/")[0]
    known = _NAMES.get(kind.lower())
    if known is None or unmodelled(group, kind):
        return None
    wanted_group, wanted_kind = known
    if kind != wanted_kind and group in _GROUPS:
        return f"{kind!r} is not a kind. Did you mean {wanted_kind}?"
    if wanted_kind == "NetworkPolicy" and (group in _GROUPS or "." not in group):
        return f"there is no NetworkPolicy in {api_version}. Write apiVersion: {_VERSIONED[wanted_group]}"
    return None
