"""The policies that every namespace should begin with: everything closed, and what all workloads need opened again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...model.addresses import Cidr
from ...model.cluster import Cluster, Pod
from ...model.policy import Direction
from ...model.ports import TCP, PortRange
from ..proposals import BlockPeer, PodPeer, ProposedPeer, ProposedPolicy, ProposedRule
from ..rules.dns import NameServers
from ..rules.selectors import Selectors

PARTS = ("default-deny", "dns", "same-namespace", "monitoring", "api-server")
"""What can be left out, one by one."""
SYSTEM = ("kube-node-lease", "kube-public", "kube-system")
"""Namespaces that are not closed unless they are named."""
_SCRAPERS = tuple(
    (key, name) for name in ("prometheus", "vmagent", "grafana-agent") for key in ("app.kubernetes.io/name", "app")
)
_API_PORTS = (443, 6443)


def baseline(
    cluster: Cluster,
    namespace: str,
    servers: NameServers,
    scrapers: tuple[PodPeer, ...],
    metrics: tuple[int, ...],
    without: Iterable[str] = (),
) -> list[ProposedPolicy]:
    """Propose the baseline of one namespace.

    Parameters
    ----------
    servers : NameServers
        As `name_servers` finds them.
    scrapers : tuple of PodPeer
        Who scrapes metrics; nobody leaves that policy out.
    metrics : tuple of int
        TCP ports of metrics; none means all ports.
    without : iterable of str
        Names of PARTS to leave out.
    """
    made = {
        "default-deny": [default_deny(namespace)],
        "dns": [dns_egress(namespace, servers), *_dns_ingress(namespace, servers)],
        "same-namespace": [_same_namespace(namespace)],
        "monitoring": [*_scraped(namespace, scrapers, metrics), *_scraping(cluster, namespace, scrapers)],
        "api-server": [_api_server(cluster, namespace)],
    }
    return [policy for part in PARTS if part not in without for policy in made[part]]


def default_deny(namespace: str) -> ProposedPolicy:
    """Close a namespace both ways."""
    return ProposedPolicy(
        namespace,
        "default-deny-all",
        (),
        {Direction.INGRESS: (), Direction.EGRESS: ()},
        ("Every pod, both ways: nothing is allowed but what further policies allow.",),
    )


def dns_egress(namespace: str, servers: NameServers, peers: tuple[ProposedPeer, ...] = ()) -> ProposedPolicy:
    """Let all pods of a namespace resolve names; `peers` are the name servers with what was seen of them."""
    remarks = ["Every pod may resolve names. Without this, nothing that needs a name connects."]
    if servers.is_guess:
        remarks.append("No name server was found in the cluster: check its namespace and labels.")
    asked = peers or tuple(ProposedPeer(peer) for peer in servers.peers)
    rule = ProposedRule(asked, servers.ports)
    return ProposedPolicy(namespace, "allow-dns-egress", (), {Direction.EGRESS: (rule,)}, tuple(remarks))


def _dns_ingress(namespace: str, servers: NameServers) -> Iterator[ProposedPolicy]:
    """Let the cluster ask name servers that are in the namespace."""
    for peer in servers.peers:
        if isinstance(peer, PodPeer) and peer.namespace == namespace and not servers.is_guess:
            rule = ProposedRule((ProposedPeer(PodPeer("")),), servers.ports)
            remarks = ("The cluster's name servers: every namespace may ask them.",)
            yield ProposedPolicy(namespace, "allow-dns-ingress", peer.labels, {Direction.INGRESS: (rule,)}, remarks)


def _same_namespace(namespace: str) -> ProposedPolicy:
    rule = ProposedRule((ProposedPeer(PodPeer(namespace)),))
    return ProposedPolicy(
        namespace,
        "allow-same-namespace",
        (),
        {Direction.INGRESS: (rule,), Direction.EGRESS: (rule,)},
        ("Pods of this namespace reach each other, on every port. Narrow it once their traffic is known.",),
    )


def _scraped(namespace: str, scrapers: tuple[PodPeer, ...], metrics: tuple[int, ...]) -> Iterator[ProposedPolicy]:
    if not scrapers:
        return
    ports = tuple(PortRange(TCP, port, port) for port in metrics)
    remarks = ["Metrics may be scraped."]
    if not ports:
        remarks.append("No container declares a port of metrics, so all ports are open to the scraper: name them.")
    rule = ProposedRule(tuple(map(ProposedPeer, scrapers)), ports)
    yield ProposedPolicy(namespace, "allow-monitoring-scrape", (), {Direction.INGRESS: (rule,)}, tuple(remarks))


def _scraping(cluster: Cluster, namespace: str, scrapers: tuple[PodPeer, ...]) -> Iterator[ProposedPolicy]:
    """Let scrapers that are in the namespace reach the metrics of all others."""
    ports = tuple(PortRange(TCP, port, port) for port in metrics_ports(cluster, cluster.namespaces))
    for peer in scrapers:
        if peer.namespace == namespace:
            rule = ProposedRule((ProposedPeer(PodPeer("")),), ports)
            remarks = ("Metrics of every namespace may be scraped from here.",)
            yield ProposedPolicy(namespace, "allow-scraping-egress", peer.labels, {Direction.EGRESS: (rule,)}, remarks)


def _api_server(cluster: Cluster, namespace: str) -> ProposedPolicy:
    found = sorted(
        {
            (backend.port, backend.address)
            for service in cluster.services
            if (service.namespace, service.name) == ("default", "kubernetes")
            for backend in service.backends or ()
        }
    )
    remarks = ["Every pod may reach the Kubernetes API server. Keep it for namespaces whose pods call it."]
    if found:
        ports = tuple(PortRange(TCP, port, port) for port in sorted({port for port, _ in found}))
        blocks = sorted({Cidr(address.family, address.value, address.family.bits) for _, address in found})
        remarks.append("Its addresses are the endpoints of Service default/kubernetes.")
        rule = ProposedRule(tuple(ProposedPeer(BlockPeer(block)) for block in blocks), ports)
    else:
        rule = ProposedRule((), tuple(PortRange(TCP, port, port) for port in _API_PORTS))
        remarks.append("The endpoints of Service default/kubernetes are not known, so any address is allowed on its")
        remarks.append("usual ports. Name the addresses of the control plane in a `to` to be stricter.")
    return ProposedPolicy(namespace, "allow-apiserver-egress", (), {Direction.EGRESS: (rule,)}, tuple(remarks))


def scrapers_of(cluster: Cluster, selectors: Selectors) -> tuple[PodPeer, ...]:
    """Find who scrapes metrics, by the labels of Prometheus and its like."""
    found = {
        PodPeer(pod.namespace, selectors.of(pod.workload).labels)
        for pod in cluster.pods
        if pod.is_plain and not pod.finished and any(pod.labels.get(key) == name for key, name in _SCRAPERS)
    }
    return tuple(sorted(found))


def metrics_ports(cluster: Cluster, namespaces: Iterable[str]) -> tuple[int, ...]:
    """Return the TCP ports whose names speak of metrics, of the pods of some namespaces."""
    wanted = set(namespaces)
    return tuple(
        sorted(
            {
                port.number
                for pod in cluster.pods
                if pod.namespace in wanted and not pod.finished
                for port in pod.ports
                if port.protocol == TCP and ("metrics" in port.name or port.name in ("prom", "prometheus"))
            }
        )
    )


def host_pods(cluster: Cluster, namespaces: Iterable[str]) -> list[Pod]:
    """Return the pods of some namespaces that share their node's network: no NetworkPolicy binds them."""
    wanted = set(namespaces)
    return [pod for pod in cluster.pods if pod.namespace in wanted and pod.host_network and not pod.finished]
