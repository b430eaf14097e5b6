"""Makes lines of Hubble exports, and reads what becomes of them."""

import json

import pyarrow as pa

from loaders.captures import open_capture
from loaders.captures.hubble import convert_hubble
from simcore.model.schema import FLOW_SCHEMA

CLIENT = {
    "ID": 7,
    "identity": 30_001,
    "cluster_name": "east",
    "namespace": "store",
    "labels": ["k8s:app=till", "k8s:io.kubernetes.pod.namespace=store"],
    "pod_name": "till-0",
    "workloads": [{"name": "till", "kind": "StatefulSet"}],
}
SERVER = {
    "identity": 30_002,
    "cluster_name": "east",
    "namespace": "store",
    "labels": ["k8s:app=stock", "k8s:io.kubernetes.pod.namespace=store"],
    "pod_name": "stock-5d-x",
    "workloads": [{"name": "stock", "kind": "Deployment"}],
}
WORLD = {"identity": 2, "labels": ["reserved:world"]}
SYN, SYN_ACK, ACK, FIN = {"SYN": True}, {"SYN": True, "ACK": True}, {"ACK": True}, {"ACK": True, "FIN": True}
NEW, ESTABLISHED, REPLY = "NEW", "ESTABLISHED", "REPLY"
_START = "2026-10-05T06:{:02d}:{:02d}.{:09d}Z"


def at(seconds):
    """A time as Hubble writes it, so many seconds after 06:00."""
    ticks = round(seconds * 1_000_000_000)
    second, fraction = divmod(ticks, 1_000_000_000)
    return _START.format(second // 60, second % 60, fraction)


def flow(seconds, kind=5, verdict="FORWARDED", direction="EGRESS", port=40_000, flags=SYN, **others):
    """A flow of the client to the server's port 8080."""
    told = {
        "time": at(seconds),
        "verdict": verdict,
        "IP": {"source": "10.4.1.5", "destination": "10.4.2.6", "ipVersion": "IPv4"},
        "l4": {"TCP": {"source_port": port, "destination_port": 8080, "flags": flags}},
        "source": CLIENT,
        "destination": SERVER,
        "Type": "L3_L4",
        "event_type": {"type": kind},
        "traffic_direction": direction,
        "node_name": "east/one" if direction == "EGRESS" else "east/two",
    }
    if kind == 5 and verdict != "DROPPED":
        told["is_reply"] = False
    return told | others


def denied(seconds, kind=5, direction="EGRESS", reason="POLICY_DENIED", **others):
    """A denial: a verdict, or with kind 1 the drop that goes with it."""
    return flow(seconds, kind, "DROPPED", direction, drop_reason_desc=reason, **others)


def trace(seconds, reason=ESTABLISHED, flags=ACK, point="TO_ENDPOINT", **others):
    """A packet that was seen."""
    reply = {} if reason is None else {"is_reply": reason == REPLY, "trace_reason": reason}
    return flow(seconds, 4, flags=flags, trace_observation_point=point, **reply, **others)


def turned(told):
    """The same with its ends changed over, as in a reply."""
    told = dict(told)
    told["IP"] = {"source": told["IP"]["destination"], "destination": told["IP"]["source"]}
    for name, header in told["l4"].items():
        if "source_port" in header:
            ports = {"source_port": header["destination_port"], "destination_port": header["source_port"]}
            told["l4"] = {name: header | ports}
    told["source"], told["destination"] = told["destination"], told["source"]
    return told


def layer7(seconds, kind="REQUEST", verdict="FORWARDED", direction="INGRESS", **seen):
    """What a proxy saw."""
    told = flow(seconds, 129, verdict, direction, Type="L7", l7={"type": kind, **seen}, is_reply=kind == "RESPONSE")
    return turned(told) if kind == "RESPONSE" else told


def wrapped(told):
    return {"flow": told, "node_name": told.get("node_name", ""), "time": told["time"]}


def text(*messages):
    return "".join(json.dumps(message) + "\n" for message in messages)


def save(folder, *flows, name="events.log"):
    path = folder / name
    path.write_text(text(*map(wrapped, flows)))
    return str(path)


def converted(folder, *paths, **options):
    """Convert files; return rows as mappings of what is not null, and the counts."""
    output = str(folder / "out.parquet")
    counts = convert_hubble(paths, output, **options)
    capture = open_capture([output])
    names = [name for name in FLOW_SCHEMA.names if name in capture.columns]
    rows = []
    for split in (*capture.splits, *capture.answers):
        for batch in capture.read(split, names, 1 << 20):
            for name in ("time", "end_time"):
                position = batch.schema.get_field_index(name)
                batch = batch.set_column(position, name, batch[name].cast(pa.int64()))
            rows += [{name: value for name, value in row.items() if value is not None} for row in batch.to_pylist()]
    return rows, counts


def convert(folder, *flows, **options):
    """Convert wrapped flows of one file."""
    return converted(folder, save(folder, *flows), **options)


def sides(row):
    """What was recorded at both sides."""
    return row.get("egress_verdict"), row.get("ingress_verdict")


def fates(counts):
    return dict(counts.fates)
