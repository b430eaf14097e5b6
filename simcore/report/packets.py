"""Packets in words: their ends, their flags or types, and as rows with the tracker's answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..model.addresses import Address, Family
from ..model.ports import ICMP, ICMPV6, SCTP, TCP, protocol_name

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]
"""A packet and its answer: the columns of both schemas, with `source` and `destination` as text."""

_LETTERS = (("S", 2), ("F", 1), ("R", 4), ("P", 8), ("A", 16), ("U", 32), ("E", 64), ("C", 128))
FLAGS = tuple("".join(letter for letter, bit in _LETTERS if bits & bit) for bits in range(256))
"""TCP flags as letters: ``S``, ``SA``, ``FA``, ``PA``."""

_TYPES = {
    ICMP: {
        0: "echo reply",
        3: "unreachable",
        4: "source quench",
        5: "redirect",
        8: "echo",
        11: "time exceeded",
        12: "parameter problem",
        13: "timestamp",
        14: "timestamp reply",
    },
    ICMPV6: {
        1: "unreachable",
        2: "too big",
        3: "time exceeded",
        4: "parameter problem",
        128: "echo",
        129: "echo reply",
        133: "router solicitation",
        134: "router advertisement",
        135: "neighbour solicitation",
        136: "neighbour advertisement",
    },
}
_CHUNKS = {
    0: "DATA",
    1: "INIT",
    2: "INIT ACK",
    3: "SACK",
    4: "HEARTBEAT",
    5: "HEARTBEAT ACK",
    6: "ABORT",
    7: "SHUTDOWN",
    8: "SHUTDOWN ACK",
    9: "ERROR",
    10: "COOKIE ECHO",
    11: "COOKIE ACK",
    14: "SHUTDOWN COMPLETE",
}
_COLUMNS = (
    "source_port",
    "destination_port",
    "protocol",
    "flags",
    "length",
    "icmp_type",
    "icmp_code",
    "icmp_id",
    "sctp_chunk",
)
ANSWERS = ("verdict", "ct_class", "ct_state", "timeout", "assured", "count", "live")
"""The columns of an answer."""


def rows_of(packets: pa.RecordBatch, answers: pa.RecordBatch) -> Iterator[Row]:
    """Yield the packets of a batch with their answers; `time` is in nanoseconds since 1970."""
    columns: dict[str, list[Any]] = {"time": packets["time"].cast("int64").to_pylist()}
    for end in ("source", "destination"):
        columns[end] = [_address(value) for value in packets[f"{end}_address"].to_pylist()]
    nothing = [None] * packets.num_rows
    held = set(packets.schema.names)
    columns |= {name: packets[name].to_pylist() if name in held else nothing for name in _COLUMNS}
    columns |= {name: answers[name].to_pylist() for name in ANSWERS}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _address(value: int | bytes) -> str:
    return str(Address(Family.V4, value) if isinstance(value, int) else Address.from_bytes(value))


def protocol_of(row: Row) -> str:
    """Write a protocol's name, or its number."""
    return protocol_name(row["protocol"]).removeprefix("protocol ")


def ends_of(row: Row) -> str:
    """Write ``10.0.0.1:40000 -> 10.0.0.2:80``."""
    return " -> ".join(_end(row[name], row[f"{name}_port"]) for name in ("source", "destination"))


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def kind_of(row: Row) -> str:
    """Write what a packet is: TCP flags, an ICMP type (and code, after a slash), an SCTP chunk."""
    if row["protocol"] == TCP:
        return FLAGS[row["flags"] or 0] or "no flags"
    if row["protocol"] == SCTP and row["sctp_chunk"] is not None:
        return _CHUNKS.get(row["sctp_chunk"], f"chunk {row['sctp_chunk']}")
    if row["icmp_type"] is None or row["protocol"] not in _TYPES:
        return ""
    name = _TYPES[row["protocol"]].get(row["icmp_type"], f"type {row['icmp_type']}")
    return f"{name}/{row['icmp_code']}" if row["icmp_code"] else name
