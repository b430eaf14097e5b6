"""Rows of made-up captures, drawn from Traffic in chunks that know nothing of each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.model.addresses import Address, Family
from simcore.model.ports import ICMP, ICMPV6
from simcore.model.schema import WIDE_ADDRESS

from .traffic import Kind, Traffic

Array = NDArray[Any]

START_TIME = 1_767_607_200_000_000_000
"""When every made-up capture starts: 2026-01-05 10:00 UTC, in nanoseconds."""
DURATION = 3_600_000_000_000
"""How long it lasts, in nanoseconds."""

_EPHEMERAL = 32_768
_ODD_ROWS = 4_000
_SIZES = 4_096
_SIZE_SEED = 7


class RowMaker:
    """Draws rows in the columns of FLOW_SCHEMA.

    Parameters
    ----------
    traffic : Traffic
        What to draw from; it has at least one edge.
    pods : bool
        Name pods and nodes in columns of their own.
    odd : bool
        Leave the protocol or an address out of one row in a thousand or so.
    """

    def __init__(self, traffic: Traffic, pods: bool, odd: bool = True) -> None:
        self._traffic = traffic
        self._odd = odd
        self._addresses = _slot_addresses(traffic)
        self._pods = pa.array(traffic.pods, pa.string()) if pods else None
        self._nodes = pa.array(traffic.nodes, pa.string()) if pods else None
        random = np.random.default_rng(_SIZE_SEED)
        self._packets = np.maximum(2, random.lognormal(2.2, 1.1, _SIZES)).astype(np.int64)
        self._bytes = self._packets * random.integers(60, 1_200, _SIZES)
        self._durations = random.lognormal(17.5, 2.0, _SIZES).astype(np.int64)

    def rows(self, count: int, start: int, end: int, random: np.random.Generator) -> pa.RecordBatch:
        """Draw `count` rows with times from `start` to `end`, in nanoseconds, in order of time."""
        traffic = self._traffic
        fractions = random.integers(0, 1 << 32, (2, count), np.uint32)
        bits = random.integers(0, 1 << 64, count, np.uint64)
        edge = traffic.lottery[bits & np.uint64(traffic.lottery.size - 1)]
        source = _pick(traffic.members, traffic.source_start, traffic.source_count, edge, fractions[0])
        destination = _pick(traffic.members, traffic.destination_start, traffic.destination_count, edge, fractions[1])
        kind = traffic.kind[edge]
        np.copyto(source, traffic.slot_host[destination], where=kind == Kind.PROBE)
        port = traffic.port[edge]
        np.copyto(port, (bits >> np.uint64(20)).astype(np.uint16), where=kind == Kind.SCAN)
        protocol = traffic.protocol[edge]
        size = (bits >> np.uint64(36)) & np.uint64(_SIZES - 1)
        source_port = _EPHEMERAL + ((bits >> np.uint64(48)).astype(np.uint16) & np.uint16(0x7FFF))
        time = _times(count, start, end, random)
        portless = (protocol == ICMP) | (protocol == ICMPV6)
        missing = _missing(count, random) if self._odd else [None] * 3
        columns = {
            "time": pa.array(time).cast(pa.timestamp("ns")),
            "end_time": pa.array(time + self._durations[size]).cast(pa.timestamp("ns")),
            "source_address": self._address(source, missing[0]),
            "destination_address": self._address(destination, missing[1]),
            "source_port": pa.array(source_port.astype(np.uint16), mask=portless),
            "destination_port": pa.array(port, mask=portless),
            "protocol": pa.array(protocol, mask=missing[2]),
            "tcp_flags": pa.array(traffic.tcp_flags[edge]),
            "packets": pa.array(self._packets[size]),
            "bytes": pa.array(self._bytes[size]),
        }
        return pa.RecordBatch.from_pydict(columns | self._names(source, destination))

    def _address(self, slots: Array, missing: Array | None) -> pa.Array:
        values = self._addresses[slots]
        if not self._traffic.wide:
            return pa.array(values, mask=missing)
        valid = None if missing is None else pa.array(~missing).buffers()[1]
        return pa.Array.from_buffers(WIDE_ADDRESS, values.size, [valid, pa.py_buffer(values)])

    def _names(self, source: Array, destination: Array) -> dict[str, pa.Array]:
        """Return the columns that name pods and the node that saw the flow; none where they are not wanted."""
        if self._pods is None:
            return {}
        traffic = self._traffic
        node = traffic.slot_node[source]
        np.copyto(node, traffic.slot_node[destination], where=node < 0)
        return {
            "source_pod": _named(traffic.slot_pod[source], self._pods),
            "destination_pod": _named(traffic.slot_pod[destination], self._pods),
            "node": _named(node, self._nodes),
        }


def _pick(members: Array, starts: Array, counts: Array, edge: Array, fraction: Array) -> Array:
    """Pick a member of each row's stretch, by a fraction of 2**32."""
    offset = (fraction.astype(np.uint64) * counts[edge]) >> np.uint64(32)
    picked: Array = members[starts[edge] + offset.astype(np.uint32)]
    return picked


def _times(count: int, start: int, end: int, random: np.random.Generator) -> Array:
    gaps = np.cumsum(random.integers(1, 1 << 16, count, np.uint32), dtype=np.float64)
    scaled: Array = start + (gaps * ((end - start) / (gaps[-1:] + 1))).astype(np.int64)
    return scaled


def _missing(count: int, random: np.random.Generator) -> list[Array]:
    """Return which rows lack the source address, the destination address, the protocol."""
    masks = []
    for _ in range(3):
        mask = np.zeros(count, bool)
        mask[random.integers(0, count, round(count / _ODD_ROWS))] = True
        masks.append(mask)
    return masks


def _named(indices: Array, names: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices, mask=indices < 0), names)


def _slot_addresses(traffic: Traffic) -> Array:
    """Return each slot's address as FLOW_SCHEMA writes it: a number, or 16 bytes where one is IPv6."""
    if traffic.wide:
        packed = b"".join(_packed(address) for address in traffic.addresses)
        return np.frombuffer(packed, "V16")[traffic.slot_address]
    return np.array([address.value for address in traffic.addresses], np.uint32)[traffic.slot_address]


def _packed(address: Address) -> bytes:
    mapped = 0xFFFF << 32 if address.family is Family.V4 else 0
    return (mapped | address.value).to_bytes(16, "big")
