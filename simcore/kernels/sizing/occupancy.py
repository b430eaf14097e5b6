"""Kernels that count conntrack entries node by node, exactly, from what happens to entries."""

from typing import NamedTuple

import numpy as np

from ..jit import kernel

NODE_BITS = 14
MOST_NODES = (1 << NODE_BITS) - 2
MOST_OWNERS = 1 << 21
OWNER_SHIFT = 3 * NODE_BITS
NODE_MASK = (1 << NODE_BITS) - 1
NODES_MASK = (1 << OWNER_SHIFT) - 1


class Tally(NamedTuple):
    """What is known of every node while changes come in; n nodes, of which the last is the fleet.

    Attributes
    ----------
    live, last, since : int64[n]
        Entries; time of the last change; time up to which `held`, `area` and the slot's own figures are written.
    peak, peak_time, mark : int64[n]
        Most entries at any time, since when, and before which change of the batch they are to be noted (-1: none).
    zombies : float64[n]
        Expired entries that are still allocated, by the zombie law (C-6).
    top, top_time : float64[n], int64[n]
        Most allocated entries, and since when.
    slot_most, slot_least : int64[n]
        Most and least entries of the slot.
    slot_top, area : float64[n]
        Most allocated entries of the slot, and its entries times nanoseconds.
    slot_opens, slot_ends : int64[n]
        Entries that were made in the slot, and those that expired; no expiries of the fleet.
    classes, class_peak : int64[n, classes]
        Entries by class now, and at the peak.
    owners, owner_peak : int32[n, owners]
        Entries by owner now, and at the peak.
    hold_starts : int64[n + 1]
        Where each node's part of `held` starts.
    held : int64[...]
        Nanoseconds for which a node held so many entries.
    """

    live: np.ndarray
    last: np.ndarray
    since: np.ndarray
    peak: np.ndarray
    peak_time: np.ndarray
    mark: np.ndarray
    zombies: np.ndarray
    top: np.ndarray
    top_time: np.ndarray
    slot_most: np.ndarray
    slot_least: np.ndarray
    slot_top: np.ndarray
    area: np.ndarray
    slot_opens: np.ndarray
    slot_ends: np.ndarray
    classes: np.ndarray
    class_peak: np.ndarray
    owners: np.ndarray
    owner_peak: np.ndarray
    hold_starts: np.ndarray
    held: np.ndarray


@kernel
def count_openings(before, after, path, openings):
    """Count the entries that changes make.

    Parameters
    ----------
    before, after : uint8[m]
        States; 0 is no entry.
    path : int64[m]
        Owner and nodes, see `find_peaks`.
    openings : int64[n]
        Added to: entries by node; the last is the fleet.
    """
    fleet = np.uintp(openings.size - 1)
    for i in range(before.size):
        if before[i] == 0 and after[i] != 0:
            nodes = path[i] & np.int64(NODES_MASK)
            while nodes != 0:
                openings[np.uintp((nodes & np.int64(NODE_MASK)) - 1)] += 1
                openings[fleet] += 1
                nodes >>= np.int64(NODE_BITS)


@kernel
def find_peaks(t, live, start, stop, time, before, after, path):
    """Find where counts exceed their peaks, and mark the changes before which they did last.

    A count is what holds between two times: changes of one time are seen together, and what comes and goes at one
    time is not seen at all.

    Parameters
    ----------
    t : Tally
        `last`, `peak`, `peak_time` and `mark` are written.
    live : int64[n]
        Counts before the first of the changes; written.
    start, stop : int
        Which changes.
    time : int64[m]
        Nanoseconds, ascending.
    before, after : uint8[m]
        States; 0 is no entry.
    path : int64[m]
        ``owner << 42 | (third + 1) << 28 | (second + 1) << 14 | first + 1``: whose entries these are and the nodes
        that hold one, the first given first; 0 stands for none. A node that is named twice holds two.
    """
    last, peak, peak_time, mark = t.last, t.peak, t.peak_time, t.mark
    fleet = np.int64(live.size - 1)
    for i in range(start, stop):
        change = np.int64(after[i] != 0) - np.int64(before[i] != 0)
        nodes = path[i] & np.int64(NODES_MASK)
        while nodes != 0:
            for which in range(2):
                n = np.uintp((nodes & np.int64(NODE_MASK)) - 1 if which == 0 else fleet)
                if time[i] > last[n]:
                    if live[n] > peak[n]:
                        peak[n] = live[n]
                        peak_time[n] = last[n]
                        mark[n] = i
                    last[n] = time[i]
                live[n] += change
            nodes >>= np.int64(NODE_BITS)


@kernel
def apply_changes(t, start, stop, time, before, after, kind, path, class_of, buckets, scale, visits):
    """Bring every figure up to date, and note the peaks that `find_peaks` marked.

    Parameters
    ----------
    t : Tally
        Written.
    start, stop : int
        Which changes.
    time, before, after, path
        As for `find_peaks`.
    kind : uint8[m]
        What an entry is of: protocol, denied or not; a row of `class_of`.
    class_of : int16[kinds, states]
        Class of an entry of a kind in a state.
    buckets : float64[n]
        Of the hash table.
    scale : float
        How many entries stand for one.
    visits : float
        How many buckets a new entry is the first to look into (C-6).
    """
    live, since, mark, held, hold_starts = t.live, t.since, t.mark, t.held, t.hold_starts
    classes, class_peak, owners, owner_peak = t.classes, t.class_peak, t.owners, t.owner_peak
    zombies, top, top_time, area = t.zombies, t.top, t.top_time, t.area
    most, least, slot_top, opens, ends = t.slot_most, t.slot_least, t.slot_top, t.slot_opens, t.slot_ends
    fleet = np.int64(live.size - 1)
    for i in range(start, stop):
        was, now, now_time = before[i], after[i], time[i]
        change = np.int64(now != 0) - np.int64(was != 0)
        left, entered = np.uintp(class_of[kind[i], was]), np.uintp(class_of[kind[i], now])
        owner = np.uintp(path[i] >> np.int64(OWNER_SHIFT))
        nodes = path[i] & np.int64(NODES_MASK)
        while nodes != 0:
            node = np.uintp((nodes & np.int64(NODE_MASK)) - 1)
            nodes >>= np.int64(NODE_BITS)
            for which in range(2):
                n = node if which == 0 else np.uintp(fleet)
                length = now_time - since[n]
                if length > 0:
                    count = live[n]
                    held[np.uintp(hold_starts[n] + count)] += length
                    area[n] += np.float64(count) * np.float64(length)
                    most[n] = max(most[n], count)
                    least[n] = min(least[n], count)
                    allocated = scale * count + zombies[n]
                    slot_top[n] = max(slot_top[n], allocated)
                    if allocated > top[n]:
                        top[n] = allocated
                        top_time[n] = since[n]
                    since[n] = now_time
                if mark[n] == i:
                    class_peak[n] = classes[n]
                    owner_peak[n] = owners[n]
                    mark[n] = -1
                live[n] += change
                opens[n] += np.int64(was == 0)
                if was != 0:
                    classes[n, left] -= 1
                    owners[n, owner] -= 1
                if now != 0:
                    classes[n, entered] += 1
                    owners[n, owner] += 1
            # The zombie law (C-6), event by event: an expiry leaves one, a visit frees those of its bucket.
            found = zombies[node]
            if was == 0:
                found -= found * min(1.0, 2 * visits * scale / buckets[node])
            if now == 0:
                found += scale
                ends[node] += 1
            zombies[np.uintp(fleet)] += found - zombies[node]
            zombies[node] = found


@kernel
def close_slot(t, end, scale):
    """Count what holds at the end of a slot, up to that time.

    Parameters
    ----------
    t : Tally
        Written.
    end : int
        Nanoseconds.
    scale : float
        How many entries stand for one.
    """
    for n in range(t.live.size):
        length = end - t.since[n]
        if length > 0:
            count = t.live[n]
            t.held[t.hold_starts[n] + count] += length
            t.area[n] += np.float64(count) * np.float64(length)
            t.slot_most[n] = max(t.slot_most[n], count)
            t.slot_least[n] = min(t.slot_least[n], count)
            allocated = scale * count + t.zombies[n]
            t.slot_top[n] = max(t.slot_top[n], allocated)
            if allocated > t.top[n]:
                t.top[n] = allocated
                t.top_time[n] = t.since[n]
            t.since[n] = end


@kernel
def note_last_peaks(t):
    """Note the peaks of nodes that hold more than ever at the end."""
    for n in range(t.live.size):
        if t.live[n] > t.peak[n]:
            t.peak[n] = t.live[n]
            t.peak_time[n] = t.last[n]
            t.class_peak[n] = t.classes[n]
            t.owner_peak[n] = t.owners[n]
