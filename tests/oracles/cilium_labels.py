"""Cilium's labels: what an identity is made of, and what selectors ask of it.

A label is ``(source, key, value)``, a requirement ``(source, key, operator, values)``.
"""

from __future__ import annotations

import re

NAMESPACE_KEY = "io.kubernetes.pod.namespace"
CLUSTER_KEY = "io.cilium.k8s.policy.cluster"
ACCOUNT_KEY = "io.cilium.k8s.policy.serviceaccount"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
SOURCES = ("k8s", "reserved", "cidr", "cidrgroup", "fqdn", "node", "any", "unspec", "gen", "cni", "directory")
DROPPED = re.compile(
    r"io\.kubernetes|kubernetes\.io|beta\.kubernetes\.io|k8s\.io|statefulset\.kubernetes\.io/pod-name"
    r"|apps\.kubernetes\.io/pod-index|batch\.kubernetes\.io/job-completion-index|batch\.kubernetes\.io/controller-uid"
    r"|pod-template-generation|pod-template-hash|controller-revision-hash|annotation.*|controller-uid|etcd_node"
    r"|topology\.kubernetes\.io"
)


def is_relevant(key):
    """Whether a pod's label is part of its identity."""
    return not DROPPED.match(key)


def pod_labels(pod, namespaces, local_cluster):
    found = [("k8s", key, value) for key, value in pod.get("labels", {}).items() if is_relevant(key)]
    found += [
        ("k8s", NAMESPACE_LABELS + key, value) for key, value in namespace_labels(namespaces, pod["namespace"]).items()
    ]
    return [
        *found,
        ("k8s", NAMESPACE_KEY, pod["namespace"]),
        ("k8s", CLUSTER_KEY, pod.get("cluster", local_cluster)),
        ("k8s", ACCOUNT_KEY, pod.get("service_account", "default")),
    ]


def namespace_labels(namespaces, name):
    return {**namespaces.get(name, {}), "kubernetes.io/metadata.name": name} if name in namespaces else {}


def requirements(selector, default_source="any", prefix=""):
    """What a selector asks for; the keys get a prefix behind their source."""
    found = [(key, "Is", (value,)) for key, value in ((selector or {}).get("matchLabels") or {}).items()]
    for item in (selector or {}).get("matchExpressions") or []:
        found.append((item["key"], item["operator"], tuple(sorted(item.get("values") or ()))))
    return [
        (source, prefix + key, operator, values)
        for written, operator, values in found
        for source, key in [split_key(written, default_source)]
    ]


def split_key(written, default_source):
    source, colon, key = written.partition(":")
    return (source, key) if colon and source in SOURCES else (default_source, written)


def selects(asked, labels):
    return all(meets(one, labels) for one in asked)


def meets(requirement, labels):
    source, key, operator, values = requirement
    values_found = [value for other, name, value in labels if name == key and source in ("any", other)]
    match operator:
        case "Is" | "In":
            return bool(values_found) and values_found[0] in values
        case "NotIn":
            return not values_found or values_found[0] not in values
        case "Exists":
            return bool(values_found)
        case "DoesNotExist":
            return not values_found
    raise ValueError(requirement)


def has_reserved(asked):
    return any(source == "reserved" for source, *_ in asked)


def names_namespace(asked):
    return any(source in ("k8s", "any") and key == NAMESPACE_KEY for source, key, *_ in asked)


def names_namespace_labels(asked):
    return any(source in ("k8s", "any") and key.startswith(NAMESPACE_LABELS) for source, key, *_ in asked)


def in_cluster(asked, cluster):
    """The same, of one cluster alone, unless a cluster is asked for; None: of any."""
    if cluster is None or any(source in ("k8s", "any") and key == CLUSTER_KEY for source, key, *_ in asked):
        return asked
    return [*asked, ("k8s", CLUSTER_KEY, "Is", (cluster,))]


def scoped_peer(asked, namespace, cluster, is_for_init):
    """A peer selector with the namespace and the cluster that it does not spell out."""
    if has_reserved(asked):
        return asked
    if not names_namespace(asked):
        if namespace and not names_namespace_labels(asked):
            asked = [*asked, ("k8s", NAMESPACE_KEY, "Is", (namespace,))]
        elif not namespace and not is_for_init:
            asked = [*asked, ("k8s", NAMESPACE_KEY, "Exists", ())]
    return in_cluster(asked, cluster)


def scoped_subject(asked, namespace):
    """A CiliumNetworkPolicy's own selector: always of its namespace, whatever label it names itself."""
    kept = [one for one in asked if one[:3] != ("k8s", NAMESPACE_KEY, "Is")]
    return [*kept, ("k8s", NAMESPACE_KEY, "Is", (namespace,))]
