"""Captures of packets: Parquet, pcap and pcapng files read in order, as batches of the columns of PACKET_SCHEMA."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simcore.errors import Diagnostic, LoadError
from simcore.model.addresses import Cidr
from simcore.model.conntrack import UDPLITE
from simcore.model.flows import Split
from simcore.model.ports import ICMP, ICMPV6, PORT_PROTOCOLS, SCTP, TCP, protocol_name
from simcore.model.schema import PACKET_REQUIRED, PACKET_SCHEMA

from .addresses import widen
from .converted import Temporary, told_of
from .mapping import read_mapping
from .opening import choose_origins
from .origins import Origin, recognise_by
from .parquet import File, ParquetCapture, open_file
from .pcap.converting import convert_packets, holds_frames
from .shapes import PACKETS
from .sides import fill_sides
from .sources import Wanted, find_files, looks_like_parquet, partitions_of, problem

BATCH_ROWS = 131_072
MOST_LATE = 1_000_000_000
"""How far back in time a packet may step, in nanoseconds, before its capture counts as unsorted."""

_ALIASES = dict.fromkeys(PACKET_SCHEMA.names, "") | {
    "time": "time timestamp ts t",
    "source_address": "sourceaddress sourceaddr sourceip srcaddress srcaddr srcip ipsrc saddr sip src",
    "destination_address": "destinationaddress destinationaddr destinationip destaddress destaddr destip "
    "dstaddress dstaddr dstip ipdst daddr dip dst",
    "source_port": "sourceport srcport portsrc sport tcpsrcport",
    "destination_port": "destinationport destport dstport portdst dport tcpdstport",
    "protocol": "protocol proto ipproto ipprotocol",
    "flags": "flags tcpflags",
    "length": "length len tcplen payloadlength payloadlen payloadbytes",
    "sequence": "sequence seq tcpseq tcpseqraw sequencenumber",
    "acknowledgement": "acknowledgement acknowledgment ack tcpack tcpackraw acknowledgementnumber",
    "window": "window win tcpwindow tcpwindowsizevalue",
    "window_scale": "windowscale wscale ws",
    "sack_permitted": "sackpermitted sackok",
    "mss": "mss",
    "side": "side",
    "icmp_type": "icmptype",
    "icmp_code": "icmpcode",
    "icmp_id": "icmpid icmpident",
    "sctp_tag": "sctptag vtag sctpverificationtag",
    "sctp_chunk": "sctpchunk sctpchunktype",
    "payload": "payload",
}
"""Names that say what they hold, as in `origins`; columns without any are known by their own name only."""

_UNITS = {"time": {"frametimeepoch": "s", "timeepoch": "s", "timens": "ns", "timeus": "us", "timems": "ms"}}
_FARTHEST = 1 << 62
_ADDRESSES = tuple(name for name in PACKET_SCHEMA.names if name.endswith("_address"))
_WITH_PORTS = (*PORT_PROTOCOLS, UDPLITE)
_NEEDED = {
    "source_port": _WITH_PORTS,
    "destination_port": _WITH_PORTS,
    "flags": (TCP,),
    "icmp_type": (ICMP, ICMPV6),
    "sctp_chunk": (SCTP,),
}
"""Columns without which a packet of these protocols is not one."""
_NULL_IS_NONE = ("flags", "sctp_chunk")


@dataclass(slots=True)
class Order:
    """How well the packets read so far were in order of time.

    Attributes
    ----------
    late : int
        Packets that are earlier than one before them.
    most : int
        By how much at most, in nanoseconds.
    """

    late: int = 0
    most: int = 0
    _last: int = field(default=-(2**63), repr=False)

    def straighten(self, times: pa.Array) -> tuple[pa.Array, int | None]:
        """Lift times to that of the packet before; return them, and the first row that is too far off."""
        ticks = times.cast(pa.int64()).to_numpy()
        if not ticks.size or (ticks[0] >= self._last and bool((ticks[1:] >= ticks[:-1]).all())):
            self._last = int(ticks[-1]) if ticks.size else self._last
            return times, None
        lifted = np.maximum(np.maximum.accumulate(ticks), self._last)
        behind = lifted - ticks
        self.late += int(np.count_nonzero(behind))
        self.most = max(self.most, int(behind.max()))
        self._last = int(lifted[-1])
        far = int(behind.argmax()) if behind.max() > MOST_LATE else None
        return pa.array(lifted).view(times.type), far


@dataclass(frozen=True, slots=True)
class PacketCapture:
    """Packets in files, read once from the first to the last.

    Attributes
    ----------
    files : sequence of str
        Paths of its files, in the order in which they are read.
    rows : int
        How many packets there are.
    columns : tuple of str
        The columns of PACKET_SCHEMA that its batches have.
    diagnostics : sequence of Diagnostic
        What of its files is not read.
    clients : sequence of Cidr
        Networks whose packets enter at side a, where the capture does not say; all others then enter at side b.
    """

    parts: ParquetCapture
    clients: Sequence[Cidr] = ()

    @property
    def files(self) -> Sequence[str]:
        """Paths of its files."""
        return self.parts.files

    @property
    def diagnostics(self) -> Sequence[Diagnostic]:
        """What of its files is not read."""
        return self.parts.diagnostics

    @property
    def rows(self) -> int:
        """How many packets there are."""
        return sum(split.rows for split in self.parts.splits)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that every batch has."""
        held = self.parts.columns | ({"side"} if self.clients else set())
        return tuple(name for name in PACKET_SCHEMA.names if name in held)

    def read(self, batch_rows: int = BATCH_ROWS, order: Order | None = None) -> Iterator[pa.RecordBatch]:
        """Read all packets, as batches in the columns of PACKET_SCHEMA; times never go back.

        The address columns of a batch are all of one width. A packet up to a second earlier than the one before it
        gets that one's time.

        Parameters
        ----------
        batch_rows : int
            Most packets in a batch.
        order : Order, optional
            Takes up how many packets were out of order.

        Raises
        ------
        LoadError
            A file cannot be read, a value does not fit its column, a packet lacks what its protocol has, or its time
            goes back by more than a second.
        """
        order = order or Order()
        names = [name for name in PACKET_SCHEMA.names if name in self.parts.columns]
        for split in self.parts.splits:
            first_row = split.first_row
            for batch in self.parts.read(split, names, batch_rows):
                yield self._checked(batch, split, first_row, order)
                first_row += batch.num_rows

    def _checked(self, batch: pa.RecordBatch, split: Split, first_row: int, order: Order) -> pa.RecordBatch:
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        for complaint in (_incomplete(columns), _strange_side(columns), _strange_time(columns)):
            if complaint:
                self._refuse(split, first_row, *complaint)
        columns["time"], far = order.straighten(columns["time"])
        if far is not None:
            self._refuse(split, first_row, far, _unsorted(order.most))
        if any(columns[name].type != pa.uint32() for name in _ADDRESSES if name in columns):
            narrow = [name for name in _ADDRESSES if name in columns and columns[name].type == pa.uint32()]
            columns |= {name: widen(columns[name]) for name in narrow}
        if self.clients:
            columns["side"] = fill_sides(columns.get("side"), columns["source_address"], self.clients)
        return pa.RecordBatch.from_arrays([columns[name] for name in self.columns], names=list(self.columns))

    def _refuse(self, split: Split, first_row: int, row: int, text: str) -> None:
        file = self.parts.files[split.file]
        raise LoadError([problem(file, f"row {first_row + row:,} (from 0): {text}")])


def open_packets(
    paths: Sequence[str],
    mapping: Mapping[str, str] | None = None,
    clients: Sequence[Cidr] = (),
    *,
    strict: bool = False,
) -> PacketCapture:
    """Open the packets that lie in some files: Parquet, or pcap and pcapng, which are converted first.

    Parameters
    ----------
    paths : sequence of str
        Files, folders and patterns, as for `open_capture`; they are read in this order.
    mapping : mapping of str to str, optional
        As for `open_capture`, with the columns of a packet.
    clients : sequence of Cidr
        Networks whose packets enter at side a, where the capture does not say.
    strict : bool
        Whether a packet of pcap or pcapng that cannot be read is an error, rather than told and counted.

    Raises
    ------
    LoadError
        A path leads nowhere, a file cannot be read, or its columns do not make a packet. Every problem is told.
    """
    if not paths:
        raise ValueError("a capture needs at least one path")
    problems: list[Diagnostic] = []
    found = [
        each
        for path in find_files(paths, problems, Wanted("capture of packets", _is_wanted))
        for each in _opened(path, problems, strict)
    ]
    files = [each.file for each in found]
    plain = [each.file for each in found if each.keeps is None]
    held = {column for file in plain for column in file.columns}
    asked = read_mapping(mapping or {}, PACKETS, held, problems) if plain else {}
    failed = (mapping or {}).keys() - asked.keys()
    if found and mapping and not plain:
        problems.append(problem("--map", "there is no column to name: these files say what they hold"))
    origins = [
        _origins(each.file, asked if each.keeps is None else {}, failed if each.keeps is None else set(), problems)
        for each in found
    ]
    if problems:
        raise LoadError(problems)
    parts = replace(
        ParquetCapture.of(files, origins, PACKETS),
        files=[each.path for each in found],
        diagnostics=[told for each in found for told in each.diagnostics],
        keeps=tuple(each.keeps for each in found),
    )
    return PacketCapture(parts, tuple(clients))


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file as it is named, and the Parquet that its packets lie in; `keeps` where that was converted."""

    path: str
    file: File
    keeps: Temporary | None = None
    diagnostics: Sequence[Diagnostic] = ()


def _opened(path: str, problems: list[Diagnostic], strict: bool) -> Iterator[_Opened]:
    try:
        yield _converted(path, strict) if holds_frames(path) else _Opened(path, open_file(path, partitions_of(path)))
    except LoadError as error:
        problems.extend(error.diagnostics)


def _converted(path: str, strict: bool) -> _Opened:
    temporary = Temporary()
    output = os.path.join(temporary.folder, "packets.parquet")
    reading = convert_packets([path], output, strict=strict)
    return _Opened(path, open_file(output, {}), temporary, told_of([path], reading))


def _is_wanted(path: str) -> bool:
    return looks_like_parquet(path) or holds_frames(path)


def _origins(
    file: File, asked: Mapping[str, Origin | None], failed: Set[str], problems: list[Diagnostic]
) -> dict[str, Origin]:
    known = recognise_by(_ALIASES, _UNITS, file.types, file.partitions)
    origins = choose_origins(PACKETS, file, known, asked, failed, problems)
    for name in PACKET_REQUIRED:
        if name not in origins.keys() | known.ambiguous.keys() | failed:
            problems.append(problem(file.path, _lacks(name, file.columns)))
    return origins


def _lacks(name: str, columns: Sequence[str]) -> str:
    held = ", ".join(columns) or "none"
    return f"no column tells the {name} of a packet; the columns are {held}. Name one with --map {name}=COLUMN"


Complaint = tuple[int, str] | None
"""A row of a batch, and what is wrong with it."""


def _incomplete(columns: Mapping[str, pa.Array]) -> Complaint:
    """Find a packet that lacks what its protocol has."""
    for name, protocols in _NEEDED.items():
        if name in columns and (name in _NULL_IS_NONE or not columns[name].null_count):
            continue
        needing = pc.is_in(columns["protocol"], pa.array(protocols, pa.uint8()))
        lacking = pc.and_(needing, columns[name].is_null()) if name in columns else needing
        row = lacking.index(True).as_py()
        if row >= 0:
            protocol = protocol_name(columns["protocol"][row].as_py())
            return row, f"a packet of {protocol} has {name}, and this one has none. Say where with --map {name}=COLUMN"
    return None


def _strange_side(columns: Mapping[str, pa.Array]) -> Complaint:
    if "side" not in columns:
        return None
    side = columns["side"]
    known = pc.is_in(side.dictionary, pa.array(["a", "b"], side.dictionary.type))
    if not known.false_count:
        return None
    row = pc.invert(known).take(side.indices).index(True).as_py()
    return (row, f"side is {side[row].as_py()!r}, and it can be a or b") if row >= 0 else None


def _strange_time(columns: Mapping[str, pa.Array]) -> Complaint:
    """Find a time so far off that what is added to it may not fit 64 bits."""
    ticks = columns["time"].cast(pa.int64()).to_numpy()
    far = np.flatnonzero((ticks < -_FARTHEST) | (ticks > _FARTHEST))
    if not far.size:
        return None
    row = int(far[0])
    year = columns["time"].cast(pa.timestamp("s"), safe=False)[row].as_py().year
    return row, f"its time is in the year {year}, and years are 1824 to 2115. Is the unit right? --map time=COLUMN:UNIT"


def _unsorted(most: int) -> str:
    return f"its time is {most / 1e9:,.3f} s before that of an earlier row. Sort the packets by time"
