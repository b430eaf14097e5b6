"""Tracking packets as a kernel does: each packet's class, and what the table holds after it (semantics C-1 to C-6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.analyses.conntrack.packets import packet_rows
from simcore.kernels.conntrack import buckets, exact
from simcore.kernels.conntrack.buckets import Table
from simcore.kernels.conntrack.clock import count_live
from simcore.kernels.conntrack.collector import collect
from simcore.kernels.conntrack.entries import (
    ASSURED,
    BE_LIBERAL,
    ENTRY,
    GENERIC_LIMIT,
    GRE_FIRST,
    GRE_STREAM,
    ICMP_LIMIT,
    ICMPV6_LIMIT,
    IGNORE_INVALID_RST,
    LIMITS,
    LOOSE,
    MAX_RETRANS,
    REPLIED,
    UNACKNOWLEDGED,
)
from simcore.model.addresses import Cidr
from simcore.model.conntrack import SECOND, Conntrack, CtClass, CtState, timeouts
from simcore.model.rulesets import STATEFUL, Ruleset

WORDS = pa.dictionary(pa.int8(), pa.string())
VERDICTS = ("accept", "drop")

TRACK_SCHEMA = pa.schema(
    [
        pa.field("verdict", WORDS, nullable=False, metadata={"doc": "accept or drop"}),
        pa.field("ct_class", WORDS, nullable=False, metadata={"doc": "new, established, related, invalid, ..."}),
        pa.field("ct_state", WORDS, metadata={"doc": "state of the packet's entry; null without one"}),
        pa.field("timeout", pa.float64(), metadata={"doc": "seconds until the entry expires; null without one"}),
        pa.field("assured", pa.bool_(), metadata={"doc": "the entry is ASSURED; null without one"}),
        pa.field("count", pa.int64(), nullable=False, metadata={"doc": "entries allocated, expired ones included"}),
        pa.field("live", pa.int64(), nullable=False, metadata={"doc": "entries not yet expired"}),
    ]
)
"""What became of a packet, one row each, as of right after it."""

ADDRESS = pa.binary(16)
ENTRY_SCHEMA = pa.schema(
    [
        pa.field("protocol", pa.uint8()),
        *(
            pa.field(f"{way}_{end}", kind)
            for way in ("original", "reply")
            for end, kind in (
                ("source_address", ADDRESS),
                ("destination_address", ADDRESS),
                ("source_port", pa.uint16()),
                ("destination_port", pa.uint16()),
            )
        ),
        pa.field("ct_state", WORDS),
        pa.field("timeout", pa.float64()),
        pa.field("assured", pa.bool_()),
        pa.field("replied", pa.bool_()),
    ]
)
"""An entry of the table, as `conntrack -L` lists it; of ICMP, ports are the identifier, and the type and code."""

_CHUNK = 65536
_IDLE_INTERVAL = 60.0
_EXPECTATIONS = 4096
_CLASS_WORDS = pa.array([ct_class.word for ct_class in CtClass])
_STATE_WORDS = pa.array([state.word for state in CtState])


class Tracker:
    """A kernel's connection tracking for the packets of one router.

    Parameters
    ----------
    settings : Conntrack
        Timeouts, limits and buckets.
    ruleset : Ruleset
        Which packets are let through.
    clients : iterable of Cidr
        Networks on side a, for packets that do not say where they entered; without any these come from side a.
    gc_first_pass : float, optional
        Seconds from the first packet to the collector's first pass, whose phase no capture tells. By default an idle
        table's interval of 60 s.
    seed : int
        Of the hash that puts entries into buckets, which a kernel draws at its start.
    """

    def __init__(
        self,
        settings: Conntrack,
        ruleset: Ruleset = STATEFUL,
        *,
        clients: Iterable[Cidr] = (),
        gc_first_pass: float | None = None,
        seed: int = 0,
    ) -> None:
        self.settings = settings
        self.ruleset = ruleset
        self._clients = tuple(clients)
        self._limits = limits_of(settings)
        self._rules = rules_of(settings, self._limits)
        self._first_pass = _IDLE_INTERVAL if gc_first_pass is None else gc_first_pass
        self._seed = seed
        self._table = _empty_table(settings, seed)
        self._started = False

    def track(self, packets: pa.RecordBatch) -> pa.RecordBatch:
        """Track packets in time order; the next call goes on where this one ends.

        Parameters
        ----------
        packets : RecordBatch
            Rows of PACKET_SCHEMA.

        Returns
        -------
        RecordBatch
            Rows of TRACK_SCHEMA, one a packet.

        Raises
        ------
        ValueError
            The packets are not in the order of time.
        """
        sums = self.settings.nf_conntrack_checksum
        rows = packet_rows(packets, self.ruleset, self._clients, sums=sums)
        if rows.size and (np.diff(rows["time"]) < 0).any():
            raise ValueError("the packets are not in the order of time; sort them by their column time")
        out = np.zeros(rows.size, exact.OUT)
        for start in range(0, rows.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            self._start(int(rows["time"][start]))
            self._make_room(rows[part].size)
            exact.track_exact(self._table, rows[part], self._limits, self._rules, out[part])
        return _track_batch(out)

    def advance(self, time: int) -> tuple[int, int]:
        """Let time go on to `time` (ns); return how many entries are allocated, and how many of them live."""
        self._start(time)
        collect(self._table, time, self._rules[exact.HZ], self._rules[exact.LIMIT])
        live = int(count_live(self._table, time))
        return int(self._table.numbers[buckets.ALLOCATED]), live

    def dump(self, time: int) -> pa.RecordBatch:
        """List the entries as of `time` (ns) in ENTRY_SCHEMA, which frees the expired ones (C-6)."""
        self.advance(time)
        buckets.sweep(self._table, time)
        return _entry_batch(self._table, time)

    @property
    def count(self) -> int:
        """Entries allocated, expired ones included."""
        return int(self._table.numbers[buckets.ALLOCATED])

    @property
    def statistics(self) -> dict[str, int]:
        """What `conntrack -S` counts, and the collector's work."""
        positions = {
            "drop": buckets.DROPPED,
            "early_drop": buckets.EVICTED,
            "insert_failed": buckets.CLASHED,
            "chaintoolong": buckets.CHAIN_TOO_LONG,
            "reaped": buckets.REAPED,
            "collected": buckets.COLLECTED,
            "passes": buckets.PASSES,
        }
        return {name: int(self._table.numbers[position]) for name, position in positions.items()}

    def _start(self, time: int) -> None:
        if not self._started:
            self._started = True
            first = time + round(self._first_pass * SECOND)
            self._table.numbers[buckets.PASS_TIME] = self._table.numbers[buckets.ANCHOR] = first

    def _make_room(self, packets: int) -> None:
        numbers = self._table.numbers
        capacity = self._table.entries.size
        if capacity - numbers[buckets.ALLOCATED] < packets + 1:
            self._table = _grown(self._table, max(capacity, packets + 1))
        room = self._table.heap_time.size - numbers[buckets.HEAP_ITEMS]
        if room < 2 * packets:
            more = np.zeros(max(self._table.heap_time.size, 2 * packets), np.int64)
            self._table = self._table._replace(
                heap_time=np.concatenate([self._table.heap_time, more]),
                heap_entry=np.concatenate([self._table.heap_entry, more]),
            )


def limits_of(settings: Conntrack) -> NDArray[np.int64]:
    """Lay out every timeout in nanoseconds as the kernels take them (LIMITS positions)."""
    limits = np.zeros(LIMITS, np.int64)
    limits[: len(CtState)] = timeouts(settings)
    named = {
        MAX_RETRANS: settings.nf_conntrack_tcp_timeout_max_retrans,
        UNACKNOWLEDGED: settings.nf_conntrack_tcp_timeout_unacknowledged,
        ICMP_LIMIT: settings.nf_conntrack_icmp_timeout,
        ICMPV6_LIMIT: settings.nf_conntrack_icmpv6_timeout,
        GENERIC_LIMIT: settings.nf_conntrack_generic_timeout,
        GRE_FIRST: settings.nf_conntrack_gre_timeout,
        GRE_STREAM: settings.nf_conntrack_gre_timeout_stream,
    }
    for position, seconds in named.items():
        limits[position] = seconds * SECOND
    return limits


def rules_of(settings: Conntrack, limits: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lay out the settings that are no timeouts as the kernels take them (`exact.OPTIONS` to `exact.EXPECT_MAX`)."""
    rules = np.zeros(exact.EXPECT_MAX + 1, np.int64)
    rules[exact.OPTIONS] = (
        settings.nf_conntrack_tcp_loose * LOOSE
        | settings.nf_conntrack_tcp_be_liberal * BE_LIBERAL
        | settings.nf_conntrack_tcp_ignore_invalid_rst * IGNORE_INVALID_RST
    )
    rules[exact.RETRANS] = settings.nf_conntrack_tcp_max_retrans
    for position, modifier in ((exact.OVER_RETRANS, MAX_RETRANS), (exact.OVER_UNACKED, UNACKNOWLEDGED)):
        rules[position] = sum(1 << state for state in range(len(CtState)) if limits[state] > limits[modifier])
    rules[exact.LIMIT] = settings.nf_conntrack_max
    rules[exact.HZ] = settings.hz
    rules[exact.EXPECT_MAX] = settings.nf_conntrack_expect_max
    return rules


def _empty_table(settings: Conntrack, seed: int) -> Table:
    numbers = np.zeros(buckets.NUMBERS, np.int64)
    generator = np.random.default_rng(seed)
    numbers[buckets.SEED], numbers[buckets.RANDOM] = generator.integers(1, 1 << 62, 2)
    numbers[buckets.FREE] = buckets.NOTHING
    return Table(
        entries=np.zeros(0, ENTRY),
        tuples=np.zeros((0, 2, 5), np.uint64),
        heads=np.full(settings.nf_conntrack_buckets, buckets.NOTHING, np.int32),
        next=np.zeros(0, np.int32),
        previous=np.zeros(0, np.int32),
        generation=np.zeros(0, np.int64),
        due=np.zeros(0, np.int64),
        heap_time=np.zeros(0, np.int64),
        heap_entry=np.zeros(0, np.int64),
        helpers=np.zeros(0, buckets.HELPER),
        expected=np.zeros(min(settings.nf_conntrack_expect_max, _EXPECTATIONS), buckets.EXPECTATION),
        numbers=numbers,
    )


def _grown(table: Table, more: int) -> Table:
    """Return the table with `more` free entries."""
    old = table.entries.size
    chain = np.zeros(2 * more, np.int32)
    chain[::2] = np.arange(old + 1, old + more + 1)
    chain[-2] = table.numbers[buckets.FREE]
    table.numbers[buckets.FREE] = old
    return table._replace(
        entries=np.concatenate([table.entries, np.zeros(more, ENTRY)]),
        tuples=np.concatenate([table.tuples, np.zeros((more, 2, 5), np.uint64)]),
        next=np.concatenate([table.next, chain]),
        previous=np.concatenate([table.previous, np.zeros(2 * more, np.int32)]),
        generation=np.concatenate([table.generation, np.zeros(more, np.int64)]),
        due=np.concatenate([table.due, np.full(more, -1, np.int64)]),
        helpers=np.concatenate([table.helpers, np.zeros(more, buckets.HELPER)]),
    )


def _words(codes: NDArray[np.integer[Any]], words: pa.Array, absent: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int8), mask=absent), words)


def _track_batch(out: NDArray[np.void]) -> pa.RecordBatch:
    columns = track_columns(
        out["accepted"] != 0, out["ct_class"], out["ct_state"], out["remaining"], out["assured"] != 0
    )
    columns += [pa.array(out["count"]), pa.array(out["live"])]
    return pa.RecordBatch.from_arrays(columns, schema=TRACK_SCHEMA)


def track_columns(
    accepted: NDArray[np.bool_],
    ct_class: NDArray[np.uint8],
    ct_state: NDArray[np.uint8],
    remaining: NDArray[np.int64],
    assured: NDArray[np.bool_],
) -> list[pa.Array]:
    """Make the first columns of TRACK_SCHEMA, verdict to assured; `remaining` is in ns, NO_ENTRY without an entry."""
    absent = remaining == exact.NO_ENTRY
    return [
        _words((~accepted).astype(np.int8), pa.array(VERDICTS)),
        _words(ct_class, _CLASS_WORDS),
        _words(ct_state, _STATE_WORDS, absent),
        pa.array(remaining / SECOND, mask=absent),
        pa.array(assured, mask=absent),
    ]


def _entry_batch(table: Table, time: int) -> pa.RecordBatch:
    held = np.zeros(table.entries.size, bool)
    held[table.due >= 0] = True
    entries, tuples = table.entries[held], table.tuples[held]
    status = entries["status"]
    states = np.array([exact.shown_state(int(word)) for word in status], np.uint8)
    columns = [pa.array((tuples[:, 0, 4] & np.uint64(0xFF)).astype(np.uint8))]
    for way in (0, 1):
        for first in (0, 2):
            raw = tuples[:, way, first : first + 2].astype(">u8").tobytes()
            columns.append(pa.FixedSizeBinaryArray.from_buffers(ADDRESS, len(tuples), [None, pa.py_buffer(raw)]))
        for shift in (32, 16):
            columns.append(pa.array((tuples[:, way, 4] >> np.uint64(shift) & np.uint64(0xFFFF)).astype(np.uint16)))
    columns += [
        _words(states, _STATE_WORDS),
        pa.array((entries["expiry"] - time) / SECOND),
        pa.array(status & ASSURED != 0),
        pa.array(status & REPLIED != 0),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=ENTRY_SCHEMA)
