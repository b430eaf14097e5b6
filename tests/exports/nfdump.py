"""Flows as nfdump prints them in CSV."""

from .rows import rfc3339, rows_of

_COLUMNS = ("firstSeen", "lastSeen", "proto", "srcAddr", "srcPort", "dstAddr", "dstPort", "packets", "bytes")


def write_nfdump(path, batches):
    """A header line, then a line for each flow; times in milliseconds, ICMP's type and code as port."""
    with open(path, "w") as file:
        file.write(",".join(_COLUMNS) + "\n")
        for row in rows_of(batches):
            file.write(",".join("" if value is None else str(value) for value in _values(row)) + "\n")


def _values(row):
    port = row["destination_port"]
    if row["protocol"] in (1, 58):
        port = f"{row['icmp_type']}.{row['icmp_code']}" if row.get("icmp_type") is not None else None
    return (
        _time(row["time"]),
        _time(row["end_time"]),
        row["protocol"],
        row["source_address"],
        row["source_port"] or 0,
        row["destination_address"],
        port,
        row["packets"],
        row["bytes"],
    )


def _time(nanoseconds):
    return rfc3339(nanoseconds)[:23].replace("T", " ")
