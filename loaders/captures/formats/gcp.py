"""VPC Flow Logs of Google Cloud: entries of Cloud Logging, or their payloads, as JSON; BigQuery's tables as Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..records.format import Format
from ..records.nested import read_nested
from ..records.objects import read_objects
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tabling import moment_of, name_of, part, pod_of, to_batches
from ..storage import open_seekable
from ..streams import Source, is_parquet

_COLUMNS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("packets", "bytes", "source_pod", "destination_pod", "node"),
)
_PAYLOADS = ("jsonPayload", "json_payload")
_SIDES = {"SRC": "src", "DEST": "dest"}
"""Whose instance reports, by the word of the reporter; gateways are no nodes."""


def _recognise(sample: Sample) -> bool:
    if sample.parquet is not None:
        return any(_holds_connection(sample.parquet.get(name)) for name in _PAYLOADS) or (
            "reporter" in sample.parquet and _is_struct(sample.parquet.get("connection"))
        )
    return any(_is_flow(_payload(value)) for value in sample.objects)


def _is_struct(kind: pa.DataType | None) -> bool:
    return kind is not None and bool(pa.types.is_struct(kind))


def _holds_connection(kind: pa.DataType | None) -> bool:
    return kind is not None and _is_struct(kind) and kind.get_field_index("connection") >= 0


def _payload(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((entry[name] for name in _PAYLOADS if isinstance(entry.get(name), dict)), entry)


def _is_flow(payload: Mapping[str, Any]) -> bool:
    connection = payload.get("connection")
    return isinstance(connection, dict) and "reporter" in payload and "src_ip" in connection


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    if not source.is_stream and is_parquet(source.path):
        return _read_stored(source, reading)
    return to_batches(_rows(source, reading), _COLUMNS)


def _rows(source: Source, reading: Reading) -> Iterator[tuple[object, ...]]:
    for place, entry in read_objects(source, reading):
        payload = _payload(entry)
        if _is_flow(payload):
            yield _row(payload, part(payload, "connection"))
        elif payload is not entry or "logName" in entry:
            reading.leave_out("entries of other logs")
        else:
            reading.complain(source, place, "this is no flow: it has no connection with src_ip, or no reporter")


def _row(payload: Mapping[str, Any], connection: Mapping[str, Any]) -> tuple[object, ...]:
    side = _SIDES.get(name_of(payload.get("reporter")), "")
    return (
        moment_of(payload.get("start_time")),
        moment_of(payload.get("end_time")),
        connection.get("src_ip"),
        connection.get("dest_ip"),
        _number(connection.get("src_port")),
        _number(connection.get("dest_port")),
        _number(connection.get("protocol")),
        _number(payload.get("packets_sent")),
        _number(payload.get("bytes_sent")),
        _pod(payload, "src"),
        _pod(payload, "dest"),
        name_of(part(payload, f"{side}_instance").get("vm_name")) or None,
    )


def _number(value: object) -> object:
    """Return a number as it is; BigQuery may write whole ones as text with a fraction."""
    return value.removesuffix(".0") if isinstance(value, str) else value


def _pod(payload: Mapping[str, Any], end: str) -> str | None:
    pod = part(part(payload, f"{end}_gke_details"), "pod")
    return pod_of(pod.get("pod_namespace"), pod.get("pod_name"))


_PATHS = {
    "time": ("start_time",),
    "end_time": ("end_time",),
    "source_address": ("connection", "src_ip"),
    "destination_address": ("connection", "dest_ip"),
    "source_port": ("connection", "src_port"),
    "destination_port": ("connection", "dest_port"),
    "protocol": ("connection", "protocol"),
    "packets": ("packets_sent",),
    "bytes": ("bytes_sent",),
    "reporter": ("reporter",),
    **{f"{end}_node": (f"{end}_instance", "vm_name") for end in _SIDES.values()},
    **{
        f"{end}_{part}": (f"{end}_gke_details", "pod", f"pod_{part}")
        for end in _SIDES.values()
        for part in ("namespace", "name")
    },
}
"""Where a payload holds what is read of it."""


def _read_stored(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    with open_seekable(source.path) as stored:
        names = pq.read_schema(stored).names
    outer = next(((name,) for name in _PAYLOADS if name in names), ())
    paths = {name: (*outer, *path) for name, path in _PATHS.items()}
    for rows, fields in read_nested(source, reading, paths):
        pods = {f"{name}_pod": _joined(fields, end, rows) for name, end in (("source", "src"), ("destination", "dest"))}
        found = {**fields, **pods, "node": _nodes(fields, rows)}
        yield pa.RecordBatch.from_arrays([found[name] for name in _COLUMNS], names=list(_COLUMNS))


def _joined(fields: Mapping[str, pa.Array], end: str, rows: int) -> pa.Array:
    parts = [fields[f"{end}_{part}"].to_pylist() for part in ("namespace", "name")]
    return pa.array([pod_of(*pair) for pair in zip(*parts, strict=True)] if rows else [], pa.string())


def _nodes(fields: Mapping[str, pa.Array], rows: int) -> pa.Array:
    reporters, *nodes = (fields[name].to_pylist() for name in ("reporter", "src_node", "dest_node"))
    by_side = dict(zip(_SIDES, nodes, strict=True))
    found = (by_side[word][row] if word in _SIDES else None for row, word in enumerate(reporters))
    return pa.array([name_of(node) or None for node in found] if rows else [], pa.string())


FORMAT = Format(
    name="gcp",
    title="VPC Flow Logs of Google Cloud: JSON of Cloud Logging or BigQuery, or Parquet of BigQuery",
    row="one direction of a connection in an interval, as one instance reports it",
    recognise=_recognise,
    fields=lambda _: _COLUMNS,
    read=_read,
    lacks=(
        "sampled: short connections may be missing, counters are estimates",
        "no TCP flags: who opened a connection is inferred",
        "no denied traffic: firewalls log that elsewhere",
        "names of pods are Google's best effort",
    ),
)
