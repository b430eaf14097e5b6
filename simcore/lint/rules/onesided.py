"""Connections that one side's policies allow and the other side's deny."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice, product

from ...analyses.connectivity import Connectivity, Ports, WorkloadEnd
from ...model.flows import Verdict
from ...model.peers import Endpoints, PeerSet
from ...model.policy import Direction, Policy, Rule
from ...model.ports import PORT_PROTOCOLS, PortRange, protocol_name
from ...tables.ports import members_of
from ..allowing import allowing_rules, peers_of
from ..context import LintContext
from ..findings import Finding, LintRule, Severity
from ..words import listed
from ..written import peer_place

_CODES = {Direction.EGRESS: "FV025", Direction.INGRESS: "FV026"}
_EVERY_POD = Endpoints()
_ASKED = 25
"""So many pairs are asked which side denies them."""


def _check(context: LintContext, direction: Direction) -> Iterator[Finding]:
    if context.tables.moments is not None:
        return
    for policy, rule in allowing_rules(context):
        if rule.direction is direction and rule.certain and _pieces(rule):
            for peer in peers_of(rule):
                if isinstance(peer, Endpoints) and peer != _EVERY_POD:
                    yield from _judged(context, policy, rule, peer)


def _judged(context: LintContext, policy: Policy, rule: Rule, peer: Endpoints) -> Iterator[Finding]:
    found = context.connectivity
    own, others = _ends(context, rule.subject), _ends(context, peer)
    pairs = list(_pairs(found, own, others, rule.direction))
    held = {found.ports_of(source, destination) for source, destination in pairs}
    pieces = _pieces(rule)
    closed = [piece for piece in pieces if not any(_is_open(ports, piece) for ports in held)]
    if not pairs or not closed or (rule.ports.is_everything and closed != list(pieces)):
        return
    deniers = _deniers(context, rule.direction, pairs, closed)
    if deniers:
        names = listed(dict.fromkeys(_name(found, number) for number in others))
        ports = "" if len(closed) == len(pieces) else f" on {listed(map(_words, closed))}"
        yield Finding(
            _CODES[rule.direction],
            peer_place(context, policy, rule, peer),
            _message(rule.direction, names, ports),
            details=(f"It is denied by {listed(deniers, 3)}.",),
            policy=policy.ref,
        )


def _message(direction: Direction, names: str, ports: str) -> str:
    if direction is Direction.EGRESS:
        return f"This rule lets traffic out to {names}{ports}, and no policy there lets it in."
    return f"This rule lets in {names}{ports}, and no policy there lets it out."


def _ends(context: LintContext, peers: PeerSet) -> list[int]:
    """Return the ends, by position, that a selector holds."""
    pods = context.population.who(peers) or frozenset()
    names = {context.cluster.pods[number].full_name for number in pods}
    ends = context.connectivity.ends
    return [number for number, end in enumerate(ends) if isinstance(end, WorkloadEnd) and end.example in names]


def _pairs(
    found: Connectivity, own: Sequence[int], others: Sequence[int], direction: Direction
) -> Iterator[tuple[int, int]]:
    """Yield the sources and destinations that a rule is about, one pair of each two classes."""
    seen: set[tuple[int, int]] = set()
    for one, other in product(own, others):
        source, destination = (one, other) if direction is Direction.EGRESS else (other, one)
        classes = int(found.source_class[source]), int(found.destination_class[destination])
        if classes not in seen and found.is_pair(source, destination):
            seen.add(classes)
            yield source, destination


def _pieces(rule: Rule) -> tuple[PortRange, ...]:
    """Return the ports of a rule; none where some are told by name, or are no ports."""
    if rule.ports.is_everything:
        return tuple(PortRange(protocol) for protocol in PORT_PROTOCOLS)
    ranges = tuple(piece for piece in rule.ports.ranges if piece.protocol in PORT_PROTOCOLS)
    return ranges if len(ranges) == len(members_of(rule.ports)) else ()


def _is_open(ports: Ports, wanted: PortRange) -> bool:
    """Whether any of some ports is open, or may be."""
    return any(
        each.protocol == wanted.protocol and each.first <= wanted.last and wanted.first <= each.last
        for each in (*ports.allowed, *ports.unknown)
    )


def _deniers(
    context: LintContext, direction: Direction, pairs: Sequence[tuple[int, int]], closed: Sequence[PortRange]
) -> list[str]:
    """Name what denies at the other side; nothing, unless it is always that side, and that side alone."""
    other = Direction.INGRESS if direction is Direction.EGRESS else Direction.EGRESS
    found: list[str] = []
    for (source, destination), piece in islice(product(pairs, closed), _ASKED):
        flow = context.connectivity.flow(source, destination, piece.protocol, max(piece.first, 1))
        judged = context.reference.judge(flow)
        rule = judged.outcome(other).rule
        if judged.outcome(direction).verdict is Verdict.DENY or rule is None:
            return []
        found.append(str(rule))
    return list(dict.fromkeys(found))


def _name(found: Connectivity, number: int) -> str:
    end = found.ends[number]
    assert isinstance(end, WorkloadEnd)
    return end.workload


def _words(ports: PortRange) -> str:
    last = f"-{ports.last}" if ports.last > ports.first else ""
    return f"{protocol_name(ports.protocol)} {ports.first}{last}"


RULES = (
    LintRule(
        "FV025",
        "egress-allowed-ingress-denied",
        Severity.WARNING,
        "A rule lets traffic out to pods none of which lets it in.",
        partial(_check, direction=Direction.EGRESS),
    ),
    LintRule(
        "FV026",
        "ingress-allowed-egress-denied",
        Severity.WARNING,
        "A rule lets in pods none of which is let out.",
        partial(_check, direction=Direction.INGRESS),
    ),
)
