"""Flows as flow logs of Calico Enterprise, and as Goldmane's."""

import ipaddress
import json

from .rows import SECOND, parts_of, rfc3339, rows_of

_NAMES = {6: "tcp", 17: "udp", 132: "sctp", 1: "icmp", 58: "icmp6"}
_SIDES = {"egress_verdict": "src", "ingress_verdict": "dst"}
_ACTIONS = {"forwarded": "allow", "dropped": "deny"}


def write_calico(path, batches):
    """A line for each flow, nothing of it aggregated."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            file.write(json.dumps(_enterprise(row)) + "\n")


def _enterprise(row):
    found = {
        "start_time": row["time"] // SECOND,
        "end_time": row["end_time"] // SECOND,
        **_judged(row),
        "host": row.get("node"),
        "proto": _NAMES.get(row["protocol"], row["protocol"]),
        "packets_out": row["packets"],
        "bytes_out": row["bytes"],
        "num_flows_started": 1,
    }
    for end, column in (("source", "source"), ("dest", "destination")):
        namespace, name = parts_of(row.get(f"{column}_pod"))
        found |= {
            f"{end}_ip": row[f"{column}_address"],
            f"{end}_port": row[f"{column}_port"],
            f"{end}_name": name or "-",
            f"{end}_name_aggr": _prefix(name) if name else _network(row[f"{column}_address"]),
            f"{end}_namespace": namespace or "-",
            f"{end}_type": "wep" if name else "net",
        }
    return found


def write_goldmane(path, batches):
    """A line for each flow, as Whisker shows it: pods by what their names begin with, whatever else by its network."""
    with open(path, "w") as file:
        for row in rows_of(batches):
            file.write(json.dumps(_aggregated(row)) + "\n")


def _aggregated(row):
    judged = _judged(row)
    found = {
        "start_time": rfc3339(row["time"]),
        "end_time": rfc3339(row["end_time"]),
        "action": judged["action"].title(),
        "reporter": judged["reporter"].title(),
        "protocol": _NAMES.get(row["protocol"], row["protocol"]),
        "dest_port": row["destination_port"] or 0,
        "policies": {"enforced": [], "pending": []},
        "packets_out": row["packets"],
        "bytes_out": row["bytes"],
    }
    for end, column in (("source", "source"), ("dest", "destination")):
        namespace, name = parts_of(row.get(f"{column}_pod"))
        found[f"{end}_name"] = _prefix(name) if name else _network(row[f"{column}_address"])
        found[f"{end}_namespace"] = namespace or "-"
    return found


def _judged(row):
    for column, reporter in _SIDES.items():
        if row.get(column):
            return {"action": _ACTIONS[row[column]], "reporter": reporter}
    return {"action": "allow", "reporter": "src"}


def _prefix(name):
    """What a pod's name begins with, up to its random end, as a controller makes it."""
    head, dash, _ = name.rpartition("-")
    return f"{head}{dash}*"


def _network(address):
    if address is None:
        return "-"
    return "pvt" if ipaddress.ip_address(address).is_private else "pub"
