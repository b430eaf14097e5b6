"""Paths: on which nodes a connection has conntrack entries, and whose they are (C-9)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import CapacityError
from ...kernels.places import NODES, PODS
from ...kernels.sessions.sessions import ROW
from ...kernels.sizing.occupancy import MOST_NODES
from ...kernels.sizing.paths import ENTERS, TUNNEL, find_paths, resolve_ends, tunnel_rows
from ...model.services import Target, frontends
from ...tables.layout import Tables
from ..sessions.sessions import Changes
from .entries import VXLAN_KIND, kinds_of
from .occupancy import Entries


class Paths:
    """Knows on which nodes connections between the objects of a cluster have entries.

    Parameters
    ----------
    tables : Tables
    is_doubled : bool
        Cilium's own tables: see `simcore.kernels.sizing.paths.find_paths`.

    Attributes
    ----------
    nodes : tuple of str
        Names of the nodes, in the order of their numbers; the first, ``unknown``, is that of pods without node.
    owners : tuple of str
        What entries belong to.

    Raises
    ------
    CapacityError
        There are too many nodes and objects to be numbered.
    """

    def __init__(self, tables: Tables, *, is_doubled: bool = False) -> None:
        arrays = tables.arrays
        pods, nodes = int(arrays.limits[PODS]), int(arrays.limits[NODES])
        self._pods = pods
        self._object_node = arrays.object_node
        self._label_of = tables.label_of
        self._is_doubled = is_doubled
        self.objects = tables.label_of.size
        names = [tables.labels[label].removeprefix("node/") for label in tables.label_of[pods : pods + nodes]]
        self.nodes = tuple(names)
        self.owners = tables.labels
        if (nodes + ENTERS) * self.objects >= 1 << 31 or nodes > MOST_NODES // (1 + is_doubled):
            raise CapacityError(f"{nodes:,} nodes with {self.objects:,} objects are too many to be sized")
        given = {node.name for node in tables.cluster.nodes}
        self._entrances = np.array([number for number, name in enumerate(names) if name in given], np.int32)
        self._starts, self._backends, self._ports = _backends(tables, self.objects)

    @property
    def tables_a_node(self) -> int:
        """Tables of each node: two under Cilium, for TCP and the rest."""
        return 2 if self._is_doubled else 1

    def resolved(
        self,
        end: NDArray[np.int32],
        other: NDArray[np.int32],
        port: NDArray[np.uint16],
        protocol: NDArray[np.uint8],
        key: NDArray[np.uint64],
    ) -> NDArray[np.int32]:
        """Turn Services and node ports among ends into backends; see `simcore.kernels.sizing.paths.resolve_ends`."""
        resolved = np.array(end)
        resolve_ends(
            resolved,
            np.ascontiguousarray(other),
            port,
            np.ascontiguousarray(protocol),
            np.ascontiguousarray(key),
            self.objects,
            self._pods,
            self._object_node,
            self._entrances,
            self._starts,
            self._backends,
            self._ports,
        )
        return resolved

    def with_tunnels(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """Add to records between pods of two nodes those of the outer packets of VXLAN (C-9).

        The outer source port is a hash of what is inside, so that there is an entry for each direction of each
        connection, as UDP that nobody answers, on both nodes.
        """
        words = ROW.itemsize // 8
        added = np.empty(2 * rows.size * words, np.uint64).view(ROW)
        count = tunnel_rows(rows, self.objects, self._pods, self._object_node, TUNNEL, added)
        joined: NDArray[np.void] = np.concatenate([rows.view(np.uint64), added[:count].view(np.uint64)]).view(ROW)
        return joined

    def entries(self, changes: Changes) -> Entries:
        """Tell of changes whose entries they are about, and where these are."""
        count = changes.time.size
        tunnel, path = np.empty(count, np.bool_), np.empty(count, np.int64)
        find_paths(
            changes.source_object,
            changes.destination_object,
            changes.protocol,
            changes.denied,
            self._is_doubled,
            0,
            self.objects,
            self._pods,
            self._object_node,
            self._label_of,
            tunnel,
            path,
        )
        kind = kinds_of(changes.protocol, changes.denied)
        kind[tunnel] = VXLAN_KIND
        return Entries(changes.time, changes.before, changes.after, kind, path)


def _backends(tables: Tables, objects: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]:
    """List the objects behind each object that is a Service, then behind each node port."""
    number = {label: position for position, label in enumerate(tables.labels)}
    service_object = {int(label): position for position, label in enumerate(tables.label_of.tolist())}
    behind: dict[int, dict[int, None]] = {}
    ports: dict[int, dict[int, None]] = {}
    for frontend in frontends(tables.cluster):
        found = {pod: None for target in frontend.targets if (pod := _object(tables, target)) is not None}
        label = number.get(str(frontend.service.ref))
        if frontend.address is not None and label is not None:
            behind.setdefault(service_object[label], {}).update(found)
        elif frontend.address is None:
            ports.setdefault(frontend.protocol << 16 | frontend.port, {}).update(found)
    keys = sorted(ports)
    lists = [list(behind.get(position, ())) for position in range(objects)] + [list(ports[key]) for key in keys]
    starts = np.cumsum([0, *map(len, lists)]).astype(np.int32)
    flat = [backend for each in lists for backend in each]
    return starts, np.array(flat, np.int32), np.array(keys, np.int64)


def _object(tables: Tables, target: Target) -> int | None:
    """Return the object of a Service's target; None for a bare address."""
    return int(tables.pod_objects[target.pod]) if target.pod >= 0 else None
