"""The cluster's DNS: its Service, the pods that answer, and their ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..model.addresses import Address
from ..model.cluster import Cluster, Pod, Service
from ..model.groups import DNS_PORT
from ..model.ports import TCP, UDP
from ..model.services import frontends

SERVICES = ("kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default")
"""What clusters call the Service of their DNS, the usual name first."""
NAMESPACES = ("kube-system", "openshift-dns")
"""Where it lives."""
LABELS = (
    ("k8s-app", "kube-dns"),
    ("k8s-app", "coredns"),
    ("app.kubernetes.io/name", "coredns"),
    ("app", "coredns"),
    ("dns.operator.openshift.io/daemonset-dns", "default"),
)
"""What DNS pods are labelled with, the usual label first."""
NODE_LOCAL_LABEL = "k8s-app", "node-local-dns"
NODE_LOCAL_ADDRESS = Address.parse("169.254.20.10")
"""Where NodeLocal DNSCache answers on every node."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Where pods ask for names.

    Attributes
    ----------
    services : tuple of Service
        Those whose addresses pods ask.
    pods : tuple of int
        Positions of the pods that answer.
    ports : mapping of int to int
        Their own port by protocol, UDP and TCP: not always the one that pods dial.
    is_node_local : bool
        A cache on every node answers before them.
    """

    services: tuple[Service, ...]
    pods: tuple[int, ...]
    ports: Mapping[int, int]
    is_node_local: bool = False


def find_resolver(cluster: Cluster) -> Resolver | None:
    """Find the cluster's DNS, by the names of Services and by the labels of pods; None where there is none."""
    services = tuple(
        service for service in cluster.services if service.name in SERVICES and service.namespace in NAMESPACES
    )
    targets = [
        (target.pod, frontend.protocol, target.port)
        for frontend in frontends(replace(cluster, services=services))
        if frontend.port == DNS_PORT
        for target in frontend.targets
        if target.pod >= 0
    ]
    running = [(number, pod) for number, pod in enumerate(cluster.pods) if pod.is_plain and not pod.finished]
    labelled = [number for number, pod in running if _is_labelled(pod)]
    home = [number for number in labelled if cluster.pods[number].namespace in NAMESPACES]
    pods = sorted({pod for pod, _, _ in targets}.union(home or labelled))
    caches = any(pod.labels.get(NODE_LOCAL_LABEL[0]) == NODE_LOCAL_LABEL[1] for _, pod in running)
    if not pods and not caches:
        return None
    ports = {UDP: DNS_PORT, TCP: DNS_PORT}
    ports.update((protocol, port) for _, protocol, port in reversed(targets))
    return Resolver(services, tuple(pods), ports, caches)


def _is_labelled(pod: Pod) -> bool:
    return any(pod.labels.get(key) == value for key, value in LABELS)
