"""Everything that reads files: manifests and dumps into clusters and policies, captures into flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .captures import open_capture, open_packets
    from .domain_names import load_names
    from .edits import apply, delete, enforce_staged
    from .history import History, WrittenPart, load_history
    from .manifests import Snapshot, load_cluster, load_manifests, load_policies, load_policy_set
    from .originals import Originals
    from .policysets import PolicySet

_HOMES = {
    "History": "history",
    "Originals": "originals",
    "PolicySet": "policysets",
    "Snapshot": "manifests",
    "WrittenPart": "history",
    "apply": "edits",
    "delete": "edits",
    "enforce_staged": "edits",
    "load_cluster": "manifests",
    "load_history": "history",
    "load_manifests": "manifests",
    "load_names": "domain_names",
    "load_policies": "manifests",
    "load_policy_set": "manifests",
    "open_capture": "captures",
    "open_packets": "captures",
}

__all__ = [
    "History",
    "Originals",
    "PolicySet",
    "Snapshot",
    "WrittenPart",
    "apply",
    "delete",
    "enforce_staged",
    "load_cluster",
    "load_history",
    "load_manifests",
    "load_names",
    "load_policies",
    "load_policy_set",
    "open_capture",
    "open_packets",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import loaders`` stays light."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
