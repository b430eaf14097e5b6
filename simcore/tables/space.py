"""The address space cut where rules and addresses cut it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.ranges import find_ranges, paint
from ..model.addresses import Cidr, Family
from ..model.peers import Network

Halves = NDArray[np.uint64]
"""``uint64[n, 2]``: the upper and the lower half of numbers of 128 bits."""


def halves(numbers: Iterable[int]) -> Halves:
    """Split numbers below 2^128."""
    packed = b"".join([number.to_bytes(16, "big") for number in numbers])
    return np.frombuffer(packed, ">u8").astype(np.uint64).reshape(-1, 2)


def network_ranges(network: Network) -> list[tuple[int, int]]:
    """List the address ranges of a block less its exclusions, as (first, last), ascending."""
    ranges: list[tuple[int, int]] = []
    start, last = network.cidr.first, network.cidr.last
    for block in sorted(network.excluded, key=lambda b: (b.first, b.length)):
        if block.first > start:
            ranges.append((start, block.first - 1))
        start = max(start, block.last + 1)
    if start <= last:
        ranges.append((start, last))
    return ranges


@dataclass(frozen=True)
class Space:
    """The addresses of one family, cut into ranges that no network atom and no known address crosses.

    Attributes
    ----------
    starts : uint64[ranges, 2]
        Halves of the first address of each range, ascending; the first is 0.
    signatures : uint64[ranges, 2]
        XOR of the words of the network atoms that hold the range: equal for ranges that no rule tells apart.
    """

    family: Family
    starts: Halves
    signatures: NDArray[np.uint64]

    def has(self, block: Cidr) -> bool:
        """Whether the space is cut at both ends of a block."""
        edges = halves([edge for edge in (block.first, block.last + 1) if edge >> self.family.bits == 0])
        return bool((self.starts[self.ranges_at(edges)] == edges).all())

    def ranges_at(self, addresses: Halves) -> NDArray[np.int64]:
        """Return the numbers of the ranges that hold some addresses."""
        out = np.empty(len(addresses), np.int64)
        find_ranges(self.starts, addresses, out)
        return out

    def stretches(self, bounds: Sequence[tuple[int, int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ranges, by number, that hold pairs of a first and a last address: the first, one past the last."""
        found = self.ranges_at(halves([address for pair in bounds for address in pair]))
        return found[::2], found[1::2] + 1


def cut_space(family: Family, networks: Sequence[tuple[Network, NDArray[np.uint64]]], addresses: Halves) -> Space:
    """Cut the space of one family by networks, each with its random word (uint64[2]), and by single addresses.

    Blocks that a network excludes cut it too: people see which of them an address is in.
    """
    none = np.zeros(2, np.uint64)
    bounds = [(pair, word) for network, word in networks for pair in network_ranges(network)]
    blocks = {block for network, _ in networks for block in (network.cidr, *network.excluded)}
    bounds += [((block.first, block.last), none) for block in blocks]
    ends = (1 << family.bits) - 1
    lasts = halves([last for (_, last), _ in bounds])
    words = np.array([word for _, word in bounds], np.uint64).reshape(-1, 2)
    after = np.concatenate([lasts, addresses])
    edges = np.concatenate([halves([0, *(first for (first, _), _ in bounds)]), addresses, _next(after)])
    cuts = np.zeros(edges.shape, np.uint64)
    cuts[1 : 1 + len(bounds)] = words
    start = 1 + len(bounds) + len(addresses)
    cuts[start : start + len(bounds)] = words
    inside = np.ones(len(edges), bool)
    inside[start:] = (after != halves([ends])).any(axis=1)
    edges, cuts = edges[inside], cuts[inside]
    order = np.lexsort((edges[:, 1], edges[:, 0]))
    edges, cuts = edges[order], np.bitwise_xor.accumulate(cuts[order], axis=0)
    last_of = np.append((edges[1:] != edges[:-1]).any(axis=1), True)
    return Space(family, edges[last_of], cuts[last_of])


def _next(addresses: Halves) -> Halves:
    """Add one to each address."""
    low = addresses[:, 1] + np.uint64(1)
    return np.stack([addresses[:, 0] + (low == 0), low], axis=1)


def most_specific(space: Space, blocks: Sequence[Cidr]) -> NDArray[np.int32]:
    """For each range, the position in `blocks` of the longest block that holds it, or -1."""
    labels = np.full(len(space.starts), -1, np.int32)
    firsts, lasts = space.stretches([(block.first, block.last) for block in blocks])
    order = np.argsort(np.array([block.length for block in blocks], np.int64), kind="stable")
    paint(firsts[order], lasts[order], order.astype(np.int32), labels)
    return labels
