"""Blocks of addresses that are a cloud service's, or the cluster's own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from ...model.addresses import Address, Family
from ...model.cluster import Service
from ...model.peers import Network
from ...model.policy import Direction, Policy, Rule
from ..allowing import allowing_rules, peers_of
from ..cloud import SEEN, CloudService, service_of
from ..context import LintContext
from ..findings import Finding, LintRule, Severity
from ..words import counted, listed
from ..written import peer_place

_DOES = {Direction.INGRESS: "lets them in", Direction.EGRESS: "lets traffic to them out"}


def _blocks(context: LintContext) -> Iterator[tuple[Policy, Rule, Network]]:
    for policy, rule in allowing_rules(context):
        for peer in peers_of(rule):
            if isinstance(peer, Network):
                yield policy, rule, peer


def _cloud(context: LintContext) -> Iterator[Finding]:
    for policy, rule, block in _blocks(context):
        found = service_of(block.cidr) if rule.direction is Direction.EGRESS else None
        if found is None:
            continue
        service, range_ = found
        where = "lies in" if range_.covers(block.cidr) else "holds"
        yield Finding(
            "FV012",
            peer_place(context, policy, rule, block),
            f"{block.cidr} {where} {range_}, which is {service.title}'s: its operator moves hosts between addresses, "
            "and other customers answer at them too, so allow the name of the host instead.",
            details=(_by_name(context, service), f"Source: {service.source}, as of {SEEN}."),
            policy=policy.ref,
        )


def _by_name(context: LintContext, service: CloudService) -> str:
    """Say how the plugin allows names."""
    names = service.names or ("api.example.com",)
    if context.enforcement.plugin.name == "antrea":
        peers = ", ".join(f'{{fqdn: "{name}"}}' for name in names)
        return f"Antrea allows names in a NetworkPolicy of crd.antrea.io: to: [{peers}]."
    fields = ", ".join(f'{{{"matchPattern" if "*" in name else "matchName"}: "{name}"}}' for name in names)
    return f"Cilium allows names in a CiliumNetworkPolicy: toFQDNs: [{fields}]."


class _Owned:
    """What stands at the addresses of the cluster, looked up by blocks."""

    def __init__(self, owners: Iterable[tuple[Address, Any]]) -> None:
        self._owners: dict[Family, list[tuple[int, Any]]] = {family: [] for family in Family}
        for address, owner in owners:
            self._owners[address.family].append((address.value, owner))
        for found in self._owners.values():
            found.sort(key=itemgetter(0))

    def within(self, block: Network) -> list[Any]:
        """List what stands in a block, in the order of addresses."""
        owners = self._owners[block.cidr.family]
        return [
            owner
            for first, last in _stretches(block)
            for _, owner in owners[
                bisect_left(owners, first, key=itemgetter(0)) : bisect_right(owners, last, key=itemgetter(0))
            ]
        ]


def _stretches(block: Network) -> Iterator[tuple[int, int]]:
    """Yield the stretches of addresses that the exceptions of a block leave of it."""
    first = block.cidr.first
    for excluded in sorted(block.excluded, key=lambda cidr: cidr.first):
        if first < excluded.first:
            yield first, excluded.first - 1
        first = max(first, excluded.last + 1)
    if first <= block.cidr.last:
        yield first, block.cidr.last


def _own(context: LintContext) -> Iterator[Finding]:
    blocks = list(_blocks(context))
    if not blocks:
        return
    cluster = context.cluster
    pods = _Owned((address, number) for address, numbers in cluster.pods_at.items() for number in numbers)
    nodes = _Owned(cluster.node_at.items())
    services = _Owned(
        (address, service)
        for service in cluster.services
        for address in service.addresses
        if address not in service.outer_addresses
    )
    for policy, rule, block in blocks:
        if not block.cidr.length and not block.excluded:
            continue
        message = _message(
            context, rule, block, (dict.fromkeys(pods.within(block)), nodes.within(block), services.within(block))
        )
        if message:
            yield Finding("FV013", peer_place(context, policy, rule, block), message, policy=policy.ref)


def _message(
    context: LintContext, rule: Rule, block: Network, found: tuple[Iterable[int], list[str], list[Service]]
) -> str:
    """Say what a block makes of the addresses of the cluster; nothing where that is as it reads."""
    pods, nodes, services = list(found[0]), found[1], found[2]
    plugin = context.enforcement.plugin.title
    if pods:
        what = f"{block.cidr} holds the addresses of {counted(len(pods), 'pod')}"
        workloads = listed(context.population.workloads(pods))
        if context.profile.ipblock_matches_pods:
            return (
                f"{what} ({workloads}) and {_DOES[rule.direction]} whatever their labels, for as long as they have "
                "these addresses; choose pods by labels."
            )
        return f"{what} ({workloads}), and under {plugin} no block matches a pod; choose pods by labels."
    if services and block.cidr.length:
        names = listed(str(service.ref) for service in services)
        return (
            f"{block.cidr} holds the {'address' if len(services) == 1 else 'addresses'} of {names}, and policies judge "
            "traffic to a Service by the address behind it, so this allows nothing there; name what is behind it."
        )
    if nodes and not context.profile.ipblock_matches_nodes:
        names = listed(sorted(set(nodes)))
        return f"{block.cidr} holds the addresses of {names}, and under {plugin} no block matches a node."
    return ""


RULES = (
    LintRule(
        "FV012",
        "cloud-range",
        Severity.WARNING,
        "A rule lets traffic out to a range of a cloud service instead of a name.",
        _cloud,
    ),
    LintRule(
        "FV013",
        "block-of-the-cluster",
        Severity.WARNING,
        "A block holds addresses of the cluster's own pods, Services or nodes.",
        _own,
    ),
)
