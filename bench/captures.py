"""Captures to replay: flows in memory as Parquet, with what else a record tells."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from loaders.captures.writer import FlowWriter
from loaders.synthetic.rows import DURATION, START_TIME

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
