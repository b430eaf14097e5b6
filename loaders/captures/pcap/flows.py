"""Packets as flows: a row for each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from ..records.reading import Reading
from ..streams import Source
from .columns import addresses, numbers, times
from .decoding import Decoded, is_told, read_decoded

COLUMNS = (
    "time",
    "source_address",
    "destination_address",
    "source_port",
    "destination_port",
    "protocol",
    "tcp_flags",
    "packets",
    "bytes",
    "icmp_type",
    "icmp_code",
)


def read_flows(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    """Read a file's packets as flows, in their order."""
    for decoded in read_decoded(source, reading):
        yield _batch(decoded)


def _batch(decoded: Decoded) -> pa.RecordBatch:
    packets, transport = decoded.packets, decoded.transport
    rows = packets.at.size
    arrays = [
        times(decoded.frames.time),
        addresses(packets.source),
        addresses(packets.destination),
        numbers(transport.source_port.values, transport.source_port.known, pa.uint16()),
        numbers(transport.destination_port.values, transport.destination_port.known, pa.uint16()),
        numbers(packets.protocol, is_told(packets), pa.uint8()),
        numbers(transport.tcp_flags.values, transport.tcp_flags.known, pa.uint8()),
        pa.array(np.ones(rows, np.int64)),
        pa.array(packets.length),
        numbers(transport.icmp_type.values, transport.icmp_type.known, pa.uint8()),
        numbers(transport.icmp_code.values, transport.icmp_code.known, pa.uint8()),
    ]
    return pa.RecordBatch.from_arrays(arrays, list(COLUMNS))
