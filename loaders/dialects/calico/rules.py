"""Calico rules: what each matches and does (CA-34 to CA-39, CA-54)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from simcore.errors import Place
from simcore.model.addresses import Family
from simcore.model.peers import OfFamily, PeerSet
from simcore.model.policy import Action, Direction
from simcore.model.ports import TCP, PortSet

from ..fields import Field
from .endpoints import narrowed
from .entities import Entity, Scope, read_entity
from .ports import Traffic, read_traffic
from .reading import read_list, read_texts, read_word

_FIELDS = (
    *("action", "metadata", "ipVersion", "protocol", "notProtocol", "icmp", "notICMP"),
    *("source", "destination", "http"),
)
_HINTS = {
    "from": "Calico rules say source",
    "to": "Calico rules say destination",
    "ports": "It belongs into source or destination",
    "selector": "It belongs into source or destination",
    "nets": "It belongs into source or destination",
    "notIcmp": "Did you mean notICMP?",
}
_ACTIONS = {"Allow": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS, "Log": None}
_ACTION_HINTS = {"Accept": "Write Allow", "Drop": "Write Deny", "Reject": "Write Deny", "Next": "Write Pass"}
_MOST_RULES = 1024


@dataclass(frozen=True, slots=True)
class Written:
    """One written rule, of which there may be several rows; one that only logs has none.

    Attributes
    ----------
    own : PeerSet
        What the rule asks of the end that the policy guards.
    """

    index: int
    own: PeerSet
    peer: PeerSet
    ports: PortSet
    source_ports: PortSet
    action: Action
    place: Place
    condition: str = ""


def read_rules(field: Field, direction: Direction, scope: Scope) -> list[Written]:
    """Read ``ingress`` or ``egress``, in the order of asking."""
    items = read_list(field, _MOST_RULES, f"{direction.word} rules")
    return [row for index, item in enumerate(items) for row in _rows(index, item, direction, scope)]


def _rows(index: int, item: Field, direction: Direction, scope: Scope) -> Iterator[Written]:
    if item.value is None:
        item.error("an empty item is no rule. Write its action, or remove the dash")
    rule = item.mapping(_FIELDS, _HINTS)
    rule.get("metadata").mapping(("annotations",)).get("annotations").text_map()
    word = read_word(rule.get("action"), _ACTIONS, _ACTION_HINTS)
    if rule.get("action").value is None:
        rule.error(f"an action is required: {', '.join(_ACTIONS)}", "action")
    traffic = read_traffic(rule)
    source, destination = (read_entity(rule.get(name), scope, traffic.protocol) for name in ("source", "destination"))
    _check_services(rule, direction, source, destination)
    _check_families(rule, traffic, source, destination)
    _check_domains(rule, direction, word)
    condition = _condition(rule, direction, word, traffic)
    action = _ACTIONS.get(word or "")
    if action is None:
        return
    own, peer = (source, destination) if direction is Direction.EGRESS else (destination, source)
    family = [OfFamily(Family(traffic.family))] if traffic.family in (4, 6) else []
    written = Written(
        index=index,
        own=own.peers,
        peer=narrowed([peer.peers, *family]),
        ports=_ports(traffic, destination),
        source_ports=PortSet(source.ports, source.not_ports),
        action=action,
        place=item.place,
        condition=condition,
    )
    if destination.served is None:
        yield written
    for peers, members in destination.served or ():
        fitting = tuple(m for m in members if traffic.protocol in (None, m.protocol))
        yield replace(written, peer=narrowed([peers, *family]), ports=PortSet(fitting, traffic.excluded))


def _ports(traffic: Traffic, destination: Entity) -> PortSet:
    members = traffic.members if destination.ports is None else destination.ports
    return PortSet(members, (*traffic.excluded, *destination.not_ports))


def _check_services(rule: Field, direction: Direction, source: Entity, destination: Entity) -> None:
    own, side = (source, "source") if direction is Direction.EGRESS else (destination, "destination")
    if own.served is not None:
        other = "destination" if side == "source" else "source"
        rule.error(f"an {direction.word} rule asks for services in its {other}", side, "services")
    if destination.served is not None and (destination.ports is not None or destination.not_ports):
        rule.error("services bring their own ports. Remove ports and notPorts", "destination", "services")


def _check_families(rule: Field, traffic: Traffic, source: Entity, destination: Entity) -> None:
    families = source.families | destination.families
    if len(families) > 1:
        rule.error("the blocks of one rule must be all IPv4 or all IPv6. Make it two rules")
    elif traffic.family and families and traffic.family not in families:
        (family,) = families
        rule.error(f"IPv{traffic.family} here, and IPv{family.value} blocks below: nothing could match", "ipVersion")


def _check_domains(rule: Field, direction: Direction, action: str | None) -> None:
    for side in ("source", "destination"):
        entity = rule.get(side).value
        domains = entity.get("domains") if isinstance(entity, dict) else None
        if not domains:
            continue
        if side == "source" or direction is Direction.INGRESS or action != "Allow":
            rule.error("domains may only stand in the destination of an egress rule that allows", side, "domains")
        if entity.get("nets") or entity.get("selector"):
            rule.error("domains may not stand beside nets or selector. Make it two rules", side, "domains")


def _condition(rule: Field, direction: Direction, action: str | None, traffic: Traffic) -> str:
    """Return what an http match asks for besides, in words (CA-54)."""
    if rule.get("http").value is None:
        return ""
    http = rule.get("http").mapping(("methods", "paths"))
    if direction is Direction.EGRESS or action != "Allow":
        http.error("only an ingress rule that allows may match HTTP")
    if traffic.protocol not in (None, TCP):
        http.error("HTTP goes over TCP: write protocol: TCP, or leave it out")
    methods = read_texts(http.get("methods"))
    if len(set(methods)) < len(methods):
        http.error("a method stands here twice. Keep one", "methods")
    paths = [_path(item) for item in http.get("paths").items()]
    said = ["HTTP"] if not methods or "*" in methods else [f"HTTP {' or '.join(methods)}"]
    if paths:
        said.append(f"path {' or '.join(paths)}")
    return ", ".join(said)


def _path(item: Field) -> str:
    entry = item.mapping(("exact", "prefix"))
    exact, prefix = entry.get("exact").text(), entry.get("prefix").text()
    if bool(exact) is bool(prefix):
        item.error("exactly one of exact and prefix is required")
    path = exact or prefix or ""
    if path and (not path.startswith("/") or any(sign in path for sign in "? #")):
        item.error(f"{path!r} is no path: it begins with / and has no blank, ? or # in it")
    return path if exact else f"{path}/..." if not path.endswith("/") else f"{path}..."
