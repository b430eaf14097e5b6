"""Sessions: a table of the connections that flow records belong to, and what happens to its entries over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...kernels.sessions import sessions as kernel
from ...kernels.sessions.ordering import lay_out_changes, order_changes, order_rows, pick_times
from ...kernels.sessions.session_table import index_entries, sweep_entries, take_rows
from ...model.conntrack import SECOND, Cilium, Conntrack, CtState, timeouts
from ...model.ports import GRE, ICMP, ICMPV6, SCTP, TCP, UDP
from ..shards import Engine, Threads

_ROWS_AT_A_TIME = 1 << 16
_SMALLEST = 1 << 12
_FAMILY_PROTOCOLS = (TCP, UDP, 136, ICMP, ICMPV6, GRE, SCTP, 0)
"""A protocol of each family of `simcore.kernels.sessions.sessions`."""
_UDP_GRACE = 2 * SECOND
_LONGEST = 1 << 60
"""Longer timeouts count as this, 36 years: the end of an entry must fit an integer."""
_WORDS = kernel.CHANGE.itemsize // 8
FINISHED = np.int64(np.iinfo(np.int64).max - 1)


class Changes(NamedTuple):
    """What happened to entries in one stretch of time, in the order of time.

    Within one instant, entries that make room for others with swapped ends go first, then entries are made, then
    states change, then entries go. No entry is made and gone in the wrong order, so the number of entries after each
    change is right at the end of an instant, and its peak right throughout.

    Attributes
    ----------
    time : int64[m]
        ns since 1970.
    before, after : uint8[m]
        `CtState`; NONE for no entry.
    protocol : uint8[m]
        IANA number.
    source_object, destination_object : int32[m]
        Objects (see `simcore.tables.objects`) of the opener and of the other end.
    denied : uint8[m]
        1 where ingress policy drops the connection, which then has an entry only where its opener is.
    """

    time: NDArray[np.int64]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    protocol: NDArray[np.uint8]
    source_object: NDArray[np.int32]
    destination_object: NDArray[np.int32]
    denied: NDArray[np.uint8]


def session_timeouts(settings: Conntrack | Cilium) -> NDArray[np.int64]:
    """Return the timeouts that records are held against, int64[FAMILIES, STATES], ns.

    TCP of which only one end was seen is as good as picked up in mid-stream: `unacknowledged` holds if it is shorter
    (C-2.5).
    """
    table = np.zeros((kernel.FAMILIES, kernel.STATES), np.int64)
    for family, protocol in enumerate(_FAMILY_PROTOCOLS):
        table[family, : len(CtState)] = [min(timeout, _LONGEST) for timeout in timeouts(settings, protocol)]
    picked_up = table[:, CtState.ESTABLISHED].copy()
    if isinstance(settings, Conntrack):
        unacknowledged = min(settings.nf_conntrack_tcp_timeout_unacknowledged * SECOND, _LONGEST)
        picked_up = np.minimum(picked_up, unacknowledged)
    table[:, kernel.PICKED_UP] = picked_up
    return table


def longest_timeouts(settings: Conntrack | Cilium) -> NDArray[np.int64]:
    """Return the longest life without packets that an entry of each family may have, int64[FAMILIES], ns."""
    table = session_timeouts(settings)
    states = [
        (CtState.ESTABLISHED,) if protocol == TCP else (CtState.SCTP_ESTABLISHED,) if protocol == SCTP else _STATELESS
        for protocol in _FAMILY_PROTOCOLS
    ]
    return np.array([max(table[family, state] for state in each) for family, each in enumerate(states)], np.int64)


_STATELESS = (CtState.UNREPLIED, CtState.REPLIED, CtState.ASSURED)


class Sessions:
    """A table of connections, fed with flow records window by window.

    Parameters
    ----------
    settings : Conntrack or Cilium
    begin : int
        When the capture begins, ns. Later than this plus the longest timeout, what has no entry has none indeed.
    policy_set : int
        Whose verdicts count: 0 or 1.
    engine : Engine, optional
        What runs the shards.
    shards : int
        How many parts the table has. Changes no result.
    results : uint8[rows of the capture], optional
        Written: what is said of each row, see `simcore.kernels.sessions.session_table.take_rows`.

    Attributes
    ----------
    connections : int64[4, 4]
        Entries made, and attempts that make none because policy denies egress: by verdict code under both sets.
    """

    def __init__(
        self,
        settings: Conntrack | Cilium,
        begin: int,
        *,
        policy_set: int = 0,
        engine: Engine | None = None,
        shards: int = 1,
        results: NDArray[np.uint8] | None = None,
    ) -> None:
        self._engine = engine or Threads(1)
        self._timeouts = session_timeouts(settings)
        self._grace = np.full(kernel.FAMILIES, kernel.NEVER)
        self._grace[kernel.UDP] = _UDP_GRACE
        self._grace[[kernel.UDPLITE, kernel.GRE]] = 0
        self._begin = begin
        self._certain = begin + longest_timeouts(settings)
        loose = not isinstance(settings, Conntrack) or settings.nf_conntrack_tcp_loose
        self._options = np.array([loose, isinstance(settings, Cilium)], np.int64)
        self._policy_set = policy_set
        self._results = np.empty(0, np.uint8) if results is None else results
        self._shards = [_Shard() for _ in range(shards)]

    @property
    def connections(self) -> NDArray[np.int64]:
        """Connections so far, by verdict code under both policy sets."""
        total: NDArray[np.int64] = np.sum([shard.connections for shard in self._shards], axis=0)
        return total

    @property
    def longest_timeout(self) -> int:
        """How long an entry may stay without packets, ns."""
        return int((self._certain - self._begin).max())

    @property
    def size(self) -> int:
        """Bytes that the table takes."""
        return sum(shard.size for shard in self._shards)

    def advance(self, rows: NDArray[np.void], until: int) -> Changes:
        """Take the records of a window, and let pass what happens before its end.

        Parameters
        ----------
        rows : ROW[n]
            Records from the last `until` to this one, in the order of the capture.
        until : int
            End of the window, ns; it does not belong to it.

        Returns
        -------
        Changes
            From the last `until` to this one.
        """

        def work(number: int) -> NDArray[np.void]:
            return self._work(number, rows, until)

        found = list(self._engine.map(work, range(len(self._shards))))
        return _laid_out(found, self._engine)

    def finish(self) -> Changes:
        """Let everything happen that is still to happen."""
        return self.advance(np.empty(0, kernel.ROW), int(FINISHED))

    def live(self) -> NDArray[np.void]:
        """Return the entries there are, ENTRY[n], as of the last `until`."""
        return np.concatenate([shard.live() for shard in self._shards])

    def _work(self, number: int, rows: NDArray[np.void], until: int) -> NDArray[np.void]:
        """Show one shard its rows; return what happened to its entries, unordered."""
        shard = self._shards[number]
        keys, numbers = np.empty(rows.size, np.uint64), np.empty(rows.size, np.int32)
        start = rows["time"].min() if rows.size else 0
        count, is_ordered = order_rows(rows, number, len(self._shards), start, keys, numbers)
        order = numbers[:count]
        if not is_ordered:
            order = order[np.argsort(keys[:count], kind="stable")]
        written = 0
        for first in range(0, count, _ROWS_AT_A_TIME):
            some = order[first : first + _ROWS_AT_A_TIME]
            shard.make_room(some.size)
            room = shard.room(written, kernel.CHANGES_A_ROW * some.size)
            written += take_rows(
                rows,
                some,
                shard.slots,
                shard.entries,
                shard.due,
                shard.counts,
                self._timeouts,
                self._grace,
                self._certain,
                self._options,
                self._policy_set,
                self._results,
                shard.connections,
                room,
            )
        first = 0
        while first < shard.counts[kernel.HIGH]:
            room = shard.room(written, kernel.CHANGES_A_ROW * _ROWS_AT_A_TIME)
            first, more = sweep_entries(
                until,
                first,
                shard.slots,
                shard.entries,
                shard.due,
                shard.counts,
                self._timeouts,
                self._options,
                shard.connections,
                room,
            )
            written += more
        return shard.written(written)


class _Shard:
    """A part of the table."""

    def __init__(self) -> None:
        self.slots = np.full(2 * _SMALLEST, -1, np.int32)
        self.entries = np.zeros(_SMALLEST, kernel.ENTRY)
        self.due = np.full(_SMALLEST, kernel.NEVER)
        self.counts = np.array([0, 0, -1, 0], np.int64)
        self.connections = np.zeros((4, 4), np.int64)
        self._room = np.empty(0, np.uint64)

    @property
    def size(self) -> int:
        return self.slots.nbytes + self.entries.nbytes + self.due.nbytes

    def make_room(self, count: int) -> None:
        """Make room for some more entries."""
        needed = int(self.counts[kernel.USED]) + count
        size = self.entries.size
        if needed > size:
            while size < needed:
                size += size // 2
            entries = np.empty(size * kernel.ENTRY.itemsize // 8, np.uint64)
            entries[: self.entries.nbytes // 8] = self.entries.view(np.uint64)
            due = np.full(size, kernel.NEVER)
            due[: self.due.size] = self.due
            self.entries, self.due = entries.view(kernel.ENTRY), due
        if self.slots.size < 2 * needed:
            slots = self.slots.size
            while slots < 2 * needed:
                slots *= 2
            self.slots = np.full(slots, -1, np.int32)
            index_entries(self.entries, self.due, self.counts[kernel.HIGH], self.slots)

    def room(self, taken: int, count: int) -> NDArray[np.void]:
        """Return room for `count` changes behind those that are written."""
        if self._room.size < (taken + count) * _WORDS:
            # Copied as words: numpy copies structures field by field, ten times slower.
            room = np.empty(max(2 * taken, taken + count) * _WORDS, np.uint64)
            room[: taken * _WORDS] = self._room[: taken * _WORDS]
            self._room = room
        return self._room[taken * _WORDS : (taken + count) * _WORDS].view(kernel.CHANGE)

    def written(self, count: int) -> NDArray[np.void]:
        """Return the changes that are written; the next window writes over them."""
        return self._room[: count * _WORDS].view(kernel.CHANGE)

    def live(self) -> NDArray[np.void]:
        used = (self.due != kernel.NEVER) & (self.entries["state"] != kernel.NONE)
        entries: NDArray[np.void] = self.entries[used]
        return entries


def _laid_out(found: list[NDArray[np.void]], engine: Engine) -> Changes:
    """Put the changes of all shards in order, each of some stretches of time on its own."""
    words = [part.view(np.uint64) for part in found]
    changes = (np.concatenate(words) if len(words) > 1 else words[0]).view(kernel.CHANGE)
    columns = _empty(changes.size)
    if not changes.size:
        return columns
    times = changes.view(np.int64)[::_WORDS]
    first, last = int(times.min()), int(times.max()) + 1
    edges = [first + (last - first) * part // len(found) for part in range(len(found) + 1)]

    def order(part: int) -> NDArray[np.int32]:
        picked = np.empty(changes.size, np.int32)
        picked = picked[: pick_times(changes, edges[part], edges[part + 1], picked)]
        order_changes(changes, edges[part], edges[part + 1] - edges[part], picked)
        return picked

    pieces = list(engine.map(order, range(len(found))))
    ends = np.cumsum([piece.size for piece in pieces])

    def lay_out(part: int) -> None:
        here = slice(ends[part] - pieces[part].size, ends[part])
        lay_out_changes(
            changes,
            pieces[part],
            columns.time[here],
            columns.before[here],
            columns.after[here],
            columns.protocol[here],
            columns.source_object[here],
            columns.destination_object[here],
            columns.denied[here],
        )

    list(engine.map(lay_out, range(len(found))))
    return columns


def _empty(count: int) -> Changes:
    """Make columns that are to be filled."""
    states = np.empty((4, count), np.uint8)
    objects = np.empty((2, count), np.int32)
    return Changes(np.empty(count, np.int64), states[0], states[1], states[2], objects[0], objects[1], states[3])
