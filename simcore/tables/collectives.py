"""Tables that know ends by names which stand for many: each such name is a composite of what it may stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..kernels.places import FIRST_COMPOSITE, NO_ADDRESS, POD_NOT_THERE, UNKNOWN_POD, find_ends
from ..model.addresses import Address
from ..model.collectives import Members, is_collective, members_of
from ..model.names import ALWAYS
from ..model.services import Scope
from .layout import Tables
from .moments import Party, Presence
from .space import halves

_FEW = 64
"""Members beyond which those that nothing tells apart are left out, but for two: one end may meet the other."""


class _End(NamedTuple):
    """A row of `Arrays.ends`."""

    identity: int
    object: int
    port: int
    family: int
    scope: int = Scope.ANY


def with_collectives(tables: Tables, names: Iterable[str]) -> Tables:
    """Return tables that know some names, which `simcore.model.collectives` tells of, beside those of pods.

    Any other name, and one of which the cluster holds nothing, stays as it is.
    """
    wanted = sorted(name for name in set(names) - tables.collectives.keys() if is_collective(name))
    found = {name: members for name, members in members_of(tables.cluster, wanted).items() if members}
    if not found:
        return tables
    arrays, count = tables.arrays, len(found)
    # A composite of its own spans the frontends' rows, which stand between those of the others and the new ones.
    composites = _Composites(tables, int(arrays.limits[FIRST_COMPOSITE]) + arrays.composite_starts.size)
    places = np.array([composites.place(members) for members in found.values()], np.int32)
    labels = {label: number for number, label in enumerate(tables.labels)}
    label_of = [
        labels.setdefault(_label(tables, name, _ends(tables, members)), len(labels)) for name, members in found.items()
    ]
    bounds = len(arrays.ends) + np.cumsum([0, *map(len, composites.ends)])
    objects = tables.label_of.size + np.arange(count)
    first = len(tables.pod_places)
    return replace(
        tables,
        arrays=arrays._replace(
            composite_starts=np.append(arrays.composite_starts, bounds).astype(np.int32),
            composite_flags=np.append(arrays.composite_flags, np.zeros(bounds.size, np.uint8)),
            first_keys=np.append(arrays.first_keys, np.full(bounds.size, arrays.first_keys[-1], np.int32)),
            ends=np.concatenate([arrays.ends, *(np.array(rows, np.int32) for rows in composites.ends)]),
            object_node=np.append(arrays.object_node, np.full(count, -1, np.int32)),
        ),
        label_of=np.append(tables.label_of, label_of).astype(np.int32),
        labels=tuple(labels),
        pod_places=np.concatenate([tables.pod_places, np.tile(places[:, np.newaxis], 3)]),
        pod_families=np.concatenate([tables.pod_families, np.zeros((count, 3), np.uint8)]),
        pod_objects=np.append(tables.pod_objects, objects).astype(np.int32),
        collectives={**tables.collectives, **{name: first + number for number, name in enumerate(found)}},
        moments=tables.moments and tables.moments.widened([[], *composites.courses]),
    )


class _Composites:
    """Composites that are made one after the other.

    Attributes
    ----------
    ends : list of list of _End
        Those of each.
    courses : list of list of (int, int)
        What each is from when on, where that depends on the time.
    """

    def __init__(self, tables: Tables, first: int) -> None:
        self._tables = tables
        self._first = first
        self._presence = Presence(tables.cluster, tables.profile)
        self.ends: list[list[_End]] = []
        self.courses: list[list[tuple[int, int]]] = []

    def place(self, members: Members) -> int:
        """Return the place of who may be meant; at a time it is that of those pods that are there.

        Of nodes it is not known, where a cluster is told over time, which addresses they had then.
        """
        found = self._add(_ends(self._tables, members))
        parties: list[Party] = [("pod", pod) for pod in members.pods]
        if members.addresses:
            self.courses[found - self._first].append((ALWAYS[0], UNKNOWN_POD))
        elif self._presence.changes(parties):
            for time, here in self._presence.states(parties):
                present = Members(tuple(pod for pod in members.pods if ("pod", pod) in here))
                place = self._add(_ends(self._tables, present)) if present else POD_NOT_THERE
                self.courses[found - self._first].append((time, place))
        return found

    def _add(self, ends: list[_End]) -> int:
        self.ends.append(ends)
        self.courses.append([])
        return self._first + len(self.ends) - 1


def _ends(tables: Tables, members: Members) -> list[_End]:
    if members.is_outside:
        return [_End(tables.outside, tables.external, 0, 0)]
    if members.addresses:
        return [end for each in _stands_at(tables, members.addresses) for end in _behind(tables, *each)]
    found: list[_End] = []
    for pod in members.pods:
        place, object_, family = tables.pod_places[pod, 2], tables.pod_objects[pod], tables.pod_families[pod, 2]
        found += _behind(tables, int(place), int(object_), int(family))
    return found if len(found) <= _FEW else _thinned(tables, found)


def _behind(tables: Tables, place: int, object_: int, family: int) -> list[_End]:
    """List the ends that stand at a place."""
    arrays = tables.arrays
    composite = place - int(arrays.limits[FIRST_COMPOSITE])
    if composite < 0:
        return [_End(place, object_, 0, family)]
    rows = arrays.ends[arrays.composite_starts[composite] : arrays.composite_starts[composite + 1]]
    return [_End(*row) for row in rows.tolist()]


def _stands_at(tables: Tables, addresses: Sequence[Address]) -> list[tuple[int, int, int]]:
    """Find the place, the object and the family of addresses."""
    mapped = [address.value | (0xFFFF << 32 if address.family == 4 else 0) for address in addresses]
    parts = halves(mapped)
    arrays, known = tables.arrays, np.ones(len(addresses), bool)
    unnamed, found = np.full(len(addresses), -1, np.int32), np.empty((2, len(addresses)), np.int32)
    for out, tries in enumerate(
        (
            (arrays.trie_v4, arrays.trie_v6, arrays.exact, arrays.exact_places),
            (arrays.object_trie_v4, arrays.object_trie_v6, arrays.exact, arrays.exact_objects),
        )
    ):
        find_ends(
            *tries,
            parts[:, 0].copy(),
            parts[:, 1].copy(),
            known,
            unnamed,
            tables.pod_places,
            NO_ADDRESS,
            UNKNOWN_POD,
            found[out],
        )
    families = [int(address.family) for address in addresses]
    return list(zip(*found.tolist(), families, strict=True))


def _thinned(tables: Tables, ends: Sequence[_End]) -> list[_End]:
    """Keep two of the ends that differ in nothing but who they are."""
    seen: Counter[tuple[int, int, int]] = Counter()
    kept = []
    for end in ends:
        key = end.identity, end.family, int(tables.arrays.object_node[end.object])
        seen[key] += 1
        if seen[key] <= 2:
            kept.append(end)
    return kept


def _label(tables: Tables, name: str, ends: Sequence[_End]) -> str:
    """Name what all ends are, or else what the record says."""
    found = {int(tables.label_of[end.object]) for end in ends}
    return tables.labels[found.pop()] if len(found) == 1 else name
