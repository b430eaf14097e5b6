"""Where the packet begins in a frame, and what it is: by its link type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .frames import Frames, Numbers
from .octets import View

IPV4, IPV6 = 0x0800, 0x86DD
CUT, UNREAD = -1, -2
"""In place of an EtherType: the frame is cut off before it; its link type is not read."""

_VLANS = (0x8100, 0x88A8, 0x9100)
_MOST_VLANS = 4
_FAMILIES = {2: IPV4, 24: IPV6, 28: IPV6, 30: IPV6, 10: IPV6}
"""Of BSD's loopback, whose systems number IPv6 differently."""

Found = tuple[Numbers, Numbers]
"""EtherType of each frame, and where what it names begins."""


def find_packets(view: View, frames: Frames) -> Found:
    """Find the packet of each frame."""
    types = np.full(frames.start.size, UNREAD, np.int64)
    at = frames.start.copy()
    for link in np.unique(frames.link).tolist():
        if read := _LINKS.get(link):
            rows = np.flatnonzero(frames.link == link)
            types[rows], at[rows] = read(view, frames.start[rows])
    types[(at > frames.end) & (types != UNREAD)] = CUT
    return types, at


def _ethernet(view: View, start: Numbers) -> Found:
    return _past_vlans(view, view.short(start + 12), start + 14)


def _cooked(view: View, start: Numbers) -> Found:
    return _past_vlans(view, view.short(start + 14), start + 16)


def _cooked2(view: View, start: Numbers) -> Found:
    return _past_vlans(view, view.short(start), start + 20)


def _past_vlans(view: View, types: Numbers, at: Numbers) -> Found:
    for _ in range(_MOST_VLANS):
        tagged = np.isin(types, _VLANS)
        if not tagged.any():
            break
        types = np.where(tagged, view.short(at + 2), types)
        at = np.where(tagged, at + 4, at)
    return types, at


def _loopback(view: View, start: Numbers) -> Found:
    """The family is in the byte order of whoever captured: in the first byte or in the last of four."""
    families = view.octet(start) + view.octet(start + 3)
    types = np.zeros_like(start)
    for family, kind in _FAMILIES.items():
        types[families == family] = kind
    return types, start + 4


def _raw(view: View, start: Numbers) -> Found:
    version = view.octet(start) >> 4
    return np.where(version == 4, IPV4, np.where(version == 6, IPV6, 0)), start


_LINKS: dict[int, Callable[[View, Numbers], Found]] = {
    0: _loopback,
    1: _ethernet,
    12: _raw,
    14: _raw,
    101: _raw,
    108: _loopback,
    113: _cooked,
    228: _raw,
    229: _raw,
    276: _cooked2,
}
