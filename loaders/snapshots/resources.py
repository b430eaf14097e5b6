"""Which resources of an API server a snapshot is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ..clusters.objects import KINDS
from ..dialects import DIALECTS, LANGUAGES, kubernetes
from ..dialects.admin import FORMS, GROUP
from ..dialects.antrea import objects as antrea
from ..kinds import UNMODELLED, unmodelled
from .kept import DEFINITION

_ROW = re.compile(
    r"(?P<plural>\S+)\s+(?:\S+\s+)?(?P<version>\S+)\s+(?P<namespaced>true|false)\s+(?P<kind>\S+)\s+(?P<verbs>\S+)"
)
"""A line of ``kubectl api-resources -o wide``: a column of short names, which may be empty, comes second."""
_COMPUTED = ("controlplane.antrea.io",)
"""Groups whose policies a network plugin computes from others that are read."""
_READ = [*KINDS, *DIALECTS, *(kind for language in LANGUAGES for kind in language.kinds), DEFINITION]
_ORDER = {kind: number for number, kind in enumerate(_READ)}
"""Of kinds that several groups serve, the better group comes first."""
READ_GROUPS = frozenset(group for group, _ in (*_READ, *((group, "") for group in UNMODELLED)))
"""Groups that may hold something that verdicts depend on."""
_SUCCESSORS = {
    **{("extensions", kind): "apps" for kind in ("Deployment", "ReplicaSet", "DaemonSet")},
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
    **{(group, kind): "projectcalico.org" for group, kind in _READ if group == "crd.projectcalico.org"},
}
"""Where the objects of a kind are served better, if they are served there too."""
_VERSIONS = {
    ("networking.k8s.io", "NetworkPolicy"): kubernetes.API_VERSION,
    **{(GROUP, kind): form.api_version for kind, form in FORMS.items()},
    **{(group, kind): antrea.API_VERSION for group, kind in _READ if group == antrea.GROUP},
}
"""Versions that are read, where a server may prefer another one."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of an API server.

    Attributes
    ----------
    plural : str
        Its name in paths, such as ``pods``.
    namespaced : bool
        Whether its objects belong to namespaces.
    """

    plural: str
    api_version: str
    kind: str
    namespaced: bool

    @property
    def group(self) -> str:
        """API group; the core group is the empty text."""
        return self.api_version.rpartition("/")[0]

    @property
    def name(self) -> str:
        """How kubectl names it: ``pods``, ``networkpolicies.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None) -> str:
        """Return the path of its list, or of that in one namespace."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


def read_resources(table: str) -> list[Resource]:
    """Read what ``kubectl api-resources -o wide`` prints; only what can be listed."""
    found = []
    for line in table.splitlines():
        match = _ROW.match(line.strip())
        if match and "list" in match["verbs"].split(","):
            found.append(Resource(match["plural"], match["version"], match["kind"], match["namespaced"] == "true"))
    return found


def wanted(resources: Iterable[Resource], versions: Mapping[str, Iterable[str]]) -> list[tuple[Resource, ...]]:
    """Choose the resources that are read, in a fixed order.

    Parameters
    ----------
    resources : iterable of Resource
        Each in the version that the server prefers.
    versions : mapping of str to iterable of str
        The versions, ``group/version``, of each group.

    Returns
    -------
    list of tuple of Resource
        The same objects may be served in several ways: where the first cannot be listed, the next one does.
    """
    ways: dict[tuple[str, str], list[Resource]] = {}
    for resource in sorted(filter(_is_wanted, resources), key=_rank):
        key = (_SUCCESSORS.get((resource.group, resource.kind), resource.group), resource.kind)
        read = _VERSIONS.get((resource.group, resource.kind), resource.api_version)
        if read != resource.api_version and read in versions.get(resource.group, ()):
            ways.setdefault(key, []).append(replace(resource, api_version=read))
        ways.setdefault(key, []).append(resource)
    return [tuple(found) for found in ways.values()]


def _is_wanted(resource: Resource) -> bool:
    if resource.group in _COMPUTED:
        return False
    return (resource.group, resource.kind) in _ORDER or unmodelled(resource.group, resource.kind)


def _rank(resource: Resource) -> tuple[int, str]:
    return _ORDER.get((resource.group, resource.kind), len(_ORDER)), resource.name
