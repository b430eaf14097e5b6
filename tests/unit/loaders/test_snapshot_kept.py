"""What snapshots keep of objects, whatever else the loaders come to read."""

import msgspec
import pytest
from msgspec import inspect

from loaders.clusters.objects import KINDS
from loaders.snapshots.kept import keep_of

SECRET = "hunter2"
OPEN = {"labels", "annotations", "selector", "capacity", "security-labels"}
"""Fields whose keys are anybody's. Annotations are cut from everything; a new one here may hold what should be."""


def open_fields(shape):
    """The names of mappings with free keys, and of fields of any type, in a structure."""
    if isinstance(shape, inspect.UnionType):
        for part in shape.types:
            yield from open_fields(part)
    elif isinstance(shape, inspect.ListType):
        yield from open_fields(shape.item_type)
    elif isinstance(shape, inspect.StructType):
        for field in shape.fields:
            parts = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
            if any(isinstance(part, inspect.DictType | inspect.AnyType) for part in parts):
                yield field.encode_name
            yield from open_fields(field.type)


def test_no_kind_has_other_fields_that_may_hold_anything():
    found = {name for wanted in KINDS.values() for name in open_fields(inspect.type_info(wanted))}
    assert found == OPEN


def filled(shape, depth=0):
    """An object with a secret in every annotation, wherever its kind reads any."""
    if isinstance(shape, inspect.UnionType):
        (shape,) = [part for part in shape.types if isinstance(part, inspect.StructType)] or [None]
    if not isinstance(shape, inspect.StructType):
        return None
    found = {field.encode_name: filled(field.type) for field in shape.fields}
    if "annotations" in found:
        found |= {"name": "web", "annotations": {"vault": SECRET}}
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(("group", "kind"), KINDS)
def test_annotations_are_cut_wherever_they_are(group, kind):
    found = filled(inspect.type_info(KINDS[group, kind]))
    assert SECRET in str(found)
    kept = keep_of(group, kind)(msgspec.Raw(msgspec.json.encode(found)))
    assert "annotations" not in str(kept)
    assert kept["metadata"]["name"] == "web"


def test_of_a_node_the_keys_that_tell_the_plugin_are_kept():
    annotations = {"network.cilium.io/ipv4-pod-cidr": SECRET, "vault": SECRET}
    node = {"metadata": {"name": "one", "annotations": annotations}}
    kept = keep_of("", "Node")(msgspec.Raw(msgspec.json.encode(node)))
    assert kept["metadata"]["annotations"] == {"network.cilium.io/ipv4-pod-cidr": ""}
