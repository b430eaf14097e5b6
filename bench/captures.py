"""Captures to replay: flows in memory as Parquet, with what else a record tells."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loaders.captures.writer import FlowWriter
from loaders.synthetic.rows import DURATION, START_TIME
from simcore.model.addresses import Address, Family

from .clusters import SEED
from .flows import FiveTuples

_CHUNK = 1_000_000


def write_capture(flows: FiveTuples, path: Path) -> None:
    """Write flows with times, packets and bytes, laid out as `flowverdict generate flows` does."""
    random = np.random.default_rng(SEED)
    with FlowWriter(str(path)) as writer:
        start = 0
        for part in flows.batches(_CHUNK):
            numbers = np.arange(start, start + len(part))
            time = START_TIME + numbers * (DURATION // len(flows))
            packets = np.maximum(2, random.lognormal(2.2, 1.1, len(part))).astype(np.int64)
            ends = time + random.lognormal(17.5, 2.0, len(part)).astype(np.int64)
            columns = {
                "time": pa.array(time).cast(pa.timestamp("ns")),
                "end_time": pa.array(ends).cast(pa.timestamp("ns")),
                "source_address": pa.array(part.source),
                "destination_address": pa.array(part.destination),
                "source_port": pa.array(part.source_port),
                "destination_port": pa.array(part.port),
                "protocol": pa.array(part.protocol),
                "packets": pa.array(packets),
                "bytes": pa.array(packets * random.integers(60, 1_200, len(part))),
            }
            writer.write(pa.RecordBatch.from_pydict(columns))
            start += len(part)


def write_as_text(source: Path, target: Path) -> None:
    """Write a capture of 4-byte addresses anew, its addresses in words as flow logs of clouds have them."""
    with pq.ParquetFile(source) as file:
        fields = [pa.field(f.name, pa.string()) if f.name.endswith("_address") else f for f in file.schema_arrow]
        schema = pa.schema(fields)
        with pq.ParquetWriter(target, schema) as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                columns = [_in_words(column) if column.type == pa.uint32() else column for column in table.columns]
                writer.write_table(pa.table(columns, schema=schema))


def _in_words(column: pa.ChunkedArray) -> pa.Array:
    coded = column.combine_chunks().dictionary_encode()
    words = pa.array([str(Address(Family.V4, value)) for value in coded.dictionary.to_pylist()], pa.string())
    return words.take(coded.indices)
