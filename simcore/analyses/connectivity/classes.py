"""connectivity: the rows of tables, for every two ends at once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...kernels.places import FIRST_COMPOSITE
from ...model.cluster import Cluster, Pod
from ...model.memory import collection_paused
from ...tables.layout import Tables
from .matrix import ANYWHERE, SOMEWHERE, Kinds, Matrix, matrix
from .nodes import NodeKind, binds, find_nodes, node_ends
from .outside import outside
from .results import Connectivity, End, RangeEnd, WorkloadEnd

Numbers = NDArray[np.int64]


def workload_name(pod: Pod) -> str:
    """Name what a pod belongs to: ``namespace/Kind/name`` of the topmost controller, or of the pod itself."""
    return str(pod.workload)


def connectivity(
    tables: Tables, number: int = 0, name: Callable[[Pod], str] = workload_name, *, nodes: bool = False
) -> Connectivity:
    """Tell what every workload may reach, and be reached by, on every port.

    A pod is asked about by its name: of several addresses it may use any that is of the other end's family, and where
    these disagree it cannot be told. So is a node. Ends without a common family reach nothing. Services stand for the
    pods behind them, and are no ends. Nodes, and hostNetwork pods that are told of as nodes, are told of as other
    nodes' pods meet them: what a pod and its own node may do besides is not among it (NP-NODE, NP-28). Where rules let
    out to the own node and not to others, or the reverse, it is unknown.

    Parameters
    ----------
    tables : Tables
        Freshly built, of one instant.
    number : int
        Which policy set of the tables.
    name : callable, optional
        Names what a pod belongs to, where that is not `workload_name`.
    nodes : bool
        Whether nodes whose addresses are known are ends.

    Raises
    ------
    ValueError
        The tables are of a cluster, or of policies, over a time; or they were unpickled.
    """
    if tables.moments is not None or tables.eras is not None:
        raise ValueError("connections are told of one instant: build tables of cluster.at(time), history.at(time)")
    with collection_paused():
        return _connectivity(tables, number, name, nodes)


def _connectivity(tables: Tables, number: int, name: Callable[[Pod], str], with_nodes: bool) -> Connectivity:
    pods = [n for n, pod in enumerate(tables.cluster.pods) if pod.is_plain and not pod.finished]
    kinds = Kinds()
    kind_of_pod = [kinds.add(*identities_of(tables, pod)) for pod in pods]
    nodes: Sequence[NodeKind] = find_nodes(tables, kinds) if with_nodes else ()
    places = outside(tables)
    kind_of_range = {standing: kinds.add((standing,), ANYWHERE) for standing in places.standing()}
    found = matrix(tables, number, kinds)
    end_of_pod = np.full(len(tables.cluster.pods), -1, np.int32)
    ends, kind_of_end = _workloads(tables.cluster, name, pods, kind_of_pod, found.classes, end_of_pod)
    for end, kind in node_ends(nodes, found.classes):
        ends.append(end)
        kind_of_end.append(kind)
    for ranges, standing in places.joined({one: found.classes[kind] for one, kind in kind_of_range.items()}):
        ends.append(RangeEnd(ranges, ranges[0][0]))
        kind_of_end.append(kind_of_range[standing])
    on_host = tables.profile.hostnetwork == "node" and any(tables.cluster.pods[pod].host_network for pod in pods)
    numbered = _numbered(ends, end_of_pod, found, np.array(kind_of_end, np.int64))
    return replace(numbered, has_nodes=on_host, binds_nodes=binds(tables, number, nodes, found))


def identities_of(tables: Tables, pod: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Return family and identity of a pod at each of its addresses, and whether it is known where it runs."""
    arrays = tables.arrays
    place = int(tables.pod_places[pod, 2])
    where = ANYWHERE if arrays.object_node[tables.pod_objects[pod]] < 0 else SOMEWHERE
    composite = place - int(arrays.limits[FIRST_COMPOSITE])
    if composite < 0:
        return ((int(tables.pod_families[pod, 2]), place),), where
    rows = arrays.ends[arrays.composite_starts[composite] : arrays.composite_starts[composite + 1]]
    return tuple(sorted({(int(row[3]), int(row[0])) for row in rows})), where


def _workloads(
    cluster: Cluster,
    name: Callable[[Pod], str],
    pods: Sequence[int],
    kind_of_pod: Sequence[int],
    classes: Sequence[Hashable],
    end_of_pod: NDArray[np.int32],
) -> tuple[list[End], list[int]]:
    """Put pods of one workload together for which the same is possible; return ends, and the kind of each."""
    groups: dict[tuple[str, Hashable], list[int]] = {}
    totals: dict[str, int] = {}
    for position, (pod, kind) in enumerate(zip(pods, kind_of_pod, strict=True)):
        workload = name(cluster.pods[pod])
        groups.setdefault((workload, classes[kind]), []).append(position)
        totals[workload] = totals.get(workload, 0) + 1
    ends: list[End] = []
    kinds = []
    for (workload, _), members in sorted(groups.items(), key=lambda item: (item[0][0], item[1])):
        examples = [cluster.pods[pods[position]].full_name for position in members[:2]]
        end_of_pod[[pods[position] for position in members]] = len(ends)
        ends.append(WorkloadEnd(workload, len(members), totals[workload], *examples))
        kinds.append(kind_of_pod[members[0]])
    return ends, kinds


def _numbered(ends: Sequence[End], end_of_pod: NDArray[np.int32], found: Matrix, kinds: Numbers) -> Connectivity:
    """Number classes, and port sets, in the order in which they are met."""
    source_class, rows = _by_appearance(found.source_class[kinds])
    destination_class, columns = _by_appearance(found.destination_class[kinds])
    kept = found.cells[rows][:, columns]
    number, used = _by_appearance(kept.ravel())
    return Connectivity(
        tuple(ends),
        source_class,
        destination_class,
        end_of_pod,
        number.reshape(kept.shape),
        tuple(found.ports[each] for each in used.tolist()),
    )


def _by_appearance(values: NDArray[np.integer]) -> tuple[NDArray[np.int32], Numbers]:
    """Number distinct values in the order in which they are met; return the numbers, and what they stand for."""
    distinct, firsts, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    number = np.empty(order.size, np.int32)
    number[order] = np.arange(order.size)
    return number[inverse], distinct[order].astype(np.int64)
