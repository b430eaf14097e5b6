"""Moments: who stands at an address, behind a node port and by a name at which time, where pods come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..kernels.places import SEVERAL
from ..model.addresses import Address
from ..model.cluster import Cluster, Stretch
from ..model.flows import Outcome, Reason, Verdict
from ..model.names import ALWAYS
from ..model.profile import Profile
from ..model.services import Frontend, frontends
from .ends import Owner

COMPOSITE = 1 << 29
"""Added to the numbers of composites among places, until identities are counted."""

Party = tuple[str, int]
"""Something that comes and goes: ``pod``, ``node`` or ``service``, and its position."""


@dataclass(frozen=True)
class Course:
    """What holds from when on, for each of several things: those of number g from ``starts[g]`` to ``starts[g + 1]``.

    Attributes
    ----------
    starts : int64[things + 1]
    begins : int64[...]
        Nanoseconds; ascending for each thing, the first the beginning of `ALWAYS`.
    values : int32[...]
        What holds from then on.
    """

    starts: NDArray[np.int64]
    begins: NDArray[np.int64]
    values: NDArray[np.int32]

    @classmethod
    def of(cls, things: Sequence[Sequence[tuple[int, int]]]) -> Course:
        """Lay out the times and values of things."""
        every = list(chain.from_iterable(things))
        return cls(
            np.cumsum([0, *map(len, things)]).astype(np.int64),
            np.array([begin for begin, _ in every], np.int64),
            np.array([value for _, value in every], np.int32),
        )

    def joined(self, other: Course) -> Course:
        """Return the course of these things and some others behind them."""
        return Course(
            np.append(self.starts, other.starts[1:] + self.starts[-1]),
            np.append(self.begins, other.begins),
            np.append(self.values, other.values),
        )


@dataclass(frozen=True)
class Moments:
    """What depends on the time of a flow in some tables.

    Attributes
    ----------
    of_composite : int32[composites]
        The thing of `places` that each composite is; -1 where it is the same at all times.
    places : Course
        Places at times: marks of `simcore.kernels.places` among them.
    objects : Course
        Objects at the same times; -1 where they are those of all times.
    ports : int64[...]
        ``family bit << 24 | protocol slot << 16 | port`` of the node ports that change, ascending.
    port_composites : Course
        The composites that hold their frontends, at times.
    pods : Course
        The pod of each name that is several pods', or a pod's only at times; -1 where there is none.
    names : dict
        Those names, with the positions of their pods. Number k of them is pod ``pods + 2 * k`` where the time is not
        told, and the one after that where no pod of the name was there.
    named : int32[names, 3]
        Their places where the time is not told, as `simcore.tables.layout.Tables.pod_places` has them; -1 where it
        is one pod.
    several : tuple of Outcome
        What addresses of several pods come to.
    """

    of_composite: NDArray[np.int32]
    places: Course
    objects: Course
    ports: NDArray[np.int64]
    port_composites: Course
    pods: Course
    names: dict[str, tuple[int, ...]]
    named: NDArray[np.int32]
    several: tuple[Outcome, ...]

    def widened(self, courses: Sequence[Sequence[tuple[int, int]]]) -> Moments:
        """Return the same with more composites, each with its places at times; nothing for one that never changes."""
        changing = [course for course in courses if course]
        numbers = iter(range(self.places.starts.size - 1, self.places.starts.size - 1 + len(changing)))
        of_composite = [next(numbers) if course else -1 for course in courses]
        unchanged = [[(begin, -1) for begin, _ in course] for course in changing]
        return replace(
            self,
            of_composite=np.append(self.of_composite, np.array(of_composite, np.int32)),
            places=self.places.joined(Course.of(changing)),
            objects=self.objects.joined(Course.of(unchanged)),
        )

    def numbered(self, identities: int) -> Moments:
        """Return the same, once identities are counted, which composites are numbered behind."""

        def number(places: NDArray[np.int32]) -> NDArray[np.int32]:
            return np.where(places >= COMPOSITE, places - COMPOSITE + identities, places).astype(np.int32)

        places = replace(self.places, values=number(self.places.values))
        return replace(self, places=places, named=number(self.named))


def lived_names(cluster: Cluster) -> dict[str, tuple[int, ...]]:
    """Return the names that are several pods', or a pod's only at times, with the positions of these."""
    if not cluster.lives:
        return {}
    wanted = dict.fromkeys(cluster.pods[number].full_name for number in sorted(cluster.lives))
    return {name: cluster.pods_named[name] for name in wanted}


def name_numbers(cluster: Cluster) -> dict[str, int]:
    """Number the names of pods: by position; see `Moments.names` for those that depend on the time."""
    first = len(cluster.pods)
    return {**cluster.pod_numbers, **{name: first + 2 * number for number, name in enumerate(lived_names(cluster))}}


class Presence:
    """Tells who is there at which time."""

    def __init__(self, cluster: Cluster, profile: Profile) -> None:
        self._cluster = cluster
        self._guests_count = profile.hostnetwork == "pod"
        self._lives = {"pod": cluster.lives, "node": cluster.node_lives, "service": cluster.service_lives}

    def states(self, parties: Iterable[Party]) -> list[tuple[int, frozenset[Party]]]:
        """List who of some parties is there from when on."""
        changes: dict[int, list[tuple[Party, bool]]] = {ALWAYS[0]: []}
        for party in parties:
            for first, end in self._times(party):
                changes.setdefault(first, []).append((party, True))
                if end < ALWAYS[1]:
                    changes.setdefault(end, []).append((party, False))
        here: set[Party] = set()
        found = []
        for time, changed in sorted(changes.items()):
            here.difference_update(party for party, comes in changed if not comes)
            here.update(party for party, comes in changed if comes)
            found.append((time, frozenset(here)))
        return found

    def changes(self, parties: Iterable[Party]) -> bool:
        """Whether any of some parties is there only at times."""
        return any(number in self._lives[kind] for kind, number in parties)

    def _times(self, party: Party) -> tuple[Stretch, ...]:
        return self._lives[party[0]].get(party[1], (ALWAYS,))

    def residents(self, address: Address) -> list[Party]:
        """List the pods and nodes that ever have an address."""
        cluster = self._cluster
        pods = (*cluster.pods_at.get(address, ()), *cluster.host_pods_at.get(address, ()))
        return [*(("pod", number) for number in pods), *(("node", number) for number in self._nodes.get(address, ()))]

    def node_at(self, address: Address, here: frozenset[Party]) -> str | None:
        """Name the node that has an address while some parties are there; None where none has."""
        nodes = [number for number in self._nodes.get(address, ()) if ("node", number) in here]
        if nodes:
            return self._cluster.nodes[nodes[-1]].name
        guests = [number for number in self._cluster.host_pods_at.get(address, ()) if ("pod", number) in here]
        names = [self._cluster.pods[number].node for number in guests if self._cluster.pods[number].node]
        return names[-1] if names else None

    def owners(self, address: Address, here: frozenset[Party]) -> list[Owner]:
        """List who may stand behind an address while some parties are there: its pods, else a node and its guests."""
        pods = [number for number in self._cluster.pods_at.get(address, ()) if ("pod", number) in here]
        if pods:
            return [Owner(pod=number) for number in pods]
        guests = self._cluster.host_pods_at.get(address, ()) if self._guests_count else ()
        found = [Owner(pod=number) for number in guests if ("pod", number) in here]
        node = self.node_at(address, here)
        return found if node is None else [*found, Owner(node=node)]

    @cached_property
    def _nodes(self) -> dict[Address, list[int]]:
        found: dict[Address, list[int]] = {}
        for number, node in enumerate(self._cluster.nodes):
            for address in node.addresses:
                found.setdefault(address, []).append(number)
        return found

    @property
    def homes(self) -> Iterator[Address]:
        """Yield the addresses of pods and nodes that are there only at times."""
        for number in self._cluster.lives:
            if not self._cluster.pods[number].finished:
                yield from self._cluster.pods[number].addresses
        for number in self._cluster.node_lives:
            yield from self._cluster.nodes[number].addresses

    def frontends(self, here: frozenset[Party]) -> Iterator[Frontend]:
        """Yield what the Services among some parties answer to, while these and no others are there."""
        cluster = self._cluster
        pods = sorted(number for kind, number in here if kind == "pod")
        services = sorted(number for kind, number in here if kind == "service")
        present = Cluster(
            {},
            tuple(cluster.pods[number] for number in pods),
            services=tuple(cluster.services[number] for number in services),
        )
        for frontend in frontends(present):
            targets = (t if t.pod < 0 else replace(t, pod=pods[t.pod]) for t in frontend.targets)
            yield replace(frontend, targets=tuple(targets))


class Conflicts:
    """Numbers the outcomes of addresses that are several pods' at a time."""

    def __init__(self, cluster: Cluster) -> None:
        self._pods = cluster.pods
        self._numbers: dict[str, int] = {}

    def place(self, owners: Sequence[Owner]) -> int:
        """Return the mark of some pods that have one address."""
        detail = " and ".join(sorted(self._pods[owner.pod].full_name for owner in owners))
        return SEVERAL - self._numbers.setdefault(detail, len(self._numbers))

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What the marks stand for."""
        return tuple(Outcome(Verdict.UNKNOWN, Reason.SEVERAL_THEN, None, detail) for detail in self._numbers)


def name_courses(cluster: Cluster, presence: Presence) -> list[list[tuple[int, int]]]:
    """Tell for each name that depends on the time which pod it is from when on; -1 for none."""
    found = []
    for pods in lived_names(cluster).values():
        states = presence.states(("pod", number) for number in pods)
        found.append([(time, max((number for _, number in here), default=-1)) for time, here in states])
    return found
