"""Manifests of Antrea's objects, as short as a test needs them."""

VERSION = "crd.antrea.io/v1beta1"
APPLIED = [{"podSelector": {"matchLabels": {"app": "a"}}}]


def antrea(kind, name, spec, version=VERSION, **metadata):
    spec = {key: value for key, value in spec.items() if value is not None}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def cluster_policy(name="p", version=VERSION, **spec):
    """A ClusterNetworkPolicy that applies to the pods with app=a, and has priority 1, unless told otherwise."""
    return antrea("ClusterNetworkPolicy", name, {"priority": 1, "appliedTo": APPLIED, **spec}, version)


def namespaced_policy(name="p", namespace="n1", **spec):
    """The same as a NetworkPolicy."""
    return antrea("NetworkPolicy", name, {"priority": 1, "appliedTo": APPLIED, **spec}, namespace=namespace)


def tier(name, priority, version=VERSION):
    return antrea("Tier", name, {"priority": priority}, version)


def cluster_group(name, **spec):
    return antrea("ClusterGroup", name, spec)


def group(name, namespace="n1", **spec):
    return antrea("Group", name, spec, namespace=namespace)


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service(name, namespace="n1", **selector):
    spec = {"clusterIP": "10.96.0.1", "selector": selector, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
