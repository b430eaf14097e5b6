"""Flows as events of Inspektor Gadget."""

import json

from .rows import parts_of, rfc3339, rows_of

_NAMES = {6: "TCP", 17: "UDP", 132: "SCTP", 1: "ICMP", 58: "ICMPv6"}


def write_gadget(path, batches):
    """TCP as connections that sockets open, all else as DNS questions without a name, which have ports too."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            file.write(json.dumps(_event(row)) + "\n")


def _event(row):
    kind = {"type": "connect", "error": ""} if row["protocol"] == 6 else {"qr": "Q", "pkt_type": "OUTGOING"}
    return {
        "timestamp": rfc3339(row["time"]),
        "k8s": {"node": row.get("node") or ""},
        "netns_id": 1,
        "src": _end(row, "source"),
        "dst": _end(row, "destination"),
        **kind,
    }


def _end(row, end):
    namespace, name = parts_of(row.get(f"{end}_pod"))
    found = {"addr": row[f"{end}_address"], "port": row[f"{end}_port"], "proto": _NAMES.get(row["protocol"])}
    return {**found, "k8s": {"kind": "pod" if name else "raw", "namespace": namespace, "name": name}}
