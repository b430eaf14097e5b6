"""Where the world outside begins: ranges of addresses that nobody of the cluster has."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.addresses import Address, Family
from ...tables.ends import Kind
from ...tables.layout import Tables
from ...tables.space import Halves, halves
from .results import Ranges

Standing = tuple[Family, int]
"""A family, and the identity of outside ranges of it; one identity may stand in both."""


@dataclass(frozen=True)
class Outside:
    """The ranges that the tables tell apart, and who stands there.

    Attributes
    ----------
    starts : dict
        For each family, the first address of each range.
    identity : dict
        For each family, int32[ranges]: the identity of an outside range; -1 where somebody of the cluster is.
    """

    starts: Mapping[Family, Halves]
    identity: Mapping[Family, NDArray[np.int32]]

    def standing(self) -> Iterator[Standing]:
        """Yield each family with the identities that stand in its outside ranges."""
        for family, identities in self.identity.items():
            yield from ((family, number) for number in np.unique(identities[identities >= 0]).tolist())

    def joined(self, group_of: Mapping[Standing, Hashable]) -> Iterator[tuple[Ranges, Standing]]:
        """Yield the ranges of each group, within a family, and who stands in the first, by family and first address."""
        for family, identities in self.identity.items():
            found: dict[Hashable, list[tuple[Address, Address]]] = {}
            first_of: dict[Hashable, Standing] = {}
            for first, last, identity in self._runs(family, identities, group_of):
                group = group_of[family, identity]
                first_of.setdefault(group, (family, identity))
                found.setdefault(group, []).append((Address(family, first), Address(family, last)))
            yield from ((tuple(ranges), first_of[group]) for group, ranges in found.items())

    def _runs(
        self, family: Family, identities: NDArray[np.int32], group_of: Mapping[Standing, Hashable]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield first and last address, and an identity, of neighbouring ranges of one group."""
        numbers = {group: number for number, group in enumerate(dict.fromkeys(group_of.values()))}
        of_identity = np.full(int(identities.max(initial=0)) + 2, -1, np.int64)
        for (of_family, identity), group in group_of.items():
            if of_family is family:
                of_identity[identity] = numbers[group]
        edges = np.flatnonzero(np.diff(of_identity[identities], prepend=-2))
        starts = [high << 64 | low for high, low in self.starts[family][edges].tolist()]
        for edge, first, after in zip(edges.tolist(), starts, [*starts[1:], 1 << family.bits], strict=True):
            if identities[edge] >= 0:
                yield first, after - 1, int(identities[edge])


def outside(tables: Tables) -> Outside:
    """Find the ranges of both families that are outside the cluster.

    Raises
    ------
    ValueError
        The tables were unpickled, and do not know the ranges any more.
    """
    if tables.kept is None:
        raise ValueError("tables that were unpickled know no ranges: build them anew")
    identities = tables.kept.ground.identities
    services = [address for service in tables.cluster.services for address in service.addresses]
    found = {}
    for family, space in identities.spaces.items():
        standing = identities.at_range[family].astype(np.int32)
        standing = np.where(tables.arrays.kind[standing] == Kind.OUTSIDE, standing, np.int32(-1))
        standing[space.ranges_at(halves([address.value for address in services if address.family is family]))] = -1
        found[family] = standing
    return Outside({family: space.starts for family, space in identities.spaces.items()}, found)
