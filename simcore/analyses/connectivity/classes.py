"""connectivity: the rows of tables, for every two ends at once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...kernels.places import FIRST_COMPOSITE
from ...tables.layout import Tables
from .matrix import Kinds, matrix
from .outside import Outside, Standing, outside
from .results import Connectivity, End, Ports, RangeEnd, WorkloadEnd

Numbers = NDArray[np.int64]


def connectivity(tables: Tables, number: int = 0) -> Connectivity:
    """Tell what every workload may reach, and be reached by, on every port.

    A pod is asked about by its name: of several addresses it may use any that is of the other end's family, and where
    these disagree it cannot be told. Ends without a common family reach nothing. Services stand for the pods behind
    them, and are no ends; nor are nodes, but for hostNetwork pods, and these are told of as nodes that other nodes'
    pods meet: what a pod and its own node may do besides is not among it (NP-28).

    Parameters
    ----------
    tables : Tables
        Freshly built, of one instant.
    number : int
        Which policy set of the tables.

    Raises
    ------
    ValueError
        The tables are of a cluster, or of policies, over a time; or they were unpickled.
    """
    if tables.moments is not None or tables.eras is not None:
        raise ValueError("connections are told of one instant: build tables of cluster.at(time), history.at(time)")
    pods = [n for n, pod in enumerate(tables.cluster.pods) if pod.is_plain and not pod.finished]
    kinds = Kinds()
    kind_of_pod = [kinds.add(*_seen(tables, pod)) for pod in pods]
    places = outside(tables)
    kind_of_range = {standing: kinds.add((standing,), True) for standing in places.standing()}
    found = matrix(tables, number, kinds)
    ends, kind_of_end = _ends(tables, pods, kind_of_pod, places, kind_of_range, found.classes)
    chosen = np.array(kind_of_end, np.int64)
    return _numbered(ends, found.cells, found.source_class[chosen], found.destination_class[chosen], found.ports)


def _seen(tables: Tables, pod: int) -> tuple[tuple[tuple[int, int], ...], bool]:
    """Return family and identity of a pod at each of its addresses, and whether it is not known where it runs."""
    arrays = tables.arrays
    place = int(tables.pod_places[pod, 2])
    is_anywhere = bool(arrays.object_node[tables.pod_objects[pod]] < 0)
    composite = place - int(arrays.limits[FIRST_COMPOSITE])
    if composite < 0:
        return ((int(tables.pod_families[pod, 2]), place),), is_anywhere
    rows = arrays.ends[arrays.composite_starts[composite] : arrays.composite_starts[composite + 1]]
    return tuple(sorted({(int(row[3]), int(row[0])) for row in rows})), is_anywhere


def _ends(
    tables: Tables,
    pods: Sequence[int],
    kind_of_pod: Sequence[int],
    places: Outside,
    kind_of_range: dict[Standing, int],
    classes: Sequence[Hashable],
) -> tuple[list[End], list[int]]:
    """Put together what the same is possible for: pods by workload, ranges by family."""
    names = [str(tables.cluster.pods[pod].workload) for pod in pods]
    groups: dict[tuple[str, Hashable], list[int]] = {}
    totals: dict[str, int] = {}
    for position, (name, kind) in enumerate(zip(names, kind_of_pod, strict=True)):
        groups.setdefault((name, classes[kind]), []).append(position)
        totals[name] = totals.get(name, 0) + 1
    ends: list[End] = []
    kinds = []
    for (name, _), members in sorted(groups.items(), key=lambda item: (item[0][0], item[1])):
        examples = [tables.cluster.pods[pods[position]].full_name for position in members[:2]]
        ends.append(WorkloadEnd(name, len(members), totals[name], *examples))
        kinds.append(kind_of_pod[members[0]])
    for ranges, standing in places.joined({standing: classes[kind] for standing, kind in kind_of_range.items()}):
        ends.append(RangeEnd(ranges, ranges[0][0]))
        kinds.append(kind_of_range[standing])
    return ends, kinds


def _numbered(
    ends: Sequence[End], cells: NDArray[np.int32], sources: Numbers, destinations: Numbers, ports: Sequence[Ports]
) -> Connectivity:
    """Number classes, and port sets, in the order in which they are met."""
    source_class, rows = _by_appearance(sources)
    destination_class, columns = _by_appearance(destinations)
    kept = cells[rows][:, columns]
    number, used = _by_appearance(kept.ravel())
    return Connectivity(
        tuple(ends),
        source_class,
        destination_class,
        number.reshape(kept.shape),
        tuple(ports[each] for each in used.tolist()),
    )


def _by_appearance(values: NDArray[np.integer]) -> tuple[NDArray[np.int32], Numbers]:
    """Number distinct values in the order in which they are met; return the numbers, and what they stand for."""
    distinct, firsts, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    number = np.empty(order.size, np.int32)
    number[order] = np.arange(order.size)
    return number[inverse], distinct[order].astype(np.int64)
