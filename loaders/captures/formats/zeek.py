"""Zeek's log of connections, conn.log: tables with header lines of their own, or JSON lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from simcore.model.schema import MID_STREAM

from ..records.deriving import (
    ICMP_V6,
    NO_TEXT,
    TCP,
    added,
    among,
    is_icmp,
    later,
    numbers_of,
    only,
    told_times,
    unit_of,
)
from ..records.fields import is_json, read_records
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tables import Layout, Table, read_table
from ..streams import Source
from ..texts import map_distinct

_ENDS = ("id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
_WANTED = (
    *("ts", "duration", *_ENDS, "proto", "ip_proto", "conn_state", "history"),
    *("orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"),
)
_FIELDS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("tcp_flags", "packets", "bytes", "icmp_type", "icmp_code", "record"),
)
_HEADERS = ("#separator", "set_separator", "open", "close", "types")
"""Header lines that say nothing of how rows are cut, and the one that begins a log."""
_ESCAPED = re.compile(r"\\x([0-9a-fA-F]{2})")
_UNSEEN_OPENING = ("OTH", "SHR", "RSTRH")
"""States of TCP connections whose opening packet was not seen."""
_PAIRED = ("0", "8", "9", "10", "13", "14", "15", "16", "17", "18")
_PAIRED_V6 = ("128", "129", "130", "131", "133", "134", "135", "136", "139", "140", "144", "145")
"""Types of ICMP and of ICMPv6 of which Zeek tells the answer's type in the place of the code, which is 0."""
_LEAST_MILLISECONDS = 10**11
"""As seconds it would lie in the year 5138."""
_FLAGS = {"S": 2, "H": 16, "A": 16, "D": 16, "F": 1, "R": 4}
_SYN_ACK = 18


class _Log(Table):
    """The header lines of a log, which may be several one after the other."""

    marks = re.compile(rb"(?m)^#")
    hints = (b"#",)

    def __init__(self) -> None:
        super().__init__(_WANTED)
        self._begin("\t")

    def _begin(self, separator: str) -> None:
        self._separator, self._absent, self._path = separator, {"unset_field": "-", "empty_field": "(empty)"}, "conn"
        self._fields: tuple[str, ...] = ()

    def turn(self, line: str) -> str | None:
        """Read a header line."""
        if line.startswith("#separator "):
            self._begin(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line[len("#separator ") :]) or "\t")
        key, _, value = line[1:].partition(self._separator)
        if key in self._absent:
            self._absent[key] = value
        elif key == "path":
            self._path = value
        elif key == "fields":
            self._fields = tuple(value.split(self._separator))
        elif line.partition(" ")[0] not in _HEADERS and key not in _HEADERS:
            return "this line begins as header lines do, and is none that is known"
        return self._settle()

    def _settle(self) -> str | None:
        """Say how the lines that follow are cut, from all that was told before."""
        self.layout, self.why = None, ""
        if self._path != "conn":
            self.why = f"records of Zeek's log {self._path!r}: only conn has connections"
        elif self._fields and not set(_ENDS) <= set(self._fields):
            self.why = "records of Zeek's whose #fields do not tell both ends"
        elif self._fields and len(self._separator) == 1:
            self.layout = Layout(self._fields, self._separator, absent=("", *self._absent.values()))
        elif self._fields:
            return f"#separator is {self._separator!r}, and one character is expected"
        return None


def _recognise(sample: Sample) -> bool:
    headers = [line for line in sample.lines if line.startswith(b"#fields")]
    return any(b"id.orig_h" in line for line in headers) or any(map(_is_connection, sample.objects))


def _is_connection(found: Mapping[str, Any]) -> bool:
    return {"id.orig_h", "id.resp_h", "ts"} <= found.keys() and not found.keys().isdisjoint(("conn_state", "proto"))


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    if is_json(source):
        batches = read_records(source, reading, _WANTED, _judge, _in_seconds)
    else:
        batches = read_table(source, reading, _Log())
    return map(_columns, batches)


def _judge(found: Mapping[str, Any]) -> str | None:
    path = found.get("_path", "conn")
    return None if path == "conn" else f"records of Zeek's log {path!r}: only conn has connections"


def _in_seconds(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write whole milliseconds, which Zeek can be told to write, as seconds."""
    time = found.get("ts")
    if isinstance(time, int) and time >= _LEAST_MILLISECONDS:
        return {**found, "ts": f"{time // 1000}.{time % 1000:03}"}
    return found


def _columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Make the columns of a flow of those of a connection."""
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    is_six = pc.match_substring(held["id.orig_h"], ":").fill_null(False)
    protocol = _protocol(held, is_six)
    numbers = numbers_of(protocol)
    icmp, tcp = is_icmp(numbers), pc.equal(numbers, TCP).fill_null(False)
    ports = pc.invert(icmp)
    time = told_times(held["ts"], unit_of(held["ts"], "s"))
    made = {
        "time": time,
        "end_time": later(time, held["duration"]),
        "source_address": held["id.orig_h"],
        "destination_address": held["id.resp_h"],
        "source_port": only(ports, held["id.orig_p"]),
        "destination_port": only(ports, held["id.resp_p"]),
        "protocol": protocol,
        "tcp_flags": only(tcp, map_distinct(held["history"], _flags, pa.uint8())),
        "packets": added([held["orig_pkts"], held["resp_pkts"]]),
        "bytes": added([held["orig_ip_bytes"], held["resp_ip_bytes"]]),
        "icmp_type": only(icmp, held["id.orig_p"]),
        "icmp_code": only(icmp, _codes(held, is_six)),
        "record": pc.if_else(pc.and_(tcp, among(held["conn_state"], _UNSEEN_OPENING)), MID_STREAM, NO_TEXT),
    }
    return pa.RecordBatch.from_pydict(made)


def _protocol(held: Mapping[str, pa.Array], is_six: pa.Array) -> pa.Array:
    """Return the protocol's number where it is told; ``icmp`` is ICMPv6 too."""
    named = only(pc.invert(among(held["proto"], ("unknown_transport",))), held["proto"])
    v6 = pc.and_(is_six, among(named, ("icmp",)))
    return pc.coalesce(held["ip_proto"], pc.if_else(v6, str(ICMP_V6), named))


def _codes(held: Mapping[str, pa.Array], is_six: pa.Array) -> pa.Array:
    kind = held["id.orig_p"]
    paired = pc.if_else(is_six, among(kind, _PAIRED_V6), among(kind, _PAIRED))
    return pc.if_else(paired, "0", held["id.resp_p"])


def _flags(history: str) -> int:
    """Tell the TCP flags that a history stands for; an answer to an opening that was not seen opens nothing."""
    letters = history.upper()
    seen = sum({_FLAGS.get(letter, 0) for letter in letters})
    return seen | _SYN_ACK if "S" in letters and "H" in letters else seen


FORMAT = Format(
    "zeek",
    "Zeek conn.log, TSV or JSON",
    "connection, both directions",
    _recognise,
    lambda _sample: _FIELDS,
    _read,
    lacks=(
        "no pods: ends are told by their addresses",
        "no verdict of any policy: nothing to verify",
        "connections that were open when the capture ended may be missing",
    ),
)
