"""The ground that tables stand on: what a cluster, and all that rules tell apart in it, come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels.places import POD_NOT_THERE
from ..model.addresses import Cidr, Family
from ..model.cluster import Cluster
from ..model.policy import Rule
from ..model.ports import LAST_PORT
from ..model.profile import Profile
from .atoms import Atoms, blocks_of
from .book import RuleBook
from .composites import Composites, find_composites
from .extras import Extras, asked_by, classify_extras
from .identities import Identities
from .moments import Moments
from .objects import Objects, Painting
from .ports import (
    PortClasses,
    classify_ports,
    members_of,
    names_of,
    port_sets_of,
    portless_of,
    protocol_slots,
)
from .space import halves
from .tries import Exact, build_exact, build_trie, find_single, without


@dataclass(frozen=True)
class Ground:
    """What stays as it is when rules change, as long as they tell no more apart.

    Attributes
    ----------
    identities : Identities
    objects : Objects
    classes : PortClasses
    extras : Extras
    names : frozenset
        Name and protocol of the named ports that were looked for in pods.
    exact : Exact
        Single IPv6 addresses.
    arrays : dict
        Those of `simcore.tables.layout.Arrays` that depend on nothing else.
    pods : dict
        The places, families and objects of pods, as `simcore.tables.layout.Tables` names them.
    moments : Moments or None
        What depends on the time of a flow; None where nothing does.
    """

    identities: Identities
    objects: Objects
    classes: PortClasses
    extras: Extras
    names: frozenset[tuple[str, int]]
    exact: Exact
    arrays: dict[str, NDArray[Any]]
    pods: dict[str, NDArray[Any]]
    moments: Moments | None

    def bears(self, rules: Sequence[Rule]) -> bool:
        """Whether rules tell apart no ends and no ports that are not told apart yet."""
        members = {member for ports in port_sets_of(rules) for member in members_of(ports)}
        return (
            _names(rules) <= self.names
            and asked_by(rules) <= self.extras.asked
            and all(self.classes.has(member) for member in members)
            and all(self.identities.has(atom) for atom in Atoms(rules).numbers)
        )


def lay_ground(rules: Sequence[Rule], atoms: Atoms, cluster: Cluster, profile: Profile) -> Ground:
    """Find all that some rules tell apart in a cluster."""
    identities = Identities(rules, atoms, cluster, profile)
    objects = Objects(cluster, identities.ends)
    composites, moments = find_composites(cluster, identities, objects, profile)
    identities.count_reached()
    portless = portless_of(port_sets_of(rules))
    classes = classify_ports({rule.ports for rule in rules}, portless, identities.declared)
    extras = classify_extras(rules, portless, identities.declared)
    places = {family: _places(family, identities, composites) for family in Family}
    starts_v4, starts_v6 = (identities.spaces[family].starts for family in (Family.V4, Family.V6))
    single = find_single(starts_v6)
    exact = build_exact(starts_v6, single)
    arrays: dict[str, NDArray[Any]] = {
        "trie_v4": build_trie(Family.V4, starts_v4, places[Family.V4]),
        "trie_v6": build_trie(Family.V6, starts_v6, without(single, places[Family.V6])),
        "exact": exact.keys,
        "exact_places": exact.values(places[Family.V6]),
        "slot_of": protocol_slots(portless),
        "extra_kind": extras.kind_of,
        "extra_class": extras.table,
        "port_class": classes.table,
        "missing_port_class": classes.unknown,
        "kind": identities.kind,
        "nearness": identities.nearness(),
        "composite_flags": composites.flags,
        "composite_starts": composites.starts,
        "frontend_keys": composites.frontend_keys,
        "first_keys": composites.first_keys,
        "frontend_starts": composites.frontend_starts,
        "distinct_starts": composites.distinct_starts,
        "frontend_plain": composites.plain,
        "ends": composites.ends,
        "short_ways": _short_ways(composites, classes),
    }
    pods = _pods(cluster, identities, composites, objects)
    if moments:
        moments = moments.numbered(identities.count)
        pods = _with_names(pods, moments)
    return Ground(identities, objects, classes, extras, _names(rules), exact, arrays, pods, moments)


def _names(rules: Sequence[Rule]) -> frozenset[tuple[str, int]]:
    return frozenset((name.name, name.protocol) for ports in port_sets_of(rules) for name in names_of(ports))


@dataclass(frozen=True)
class Picture:
    """The objects of all addresses, which depend on the blocks that rules mention.

    Attributes
    ----------
    blocks : set of Cidr
    painting : Painting
    arrays : dict
        Those of `simcore.tables.layout.Arrays` that follow.
    """

    blocks: set[Cidr]
    painting: Painting
    arrays: dict[str, NDArray[Any]]


def paint(ground: Ground, book: RuleBook, before: Picture | None) -> Picture:
    """Paint the objects, unless what was painted before was the same."""
    if before and blocks_of(book.gone) <= blocks_of(book.new) <= before.blocks:
        return before
    blocks = blocks_of(book.rules)
    if before and before.blocks == blocks:
        return before
    painting = ground.objects.paint(blocks, ground.identities)
    (starts_v4, objects_v4), (starts_v6, objects_v6) = (
        (ground.identities.spaces[family].starts, painting.by_range[family]) for family in (Family.V4, Family.V6)
    )
    arrays = {
        "object_trie_v4": build_trie(Family.V4, starts_v4, objects_v4),
        "object_trie_v6": build_trie(Family.V6, starts_v6, without(find_single(starts_v6), objects_v6)),
        "exact_objects": ground.exact.values(objects_v6),
        "object_node": painting.node_of,
    }
    return Picture(blocks, painting, arrays)


def _short_ways(composites: Composites, classes: PortClasses) -> NDArray[np.int32]:
    """Find the frontends that lead to pods of one identity, for the kernel to judge them as that."""
    keys = composites.frontend_keys & (1 << 18) - 1
    ways = np.full((keys.size + 1, 3), -1, np.int32)
    ways[:-1, 0] = keys
    single = composites.plain & (np.diff(composites.distinct_starts) == 1)
    targets = composites.ends[composites.distinct_starts[:-1][single]]
    port = np.where(targets[:, 2] > 0, targets[:, 2], keys[single] & LAST_PORT)
    ways[:-1][single, 1] = targets[:, 0]
    ways[:-1][single, 2] = classes.table[keys[single] & ~LAST_PORT | port]
    return ways


def _places(family: Family, identities: Identities, composites: Composites) -> NDArray[np.int32]:
    """Find the place of every range of a family."""
    places = identities.at_range[family].copy()
    ours = [(address.value, number) for address, number in composites.number.items() if address.family is family]
    ranges = identities.spaces[family].ranges_at(halves([value for value, _ in ours]))
    places[ranges] = [identities.count + number for _, number in ours]
    return places


def _pods(
    cluster: Cluster, identities: Identities, composites: Composites, objects: Objects
) -> dict[str, NDArray[Any]]:
    """Find where each pod stands when a record names it."""
    ends = identities.ends
    places = np.empty((len(cluster.pods), 3), np.int32)
    families = np.zeros((len(cluster.pods), 3), np.uint8)
    backwards = np.arange(ends.pod.size)[::-1]  # of several ends, the first one is written last
    selectable = ends.selectable
    unknown = ends.first_of_pod[1:][selectable] - 1
    for column, family in enumerate((Family.V4, Family.V6, None)):
        places[selectable, column] = identities.of_end[unknown]
        here = backwards[np.isin(ends.family[backwards], [family] if family else list(Family))]
        places[ends.pod[here], column] = identities.of_end[here]
        families[ends.pod[here], column] = ends.family[here]
        for number in np.flatnonzero(~selectable).tolist():
            address = next((a for a in cluster.pods[number].addresses if family in (a.family, None)), None)
            places[number, column] = identities.of_node[address, cluster.pods[number].node]
            families[number, column] = address.family if address else 0
    for number, composite in composites.pods.items():
        places[number, 2], families[number, 2] = identities.count + composite, 0
    numbers = np.arange(len(cluster.pods), dtype=np.int32)
    for number in np.flatnonzero(~selectable).tolist():
        numbers[number] = objects.node(cluster.pods[number].node)
    return {"pod_places": places, "pod_families": families, "pod_objects": numbers}


def _with_names(pods: dict[str, NDArray[Any]], moments: Moments) -> dict[str, NDArray[Any]]:
    """Add the names that depend on the time: each where the time is not told, and where no pod of it was there."""
    last = np.array([found[-1] for found in moments.names.values()], np.int64)
    several = moments.named >= 0
    places = np.stack(
        [np.where(several, moments.named, pods["pod_places"][last]), np.full(several.shape, POD_NOT_THERE)]
    )
    families = np.stack([np.where(several, 0, pods["pod_families"][last]), np.zeros(several.shape)])
    objects = np.stack([pods["pod_objects"][last]] * 2)
    return {
        "pod_places": np.concatenate([pods["pod_places"], places.swapaxes(0, 1).reshape(-1, 3).astype(np.int32)]),
        "pod_families": np.concatenate([pods["pod_families"], families.swapaxes(0, 1).reshape(-1, 3).astype(np.uint8)]),
        "pod_objects": np.concatenate([pods["pod_objects"], objects.swapaxes(0, 1).ravel()]),
    }
