"""The kinds of column in FLOW_SCHEMA: which types each can be read from, and how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from simcore.model.schema import FLOW_SCHEMA

from .addresses import AddressReader, is_address
from .numbers import is_number, is_time, read_integer, to_integers, to_times
from .texts import is_text, to_names
from .words import read_flags, read_protocol

Convert = Callable[[Sequence[pa.Array]], pa.Array]
"""Brings the columns of a file that make up one column of a flow to that column. Made afresh for each split."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of column: which types it is read from, in words and as a test, and what reads them.

    `joins` is whether several columns of a file can make one.
    """

    accepted: str
    accepts: Callable[[pa.DataType], bool]
    converter: Callable[[str | None], Convert]
    joins: bool = False

    def takes(self, kind: pa.DataType) -> bool:
        """Whether it is read from columns of this type; one that is null throughout may have no type of its own."""
        return bool(pa.types.is_null(kind)) or self.accepts(kind)


def _moments(unit: str | None) -> Convert:
    return lambda arrays: to_times(arrays[0], unit)


def _integers(target: pa.DataType, read_text: Callable[[str], int | None], texts: str) -> Kind:
    def converter(_unit: str | None) -> Convert:
        return lambda arrays: to_integers(arrays[0], target, read_text)

    return Kind(f"integers, floats or text ({texts})", lambda kind: is_number(kind) or is_text(kind), converter)


_TIME = Kind("timestamps, or numbers with a unit", lambda kind: is_time(kind) or is_number(kind), _moments)
_ADDRESS = Kind(
    "text, integers of at least 32 bits, or binary of 4 or 16 bytes",
    is_address,
    lambda _unit: AddressReader(),
    True,
)
_NAME = Kind("text", is_text, lambda _unit: to_names, True)
_PORT = _integers(pa.uint16(), read_integer, "a number")
_COUNT = _integers(pa.int64(), read_integer, "a number")

KINDS: Mapping[str, Kind] = {
    "time": _TIME,
    "end_time": _TIME,
    "source_address": _ADDRESS,
    "destination_address": _ADDRESS,
    "source_port": _PORT,
    "destination_port": _PORT,
    "protocol": _integers(pa.uint8(), read_protocol, "a number or a name such as tcp"),
    "tcp_flags": _integers(pa.uint8(), read_flags, "a number or letters of FSRPAUEC"),
    "packets": _COUNT,
    "bytes": _COUNT,
    "source_pod": _NAME,
    "destination_pod": _NAME,
    "node": _NAME,
    "observed_verdict": _NAME,
}
"""The kind of each column of FLOW_SCHEMA."""

TIMES = frozenset(name for name, kind in KINDS.items() if kind is _TIME)


def convert_column(name: str, convert: Convert, arrays: Sequence[pa.Array]) -> pa.Array:
    """Bring the columns that make up one column of a flow to it, those without type included."""
    if all(pa.types.is_null(array.type) for array in arrays):
        return missing(name, len(arrays[0]))
    return convert([array.cast(pa.string()) if pa.types.is_null(array.type) else array for array in arrays])


def missing(name: str, rows: int) -> pa.Array:
    """Return `rows` nulls of the type that FLOW_SCHEMA gives a column."""
    return pa.nulls(rows, FLOW_SCHEMA.field(name).type)
