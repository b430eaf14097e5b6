"""Tracking packets in bulk: the answers of `tracking`, but for full tables, from live entries only, on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simcore.analyses.conntrack.packets import allowed_of, entered_a_of, packet_rows, requests_first, scales_of
from simcore.analyses.conntrack.tracking import TRACK_SCHEMA, limits_of, rules_of, track_columns
from simcore.errors import CapacityError
from simcore.kernels.conntrack import slots, tracker
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
_SMALLEST = 1 << slots.LEAST_BITS
_LARGEST = 1 << 30
_LINE = 64  # bytes that memory gives at once
_NUMBERS = ("sequence", "acknowledgement", "length", "window")
_NONE = np.zeros(0, np.int64)


class _Columns(NamedTuple):
    """Packets as `track_fast` takes them, in its order."""

    keys: NDArray[np.generic]
    time: NDArray[np.generic]
    handling: NDArray[np.generic]
    allowed: NDArray[np.generic]
    flags: NDArray[np.generic]
    sequence: NDArray[np.generic]
    acknowledgement: NDArray[np.generic]
    length: NDArray[np.generic]
    window: NDArray[np.generic]
    scale: NDArray[np.generic]
    chunk: NDArray[np.generic]
    tag: NDArray[np.generic]
    initiate_tag: NDArray[np.generic]


# A kernel is compiled for each combination of types: packets of any kind, with nulls or without, have these.
_TYPES = ("u8", "i8", "u1", "u1", "u1", "i8", "u4", "i4", "u2", "i2", "i2", "i8", "i8")


class _Table(NamedTuple):
    """The table of a shard; see `slots`."""

    entries: NDArray[np.void]
    tags: NDArray[np.uint64]


class _Part(NamedTuple):
    """Some packets in a row, and where what becomes of them is written."""

    columns: _Columns
    verdict: NDArray[np.uint8]
    state: NDArray[np.uint8]
    remaining: NDArray[np.int64]


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
        self._tables = [_empty_table(_SMALLEST) for _ in range(count)]
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
        verdict, state = np.empty(count, np.uint8), np.empty(count, np.uint8)
        remaining = np.empty(count, np.int64)
        if not count:
            return verdict, state, remaining
        time = packets.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
        if time[0] < self._last or (time[1:] < time[:-1]).any():
            raise ValueError("the packets are not in the order of time; sort them by their column time")
        if not self._started:
            self._counters[:, tracker.BASE] = time[0] - 1
            self._started = True
        self._last = int(time[-1])
        shards = len(self._tables)
        edges = [count * shard // shards for shard in range(shards + 1)]
        cuts = [slice(start, stop) for start, stop in pairwise(edges) if start < stop]
        columns = self._pool.map(lambda cut: self._columns(packets.slice(cut.start, cut.stop - cut.start)), cuts)
        parts = [_Part(some, verdict[cut], state[cut], remaining[cut]) for some, cut in zip(columns, cuts, strict=True)]
        list(self._pool.map(lambda shard: self._track_shard(shard, parts), range(shards)))
        return verdict, state, remaining

    def live(self, time: int) -> int:
        """Count the entries that live at `time` (ns)."""
        pairs = zip(self._tables, self._counters, strict=True)
        return sum(int(slots.count_entries(table.entries, time - counters[tracker.BASE])) for table, counters in pairs)

    @property
    def size(self) -> int:
        """Bytes of the tables."""
        return sum(array.nbytes for table in self._tables for array in table)

    def _track_shard(self, shard: int, parts: Sequence[_Part]) -> None:
        counters, shards = self._counters[shard], len(self._tables)
        for columns, *answers in parts:
            done = 0
            while done < columns.keys.size:
                done = tracker.track_fast(
                    *self._tables[shard], counters, *columns, self._limits, self._rules, shard, shards, done, *answers
                )
                if counters[tracker.FULL]:
                    self._renew(shard, int(columns.time[done] - counters[tracker.BASE]))

    def _renew(self, shard: int, now: int) -> None:
        """Build a shard's table anew, larger if more than half of its slots are live."""
        old, counters = self._tables[shard].entries, self._counters[shard]
        live = slots.count_entries(old, now)
        size = old.size if live <= old.size // 2 else old.size * 2
        moved = -1
        while moved < 0:
            if size > _LARGEST:
                raise CapacityError(f"more than {_LARGEST} slots for {live} connections of one shard")
            table = _empty_table(size)
            moved = slots.move_entries(old, now, *table)
            size *= 2
        self._tables[shard] = table
        counters[tracker.USED] = moved
        counters[tracker.FULL] = 0

    def _columns(self, packets: pa.RecordBatch) -> _Columns:
        columns = self._plain_columns(packets) if _is_plain(packets) else self._wide_columns(packets)
        arrays = [np.ascontiguousarray(column, kind) for column, kind in zip(columns, _TYPES, strict=True)]
        for array in arrays:
            array.flags.writeable = False
        return _Columns._make(arrays)

    def _plain_columns(self, packets: pa.RecordBatch) -> _Columns:
        """Return the columns of packets that are all TCP or UDP between IPv4 addresses, most of them as they are."""
        keys = np.empty(packets.num_rows, np.uint64)
        names = ("source_address", "destination_address", "source_port", "destination_port", "protocol")
        ends = [_array(packets, name) for name in names]
        tracker.hash_v4(*ends, keys)
        protocol = ends[4]
        is_tcp = protocol == TCP
        handling = (~is_tcp).astype(np.uint8) * np.uint8(BY_UDP << tracker.HANDLER_SHIFT)
        if self.settings.nf_conntrack_checksum and _has(packets, "checksum_ok"):
            sums = packets.column("checksum_ok").fill_null(True).to_numpy(zero_copy_only=False)
            handling |= (~sums).astype(np.uint8) << np.uint8(tracker.BAD_SHIFT)
        for number, port in self.ruleset.notrack:
            handling[(protocol == number) & (ends[3] == port)] = UNTRACKED
        flags = _array(packets, "flags", is_tcp) if _has(packets, "flags") else np.zeros(packets.num_rows, np.uint8)
        allowed = allowed_of(flags, is_tcp, entered_a_of(packets, self._clients), self.ruleset)
        numbers = [_array(packets, name, is_tcp) if _has(packets, name) else _NONE for name in _NUMBERS]
        scale = scales_of(packets) if _has_options(packets) else _NONE
        time = packets.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
        return _Columns._make([keys, time, handling, allowed, flags, *numbers, scale, _NONE, _NONE, _NONE])

    def _wide_columns(self, packets: pa.RecordBatch) -> _Columns:
        """Return the columns of packets of any kind."""
        rows = packet_rows(packets, self.ruleset, self._clients, sums=self.settings.nf_conntrack_checksum)
        keys = np.empty(rows.size, np.uint64)
        tracker.hash_wide(requests_first(rows["tuple"]), keys)
        handling = (
            rows["action"]
            | rows["opening"] << tracker.OPENING_SHIFT
            | rows["bad"] << tracker.BAD_SHIFT
            | rows["handler"] << tracker.HANDLER_SHIFT
        )
        astray = (rows["action"] == ERROR_ABOUT) & (rows["reply"][:, 0:2] != rows["tuple"][:, 2:4]).any(axis=1)
        handling[astray] |= 1 << tracker.BAD_SHIFT
        names = ("time", "allowed", "flags", *_NUMBERS, "scale", "chunk", "tag", "initiate_tag")
        time, *others = (rows[name] for name in names)
        return _Columns._make([keys, time, handling, *others])


def _empty_table(size: int) -> _Table:
    """Make a table whose slots are a line of memory each: numpy's arrays begin within a line."""
    room = np.zeros(size * ENTRY.itemsize + _LINE, np.uint8)
    start = -room.ctypes.data % _LINE
    entries = room[start : start + size * ENTRY.itemsize].view(ENTRY)
    return _Table(entries, np.zeros(size // slots.TAGS, np.uint64))


def _has(packets: pa.RecordBatch, name: str) -> bool:
    """Whether a column is there and tells anything."""
    return name in packets.schema.names and packets.column(name).null_count < packets.num_rows


def _has_options(packets: pa.RecordBatch) -> bool:
    """Whether any packet has TCP options."""
    if _has(packets, "window_scale") or _has(packets, "mss"):
        return True
    return _has(packets, "sack_permitted") and pc.any(packets.column("sack_permitted")).as_py()


def _array(packets: pa.RecordBatch, name: str, needed: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Return a column as it is, or, where a row that needs it has a null, with its nulls filled.

    They become -1 for a sequence number, 65535 for a window, else 0. What stands in rows that do not need the column is
    not told.
    """
    column = packets.column(name)
    if column.null_count:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        if needed is not None and not (needed & ~valid).any():
            column = pa.Array.from_buffers(column.type, len(column), [None, column.buffers()[1]], 0, column.offset)
        else:
            column = column.cast(pa.int64()) if name == "sequence" else column
            column = column.fill_null({"sequence": -1, "window": 65535}.get(name, 0))
    result: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return result


def _is_plain(packets: pa.RecordBatch) -> bool:
    """Whether all packets are TCP or UDP between IPv4 addresses, and no payload tells their length."""
    names = ("source_address", "destination_address", "source_port", "destination_port", "protocol")
    if not all(_has(packets, name) and packets.column(name).null_count == 0 for name in names):
        return False
    if _has(packets, "payload") or any(not pa.types.is_uint32(packets.column(name).type) for name in names[:2]):
        return False
    protocol = packets.column("protocol").to_numpy(zero_copy_only=False)
    return bool(((protocol == TCP) | (protocol == UDP)).all())
