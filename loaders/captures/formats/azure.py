"""Azure's flow logs: of virtual networks (version 4), and of network security groups (versions 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from ..origins import Origin, Recognised
from ..records.format import Format
from ..records.objects import read_objects
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tabling import part, to_batches, total
from ..streams import Source

_COLUMNS = (
    *("time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("packets", "bytes", "observed_verdict"),
)
_MEANING = Recognised({name: Origin((name,), "ms" if name == "time" else None) for name in _COLUMNS})
_PROTOCOLS = {"T": "tcp", "U": "udp"}
_VERDICTS = {**dict.fromkeys("BCE", "allow"), "D": "deny", "A": "allow"}
_FIRST_COUNT = 9
_FIELDS = (8, 13)
"""How many fields a tuple has: without counters, and with them."""


def _recognise(sample: Sample) -> bool:
    return any(_is_record(found) for value in sample.objects for found in _listed(value))


def _listed(value: Mapping[str, Any]) -> list[Any]:
    records = value.get("records")
    return records if isinstance(records, list) else [value]


def _is_record(value: object) -> bool:
    if not isinstance(value, dict) or "category" not in value:
        return False
    return "flows" in part(value, "flowRecords") or "flows" in part(value, "properties")


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    return to_batches(_rows(source, reading), _COLUMNS)


def _rows(source: Source, reading: Reading) -> Iterator[tuple[object, ...]]:
    for place, record in read_objects(source, reading, "records"):
        if not _is_record(record):
            if record.keys() == {"records"}:
                reading.leave_out("records without flows")
            else:
                reading.complain(
                    source, place, "this is no record of a flow log: it has neither flowRecords nor properties"
                )
            continue
        is_network = "flowRecords" in record
        tuples = list(_tuples(record))
        if not tuples:
            reading.leave_out("records without flows")
        for number, told in enumerate(tuples, 1):
            row = (_network_row if is_network else _group_row)(told)
            if isinstance(row, str):
                reading.complain(source, f"{_words(place)}, tuple {number:,}", row)
            else:
                yield row


def _words(place: int | str) -> str:
    return f"line {place:,}" if isinstance(place, int) else place


def _tuples(record: Mapping[str, Any]) -> Iterator[object]:
    """Yield the tuples of a record, each with whatever is where one should be."""
    for flow in _list(part(record, "flowRecords") or part(record, "properties"), "flows"):
        for group in _list(flow, "flowGroups" if "flowRecords" in record else "flows"):
            yield from _list(group, "flowTuples")


def _list(value: object, name: str) -> list[object]:
    """Return the list that a field holds; what is no list stands for itself, so that it is told."""
    found = value.get(name) if isinstance(value, dict) else value
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def _network_row(told: object) -> tuple[object, ...] | str:
    """Read a tuple of version 4: its time in milliseconds, its protocol a number, its verdict the state."""
    fields = _fields(told)
    if isinstance(fields, str):
        return fields
    if len(fields) != _FIELDS[1]:
        return f"this tuple has {len(fields)} fields, and {_FIELDS[1]} are known: {told!r}"
    return _row(fields, fields[0], fields[7])


def _group_row(told: object) -> tuple[object, ...] | str:
    """Read a tuple of versions 1 and 2: its time in seconds, its protocol a letter, its verdict the decision."""
    fields = _fields(told)
    if isinstance(fields, str):
        return fields
    if len(fields) not in _FIELDS:
        return f"this tuple has {len(fields)} fields, and {_FIELDS[0]} or {_FIELDS[1]} are known: {told!r}"
    time = f"{fields[0]}000" if fields[0].isdigit() else fields[0]
    return _row(fields, time, fields[7])


def _fields(told: object) -> list[str] | str:
    if not isinstance(told, str):
        return "this is no text, and tuples of flows are"
    return [field.strip() for field in told.split(",")]


def _row(fields: list[str], time: str, state: str) -> tuple[object, ...]:
    _, source, destination, source_port, destination_port, protocol, *_ = fields
    counts = fields[_FIRST_COUNT:]
    return (
        time,
        source,
        destination,
        source_port,
        destination_port,
        _PROTOCOLS.get(protocol, protocol),
        total(*counts[0::2]),
        total(*counts[1::2]),
        _VERDICTS.get(state, state),
    )


FORMAT = Format(
    name="azure",
    title="Azure's flow logs of virtual networks (version 4) and of network security groups (versions 1 and 2)",
    row="an event of a connection: its beginning, its counters every five minutes, its end, or its denial",
    recognise=_recognise,
    fields=lambda _: _COLUMNS,
    read=_read,
    meaning=lambda _columns, _partitions: _MEANING,
    lacks=(
        "no pods: ends are found by their addresses",
        "no TCP flags",
        "the verdict is that of security groups and rules of the virtual network, not of policies",
    ),
)
