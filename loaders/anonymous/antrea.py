"""Objects of crd.antrea.io: policies, tiers and groups."""

from __future__ import annotations

from ..dialects.antrea.objects import GROUP
from .kubernetes import BLOCK, HEAD
from .pseudonyms import Pseudonyms
from .shapes import (
    Handler,
    address,
    domain,
    each,
    fields,
    flag,
    name,
    number,
    port,
    protocol,
    selector,
    text,
    tier,
    word,
)

_FULL_NAME = fields({"name": name, "namespace": name})
_SELECTORS: dict[str, Handler] = {
    "podSelector": selector,
    "namespaceSelector": selector,
    "externalEntitySelector": selector,
    "nodeSelector": selector,
    "serviceAccount": _FULL_NAME,
    "group": name,
}
_APPLIED = each(fields({**_SELECTORS, "service": _FULL_NAME}))
_SCOPE = word("Cluster", "ClusterSet")
_KEYS = each(text(Pseudonyms.key))
_PEERS = each(
    fields(
        {
            **_SELECTORS,
            "ipBlock": BLOCK,
            "fqdn": domain,
            "namespaces": fields({"match": word("Self", ""), "sameLabels": _KEYS}),
            "scope": _SCOPE,
        }
    )
)
_PORTS = each(
    fields({"protocol": protocol, "port": port, "endPort": number, "sourcePort": number, "sourceEndPort": number})
)
_PROTOCOLS = each(
    fields(
        {
            "icmp": fields({"icmpType": number, "icmpCode": number}),
            "igmp": fields({"igmpType": number, "groupAddress": address}),
        }
    )
)
_METHODS = word("GET", "POST", "PUT", "HEAD", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH")
_LAYER7 = each(
    fields({"http": fields({"host": domain, "method": _METHODS, "path": name}), "tls": fields({"sni": domain})})
)


def _rules(peers: str, **more: Handler) -> Handler:
    return each(
        fields(
            {
                "action": word("Allow", "Drop", "Reject", "Pass"),
                "name": name,
                "appliedTo": _APPLIED,
                peers: _PEERS,
                "ports": _PORTS,
                "protocols": _PROTOCOLS,
                "l7Protocols": _LAYER7,
                "enableLogging": flag,
                **more,
            }
        )
    )


_SERVICES = each(fields({"name": name, "namespace": name, "scope": _SCOPE}))
_SPEC = fields(
    {
        "tier": tier,
        "priority": number,
        "appliedTo": _APPLIED,
        "ingress": _rules("from"),
        "egress": _rules("to", toServices=_SERVICES),
    }
)
_GROUP_SPEC = fields(
    {
        **{
            key: _SELECTORS[key]
            for key in ("podSelector", "namespaceSelector", "externalEntitySelector", "nodeSelector")
        },
        "serviceReference": _FULL_NAME,
        "ipBlocks": each(BLOCK),
        "ipBlock": BLOCK,
        "childGroups": each(name),
    }
)
_NAMED = fields({"name": name, "namespace": name})

KINDS: dict[tuple[str, str], dict[str, Handler]] = {
    (GROUP, "NetworkPolicy"): {"metadata": HEAD, "spec": _SPEC},
    (GROUP, "ClusterNetworkPolicy"): {"metadata": HEAD, "spec": _SPEC},
    (GROUP, "Tier"): {"metadata": fields({"name": tier}), "spec": fields({"priority": number})},
    (GROUP, "Group"): {"metadata": _NAMED, "spec": _GROUP_SPEC},
    (GROUP, "ClusterGroup"): {"metadata": _NAMED, "spec": _GROUP_SPEC},
}
"""What is written of each (API group, kind)."""
