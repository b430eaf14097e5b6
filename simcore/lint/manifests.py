"""Manifests that fixes are made of, as plain values in the order in which people write them."""

from __future__ import annotations

from collections.abc import Mapping

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
