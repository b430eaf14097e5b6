"""The side at which a packet enters, told by its source address."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simcore.model.addresses import Cidr, Family
from simcore.model.schema import NAMES

_LOW = 2**64 - 1
_MAPPED = 0xFFFF << 32


def fill_sides(given: pa.Array | None, source: pa.Array, clients: Sequence[Cidr]) -> pa.Array:
    """Name the side of every packet: as given, otherwise a where its source is a client, and b where it is not.

    Parameters
    ----------
    given : dictionary array of "a" and "b", or None
        Sides that are known.
    source : uint32 or fixed_size_binary(16) array
        Source addresses, as FLOW_SCHEMA has them.
    clients : sequence of Cidr
        Networks of side a.
    """
    derived = np.where(_within(source, clients), np.int32(0), np.int32(1))
    sides = pa.array(["a", "b"], NAMES.value_type)
    if given is None:
        return pa.DictionaryArray.from_arrays(pa.array(derived), sides)
    codes = pc.index_in(given.dictionary, sides).take(given.indices)
    return pa.DictionaryArray.from_arrays(pc.coalesce(codes, pa.array(derived)), sides)


def _within(source: pa.Array, networks: Sequence[Cidr]) -> NDArray[np.bool_]:
    found = np.zeros(len(source), np.bool_)
    if source.type == pa.uint32():
        numbers = source.to_numpy()
        for network in networks:
            if network.family is Family.V4:
                found |= (numbers >= network.first) & (numbers <= network.last)
        return found
    halves = np.frombuffer(source.buffers()[1], ">u8").reshape(-1, 2)[source.offset :][: len(source)]
    high, low = halves[:, 0].astype(np.uint64), halves[:, 1].astype(np.uint64)
    for network in networks:
        offset = _MAPPED if network.family is Family.V4 else 0
        found |= _between(high, low, network.first + offset, network.last + offset)
    return found


def _between(high: NDArray[np.uint64], low: NDArray[np.uint64], first: int, last: int) -> NDArray[np.bool_]:
    """Whether addresses lie in a block. A prefix of 64 bits or less leaves the whole low half open."""
    top_first, top_last = np.uint64(first >> 64), np.uint64(last >> 64)
    inside: NDArray[np.bool_] = (high >= top_first) & (high <= top_last)
    if top_first == top_last:
        inside &= (low >= np.uint64(first & _LOW)) & (low <= np.uint64(last & _LOW))
    return inside
