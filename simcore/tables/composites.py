"""Addresses that may stand for several ends: Services, shared pod addresses, node ports."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Family
from ..model.cluster import Cluster
from ..model.ports import PORT_PROTOCOLS
from ..model.services import Frontend, Scope, Target, frontends
from .ends import Owner
from .identities import Identities
from .objects import Objects
from .space import halves

SERVICE, NODE_V4, NODE_V6 = 1, 2, 4
"""Bits of a composite's flags: it is a service address; it is an address of a node, of either family."""
NODE_PORT_BASES = {Family.V4: 0, Family.V6: 1}
FIRST_BASE = 2

End = tuple[int, int, int, int, int]
"""Identity, object, port (0: as in the flow), family of the address (0: unknown), and `Scope` of who gets there."""


@dataclass(frozen=True)
class Composites:
    """The composite addresses, and what every frontend leads to.

    Attributes
    ----------
    number : dict
        Address to its position among the composites.
    pods : dict
        Pod with several addresses to its position among the composites: where a record names it without address.
    flags : uint8[composites]
    starts : int32[composites + 1]
        The ends of composite c are rows ``starts[c]`` to ``starts[c + 1]`` of `ends`.
    ends : int32[..., 5]
        `End` rows of composites, then of frontends.
    frontend_keys : int64[frontends]
        Ascending: ``(base << 2 | protocol slot) << 16 | port``, base being 0 and 1 for the node ports of either
        family, else 2 + the composite.
    first_keys : int32[composites + 1]
        The keys of composite c stand from ``first_keys[c]`` to ``first_keys[c + 1]``.
    frontend_starts : int32[frontends + 1]
        Rows of `ends`, as `starts`.
    distinct_starts : int32[frontends + 1]
        The same for the few rows, of other objects left out, that differ in identity, port or family.
    plain : bool[frontends]
        Whether no end of a frontend is a node, so that its distinct rows tell all but a pod that reaches itself;
        nor reached through a Service that rules name, since it is another identity then than that pod; nor are only
        some of them for a client.
    """

    number: dict[Address, int]
    pods: dict[int, int]
    flags: NDArray[np.uint8]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    frontend_keys: NDArray[np.int64]
    first_keys: NDArray[np.int32]
    frontend_starts: NDArray[np.int32]
    distinct_starts: NDArray[np.int32]
    plain: NDArray[np.bool_]


def find_composites(cluster: Cluster, identities: Identities, objects: Objects) -> Composites:
    """Collect the composite addresses of a cluster and its frontends."""
    finder = _Finder(cluster, identities, objects)
    addresses = finder.addresses()
    finder.learn([*addresses, *(b.address for service in cluster.services for b in service.backends or ())])
    number = {address: position for position, address in enumerate(addresses)}
    several = [pod for pod, found in enumerate(cluster.pods) if len(found.addresses) > 1]
    lists = [finder.ends_at(address) for address in addresses] + [finder.ends_of_pod(pod) for pod in several]
    targets: dict[int, list[End]] = {}
    named: set[int] = set()
    scoped: set[int] = set()
    for frontend in frontends(cluster):
        for key, family in _keys(frontend, number):
            ends = [
                end
                for target in frontend.targets
                if target.address is None or target.address.family is family
                for end in finder.ends_of(target)
            ]
            if frontend.scope:
                scoped.add(key)
                ends = [(*end[:4], int(frontend.scope)) for end in ends]
            if (frontend.service.namespace, frontend.service.name) in identities.sights.services:
                named.add(key)
                ends = [(identities.reached(end[0], frontend.service), *end[1:]) for end in ends]
            targets.setdefault(key, []).extend(ends)
    keys = sorted(targets)
    every = [list(dict.fromkeys(targets[key])) for key in keys]
    distinct = [_distinct(ends) for ends in every]
    rows = [end for ends in (*lists, *every, *distinct) for end in ends]
    bounds = np.cumsum([0, *(len(ends) for ends in (*lists, *every, *distinct))]).astype(np.int32)
    first, last = len(lists), len(lists) + len(keys)
    return Composites(
        number,
        {pod: len(addresses) + position for position, pod in enumerate(several)},
        np.array([finder.flags(address) for address in addresses] + [0] * len(several), np.uint8),
        bounds[: first + 1],
        np.array(rows, np.int32).reshape(-1, 5),
        np.array(keys, np.int64),
        np.searchsorted(keys, [FIRST_BASE + number << 18 for number in range(first + 1)]).astype(np.int32),
        bounds[first : last + 1],
        bounds[last:],
        np.array([all(e[1] < objects.pods for e in targets[key]) and key not in named | scoped for key in keys], bool),
    )


def _distinct(ends: list[End]) -> list[End]:
    """Keep the first of the ends that policies cannot tell apart."""
    return list(
        {
            (identity, port, family): (identity, number, port, family, scope)
            for identity, number, port, family, scope in reversed(ends)
        }.values()
    )[::-1]


def _keys(frontend: Frontend, number: dict[Address, int]) -> Iterator[tuple[int, Family]]:
    if frontend.protocol not in PORT_PROTOCOLS:
        return
    tail = PORT_PROTOCOLS.index(frontend.protocol) << 16 | frontend.port
    if frontend.address is not None:
        yield (FIRST_BASE + number[frontend.address]) << 18 | tail, frontend.address.family
    else:
        for family, base in NODE_PORT_BASES.items():
            yield base << 18 | tail, family


class _Finder:
    """Knows the ends behind addresses and targets."""

    def __init__(self, cluster: Cluster, identities: Identities, objects: Objects) -> None:
        self._cluster = cluster
        self._identities = identities
        self._objects = objects
        self._found: dict[Address, tuple[int, int]] = {}
        self._services = {address for service in cluster.services for address in service.addresses}

    def addresses(self) -> list[Address]:
        """List the addresses that are more than one end, or one of an end's several, or a Service's."""
        ends, pods = self._identities.ends, self._cluster.pods
        found = {
            address
            for address, owners in ends.owners.items()
            if len(owners) > 1
            or (owners[0].pod >= 0 and (address in self._cluster.node_at or self._is_one_of(owners[0].pod, address)))
        }
        several = np.diff(ends.first_of_pod)[ends.pod[ends.alone]] > 2
        for end in ends.alone[several].tolist():
            pod = int(ends.pod[end])
            address = pods[pod].addresses[end - int(ends.first_of_pod[pod])]
            if self._is_one_of(pod, address):
                found.add(address)
        return sorted(found | self._services)

    def _is_one_of(self, pod: int, address: Address) -> bool:
        """Whether a pod has another address of the family, so that addresses do not tell if it meets itself."""
        return sum(other.family is address.family for other in self._cluster.pods[pod].addresses) > 1

    def flags(self, address: Address) -> int:
        flags = SERVICE if address in self._services else 0
        if address in self._cluster.node_at:
            flags |= NODE_V4 if address.family is Family.V4 else NODE_V6
        return flags

    def learn(self, addresses: Sequence[Address]) -> None:
        """Find out what stands at addresses that `ends_at` will be asked for, all at once."""
        known = self._identities
        for family, space in known.spaces.items():
            ours = [address for address in addresses if address.family is family]
            ranges = space.ranges_at(halves([address.value for address in ours]))
            alone = np.full(len(space.starts), -1, np.int64)
            ends = known.ends.alone[known.ends.family[known.ends.alone] == family]
            alone[space.ranges_at(known.ends.halves[ends])] = known.ends.pod[ends]
            found = zip(known.at_range[family][ranges].tolist(), alone[ranges].tolist(), strict=True)
            self._found.update(zip(ours, found, strict=True))

    def ends_at(self, address: Address) -> list[End]:
        """List what may stand behind a bare address, services left aside."""
        if owners := self._identities.ends.owners.get(address):
            return [self._end(owner, address, 0) for owner in owners]
        identity, pod = self._found[address]
        return [(identity, pod if pod >= 0 else self._objects.at(address), 0, address.family, Scope.ANY)]

    def ends_of(self, target: Target) -> list[End]:
        """List what a Service's target may be."""
        if target.pod >= 0:
            return [self._end_of_pod(target.pod, target.address, target.port)]
        if target.address is None:
            return []
        return [(*end[:2], target.port, *end[3:]) for end in self.ends_at(target.address)]

    def ends_of_pod(self, pod: int) -> list[End]:
        """List what a pod is that a record names without its address."""
        return [self._end_of_pod(pod, address, 0) for address in self._cluster.pods[pod].addresses]

    def _end_of_pod(self, pod: int, address: Address | None, port: int) -> End:
        """Return the end that is a pod, or its node where the two count as one."""
        selectable = self._identities.ends.selectable[pod]
        return self._end(Owner(pod=pod) if selectable else Owner(node=self._cluster.pods[pod].node), address, port)

    def _end(self, owner: Owner, address: Address | None, port: int) -> End:
        family = address.family if address else 0
        return self._identities.at(owner, address), self._objects.of(owner), port, family, Scope.ANY
