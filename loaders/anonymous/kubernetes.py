"""NetworkPolicies, and the policies of policy.networking.k8s.io."""

from __future__ import annotations

from ..dialects.admin import FORMS, GROUP
from .shapes import (
    Handler,
    cidr,
    domain,
    each,
    fields,
    name,
    number,
    policy_name,
    port,
    protocol,
    selector,
    word,
)

HEAD = fields({"name": policy_name, "namespace": name})
"""The metadata of a policy."""
BLOCK = fields({"cidr": cidr, "except": each(cidr)})
_PEERS = each(fields({"podSelector": selector, "namespaceSelector": selector, "ipBlock": BLOCK}))
_PORTS = each(fields({"protocol": protocol, "port": port, "endPort": number}))
SPEC: dict[str, Handler] = {
    "podSelector": selector,
    "policyTypes": each(word("Ingress", "Egress")),
    "ingress": each(fields({"from": _PEERS, "ports": _PORTS})),
    "egress": each(fields({"to": _PEERS, "ports": _PORTS})),
}
_POLICY = {"metadata": HEAD, "spec": fields(SPEC)}

_PODS = fields({"namespaceSelector": selector, "podSelector": selector})
_SUBJECT: dict[str, Handler] = {"namespaces": selector, "pods": _PODS}
_ADMIN_PEERS = each(fields({**_SUBJECT, "networks": each(cidr), "nodes": selector, "domainNames": each(domain)}))
_RANGE: dict[str, Handler] = {"start": number, "end": number}
_OLD_PORTS = each(
    fields(
        {
            "portNumber": fields({"protocol": protocol, "port": number}),
            "portRange": fields({"protocol": protocol, **_RANGE}),
            "namedPort": port,
        }
    )
)
_DESTINATION = fields({"destinationPort": fields({"number": number, "range": fields(_RANGE)})})
_PROTOCOLS = each(
    fields({"tcp": _DESTINATION, "udp": _DESTINATION, "sctp": _DESTINATION, "destinationNamedPort": port})
)


def _rules(peers: str) -> Handler:
    actions = word("Allow", "Accept", "Deny", "Pass")
    return each(
        fields({"name": name, "action": actions, peers: _ADMIN_PEERS, "ports": _OLD_PORTS, "protocols": _PROTOCOLS})
    )


_ADMIN_SPEC = fields(
    {
        "tier": word("Admin", "Baseline"),
        "priority": number,
        "subject": fields(_SUBJECT),
        "ingress": _rules("from"),
        "egress": _rules("to"),
    }
)


KINDS: dict[tuple[str, str], dict[str, Handler]] = {
    ("networking.k8s.io", "NetworkPolicy"): _POLICY,
    ("extensions", "NetworkPolicy"): _POLICY,
    **{(GROUP, kind): {"metadata": fields({"name": policy_name}), "spec": _ADMIN_SPEC} for kind in FORMS},
}
"""What is written of each (API group, kind)."""
