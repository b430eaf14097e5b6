"""Policies that would mend what a diagnosis found, as manifests."""

from __future__ import annotations

from ...analyses.resolver import Resolver
from ...model.addresses import Address
from ...model.cluster import Cluster, Pod
from ...model.flows import Outcome
from ...model.labels import NAMESPACE_NAME_LABEL
from ...model.plugins import NETWORK_POLICY
from ...model.policy import Direction, Role
from ...model.ports import PORT_PROTOCOLS, protocol_name
from .context import Context, Pair
from .slips import telling_labels

Manifest = dict[str, object]
_TYPES = {Direction.INGRESS: "Ingress", Direction.EGRESS: "Egress"}
_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def opening(context: Context, pair: Pair, direction: Direction, outcome: Outcome) -> Manifest | None:
    """Return a NetworkPolicy that lets one direction of a pair through; None where none can."""
    pod = context.pod(pair.subject(direction))
    if pod is None or pair.protocol not in PORT_PROTOCOLS or not pair.port or not opens(outcome):
        return None
    peer = _peer(context, pair, direction, pod.namespace)
    if peer is None:
        return None
    source, destination = _name(context, pair.source, pair.source_address), _name_of_destination(context, pair)
    port = {"protocol": protocol_name(pair.protocol), "port": pair.port}
    rule: Manifest = {_PEERS[direction]: [peer], "ports": [port]}
    selector = _labels(telling_labels(pod, context.cluster))
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"allow-{source}-to-{destination}-{direction.word}"[:253].rstrip("-."),
            "namespace": pod.namespace,
        },
        "spec": {"podSelector": selector, "policyTypes": [_TYPES[direction]], direction.word: [rule]},
    }


def opens(outcome: Outcome) -> bool:
    """Whether one more NetworkPolicy could turn a denial: it comes from the isolation that NetworkPolicies bring."""
    rule = outcome.rule
    return rule is not None and rule.role is Role.ISOLATION and rule.policy.kind == NETWORK_POLICY


def dns_opening(context: Context, source: Pod, resolver: Resolver) -> Manifest:
    """Return a NetworkPolicy that lets every pod of a namespace ask the cluster's DNS pods."""
    dns = context.cluster.pods[resolver.pods[0]]
    home = _labels({NAMESPACE_NAME_LABEL: dns.namespace})
    peer = {"namespaceSelector": home, "podSelector": _labels(_dns_labels(dns, context.cluster))}
    ports = [{"protocol": protocol_name(protocol), "port": port} for protocol, port in sorted(resolver.ports.items())]
    rule = {"to": [peer], "ports": ports[::-1]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "allow-dns-egress", "namespace": source.namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [rule]},
    }


def _dns_labels(pod: Pod, cluster: Cluster) -> dict[str, str]:
    return {"k8s-app": pod.labels["k8s-app"]} if "k8s-app" in pod.labels else telling_labels(pod, cluster)


def _peer(context: Context, pair: Pair, direction: Direction, own: str) -> Manifest | None:
    pod, address = context.pod(pair.peer(direction)), pair.peer_address(direction)
    if pod is None or pod.host_network:
        return None if address is None else {"ipBlock": {"cidr": f"{address}/{address.family.bits}"}}
    selector: Manifest = {"podSelector": _labels(telling_labels(pod, context.cluster))}
    if pod.namespace == own:
        return selector
    return {"namespaceSelector": _labels({NAMESPACE_NAME_LABEL: pod.namespace}), **selector}


def _labels(labels: dict[str, str]) -> Manifest:
    return {"matchLabels": labels} if labels else {}


def _name(context: Context, number: int, address: Address | None) -> str:
    pod = context.pod(number)
    if pod is not None:
        return pod.workload.name
    return "outside" if address is None else str(address).replace(":", "-").replace(".", "-").strip("-")


def _name_of_destination(context: Context, pair: Pair) -> str:
    return _name(context, pair.destination, pair.destination_address)
