"""Kernels for expired entries that are still allocated: when the collector passes, and how many it may find (C-6)."""

from typing import NamedTuple

import numpy as np

from ..jit import kernel

SHORTEST, LONGEST, SAMPLES, SEED = 1, 60, 100, 60
"""Seconds between passes at least and at most; the samples with which a pass's mean starts, and their seconds."""
FARTHEST = 300
"""Seconds that an entry counts for at most in this mean."""
SPREAD = 4
"""Points that stand for the lifetimes left to entries which nothing refreshes."""
SIGMAS = 4.0
"""How far above its mean a random number of zombies is allowed for."""


class Rings(NamedTuple):
    """The last slots of every node; n nodes without the fleet, r slots.

    Attributes
    ----------
    decayed : float64[n, r]
        Zombies at the end of a slot by the zombie law, had the collector never passed.
    exponent : float64[n, r]
        Bucket visits until then, times ``2 / buckets``: what zombies decay by.
    ended : float64[n, r]
        Entries that expired until then.
    interval : float64[n, r]
        Seconds after which a pass that starts in the slot is followed by another, at most.
    next_pass : float64[n]
        Time of the next pass, for a collector whose phase is known.
    bound, bound_time : float64[n + 1], int64[n + 1]
        Most allocated entries whatever the phase, and at the end of which slot; the last is the fleet.
    slot_bound : float64[n + 1]
        The same for the last slot.
    before, zombies_before : float64[n + 1]
        Live entries when the slot began, and zombies at most.
    """

    decayed: np.ndarray
    exponent: np.ndarray
    ended: np.ndarray
    interval: np.ndarray
    next_pass: np.ndarray
    bound: np.ndarray
    bound_time: np.ndarray
    slot_bound: np.ndarray
    before: np.ndarray
    zombies_before: np.ndarray


@kernel
def timer_step(seconds, hz):
    """Return by how many seconds the kernel's timers may be late: they are sorted the coarser, the farther they are.

    Up to 63 ticks a timer is exact; beyond, each level of the wheel is eight times as long and as coarse.
    """
    ticks = seconds * hz
    step, reach = 1.0, 63.0
    while ticks > reach:
        step *= 8
        reach *= 8
    return step / hz if step > 1 else 0.0


@kernel
def pass_interval(classes, n, lifetime, refreshed, hz, at_most):
    """Return after how many seconds the collector's pass is followed by the next.

    The kernel takes the mean of what is left to each entry, in whole ticks, each sample adding the truncated
    ``(x - mean) / samples``; this freezes it too high as samples grow. Here samples come in the proportions of the
    table, some at a time.

    Parameters
    ----------
    classes : int64[nodes, classes]
        Entries by class.
    n : int
        Which node.
    lifetime : float64[classes]
        Seconds that an entry lives from its last packet.
    refreshed : bool[classes]
        Whether packets keep such entries alive; the others have anything left between nothing and all of it.
    hz : int
        Ticks a second.
    at_most : bool
        Take every entry for just refreshed, which gives the longest interval that is possible.
    """
    total = 0.0
    mean = 0.0
    for c in range(lifetime.size):
        total += classes[n, c]
        mean += classes[n, c] * min(lifetime[c], np.float64(FARTHEST))
    if total == 0 or (at_most and mean >= LONGEST * total):
        return np.float64(LONGEST)
    average, samples = np.float64(SEED * hz), np.float64(SAMPLES)
    last = SAMPLES + 2 * total
    while samples < last:
        step = min(max(1.0, np.floor(samples / 8)), last - samples)
        drift = 0.0
        for c in range(lifetime.size):
            if classes[n, c] == 0:
                continue
            points = 1 if at_most or refreshed[c] else SPREAD
            for point in range(points):
                part = 1.0 if points == 1 else (2 * point + 1) / (2.0 * points)
                left = hz * min(max(lifetime[c] * part, np.float64(SHORTEST)), np.float64(FARTHEST))
                drift += classes[n, c] / total / points * np.trunc((left - average) / (samples + step / 2))
        if drift == 0:
            break
        average += step * drift
        samples += step
    return min(max(average / hz, np.float64(SHORTEST)), np.float64(LONGEST))


@kernel
def bound_zombies(r, k, n, slot_seconds):
    """Return the most zombies that node `n` may hold in slot `k`, whenever the collector passed last.

    Either the law since the earliest pass that no other has followed, with room for chance, or everything that
    expired since then, whichever is less.
    """
    size = r.decayed.shape[1]
    now = k % size
    before = (k - 1) % size
    most = 0.0
    for back in range(size - 2, -1, -1):
        start = k - back
        # A pass at the very start of slot `start`, the next one not before slot `k` starts.
        if back == 0 or (back - 1) * slot_seconds <= r.interval[n, start % size]:
            first = (start - 1) % size
            here = r.decayed[n, now] - r.decayed[n, first] * np.exp(r.exponent[n, first] - r.exponent[n, now])
            there = r.decayed[n, before] - r.decayed[n, first] * np.exp(r.exponent[n, first] - r.exponent[n, before])
            mean = max(here, there, 0.0)
            most = min(r.ended[n, now] - r.ended[n, first], mean + SIGMAS * np.sqrt(mean))
            break
    return most


@kernel
def note_bound(t, r, n, zombies, end, scale):
    """Note how many entries a node may have had allocated in a slot.

    As many as it held at most and zombies there may be at the end; and no more than there may have been when the slot
    began and were made since, for an entry that expires takes no more room than one that lives.
    """
    at_most = r.before[n] + r.zombies_before[n] + scale * t.slot_opens[n]
    r.slot_bound[n] = min(scale * t.slot_most[n] + max(zombies, r.zombies_before[n]), at_most)
    if r.slot_bound[n] > r.bound[n]:
        r.bound[n] = r.slot_bound[n]
        r.bound_time[n] = end
    r.zombies_before[n] = zombies


@kernel
def close_slot_of_zombies(t, r, k, end, slot_seconds, lifetime, refreshed, hz, buckets, scale, visits):
    """Bring the zombies of every node to the end of slot `k`; let the collector pass where it is due.

    Parameters
    ----------
    t : simcore.kernels.sizing.occupancy.Tally
        Its slot is complete; `zombies` is written.
    r : Rings
        Written.
    k : int
        Number of the slot, more than the rings are long.
    end : int
        Its end in nanoseconds.
    slot_seconds : float
        Its length.
    lifetime, refreshed, hz
        As for `pass_interval`.
    buckets : float64[n]
        Of the hash table.
    scale : float
        How many entries stand for one.
    visits : float
        How many buckets a new entry is the first to look into.
    """
    size = r.decayed.shape[1]
    nodes = r.next_pass.size
    now, before = k % size, (k - 1) % size
    fleet = 0.0
    fleet_zombies = 0.0
    for n in range(nodes):
        decay = scale * visits * t.slot_opens[n] * 2 / buckets[n]
        kept = np.exp(-decay)
        spread = (1 - kept) / decay if decay > 1e-9 else 1.0
        r.decayed[n, now] = r.decayed[n, before] * kept + scale * t.slot_ends[n] * spread
        r.exponent[n, now] = r.exponent[n, before] + decay
        r.ended[n, now] = r.ended[n, before] + scale * t.slot_ends[n]
        longest = pass_interval(t.classes, n, lifetime, refreshed, hz, True)
        r.interval[n, now] = longest + timer_step(longest, hz)
        found = bound_zombies(r, k, n, slot_seconds) if r.ended[n, now] > 0 else 0.0
        fleet += found
        note_bound(t, r, n, found, end, scale)
        if end >= r.next_pass[n]:
            t.zombies[n] = 0.0
            seconds = pass_interval(t.classes, n, lifetime, refreshed, hz, False)
            seconds += timer_step(seconds, hz) / 2
            r.next_pass[n] = max(r.next_pass[n] + 1e9 * seconds, np.float64(end))
        fleet_zombies += t.zombies[n]
    t.zombies[nodes] = fleet_zombies
    note_bound(t, r, nodes, fleet, end, scale)


@kernel
def close_slot_of_maps(t, r, end, shortest, longest, scale):
    """The same for Cilium's maps: only its own collector removes anything, and adapts its interval to what it finds.

    Many deletions shorten the interval, few lengthen it. With an unknown phase, all that may expire within an interval
    may be there: as much as at the last pass, or as has expired since.

    Parameters
    ----------
    t : simcore.kernels.sizing.occupancy.Tally
        Its slot is complete; `zombies` is written.
    r : Rings
        Written; ``interval[n, 0]`` is the present interval, ``ended[n, 0]`` what the last pass found.
    end : int
        End of the slot in nanoseconds.
    shortest, longest : float
        Seconds between passes at least and at most.
    scale : float
        How many entries stand for one.
    """
    maps = r.next_pass.size
    total, fleet = 0.0, 0.0
    for n in range(maps):
        found = t.zombies[n]
        most = max(found, r.ended[n, 0])
        if end >= r.next_pass[n]:
            r.ended[n, 0] = found
            share = found / max(found + scale * t.live[n], 1.0)
            if share > 0.25:
                r.interval[n, 0] *= 1 - min(share, 0.9)
            elif share < 0.05:
                r.interval[n, 0] *= 1.5
            r.interval[n, 0] = min(max(r.interval[n, 0], shortest), longest)
            r.next_pass[n] = end + 1e9 * r.interval[n, 0]
            t.zombies[n] = 0.0
        fleet += most
        total += t.zombies[n]
        note_bound(t, r, n, most, end, scale)
    t.zombies[maps] = total
    note_bound(t, r, maps, fleet, end, scale)
