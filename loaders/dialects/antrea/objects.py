"""What all objects of crd.antrea.io have in common: a version, a name, a place in a namespace or in none (AN-1)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from simcore.errors import Diagnostic

from ...documents import Document
from ..fields import Field
from ..metadata import read_metadata

GROUP = "crd.antrea.io"
API_VERSION = f"{GROUP}/v1beta1"
NAMESPACED = ("NetworkPolicy", "Group")
_FORMER_VERSIONS = {
    "NetworkPolicy": ("v1alpha1",),
    "ClusterNetworkPolicy": ("v1alpha1",),
    "Tier": ("v1alpha1",),
    "Group": ("v1alpha3",),
    "ClusterGroup": ("v1alpha2", "v1alpha3"),
}


@dataclass(frozen=True, slots=True)
class Antrea:
    """One object of Antrea's; `namespace` is empty for kinds that are cluster-wide."""

    kind: str
    namespace: str
    name: str
    root: Field

    @property
    def spec(self) -> Field:
        """The field ``spec``, not checked yet."""
        return self.root.get("spec")

    @property
    def is_cluster_wide(self) -> bool:
        """Whether it lies in no namespace."""
        return not self.namespace

    def __str__(self) -> str:
        """Write as ``Group shop/web``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def read_object(document: Document, problems: list[Diagnostic], spec_fields: Collection[str]) -> Antrea:
    """Read what stands around the specification of an object."""
    root = Field(document, problems, document.value).mapping(
        ("apiVersion", "kind", "metadata", "spec", "status"), dict.fromkeys(spec_fields, "Put it below spec")
    )
    _check_version(root)
    for path in document.repeated_keys():
        root.error("this key stands here twice. Keep one", *path)
    metadata = read_metadata(root.get("metadata"), namespaced=document.kind in NAMESPACED)
    return Antrea(document.kind, metadata.namespace, metadata.name, root)


def _check_version(root: Field) -> None:
    version, kind = root.document.api_version, root.document.kind
    if version == API_VERSION:
        return
    if version.rpartition("/")[2] in _FORMER_VERSIONS[kind]:
        root.warn(f"{version} is no longer served; it is read as {API_VERSION}. Write that", "apiVersion")
    else:
        root.error(f"there is no {kind} in {version}. Write apiVersion: {API_VERSION}", "apiVersion")
