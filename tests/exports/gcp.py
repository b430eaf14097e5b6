"""Flows as entries of Google Cloud's VPC Flow Logs."""

import json

from .rows import parts_of, rfc3339, rows_of


def write_gcp(path, batches):
    """A line for each flow, as its source's node reports it."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            file.write(json.dumps(_entry(row)) + "\n")


def _entry(row):
    connection = {
        "src_ip": row["source_address"],
        "src_port": row["source_port"],
        "dest_ip": row["destination_address"],
        "dest_port": row["destination_port"],
        "protocol": row["protocol"],
    }
    payload = {
        "connection": {name: value for name, value in connection.items() if name.endswith("_ip") or value is not None},
        "reporter": "SRC",
        "start_time": rfc3339(row["time"]),
        "end_time": rfc3339(row["end_time"]),
        "packets_sent": str(row["packets"]),
        "bytes_sent": str(row["bytes"]),
    }
    if row.get("node"):
        payload["src_instance"] = {"vm_name": row["node"]}
    for end, column in (("src", "source_pod"), ("dest", "destination_pod")):
        namespace, name = parts_of(row.get(column))
        if name:
            payload[f"{end}_gke_details"] = {"pod": {"pod_namespace": namespace, "pod_name": name}}
    return {"logName": "projects/lab/logs/compute.googleapis.com%2Fvpc_flows", "jsonPayload": payload}
