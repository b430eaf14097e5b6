"""Items of ``ingress``, ``egress`` and their deny lists as entries, before they are made rules (CI-16 to CI-24)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simcore.model.peers import ANYTHING, PeerSet
from simcore.model.policy import Action, Direction, PolicyRef
from simcore.model.ports import PortMember

from ..fields import Field, describe
from .icmp import read_messages
from .layer7 import Around, Layer7, read_layer7
from .peers import PREFIX, PeerReader, fields_of
from .ports import read_ports

_AUTHENTICATION = ("disabled", "required", "test-always-fail")
_L7_FIELDS = ("rules", "serverNames", "listener", "originatingTLS", "terminatingTLS")
_HINTS = {
    "ports": "Put it into an item of toPorts",
    "rules": "Put it into an item of toPorts, beside ports",
    "auth": "Did you mean authentication? It takes mode: required",
    "fromCIDRs": "Did you mean fromCIDR?",
    "fqdn": "Did you mean toFQDNs?",
    "from": "Cilium says fromEndpoints, fromCIDR, fromEntities",
    "to": "Cilium says toEndpoints, toCIDR, toEntities",
}


@dataclass(frozen=True, slots=True)
class Owner:
    """A specification: the policy it is of, and whom it binds.

    Attributes
    ----------
    prefix : str
        What stands before the names of its sections: ``specs[1].``.
    closes : dict of Direction to bool
        Whether what no entry allows is denied, by direction.
    """

    ref: PolicyRef
    prefix: str
    subject: PeerSet
    hosts: bool
    closes: dict[Direction, bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one item says of one set of ports.

    Attributes
    ----------
    number : int
        Which part of the item it is.
    selectors : tuple of PeerSet
        The peers, by what each item selects.
    ports : tuple of PortMember or None
        None: everything.
    authentication : str
        The mode; empty where none is named.
    """

    owner: Owner
    field: Field
    direction: Direction
    action: Action
    section: str
    index: int
    number: int
    selectors: tuple[PeerSet, ...]
    ports: tuple[PortMember, ...] | None
    layer7: Layer7 | None = None
    authentication: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """What peers of a subject must be, whatever allows them."""

    owner: Owner
    field: Field
    direction: Direction
    section: str
    index: int
    peers: tuple[PeerSet, ...]


@dataclass(frozen=True, slots=True)
class EntryReader:
    """Reads the items of one specification."""

    owner: Owner
    peers: PeerReader
    clusterwide: bool

    def read(self, spec: Field, direction: Direction) -> Iterator[Entry | Requirement]:
        """Read both lists of a direction."""
        for denies in (False, True):
            name = f"{direction.word}{'Deny' if denies else ''}"
            for index, item in enumerate(spec.get(name).items()):
                if item.value is None:
                    item.error("an empty item selects nothing, but isolates. Write {} if that is meant")
                    continue
                own = () if denies else ("authentication",)
                rule = item.mapping((*fields_of(direction, denies=denies), "toPorts", "icmps", *own), _hints(direction))
                yield from self._item(rule, direction, index, name, denies=denies)

    def _item(
        self, rule: Field, direction: Direction, index: int, section: str, *, denies: bool
    ) -> Iterator[Entry | Requirement]:
        peers, required = self.peers.read(rule, direction), self.peers.requirements(rule, direction)
        mode = self._authentication(rule)
        parts = self._parts(rule, direction, denies=denies)
        where = f"{self.owner.prefix}{section}"
        if required:
            yield Requirement(self.owner, rule, direction, where, index, tuple(required))
        selectors = peers.selectors
        if peers.is_open and parts is not None:
            selectors = (ANYTHING,)
        if not selectors:
            return
        action = Action.DENY if denies else Action.ALLOW
        for number, (ports, layer7) in enumerate([(None, None)] if parts is None else parts):
            if ports is None or ports:
                yield Entry(self.owner, rule, direction, action, where, index, number, selectors, ports, layer7, mode)

    def _parts(
        self, rule: Field, direction: Direction, *, denies: bool
    ) -> list[tuple[tuple[PortMember, ...], Layer7 | None]] | None:
        """Read ports and messages, those that no proxy looks at together; None where neither is named."""
        messages, items = read_messages(rule), list(rule.get("toPorts").items())
        around = Around(direction, self.owner.hosts, self.clusterwide, self.peers.agent)
        plain: list[PortMember] = list(messages)
        found: list[tuple[tuple[PortMember, ...], Layer7 | None]] = []
        for item in items:
            more = () if denies else _L7_FIELDS
            hints = dict.fromkeys(_L7_FIELDS, "A deny rule looks at ports only") if denies else {}
            hints |= dict.fromkeys(("port", "protocol"), "Put it into an item of ports")
            entry = item.mapping(("ports", *more), hints)
            ports = read_ports(entry, self.peers.agent)
            members = tuple(dict.fromkeys(member for port in ports for member in port.members))
            layer7 = None if denies else read_layer7(entry, ports, around)
            if layer7 is None:
                plain += members
            else:
                found.append((members, layer7))
        if not items and not rule.get("icmps").value:
            return None
        return [(tuple(dict.fromkeys(plain)), None), *found]

    def _authentication(self, rule: Field) -> str:
        entry = rule.get("authentication").mapping(("mode",), {"type": "Did you mean mode?"})
        mode = entry.get("mode").text()
        if entry.value is not None and mode not in _AUTHENTICATION:
            entry.error(f"{describe(mode)} is not a mode. Use one of {', '.join(_AUTHENTICATION)}", "mode")
        return mode or ""


def _hints(direction: Direction) -> dict[str, str]:
    """Say where fields of the other direction belong."""
    own, other = PREFIX[direction], PREFIX[Direction(1 - direction)]
    word = Direction(1 - direction).word
    stray = {name: f"It belongs into {word}" for name in fields_of(Direction(1 - direction), denies=False)}
    return {**_HINTS, **stray, f"{other}Entity": f"Did you mean {own}Entities?"}
