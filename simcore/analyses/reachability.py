"""Reachability: which pods may reach which, for all pairs of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..kernels.reach import count_pairs
from ..model.addresses import Family
from ..model.flows import Verdict
from ..model.ports import PortRange
from ..tables.ends import Kind
from ..tables.layout import Tables
from ..tables.ports import OTHER_SLOT
from .rows import PORTS, port_stretches, ranges_with, rows_of_programs, verdicts_of_rows
from .shards import Threads

_SHARES = 16


@dataclass(frozen=True)
class ReachClass:
    """Pairs of pods between which the same connections are possible.

    Attributes
    ----------
    pairs : int
        How many ordered pairs of pods.
    allowed, unknown : tuple of PortRange
        Destination ports on which a connection is allowed, and on which it cannot be told; all others are denied.
    other : Verdict
        The verdict of protocols without ports.
    """

    pairs: int
    allowed: tuple[PortRange, ...]
    unknown: tuple[PortRange, ...]
    other: Verdict


@dataclass(frozen=True)
class Reachability:
    """What all pods may reach.

    Attributes
    ----------
    pods : int
        Pods that policies can bind; pods on the host's network are their nodes, and not among them.
    classes : tuple of ReachClass
        Most pairs first.
    """

    pods: int
    classes: tuple[ReachClass, ...]

    @property
    def pairs(self) -> int:
        """How many ordered pairs of different pods there are."""
        return sum(each.pairs for each in self.classes)


def reachability(tables: Tables, number: int = 0, threads: int | None = None) -> Reachability:
    """Tell what every pod may reach, as classes of pairs.

    Each pod counts once, at its first IPv4 address if it has one; Services and nodes are left aside.

    Parameters
    ----------
    tables : Tables
    number : int
        Which policy set of the tables.
    threads : int, optional
        How many parts are counted at a time; one a processor if not given. Does not change the result.

    Raises
    ------
    ValueError
        The tables are of a cluster, or of policies, over a time.
    """
    if tables.moments is not None or tables.eras is not None:
        raise ValueError(
            "what pods may reach is told of one instant: build tables of cluster.at(time), history.at(time)"
        )
    arrays = tables.arrays
    program_of = arrays.program_of[2 * number : 2 * number + 2].astype(np.int64)
    column_of = arrays.column_of.astype(np.int64)
    weights = _pods_of_identities(tables)
    here = np.flatnonzero(weights)
    egress, ingress = rows_of_programs(tables)
    by_peer = np.ascontiguousarray(ingress.T)
    sources, source_weights = _merged(program_of[0, here] // egress.shape[1], column_of[1, here], weights[here])
    destinations, destination_weights = _merged(
        column_of[0, here], (program_of[1, here] - egress.size) // ingress.shape[1], weights[here]
    )

    def count(part: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        found: tuple[NDArray[np.int64], NDArray[np.int64]] = count_pairs(
            egress, by_peer, *sources, *destinations, source_weights, destination_weights, *part
        )
        return found

    parts = list(Threads(threads).map(count, _shares(source_weights.size)))
    themselves = arrays.row_of[program_of[0, here] + column_of[0, here]].astype(np.int64) << 32
    themselves |= arrays.row_of[program_of[1, here] + column_of[1, here]]
    keys = np.concatenate([themselves, *(keys for keys, _ in parts)])
    counts = np.concatenate([-weights[here], *(counts for _, counts in parts)])
    return Reachability(int(weights.sum()), _classes(tables, keys, counts))


def _pods_of_identities(tables: Tables) -> NDArray[np.int64]:
    """Count the pods of each identity."""
    first = np.where(tables.pod_families[:, 0] == Family.V4, tables.pod_places[:, 0], tables.pod_places[:, 1])
    first = first[np.array([pod.is_plain for pod in tables.cluster.pods], bool)]
    identities = first[tables.arrays.kind[first] == Kind.POD]
    return np.bincount(identities, minlength=tables.arrays.kind.size)


def _merged(
    one: NDArray[np.int64], other: NDArray[np.integer], weights: NDArray[np.int64]
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], NDArray[np.int64]]:
    """Merge ends that agree in both numbers; return those, and how many each pair of them stands for."""
    pairs, number = np.unique(one << 32 | other, return_inverse=True)
    return (pairs >> 32, pairs & 0xFFFFFFFF), np.bincount(number, weights, pairs.size).astype(np.int64)


def _shares(count: int) -> Iterator[tuple[int, int]]:
    bounds = np.linspace(0, count, min(_SHARES, count) + 1).astype(int).tolist()
    yield from pairwise(bounds)


def _classes(tables: Tables, keys: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[ReachClass, ...]:
    """Merge the pairs of rows whose verdicts are the same on every port."""
    distinct, number = np.unique(keys, return_inverse=True)
    pairs = np.zeros(distinct.size, np.int64)
    np.add.at(pairs, number, counts)
    verdicts = verdicts_of_rows(tables)
    egress, ingress = verdicts[distinct >> 32], verdicts[distinct & 0xFFFFFFFF]
    denied = (egress == Verdict.DENY) | (ingress == Verdict.DENY)
    together = np.where(denied, np.uint8(Verdict.DENY), np.maximum(egress, ingress))
    found: dict[bytes, int] = {}
    for row, amount in zip(together, pairs.tolist(), strict=True):
        found[row.tobytes()] = found.get(row.tobytes(), 0) + amount
    stretches = port_stretches(tables)
    other = int(tables.arrays.port_class[OTHER_SLOT * PORTS])
    classes = [
        ReachClass(
            amount,
            ranges_with(stretches, verdict, Verdict.ALLOW),
            ranges_with(stretches, verdict, Verdict.UNKNOWN),
            Verdict(verdict[other]),
        )
        for verdict, amount in found.items()
        if amount
    ]
    return tuple(sorted(classes, key=lambda each: (-each.pairs, each.allowed, each.unknown, each.other)))
