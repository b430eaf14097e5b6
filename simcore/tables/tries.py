"""Ranges to multibit tries and a table of single addresses (the layout is described in `simcore.kernels.tries`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.tries import fill_exact, grow_trie
from ..model.addresses import Family
from .space import Halves


@dataclass(frozen=True)
class Exact:
    """Single IPv6 addresses by hash (`simcore.kernels.tries`).

    Attributes
    ----------
    keys : uint64[size, 2]
        Halves of the addresses.
    ranges : int32[size]
        Number of the range that each address is; -1 where a slot is empty.
    """

    keys: NDArray[np.uint64]
    ranges: NDArray[np.int32]

    def values(self, of_range: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return a value for each slot from those of the ranges; -1 where it is empty."""
        return np.where(self.ranges < 0, np.int32(-1), of_range[self.ranges])


def find_single(starts: Halves) -> NDArray[np.int64]:
    """List the ranges, by number, that are a single address."""
    wide = (starts[1:] - starts[:-1])[:, 1] != 1
    wide |= starts[1:, 0] != starts[:-1, 0] + (starts[1:, 1] == 0)
    return np.flatnonzero(~wide)


def build_exact(starts: Halves, single: NDArray[np.int64]) -> Exact:
    """Build the hash table of some ranges that are single IPv6 addresses."""
    keys = np.zeros((1 << (2 * single.size + 1).bit_length(), 2), np.uint64)
    high, low = starts[single].T
    taken = fill_exact(high, low, keys)
    return Exact(keys, np.where(taken < 0, -1, np.append(single, -1)[taken]).astype(np.int32))


def without(single: NDArray[np.int64], values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give some ranges the value of one beside them, so that a trie can pass over them."""
    kept = np.ones(values.size, bool)
    kept[single] = False
    numbers = np.maximum.accumulate(np.where(kept, np.arange(values.size), -1))
    return values[np.where(numbers < 0, np.argmax(kept), numbers)]


def build_trie(family: Family, starts: Halves, values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Build the trie of ranges that together cover the whole address space.

    Parameters
    ----------
    family : Family
        Whose addresses they are.
    starts : uint64[ranges, 2]
        Halves of the first address of each range, ascending; the first is 0.
    values : int32[ranges]
        The value of each range, 0 or more.

    Returns
    -------
    int32[65536 + 256 * nodes]
        The trie.
    """
    edges = np.flatnonzero(np.diff(values, prepend=-1))
    high, low = starts[edges].T
    if family is Family.V4:
        high, low = low << np.uint64(32), high
    trie: NDArray[np.int32] = grow_trie(high, low, values[edges], family.bits)
    return trie
