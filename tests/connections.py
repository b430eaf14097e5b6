"""A cluster of two pods and captures of what they say to each other, made by hand."""

from datetime import UTC, datetime
from ipaddress import ip_address

import pyarrow as pa

from simcore.model.conntrack import SECOND

# db lets web in on 5432 and may open nothing itself: by itself, each of its answers would be denied.
CLUSTER = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: a, containers: [{name: web}]}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: b, containers: [{name: db, ports: [{containerPort: 35432}]}]}
status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}, {port: 35432}, {port: 53, protocol: UDP}]
"""
WEB, DB, OUT = "10.0.0.1", "10.0.0.2", "192.0.2.9"
BEGIN = int(datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp())
S, SA, A, FA, R, ALL = 0x02, 0x12, 0x10, 0x11, 0x14, 0x1B


def row(time, source, destination, flags=None, *, lasts=0.0, packets=1, protocol=6):
    """A row; ends are (address, port), the time is in seconds since the begin."""
    return {
        "time": None if time is None else round((BEGIN + time) * SECOND),
        "end_time": None if time is None else round((BEGIN + time + lasts) * SECOND),
        "source_address": int(ip_address(source[0])),
        "destination_address": int(ip_address(destination[0])),
        "source_port": source[1],
        "destination_port": destination[1],
        "protocol": protocol,
        "tcp_flags": flags,
        "packets": packets,
    }


SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns")),
        ("end_time", pa.timestamp("ns")),
        ("source_address", pa.uint32()),
        ("destination_address", pa.uint32()),
        ("source_port", pa.uint16()),
        ("destination_port", pa.uint16()),
        ("protocol", pa.uint8()),
        ("tcp_flags", pa.uint8()),
        ("packets", pa.int64()),
    ]
)


VPC = {
    "srcaddr": [WEB, DB, WEB, DB, WEB],
    "dstaddr": [DB, WEB, DB, WEB, DB],
    "srcport": [40_000, 5432, 40_000, 5432, 40_001],
    "dstport": [5432, 40_000, 5432, 40_000, 5433],
    "protocol": [6] * 5,
    "packets": [9, 8, 3, 2, 1],
    "bytes": [900, 800, 300, 200, 60],
    "start": [BEGIN + 1, BEGIN, BEGIN + 60, BEGIN + 60, BEGIN + 2],
    "end": [BEGIN + 58, BEGIN + 58, BEGIN + 70, BEGIN + 70, BEGIN + 2],
    "tcp_flags": [2, 18, 1, 1, 2],
    "interface_id": ["eni-1"] * 5,
    "action": ["ACCEPT"] * 5,
}
