"""What the places of addresses and node ports are at which time, and the composites that this takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..kernels.places import NOBODY
from ..model.addresses import Address, Family
from ..model.cluster import Cluster
from ..model.profile import Profile
from ..model.services import frontends
from .ends import Owner
from .moments import COMPOSITE, Conflicts, Course, Moments, Party, Presence, lived_names, name_courses

if TYPE_CHECKING:
    from .composites import Builder, End

_Times = list[tuple[int, int]]


class Courses:
    """Finds what depends on the time in a cluster where things come and go.

    Parameters
    ----------
    cluster : Cluster
    profile : Profile
    builder : Builder
        Knows ends, and takes the composites.
    """

    def __init__(self, cluster: Cluster, profile: Profile, builder: Builder) -> None:
        self._cluster = cluster
        self._builder = builder
        self._presence = Presence(cluster, profile)
        self._conflicts = Conflicts(cluster)
        self._backends = self._candidates()

    def _candidates(self) -> list[dict[Party, None]]:
        """List for each Service who may stand behind it at any time."""
        position = {id(service): number for number, service in enumerate(self._cluster.services)}
        found: list[dict[Party, None]] = [{} for _ in self._cluster.services]
        for number, service in enumerate(self._cluster.services):
            listed = [backend.address for backend in service.backends or ()]
            found[number] = dict.fromkeys(party for address in listed for party in self._presence.residents(address))
        for frontend in frontends(self._cluster):
            pods = (target.pod for target in frontend.targets if target.pod >= 0)
            found[position[id(frontend.service)]].update((("pod", pod), None) for pod in pods)
        return found

    def addresses(self) -> dict[Address, list[Party]]:
        """Return the addresses that depend on the time, with all that this rests on."""
        found = {address: self._presence.residents(address) for address in self._presence.homes}
        of_services: dict[Address, list[Party]] = {}
        for number, service in enumerate(self._cluster.services):
            parties = [("service", number), *self._backends[number]]
            for address in service.addresses:
                of_services.setdefault(address, self._presence.residents(address)).extend(parties)
        changing = {a: parties for a, parties in of_services.items() if a in found or self._presence.changes(parties)}
        return dict(sorted((found | changing).items()))

    def find(self, addresses: dict[Address, list[Party]]) -> Moments:
        """Find all that depends on the time, of addresses that are composites already."""
        builder = self._builder
        found = [self._course(address, parties) for address, parties in addresses.items()]
        ports, port_courses = self._ports()
        names = lived_names(self._cluster)
        named = self._named(list(names.values()))
        of_composite = np.full(builder.count, -1, np.int32)
        of_composite[[builder.number[address] for address in addresses]] = np.arange(len(addresses))
        return Moments(
            of_composite=of_composite,
            places=Course.of([places for places, _ in found]),
            objects=Course.of([objects for _, objects in found]),
            ports=np.array(ports, np.int64),
            port_composites=Course.of(port_courses),
            pods=Course.of(name_courses(self._cluster, self._presence)),
            names=names,
            named=named,
            several=self._conflicts.outcomes,
        )

    def _named(self, names: Sequence[Sequence[int]]) -> NDArray[np.int32]:
        """Make composites of the pods of a name: with an IPv4 address, with an IPv6 one, with none."""
        found = np.full((len(names), 3), -1, np.int32)
        for number, pods in enumerate(names):
            if len(pods) > 1:
                for column, family in enumerate((Family.V4, Family.V6, None)):
                    ends = [end for pod in pods for end in self._builder.finder.ends_named(pod, family)]
                    found[number, column] = COMPOSITE + self._builder.add(ends, 0)
        return found

    def _course(self, address: Address, parties: Sequence[Party]) -> tuple[_Times, _Times]:
        """Tell what stands at an address from when on: places and objects."""
        known: dict[frozenset[Party], tuple[int, int]] = {}
        places: _Times = []
        objects: _Times = []
        for time, here in self._presence.states(dict.fromkeys(parties)):
            if here not in known:
                known[here] = self._standing(address, here)
            if not places or (places[-1][1], objects[-1][1]) != known[here]:
                places.append((time, known[here][0]))
                objects.append((time, known[here][1]))
        return places, objects

    def _standing(self, address: Address, here: frozenset[Party]) -> tuple[int, int]:
        """Return the place and the object of an address while some parties are there."""
        builder = self._builder
        services = [
            number
            for kind, number in sorted(here)
            if kind == "service" and address in self._cluster.services[number].addresses
        ]
        owners = self._presence.owners(address, here)
        pods = [owner for owner in owners if owner.pod >= 0 and not self._cluster.pods[owner.pod].host_network]
        if not owners and not services:
            return NOBODY, builder.objects.nobody
        if len(pods) > 1:
            return self._conflicts.place(pods), -1
        number = builder.objects.of(owners[0]) if len(owners) == 1 else -1
        if services:
            number = builder.objects.services[services[-1]]
        has_node = self._presence.node_at(address, here) is not None
        if len(owners) == 1 and not services and self._is_single(owners[0], address, has_node=has_node):
            return builder.identities.at(owners[0], address), number
        ends = self._ends(owners, address)
        composite = builder.add(ends, builder.flags(address, is_service=bool(services), has_node=has_node))
        for frontend in self._presence.frontends(here) if services else ():
            if frontend.address == address:
                builder.lead(frontend, composite, address.family, partial(self._ends_at, here))
        return COMPOSITE + composite, number

    def _is_single(self, owner: Owner, address: Address, *, has_node: bool) -> bool:
        """Whether the only owner of an address is all that there is to be known of it."""
        return owner.pod < 0 or not (has_node or self._builder.finder.is_one_of(owner.pod, address))

    def _ends(self, owners: Sequence[Owner], address: Address) -> list[End]:
        """List the ends of an address; of a Service's, the address itself, if nobody else ever has it."""
        if owners or self._presence.residents(address):
            return [self._builder.finder.end(owner, address, 0) for owner in owners]
        return self._builder.finder.ends_at(address)

    def _ends_at(self, here: frozenset[Party], address: Address) -> list[End]:
        """List who may stand at the address of a backend while some parties are there."""
        return self._ends(self._presence.owners(address, here), address)

    def _ports(self) -> tuple[list[int], list[_Times]]:
        """Return the node ports that depend on the time, and the composites that hold their frontends."""
        asked: dict[tuple[int, int], list[Party]] = {}
        for number, service in enumerate(self._cluster.services):
            for port in service.ports:
                if port.node_port:
                    parties = asked.setdefault((port.protocol, port.node_port), [])
                    parties += [("service", number), *self._backends[number]]
        found: dict[int, _Times] = {}
        for (protocol, node_port), parties in asked.items():
            if self._presence.changes(parties):
                for family in Family:
                    key = self._builder.port_key(family, protocol, node_port)
                    if key is not None:
                        found[key] = self._port_course(protocol, node_port, family, parties)
        keys = sorted(found)
        return keys, [found[key] for key in keys]

    def _port_course(self, protocol: int, node_port: int, family: Family, parties: Sequence[Party]) -> _Times:
        found: _Times = []
        for time, here in self._presence.states(dict.fromkeys(parties)):
            composite = self._builder.add([], 0)
            for frontend in self._presence.frontends(here):
                if (frontend.address, frontend.protocol, frontend.port) == (None, protocol, node_port):
                    self._builder.lead(frontend, composite, family, partial(self._ends_at, here))
            found.append((time, composite))
        return found
