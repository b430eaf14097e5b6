"""What all objects of cilium.io have in common, and groups of blocks (CI-13, CI-39)."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import Diagnostic

from ...documents import Document
from ..fields import Field
from ..metadata import read_metadata
from .cidrs import Blocks, Group

GROUP = "cilium.io"
NAMESPACED, CLUSTERWIDE = "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"
CIDR_GROUP = "CiliumCIDRGroup"
_VERSIONS = {
    NAMESPACED: (f"{GROUP}/v2",),
    CLUSTERWIDE: (f"{GROUP}/v2",),
    CIDR_GROUP: (f"{GROUP}/v2", f"{GROUP}/v2alpha1"),
}
_FIELDS = {CIDR_GROUP: ("spec",)}


@dataclass(frozen=True, slots=True)
class Cilium:
    """One object; `namespace` is empty for kinds that are cluster-wide."""

    kind: str
    namespace: str
    name: str
    root: Field


def read_object(document: Document, problems: list[Diagnostic], hints: dict[str, str]) -> Cilium:
    """Read what stands around the specification of an object."""
    kind = document.kind
    fields = ("apiVersion", "kind", "metadata", *_FIELDS.get(kind, ("spec", "specs")), "status")
    root = Field(document, problems, document.value).mapping(fields, hints)
    if document.api_version not in _VERSIONS[kind]:
        root.error(
            f"there is no {kind} in {document.api_version}. Write apiVersion: {_VERSIONS[kind][0]}", "apiVersion"
        )
    for path in document.repeated_keys():
        root.error("this key stands here twice. Keep one", *path)
    metadata = read_metadata(root.get("metadata"), namespaced=kind == NAMESPACED)
    return Cilium(kind, metadata.namespace, metadata.name, root)


def read_group(found: Cilium, *, strict_cidr: bool) -> Group:
    """Read a CiliumCIDRGroup."""
    spec = found.root.get("spec").mapping(("externalCIDRs",), {"cidrs": "Did you mean externalCIDRs?"})
    if spec.value is None:
        found.root.error("a spec with externalCIDRs is required")
    reader = Blocks((), strict_cidr)
    cidrs = [cidr for item in spec.get("externalCIDRs").items() if (cidr := reader.block(item)) is not None]
    metadata = found.root.get("metadata").value
    labels = metadata.get("labels") if isinstance(metadata, dict) else None
    given = labels if isinstance(labels, dict) else {}
    return Group(found.name, {key: str(value or "") for key, value in given.items()}, tuple(cidrs))
