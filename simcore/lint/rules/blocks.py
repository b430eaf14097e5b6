"""Blocks of addresses that are a cloud service's, or the cluster's own."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from ...model.addresses import Address, Family
from ...model.cluster import Service
from ...model.labels import LabelSelector
from ...model.peers import Endpoints, Network
from ...model.policy import Direction, Policy, Rule
from ..allowing import allowing_rules, peers_of
from ..cloud import CloudService, service_of
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..words import counted, listed
from ..written import changed, network_policy_of, peer_paths, peer_place, selector_value

_OF_EACH_POD = (
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
)
"""Labels that controllers give pods to tell them apart."""
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
        range_words = "is a range" if range_ == block.cidr else f"{where} {range_}, a range"
        yield Finding(
            "FV012",
            peer_place(context, policy, rule, block),
            f"{block.cidr} {range_words} of {service.title}: its operator moves hosts between addresses, and other "
            "customers answer at them too, so allow the name of the host instead.",
            details=(_by_name(context, service), f"Its operator publishes its ranges, which change: {service.source}."),
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
        found = list(dict.fromkeys(pods.within(block))), nodes.within(block), services.within(block)
        message = _message(context, rule, block, found)
        if message:
            place = peer_place(context, policy, rule, block)
            fix = _by_labels(context, policy, rule, block, found[0], found[2])
            yield Finding("FV013", place, message, fix, policy=policy.ref)


def _by_labels(
    context: LintContext, policy: Policy, rule: Rule, block: Network, pods: list[int], services: list[Service]
) -> Fix | None:
    """Choose by labels what a block holds: the pods of one workload, or those behind one Service."""
    document = network_policy_of(context, policy)
    paths = peer_paths(document, rule, block) if document else []
    meant = _workload(context, pods) if pods else _behind(rule, services)
    if document is None or not paths or meant is None:
        return None
    item: dict[str, object] = {"podSelector": selector_value(meant.pods)}
    if meant.namespaces != LabelSelector.namespace(policy.ref.namespace):
        item = {"namespaceSelector": selector_value(meant.namespaces), **item}
    return changed(document, paths[0], item)


def _workload(context: LintContext, pods: list[int]) -> Endpoints | None:
    """Choose all pods of the workload that some are of; None where they are of several, or labels do not tell."""
    people = context.population
    first = context.cluster.pods[pods[0]]
    if len(people.workloads(pods)) > 1:
        return None
    labels = {key: value for key, value in first.labels.items() if key not in _OF_EACH_POD}
    meant = Endpoints(LabelSelector.namespace(first.namespace), LabelSelector.equal(labels))
    return meant if labels and people.workloads(people.labelled(meant)) == [str(first.workload)] else None


def _behind(rule: Rule, services: list[Service]) -> Endpoints | None:
    """Choose the pods behind a Service, where its ports are theirs; None where they are not, or it chooses none."""
    service = services[0]
    is_plain = rule.ports.is_everything or all(port.target == port.port for port in service.ports)
    if len(services) > 1 or service.selector is None or not is_plain:
        return None
    return Endpoints(LabelSelector.namespace(service.namespace), service.selector)


def _message(
    context: LintContext, rule: Rule, block: Network, found: tuple[list[int], list[str], list[Service]]
) -> str:
    """Say what a block makes of the addresses of the cluster; nothing where that is as it reads."""
    pods, nodes, services = found
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
