"""Flows as Zeek's conn.log."""

from decimal import Decimal

from .rows import SECOND, rows_of

_FIELDS = (
    *("ts", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "duration"),
    *("orig_pkts", "orig_ip_bytes", "ip_proto"),
)
_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmp"}


def write_zeek(path, batches):
    """Header lines, then a line for each flow, ICMP's type and code in the place of ports."""
    with open(path, "w") as file:
        file.write("#separator \\x09\n#unset_field\t-\n#path\tconn\n#fields\t" + "\t".join(_FIELDS) + "\n")
        for row in rows_of(batches):
            file.write("\t".join("-" if value is None else str(value) for value in _values(row)) + "\n")


def _values(row):
    is_icmp = row["protocol"] in (1, 58)
    ports = ("icmp_type", "icmp_code") if is_icmp else ("source_port", "destination_port")
    source, destination = (row.get(name) for name in ports)
    return (
        Decimal(row["time"]) / SECOND,
        row["source_address"],
        source,
        row["destination_address"],
        destination,
        _PROTOCOLS.get(row["protocol"], "unknown_transport"),
        Decimal(row["end_time"] - row["time"]) / SECOND,
        row["packets"],
        row["bytes"],
        row["protocol"],
    )
