"""Packets that several interfaces saw: told, not taken out, as which one counts depends on what is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .frames import Frames, Numbers
from .network import Packets
from .octets import View

_COOKED, _COOKED2 = 113, 276
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Keys = NDArray[np.uint64]


class Repeats:
    """Counts packets that are equal and were seen at different places, within one batch of frames.

    Attributes
    ----------
    found : int
        How many there are, apart from the first of each.
    """

    def __init__(self) -> None:
        self.found = 0

    def count(self, view: View, frames: Frames, packets: Packets) -> None:
        """Count those of a batch."""
        places = _places(view, frames)
        if places.size < 2 or (places == places[0]).all():
            return
        keys = _keys(view, packets)
        order = np.lexsort((places, keys))
        keys, places = keys[order], places[order]
        self.found += int(((keys[1:] == keys[:-1]) & (places[1:] != places[:-1])).sum())


def _places(view: View, frames: Frames) -> Numbers:
    """Number where each frame was seen: interface, and direction where the device ``any`` tells it."""
    places = frames.interface << 40
    cooked, cooked2 = frames.link == _COOKED, frames.link == _COOKED2
    places = np.where(cooked, places + view.short(frames.start), places)
    return np.where(cooked2, places + (view.word(frames.start + 4) << 8) + view.octet(frames.start + 10), places)


def _keys(view: View, packets: Packets) -> Keys:
    """Mix what tells packets apart: addresses, protocol, identification, and the start of transport."""
    words = np.hstack([packets.source, packets.destination]).view(np.uint64)
    numbers = (packets.protocol, packets.identity, packets.size)
    heads = (view.word(packets.at), view.word(packets.at + 4), view.word(packets.at + 8))
    keys = np.zeros(packets.at.size, np.uint64)
    for part in (*words.T, *(each.astype(np.uint64) for each in (*numbers, *heads))):
        keys = (keys ^ part) * _FACTOR
        keys ^= keys >> np.uint64(29)
    return keys
