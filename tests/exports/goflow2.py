"""Flows as goflow2's JSON lines."""

import json

from .rows import rows_of

_NAMES = {
    "time": "time_flow_start_ns",
    "end_time": "time_flow_end_ns",
    "source_address": "src_addr",
    "destination_address": "dst_addr",
    "source_port": "src_port",
    "destination_port": "dst_port",
    "protocol": "proto",
    "tcp_flags": "tcp_flags",
    "packets": "packets",
    "bytes": "bytes",
    "icmp_type": "icmp_type",
    "icmp_code": "icmp_code",
}


def write_goflow2(path, batches):
    """A line for each flow, as an exporter of IPFIX sent it."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            told = {_NAMES[name]: value for name, value in row.items() if name in _NAMES and value is not None}
            file.write(json.dumps({"type": "IPFIX", "sampler_address": "10.0.0.1", "sampling_rate": 1, **told}) + "\n")
