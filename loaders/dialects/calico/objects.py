"""What Calico policies lean on: tiers, network sets, host endpoints, profiles (CA-4, CA-22 to CA-25, CA-30)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from simcore.model.cluster import Cluster
from simcore.model.peers import Network
from simcore.model.policy import Position, Tier

from ..fields import Field
from .endpoints import NAMESPACE, HostEndpoint, NetworkSet, labels_of_set
from .reading import Head, read_address, read_block_or_address, read_number, read_texts, read_word

DEFAULT_TIER = "default"
_TIER_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_FIXED = {
    "kube-admin": (1_000.0, "Pass"),
    DEFAULT_TIER: (1_000_000.0, "Deny"),
    "kube-baseline": (10_000_000.0, "Pass"),
}
_FIXED_ORDERS = {"adminnetworkpolicy": 1_000.0, "baselineadminnetworkpolicy": 10_000_000.0}
"""Tiers of releases that knew AdminNetworkPolicy."""


@dataclass(frozen=True, slots=True)
class TierEnd:
    """A tier and what becomes of traffic that its policies leave undecided."""

    tier: Tier
    denies: bool


def tier_of(name: str, order: float | None, *, denies: bool = True) -> TierEnd:
    """Make a tier; one without order comes after all that have one (CA-30)."""
    stage = (0.0 if order is not None else 1.0, order or 0.0, name)
    return TierEnd(Tier(name, Position(stage)), denies)


def missing_tier(name: str) -> TierEnd:
    """Make up a tier that does not exist: it comes last and denies (CA-33)."""
    return TierEnd(Tier(name, Position((2.0, 0.0, name))), True)


BUILTIN_TIERS: Mapping[str, TierEnd] = {
    name: tier_of(name, order, denies=action == "Deny") for name, (order, action) in _FIXED.items()
}


def read_tier(head: Head) -> TierEnd:
    """Read a Tier."""
    spec = head.root.get("spec").mapping(("order", "defaultAction"))
    order = read_number(spec.get("order"))
    action = read_word(spec.get("defaultAction"), ("Deny", "Pass")) or "Deny"
    if head.name and not _TIER_NAME.fullmatch(head.name):
        head.root.error(
            f"{head.name!r} is not the name of a tier: lower-case letters, digits and '-'", "metadata", "name"
        )
    fixed_order = _FIXED[head.name][0] if head.name in _FIXED else _FIXED_ORDERS.get(head.name)
    if fixed_order is not None and order != fixed_order:
        spec.error(f"tier {head.name} has the order {fixed_order:,.0f}, and no other", "order")
    if head.name in _FIXED and action != _FIXED[head.name][1]:
        spec.error(f"tier {head.name} has the default action {_FIXED[head.name][1]}, and no other", "defaultAction")
    return tier_of(head.name, order, denies=action == "Deny")


def read_set(head: Head, cluster: Cluster, *, strict_cidr: bool) -> NetworkSet:
    """Read a NetworkSet or GlobalNetworkSet."""
    labels = _labels(head)
    if NAMESPACE in labels:
        head.root.error("Calico sets this label itself. Remove it", "metadata", "labels", NAMESPACE)
    spec = head.root.get("spec").mapping(("nets",))
    blocks = [read_block_or_address(item, strict_cidr=strict_cidr) for item in spec.get("nets").items()]
    networks = tuple(Network(block) for block in dict.fromkeys(blocks) if block is not None)
    if head.namespace:
        return NetworkSet(labels_of_set(labels, head.namespace, cluster), networks)
    return NetworkSet(labels, networks)


def read_host(head: Head, profiles: Mapping[str, Mapping[str, str]]) -> HostEndpoint:
    """Read a HostEndpoint; `profiles` have the labels that it takes over, unless it has its own."""
    spec = head.root.get("spec").mapping(("node", "interfaceName", "expectedIPs", "profiles", "ports"))
    _check_ports(spec.get("ports"))
    node = spec.get("node").text() or ""
    interface = spec.get("interfaceName").text() or ""
    addresses = [read_address(item) for item in spec.get("expectedIPs").items()]
    if not node:
        spec.error("a node is required: the name of the node that the interface is of", "node")
    if not interface and not addresses:
        spec.error("interfaceName or expectedIPs is required. Write interfaceName: '*' for all of the node's")
    names = tuple(read_texts(spec.get("profiles")))
    inherited = {key: value for name in reversed(names) for key, value in profiles.get(name, {}).items()}
    return HostEndpoint(
        name=head.name,
        node=node,
        interface=interface,
        addresses=tuple(address for address in addresses if address is not None),
        labels={**inherited, **_labels(head)},
        profiles=names,
        place=head.root.place,
    )


def _check_ports(field: Field) -> None:
    for item in field.items():
        entry = item.mapping(("name", "port", "protocol"))
        item.warn("ports that a host endpoint names are not known to rules here: a named port never means them")
        entry.get("name").text(), entry.get("port").integer()


def _labels(head: Head) -> dict[str, str]:
    labels = head.metadata.get("labels").value
    return {key: value or "" for key, value in labels.items()} if isinstance(labels, dict) else {}
