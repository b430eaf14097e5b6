"""Kernel that walks through changes slot by slot: counts, peaks, zombies, full tables and the curve, in one go."""

from typing import NamedTuple

import numpy as np

from ..jit import kernel
from .occupancy import apply_changes, close_slot, find_peaks
from .overflow import overflow
from .zombies import close_slot_of_maps, close_slot_of_zombies

EMPTY = np.int64(0x7FFFFFFFFFFFFFFF)
"""Stands for the fewest entries of a slot in which no time has passed yet."""


class Curve(NamedTuple):
    """What is drawn of every node: n nodes, of which the last is the fleet, b bins of time.

    Attributes
    ----------
    most, least : int64[n, b]
        Entries; `least` is EMPTY where no time has passed.
    area : float64[n, b]
        Entries times nanoseconds.
    top, bound : float64[n, b]
        Allocated entries: with a collector whose phase is known, and at most.
    """

    most: np.ndarray
    least: np.ndarray
    area: np.ndarray
    top: np.ndarray
    bound: np.ndarray


class Rules(NamedTuple):
    """What counting goes by.

    Attributes
    ----------
    class_of : int16[kinds, states]
        Class of an entry of a kind in a state.
    lifetime : float64[classes]
        Seconds that an entry of a class lives from its last packet.
    refreshed, unassured : bool[classes]
        Whether packets keep it alive; whether a full table may evict it.
    limits, buckets : float64[n]
        Of each node: most entries (0: no limit), buckets of the hash table.
    numbers : float64[4]
        How many entries stand for one; seconds between two passes of Cilium's collector, at least and at most; how many
        buckets a new entry is the first to look into.
    times : int64[4]
        Nanoseconds: start of the first slot, length of a slot; slots a bin; the kernel's ticks a second, 0 for Cilium.
    """

    class_of: np.ndarray
    lifetime: np.ndarray
    refreshed: np.ndarray
    unassured: np.ndarray
    limits: np.ndarray
    buckets: np.ndarray
    numbers: np.ndarray
    times: np.ndarray


@kernel
def advance(t, r, o, c, rules, clock, found, time, before, after, kind, path, until, is_limited):
    """Take in changes, and let time go on.

    Parameters
    ----------
    t : simcore.kernels.sizing.occupancy.Tally
    r : simcore.kernels.sizing.zombies.Rings
    o : simcore.kernels.sizing.overflow.Overflow
    c : Curve
        All written.
    rules : Rules
    clock : int64[1]
        Number of the present slot, the first being 1; written.
    found : int64[n]
        Counts as `find_peaks` keeps them; written.
    time, before, after, kind, path
        Changes; see `simcore.kernels.sizing.occupancy`.
    until : int
        Close the slots that end up to this time.
    is_limited : bool
        Whether a table may fill up, so that `overflow` has to follow.
    """
    first, length, scale, visits = rules.times[0], rules.times[1], rules.numbers[0], rules.numbers[3]
    i = 0
    while True:
        end = first + clock[0] * length
        j = i
        while j < time.size and time[j] < end:
            j += 1
        if j > i:
            find_peaks(t, found, i, j, time, before, after, path)
            apply_changes(t, i, j, time, before, after, kind, path, rules.class_of, rules.buckets, scale, visits)
            if is_limited:
                overflow(
                    o,
                    i,
                    j,
                    time,
                    before,
                    after,
                    kind,
                    path,
                    rules.class_of,
                    rules.unassured,
                    rules.limits,
                    rules.buckets,
                    scale,
                    visits,
                )
            i = j
        if end > until:
            return
        finish_slot(t, r, o, c, rules, clock, end)


@kernel
def finish_slot(t, r, o, c, rules, clock, end):
    """Close the present slot at a time, add it to the curve, and start the next."""
    length, scale, visits = rules.times[1], rules.numbers[0], rules.numbers[3]
    close_slot(t, end, scale)
    passes = r.next_pass.copy()
    hz = rules.times[3]
    if hz > 0:
        # Slots before the first are in the rings too: nothing happened, and the collector passed at some time.
        number = clock[0] + r.decayed.shape[1]
        close_slot_of_zombies(
            t, r, number, end, length / 1e9, rules.lifetime, rules.refreshed, hz, rules.buckets, scale, visits
        )
    else:
        close_slot_of_maps(t, r, end, rules.numbers[1], rules.numbers[2], scale)
    place = (clock[0] - 1) // rules.times[2]
    for n in range(t.live.size):
        c.most[n, place] = max(c.most[n, place], t.slot_most[n])
        c.least[n, place] = min(c.least[n, place], t.slot_least[n])
        c.area[n, place] += t.area[n]
        c.top[n, place] = max(c.top[n, place], t.slot_top[n])
        c.bound[n, place] = max(c.bound[n, place], r.slot_bound[n])
        t.slot_most[n], t.slot_least[n], t.area[n], t.slot_top[n] = 0, EMPTY, 0.0, 0.0
        t.slot_opens[n], t.slot_ends[n] = 0, 0
        r.before[n] = scale * t.live[n]
        if n < passes.size and r.next_pass[n] != passes[n]:
            o.zombies[n] = 0.0
    clock[0] += 1
