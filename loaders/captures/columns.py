"""The kinds of column that flows and packets have: which types each can be read from, and how."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from .addresses import AddressReader, is_address
from .booleans import is_boolean, to_booleans
from .numbers import fit, is_number, is_time, read_integer, to_counts, to_integers, to_times
from .texts import is_text, to_names, to_texts
from .words import read_flags, read_protocol

Convert = Callable[[Sequence[pa.Array]], pa.Array]
"""Brings the columns of a file that make up one column of a row to that column. Made afresh for each split."""


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


def integers(target: pa.DataType, read_text: Callable[[str], int | None], texts: str) -> Kind:
    """Make the kind of a column of integers; `read_text` reads what text there is, `texts` says which."""

    def converter(_unit: str | None) -> Convert:
        return lambda arrays: to_integers(arrays[0], target, read_text)

    return Kind(f"integers, floats or text ({texts})", lambda kind: is_number(kind) or is_text(kind), converter)


def numbers(target: pa.DataType) -> Kind:
    """Make the kind of a column of integers whose text is digits."""
    return integers(target, read_integer, "a number")


TIME = Kind(
    "timestamps, numbers with a unit, or text (2026-11-02T09:30:00Z)",
    lambda kind: is_time(kind) or is_number(kind) or is_text(kind),
    _moments,
)
ADDRESS = Kind(
    "text, integers of at least 32 bits, or binary of 4 or 16 bytes",
    is_address,
    lambda _unit: AddressReader(),
    True,
)
NAME = Kind("text", is_text, lambda _unit: to_names, True)
TEXT = Kind("text", is_text, lambda _unit: lambda arrays: to_texts(arrays[0]))
BOOLEAN = Kind(
    "booleans, integers or text (0, 1, true or false)", is_boolean, lambda _unit: lambda arrays: to_booleans(arrays[0])
)
PORT = numbers(pa.uint16())
COUNT = Kind(PORT.accepted, PORT.accepts, lambda _unit: lambda arrays: to_counts(arrays[0]))
LENGTH = Kind(PORT.accepted, PORT.accepts, lambda _unit: lambda arrays: fit(to_counts(arrays[0]), pa.int32()))
PROTOCOL = integers(pa.uint8(), read_protocol, "a number or a name such as tcp")
FLAGS = integers(pa.uint8(), read_flags, "a number or letters of FSRPAUEC")
