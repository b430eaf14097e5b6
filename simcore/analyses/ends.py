"""Columns of a batch to what the kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from ..tables.layout import Tables
from ..tables.ports import UNKNOWN_PROTOCOL
from ..tables.requests import PARTS, TextColumn

_MAPPED = np.uint64(0xFFFF << 32)
ENDS = ("source", "destination")
JUDGED_COLUMNS = (
    *(f"{end}_{part}" for end in ENDS for part in ("address", "pod")),
    *("destination_port", "protocol"),
)
"""What a verdict needs of a capture."""
EXTRA_COLUMNS = ("source_port", "icmp_type", "icmp_code")
"""What it needs besides where rules ask for it."""
IDENTITY_COLUMNS = tuple(f"{end}_identity" for end in ENDS)
"""What it needs besides where the cluster knows whom numbers stand for."""
REQUEST_COLUMNS = tuple(part for part in PARTS if part in FLOW_SCHEMA.names)
"""What it needs besides where rules look at requests; of these, those that they look at."""


_NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True)
class EndColumn:
    """One end of the flows of a batch.

    Attributes
    ----------
    v4 : uint32[n] or None
        The addresses, where all are IPv4 and no pod is named; anything where missing.
    high, low : uint64[n]
        Halves of the addresses otherwise, IPv4 mapped into IPv6; 0 where missing.
    known : bool[n]
        Whether there is an address; empty where `v4` misses none.
    pods : int32[n]
        Position of the pod that the record names; -1 where it names none, -2 where the cluster has none of the name.
    packed : uint64[n, 2] or None
        The addresses, where they are of 16 bytes and no pod is named, as they are stored: in network byte order;
        anything where missing.
    times : int64[n] or int64[0]
        When each flow began, nanoseconds; `simcore.kernels.moments.NO_TIME` where not told. Empty where it does not
        matter to who stands there.
    """

    v4: NDArray[np.uint32] | None
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    known: NDArray[np.bool_]
    pods: NDArray[np.int32]
    packed: NDArray[np.uint64] | None = None
    times: NDArray[np.int64] = field(default_factory=lambda: _NO_TIMES)

    def widened(self) -> EndColumn:
        """Return the same with `high`, `low`, `known` and `pods` filled in."""
        if self.v4 is not None:
            wide = _wide(self.v4, self.known)
        elif self.packed is not None:
            wide = _unpacked(self.packed, self.known)
        else:
            return self
        return replace(wide, times=self.times) if self.times.size else wide

    def take(self, rows: NDArray[np.integer]) -> EndColumn:
        """Return some rows, widened."""
        return self.some(rows).widened()

    def some(self, rows: NDArray[np.integer]) -> EndColumn:
        """Return some rows."""
        known = self.known[rows] if self.known.size else self.known
        times = self.times[rows] if self.times.size else self.times
        if self.v4 is not None:
            return EndColumn(self.v4[rows], self.high, self.low, known, self.pods, None, times)
        if self.packed is not None:
            return EndColumn(None, self.high, self.low, known, self.pods, self.packed.take(rows, axis=0), times)
        return EndColumn(None, self.high[rows], self.low[rows], known, self.pods[rows], None, times)


def _wide(v4: NDArray[np.uint32], known: NDArray[np.bool_]) -> EndColumn:
    count = v4.size
    low = v4.astype(np.uint64) | _MAPPED
    return _unnamed(np.zeros(count, np.uint64), low, known)


def _unpacked(packed: NDArray[np.uint64], known: NDArray[np.bool_]) -> EndColumn:
    high, low = packed[:, 0].byteswap(), packed[:, 1].byteswap()
    return _unnamed(high, low, known)


def _unnamed(high: NDArray[np.uint64], low: NDArray[np.uint64], known: NDArray[np.bool_]) -> EndColumn:
    if known.size:
        high[~known] = low[~known] = 0
    else:
        known = np.ones(low.size, bool)
    return EndColumn(None, high, low, known, np.full(low.size, -1, np.int32))


_NONE = np.empty(0, np.uint64)


def read_end(batch: pa.RecordBatch, end: str, pod_numbers: Mapping[str, int]) -> EndColumn:
    """Read the address and pod columns of one end; a column that the batch lacks is all missing."""
    names = batch.schema.names
    pods = _pods(batch.column(f"{end}_pod"), pod_numbers) if f"{end}_pod" in names else None
    if f"{end}_address" not in names:
        none = np.zeros(batch.num_rows, np.uint64)
        missing = np.full(batch.num_rows, -1, np.int32)
        return EndColumn(None, none, none, np.zeros(batch.num_rows, bool), missing if pods is None else pods)
    column = batch.column(f"{end}_address")
    if column.type not in (FLOW_SCHEMA.field(f"{end}_address").type, WIDE_ADDRESS):
        raise TypeError(f"{end}_address is {column.type}; it is to be uint32 or fixed_size_binary[16]")
    if pods is None:
        known = validity(column) if column.null_count else np.empty(0, bool)
        v4, packed = (raw_values(column), None) if column.type == pa.uint32() else (None, _packed(column))
        return EndColumn(v4, _NONE, _NONE, known, np.empty(0, np.int32), packed)
    return EndColumn(None, *_halves(column), validity(column), pods)


def validity(column: pa.Array, rows: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Tell which values are there, of all rows or of some."""
    if not column.null_count:
        return np.ones(len(column) if rows is None else rows.size, bool)
    bits = np.frombuffer(column.buffers()[0], np.uint8)
    if rows is None:
        return np.unpackbits(bits, bitorder="little")[column.offset : column.offset + len(column)].view(bool)
    places = rows + column.offset
    return np.asarray(bits[places >> 3] >> (places & 7) & 1, bool)


def raw_values(column: pa.Array) -> NDArray[Any]:
    """Return the numbers (or times, as integers) of a column without copying; anything where they are missing."""
    numbers = np.dtype(np.int64 if pa.types.is_timestamp(column.type) else column.type.to_pandas_dtype())
    if column.null_count == len(column):
        return np.zeros(len(column), numbers)
    return np.frombuffer(column.buffers()[1], numbers, len(column), column.offset * numbers.itemsize)


def _halves(column: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Split addresses into halves, IPv4 mapped into IPv6; missing ones become zero."""
    if column.type == pa.uint32():
        low = raw_values(column).astype(np.uint64) | _MAPPED
        if column.null_count:
            low[~validity(column)] = 0
        return np.zeros(len(column), np.uint64), low
    packed = _packed(column)
    high, low = packed[:, 0].byteswap(), packed[:, 1].byteswap()
    if column.null_count:
        missing = ~validity(column)
        high[missing] = low[missing] = 0
    return high, low


def _packed(column: pa.Array) -> NDArray[np.uint64]:
    """Return addresses of 16 bytes without copying; anything where they are missing."""
    words = np.frombuffer(column.buffers()[1], np.uint64, 2 * len(column), column.offset * column.type.byte_width)
    return words.reshape(-1, 2)


def _pods(column: pa.Array, pod_numbers: Mapping[str, int]) -> NDArray[np.int32]:
    """Turn pod names into positions, each distinct name once."""
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
    names = column.dictionary.to_pylist()
    numbers = np.array([-1 if not name else pod_numbers.get(name, -2) for name in names] + [-1], np.int32)
    codes = column.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    return np.asarray(numbers[codes], np.int32)


def checked(batch: pa.RecordBatch, name: str) -> pa.Array:
    """Return a column; kernels index with what it holds, so its type is not taken on trust."""
    column, kind = batch.column(name), FLOW_SCHEMA.field(name).type
    if column.type != kind:
        raise TypeError(f"{name} is {column.type}; it is to be {kind}")
    return column


@dataclass(frozen=True)
class ExtraColumns:
    """What rules may ask of the flows of a batch besides protocol and destination port; each missing where not known.

    Attributes
    ----------
    source_port : uint16[n]
    icmp_type, icmp_code : uint8[n]
    source_known, type_known, code_known : bool[n] or bool[0]
        Whether there is one; empty where every flow has it.
    """

    source_port: NDArray[np.uint16]
    source_known: NDArray[np.bool_]
    icmp_type: NDArray[np.uint8]
    type_known: NDArray[np.bool_]
    icmp_code: NDArray[np.uint8]
    code_known: NDArray[np.bool_]

    def take(self, rows: NDArray[np.integer]) -> ExtraColumns:
        """Return some rows."""
        found = (getattr(self, part.name) for part in fields(self))
        return ExtraColumns(*(column[rows] if column.size else column for column in found))


@dataclass(frozen=True)
class PortColumns:
    """Protocols and destination ports of a batch.

    Attributes
    ----------
    protocol : uint8[n]
        `UNKNOWN_PROTOCOL` where missing.
    port : uint16[n]
        Anything where missing.
    port_known : bool[n] or bool[0]
        Whether there is a port; empty where every flow has one.
    extras : ExtraColumns or None
        None: nothing is known, or no rule asks.
    requests : mapping or None
        Parts of requests, by name; likewise.
    """

    protocol: NDArray[np.uint8]
    port: NDArray[np.uint16]
    port_known: NDArray[np.bool_]
    extras: ExtraColumns | None = None
    requests: Mapping[str, TextColumn] | None = None

    def take(self, rows: NDArray[np.integer]) -> PortColumns:
        """Return some rows."""
        return PortColumns(
            self.protocol[rows],
            self.port[rows],
            self.port_known[rows] if self.port_known.size else self.port_known,
            self.extras.take(rows) if self.extras else None,
            {part: column.take(rows) for part, column in self.requests.items()} if self.requests else None,
        )


def judged_columns(tables: Tables) -> tuple[str, ...]:
    """Name what the verdicts of some tables need of a capture."""
    extras = EXTRA_COLUMNS if tables.arrays.extra_class.size else ()
    identities = IDENTITY_COLUMNS if tables.cluster.identities else ()
    asked = [part for part in tables.requests.parts if part in REQUEST_COLUMNS]
    times = ("time",) if tables.asks_times else ()
    return (*JUDGED_COLUMNS, *extras, *identities, *asked, *times)


def read_ports(batch: pa.RecordBatch) -> PortColumns:
    """Read protocol and destination port, and what rules may ask for besides; a column that is absent is missing."""
    extras = read_extras(batch) if any(name in batch.schema.names for name in EXTRA_COLUMNS) else None
    return replace(_read_ports(batch), extras=extras, requests=read_requests(batch))


def read_requests(batch: pa.RecordBatch) -> dict[str, TextColumn]:
    """Read what is known of requests; a part that is missing throughout is left out."""
    held = [name for name in REQUEST_COLUMNS if name in batch.schema.names]
    return {name: _texts(batch.column(name)) for name in held if batch.column(name).null_count < batch.num_rows}


def _texts(column: pa.Array) -> TextColumn:
    """Number the texts of a column, by its dictionary, unless that holds more texts than there are rows."""
    is_coded = isinstance(column, pa.DictionaryArray) and column.indices.type == pa.int32()
    if not is_coded or column.dictionary.null_count or len(column.dictionary) > len(column):
        column = column.cast(pa.string()).dictionary_encode()
    codes = raw_values(column.indices)
    if column.null_count:
        codes = np.where(validity(column.indices), codes, np.int32(len(column.dictionary)))
    return TextColumn(codes, column.dictionary.to_pylist())


def read_extras(batch: pa.RecordBatch) -> ExtraColumns:
    """Read source port, ICMP type and ICMP code."""
    parts: list[NDArray[Any]] = []
    for name in EXTRA_COLUMNS:
        if name in batch.schema.names:
            column = checked(batch, name)
            parts += [raw_values(column), validity(column) if column.null_count else np.empty(0, bool)]
        else:
            kind = FLOW_SCHEMA.field(name).type.to_pandas_dtype()
            parts += [np.zeros(batch.num_rows, kind), np.zeros(batch.num_rows, bool)]
    return ExtraColumns(*parts)


def _read_ports(batch: pa.RecordBatch) -> PortColumns:
    count = batch.num_rows
    names = batch.schema.names
    protocol = np.full(count, UNKNOWN_PROTOCOL, np.uint8)
    if "protocol" in names:
        column = checked(batch, "protocol")
        if column.null_count:
            protocol = np.where(validity(column), raw_values(column), np.uint8(UNKNOWN_PROTOCOL))
        else:
            protocol = raw_values(column)
    if "destination_port" not in names:
        return PortColumns(protocol, np.zeros(count, np.uint16), np.zeros(count, bool))
    ports = checked(batch, "destination_port")
    known = validity(ports) if ports.null_count else np.empty(0, bool)
    return PortColumns(protocol, raw_values(ports), known)
