"""Who resolves names in a cluster, and where."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ...model.addresses import Cidr
from ...model.cluster import Cluster, Pod, WorkloadRef
from ...model.groups import DNS_PORT
from ...model.ports import TCP, UDP, PortRange
from ...model.services import frontends
from ..proposals import BlockPeer, Labels, PodPeer, selector_of
from .selectors import UNSTABLE

SERVICES = frozenset({"kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default"})
_KNOWN = (
    *(("k8s-app", "kube-dns"), ("app.kubernetes.io/name", "coredns"), ("k8s-app", "coredns"), ("app", "coredns")),
    ("dns.operator.openshift.io/daemonset-dns", "default"),
)
"""Labels that name servers carry, best known first."""
NODE_LOCAL = Cidr.parse("169.254.20.10/32")
_USUAL = PodPeer("kube-system", (("k8s-app", ("kube-dns",)),))


@dataclass(frozen=True)
class NameServers:
    """The cluster's own name servers.

    Attributes
    ----------
    peers : tuple of PodPeer or BlockPeer
        As policies select them; the usual ones where the cluster holds none.
    workloads : frozenset of WorkloadRef
        Those whose every pod the peers select.
    ports : tuple of PortRange
        What they listen on.
    is_guess : bool
        No name server was found.
    """

    peers: tuple[PodPeer | BlockPeer, ...]
    workloads: frozenset[WorkloadRef]
    ports: tuple[PortRange, ...]
    is_guess: bool = False

    def answers(self, protocol: int, port: int) -> bool:
        """Whether they are asked there."""
        return any(ports.contains(protocol, port) for ports in self.ports)


def name_servers(cluster: Cluster) -> NameServers:
    """Find the name servers: by the Services that lead to them, and by their usual labels."""
    pods, ports = _behind_services(cluster)
    pods |= {number for number, pod in enumerate(cluster.pods) if _is_labelled(pod)}
    asked = sorted({(protocol, port) for protocol in (UDP, TCP) for port in (DNS_PORT, *ports)})
    ranges = tuple(PortRange(protocol, port, port) for protocol, port in sorted(asked, key=lambda p: (p[1], -p[0])))
    found = [cluster.pods[number] for number in sorted(pods)]
    peers: set[PodPeer] = {PodPeer(pod.namespace, _labels(pod)) for pod in found if not pod.host_network}
    blocks = (BlockPeer(NODE_LOCAL),) if any(_is_node_local(pod) for pod in cluster.pods) else ()
    workloads = frozenset(pod.workload for pod in found) - {pod.workload for pod in _unreached(cluster, peers)}
    return NameServers((*(sorted(peers) or [_USUAL]), *blocks), workloads, ranges, not peers)


def _behind_services(cluster: Cluster) -> tuple[set[int], set[int]]:
    targets = [
        target
        for frontend in frontends(cluster)
        if frontend.port == DNS_PORT and frontend.service.name in SERVICES
        for target in frontend.targets
        if target.pod >= 0
    ]
    return {target.pod for target in targets}, {target.port for target in targets}


def _unreached(cluster: Cluster, peers: Collection[PodPeer]) -> Iterator[Pod]:
    """Yield the pods that the selectors of name servers leave out, or may leave out."""
    for pod in cluster.pods:
        selected = any(
            peer.namespace == pod.namespace and selector_of(peer.labels).matches(pod.labels) for peer in peers
        )
        if not pod.finished and (pod.host_network or not selected):
            yield pod


def _is_labelled(pod: Pod) -> bool:
    return pod.is_plain and not pod.finished and any(pod.labels.get(key) == value for key, value in _KNOWN)


def _is_node_local(pod: Pod) -> bool:
    return pod.host_network and pod.labels.get("k8s-app") == "node-local-dns"


def _labels(pod: Pod) -> Labels:
    """Return the label that a policy selects a name server by."""
    for key, value in _KNOWN:
        if pod.labels.get(key) == value:
            return ((key, (value,)),)
    return tuple((key, (value,)) for key, value in sorted(pod.labels.items()) if key not in UNSTABLE)
