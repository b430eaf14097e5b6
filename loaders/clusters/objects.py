"""The few fields of Kubernetes objects that verdicts depend on, as msgspec structures."""

from __future__ import annotations

from typing import TypeVar

import msgspec

Labels = dict[str, str | None]
T = TypeVar("T")


class Struct(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """Base: camel-case names, absent and null alike, other fields passed over."""


class OwnerReference(Struct):
    """Who made an object."""

    kind: str | None = None
    name: str = ""
    controller: bool | None = None


class Metadata(Struct):
    """Name, namespace, labels and owners; annotations are decoded only to be checked."""

    name: str | None = None
    namespace: str | None = None
    labels: Labels | None = None
    annotations: Labels | None = None
    owner_references: list[OwnerReference] | None = None


class Object(Struct):
    """Any object."""

    metadata: Metadata | None = None


class ContainerPort(Struct):
    """One declared port."""

    container_port: int | None = None
    name: str | None = None
    protocol: str | None = None


class Container(Struct):
    """One container; `restart_policy` ``Always`` makes an init container a sidecar."""

    ports: list[ContainerPort] | None = None
    restart_policy: str | None = None


class PodSpec(Struct):
    """What a pod runs, and where."""

    node_name: str | None = None
    host_network: bool | None = None
    service_account_name: str | None = None
    service_account: str | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None


class HostAddress(Struct):
    """One address of a pod or of its host."""

    ip: str | None = None


class BalancerAddress(Struct):
    """One address that a load balancer answers; `ip_mode` ``Proxy``: nodes do not."""

    ip: str | None = None
    ip_mode: str | None = None


class PodStatus(Struct):
    """Phase and addresses of a pod."""

    phase: str | None = None
    pod_ip: str | None = msgspec.field(name="podIP", default=None)
    pod_ips: list[HostAddress] | None = msgspec.field(name="podIPs", default=None)
    host_ip: str | None = msgspec.field(name="hostIP", default=None)
    host_ips: list[HostAddress] | None = msgspec.field(name="hostIPs", default=None)


class PodObject(Object):
    """A pod."""

    spec: PodSpec | None = None
    status: PodStatus | None = None


class PodTemplate(Struct):
    """The pods that a controller makes."""

    metadata: Metadata | None = None
    spec: PodSpec | None = None


class WorkloadSpec(Struct):
    """How many pods a controller makes, and from what."""

    replicas: int | None = None
    parallelism: int | None = None
    template: PodTemplate | None = None


class JobStatus(Struct):
    """Whether a Job has run to its end."""

    completion_time: str | None = None


class WorkloadObject(Object):
    """Deployment, ReplicaSet, StatefulSet, DaemonSet, ReplicationController or Job."""

    spec: WorkloadSpec | None = None
    status: JobStatus | None = None


class JobTemplate(Struct):
    """The Jobs that a CronJob makes."""

    spec: WorkloadSpec | None = None


class CronJobSpec(Struct):
    """What a CronJob runs."""

    job_template: JobTemplate | None = None


class CronJobObject(Object):
    """A CronJob."""

    spec: CronJobSpec | None = None


class NodeAddress(Struct):
    """One address of a node; `type` tells addresses from host names."""

    type: str = ""
    address: str = ""


class NodeStatus(Struct):
    """The addresses of a node, and what it has of CPUs and memory."""

    addresses: list[NodeAddress] | None = None
    capacity: dict[str, str | int | float | None] | None = None


class NodeObject(Object):
    """A node."""

    status: NodeStatus | None = None


class ServicePort(Struct):
    """One port of a Service."""

    port: int
    name: str | None = None
    protocol: str | None = None
    target_port: int | str | None = None
    node_port: int | None = None


class ServiceSpec(Struct):
    """Addresses, ports and selector of a Service."""

    type: str | None = None
    cluster_ip: str | None = msgspec.field(name="clusterIP", default=None)
    cluster_ips: list[str] | None = msgspec.field(name="clusterIPs", default=None)
    external_ips: list[str] | None = msgspec.field(name="externalIPs", default=None)
    selector: Labels | None = None
    ports: list[ServicePort] | None = None
    external_name: str | None = None
    internal_traffic_policy: str | None = None
    external_traffic_policy: str | None = None


class LoadBalancer(Struct):
    """The addresses a load balancer gave."""

    ingress: list[BalancerAddress] | None = None


class ServiceStatus(Struct):
    """What the cloud made of a Service."""

    load_balancer: LoadBalancer | None = None


class ServiceObject(Object):
    """A Service."""

    spec: ServiceSpec | None = None
    status: ServiceStatus | None = None


class Conditions(Struct):
    """Whether an endpoint takes traffic; nothing said of `ready` means that it does."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class SliceEndpoint(Struct):
    """One endpoint of a slice."""

    addresses: list[str] | None = None
    conditions: Conditions | None = None


class SlicePort(Struct):
    """One port of a slice."""

    port: int | None = None
    name: str | None = None
    protocol: str | None = None


class EndpointSliceObject(Object):
    """An EndpointSlice."""

    address_type: str | None = None
    endpoints: list[SliceEndpoint] | None = None
    ports: list[SlicePort] | None = None


class CiliumAddress(Struct):
    """One address of a node, as Cilium uses it."""

    ip: str | None = None


class AddressPair(Struct):
    """An address of each family."""

    ipv4: str | None = None
    ipv6: str | None = None


class CiliumNodeSpec(Struct):
    """Addresses of a node and of the endpoints that Cilium keeps on it."""

    addresses: list[CiliumAddress] | None = None
    health: AddressPair | None = None
    ingress: AddressPair | None = None


class CiliumNodeObject(Object):
    """A CiliumNode."""

    spec: CiliumNodeSpec | None = None


class EndpointIdentity(Struct):
    """The identity of an endpoint: its number, and its labels as ``source:key=value``."""

    id: int | None = None
    labels: list[str] | None = None


class EndpointNetworking(Struct):
    """Where an endpoint is; `node` is an address."""

    addressing: list[AddressPair] | None = None
    node: str | None = None


class CiliumEndpointStatus(Struct):
    """What the agent tells of an endpoint."""

    identity: EndpointIdentity | None = None
    networking: EndpointNetworking | None = None
    named_ports: list[SlicePort] | None = msgspec.field(name="named-ports", default=None)


class CiliumEndpointObject(Object):
    """A CiliumEndpoint: a pod by its name."""

    status: CiliumEndpointStatus | None = None


class CiliumIdentityObject(Object):
    """A CiliumIdentity: its name is a number, and its labels are ``source:key``."""

    security_labels: Labels | None = msgspec.field(name="security-labels", default=None)


KINDS: dict[tuple[str, str], type[Object]] = {
    ("", "Namespace"): Object,
    ("", "Pod"): PodObject,
    ("", "Node"): NodeObject,
    ("", "ServiceAccount"): Object,
    ("", "Service"): ServiceObject,
    ("discovery.k8s.io", "EndpointSlice"): EndpointSliceObject,
    ("", "ReplicationController"): WorkloadObject,
    **{
        (group, kind): WorkloadObject
        for group in ("apps", "extensions")
        for kind in ("Deployment", "ReplicaSet", "DaemonSet")
    },
    ("apps", "StatefulSet"): WorkloadObject,
    ("batch", "Job"): WorkloadObject,
    ("batch", "CronJob"): CronJobObject,
    ("cilium.io", "CiliumNode"): CiliumNodeObject,
    ("cilium.io", "CiliumEndpoint"): CiliumEndpointObject,
    ("cilium.io", "CiliumIdentity"): CiliumIdentityObject,
}
"""What each (API group, kind) that makes up a cluster is decoded as."""


def labels_of(metadata: Metadata | None) -> dict[str, str]:
    """Return labels as text; a null value is the empty text, as in the API."""
    labels = metadata.labels if metadata else None
    if not labels:
        return {}
    if None in labels.values():
        return {key: value or "" for key, value in labels.items()}
    return labels  # type: ignore[return-value]
