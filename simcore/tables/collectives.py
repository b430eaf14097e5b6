"""Tables that know ends by names which stand for many: each such name is a composite of what it may stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..kernels.places import FIRST_COMPOSITE, NO_ADDRESS, UNKNOWN_POD, find_ends
from ..model.addresses import Address
from ..model.collectives import Members, is_collective, members_of
from ..model.services import Scope
from .layout import Tables
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
    ends = [_ends(tables, members) for members in found.values()]
    first_composite = int(arrays.limits[FIRST_COMPOSITE]) + arrays.composite_starts.size
    labels = {label: number for number, label in enumerate(tables.labels)}
    label_of = [
        labels.setdefault(_label(tables, name, rows), len(labels)) for name, rows in zip(found, ends, strict=True)
    ]
    # A composite of its own spans the frontends' rows, which stand between those of the others and the new ones.
    bounds = len(arrays.ends) + np.cumsum([0, *map(len, ends)])
    places = first_composite + np.arange(count)
    objects = tables.label_of.size + np.arange(count)
    first = len(tables.pod_places)
    return replace(
        tables,
        arrays=arrays._replace(
            composite_starts=np.append(arrays.composite_starts, bounds).astype(np.int32),
            composite_flags=np.append(arrays.composite_flags, np.zeros(count + 1, np.uint8)),
            first_keys=np.append(arrays.first_keys, np.full(count + 1, arrays.first_keys[-1], np.int32)),
            ends=np.concatenate([arrays.ends, *(np.array(rows, np.int32) for rows in ends)]),
            object_node=np.append(arrays.object_node, np.full(count, -1, np.int32)),
        ),
        label_of=np.append(tables.label_of, label_of).astype(np.int32),
        labels=tuple(labels),
        pod_places=np.concatenate([tables.pod_places, np.tile(places[:, np.newaxis], 3).astype(np.int32)]),
        pod_families=np.concatenate([tables.pod_families, np.zeros((count, 3), np.uint8)]),
        pod_objects=np.append(tables.pod_objects, objects).astype(np.int32),
        collectives={**tables.collectives, **{name: first + number for number, name in enumerate(found)}},
        moments=tables.moments and tables.moments.widened(count + 1),
    )


def _ends(tables: Tables, members: Members) -> list[_End]:
    if members.is_outside:
        return [_End(tables.outside, tables.external, 0, 0)]
    if members.addresses:
        return _at_addresses(tables, members.addresses)
    found: list[_End] = []
    for pod in members.pods:
        place, object_, family = tables.pod_places[pod, 2], tables.pod_objects[pod], tables.pod_families[pod, 2]
        found += _behind(tables, _End(int(place), int(object_), 0, int(family)))
    return found if len(found) <= _FEW else _thinned(tables, found)


def _behind(tables: Tables, end: _End) -> list[_End]:
    """List the ends that stand at a place."""
    arrays = tables.arrays
    composite = end.identity - int(arrays.limits[FIRST_COMPOSITE])
    if composite < 0:
        return [end]
    rows = arrays.ends[arrays.composite_starts[composite] : arrays.composite_starts[composite + 1]]
    return [_End(*row) for row in rows.tolist()]


def _at_addresses(tables: Tables, addresses: Sequence[Address]) -> list[_End]:
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
    places = zip(*found.tolist(), addresses, strict=True)
    return [
        end for place, object_, address in places for end in _behind(tables, _End(place, object_, 0, address.family))
    ]


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
