"""Flows as AWS VPC Flow Logs in text."""

from .rows import SECOND, rows_of

_FIELDS = {
    "interface-id": lambda row: "eni-0123",
    "pkt-srcaddr": lambda row: row["source_address"],
    "pkt-dstaddr": lambda row: row["destination_address"],
    "srcport": lambda row: row["source_port"],
    "dstport": lambda row: row["destination_port"],
    "protocol": lambda row: row["protocol"],
    "packets": lambda row: row["packets"],
    "bytes": lambda row: row["bytes"],
    "start": lambda row: row["time"] // SECOND,
    "end": lambda row: row["end_time"] // SECOND,
    "action": lambda row: "ACCEPT",
    "log-status": lambda row: "OK",
}


def write_aws(path, batches):
    """A header line, then a line for each flow; times in whole seconds."""
    with open(path, "w") as file:
        file.write(" ".join(_FIELDS) + "\n")
        for row in rows_of(batches):
            values = [value(row) for value in _FIELDS.values()]
            file.write(" ".join("-" if value is None else str(value) for value in values) + "\n")
