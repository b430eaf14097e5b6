"""Policies of a made-up cluster under Cilium: some stay NetworkPolicies, the others are written as Cilium's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

Document = dict[str, Any]

_OWN = 0.6
_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
_NAMESPACE_LABELS = "k8s:io.cilium.k8s.namespace.labels"
_NAME_LABEL = "kubernetes.io/metadata.name"
_REQUESTS = [
    {"method": "GET", "path": "/public.*"},
    {"method": "GET|POST", "path": "/v1/items(\\?.*)?"},
    {"method": "GET", "path": "/healthz"},
]
_NAMES = [{"matchName": "api.example.com"}, {"matchPattern": "*.example.org"}]
_HTTPS = [{"ports": [{"port": "443", "protocol": "TCP"}]}]
_NO_DEFAULT_DENY = {"ingress": False, "egress": False}
_SIDES = {"ingress": "from", "egress": "to"}


def cilium_documents(policies: Iterable[Document], random: Random) -> list[Document]:
    """Write some policies as CiliumNetworkPolicies that mean the same, others more narrowly, and add a few.

    What only Cilium has is among them: requests that a proxy looks at, domain names with the DNS rule that learns them,
    entities, denials in a namespace and in the whole cluster.
    """
    documents = [document for policy in policies for document in _rewritten(policy, random)]
    return [*documents, *_denials()]


def _rewritten(policy: Document, random: Random) -> Iterator[Document]:
    name, namespace = policy["metadata"]["name"], policy["metadata"]["namespace"]
    spec = policy["spec"]
    if name == "allow-dns":
        yield _own(namespace, name, spec, egress=[_dns_rule()])
    elif name == "allow-egress-inside":
        yield _own(namespace, name, spec, egress=[{"toEndpoints": [_outside_of("kube-system")]}])
    elif name == "allow-internet":
        yield _own(namespace, name, spec, egress=[{"toFQDNs": _NAMES, "toPorts": _HTTPS}])
    elif name == "allow-world":
        yield _own(namespace, name, spec, ingress=[{"fromEntities": ["world"], "toPorts": _ports(spec["ingress"][0])}])
    elif name == "allow-same-namespace" or random.random() > _OWN:
        yield policy
    else:
        directions = {
            direction.lower(): [_rule(rule, direction.lower()) for rule in spec.get(direction.lower(), [])]
            for direction in spec["policyTypes"]
        }
        yield _own(namespace, name, spec, **directions)


def _own(namespace: str, name: str, spec: Document, **directions: list[Any]) -> Document:
    """Make a CiliumNetworkPolicy; a direction with no rule is closed by one that selects nobody."""
    rules: Document = {"endpointSelector": spec["podSelector"]}
    for direction, found in directions.items():
        rules[direction] = [rule for each in found for rule in (each if isinstance(each, list) else [each])] or [{}]
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": rules,
    }


def _rule(rule: Document, direction: str) -> list[Document]:
    """Write a rule: one for each kind of peers that it has, since Cilium takes one kind at a time."""
    side = _SIDES[direction]
    peers = rule.get(side)
    ports = {"toPorts": _ports(rule)} if "ports" in rule else {}
    if not peers:
        return [ports] if ports else [{f"{side}Entities": ["all"]}]
    blocks = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
    selectors = [_selector(peer) for peer in peers if "ipBlock" not in peer]
    found: list[Document] = []
    if selectors:
        found.append({f"{side}Endpoints": selectors} | ports)
    if blocks:
        found.append({f"{side}CIDRSet": blocks} | ports)
    if direction == "ingress" and selectors and _is_http(rule):
        found[0] = found[0] | {"toPorts": [{**found[0]["toPorts"][0], "rules": {"http": _REQUESTS}}]}
    return found


def _is_http(rule: Document) -> bool:
    """Whether a rule is about one port that speaks HTTP."""
    ports = rule.get("ports", [])
    return len(ports) == 1 and "endPort" not in ports[0] and ports[0]["port"] in ("http", 8080, 8000, 5000)


def _ports(rule: Document) -> list[Document]:
    ports = []
    for port in rule["ports"]:
        written = {"port": str(port["port"]), "protocol": port["protocol"]}
        ports.append(written | {"endPort": port["endPort"]} if "endPort" in port else written)
    return [{"ports": ports}]


def _selector(peer: Document) -> Document:
    """Write a peer of a NetworkPolicy as one selector of endpoints."""
    pods, namespaces = peer.get("podSelector", {}), peer.get("namespaceSelector")
    labels = dict(pods.get("matchLabels", {}))
    expressions = list(pods.get("matchExpressions", []))
    if namespaces == {}:
        expressions.append({"key": _NAMESPACE, "operator": "Exists"})
    for key, value in (namespaces or {}).get("matchLabels", {}).items():
        labels[_NAMESPACE if key == _NAME_LABEL else f"{_NAMESPACE_LABELS}.{key}"] = value
    for expression in (namespaces or {}).get("matchExpressions", []):
        expressions.append(expression | {"key": f"{_NAMESPACE_LABELS}.{expression['key']}"})
    selector: Document = {"matchLabels": labels} if labels else {}
    return selector | ({"matchExpressions": expressions} if expressions else {})


def _outside_of(namespace: str) -> Document:
    return {"matchExpressions": [{"key": _NAMESPACE, "operator": "NotIn", "values": [namespace]}]}


def _dns_rule() -> Document:
    """Let DNS through the proxy, which learns what names stand for."""
    ports = [{"port": "53", "protocol": "ANY"}]
    return {
        "toEndpoints": [{"matchLabels": {_NAMESPACE: "kube-system", "k8s-app": "kube-dns"}}],
        "toPorts": [{"ports": ports, "rules": {"dns": [{"matchPattern": "*"}]}}],
    }


def _denials() -> Iterator[Document]:
    """Make the policies that deny, whatever others allow, and close nothing by themselves."""
    yield {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "no-batch-to-cache"},
        "spec": {
            "endpointSelector": {"matchLabels": {"tier": "cache"}},
            "enableDefaultDeny": _NO_DEFAULT_DENY,
            "ingressDeny": [{"fromEndpoints": [{"matchLabels": {"tier": tier}} for tier in ("batch", "web")]}],
        },
    }
    yield {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumClusterwideNetworkPolicy",
        "metadata": {"name": "no-metadata-service"},
        "spec": {
            "endpointSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]},
            "enableDefaultDeny": _NO_DEFAULT_DENY,
            "egressDeny": [{"toCIDR": ["169.254.169.254/32", "13.0.0.0/10"]}],
        },
    }
