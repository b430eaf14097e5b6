"""Kernel for tables with a maximum: who is turned away, and what is evicted, as expected numbers (C-5)."""

from typing import NamedTuple

import numpy as np

from ..jit import kernel
from .occupancy import NODE_BITS, NODE_MASK, NODES_MASK, OWNER_SHIFT

BUCKETS_TRIED = 8
"""Buckets in which a full table looks for entries to evict."""


class Overflow(NamedTuple):
    """What tables with a maximum hold; n nodes without the fleet.

    Attributes
    ----------
    live : int64[n]
        Entries that a table without maximum would hold.
    classes : int64[n, classes]
        The same by class.
    present : float64[n, classes]
        Of these, the expected number that is there.
    total : float64[n]
        Sum of `present`.
    zombies : float64[n]
        Expired entries that are still allocated.
    lost : float64[n, owners]
        Connections whose first packet was dropped, by owner.
    tried : float64[n]
        New connections that met a full table.
    evicted : float64[n]
        Entries that had to make room.
    first : int64[n]
        When the first was turned away, in nanoseconds; below 0: never.
    """

    live: np.ndarray
    classes: np.ndarray
    present: np.ndarray
    total: np.ndarray
    zombies: np.ndarray
    lost: np.ndarray
    tried: np.ndarray
    evicted: np.ndarray
    first: np.ndarray


@kernel
def overflow(o, start, stop, time, before, after, kind, path, class_of, unassured, limits, buckets, scale, visits):
    """Follow changes through tables with a maximum.

    Connections are not told apart: of those that a change could be of, it is one that is there with the share of
    those that are. So all numbers are expected ones.

    Parameters
    ----------
    o : Overflow
        Written.
    start, stop : int
        Which changes.
    time, before, after, kind, path, class_of
        As for `simcore.kernels.sizing.occupancy`.
    unassured : bool[classes]
        Which entries a full table may evict.
    limits, buckets : float64[n]
        Most entries (0: no limit), and buckets of the hash table.
    scale : float
        How many entries stand for one.
    visits : float
        How many buckets a new entry is the first to look into.
    """
    live, classes, present, total, zombies = o.live, o.classes, o.present, o.total, o.zombies
    lost, tried, evicted, first = o.lost, o.tried, o.evicted, o.first
    for i in range(start, stop):
        was, now = before[i], after[i]
        left, entered = np.uintp(class_of[kind[i], was]), np.uintp(class_of[kind[i], now])
        owner = np.uintp(path[i] >> np.int64(OWNER_SHIFT))
        nodes = path[i] & np.int64(NODES_MASK)
        while nodes != 0:
            n = np.uintp((nodes & np.int64(NODE_MASK)) - 1)
            nodes >>= np.int64(NODE_BITS)
            there = 1.0
            searched = 0.0
            if was != 0:
                there = present[n, left] / classes[n, left] if classes[n, left] > 0 else 0.0
                present[n, left] -= there
                total[n] -= there
                classes[n, left] -= 1
            elif limits[n] > 0 and scale * (total[n] + 1) + zombies[n] > limits[n]:
                loose = 0.0
                for c in range(unassured.size):
                    if unassured[c]:
                        loose += present[n, c]
                load = 2 * scale * loose / buckets[n]
                chance = 1 - np.exp(-BUCKETS_TRIED * load)
                there = chance
                tried[n] += scale
                lost[n, owner] += (1 - chance) * scale
                if first[n] < 0:
                    first[n] = time[i]
                if chance > 0:
                    # A bucket where anything is found is emptied: load / (1 - exp(-load)) entries on average.
                    victims = min(chance * load / (1 - np.exp(-load)) / scale, loose)
                    evicted[n] += victims * scale
                    total[n] -= victims
                    rest = 1 - victims / loose
                    for c in range(unassured.size):
                        if unassured[c]:
                            present[n, c] *= rest
                searched = BUCKETS_TRIED * (1 - chance)
            if now != 0:
                present[n, entered] += there
                total[n] += there
                classes[n, entered] += 1
            else:
                zombies[n] += there * scale
            live[n] += np.int64(now != 0) - np.int64(was != 0)
            looked_into = visits * np.float64(was == 0) * there + searched
            zombies[n] -= zombies[n] * min(1.0, 2 * scale * looked_into / buckets[n])
