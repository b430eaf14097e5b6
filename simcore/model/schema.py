"""FLOW_SCHEMA and PACKET_SCHEMA: the columns that every capture of flows, or of packets, is turned into.

The only part of the model that needs pyarrow.
"""

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
        pa.field("icmp_type", pa.uint8(), metadata={"doc": "ICMP or ICMPv6 type"}),
        pa.field("icmp_code", pa.uint8(), metadata={"doc": "ICMP or ICMPv6 code"}),
        pa.field("http_method", NAMES, metadata={"doc": "of an HTTP request"}),
        pa.field("http_path", NAMES, metadata={"doc": "of an HTTP request, with its query string"}),
        pa.field("http_host", NAMES, metadata={"doc": "of an HTTP request, with a port where it names one"}),
        pa.field("http_headers", NAMES, metadata={"doc": "Name: value, a line each; null: not recorded"}),
        pa.field("dns_query", NAMES, metadata={"doc": "name asked for, in small letters, without final dot"}),
        pa.field("dns_addresses", NAMES, metadata={"doc": "addresses that a DNS answer gives, parted by commas"}),
        pa.field("dns_ttl", pa.int32(), metadata={"doc": "how long a DNS answer holds, in seconds"}),
        pa.field("tls_sni", NAMES, metadata={"doc": "server name that a TLS client asked for"}),
        pa.field("egress_verdict", NAMES, metadata={"doc": "recorded at the source; see SIDE_VERDICTS"}),
        pa.field("ingress_verdict", NAMES, metadata={"doc": "recorded at the destination; see SIDE_VERDICTS"}),
        pa.field("egress_reason", NAMES, metadata={"doc": "why it was dropped at the source: POLICY_DENIED"}),
        pa.field("ingress_reason", NAMES, metadata={"doc": "why it was dropped at the destination"}),
        pa.field("egress_policies", NAMES, metadata={"doc": "recorded to decide, sorted, parted by commas"}),
        pa.field("ingress_policies", NAMES, metadata={"doc": "as egress_policies"}),
        pa.field("source_identity", pa.uint32(), metadata={"doc": "Cilium's number for the source's labels"}),
        pa.field("destination_identity", pa.uint32(), metadata={"doc": "as source_identity"}),
        pa.field("source_workload", NAMES, metadata={"doc": "namespace/Kind/name"}),
        pa.field("destination_workload", NAMES, metadata={"doc": "namespace/Kind/name"}),
        pa.field("source_labels", NAMES, metadata={"doc": "labels of the identity, parted by commas"}),
        pa.field("destination_labels", NAMES, metadata={"doc": "labels of the identity, parted by commas"}),
        pa.field("record", NAMES, metadata={"doc": "what the row stands for; see RECORDS"}),
    ]
)
"""Columns of a flow, all of them nullable and all but the addresses' own optional.

An address column is uint32 where every address in the batch is IPv4, and fixed_size_binary(16) in network
order otherwise, IPv4 then being mapped (``::ffff:a.b.c.d``). A null is a record without that address.
"""

WIDE_ADDRESS = pa.binary(16)

SIDE_VERDICTS = ("forwarded", "dropped", "audit", "redirected", "error")
"""What a dataplane recorded at one side of a connection.

``audit`` was let through and would be denied; ``redirected`` was let through to a proxy; ``error`` was lost for a
reason that no policy has a part in.
"""

CONNECTION, MID_STREAM, REQUEST, ANSWER = RECORDS = ("connection", "mid-stream", "request", "answer")
"""What a row stands for; a null is a connection.

``mid-stream`` is a connection whose opening is not in the capture. ``request`` is one request of a connection, with the
connection's five-tuple. ``answer`` is a DNS answer, with the five-tuple of its question: it tells addresses, and is not
judged.
"""

_PACKET_FIELDS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("time", pa.timestamp("ns"), "when it was seen, UTC"),
    ("source_address", pa.uint32(), "as in FLOW_SCHEMA"),
    ("destination_address", pa.uint32(), "as in FLOW_SCHEMA"),
    ("source_port", pa.uint16(), "null where the protocol has none"),
    ("destination_port", pa.uint16(), "null where the protocol has none"),
    ("protocol", pa.uint8(), "IANA protocol number"),
    ("flags", pa.uint8(), "TCP: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128"),
    ("length", pa.int32(), "bytes of payload, after the transport header"),
    ("sequence", pa.uint32(), "TCP sequence number"),
    ("acknowledgement", pa.uint32(), "TCP acknowledgement number"),
    ("window", pa.uint16(), "TCP window as on the wire, not scaled"),
    ("window_scale", pa.uint8(), "shift of the window scale option; null: no such option"),
    ("sack_permitted", pa.bool_(), "the SACK-permitted option is there; null: it is not"),
    ("mss", pa.uint16(), "maximum segment size option; null: no such option"),
    ("side", NAMES, "where it entered: a, the clients' side, or b; null: told by the source address"),
    ("icmp_type", pa.uint8(), "ICMP or ICMPv6 type"),
    ("icmp_code", pa.uint8(), "ICMP or ICMPv6 code; null: 0"),
    ("icmp_id", pa.uint16(), "identifier of an echo and its like; null: 0"),
    ("sctp_tag", pa.uint32(), "SCTP verification tag"),
    ("sctp_chunk", pa.uint8(), "type of the first SCTP chunk"),
    ("sctp_initiate_tag", pa.uint32(), "initiate tag of an INIT or INIT ACK chunk"),
    ("checksum_ok", pa.bool_(), "false: a wrong checksum; null: it is right, or there is none"),
    ("payload", pa.string(), "text that a helper reads, such as a line of FTP"),
    ("inner_source_address", pa.uint32(), "of the packet that an ICMP error quotes; as source_address"),
    ("inner_destination_address", pa.uint32(), "of the quoted packet"),
    ("inner_source_port", pa.uint16(), "of the quoted packet"),
    ("inner_destination_port", pa.uint16(), "of the quoted packet"),
    ("inner_protocol", pa.uint8(), "of the quoted packet; null: nothing is quoted"),
    ("inner_icmp_type", pa.uint8(), "of the quoted packet"),
    ("inner_icmp_code", pa.uint8(), "of the quoted packet; null: 0"),
    ("inner_icmp_id", pa.uint16(), "of the quoted packet; null: 0"),
)

PACKET_SCHEMA = pa.schema([pa.field(name, kind, metadata={"doc": text}) for name, kind, text in _PACKET_FIELDS])
"""Columns of a packet, in the order in which it was seen.

`PACKET_REQUIRED` are never null. All others may be null and may be left out, which means the same. Addresses are as in
FLOW_SCHEMA; those of one batch need not be of one width.
"""

PACKET_REQUIRED = ("time", "source_address", "destination_address", "protocol")
