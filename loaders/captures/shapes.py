"""What a row of a capture is, a flow or a packet: its columns and the kind of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from simcore.model.schema import FLOW_SCHEMA, PACKET_REQUIRED, PACKET_SCHEMA

from .absent import first_unreadable
from .columns import ADDRESS, BOOLEAN, COUNT, FLAGS, LENGTH, NAME, PORT, PROTOCOL, TEXT, TIME, Convert, Kind, numbers


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a capture's rows.

    Attributes
    ----------
    noun : str
        What a row is: ``flow``.
    schema : pyarrow.Schema
        Its columns.
    kinds : mapping of str to Kind
        How each of them is read.
    required : tuple of str
        Columns of which no row may be null.
    strict : bool
        A value that cannot be read is an error rather than null.
    """

    noun: str
    schema: pa.Schema
    kinds: Mapping[str, Kind]
    required: tuple[str, ...] = ()
    strict: bool = False

    def missing(self, name: str, rows: int) -> pa.Array:
        """Return `rows` nulls of the type that the schema gives a column."""
        return pa.nulls(rows, self.schema.field(name).type)

    def convert(self, name: str, convert: Convert, arrays: Sequence[pa.Array]) -> pa.Array:
        """Bring the columns that make up one column of a row to it, those without type included."""
        if all(pa.types.is_null(array.type) for array in arrays):
            return self.missing(name, len(arrays[0]))
        return convert([array.cast(pa.string()) if pa.types.is_null(array.type) else array for array in arrays])

    def complaint(self, name: str, arrays: Sequence[pa.Array], column: pa.Array) -> tuple[int, str] | None:
        """Say what is wrong with a column that was brought from `arrays`, and at which of its rows; None if nothing."""
        if not column.null_count or not (self.strict or name in self.required):
            return None
        if self.strict and (row := first_unreadable(arrays, column)) is not None:
            found = next(array[row] for array in arrays if array[row].is_valid).as_py()
            meant = f"{name}, {self.schema.field(name).type} read from {self.kinds[name].accepted}"
            return row, f"{found!r} does not fit {meant}"
        if name in self.required:
            return column.is_null().index(True).as_py(), f"it is null, and every {self.noun} has a {name}"
        return None

    def is_time(self, name: str) -> bool:
        """Whether a column holds times, whose numbers need a unit."""
        return self.kinds[name] is TIME


_OCTET, _SHORT, _WORD = numbers(pa.uint8()), PORT, numbers(pa.uint32())

FLOWS = Shape(
    "flow",
    FLOW_SCHEMA,
    {
        "time": TIME,
        "end_time": TIME,
        "source_address": ADDRESS,
        "destination_address": ADDRESS,
        "source_port": PORT,
        "destination_port": PORT,
        "protocol": PROTOCOL,
        "tcp_flags": FLAGS,
        "packets": COUNT,
        "bytes": COUNT,
        "source_pod": NAME,
        "destination_pod": NAME,
        "node": NAME,
        "observed_verdict": NAME,
        "icmp_type": _OCTET,
        "icmp_code": _OCTET,
        "http_method": NAME,
        "http_path": NAME,
        "http_host": NAME,
        "http_headers": NAME,
        "dns_query": NAME,
        "dns_addresses": NAME,
        "dns_ttl": numbers(pa.int32()),
        "tls_sni": NAME,
        "egress_verdict": NAME,
        "ingress_verdict": NAME,
        "egress_reason": NAME,
        "ingress_reason": NAME,
        "egress_policies": NAME,
        "ingress_policies": NAME,
        "source_identity": _WORD,
        "destination_identity": _WORD,
        "source_workload": NAME,
        "destination_workload": NAME,
        "source_labels": NAME,
        "destination_labels": NAME,
        "record": NAME,
    },
)

PACKETS = Shape(
    "packet",
    PACKET_SCHEMA,
    {
        "time": TIME,
        "source_address": ADDRESS,
        "destination_address": ADDRESS,
        "source_port": PORT,
        "destination_port": PORT,
        "protocol": PROTOCOL,
        "flags": FLAGS,
        "length": LENGTH,
        "sequence": _WORD,
        "acknowledgement": _WORD,
        "window": _SHORT,
        "window_scale": _OCTET,
        "sack_permitted": BOOLEAN,
        "mss": _SHORT,
        "side": NAME,
        "icmp_type": _OCTET,
        "icmp_code": _OCTET,
        "icmp_id": _SHORT,
        "sctp_tag": _WORD,
        "sctp_chunk": _OCTET,
        "sctp_initiate_tag": _WORD,
        "checksum_ok": BOOLEAN,
        "payload": TEXT,
        "inner_source_address": ADDRESS,
        "inner_destination_address": ADDRESS,
        "inner_source_port": PORT,
        "inner_destination_port": PORT,
        "inner_protocol": PROTOCOL,
        "inner_icmp_type": _OCTET,
        "inner_icmp_code": _OCTET,
        "inner_icmp_id": _SHORT,
    },
    PACKET_REQUIRED,
    strict=True,
)
