"""What a snapshot keeps of an object: the fields that are read, and nothing else, so that no secret is among them.

Of the cluster's objects that is what `loaders.clusters.objects` names, and when they came and went: no environment,
commands, volumes, annotations or managed fields. Of policies, and of what they lean on, it is name, labels and
specification.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from ..clusters.objects import KINDS, Labels, Object, OwnerReference, PodObject, Struct
from ..clusters.plugins import tells_plugin
from ..clusters.pods import FINISHED
from ..dialects import DIALECTS, LANGUAGES
from ..dialects.calico.hosts import FAILSAFE_FIELDS
from .writing import JsonObject

_HOLDING_TEMPLATES = ("spec", "template", "jobTemplate")
Keep = Callable[[msgspec.Raw], JsonObject]
"""Takes what is kept out of the JSON text of an object; raises msgspec.ValidationError where a field is mistyped."""
DEFINITION = ("apiextensions.k8s.io", "CustomResourceDefinition")
"""Definitions of custom resources: their groups tell the network plugin."""


def keep_of(group: str, kind: str) -> Keep:
    """Return what is to be done with the objects of a kind."""
    if wanted := KINDS.get((group, kind)):
        return _pod if wanted is PodObject else partial(_of_cluster, wanted=wanted, is_node=kind == "Node")
    if (group, kind) == DEFINITION:
        return partial(_as, wanted=_Definition)
    if (group, kind) in DIALECTS or any((group, kind) in language.kinds for language in LANGUAGES):
        return _felix if kind == "FelixConfiguration" else partial(_as, wanted=_Policy)
    return partial(_as, wanted=_Named)


class _DatedMetadata(Struct):
    """Name, labels and owners, and when the object came and went."""

    name: str | None = None
    namespace: str | None = None
    labels: Labels | None = None
    owner_references: list[OwnerReference] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class _Dated(Struct):
    metadata: _DatedMetadata | None = None


class _Policy(_Dated):
    """A policy, or what policies lean on."""

    spec: Any = None
    specs: Any = None


class _DefinitionSpec(Struct):
    group: str | None = None


class _Definition(_Dated):
    spec: _DefinitionSpec | None = None


class _Name(Struct):
    name: str | None = None
    namespace: str | None = None


class _Named(Struct):
    """An object of which only the kind matters."""

    metadata: _Name | None = None


class _Terminated(Struct):
    finished_at: str | None = None


class _State(Struct):
    terminated: _Terminated | None = None


class _Container(Struct):
    state: _State | None = None


class _Condition(Struct):
    last_transition_time: str | None = None


class _DatedStatus(Struct):
    phase: str | None = None
    start_time: str | None = None
    container_statuses: list[_Container] | None = None
    conditions: list[_Condition] | None = None


class _DatedPod(_Dated):
    """When a pod ran."""

    status: _DatedStatus | None = None


def _as(raw: msgspec.Raw, wanted: type[Struct]) -> JsonObject:
    return _plain(msgspec.json.decode(raw, type=wanted))


def _plain(found: Struct) -> JsonObject:
    plain: JsonObject = msgspec.to_builtins(found)
    return plain


def _of_cluster(raw: msgspec.Raw, wanted: type[Object], is_node: bool = False) -> JsonObject:
    found = msgspec.json.decode(raw, type=wanted)
    annotations = (found.metadata.annotations if found.metadata else None) or {}
    plain = _plain(found)
    _strip(plain)
    told = dict.fromkeys(filter(tells_plugin, annotations), "") if is_node else {}
    dated = _as(raw, _Dated).get("metadata", {})
    return {**plain, "metadata": {**plain.get("metadata", {}), **({"annotations": told} if told else {}), **dated}}


def _strip(found: JsonObject) -> None:
    """Take the annotations out of an object, and of the templates in it."""
    for name in _HOLDING_TEMPLATES:
        if isinstance(part := found.get(name), dict):
            _strip(part)
    if isinstance(metadata := found.get("metadata"), dict):
        metadata.pop("annotations", None)


def _pod(raw: msgspec.Raw) -> JsonObject:
    """Keep of a pod, besides what is read, when it started and, if it is gone or going, when its containers ended."""
    found = _of_cluster(raw, PodObject)
    dated = msgspec.json.decode(raw, type=_DatedPod)
    status = dated.status
    if status is None:
        return found
    if status.phase not in FINISHED and not (dated.metadata and dated.metadata.deletion_timestamp):
        status.container_statuses = None
    if status.phase not in FINISHED:
        status.conditions = None
    return {**found, "status": {**found.get("status", {}), **_plain(status)}}


def _felix(raw: msgspec.Raw) -> JsonObject:
    found = _as(raw, _Policy)
    spec = found.get("spec")
    if isinstance(spec, dict):
        fields = FAILSAFE_FIELDS.values()
        found["spec"] = {key: value for key, value in spec.items() if key in fields}
    return found
