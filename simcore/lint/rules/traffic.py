"""What a capture tells: rules that nothing needs, ranges wider than the traffic, and who goes to the Internet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import Place
from ...model.addresses import Cidr, Family
from ...model.peers import DomainNames, Endpoints, Network
from ...model.policy import Direction, Policy, Rule
from ..allowing import allowing_rules, peers_of
from ..context import LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..sources import SYSTEM_NAMESPACES
from ..words import counted, listed
from ..written import changed, network_policy_of, peer_paths, peer_place

if TYPE_CHECKING:
    from ...analyses.hits import BlockTraffic, Outward

FEWEST_FLOWS = 50
"""Flows without which a capture says nothing of what is not needed."""
FEWEST_SIBLINGS = 3
"""Workloads of a namespace that must be seen before one of them can be unlike the others."""
NARROWER = {Family.V4: 8, Family.V6: 32}
"""Bits by which the block of what was seen must be longer."""


def _never_hit(context: LintContext) -> Iterator[Finding]:
    hits, people = context.hits, context.population
    if hits is None:
        return
    counts = {str(rule): flows for rule, flows in hits.of_rules}
    told = set()
    for policy, rule in allowing_rules(context):
        if counts.get(str(rule), 1) or str(rule) in told or _is_nobody(context, rule):
            continue
        guarded = people.workloads(people.who(rule.subject) or ())
        flows = sum(hits.guarded[rule.direction].get(name, 0) for name in guarded)
        if flows < FEWEST_FLOWS:
            continue
        told.add(str(rule))
        toward = "from" if rule.direction is Direction.EGRESS else "to"
        yield Finding(
            "FV060",
            rule.place,
            f"Of the {counted(flows, 'flow')} of the capture {toward} {listed(guarded)} this rule decides none: "
            "nothing needs it, or another rule lets the same through.",
            policy=policy.ref,
        )


def _is_nobody(context: LintContext, rule: Rule) -> bool:
    """Whether the peers of a rule are pods, and there are none."""
    peers = peers_of(rule)
    return all(isinstance(peer, Endpoints) for peer in peers) and not context.population.who(rule.peer)


def _unexpected(context: LintContext) -> Iterator[Finding]:
    if context.hits is None:
        return
    seen = context.hits.guarded[Direction.EGRESS]
    outward: dict[str, list[Outward]] = {}
    for each in context.hits.outward:
        outward.setdefault(each.source.partition("/")[0], []).append(each)
    for namespace, found in sorted(outward.items()):
        siblings = [name for name in seen if name.partition("/")[0] == namespace]
        sources = {each.source for each in found}
        unnamed = [each for each in found if not _names_a_range(each.rule)]
        if namespace in SYSTEM_NAMESPACES or len(siblings) < FEWEST_SIBLINGS or len(sources) > 1 or not unnamed:
            continue
        flows = sum(each.flows for each in unnamed)
        rule = unnamed[0].rule
        yield Finding(
            "FV061",
            rule.place if rule else context.namespaces.get(namespace, Place("")),
            f"Of {len(siblings)} workloads of namespace {namespace} in the capture only {unnamed[0].source} goes to "
            f"public addresses ({counted(flows, 'flow')}, the first to {unnamed[0].address}), and "
            f"{'this rule lets it go anywhere' if rule else 'no policy binds it'}.",
            policy=rule.policy if rule else None,
        )


def _names_a_range(rule: Rule | None) -> bool:
    """Whether a rule says where to, by a block or a name."""
    return rule is not None and any(
        isinstance(peer, DomainNames) or (isinstance(peer, Network) and peer.cidr.length > 0) for peer in peers_of(rule)
    )


def _too_wide(context: LintContext) -> Iterator[Finding]:
    hits = context.hits
    if hits is None:
        return
    seen: dict[tuple[str, Network], BlockTraffic] = {}
    for (number, block), found in hits.blocks.items():
        key = str(hits.rules[number]), block
        seen[key] = seen[key].joined(found) if key in seen else found
    for policy, rule in allowing_rules(context):
        for block in dict.fromkeys(peer for peer in peers_of(rule) if isinstance(peer, Network)):
            traffic = seen.pop((str(rule), block), None)
            if traffic is None or traffic.flows < FEWEST_FLOWS:
                continue
            if traffic.cover.length - block.cidr.length < NARROWER[block.cidr.family]:
                continue
            where = "go to" if rule.direction is Direction.EGRESS else "come from"
            yield Finding(
                "FV062",
                peer_place(context, policy, rule, block),
                f"The {counted(traffic.flows, 'flow')} of the capture that {block.cidr} lets through all {where} "
                f"addresses of {traffic.cover}.",
                _narrower(context, policy, rule, block, traffic.cover),
                policy=policy.ref,
            )


def _narrower(context: LintContext, policy: Policy, rule: Rule, block: Network, cover: Cidr) -> Fix | None:
    document = network_policy_of(context, policy)
    paths = peer_paths(document, rule, block) if document else []
    if document is None or not paths:
        return None
    inside = [str(excluded) for excluded in block.excluded if cover.covers(excluded)]
    value = {"cidr": str(cover), **({"except": inside} if inside else {})}
    return changed(document, (*paths[0], "ipBlock"), value)


RULES = (
    LintRule(
        "FV060",
        "never-hit",
        Severity.INFO,
        "A rule decides no flow of the capture.",
        _never_hit,
        needs_capture=True,
    ),
    LintRule(
        "FV061",
        "unexpected-way-out",
        Severity.WARNING,
        "One workload alone of its namespace goes to public addresses, and no rule says where to.",
        _unexpected,
        needs_capture=True,
    ),
    LintRule(
        "FV062",
        "range-wider-than-traffic",
        Severity.INFO,
        "A block is far wider than the addresses of the traffic that it lets through.",
        _too_wide,
        needs_capture=True,
    ),
)
