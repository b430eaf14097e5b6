"""All possible connections as Parquet: a row for each pair of ends and range of ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...model.flows import Verdict
from ...model.ports import PROTOCOL_NAMES
from .listing import Listing
from .results import End

WORDS = pa.dictionary(pa.int32(), pa.string())
REACH_SCHEMA = pa.schema(
    [
        pa.field("source", WORDS, nullable=False),
        pa.field("destination", WORDS, nullable=False),
        pa.field("protocol", WORDS, nullable=False),
        pa.field("first_port", pa.uint16(), nullable=False),
        pa.field("last_port", pa.uint16(), nullable=False),
        pa.field("verdict", WORDS, nullable=False),
    ]
)
"""What `reach --format parquet` writes, in the order of the text; ``verdict`` is allow or unknown."""
_ROWS = 100_000


def write_reach(path: Path, listing: Listing, name: Callable[[End], str]) -> int:
    """Write a listing in REACH_SCHEMA, whole or not at all; return the number of rows."""
    partial = path.with_name(f"{path.name}.partial")
    rows, written = _rows(listing, name), 0
    try:
        with pq.ParquetWriter(partial, REACH_SCHEMA, compression="zstd", version="2.6") as writer:
            while some := list(islice(rows, _ROWS)):
                columns = zip(*some, strict=True)
                arrays = [
                    pa.array(each, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
                    for each, field in zip(columns, REACH_SCHEMA, strict=True)
                ]
                cast = [one.cast(field.type) for one, field in zip(arrays, REACH_SCHEMA, strict=True)]
                writer.write_table(pa.table(cast, schema=REACH_SCHEMA))
                written += len(some)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return written


def _rows(listing: Listing, name: Callable[[End], str]) -> Iterator[tuple[str, str, str, int, int, str]]:
    for source, destination, ports in listing.pairs():
        for ranges, verdict in ((ports.allowed, Verdict.ALLOW), (ports.unknown, Verdict.UNKNOWN)):
            for one in ranges:
                words = PROTOCOL_NAMES[one.protocol], one.first, one.last, verdict.word
                yield name(source), name(destination), *words
