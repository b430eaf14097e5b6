"""Captures in Parquet as a format among others, for those who convert them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from ..parquet import ParquetCapture
from ..streams import Source
from .format import Format
from .reading import Reading

_BATCH_ROWS = 32_768


def format_of(capture: ParquetCapture) -> Format:
    """Return what reads a capture of one file."""
    columns = tuple(name for name in capture.shape.schema.names if name in capture.columns)

    def read(_source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
        for split in (*capture.splits, *capture.answers):
            yield from capture.read(split, columns, _BATCH_ROWS)
        reading.problems += [capture.damage[key] for key in sorted(capture.damage)]

    return Format(
        name=capture.formats[0],
        title="Parquet of flows",
        row="as it says",
        recognise=lambda sample: sample.parquet is not None,
        fields=lambda _: columns,
        read=read,
    )
