"""Who is at the other end of a rule (CI-9 to CI-18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simcore.model.agent import CiliumAgent
from simcore.model.labels import Operator
from simcore.model.peers import DomainNames, Outside, PeerSet, Unresolved, all_of
from simcore.model.policy import Direction

from ..fields import Field
from .cidrs import Blocks
from .identities import ENTITIES, Identities
from .labels import RESERVED, Scope, read_wants, want
from .names import name_regex, read_name
from .services import Services

PREFIX = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_SUFFIXES = ("Endpoints", "CIDR", "CIDRSet", "Entities", "Groups", "Nodes")
_EGRESS_ONLY = ("toServices", "toFQDNs")
_LISTED = ("Endpoints", "CIDR", "CIDRSet", "Entities", "Nodes")
"""Peers whose empty list says nobody; an empty list of the others says nothing (CI-17)."""
REQUIRES_UNTIL = (1, 19)
_GROUPS = all_of((Outside(), Unresolved("which addresses AWS has for toGroups or fromGroups is not in the input")))
_CRD_ONLY = ("world-ipv4", "world-ipv6")


@dataclass(frozen=True, slots=True)
class Peers:
    """Who a rule means.

    Attributes
    ----------
    selectors : tuple of PeerSet
        What each of its items selects.
    is_open : bool
        It names nobody at all, which means everybody where ports are named, and else nobody.
    """

    selectors: tuple[PeerSet, ...]
    is_open: bool


def fields_of(direction: Direction, *, denies: bool) -> tuple[str, ...]:
    """List the fields that name peers in rules of a direction."""
    prefix = PREFIX[direction]
    own = tuple(f"{prefix}{suffix}" for suffix in (*_SUFFIXES, "Requires"))
    if direction is Direction.INGRESS:
        return own
    return (*own, *(name for name in _EGRESS_ONLY if not (denies and name == "toFQDNs")))


@dataclass(frozen=True, slots=True)
class PeerReader:
    """Reads the peers of rules of one policy."""

    scope: Scope
    identities: Identities
    blocks: Blocks
    services: Services

    def read(self, rule: Field, direction: Direction) -> Peers:
        """Read whom a rule means."""
        prefix = PREFIX[direction]
        self._check_single(rule, prefix)
        readers: dict[str, Callable[[Field], PeerSet | None]] = {
            "Endpoints": self._endpoint,
            "CIDR": self.blocks.network,
            "CIDRSet": self.blocks.entry,
            "Entities": self._entity,
            "Groups": lambda item: _GROUPS,
            "Nodes": self._node,
        }
        found = [
            peer
            for suffix, reader in readers.items()
            for item in rule.get(f"{prefix}{suffix}").items()
            if (peer := reader(item)) is not None
        ]
        found += [peer for item in rule.get("toServices").items() for peer in self.services.peers(item)]
        found += [peer for item in rule.get("toFQDNs").items() if (peer := self._names(item)) is not None]
        is_listed = any(rule.get(f"{prefix}{suffix}").value is not None for suffix in _LISTED)
        return Peers(tuple(dict.fromkeys(found)), is_open=not found and not is_listed)

    def requirements(self, rule: Field, direction: Direction) -> list[PeerSet]:
        """Read ``fromRequires`` or ``toRequires``: what every peer of the subjects must be besides (CI-16)."""
        field = rule.get(f"{PREFIX[direction]}Requires")
        if field.value and self.agent.version >= REQUIRES_UNTIL:
            field.error(
                "this is gone since Cilium 1.19. Write a deny rule; for an older one name its version "
                "(--cilium-version 1.18)"
            )
        return [self._endpoint(item) for item in field.items()]

    @property
    def agent(self) -> CiliumAgent:
        """How Cilium is set up."""
        return self.scope.agent

    def _check_single(self, rule: Field, prefix: str) -> None:
        names = [*(f"{prefix}{suffix}" for suffix in _SUFFIXES), *(_EGRESS_ONLY if prefix == "to" else ())]
        given = [name for name in names if rule.get(name).value]
        if len(given) > 1:
            first, second = (f"{name[0].upper()}{name[1:]}" for name in given[:2])
            rule.error(f"combining {first} and {second} is not supported yet. Make an item of each", given[1])

    def _endpoint(self, item: Field) -> PeerSet:
        return self.identities.peer(self.scope.of_peer(read_wants(item)))

    def _node(self, item: Field) -> PeerSet | None:
        if not self.agent.enable_node_selector_labels:
            item.error(
                'FromNodes/ToNodes rules can only be applied when the "enable-node-selector-labels" flag is set '
                "(--set enable_node_selector_labels=true)"
            )
            return None
        wants = read_wants(item)
        asked = (*wants, want(RESERVED, "remote-node", Operator.EXISTS), *self.scope.of_cluster(wants))
        return self.identities.remote_nodes(asked)

    def _entity(self, item: Field) -> PeerSet | None:
        word = item.text()
        if word in ENTITIES:
            return self.identities.entity(word)
        if word in _CRD_ONLY:
            item.error(
                f"unsupported entity: {word}, which the API server refuses. Select it by label: "
                f'{{matchLabels: {{"reserved:{word}": ""}}}}'
            )
        elif word is not None or item.value is None:
            item.error(f"unsupported entity: {word}. Use one of {', '.join(ENTITIES)}")
        return None

    def _names(self, item: Field) -> PeerSet | None:
        found = read_name(item, needed=True)
        if found is None:
            return None
        return DomainNames((name_regex(found[0], self.agent),), (found[1],), external=True)
