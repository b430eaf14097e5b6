"""Flows as events of `conntrack -E -o timestamp,extended,id`."""

from .rows import SECOND, rows_of

NAMES = {6: "tcp", 17: "udp", 132: "sctp"}
WITH_STATE = {6: "SYN_SENT ", 132: "INIT "}


def write_conntrack(path, batches):
    """Two events for each flow: made with its first packet, taken out with its last."""
    with open(path, "w") as file:
        for number, row in enumerate(rows_of(batches)):
            there, back = _tuples(row)
            counted = f"packets={row['packets']} bytes={row['bytes']}"
            made, gone = (f"[{time // SECOND}.{time % SECOND // 1000:06}]" for time in (row["time"], row["end_time"]))
            file.write(f"{made}\t    [NEW] {_protocol(row, True)} {there} [UNREPLIED] {back} id={number}\n")
            file.write(f"{gone}\t[DESTROY] {_protocol(row, False)} {there} {counted} {back} id={number}\n")


def _protocol(row, is_new):
    family = "ipv6     10" if ":" in row["source_address"] else "ipv4     2"
    name = NAMES.get(row["protocol"], "unknown")
    state = f"120 {WITH_STATE.get(row['protocol'], '')}" if is_new else ""
    return f"{family} {name:<8} {row['protocol']} {state}".rstrip()


def _tuples(row):
    source, destination = row["source_address"], row["destination_address"]
    there, back = _selectors(row)
    return f"src={source} dst={destination}{there}", f"src={destination} dst={source}{back}"


def _selectors(row):
    if row["source_port"] is None:
        return "", ""
    there, back = row["source_port"], row["destination_port"]
    return f" sport={there} dport={back}", f" sport={back} dport={there}"
