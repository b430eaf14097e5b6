"""Addresses that may stand for several ends: Services, shared pod addresses, node ports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Address, Family
from ..model.cluster import Cluster
from ..model.ports import PORT_PROTOCOLS
from ..model.profile import Profile
from ..model.services import Frontend, Scope, Target, frontends
from .courses import Courses
from .ends import Owner
from .identities import Identities
from .moments import Moments
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


def find_composites(
    cluster: Cluster, identities: Identities, objects: Objects, profile: Profile
) -> tuple[Composites, Moments | None]:
    """Collect the composite addresses of a cluster and its frontends, and what of them depends on the time."""
    builder = Builder(cluster, identities, objects)
    courses = Courses(cluster, profile, builder) if cluster.has_lives else None
    timely = courses.addresses() if courses else {}
    builder.stand(sorted({*builder.finder.addresses(), *timely}))
    for frontend in frontends(cluster):
        if frontend.address is not None:
            builder.lead(frontend, builder.number[frontend.address], frontend.address.family)
        else:
            for family, base in NODE_PORT_BASES.items():
                builder.lead(frontend, base - FIRST_BASE, family)
    moments = courses.find(timely) if courses else None
    return builder.composites(), moments


class Builder:
    """Collects composites and what frontends lead to.

    Attributes
    ----------
    finder : Finder
    identities : Identities
    objects : Objects
    number : dict
        Address to its position among the composites.
    """

    def __init__(self, cluster: Cluster, identities: Identities, objects: Objects) -> None:
        self._cluster = cluster
        self.finder = Finder(cluster, identities, objects)
        self.identities = identities
        self.objects = objects
        self.number: dict[Address, int] = {}
        self._pods: dict[int, int] = {}
        self._lists: list[list[End]] = []
        self._flags: list[int] = []
        self._targets: dict[int, list[End]] = {}
        self._mixed: set[int] = set()

    @property
    def count(self) -> int:
        """How many composites there are."""
        return len(self._lists)

    def stand(self, addresses: Sequence[Address]) -> None:
        """Make composites of addresses, and of pods that have several."""
        services = self._cluster.services
        self.finder.learn([*addresses, *(b.address for service in services for b in service.backends or ())])
        of_services = {address for service in services for address in service.addresses}
        for address in addresses:
            has_node = address in self._cluster.node_at
            flags = self.flags(address, is_service=address in of_services, has_node=has_node)
            self.number[address] = self.add(self.finder.ends_at(address), flags)
        for pod, found in enumerate(self._cluster.pods):
            if len(found.addresses) > 1:
                self._pods[pod] = self.add(self.finder.ends_of_pod(pod), 0)

    def add(self, ends: list[End], flags: int) -> int:
        """Add a composite, and return its position."""
        self._lists.append(ends)
        self._flags.append(flags)
        return len(self._lists) - 1

    def flags(self, address: Address, *, is_service: bool, has_node: bool) -> int:
        """Return the flags of an address."""
        of_node = NODE_V4 if address.family is Family.V4 else NODE_V6
        return (SERVICE if is_service else 0) | (of_node if has_node else 0)

    def port_key(self, family: Family, protocol: int, port: int) -> int | None:
        """Return what a node port is looked up by; None for protocols without ports."""
        return None if protocol not in PORT_PROTOCOLS else NODE_PORT_BASES[family] << 18 | _tail(protocol, port)

    def lead(
        self,
        frontend: Frontend,
        composite: int,
        family: Family,
        ends_at: Callable[[Address], list[End]] | None = None,
    ) -> None:
        """Let a frontend of a composite lead to its targets; of one below 0, a node port of all nodes.

        `ends_at` says who stands at the address of a backend that is no pod; who does at any time if it is not given.
        """
        if frontend.protocol not in PORT_PROTOCOLS:
            return
        key = (FIRST_BASE + composite) << 18 | _tail(frontend.protocol, frontend.port)
        ends = [
            end
            for target in frontend.targets
            if target.address is None or target.address.family is family
            for end in self.finder.ends_of(target, ends_at)
        ]
        if frontend.scope:
            self._mixed.add(key)
            ends = [(*end[:4], int(frontend.scope)) for end in ends]
        if (frontend.service.namespace, frontend.service.name) in self.identities.sights.services:
            self._mixed.add(key)
            ends = [(self.identities.reached(end[0], frontend.service), *end[1:]) for end in ends]
        self._targets.setdefault(key, []).extend(ends)

    def composites(self) -> Composites:
        """Lay out all that was collected."""
        lists, targets = self._lists, self._targets
        keys = sorted(targets)
        every = [list(dict.fromkeys(targets[key])) for key in keys]
        distinct = [_distinct(ends) for ends in every]
        rows = [end for ends in (*lists, *every, *distinct) for end in ends]
        bounds = np.cumsum([0, *(len(ends) for ends in (*lists, *every, *distinct))]).astype(np.int32)
        first, last = len(lists), len(lists) + len(keys)
        pods, mixed = self.objects.pods, self._mixed
        return Composites(
            self.number,
            self._pods,
            np.array(self._flags, np.uint8),
            bounds[: first + 1],
            np.array(rows, np.int32).reshape(-1, 5),
            np.array(keys, np.int64),
            np.searchsorted(keys, [FIRST_BASE + number << 18 for number in range(first + 1)]).astype(np.int32),
            bounds[first : last + 1],
            bounds[last:],
            np.array([all(end[1] < pods for end in targets[key]) and key not in mixed for key in keys], bool),
        )


def _distinct(ends: list[End]) -> list[End]:
    """Keep the first of the ends that policies cannot tell apart."""
    return list(
        {
            (identity, port, family): (identity, number, port, family, scope)
            for identity, number, port, family, scope in reversed(ends)
        }.values()
    )[::-1]


def _tail(protocol: int, port: int) -> int:
    return PORT_PROTOCOLS.index(protocol) << 16 | port


class Finder:
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
            or (owners[0].pod >= 0 and (address in self._cluster.node_at or self.is_one_of(owners[0].pod, address)))
        }
        several = np.diff(ends.first_of_pod)[ends.pod[ends.alone]] > 2
        for end in ends.alone[several].tolist():
            pod = int(ends.pod[end])
            address = pods[pod].addresses[end - int(ends.first_of_pod[pod])]
            if self.is_one_of(pod, address):
                found.add(address)
        return sorted(found | self._services)

    def is_one_of(self, pod: int, address: Address) -> bool:
        """Whether a pod has another address of the family, so that addresses do not tell if it meets itself."""
        return sum(other.family is address.family for other in self._cluster.pods[pod].addresses) > 1

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
            return [self.end(owner, address, 0) for owner in owners]
        identity, pod = self._found[address]
        return [(identity, pod if pod >= 0 else self._objects.at(address), 0, address.family, Scope.ANY)]

    def ends_of(self, target: Target, ends_at: Callable[[Address], list[End]] | None = None) -> list[End]:
        """List what a Service's target may be, given who stands at the address of one that is no pod."""
        if target.pod >= 0:
            return [self._end_of_pod(target.pod, target.address, target.port)]
        if target.address is None:
            return []
        return [(*end[:2], target.port, *end[3:]) for end in (ends_at or self.ends_at)(target.address)]

    def ends_of_pod(self, pod: int) -> list[End]:
        """List what a pod is that a record names without its address."""
        return [self._end_of_pod(pod, address, 0) for address in self._cluster.pods[pod].addresses]

    def ends_named(self, pod: int, family: Family | None) -> list[End]:
        """List what a pod is that a record names along with an address of a family, or with none."""
        addresses = self._cluster.pods[pod].addresses
        if family is None:
            return [self._end_of_pod(pod, address, 0) for address in addresses or (None,)]
        return [self._end_of_pod(pod, next((a for a in addresses if a.family is family), None), 0)]

    def _end_of_pod(self, pod: int, address: Address | None, port: int) -> End:
        """Return the end that is a pod, or its node where the two count as one."""
        selectable = self._identities.ends.selectable[pod]
        return self.end(Owner(pod=pod) if selectable else Owner(node=self._cluster.pods[pod].node), address, port)

    def end(self, owner: Owner, address: Address | None, port: int) -> End:
        """Return the end that an owner of an address is."""
        family = address.family if address else 0
        return self._identities.at(owner, address), self._objects.of(owner), port, family, Scope.ANY
