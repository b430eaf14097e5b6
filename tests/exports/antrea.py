"""Flows as records of Antrea's Flow Aggregator."""

import json

from .rows import SECOND, parts_of, rows_of


def write_antrea(path, batches):
    """A line of JSON for each flow; no policy decided any."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            file.write(json.dumps(_record(row)) + "\n")


def _record(row):
    record = {
        "flowStartSeconds": row["time"] // SECOND,
        "flowEndSeconds": row["end_time"] // SECOND,
        "sourceTransportPort": row["source_port"],
        "destinationTransportPort": row["destination_port"],
        "protocolIdentifier": row["protocol"],
        "packetDeltaCount": row["packets"],
        "octetDeltaCount": row["bytes"],
        "ingressNetworkPolicyRuleAction": 0,
        "egressNetworkPolicyRuleAction": 0,
    }
    for end in ("source", "destination"):
        address = row[f"{end}_address"] or ""
        record[f"{end}IPv6Address" if ":" in address else f"{end}IPv4Address"] = address
        record[f"{end}PodNamespace"], record[f"{end}PodName"] = parts_of(row.get(f"{end}_pod"))
    return record
