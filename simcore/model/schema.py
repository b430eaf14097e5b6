"""FLOW_SCHEMA: the columns that every capture is turned into. The only part of the model that needs pyarrow."""

from __future__ import annotations

import pyarrow as pa

NAMES = pa.dictionary(pa.int32(), pa.string())

FLOW_SCHEMA = pa.schema(
    [
        pa.field("time", pa.timestamp("ns"), metadata={"doc": "when the first packet was seen, UTC"}),
        pa.field("end_time", pa.timestamp("ns"), metadata={"doc": "when the last packet was seen, UTC"}),
        pa.field("source_address", pa.uint32(), metadata={"doc": "IPv4, host byte order; or binary(16), see below"}),
        pa.field("destination_address", pa.uint32(), metadata={"doc": "as source_address"}),
        pa.field("source_port", pa.uint16(), metadata={"doc": "null where the record has none"}),
        pa.field("destination_port", pa.uint16(), metadata={"doc": "null where the record has none"}),
        pa.field("protocol", pa.uint8(), metadata={"doc": "IANA protocol number; null where it is not IP"}),
        pa.field("tcp_flags", pa.uint8(), metadata={"doc": "OR of the flags seen"}),
        pa.field("packets", pa.int64(), metadata={"doc": "packets in the record"}),
        pa.field("bytes", pa.int64(), metadata={"doc": "bytes in the record"}),
        pa.field("source_pod", NAMES, metadata={"doc": "namespace/name"}),
        pa.field("destination_pod", NAMES, metadata={"doc": "namespace/name"}),
        pa.field("node", NAMES, metadata={"doc": "node that saw the flow"}),
        pa.field("observed_verdict", NAMES, metadata={"doc": "what the capture's own source said of the flow"}),
    ]
)
"""Columns of a flow, all of them nullable and all but the addresses' own optional.

An address column is uint32 where every address in the batch is IPv4, and fixed_size_binary(16) in network
order otherwise, IPv4 then being mapped (``::ffff:a.b.c.d``). A null is a record without that address.
"""

WIDE_ADDRESS = pa.binary(16)
