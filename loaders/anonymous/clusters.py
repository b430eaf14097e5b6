"""Objects that a cluster is made up of: namespaces, pods, controllers, nodes, Services, and Cilium's."""

from __future__ import annotations

from typing import Any

from ..clusters.plugins import tells_plugin
from .pseudonyms import Pseudonyms
from .shapes import (
    Handler,
    Scribe,
    address,
    domain,
    each,
    fields,
    flag,
    hidden,
    label_value,
    labels,
    moment,
    name,
    number,
    port,
    protocol,
    text,
    word,
)

_OWNER = fields({"kind": text(Pseudonyms.kind), "name": name, "controller": flag})
_METADATA = {
    "name": name,
    "namespace": name,
    "labels": labels,
    "ownerReferences": each(_OWNER),
    "creationTimestamp": moment,
    "deletionTimestamp": moment,
    "resourceVersion": number,
}


def metadata(**more: Handler) -> Handler:
    """Write the metadata of an object, some of its fields in ways of their own."""
    return fields({**_METADATA, **more})


def _annotations(value: Any, scribe: Scribe) -> Any:
    """Keep those annotations of a node by which its network plugin is told, without their values."""
    if not isinstance(value, dict):
        return None
    return {key: "" for key in value if isinstance(key, str) and tells_plugin(key)}


def _node_address(value: Any, scribe: Scribe) -> Any:
    """Write one address of a node; a name of its host, which is not read, is hidden."""
    return fields(
        {"type": word("InternalIP", "ExternalIP", "Hostname", "InternalDNS", "ExternalDNS"), "address": address}
    )(value, scribe)


def _quantity(value: Any, scribe: Scribe) -> Any:
    plain = isinstance(value, str) and len(value) < _LONGEST_QUANTITY and not value.isalpha()
    return value if plain else hidden(value, scribe)


_LONGEST_QUANTITY = 24

_PORTS = each(fields({"containerPort": number, "name": port, "protocol": protocol}))
_CONTAINERS = each(fields({"ports": _PORTS, "restartPolicy": word("Always", "OnFailure", "Never")}))
_POD_SPEC = fields(
    {
        "nodeName": name,
        "hostNetwork": flag,
        "serviceAccountName": name,
        "serviceAccount": name,
        "containers": _CONTAINERS,
        "initContainers": _CONTAINERS,
    }
)
_IPS = each(fields({"ip": address}))
_STATES = each(fields({"state": fields({"terminated": fields({"finishedAt": moment})})}))
_POD_STATUS = fields(
    {
        "phase": word("Pending", "Running", "Succeeded", "Failed", "Unknown"),
        "podIP": address,
        "podIPs": _IPS,
        "hostIP": address,
        "hostIPs": _IPS,
        "startTime": moment,
        "conditions": each(fields({"lastTransitionTime": moment})),
        "containerStatuses": _STATES,
    }
)
_TEMPLATE = fields({"metadata": metadata(), "spec": _POD_SPEC})
_WORKLOAD_SPEC = fields({"replicas": number, "parallelism": number, "template": _TEMPLATE})
_WORKLOAD = {"metadata": metadata(), "spec": _WORKLOAD_SPEC, "status": fields({"completionTime": moment})}
_SERVICE_PORT = fields({"port": number, "name": port, "protocol": protocol, "targetPort": port, "nodePort": number})


def _cluster_ip(value: Any, scribe: Scribe) -> Any:
    return value if value == "None" else address(value, scribe)


_POLICY = word("Cluster", "Local")
_SERVICE_SPEC = fields(
    {
        "type": word("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"),
        "clusterIP": _cluster_ip,
        "clusterIPs": each(_cluster_ip),
        "externalIPs": each(address),
        "loadBalancerIP": address,
        "externalName": domain,
        "externalTrafficPolicy": _POLICY,
        "internalTrafficPolicy": _POLICY,
        "allocateLoadBalancerNodePorts": flag,
        "healthCheckNodePort": number,
        "sessionAffinity": word("None", "ClientIP"),
        "publishNotReadyAddresses": flag,
        "selector": labels,
        "ports": each(_SERVICE_PORT),
    }
)
_BALANCER = fields(
    {
        "loadBalancer": fields(
            {"ingress": each(fields({"ip": address, "hostname": domain, "ipMode": word("VIP", "Proxy")}))}
        )
    }
)


def _slice_endpoint(value: Any, scribe: Scribe) -> Any:
    return fields(
        {
            "addresses": each(address),
            "conditions": fields({"ready": flag, "serving": flag, "terminating": flag}),
            "nodeName": name,
            "hostname": name,
        }
    )(value, scribe)


_SLICE_PORTS = each(fields({"port": number, "name": port, "protocol": protocol}))
_PAIR = fields({"ipv4": address, "ipv6": address})


def identity_label(value: Any, scribe: Scribe) -> Any:
    """Write a label as Cilium's endpoints have it: ``source:key=value``."""
    if not isinstance(value, str):
        return hidden(value, scribe)
    key, sign, own = value.partition("=")
    return scribe.names.key(key) + sign + str(label_value(key, own, scribe))


_ENDPOINT_STATUS = fields(
    {
        "identity": fields({"id": number, "labels": each(identity_label)}),
        "networking": fields({"addressing": each(_PAIR), "node": address}),
        "named-ports": _SLICE_PORTS,
    }
)


def _identity_name(value: Any, scribe: Scribe) -> Any:
    """Keep the name of a CiliumIdentity, which is its number."""
    return value if isinstance(value, str) and value.isdecimal() else hidden(value, scribe)


_PLAIN: dict[str, Handler] = {"metadata": metadata()}

KINDS: dict[tuple[str, str], dict[str, Handler]] = {
    ("", "Namespace"): _PLAIN,
    ("", "ServiceAccount"): _PLAIN,
    ("", "Pod"): {"metadata": metadata(), "spec": _POD_SPEC, "status": _POD_STATUS},
    ("", "Node"): {
        "metadata": metadata(annotations=_annotations),
        "status": fields(
            {"addresses": each(_node_address), "capacity": fields({"cpu": _quantity, "memory": _quantity})}
        ),
    },
    ("", "Service"): {"metadata": metadata(), "spec": _SERVICE_SPEC, "status": _BALANCER},
    ("discovery.k8s.io", "EndpointSlice"): {
        "metadata": metadata(),
        "addressType": word("IPv4", "IPv6", "FQDN"),
        "endpoints": each(_slice_endpoint),
        "ports": _SLICE_PORTS,
    },
    ("", "ReplicationController"): _WORKLOAD,
    **{
        (group, kind): _WORKLOAD
        for group in ("apps", "extensions")
        for kind in ("Deployment", "ReplicaSet", "DaemonSet")
    },
    ("apps", "StatefulSet"): _WORKLOAD,
    ("batch", "Job"): _WORKLOAD,
    ("batch", "CronJob"): {
        "metadata": metadata(),
        "spec": fields({"jobTemplate": fields({"spec": _WORKLOAD_SPEC})}),
    },
    ("cilium.io", "CiliumNode"): {
        "metadata": metadata(),
        "spec": fields({"addresses": each(fields({"ip": address})), "health": _PAIR, "ingress": _PAIR}),
    },
    ("cilium.io", "CiliumEndpoint"): {"metadata": metadata(), "status": _ENDPOINT_STATUS},
    ("cilium.io", "CiliumIdentity"): {"metadata": metadata(name=_identity_name), "security-labels": labels},
}
"""What is written of each (API group, kind) that makes up a cluster."""
