"""Kinds of objects that are not read: which of them matter, and which are only misspelt."""

from __future__ import annotations

from .clusters.objects import KINDS
from .dialects import DIALECTS, LANGUAGES, kubernetes
from .dialects.admin import FORMS, GROUP

UNMODELLED = {
    "security.antrea.tanzu.vmware.com": ("NetworkPolicy", "ClusterNetworkPolicy"),
    "k8s.ovn.org": ("EgressFirewall",),
    "network.openshift.io": ("EgressNetworkPolicy",),
}
"""Kinds of other groups that decide about traffic."""
_POLICIES = ("NetworkPolicy", "NetworkPolicies")
"""How the kinds of network policies end, in whatever group."""
_GROUPS = {group for group, _ in (*KINDS, *DIALECTS)}
_NAMES = {kind.lower(): (group, kind) for group, kind in (*KINDS, *DIALECTS) if group != "extensions"}
_API_VERSIONS = {"NetworkPolicy": kubernetes.API_VERSION, **{kind: form.api_version for kind, form in FORMS.items()}}
"""Where the policies belong that people file elsewhere."""
_TOGETHER = {(group, kind.lower()): kind for language in LANGUAGES for group, kind in language.kinds}
"""Kinds of each group whose documents are lowered together, by their names in lower case."""


def unmodelled(group: str, kind: str) -> bool:
    """Whether objects of this kind, which is not read, decide about traffic or seem to."""
    return _is_known(group, kind) or group == GROUP or kind.endswith(_POLICIES)


def _is_known(group: str, kind: str) -> bool:
    return kind in UNMODELLED.get(group, ())


def misspelt(api_version: str, kind: str) -> str | None:
    """Return a complaint where `kind` is almost one that is read: it would silently play no part."""
    group = api_version.rpartition("/")[0]
    item = kind.lower().removesuffix("list")
    if item != kind.lower() and (not item or item in _NAMES):
        return f"{kind!r} is not a kind. Did you mean {_NAMES[item][1] if item else ''}List?"
    if (group, kind.lower()) in _TOGETHER:
        return f"{kind!r} is not a kind. Did you mean {_TOGETHER[group, kind.lower()]}?"
    known = _NAMES.get(kind.lower())
    if known is None or _is_known(group, kind):
        return None
    wanted_group, wanted_kind = known
    if kind != wanted_kind and group in _GROUPS:
        return f"{kind!r} is not a kind. Did you mean {wanted_kind}?"
    if group != wanted_group and wanted_kind in _API_VERSIONS and (group in _GROUPS or "." not in group):
        return f"there is no {wanted_kind} in {api_version}. Write apiVersion: {_API_VERSIONS[wanted_kind]}"
    return None
