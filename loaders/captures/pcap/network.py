"""IPv4 and IPv6: addresses, fragments, and where transport begins behind extension headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simcore.model.ports import TCP, UDP

from .frames import Mask, Numbers, Octets
from .octets import View

UNKNOWN = -1
"""In place of a protocol: the packet is cut off before it is told."""

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_MOBILITY, _IDENTITY, _SHIM = 135, 139, 140
_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION, _MOBILITY, _IDENTITY, _SHIM)
_MOST_EXTENSIONS = 16
_NEVER_EMPTY = (_HOP_BY_HOP, TCP, UDP)
"""What a packet holds that says to be empty because 16 bits are too few for its length."""
_MAPPED = np.array([0] * 10 + [0xFF] * 2, np.uint8)


@dataclass(frozen=True, slots=True)
class Packets:
    """What the network headers of some packets say.

    Attributes
    ----------
    known : array of bool
        Whether a packet has a sound header with both addresses. Of all others nothing is told.
    source, destination : array of uint8, 16 columns
        Addresses; those of IPv4 are mapped.
    protocol : array of int64
        Of transport, or UNKNOWN.
    at, end : array of int64
        Where transport begins, and where what was captured of it ends.
    size : array of int64
        Bytes of transport on the wire.
    length : array of int64
        Bytes of the packet.
    is_later : array of bool
        Whether it is a fragment other than the first.
    identity : array of int64
        What tells packets of one sender apart; 0 where nothing does.
    """

    known: Mask
    source: Octets
    destination: Octets
    protocol: Numbers
    at: Numbers
    end: Numbers
    size: Numbers
    length: Numbers
    is_later: Mask
    identity: Numbers

    def take(self, rows: Mask | Numbers) -> Packets:
        """Return some of the packets."""
        return Packets(*(getattr(self, name)[rows] for name in Packets.__dataclass_fields__))


def read_packets(view: View, at: Numbers, end: Numbers, room: Numbers) -> Packets:
    """Read packets, whose first four bits tell whether they are IPv4.

    Parameters
    ----------
    view : View
    at, end : array of int64
        Where each begins, and where what was captured of it ends.
    room : array of int64
        How many bytes it can have: for packets that the network card has yet to cut, and that do not tell their length.
    """
    version = view.octet(at) >> 4
    four, six = _read_four(view, at, end, room), _read_six(view, at, end, room)
    is_six = version == 6
    six.known[~is_six] = False
    four.known[version != 4] = False
    return Packets(*(_either(is_six, getattr(six, name), getattr(four, name)) for name in Packets.__dataclass_fields__))


def _either(is_six: Mask, six: Any, four: Any) -> Any:
    return np.where(is_six[:, None] if six.ndim == 2 else is_six, six, four)


def _read_four(view: View, at: Numbers, end: Numbers, room: Numbers) -> Packets:
    header = (view.octet(at) & 0xF) * 4
    told = view.short(at + 2)
    length = np.where(told > 0, told, room)
    known = (header >= 20) & (length >= header) & (at + 20 <= end)
    fragment = view.short(at + 6)
    end = np.minimum(end, at + length)
    is_later = fragment & 0x1FFF != 0
    source, destination = (_mapped(view.rows(at + place, 4)) for place in (12, 16))
    identity = view.short(at + 4)
    return Packets(
        known, source, destination, view.octet(at + 9), at + header, end, length - header, length, is_later, identity
    )


def _mapped(four: Octets) -> Octets:
    rows = np.zeros((four.shape[0], 16), np.uint8)
    rows[:, :12] = _MAPPED
    rows[:, 12:] = four
    return rows


def _read_six(view: View, at: Numbers, end: Numbers, room: Numbers) -> Packets:
    told = view.short(at + 4)
    protocol, place = view.octet(at + 6), at + 40
    length = np.where((told == 0) & np.isin(protocol, _NEVER_EMPTY), room, told + 40)
    known = at + 40 <= end
    end = np.minimum(end, at + length)
    is_later, identity = np.zeros(at.size, np.bool_), np.zeros(at.size, np.int64)
    for _ in range(_MOST_EXTENSIONS):
        rows = np.flatnonzero(known & np.isin(protocol, _EXTENSIONS) & ~is_later)
        if not rows.size:
            break
        _pass_extension(view, rows, protocol, place, end, is_later, identity)
    source, destination = view.rows(at + 8, 16), view.rows(at + 24, 16)
    size = np.maximum(length - (place - at), 0)
    return Packets(known, source, destination, protocol, place, end, size, length, is_later, identity)


def _pass_extension(
    view: View, rows: Numbers, protocol: Numbers, place: Numbers, end: Numbers, is_later: Mask, identity: Numbers
) -> None:
    """Pass one extension header of some packets."""
    at, kind = place[rows], protocol[rows]
    fragments = kind == _FRAGMENT
    eights = (view.octet(at + 1) + 1) * 8
    size = np.where(fragments, 8, np.where(kind == _AUTHENTICATION, (view.octet(at + 1) + 2) * 4, eights))
    whole = at + 8 <= end[rows]
    is_later[rows] = fragments & whole & (view.short(at + 2) & 0xFFF8 != 0)
    identity[rows] = np.where(fragments & whole, view.word(at + 4), identity[rows])
    protocol[rows] = np.where(whole, view.octet(at), UNKNOWN)
    place[rows] = at + size
