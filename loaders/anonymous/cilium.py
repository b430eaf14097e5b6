"""Policies of cilium.io, and groups of blocks."""

from __future__ import annotations

from typing import Any

from ..dialects.cilium.icmp import MESSAGES
from ..dialects.cilium.identities import ENTITIES
from ..dialects.cilium.objects import CIDR_GROUP, CLUSTERWIDE, GROUP, NAMESPACED
from .headers import write_header, written_name
from .kubernetes import HEAD
from .shapes import (
    Handler,
    Scribe,
    cidr,
    domain,
    each,
    fields,
    flag,
    hidden,
    kept,
    labels,
    name,
    nothing,
    number,
    opaque,
    pattern,
    protocol,
    selector,
    word,
    word_or_number,
)

_PARSERS = ("http", "dns", "tls", "kafka", "listener")
_SECRET = fields({"namespace": name, "name": name})
_NAMES = each(fields({"matchName": domain, "matchPattern": domain}))


def _port(value: Any, scribe: Scribe) -> Any:
    """Write a port; Cilium takes names of ports in small letters."""
    return scribe.names.port(value.lower()) if isinstance(value, str) else hidden(value, scribe)


def _header(value: Any, scribe: Scribe) -> Any:
    """Write ``Name: value``, parted at the first blank."""
    if not isinstance(value, str):
        return hidden(value, scribe)
    own, blank, rest = value.partition(" ")
    return write_header(scribe.names, own.rstrip(":") if blank else own, rest if blank else None)


def _header_name(value: Any, scribe: Scribe) -> Any:
    return written_name(scribe.names, value) if isinstance(value, str) else hidden(value, scribe)


def _method(value: Any, scribe: Scribe) -> Any:
    """Keep what is asked of methods, which are words of HTTP."""
    return value if isinstance(value, str) else hidden(value, scribe)


_HEADER_MATCH = fields(
    {
        "name": _header_name,
        "value": opaque,
        "secret": _SECRET,
        "mismatch": word("LOG", "ADD", "DELETE", "REPLACE"),
    }
)
_HTTP = fields(
    {
        "method": _method,
        "path": pattern("paths"),
        "host": pattern("hosts"),
        "headers": each(_header),
        "headerMatches": each(_HEADER_MATCH),
    }
)
_KAFKA = fields(
    {
        "role": kept("requests of Kafka"),
        "apiKey": kept("requests of Kafka"),
        "apiVersion": word_or_number(),
        "clientID": name,
        "topic": name,
    }
)
_RULES = fields(
    {
        "http": each(_HTTP),
        "dns": _NAMES,
        "kafka": each(_KAFKA),
        "l7proto": word(*_PARSERS),
        "l7": each(labels),
    }
)
_CONTEXT = fields({"secret": _SECRET})
_LISTENER = fields(
    {
        "envoyConfig": fields({"kind": word("CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig"), "name": name}),
        "name": name,
        "priority": number,
    }
)
_TO_PORTS = each(
    fields(
        {
            "ports": each(fields({"port": _port, "endPort": number, "protocol": protocol})),
            "rules": _RULES,
            "serverNames": each(domain),
            "listener": _LISTENER,
            "originatingTLS": _CONTEXT,
            "terminatingTLS": _CONTEXT,
        }
    )
)
_ICMPS = each(fields({"fields": each(fields({"family": word("IPv4", "IPv6"), "type": word_or_number(*MESSAGES)}))}))
_CIDR_SET = each(fields({"cidr": cidr, "except": each(cidr), "cidrGroupRef": name, "cidrGroupSelector": selector}))
_SERVICES = each(
    fields(
        {
            "k8sService": fields({"serviceName": name, "namespace": name}),
            "k8sServiceSelector": fields({"selector": selector, "namespace": name}),
        }
    )
)


def _peers(prefix: str) -> dict[str, Handler]:
    return {
        f"{prefix}Endpoints": each(selector),
        f"{prefix}CIDR": each(cidr),
        f"{prefix}CIDRSet": _CIDR_SET,
        f"{prefix}Entities": each(word(*ENTITIES)),
        f"{prefix}Groups": each(nothing),
        f"{prefix}Nodes": each(selector),
        f"{prefix}Requires": each(selector),
    }


_OTHERS: dict[str, Handler] = {
    "toPorts": _TO_PORTS,
    "icmps": _ICMPS,
    "authentication": fields({"mode": word("disabled", "required", "test-always-fail")}),
}
_INGRESS = each(fields({**_peers("from"), **_OTHERS}))
_EGRESS = each(fields({**_peers("to"), "toServices": _SERVICES, "toFQDNs": _NAMES, **_OTHERS}))
_SPEC = fields(
    {
        "endpointSelector": selector,
        "nodeSelector": selector,
        "ingress": _INGRESS,
        "ingressDeny": _INGRESS,
        "egress": _EGRESS,
        "egressDeny": _EGRESS,
        "enableDefaultDeny": fields({"ingress": flag, "egress": flag}),
    }
)
_POLICY = {"metadata": HEAD, "spec": _SPEC, "specs": each(_SPEC)}

KINDS: dict[tuple[str, str], dict[str, Handler]] = {
    (GROUP, NAMESPACED): _POLICY,
    (GROUP, CLUSTERWIDE): _POLICY,
    (GROUP, CIDR_GROUP): {
        "metadata": fields({"name": name, "labels": labels}),
        "spec": fields({"externalCIDRs": each(cidr)}),
    },
}
"""What is written of each (API group, kind)."""
