"""The layout of snapshots in Parquet: pods in columns, everything else as the JSON text that it is.

A row is an object. Pods share most of what they are, so labels, owners and the like are texts that many rows name:
whoever reads them decodes each once. A pod that does not fit, with three addresses say, is a text like other objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..clusters.objects import PodObject
from .notes import Notes
from .writing import JsonObject

LAYOUT = "flowverdict.dev/snapshot"
"""Key of the file's metadata whose value is `VERSION`."""
VERSION = "1"
SHARED = ("kind", "api_version", "namespace", "labels", "owners", "spec", "node", "phase", "host_address", "rest")
"""Columns of texts that many rows share."""
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("api_version", pa.string(), nullable=False),
        pa.field("namespace", pa.string()),
        pa.field("name", pa.string()),
        pa.field("object", pa.string()),
        pa.field("labels", pa.string()),
        pa.field("owners", pa.string()),
        pa.field("spec", pa.string()),
        pa.field("node", pa.string()),
        pa.field("phase", pa.string()),
        pa.field("address", pa.string()),
        pa.field("second_address", pa.string()),
        pa.field("host_address", pa.string()),
        pa.field("created", pa.timestamp("ms", "UTC")),
        pa.field("started", pa.timestamp("ms", "UTC")),
        pa.field("rest", pa.string()),
    ]
)
"""`object` is the text of a row that is no pod in columns; `rest` what a pod has beyond its columns, if anything."""
_BATCH_ROWS = 1 << 12
_GROUP_BATCHES = 1 << 5
_SHARED_BYTES = 1 << 26
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_POD = {"apiVersion": "v1", "kind": "Pod"}
Row = dict[str, Any]


def write_columns(objects: Iterable[JsonObject], file: IO[bytes], notes: Notes) -> None:
    """Write objects in the order in which they come.

    Parameters
    ----------
    objects : iterable of dict
        Each with ``apiVersion`` and ``kind``.
    file : file
        Open for writing.
    notes : Notes
        Read after the last object.
    """
    options = {"dictionary_pagesize_limit": _SHARED_BYTES, "write_page_checksum": True, "store_schema": False}
    with pq.ParquetWriter(file, SCHEMA, compression="zstd", use_dictionary=list(SHARED), **options) as writer:
        batches = _batches(map(row_of, objects))
        while group := list(islice(batches, _GROUP_BATCHES)):
            writer.write_table(pa.Table.from_batches(group))
        writer.add_key_value_metadata({LAYOUT: VERSION, **notes.annotations()})


def _batches(rows: Iterator[Row]) -> Iterator[pa.RecordBatch]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist(batch, SCHEMA)


def row_of(found: JsonObject) -> Row:
    """Return an object as a row; `pod_of` makes the same pod of it again."""
    if found.get("kind") == "Pod":
        row = _columns(found)
        if row is not None and pod_of(row) == found:
            return row
    metadata = found.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return {
        "kind": str(found.get("kind")),
        "api_version": str(found.get("apiVersion")),
        "namespace": _text(named.get("namespace")),
        "name": _text(named.get("name")),
        "object": _json(found),
    }


def _columns(pod: JsonObject) -> Row | None:
    """Return a pod in columns; None where one of its fields has another type, or it is a pod of no namespace."""
    try:
        msgspec.convert(pod, PodObject)
        metadata, spec, status = (dict(pod.get(part) or {}) for part in ("metadata", "spec", "status"))
        addresses = [entry["ip"] for entry in status.pop("podIPs", ())]
        row: Row = {
            "kind": "Pod",
            "api_version": "v1",
            "namespace": metadata.pop("namespace"),
            "name": metadata.pop("name"),
            "labels": _part(metadata, "labels"),
            "owners": _part(metadata, "ownerReferences"),
            "node": spec.pop("nodeName", None),
            "phase": status.pop("phase", None),
            "address": status.pop("podIP", None),
            "second_address": addresses[1] if len(addresses) > 1 else None,
            "host_address": status.pop("hostIP", None),
            "created": _time(metadata, "creationTimestamp"),
            "started": _time(status, "startTime"),
            "spec": _json(spec) if "spec" in pod else None,
        }
    except (msgspec.ValidationError, KeyError, TypeError, ValueError):
        return None
    if spec.get("hostNetwork") and not row["address"]:
        return None
    rest = {part: left for part, left in (("metadata", metadata), ("status", status)) if left}
    row["rest"] = _json(rest) if rest else None
    return row


def pod_of(row: Row) -> JsonObject:
    """Return the pod that a row stands for."""
    rest = msgspec.json.decode(row["rest"]) if row["rest"] else {}
    metadata = {
        "name": row["name"],
        "namespace": row["namespace"],
        "labels": _value(row["labels"]),
        "ownerReferences": _value(row["owners"]),
        "creationTimestamp": _written(row["created"]),
        **rest.get("metadata", {}),
    }
    spec = {"nodeName": row["node"], **(_value(row["spec"]) or {})}
    addresses = [address for address in (row["address"], row["second_address"]) if address is not None]
    status = {
        "phase": row["phase"],
        "podIP": row["address"],
        "podIPs": [{"ip": address} for address in addresses] or None,
        "hostIP": row["host_address"],
        "startTime": _written(row["started"]),
        **rest.get("status", {}),
    }
    parts = {"metadata": metadata, "spec": spec, "status": status}
    told = {part: {key: value for key, value in fields.items() if value is not None} for part, fields in parts.items()}
    if row["spec"] is None:
        del told["spec"]
    return {**_POD, **{part: fields for part, fields in told.items() if fields or part == "spec"}}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _value(text: str | None) -> Any:
    return None if text is None else msgspec.json.decode(text)


def _part(fields: JsonObject, name: str) -> str | None:
    value = fields.pop(name, None)
    return None if value is None else _json(value)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _time(fields: JsonObject, name: str) -> datetime | None:
    """Take out a time that is written as API servers write it."""
    text = fields.pop(name, None)
    return None if text is None else datetime.strptime(text, _TIME).replace(tzinfo=UTC)


def _written(time: datetime | None) -> str | None:
    return None if time is None else time.strftime(_TIME)
