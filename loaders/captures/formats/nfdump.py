"""Flows that nfdump prints: CSV of any release, with header or without (-q), and JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ..numbers import read_integer
from ..records.deriving import TCP, added, among, first_told, is_icmp, later, numbers_of, only, told_times, unit_of
from ..records.fields import is_json, read_records
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tables import Layout, Table, read_table
from ..streams import Source
from ..texts import map_distinct

_NAMES = {
    "first": "ts tfs tsr tsg firstSeen",
    "last": "te ter teg lastSeen",
    "duration": "td tds duration",
    "source": "sa srcAddr",
    "destination": "da dstAddr",
    "real": "xda nda dstXIP",
    "real_port": "xdp ndp dstXPort",
    "source_port": "sp srcPort",
    "destination_port": "dp dstPort",
    "protocol": "pr proto",
    "flags": "flg flags",
    "in_packets": "ipkt pkt packets inPackets",
    "out_packets": "opkt outPackets",
    "in_bytes": "ibyt byt bytes inBytes",
    "out_bytes": "obyt outBytes",
    "icmp_type": "it icmpTYpe icmpType",
    "icmp_code": "ic icmpCode",
    "event": "evt event",
}
"""What the columns of CSV are called, parted by blanks, by what they are called here."""

_KEYS = {
    "first": "first",
    "last": "last",
    "source": "src4_addr",
    "source_v6": "src6_addr",
    "destination": "dst4_addr",
    "destination_v6": "dst6_addr",
    "real": "dst4_xlt_ip",
    "real_v6": "dst6_xlt_ip",
    "real_port": "dst_xlt_port",
    "source_port": "src_port",
    "destination_port": "dst_port",
    "protocol": "proto",
    "flags": "tcp_flags",
    "in_packets": "in_packets",
    "out_packets": "out_packets",
    "in_bytes": "in_bytes",
    "out_bytes": "out_bytes",
    "icmp_type": "icmp_type",
    "icmp_code": "icmp_code",
}
"""What they are called in JSON."""

_MEANT = {name: meant for meant, names in _NAMES.items() for name in names.split()}
_WANTED = tuple(dict.fromkeys((*_NAMES, *_KEYS)))
_OLD = ("ts", "te", "td", "sa", "da", "sp", "dp", "pr", "flg", "", "", "ipkt", "ibyt", "opkt", "obyt")
_NEW = ("firstSeen", "duration", "proto", "srcAddr", "srcPort", "dstAddr", "dstPort", "packets", "bytes")
_FAST = (
    *("", "", "firstSeen", "lastSeen", "proto", "srcAddr", "srcPort", "dstAddr", "dstPort"),
    *("", "", "", "", "flags", "", "packets", "bytes"),
)
_TIME, _ADDRESS = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?", "[0-9a-f.:]+"
_ROWS = {
    re.compile(rf"{_TIME},{_TIME},[\d.]+,{_ADDRESS},{_ADDRESS},\d+,[\d.]+,\w[\w -]*,[A-Z.]*,.*"): _OLD,
    re.compile(rf"{_TIME},[\d.]+,\w+,{_ADDRESS},\d+,{_ADDRESS},[\d.]+,\d+,\d+,\d+"): _NEW,
    re.compile(rf"\d+,(?:2|10),\d+,\d+,\d+,{_ADDRESS},\d+,{_ADDRESS},\d+,(?:\d+,){{4}}[A-Z.]*,\d+,\d+,\d+"): _FAST,
}
"""Rows without a header line above, by the columns that they have."""
_NO_TIME = "0000-00-00 00:00:00.000"
_NO_ADDRESSES = ("0.0.0.0", "::")
_SUMMARY = "the summary at the end"
_EVENTS = "events of firewalls and address translators (NSEL, NEL), of which a connection has several"
_EVENT_WORDS = ("CREATE", "DELETE", "DENIED", "ALERT", "UPDATE", "ADD")
_ZONE = "its times tell no zone and are read as UTC. Run nfdump with TZ=UTC, or expect them to be off by the zone"
_FIELDS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("tcp_flags", "packets", "bytes", "icmp_type", "icmp_code"),
)


class _Print(Table):
    """What nfdump printed: header lines, rows, and a summary."""

    marks = re.compile(rb"(?m)^(?:[a-z]\w*,[^\n]*(?:sa|srcAddr),|Summary)")
    hints = (b"sa,", b"srcAddr", b"Summary")

    def __init__(self) -> None:
        super().__init__(_WANTED)

    def turn(self, line: str) -> str | None:
        """Read a header line, or the word that begins the summary."""
        self.layout, self.why = None, ""
        if line.startswith("Summary"):
            self.why = _SUMMARY
        else:
            self.layout = _layout(tuple(line.rstrip(",").split(",")))
        return None

    def guess(self, line: str) -> Layout | None:
        """Tell by a row which release printed it; older ones have more columns or fewer at their end."""
        found = next((names for row, names in _ROWS.items() if row.fullmatch(line)), None)
        if found is None:
            return None
        count = line.count(",") + 1
        return _layout((*found, *[""] * count)[:count])


def _layout(names: tuple[str, ...]) -> Layout:
    """Name the columns as they are called here, each once."""
    meant: list[str] = []
    for name in names:
        known = _MEANT.get(name.strip(), "")
        meant.append("" if known in meant else known)
    return Layout(tuple(meant), absent=("", "-", _NO_TIME))


def _recognise(sample: Sample) -> bool:
    if any(map(_is_flow, sample.objects)):
        return True
    lines = [line.decode("utf-8", "replace").rstrip("\r") for line in sample.lines[:20]]
    return any(_is_header(line) or any(row.fullmatch(line) for row in _ROWS) for line in lines)


def _is_header(line: str) -> bool:
    names = line.split(",")
    return {"sa", "da"} <= set(names) or ({"srcAddr", "dstAddr"} <= set(names) and "firstSeen" in names)


def _is_flow(found: Mapping[str, Any]) -> bool:
    ends = {"src4_addr", "dst4_addr"}, {"src6_addr", "dst6_addr"}
    return "first" in found and any(each <= found.keys() for each in ends)


def _judge(found: Mapping[str, Any]) -> str | None:
    return _EVENTS if found.get("type") == "EVENT" else None


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    flows = _of_json(source, reading) if is_json(source) else _of_csv(source, reading)
    has_noted = False
    for batch in flows:
        if not has_noted and unit_of(batch.column("first"), None) is None:
            reading.note(source, _ZONE)
            has_noted = True
        yield _columns(batch)


def _of_json(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    keys = [_KEYS.get(name, "") for name in _WANTED]
    for batch in read_records(source, reading, keys, _judge):
        yield batch.rename_columns(list(_WANTED))


def _of_csv(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    for batch in read_table(source, reading, _Print()):
        is_event = among(batch.column("event"), _EVENT_WORDS)
        if count := is_event.true_count:
            reading.leave_out(_EVENTS, count)
            batch = batch.filter(pc.invert(is_event))
        if batch.num_rows:
            yield batch


def _columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Make the columns of a flow."""
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    numbers = numbers_of(held["protocol"])
    icmp, tcp = is_icmp(numbers), pc.equal(numbers, TCP).fill_null(False)
    ports = pc.invert(icmp)
    unit = unit_of(held["first"], "ms")
    real = first_told([held["real"], held["real_v6"]], _NO_ADDRESSES)
    real_port = only(real.is_valid(), first_told([held["real_port"]], ("0",)))
    time = told_times(held["first"], unit)
    made = {
        "time": time,
        "end_time": _ends(held, time, unit),
        "source_address": pc.coalesce(held["source"], held["source_v6"]),
        "destination_address": pc.coalesce(real, held["destination"], held["destination_v6"]),
        "source_port": only(ports, held["source_port"]),
        "destination_port": only(ports, pc.coalesce(real_port, held["destination_port"])),
        "protocol": held["protocol"],
        "tcp_flags": only(tcp, held["flags"]),
        "packets": added([held["in_packets"], held["out_packets"]]),
        "bytes": added([held["in_bytes"], held["out_bytes"]]),
        "icmp_type": only(icmp, pc.coalesce(held["icmp_type"], _icmp_part(icmp, held, 0))),
        "icmp_code": only(icmp, pc.coalesce(held["icmp_code"], _icmp_part(icmp, held, 1))),
    }
    return pa.RecordBatch.from_pydict(made)


def _ends(held: Mapping[str, pa.Array], time: pa.Array, unit: str | None) -> pa.Array:
    if held["last"].null_count < len(held["last"]):
        return told_times(held["last"], unit)
    return later(time, held["duration"])


def _icmp_part(icmp: pa.Array, held: Mapping[str, pa.Array], part: int) -> pa.Array:
    """Read type or code out of the destination's port: ``8.0``, or the type times 256 and the code."""

    def read(text: str) -> str:
        kind, _, code = text.partition(".")
        number = read_integer(text)
        if number is not None:
            kind, code = map(str, divmod(number, 256))
        return (kind, code)[part]

    return map_distinct(only(icmp, held["destination_port"]), read, pa.string())


FORMAT = Format(
    "nfdump",
    "NetFlow or IPFIX printed by nfdump: CSV, JSON",
    "one direction, cut at the active timeout; both directions with -b or -B",
    _recognise,
    lambda _sample: _FIELDS,
    _read,
    lacks=(
        "no pods: ends are told by their addresses",
        "no verdict of any policy: nothing to verify",
        "times have no zone",
    ),
)
