"""Tracking packets in bulk: the answers of `tracking`, but for full tables, from live entries only, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.analyses.conntrack.packets import allowed_of, entered_a_of, packet_rows, requests_first, scales_of
from simcore.analyses.conntrack.tracking import TRACK_SCHEMA, limits_of, rules_of, track_columns
from simcore.errors import CapacityError
from simcore.kernels.conntrack import tracker
from simcore.kernels.conntrack.entries import ENTRY
from simcore.kernels.conntrack.protocols import BY_UDP, ERROR_ABOUT, UNTRACKED
from simcore.model.addresses import Cidr
from simcore.model.conntrack import Conntrack
from simcore.model.ports import TCP, UDP
from simcore.model.rulesets import STATEFUL, Ruleset

BULK_SCHEMA = pa.schema(
    [TRACK_SCHEMA.field(name) for name in ("verdict", "ct_class", "ct_state", "timeout", "assured")]
)
"""What became of a packet: TRACK_SCHEMA without what counts entries."""

MOST_SHARDS = 128
_SMALLEST = 1 << tracker.LEAST_BITS
_LARGEST = 1 << 30
_NUMBERS = ("sequence", "acknowledgement", "length", "window")
_NONE = np.zeros(0, np.int64)


class _Columns(NamedTuple):
    """Packets as `track_fast` takes them, in its order."""

    keys: NDArray[np.uint64]
    time: NDArray[np.int64]
    handling: NDArray[np.uint8]
    allowed: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    sequence: NDArray[np.generic]
    acknowledgement: NDArray[np.generic]
    length: NDArray[np.generic]
    window: NDArray[np.generic]
    scale: NDArray[np.generic]
    chunk: NDArray[np.generic]
    tag: NDArray[np.generic]
    initiate_tag: NDArray[np.generic]


class BulkTracker:
    """Connection tracking without a table's limits, for many packets.

    Parameters
    ----------
    settings : Conntrack
        Timeouts; limits and buckets do not matter here.
    ruleset : Ruleset
        Which packets are let through; one that rewrites addresses, or has a helper, needs `tracking.Tracker`.
    clients : iterable of Cidr
        Networks on side a, for packets that do not say where they entered; without any these come from side a.
    shards : int, optional
        Parts of the table, each worked on by one thread at a time; answers do not depend on it. By default one a CPU.

    Raises
    ------
    ValueError
        The ruleset is not one of those, or there are more than 128 shards.
    """

    def __init__(
        self,
        settings: Conntrack,
        ruleset: Ruleset = STATEFUL,
        *,
        clients: Iterable[Cidr] = (),
        shards: int | None = None,
    ) -> None:
        if ruleset.dnat or ruleset.masquerade or ruleset.ftp_ports:
            raise ValueError("a ruleset that rewrites addresses or has a helper takes the exact tracker")
        count = shards or min(os.cpu_count() or 1, MOST_SHARDS)
        if not 1 <= count <= MOST_SHARDS:
            raise ValueError(f"there are 1 to {MOST_SHARDS} shards, not {count}")
        self.settings = settings
        self.ruleset = ruleset
        self._clients = tuple(clients)
        self._limits = limits_of(settings)
        self._rules = rules_of(settings, self._limits)
        self._tables = [np.zeros(_SMALLEST, ENTRY) for _ in range(count)]
        self._counters = np.zeros((count, tracker.COUNTERS), np.int64)
        self._started = False
        self._last = 0
        self._pool = ThreadPoolExecutor(min(count, os.cpu_count() or 1))

    def track(self, packets: pa.RecordBatch) -> pa.RecordBatch:
        """Track packets in time order; the next call goes on where this one ends.

        Parameters
        ----------
        packets : RecordBatch
            Rows of PACKET_SCHEMA. Batches of 100,000 rows or more keep all cores busy.

        Returns
        -------
        RecordBatch
            Rows of BULK_SCHEMA, one a packet.
        """
        verdict, state, remaining = self.track_arrays(packets)
        columns = track_columns(
            verdict & tracker.ACCEPTED != 0, verdict & np.uint8(7), state, remaining, verdict & tracker.IS_ASSURED != 0
        )
        return pa.RecordBatch.from_arrays(columns, schema=BULK_SCHEMA)

    def track_arrays(self, packets: pa.RecordBatch) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.int64]]:
        """Track packets; return verdict, state and time left as `track_fast` writes them."""
        count = packets.num_rows
        verdict, state = np.zeros(count, np.uint8), np.zeros(count, np.uint8)
        remaining = np.zeros(count, np.int64)
        if not count:
            return verdict, state, remaining
        columns = self._columns(packets)
        if columns.time[0] < self._last or (np.diff(columns.time) < 0).any():
            raise ValueError("the packets are not in the order of time; sort them by their column time")
        if not self._started:
            self._counters[:, tracker.BASE] = columns.time[0] - 1
            self._started = True
        self._last = int(columns.time[-1])
        shards = range(len(self._tables))
        list(self._pool.map(lambda shard: self._track_shard(shard, columns, verdict, state, remaining), shards))
        return verdict, state, remaining

    def live(self, time: int) -> int:
        """Count the entries that live at `time` (ns)."""
        pairs = zip(self._tables, self._counters, strict=True)
        return sum(int(tracker.count_entries(table, time - counters[tracker.BASE])) for table, counters in pairs)

    @property
    def size(self) -> int:
        """Bytes of the tables."""
        return sum(table.nbytes for table in self._tables)

    def _track_shard(
        self,
        shard: int,
        columns: _Columns,
        verdict: NDArray[np.uint8],
        state: NDArray[np.uint8],
        remaining: NDArray[np.int64],
    ) -> None:
        done = 0
        counters = self._counters[shard]
        while done < columns.keys.size:
            done = tracker.track_fast(
                self._tables[shard],
                counters,
                *columns,
                self._limits,
                self._rules,
                shard,
                len(self._tables),
                done,
                verdict,
                state,
                remaining,
            )
            if counters[tracker.FULL]:
                self._renew(shard, int(columns.time[done] - counters[tracker.BASE]))

    def _renew(self, shard: int, now: int) -> None:
        """Build a shard's table anew, larger if more than half of its slots are live."""
        old, counters = self._tables[shard], self._counters[shard]
        live = tracker.count_entries(old, now)
        size = old.size if live <= old.size // 2 else old.size * 2
        moved = -1
        while moved < 0:
            if size > _LARGEST:
                raise CapacityError(f"more than {_LARGEST} slots for {live} connections of one shard")
            table = np.zeros(size, ENTRY)
            moved = tracker.move_entries(old, now, table)
            size *= 2
        self._tables[shard] = table
        counters[tracker.USED] = moved
        counters[tracker.FULL] = 0

    def _columns(self, packets: pa.RecordBatch) -> _Columns:
        if _is_plain(packets):
            return self._plain_columns(packets)
        return self._wide_columns(packets)

    def _plain_columns(self, packets: pa.RecordBatch) -> _Columns:
        """Return the columns of packets that are all TCP or UDP between IPv4 addresses, most of them as they are."""
        keys = np.empty(packets.num_rows, np.uint64)
        names = ("source_address", "destination_address", "source_port", "destination_port", "protocol")
        ends = [_array(packets, name) for name in names]
        self._in_parts(packets.num_rows, lambda start, stop: tracker.hash_v4(*ends, start, stop, keys))
        protocol = ends[4]
        handling = (protocol != TCP).astype(np.uint8) * np.uint8(BY_UDP << tracker.HANDLER_SHIFT)
        if self.settings.nf_conntrack_checksum and _has(packets, "checksum_ok"):
            sums = packets.column("checksum_ok").fill_null(True).to_numpy(zero_copy_only=False)
            handling |= (~sums).astype(np.uint8) << np.uint8(tracker.BAD_SHIFT)
        for number, port in self.ruleset.notrack:
            handling[(protocol == number) & (ends[3] == port)] = UNTRACKED
        flags = _array(packets, "flags") if _has(packets, "flags") else np.zeros(packets.num_rows, np.uint8)
        allowed = allowed_of(flags, protocol == TCP, entered_a_of(packets, self._clients), self.ruleset)
        numbers = [_array(packets, name) if _has(packets, name) else _NONE for name in _NUMBERS]
        options = any(_has(packets, name) for name in ("window_scale", "sack_permitted", "mss"))
        scale = scales_of(packets).astype(np.int8) if options else _NONE
        time = packets.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
        return _Columns._make(
            [keys, time, handling, allowed.view(np.uint8), flags, *numbers, scale, _NONE, _NONE, _NONE]
        )

    def _wide_columns(self, packets: pa.RecordBatch) -> _Columns:
        """Return the columns of packets of any kind."""
        rows = packet_rows(packets, self.ruleset, self._clients, sums=self.settings.nf_conntrack_checksum)
        keys = np.empty(rows.size, np.uint64)
        tuples = requests_first(rows["tuple"])
        self._in_parts(rows.size, lambda start, stop: tracker.hash_wide(tuples, start, stop, keys))
        handling = (
            rows["action"]
            | rows["opening"] << tracker.OPENING_SHIFT
            | rows["bad"] << tracker.BAD_SHIFT
            | rows["handler"] << tracker.HANDLER_SHIFT
        )
        astray = (rows["action"] == ERROR_ABOUT) & (rows["reply"][:, 0:2] != rows["tuple"][:, 2:4]).any(axis=1)
        handling[astray] |= 1 << tracker.BAD_SHIFT
        time, allowed, *others = (
            np.ascontiguousarray(rows[name])
            for name in ("time", "allowed", "flags", *_NUMBERS, "scale", "chunk", "tag", "initiate_tag")
        )
        return _Columns._make([keys, time, handling, allowed, *others])

    def _in_parts(self, count: int, work: Callable[[int, int], object]) -> None:
        """Do some work on all rows, a part of them on each thread."""
        parts = len(self._tables)
        edges = [count * part // parts for part in range(parts + 1)]
        list(self._pool.map(work, edges[:-1], edges[1:]))


def _has(packets: pa.RecordBatch, name: str) -> bool:
    """Whether a column is there and tells anything."""
    return name in packets.schema.names and packets.column(name).null_count < packets.num_rows


def _array(packets: pa.RecordBatch, name: str) -> NDArray[Any]:
    """Return a column as it is, or, where it has nulls, widened: -1 for a sequence number, 0 or 65535 for the rest."""
    column = packets.column(name)
    if column.null_count:
        missing = {"sequence": -1, "window": 65535}.get(name, 0)
        column = column.cast(pa.int64()).fill_null(missing)
        if name == "flags":
            column = column.cast(pa.uint8())
    result: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return result


def _is_plain(packets: pa.RecordBatch) -> bool:
    """Whether all packets are TCP or UDP between IPv4 addresses."""
    names = ("source_address", "destination_address", "source_port", "destination_port", "protocol")
    if not all(_has(packets, name) and packets.column(name).null_count == 0 for name in names):
        return False
    if any(not pa.types.is_uint32(packets.column(name).type) for name in names[:2]):
        return False
    protocol = packets.column("protocol").to_numpy(zero_copy_only=False)
    return bool(((protocol == TCP) | (protocol == UDP)).all())
