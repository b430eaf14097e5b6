"""The address space cut where rules and addresses cut it, and the objects that own its parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Cidr, Family
from ..model.peers import Network


def network_ranges(network: Network) -> list[tuple[int, int]]:
    """List the address ranges of a block less its exclusions, as (first, one past the last), ascending."""
    ranges: list[tuple[int, int]] = []
    start, end = network.cidr.first, network.cidr.last + 1
    for block in sorted(network.excluded, key=lambda b: (b.first, b.length)):
        if block.first > start:
            ranges.append((start, block.first))
        start = max(start, block.last + 1)
    if start < end:
        ranges.append((start, end))
    return ranges


@dataclass(frozen=True)
class Space:
    """The addresses of one family, cut into ranges that no network atom and no known address crosses.

    Attributes
    ----------
    starts : list of int
        First address of each range, ascending; the first is 0.
    signatures : uint64[ranges, 2]
        XOR of the words of the network atoms that hold the range: equal for ranges that no rule tells apart.
    """

    family: Family
    starts: list[int]
    signatures: NDArray[np.uint64]

    def range_at(self, address: int) -> int:
        """Return the number of the range that holds an address."""
        return bisect_right(self.starts, address) - 1

    def ranges_of(self, network: Network) -> list[tuple[int, int]]:
        """List the ranges, by number, that make up a network: (first, one past the last)."""
        return [(self.range_at(first), self.range_at(end - 1) + 1) for first, end in network_ranges(network)]


def cut_space(
    family: Family, networks: Iterable[tuple[Network, NDArray[np.uint64]]], addresses: Iterable[Address]
) -> Space:
    """Cut the space of one family by networks, each with its random word (uint64[2]), and by single addresses."""
    toggles: dict[int, NDArray[np.uint64]] = {}
    none = np.zeros(2, np.uint64)
    for network, word in networks:
        for first, end in network_ranges(network):
            for edge in (first, end):
                toggles[edge] = toggles.get(edge, none) ^ word
    for address in addresses:
        toggles.setdefault(address.value, none)
        toggles.setdefault(address.value + 1, none)
    toggles.setdefault(0, none)
    toggles.pop(1 << family.bits, None)
    starts = sorted(toggles)
    words = np.array([toggles[start] for start in starts], np.uint64).reshape(-1, 2)
    return Space(family, starts, np.bitwise_xor.accumulate(words, axis=0))


def most_specific(space: Space, blocks: list[Cidr]) -> NDArray[np.int32]:
    """For each range, the position in `blocks` of the longest block that holds it, or -1."""
    labels = np.full(len(space.starts), -1, np.int32)
    for position in sorted(range(len(blocks)), key=lambda p: blocks[p].length):
        block = blocks[position]
        if block.family is space.family:
            labels[space.range_at(block.first) : space.range_at(block.last) + 1] = position
    return labels
