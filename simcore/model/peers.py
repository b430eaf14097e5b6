"""Peer sets: who may be at one end of a rule."""

from __future__ import annotations

from dataclasses import dataclass

from .addresses import Address, Cidr
from .labels import EVERYTHING, LabelSelector


@dataclass(frozen=True, slots=True)
class Anything:
    """Every address there is, in and outside the cluster."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pods whose namespace and whose own labels are both selected."""

    namespaces: LabelSelector = EVERYTHING
    pods: LabelSelector = EVERYTHING


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses inside `cidr` and in none of `excluded` (NP-13)."""

    cidr: Cidr
    excluded: tuple[Cidr, ...] = ()

    def contains(self, address: Address) -> bool:
        """Whether the block, less its exclusions, holds `address`."""
        return self.cidr.contains(address) and not any(block.contains(address) for block in self.excluded)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The union of its members; no member, nobody."""

    members: tuple[Anything | Endpoints | Network, ...]


PeerSet = Anything | Endpoints | Network | AnyOf
ANYTHING = Anything()
