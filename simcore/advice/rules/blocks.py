"""Blocks for addresses outside of the cluster: as few as are sensible, and never over the cluster's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from ...model.addresses import Address, Cidr, Family
from ...model.cluster import Cluster
from ..proposals import BlockPeer

PRIVATE = tuple(map(Cidr.parse, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
"""Private use (RFC 1918, RFC 4193) and shared address space (RFC 6598): what pods, nodes and Services live in."""
MOST_EXACT = 8
"""Addresses of one rule that are listed one by one."""
MOST_BLOCKS = 16
"""Blocks of one rule; where more are needed, the Internet as a whole is."""
_WIDER = {Family.V4: 24, Family.V6: 64}


@dataclass(frozen=True, slots=True)
class External:
    """How addresses outside become blocks.

    Attributes
    ----------
    how : {"auto", "exact", "any", "length"}
        One by one where they are few, else wider; always one by one; the whole Internet; blocks of one length.
    length : int
        Of an IPv4 prefix, with "length"; IPv6 ones are of 64 bits.
    """

    how: str = "auto"
    length: int = 24


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks, and the number of addresses seen in each; `widened`: they hold addresses that were not seen."""

    peers: tuple[BlockPeer, ...]
    widened: str = ""


def blocks_of(addresses: Collection[Address], external: External, cluster: Cluster) -> list[Blocks]:
    """Cover addresses by blocks: private ones apart from public ones, each family apart."""
    private = {address for address in addresses if any(block.contains(address) for block in PRIVATE)}
    found = []
    for family in Family:
        for group, is_public in ((set(addresses) - private, True), (private, False)):
            some = {address for address in group if address.family is family}
            if some:
                found.append(_covered(some, external, cluster, is_public))
    return found


def _covered(addresses: set[Address], external: External, cluster: Cluster, is_public: bool) -> Blocks:
    family = next(iter(addresses)).family
    exact = list(joined(Cidr(family, address.value, family.bits) for address in addresses))
    how = external.how
    if how == "exact" or (how == "auto" and len(addresses) <= MOST_EXACT):
        return Blocks(tuple(map(BlockPeer, exact)))
    length = external.length if how == "length" and family is Family.V4 else _WIDER[family]
    wider = sorted({Cidr.containing(address, length) for address in addresses})
    if is_public and (how == "any" or (how == "auto" and len(wider) > MOST_BLOCKS)):
        whole = Cidr(family, 0, 0)
        return Blocks((_without(whole, cluster, addresses),), f"the whole Internet, from {len(addresses):,} addresses")
    peers = tuple(_without(block, cluster, addresses) for block in joined(wider))
    return Blocks(peers, f"blocks of /{length}, from {len(addresses):,} addresses")


def _without(block: Cidr, cluster: Cluster, seen: Collection[Address]) -> BlockPeer:
    """Leave the cluster's addresses out of a block; private ranges as a whole, where nobody in them was seen."""
    kept = [
        private
        for private in PRIVATE
        if block.covers(private) and block != private and not any(private.contains(address) for address in seen)
    ]
    own = [
        Cidr(home.family, home.value, home.family.bits)
        for home in cluster.owned
        if block.contains(home) and home not in seen and not any(private.contains(home) for private in kept)
    ]
    return BlockPeer(block, (*kept, *joined(own)))


def joined(blocks: Iterable[Cidr]) -> Iterator[Cidr]:
    """Join blocks into as few as hold just the same addresses, in order."""
    stack: list[Cidr] = []
    for block in sorted(blocks):
        if stack and stack[-1].covers(block):
            continue
        stack.append(block)
        while len(stack) > 1 and _are_halves(stack[-2], stack[-1]):
            upper = stack.pop()
            stack[-1] = Cidr(upper.family, stack[-1].network, upper.length - 1)
    yield from stack


def _are_halves(lower: Cidr, upper: Cidr) -> bool:
    """Whether two blocks make up one."""
    if lower.family is not upper.family or lower.length != upper.length:
        return False
    size = 1 << (lower.family.bits - lower.length)
    return lower.network ^ size == upper.network and not lower.network & size
