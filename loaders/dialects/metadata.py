"""The metadata that every manifest carries."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Field
from .names import label_key_complaint, namespace_complaint, object_name_complaint
from .selectors import check_labels

DEFAULT_NAMESPACE = "default"
_FIELDS = (
    "name",
    "namespace",
    "labels",
    "annotations",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "ownerReferences",
    "finalizers",
    "managedFields",
    "selfLink",
    "clusterName",
)


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a policy needs of its metadata; the namespace is empty for what belongs to none."""

    namespace: str
    name: str


def read_metadata(field: Field, *, namespaced: bool = True) -> Metadata:
    """Read and check the name and namespace; a missing namespace is ``default``, where the kind has one."""
    metadata = field.mapping(_FIELDS)
    check_labels(metadata.get("labels"))
    annotations = metadata.get("annotations")
    for key in annotations.text_map():
        if complaint := label_key_complaint(key.lower()):
            annotations.error(complaint, key)
    namespace = metadata.get("namespace")
    if not namespaced and namespace.value:
        namespace.error("this kind belongs to no namespace. Remove the line")
    return Metadata(_namespace(namespace) if namespaced else "", _name(metadata))


def _name(metadata: Field) -> str:
    field = metadata.get("name")
    name = field.text()
    if not name and (field.value is None or name == ""):
        generated = metadata.get("generateName").value is not None
        hint = "generateName is filled in by the API server only" if generated else "Add one"
        field.error(f"a name is required. {hint}")
    elif name and (complaint := object_name_complaint(name)):
        field.warn(f"{complaint}. The API server refuses this name; verdicts do not depend on it")
    return name or ""


def _namespace(field: Field) -> str:
    name = field.text() or DEFAULT_NAMESPACE
    if complaint := namespace_complaint(name):
        field.error(complaint)
    return name
