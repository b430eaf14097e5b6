"""Options of TCP headers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .frames import Mask, Numbers
from .octets import View

_END, _NOTHING, _MSS, _SCALE, _SACK = 0, 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Options:
    """Options of some packets; -1 where one is not there."""

    window_scale: Numbers
    sack_permitted: Mask
    mss: Numbers


def read_options(view: View, at: Numbers, end: Numbers, wanted: Mask) -> Options:
    """Read the options that stand from `at` to `end`, where `wanted`; those behind a damaged one are not known."""
    rows = at.size
    found = Options(np.full(rows, -1, np.int64), np.zeros(rows, np.bool_), np.full(rows, -1, np.int64))
    left = np.flatnonzero(wanted & (at < end))
    place = at.copy()
    while left.size:
        here = place[left]
        kind, told = view.octet(here), view.octet(here + 1)
        size = np.where(kind == _NOTHING, 1, told)
        sound = (kind != _END) & (here + size <= end[left]) & (size > (kind != _NOTHING))
        left, here, kind, size = left[sound], here[sound], kind[sound], size[sound]
        is_mss, is_scale = (kind == _MSS) & (size == 4), (kind == _SCALE) & (size == 3)
        found.mss[left[is_mss]] = view.short(here[is_mss] + 2)
        found.window_scale[left[is_scale]] = view.octet(here[is_scale] + 2)
        found.sack_permitted[left[(kind == _SACK) & (size == 2)]] = True
        place[left] = here + size
        left = left[place[left] < end[left]]
    return found
