"""Orientation: which end of a flow record opened the connection, and what tells so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...kernels.sessions import records
from ...kernels.sessions.sessions import HINT, REVERSE, ROW
from ...model.cluster import Cluster
from ...model.conntrack import SECOND
from ...model.flows import Capture, Split
from ...model.ports import PORT_PROTOCOLS
from ..ends import JUDGED_COLUMNS, EndColumn, PortColumns, read_end, read_ports, validity

RECORD_COLUMNS = (*JUDGED_COLUMNS, "source_port", "time", "end_time", "tcp_flags", "packets")
"""What a record tells of its connection."""
REQUEST_OF = np.arange(256, dtype=np.uint8)
"""The ICMP or ICMPv6 type that a type answers; itself where it answers none."""
REQUEST_OF[[0, 14, 16, 18, 129, 140]] = [8, 13, 15, 17, 128, 139]
SAMPLE_ROWS = 16_384
_PAIRED_SHARE = 20
SPARSE_FORMATS = frozenset({"aws-vpc"})
"""Formats in which a record is of one direction, ACK is told only beside SYN, and times are whole seconds."""


class Orientation(StrEnum):
    """What may tell which end opened a connection."""

    AUTO = "auto"
    """Flags, then ports, then what comes first."""
    FLAGS = "flags"
    PORTS = "ports"
    FIRST_SEEN = "first-seen"


EVIDENCE_WORDS = ("first-seen", "ports", "flags")
"""What told the ends apart, by its number in results."""


@dataclass(frozen=True)
class Habits:
    """How the records of a capture are made.

    Attributes
    ----------
    one_way : bool
        A record is of one direction, so that an answer is a record of its own.
    sparse : frozenset of int
        Files of a format in which flags and times are told as AWS tells them.
    """

    one_way: bool
    sparse: frozenset[int]


def has_times(capture: Capture) -> bool:
    """Whether any record tells its time; a capture without records lacks nothing."""
    if "time" not in capture.columns:
        return False
    batches = (batch for split in capture.splits for batch in capture.read(split, ["time"], SAMPLE_ROWS))
    return not any(split.rows for split in capture.splits) or any(
        batch.column("time").null_count < batch.num_rows for batch in batches
    )


def habits_of(capture: Capture) -> Habits:
    """Find out how the records of a capture are made, from its formats, else from its first rows.

    Records are of one direction where a twentieth of the first 16,384 belong to connections that are there both ways.
    Protocols without ports, and connections between equal ports, do not count: either end may open those.
    """
    formats = getattr(capture, "formats", ())
    sparse = frozenset(number for number, name in enumerate(formats) if name in SPARSE_FORMATS)
    return Habits(bool(sparse) or _pairs_up(capture), sparse)


def _pairs_up(capture: Capture) -> bool:
    columns = [name for name in (*JUDGED_COLUMNS, "source_port") if name in capture.columns]
    if "source_port" not in columns or not capture.splits:
        return False
    batch = next(iter(capture.read(capture.splits[0], columns, SAMPLE_ROWS)), None)
    if batch is None:
        return False
    names: dict[str, int] = {}
    for end in ("source_pod", "destination_pod"):
        if end in batch.schema.names:
            for name in batch.column(end).dictionary_encode().dictionary.to_pylist():
                names.setdefault(name or "", len(names))
    ports = read_ports(batch)
    here = _mixed(read_end(batch, "source", names), read_numbers(batch, "source_port", np.uint16, 0)[0])
    there = _mixed(read_end(batch, "destination", names), ports.port)
    told = np.isin(ports.protocol, PORT_PROTOCOLS) & (read_numbers(batch, "source_port", np.uint16, 0)[0] != ports.port)
    if not told.any():
        return False
    pairs, number = np.unique((here + there)[told], return_inverse=True)
    low = (here < there)[told]
    ways = [np.bincount(number, way, pairs.size) for way in (low, ~low)]
    both = (ways[0] > 0) & (ways[1] > 0)
    return bool(both[number].sum() * _PAIRED_SHARE >= told.sum())


def _mixed(end: EndColumn, port: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Make a number of an end and its port."""
    wide = end.widened()
    mixed = port.astype(np.uint64)
    for part in (wide.high, wide.low, wide.pods.astype(np.uint64)):
        mixed = (mixed ^ part) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def served_ports(cluster: Cluster) -> NDArray[np.uint8]:
    """Mark the ports that pods and Services of a cluster declare, uint8[3, 65536] for TCP, UDP and SCTP."""
    served = np.zeros((len(PORT_PROTOCOLS), 65_536), np.uint8)
    slots = {protocol: slot for slot, protocol in enumerate(PORT_PROTOCOLS)}
    declared = {(port.protocol, port.number) for pod in cluster.pods for port in pod.ports}
    for service in cluster.services:
        for port in service.ports:
            declared |= {(port.protocol, port.port), (port.protocol, port.node_port)}
            if isinstance(port.target, int):
                declared.add((port.protocol, port.target))
        declared |= {(backend.protocol, backend.port) for backend in service.backends or ()}
    for protocol, number in declared:
        if protocol in slots and number:
            served[slots[protocol], number] = 1
    return served


def methods_of(orientation: Orientation, habits: Habits) -> int:
    """Return what is looked at, for the kernel.

    A record of both directions begins with the end that opened it: ports are asked only where they are asked for.
    """
    if orientation is Orientation.AUTO:
        return records.BY_FLAGS | (records.BY_PORTS if habits.one_way else 0)
    return {Orientation.FLAGS: records.BY_FLAGS, Orientation.PORTS: records.BY_PORTS}.get(orientation, 0)


class Records:
    """The records of one batch: which way each runs, with its ends in that order."""

    def __init__(
        self,
        batch: pa.RecordBatch,
        ends: tuple[EndColumn, EndColumn],
        ports: PortColumns,
        served: NDArray[np.uint8],
        methods: int,
        habits: int,
    ) -> None:
        self._batch = batch
        self._ends = ends
        self.ports = ports
        self.source_port, self._source_port_known = read_numbers(batch, "source_port", np.uint16, 0)
        flags, flags_known = read_numbers(batch, "tcp_flags", np.uint8, 0)
        self._packets = read_numbers(batch, "packets", np.int64, -1)[0]
        self.what = np.empty(batch.num_rows, np.uint16)
        records.read_records(
            self.source_port,
            ports.port,
            ports.protocol,
            flags,
            flags_known,
            self._packets,
            served,
            methods,
            habits,
            self.what,
        )
        self.reverse: NDArray[np.bool_] = (self.what >> HINT & 3) == REVERSE

    @property
    def as_recorded(self) -> tuple[EndColumn, EndColumn, PortColumns]:
        """Source, destination, and the destination's ports."""
        return *self._ends, self.ports

    @property
    def oriented(self) -> tuple[EndColumn, EndColumn, PortColumns]:
        """Client, server, and the server's ports."""
        return self.turned(self.reverse)

    def turned(self, turn: NDArray[np.bool_]) -> tuple[EndColumn, EndColumn, PortColumns]:
        """Return both ends and the second one's ports, the ends of some rows changed over."""
        source, destination = self._ends
        if not turn.any():
            return source, destination, self.ports
        known = source_known = self.ports.port_known
        if known.size or self._source_port_known.size:
            full = np.ones(turn.size, bool)
            here, there = _or(self._source_port_known, full), _or(known, full)
            known, source_known = np.where(turn, here, there), np.where(turn, there, here)
        extras = self.ports.extras
        if extras:
            source_port = np.where(turn, self.ports.port, self.source_port)
            types = np.where(turn, REQUEST_OF[extras.icmp_type], extras.icmp_type)
            extras = replace(extras, source_port=source_port, source_known=source_known, icmp_type=types)
        port = np.where(turn, self.source_port, self.ports.port)
        ports = PortColumns(self.ports.protocol, port, known, extras, self.ports.requests)
        return *turned_ends(source, destination, turn), ports

    def rows(
        self,
        source_object: NDArray[np.int32],
        destination_object: NDArray[np.int32],
        codes: NDArray[np.uint8],
        seen: NDArray[np.int64],
        late: int,
        skew: int,
        first: int,
    ) -> NDArray[np.void]:
        """Make rows for the table of connections; see the kernels `settle_times` and `fill_rows`."""
        count = self.what.size
        time = read_numbers(self._batch, "time", np.int64, records.MISSING_TIME)[0]
        end = read_numbers(self._batch, "end_time", np.int64, records.MISSING_TIME)[0]
        now, until = np.empty((2, count), np.int64)
        records.settle_times(time, end, late, skew, self.what, seen, now, until)
        source, destination = (end.widened() for end in self._ends)
        rows = np.empty(count * (ROW.itemsize // 8), np.uint64).view(ROW)
        records.fill_rows(
            source.high,
            source.low,
            source.known,
            source.pods,
            destination.high,
            destination.low,
            destination.known,
            destination.pods,
            self.source_port,
            self.ports.port,
            self.ports.protocol,
            self._packets,
            self.what,
            codes,
            now,
            until,
            source_object,
            destination_object,
            first,
            rows,
        )
        return rows


def turned_ends(source: EndColumn, destination: EndColumn, turn: NDArray[np.bool_]) -> tuple[EndColumn, EndColumn]:
    """Change both ends of some rows over."""
    if source.v4 is None or destination.v4 is None:
        source, destination = source.widened(), destination.widened()
    else:
        known = source.known, destination.known
        if known[0].size or known[1].size:
            full = np.ones(turn.size, bool)
            known = _or(known[0], full), _or(known[1], full)
            known = np.where(turn, known[1], known[0]), np.where(turn, known[0], known[1])
        none = np.empty(0, np.uint64), np.empty(0, np.uint64)
        pods = np.empty(0, np.int32)
        return (
            EndColumn(np.where(turn, destination.v4, source.v4), *none, known[0], pods, None, source.times),
            EndColumn(np.where(turn, source.v4, destination.v4), *none, known[1], pods, None, source.times),
        )
    pairs = [
        (np.where(turn, there, here), np.where(turn, here, there))
        for here, there in zip(_wide_parts(source), _wide_parts(destination), strict=True)
    ]
    here, there = ([pair[number] for pair in pairs] for number in (0, 1))
    times = source.times
    return replace(EndColumn(None, *here), times=times), replace(EndColumn(None, *there), times=times)


def _wide_parts(end: EndColumn) -> tuple[NDArray[np.generic], ...]:
    return end.high, end.low, end.known, end.pods


def _or(known: NDArray[np.bool_], full: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return known if known.size else full


def read_numbers(
    batch: pa.RecordBatch, name: str, kind: type[np.generic], missing: int | np.integer
) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Read a column of numbers, and which are there: bool[0] where all are."""
    if name not in batch.schema.names:
        return np.full(batch.num_rows, missing, kind), np.zeros(batch.num_rows, bool)
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        column = column.view(pa.int64())
    if not column.null_count:
        return column.to_numpy(), np.empty(0, bool)
    known = validity(column)
    values = column.fill_null(0).to_numpy()
    return np.where(known, values, kind(missing)), known


def skew_of(split: Split, habits: Habits) -> int:
    """Return how much too early an answer may be stamped; seconds are not fine enough to tell which came first."""
    return SECOND if split.file in habits.sparse else 0
