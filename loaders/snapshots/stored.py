"""Reads snapshots in Parquet: pods all at once, other objects one by one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .columns import LAYOUT, SCHEMA, SHARED, VERSION
from .notes import Notes
from .stored_pods import StoredPods

_DAMAGED = (pa.ArrowException, OSError, UnicodeDecodeError, msgspec.MsgspecError)


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """A snapshot in Parquet.

    Attributes
    ----------
    texts : list of bytes
        The objects that are texts, in order.
    pods : StoredPods
        The pods that are in columns.
    notes : Notes
        What the snapshot tells of itself.
    """

    texts: list[bytes]
    pods: StoredPods
    notes: Notes


def is_snapshot(file: IO[bytes]) -> bool:
    """Whether a Parquet file is a snapshot."""
    try:
        return LAYOUT.encode() in (pq.read_metadata(file).metadata or {})
    except _DAMAGED:
        return False


def read_notes(data: bytes) -> Notes:
    """Return what a snapshot tells of itself; nothing where it is none, or damaged."""
    try:
        return _notes(pq.read_metadata(pa.BufferReader(data)))
    except _DAMAGED:
        return Notes()


def read_stored(data: bytes, name: str) -> StoredSnapshot:
    """Read a snapshot; `name` is what messages call its file.

    Raises
    ------
    ValueError
        It is none, or damaged.
    """
    try:
        metadata = pq.read_metadata(pa.BufferReader(data))
        _check_layout(metadata)
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=SHARED, page_checksum_verification=True)
        table = _checked(file.read(use_threads=False))
        stored = pc.is_valid(table["object"])
        texts = table.filter(stored)["object"].cast(pa.binary()).to_pylist()
        return StoredSnapshot(texts, StoredPods(name, table.filter(pc.invert(stored))), _notes(metadata))
    except _DAMAGED as error:
        raise ValueError(f"this Parquet file is damaged: {str(error).splitlines()[0]}") from None


def _check_layout(metadata: pq.FileMetaData) -> None:
    version = (metadata.metadata or {}).get(LAYOUT.encode())
    if version is None:
        raise ValueError("this Parquet file is not a snapshot of a cluster. Is it a capture?")
    if version != VERSION.encode():
        raise ValueError(f"this snapshot has layout {version.decode(errors='replace')}, which is not known here")
    if metadata.schema.names != SCHEMA.names:
        raise ValueError("this snapshot has other columns than it should. Was it written by something else?")


def _checked(table: pa.Table) -> pa.Table:
    """Return a table in one piece, once its columns hold what they should."""
    for field in SCHEMA:
        wanted = pa.dictionary(pa.int32(), field.type) if field.name in SHARED else field.type
        if table.schema.field(field.name).type != wanted:
            raise ValueError(f"this snapshot has something else than it should in the column {field.name!r}")
    table.validate(full=True)
    return table.unify_dictionaries().combine_chunks()


def _notes(metadata: pq.FileMetaData) -> Notes:
    found = metadata.metadata or {}
    return Notes.of({key.decode(errors="replace"): value.decode(errors="replace") for key, value in found.items()})
