"""Joining: records of one connection made before and after a Service translated its addresses (NP-29, NP-30)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...kernels.places import NODES, PODS
from ...kernels.sessions import joining as kernel
from ...kernels.sessions.records import LATEST, MISSING_TIME
from ...model.cluster import Cluster, Pod
from ...model.conntrack import SECOND
from ...model.flows import Capture, Split
from ...model.ports import PORT_PROTOCOLS, TCP
from ...tables.layout import Tables
from ..ends import EndColumn, read_end, read_ports
from ..judging import objects_of
from ..shards import Engine
from .doors import Doors, near_map, split_addresses
from .orientation import habits_of, read_numbers
from .translated import SERVICE, SOURCE, Joined

_ADDRESSED = ("source_address", "destination_address", "source_port", "destination_port", "protocol")
_TOLD = (*_ADDRESSED, "source_pod", "destination_pod", "time", "end_time", "tcp_flags")
_SYN = 2
_ENDS = ("destination", "source")
"""The server's end and the client's, of records that run to the server."""
_NEEDED = frozenset((*_ADDRESSED, "time"))
_SLOTS = np.full(256, -1)
_SLOTS[list(PORT_PROTOCOLS)] = range(len(PORT_PROTOCOLS))


@dataclass(frozen=True)
class _Found:
    """Records that may be of connections through Services.

    Attributes
    ----------
    row : int64[n]
        Position in the capture.
    key : uint64[n]
        Fingerprint of the client; where a node may stand for it, its protocol and port.
    port : int64[n]
        Protocol and port of the client.
    begin, end : int64[n]
    opens : bool[n]
        Whether it has a SYN.
    way : uint8[n]
        1 where the record runs from server to client.
    frontend, target, node : int32[n]
        See `simcore.kernels.sessions.joining.choose_records`.
    pod : int32[n]
        The pod that the record names as its server, or -1.
    is_outside : bool[n]
        Whether the client is no pod and no node.
    """

    row: NDArray[np.int64]
    key: NDArray[np.uint64]
    port: NDArray[np.int64]
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    opens: NDArray[np.bool_]
    way: NDArray[np.uint8]
    frontend: NDArray[np.int32]
    target: NDArray[np.int32]
    node: NDArray[np.int32]
    pod: NDArray[np.int32]
    is_outside: NDArray[np.bool_]

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> _Found:
        """Return some of the records."""
        return _Found(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[_Found]) -> _Found:
        """Return the records of all parts."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def ordered(self, key: NDArray[Any]) -> NDArray[np.int64]:
        """Return the order of the records by a key, then by begin, then as in the capture."""
        return np.lexsort((self.row, self.begin, key))


def find_joined(capture: Capture, tables: Tables, engine: Engine, batch_rows: int) -> Joined | None:
    """Find the records that were made before translation, and those of the same connections made after it.

    Where no record dials a Service, that is seen by a reading of what may be dialled: address, port and protocol of
    each record's destination; of both ends, where records are of one direction.

    Returns
    -------
    Joined or None
        None where there is nothing to join.
    """
    if not tables.cluster.services or not capture.columns >= _NEEDED:
        return None
    doors = Doors(tables.cluster)
    if not doors.arrays.keys.size:
        return None
    seeker = _Seeker(tables, doors, one_way=habits_of(capture).one_way)
    if not any(engine.map(lambda split: seeker.is_dialled(capture, split, batch_rows), capture.splits)):
        return None
    starts = np.cumsum([0, *(split.rows for split in capture.splits)])
    numbered = list(enumerate(capture.splits))

    def look(item: tuple[int, Split]) -> _Found:
        number, split = item
        return _Found.joined([*seeker.dialled(capture, split, int(starts[number]), batch_rows)])

    dialled = _Found.joined(list(engine.map(look, numbered)))
    clients = _Clients(dialled)

    def seek(item: tuple[int, Split]) -> _Found:
        number, split = item
        return _Found.joined([*seeker.reached(capture, split, int(starts[number]), batch_rows, clients)])

    return _join(dialled, _Found.joined(list(engine.map(seek, numbered))), doors)


class _Clients:
    """The clients that dialled."""

    def __init__(self, dialled: _Found) -> None:
        self.prints = _distinct(dialled.key)
        self.near = near_map(self.prints)
        self.any_port = np.zeros(1 << 16, bool)
        self.any_port[dialled.port & 0xFFFF] = True
        self.rows = dialled.row
        self.ports = np.zeros((len(PORT_PROTOCOLS), 1 << 16), np.uint8)
        outside = dialled.port[dialled.is_outside]
        self.ports[_SLOTS[outside >> 16], outside & 0xFFFF] = 1


class _Seeker:
    """Reads records of a capture that may be of connections through Services."""

    def __init__(self, tables: Tables, doors: Doors, *, one_way: bool) -> None:
        self._tables = tables
        self._doors = doors
        self._one_way = one_way
        self._door_ports, self._target_ports = np.zeros((2, 1 << 16), bool)
        self._door_ports[doors.arrays.keys & 0xFFFF] = True
        self._target_ports[doors.target_port] = True
        self._pod_high, self._pod_low, self._pod_known = _pod_addresses(tables.cluster)

    def is_dialled(self, capture: Capture, split: Split, batch_rows: int) -> bool:
        """Whether any record of a split has an end that a Service answers to."""
        ends = _ENDS if self._one_way else _ENDS[:1]
        columns = [f"{name}_{part}" for name in ends for part in ("address", "port")]
        return any(
            rows.size
            for batch in capture.read(split, [*columns, "protocol"], batch_rows)
            for rows, *_ in self._dialled(batch, ends)
        )

    def dialled(self, capture: Capture, split: Split, position: int, batch_rows: int) -> Iterator[_Found]:
        """Yield the records of a split of which one end is what a Service answers to."""
        yield _none()
        for batch in capture.read(split, _held(_TOLD, capture), batch_rows):
            for rows, way, frontends, nodes in self._dialled(batch, _ENDS):
                told = _Told(self, batch, rows, way)
                objects = objects_of(self._tables, told.client)
                limits = self._tables.arrays.limits
                found = _Found(
                    row=position + rows,
                    key=told.client_print(),
                    port=told.client_key(),
                    begin=told.begin,
                    end=told.end,
                    opens=told.opens,
                    way=np.full(rows.size, way, np.uint8),
                    frontend=frontends,
                    target=np.full(rows.size, -1, np.int32),
                    node=nodes,
                    pod=np.full(rows.size, -1, np.int32),
                    is_outside=objects >= limits[PODS] + limits[NODES],
                )
                yield found.take(told.client.known & (told.client_port > 0) & told.timed)
            position += batch.num_rows

    def reached(
        self, capture: Capture, split: Split, position: int, batch_rows: int, clients: _Clients
    ) -> Iterator[_Found]:
        """Yield the records of a split that may be those of the same clients after translation."""
        yield _none()
        for batch in capture.read(split, _held(_TOLD, capture), batch_rows):
            free = np.ones(batch.num_rows, bool)
            first, last = np.searchsorted(clients.rows, [position, position + batch.num_rows])
            free[clients.rows[first:last] - position] = False
            for way, there in enumerate(_ENDS):
                client, server = (_column(batch, f"{name}_port", np.uint16, 0) for name in (_ENDS[1 - way], there))
                rows = np.flatnonzero(free & clients.any_port[client] & self._target_ports[server])
                found = self._reached(_Told(self, batch, rows, way), position + rows, clients)
                free[found.row - position] = False
                yield found
            position += batch.num_rows

    def _dialled(
        self, batch: pa.RecordBatch, names: Sequence[str]
    ) -> Iterator[tuple[NDArray[np.int64], int, NDArray[np.int32], NDArray[np.int32]]]:
        """Yield rows of a batch with the way they run, the frontends that they dial, and the nodes."""
        taken = np.empty(0, np.int64)
        protocol = read_ports(batch).protocol
        for way, name in enumerate(names):
            end = read_end(batch, name, self._tables.cluster.pod_numbers)
            port = _column(batch, f"{name}_port", np.uint16, 0)
            near = self._near(end)
            near = near[self._door_ports[port[near]]]
            near = near[~np.isin(near, taken)] if taken.size else near
            some, port = end.take(near), port[near]
            rows = np.empty(near.size, np.int64)
            frontends, nodes = np.empty((2, near.size), np.int32)
            arrays = self._doors.arrays
            ends = some.high, some.low, some.known, some.pods
            count = kernel.find_dialled(arrays, *ends, port, protocol[near], rows, frontends, nodes)
            taken = near[rows[:count]]
            yield taken, way, frontends[:count], nodes[:count]

    def _near(self, end: EndColumn) -> NDArray[np.int64]:
        near = self._doors.arrays.near
        if end.v4 is not None:
            rows = np.empty(end.v4.size, np.int64)
            return rows[: kernel.near_v4(end.v4, near, rows)]
        end = end.widened()
        rows = np.empty(end.high.size, np.int64)
        return rows[: kernel.near_wide(end.high, end.low, near, rows)]

    def _reached(self, told: _Told, positions: NDArray[np.int64], clients: _Clients) -> _Found:
        client, server = told.client, told.server
        count = positions.size
        rows = np.empty(count, np.int64)
        targets, nodes = np.empty((2, count), np.int32)
        keys = np.empty(count, np.uint64)
        found = kernel.find_reached(
            self._doors.arrays,
            clients.prints,
            clients.near,
            clients.ports,
            client.high,
            client.low,
            told.client_port,
            server.high,
            server.low,
            told.server_port,
            told.protocol,
            client.known & server.known & told.timed,
            rows,
            targets,
            keys,
            nodes,
        )
        rows = rows[:found]
        return _Found(
            row=positions[rows],
            key=keys[:found],
            port=told.client_key()[rows],
            begin=told.begin[rows],
            end=told.end[rows],
            opens=told.opens[rows],
            way=np.full(found, told.way, np.uint8),
            frontend=np.full(found, -1, np.int32),
            target=targets[:found],
            node=nodes[:found],
            pod=server.pods[rows],
            is_outside=np.zeros(found, bool),
        )

    def located(self, end: EndColumn) -> EndColumn:
        """Return an end, of pods that are named without address the only one they have."""
        wide = end.widened()
        rows = np.flatnonzero(~wide.known & (wide.pods >= 0))
        rows = rows[self._pod_known[wide.pods[rows]]]
        if not rows.size:
            return wide
        high, low, known = wide.high.copy(), wide.low.copy(), wide.known.copy()
        high[rows], low[rows] = self._pod_high[wide.pods[rows]], self._pod_low[wide.pods[rows]]
        known[rows] = True
        return EndColumn(None, high, low, known, wide.pods)


class _Told:
    """What some rows of a batch tell, from the client's side."""

    def __init__(self, seeker: _Seeker, batch: pa.RecordBatch, rows: NDArray[np.int64], way: int) -> None:
        names = _ENDS[1 - way], _ENDS[way]
        pods = seeker._tables.cluster.pod_numbers
        self.way = way
        self.client, self.server = (seeker.located(read_end(batch, name, pods).take(rows)) for name in names)
        ports = (_column(batch, f"{name}_port", np.uint16, 0)[rows] for name in names)
        self.client_port, self.server_port = ports
        self.protocol = read_ports(batch).protocol[rows]
        time = _column(batch, "time", np.int64, MISSING_TIME)[rows]
        self.timed: NDArray[np.bool_] = time != MISSING_TIME
        self.begin: NDArray[np.int64] = np.clip(time, 0, LATEST)
        last = _column(batch, "end_time", np.int64, MISSING_TIME)[rows]
        self.end: NDArray[np.int64] = np.clip(last, self.begin, LATEST)
        flags = _column(batch, "tcp_flags", np.uint8, 0)[rows]
        self.opens: NDArray[np.bool_] = (self.protocol == TCP) & (flags & _SYN != 0)

    def client_print(self) -> NDArray[np.uint64]:
        prints = np.empty(self.protocol.size, np.uint64)
        kernel.print_ends(self.client.high, self.client.low, self.client_port, self.protocol, prints)
        return prints

    def client_key(self) -> NDArray[np.int64]:
        return self.protocol.astype(np.int64) << 16 | self.client_port.astype(np.int64)


def _pod_addresses(cluster: Cluster) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the only address of each pod, as halves, and which pods have just one, at all times."""
    known = np.array([_has_one_address(pod, cluster) for pod in cluster.pods], bool)
    high, low = np.zeros((2, known.size), np.uint64)
    high[known], low[known] = split_addresses(cluster.pods[number].addresses[0] for number in np.flatnonzero(known))
    return high, low, known


def _has_one_address(pod: Pod, cluster: Cluster) -> bool:
    versions = cluster.pods_named[pod.full_name]
    return len(pod.addresses) == 1 and all(cluster.pods[number].addresses == pod.addresses for number in versions)


def _column(batch: pa.RecordBatch, name: str, kind: type[np.generic], missing: int | np.integer) -> NDArray[Any]:
    return read_numbers(batch, name, kind, missing)[0]


def _held(names: Iterable[str], capture: Capture) -> list[str]:
    return [name for name in names if name in capture.columns]


def _none() -> _Found:
    kinds = (np.int64, np.uint64, *(np.int64,) * 3, bool, np.uint8, *(np.int32,) * 4, bool)
    return _Found(*(np.empty(0, kind) for kind in kinds))


def _join(dialled: _Found, reached: _Found, doors: Doors) -> Joined | None:
    """Put records together: what was dialled, what is behind it, and a node that stands for the client of both."""
    # Some logs tell whole seconds.
    slack = SECOND if not any((found.begin % SECOND).any() for found in (dialled, reached)) else SECOND // 10
    behind, replaced = reached.take(reached.node < 0), reached.take(reached.node >= 0)
    chosen, twin, behind = _choose(dialled, dialled.key, behind, behind.key, doors, slack)
    found = chosen >= 0
    target, pod = np.full((2, dialled.row.size), -1, np.int32)
    target[found], pod[found] = behind.target[chosen[found]], behind.pod[chosen[found]]
    items = _Found.joined([_with(dialled, target), behind])
    twins = np.concatenate([_at(behind.row, twin), np.full(behind.row.size, -1)])
    pods = np.concatenate([pod, behind.pod])
    outside = _distinct(dialled.key[dialled.is_outside])
    is_outside = np.append(outside, 0)[np.searchsorted(outside, items.key)] == items.key
    node, node_twin, node_target, node_pod = _replaced(items, is_outside, replaced, doors, slack)
    by_node = node >= 0
    target, pods = np.where(by_node, node_target, items.target), np.where(by_node, node_pod, pods)
    twins = np.where(by_node, node_twin, twins)
    kinds = np.where(by_node, SOURCE, np.where(items.frontend >= 0, SERVICE, 0)).astype(np.uint8)
    kept = np.flatnonzero((kinds > 0) & (target >= 0))
    kept = kept[np.argsort(items.row[kept])]
    if not kept.size:
        return None
    items, twins = items.take(kept), twins[kept]
    return Joined.of(doors, items.row, kinds[kept], items.way, target[kept], pods[kept], node[kept], twins)


def _distinct(prints: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return fingerprints in order, each once; numpy's own way takes ten times as long."""
    ordered = np.sort(prints)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if ordered.size else ordered


def _at(values: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the values at some places; -1 for a place below 0."""
    return np.append(values, -1)[np.where(places < 0, values.size, places)]


def _with(found: _Found, target: NDArray[np.int32]) -> _Found:
    parts = {name: getattr(found, name) for name in found.__dataclass_fields__}
    return _Found(**(parts | {"target": target}))


def _choose(
    items: _Found,
    key: NDArray[Any],
    others: _Found,
    other_key: NDArray[Any],
    doors: Doors,
    slack: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], _Found]:
    """Choose the connection that each record is of; return a record of it, its twin, and the records in order."""
    order = others.ordered(other_key)
    others, other_key = others.take(order), np.asarray(other_key[order], np.uint64)
    top, chosen, twin = np.empty(order.size, np.int64), *np.empty((2, items.row.size), np.int64)
    near = np.argsort(key)  # neighbours look for neighbours
    items, key = items.take(near), key[near]
    kernel.running_tops(other_key, others.end, top)
    kernel.choose_records(
        np.asarray(key, np.uint64), items.begin, items.end, items.opens, items.way, items.frontend, items.target,
        items.node, other_key, others.begin, others.end, others.opens, top, others.way, others.target, others.node,
        doors.arrays.pairs, doors.arrays.nodes, slack, chosen, twin,
    )  # fmt: skip
    back = np.empty(near.size, np.int64)
    back[near] = np.arange(near.size)
    return chosen[back], twin[back], others


def _replaced(
    items: _Found, is_outside: NDArray[np.bool_], replaced: _Found, doors: Doors, slack: int
) -> tuple[NDArray[np.int64], ...]:
    """Find the node that stands for each client from outside, the record that has it, and what that reaches."""
    node, twins, targets, pods = np.full((4, items.row.size), -1, np.int64)
    asked = np.flatnonzero(is_outside)
    asked = asked[items.take(asked).ordered(items.port[asked])] if replaced.row.size else asked[:0]
    some = items.take(asked)
    if not asked.size:
        return node, twins, targets, pods
    chosen, twin, replaced = _choose(some, some.port, replaced, replaced.port, doors, slack)
    found = chosen >= 0
    reached, place = np.full((2, asked.size), -1, np.int32)
    reached[found], place[found] = replaced.target[chosen[found]], replaced.node[chosen[found]]
    reached_node = np.where(found, doors.arrays.nodes[place], -1).astype(np.int32)
    top, contested = np.empty(asked.size, np.int64), np.empty(asked.size, bool)
    kernel.running_tops(some.port, some.end, top)
    kernel.is_contested(
        some.port, some.key, some.begin, some.end, top, some.frontend, some.target, some.node,
        reached, reached_node, doors.arrays.pairs, slack, contested,
    )  # fmt: skip
    found &= ~contested
    kept = asked[found]
    node[kept], targets[kept] = place[found], reached[found]
    twins[kept] = _at(replaced.row, twin[found])
    pods[kept] = replaced.pod[chosen[found]]
    return node, twins, targets, pods
