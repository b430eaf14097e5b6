"""Objects of projectcalico.org: policies, tiers, sets of networks, host endpoints, profiles, Felix's settings."""

from __future__ import annotations

from typing import Any

from ..dialects.calico.hosts import ALLOW_ALL
from ..dialects.calico.objects import DEFAULT_TIER
from ..dialects.calico.policies import KINDS as POLICIES
from ..dialects.calico.policies import PERFORMANCE_HINT, STAGED, STAGED_KUBERNETES
from ..dialects.calico.reading import API_GROUP, STORAGE_GROUP
from .expressions import expression
from .kubernetes import HEAD, SPEC
from .pseudonyms import Pseudonyms
from .shapes import (
    Handler,
    Scribe,
    address,
    block_or_address,
    cidr,
    domain,
    each,
    fields,
    flag,
    hidden,
    labels,
    name,
    number,
    policy_name,
    port,
    protocol,
    text,
    tier,
    word,
)

_NODE = "node."
_TYPES = each(word("Ingress", "Egress"))
_ACTIONS = word("Set", "Delete", "Learn", "Ignore")
_ICMP = fields({"type": number, "code": number})
_ENTITY = fields(
    {
        "nets": each(cidr),
        "notNets": each(cidr),
        "selector": expression,
        "notSelector": expression,
        "namespaceSelector": expression,
        "serviceAccounts": fields({"names": each(name), "selector": expression}),
        "services": fields({"name": name, "namespace": name}),
        "ports": each(port),
        "notPorts": each(port),
        "domains": each(domain),
    }
)
_PATH = text(Pseudonyms.joined)
_METHODS = word("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*")
_RULES = each(
    fields(
        {
            "action": word("Allow", "Deny", "Pass", "Log"),
            "ipVersion": number,
            "protocol": protocol,
            "notProtocol": protocol,
            "icmp": _ICMP,
            "notICMP": _ICMP,
            "source": _ENTITY,
            "destination": _ENTITY,
            "http": fields({"methods": each(_METHODS), "paths": each(fields({"exact": _PATH, "prefix": _PATH}))}),
        }
    )
)
_SPEC: dict[str, Handler] = {
    "tier": tier,
    "order": number,
    "selector": expression,
    "types": _TYPES,
    "ingress": _RULES,
    "egress": _RULES,
    "serviceAccountSelector": expression,
    "performanceHints": each(word(PERFORMANCE_HINT)),
    "doNotTrack": flag,
    "preDNAT": flag,
    "applyOnForward": flag,
    "namespaceSelector": expression,
    "stagedAction": _ACTIONS,
}


def _stored_name(value: Any, scribe: Scribe) -> Any:
    """Write the name of a policy in storage, where that of its tier may stand before it."""
    if not isinstance(value, str):
        return hidden(value, scribe)
    own = value.removeprefix(f"{DEFAULT_TIER}.")
    return f"{DEFAULT_TIER}.{scribe.names.policy(own)}" if own and own != value else policy_name(value, scribe)


def _felix_name(value: Any, scribe: Scribe) -> Any:
    if isinstance(value, str) and value.startswith(_NODE):
        return _NODE + scribe.names.name(value.removeprefix(_NODE))
    return name(value, scribe)


def _profile_name(value: Any, scribe: Scribe) -> Any:
    return value if value == ALLOW_ALL else name(value, scribe)


def _interface(value: Any, scribe: Scribe) -> Any:
    return value if value == "*" else name(value, scribe)


_OPENINGS = each(fields({"protocol": protocol, "port": number, "net": cidr}))
_HOST_SPEC = fields(
    {
        "node": name,
        "interfaceName": _interface,
        "expectedIPs": each(address),
        "profiles": each(_profile_name),
        "ports": each(fields({"name": port, "port": number, "protocol": protocol})),
    }
)
_SET = {
    "metadata": fields({"name": name, "namespace": name, "labels": labels}),
    "spec": fields({"nets": each(block_or_address)}),
}


def _kinds(head: Handler) -> dict[str, dict[str, Handler]]:
    return {
        **{kind: {"metadata": head, "spec": fields(_SPEC)} for kind in (*POLICIES, *STAGED)},
        STAGED_KUBERNETES: {"metadata": head, "spec": fields({**SPEC, "stagedAction": _ACTIONS})},
        "Tier": {
            "metadata": fields({"name": tier}),
            "spec": fields({"order": number, "defaultAction": word("Deny", "Pass")}),
        },
        "NetworkSet": _SET,
        "GlobalNetworkSet": _SET,
        "HostEndpoint": {"metadata": fields({"name": text(Pseudonyms.host), "labels": labels}), "spec": _HOST_SPEC},
        "Profile": {
            "metadata": fields({"name": _profile_name}),
            "spec": fields({"ingress": _RULES, "egress": _RULES, "labelsToApply": labels}),
        },
        "FelixConfiguration": {
            "metadata": fields({"name": _felix_name}),
            "spec": fields({"failsafeInboundHostPorts": _OPENINGS, "failsafeOutboundHostPorts": _OPENINGS}),
        },
    }


_STORED_HEAD = fields({"name": _stored_name, "namespace": name})

KINDS: dict[tuple[str, str], dict[str, Handler]] = {
    **{(API_GROUP, kind): handlers for kind, handlers in _kinds(HEAD).items()},
    **{(STORAGE_GROUP, kind): handlers for kind, handlers in _kinds(_STORED_HEAD).items()},
}
"""What is written of each (API group, kind)."""
