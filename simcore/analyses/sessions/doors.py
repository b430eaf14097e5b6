"""Doors: what Services answer to and lead to, as arrays that records are held against."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...kernels.sessions import joining as kernel
from ...model.addresses import Address, Family
from ...model.cluster import Cluster
from ...model.ports import PORT_PROTOCOLS
from ...model.services import Frontend, frontends

_FEWEST, _MOST = 1 << 16, 1 << 26
_SPARSE = 8
_FIRST_SERVICE = 2
"""Numbers below are node ports: of IPv4 and of IPv6 addresses."""


class DoorArrays(NamedTuple):
    """What kernels look at.

    Attributes
    ----------
    near : uint8[power of two]
        1 where the lower bits of the fingerprint of a door's address lead.
    addresses : uint64[a]
        Fingerprints of the addresses of Services and nodes, ascending.
    services, nodes, families : int32[a]
        The Service's number and the node's at each, or -1; 0 for IPv4, 1 for IPv6.
    keys : int64[f]
        ``(number << 2 | protocol slot) << 16 | port`` of each frontend, ascending.
    targets : uint64[t]
        Fingerprints of address and port of what frontends lead to, ascending.
    pairs : int64[p]
        ``frontend << 32 | target``, ascending.
    """

    near: NDArray[np.uint8]
    addresses: NDArray[np.uint64]
    services: NDArray[np.int32]
    nodes: NDArray[np.int32]
    families: NDArray[np.int32]
    keys: NDArray[np.int64]
    targets: NDArray[np.uint64]
    pairs: NDArray[np.int64]


class Doors:
    """The frontends of a cluster's Services.

    Attributes
    ----------
    arrays : DoorArrays
    address_high, address_low : uint64[a]
        Halves of the addresses.
    target_high, target_low : uint64[t]
    target_port : uint16[t]
    """

    def __init__(self, cluster: Cluster) -> None:
        numbers: dict[Address, int] = {}
        led: dict[int, dict[tuple[Address, int], None]] = {}
        for frontend in frontends(cluster):
            for key, family in _keys(frontend, numbers):
                wanted = {
                    (address, target.port): None
                    for target in frontend.targets
                    for address in [target.address]
                    if address is not None and address.family is family
                }
                led.setdefault(key, {}).update(wanted)
        nodes = {name: number for number, name in enumerate(sorted(set(cluster.node_at.values())))}
        owned = list(dict.fromkeys([*numbers, *(cluster.node_at if led else ())]))
        high, low = split_addresses(owned)
        prints = np.empty(len(owned), np.uint64)
        kernel.print_addresses(high, low, prints)
        order = np.argsort(prints)
        self.address_high, self.address_low = high[order], low[order]
        targets = list(dict.fromkeys(end for ends in led.values() for end in ends))
        target_high, target_low = split_addresses(address for address, _ in targets)
        ports = np.array([port for _, port in targets], np.uint16)
        target_prints = np.empty(len(targets), np.uint64)
        kernel.print_ends(target_high, target_low, ports, np.zeros(len(targets), np.uint8), target_prints)
        target_order = np.argsort(target_prints)
        self.target_high, self.target_low = target_high[target_order], target_low[target_order]
        self.target_port = ports[target_order]
        place = {targets[number]: position for position, number in enumerate(target_order.tolist())}
        keys = sorted(led)
        self.arrays = DoorArrays(
            near=near_map(prints),
            addresses=prints[order],
            services=np.array([numbers.get(address, -1) for address in owned], np.int32)[order],
            nodes=np.array([nodes.get(cluster.node_at.get(address, ""), -1) for address in owned], np.int32)[order],
            families=np.array([address.family is Family.V6 for address in owned], np.int32)[order],
            keys=np.array(keys, np.int64),
            targets=target_prints[target_order],
            pairs=np.array(
                sorted(number << 32 | place[end] for number, key in enumerate(keys) for end in led[key]), np.int64
            ),
        )


def _keys(frontend: Frontend, numbers: dict[Address, int]) -> Iterable[tuple[int, Family]]:
    """Yield the keys of a frontend with the family that it takes; number its address."""
    if frontend.protocol not in PORT_PROTOCOLS:
        return
    tail = PORT_PROTOCOLS.index(frontend.protocol) << 16 | frontend.port
    if frontend.address is None:
        yield from ((number << 18 | tail, family) for number, family in enumerate((Family.V4, Family.V6)))
    else:
        number = numbers.setdefault(frontend.address, _FIRST_SERVICE + len(numbers))
        yield number << 18 | tail, frontend.address.family


def near_map(prints: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Mark where the lower bits of fingerprints lead, in so much room that few others lead there."""
    size = min(max(_FEWEST, 1 << (_SPARSE * prints.size).bit_length()), _MOST)
    near = np.zeros(size, np.uint8)
    near[(prints & np.uint64(size - 1)).astype(np.int64)] = 1
    return near


def split_addresses(addresses: Iterable[Address]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return the halves of addresses, IPv4 mapped into IPv6."""
    values = [address.value | (0xFFFF << 32 if address.family is Family.V4 else 0) for address in addresses]
    high = np.array([value >> 64 for value in values], np.uint64)
    return high, np.array([value & (1 << 64) - 1 for value in values], np.uint64)
