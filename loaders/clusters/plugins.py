"""Which network plugin a cluster runs, told from what it leaves there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guess:
    """A network plugin by its name in `simcore.model.plugins`, and what it was told from."""

    plugin: str
    evidence: str


DAEMON_SETS = {
    "calico-node": "calico",
    "canal": "calico",
    "anetd": "gke-dataplane-v2",
    "cilium": "cilium",
    "antrea-agent": "antrea",
    "ovnkube-node": "ovn-kubernetes",
    "kube-router": "kube-router",
    "kube-network-policies": "kube-network-policies",
    "kindnet": "kube-network-policies",
    "weave-net": "weave",
    "aws-node": "aws-vpc-cni",
    "kube-flannel-ds": "flannel",
    "kube-flannel": "flannel",
}
"""DaemonSets by name; one that enforces is before one that does not, since both may run side by side."""

_ANNOTATIONS = {
    "projectcalico.org/": "calico",
    "network.cilium.io/": "cilium",
    "node.antrea.io/": "antrea",
    "k8s.ovn.org/": "ovn-kubernetes",
    "kube-router.io/": "kube-router",
    "flannel.alpha.coreos.com/": "flannel",
}
"""Prefixes of the annotations that plugins write on nodes, in the same order."""


GROUPS = {
    "projectcalico.org": "calico",
    "crd.projectcalico.org": "calico",
    "cilium.io": "cilium",
    "crd.antrea.io": "antrea",
    "k8s.ovn.org": "ovn-kubernetes",
}
"""API groups of which only one plugin has objects."""


def tells_plugin(annotation: str) -> bool:
    """Whether the plugin may be told from this key among the annotations of a node."""
    return annotation.startswith(tuple(_ANNOTATIONS))


def guess_plugin(
    daemon_sets: Iterable[tuple[str, str]], annotations: Mapping[str, Iterable[str]], groups: Iterable[str] = ()
) -> Guess | None:
    """Tell the network plugin.

    Parameters
    ----------
    daemon_sets : iterable of (str, str)
        Namespace and name of each, or of the owners of pods where the objects themselves are missing.
    annotations : mapping of str to iterable of str
        Keys of the annotations of each node.
    groups : iterable of str
        API groups of objects, and of custom resources that are defined.
    """
    found = sorted(daemon_sets)
    for wanted, plugin in DAEMON_SETS.items():
        for namespace, name in found:
            if name == wanted:
                return Guess(plugin, f"DaemonSet {namespace}/{name}")
    for prefix, plugin in _ANNOTATIONS.items():
        for node, keys in annotations.items():
            for key in sorted(keys):
                if key.startswith(prefix):
                    return Guess(plugin, f"annotation {key} of node {node}")
    told = {GROUPS[group]: group for group in sorted(groups) if group in GROUPS}
    if len(told) == 1:
        ((plugin, group),) = told.items()
        return Guess(plugin, f"objects of {group}")
    return None
