"""Flows as packets, one for each."""

from tests import frames

from .rows import rows_of


def write_pcap(path, batches):
    """The first packet of each flow."""
    packets = [(row["time"], _packet(row)) for row in rows_of(batches)]
    with open(path, "wb") as file:
        file.write(frames.pcap(packets, nanoseconds=True, link=frames.RAW))


def _packet(row):
    build = frames.ip6 if ":" in row["source_address"] else frames.ip4
    return build(row["source_address"], row["destination_address"], row["protocol"], _transport(row))


def _transport(row):
    ports = row["source_port"], row["destination_port"]
    if row["protocol"] == 6:
        return frames.tcp(*ports, row.get("tcp_flags") or frames.SYN)
    if row["protocol"] == 17:
        return frames.udp(*ports)
    if row["protocol"] == 132:
        return frames.sctp(*ports, 0, 1)
    return b""
