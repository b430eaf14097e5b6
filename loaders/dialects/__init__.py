"""Policy languages: what each (API group, kind) is lowered by, one by one or all of a language together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from simcore.errors import Diagnostic
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy
from simcore.model.profile import UPSTREAM, Profile

from ..documents import Document
from . import admin, antrea, calico, cilium, kubernetes


class Lower(Protocol):
    """Turns one document into policies, writing what it finds wrong into `diagnostics`."""

    def __call__(
        self, document: Document, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM
    ) -> list[Policy]:
        """Return the policies; none where the document is invalid."""


class LowerTogether(Protocol):
    """Turns all documents of a language into policies, writing what it finds wrong into `diagnostics`."""

    def __call__(
        self,
        documents: Sequence[Document],
        cluster: Cluster,
        diagnostics: list[Diagnostic],
        *,
        profile: Profile = UPSTREAM,
    ) -> list[Policy]:
        """Return the policies; invalid documents are left out."""


@dataclass(frozen=True, slots=True)
class Language:
    """A language whose policies lean on other objects, such as tiers and groups.

    Attributes
    ----------
    kinds : mapping of (str, str) to bool
        API group and kind of its objects; whether they are policies.
    short_names : mapping of str to str
        What kubectl takes for some of these kinds.
    """

    kinds: Mapping[tuple[str, str], bool]
    lower: LowerTogether
    short_names: Mapping[str, str] = field(default_factory=dict)


LANGUAGES: tuple[Language, ...] = (
    Language(antrea.KINDS, antrea.lower, {"acnp": "ClusterNetworkPolicy", "annp": "NetworkPolicy"}),
    Language(calico.KINDS, calico.lower),
    Language(cilium.KINDS, cilium.lower, cilium.SHORT_NAMES),
)
"""Languages whose documents are lowered together."""

DIALECTS: dict[tuple[str, str], Lower] = {
    ("networking.k8s.io", "NetworkPolicy"): kubernetes.lower,
    ("extensions", "NetworkPolicy"): kubernetes.lower,
    **{(admin.GROUP, kind): admin.lower for kind in admin.FORMS},
}
