"""Ranges to multibit tries (the layout is described in `simcore.kernels.tries`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..kernels.tries import grow_trie
from ..model.addresses import Family

_HALF = (1 << 64) - 1


def build_trie(family: Family, starts: Sequence[int], values: NDArray[np.int32]) -> NDArray[np.int32]:
    """Build the trie of ranges that together cover the whole address space.

    Parameters
    ----------
    family : Family
        Whose addresses they are.
    starts : sequence of int
        First address of each range, ascending; the first is 0.
    values : int32[len(starts)]
        The value of each range, 0 or more.

    Returns
    -------
    int32[65536 + 256 * nodes]
        The trie.
    """
    shift = 128 - family.bits
    high = np.array([start << shift >> 64 for start in starts], np.uint64)
    low = np.array([start << shift & _HALF for start in starts], np.uint64)
    trie: NDArray[np.int32] = grow_trie(high, low, values, family.bits)
    return trie
