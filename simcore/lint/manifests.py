"""Manifests that fixes are made of, as plain values in the order in which people write them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .context import LintContext

_SPEC_ORDER = ("podSelector", "policyTypes", "ingress", "egress")


def with_spec(manifest: Mapping[str, object], **fields: object) -> dict[str, object]:
    """Return a policy with other fields in its spec, without status and what an API server adds."""
    metadata = manifest.get("metadata")
    spec = manifest.get("spec")
    changed = {**(spec if isinstance(spec, Mapping) else {}), **fields}
    return {
        "apiVersion": manifest.get("apiVersion", "networking.k8s.io/v1"),
        "kind": manifest.get("kind", "NetworkPolicy"),
        "metadata": own_metadata(metadata if isinstance(metadata, Mapping) else {}),
        "spec": ordered(changed),
    }


def own_metadata(metadata: Mapping[str, object]) -> dict[str, object]:
    """Return what people write of metadata: not what an API server adds."""
    kept = {name: metadata[name] for name in ("name", "namespace", "labels") if metadata.get(name)}
    noted = metadata.get("annotations")
    if isinstance(noted, Mapping):
        annotations = {name: text for name, text in noted.items() if not str(name).startswith("kubectl.kubernetes.io/")}
        return {**kept, "annotations": annotations} if annotations else kept
    return kept


def ordered(spec: Mapping[str, object]) -> dict[str, object]:
    """Return a spec with its fields in the usual order; others behind."""
    first = {name: spec[name] for name in _SPEC_ORDER if name in spec}
    return {**first, **{name: value for name, value in spec.items() if name not in first}}


def network_policy(namespace: str, name: str, spec: Mapping[str, object]) -> dict[str, object]:
    """Make a NetworkPolicy."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": ordered(spec),
    }


def free_name(context: LintContext, namespace: str, name: str) -> str:
    """Return a name that no NetworkPolicy of a namespace has: this one, or with a number behind it."""
    taken = {policy.ref.name for policy in context.policies if policy.ref.namespace == namespace}
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(free for free in names if free not in taken)
