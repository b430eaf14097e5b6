"""Flow logs of Calico Enterprise and Calico Cloud: JSON lines, or hits of Elasticsearch that hold them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from ..calico.ends import Kind, end_of
from ..calico.traces import action_of, decider, opening_of, sided
from ..records.format import Format
from ..records.objects import read_objects
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tabling import labels_of, moment_of, name_of, part, port_of, text_of, to_batches, total
from ..streams import Source

_COLUMNS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("packets", "bytes", "source_pod", "destination_pod", "node", "observed_verdict"),
    *("egress_verdict", "ingress_verdict", "egress_policies", "ingress_policies"),
    *("source_labels", "destination_labels", "record"),
)
_KINDS: Mapping[object, Kind] = {"wep": "pod", "hep": "node", "ns": "set", "net": "net"}
_TOLD = ("source_name_aggr", "dest_name_aggr", "reporter", "action")
"""Fields that every record has."""

_TRACES = ("enforced_policies", "all_policies")


def _recognise(sample: Sample) -> bool:
    return any(_is_flow(_flow(value)) for value in sample.objects)


def _flow(value: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = value.get("_source")
    return inner if isinstance(inner, dict) else value


def _is_flow(flow: Mapping[str, Any]) -> bool:
    return all(flow.get(name) is not None for name in _TOLD)


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    return to_batches(_rows(source, reading), _COLUMNS)


def _rows(source: Source, reading: Reading) -> Iterator[tuple[object, ...]]:
    for place, value in read_objects(source, reading):
        flow = _flow(value)
        if _is_flow(flow):
            yield _row(flow)
        else:
            missing = next(name for name in _TOLD if flow.get(name) is None)
            reading.complain(source, place, f"this is no flow of Calico's: it has no {missing}")


def _row(flow: Mapping[str, Any]) -> tuple[object, ...]:
    action, reporter = action_of(flow["action"]), (text_of(flow["reporter"]) or "").lower()
    return (
        moment_of(flow.get("start_time")),
        moment_of(flow.get("end_time")),
        flow.get("source_ip"),
        flow.get("dest_ip"),
        port_of(flow.get("source_port")),
        port_of(flow.get("dest_port")),
        flow.get("proto"),
        total(flow.get("packets_in"), flow.get("packets_out")),
        total(flow.get("bytes_in"), flow.get("bytes_out")),
        _end(flow, "source"),
        _end(flow, "dest"),
        name_of(flow.get("host")) or None,
        action,
        *sided(reporter, action, decider(_trace(flow))),
        labels_of(part(flow, "source_labels").get("labels")),
        labels_of(part(flow, "dest_labels").get("labels")),
        opening_of(flow.get("num_flows_started"), action),
    )


def _trace(flow: Mapping[str, Any]) -> object:
    policies = part(flow, "policies")
    return next((policies[name] for name in _TRACES if policies.get(name)), None)


def _end(flow: Mapping[str, Any], end: str) -> str | None:
    """Name an end; where its address tells more than a name that stands for many, it goes by that."""
    kind = flow.get(f"{end}_type")
    known = _KINDS.get(kind, "") if isinstance(kind, str) else ""
    name, namespace = name_of(flow.get(f"{end}_name")), flow.get(f"{end}_namespace")
    if known in ("pod", "") and name:
        return end_of("pod", namespace, name)
    if flow.get(f"{end}_ip"):
        return None
    return end_of(known, namespace, flow.get(f"{end}_name_aggr"))


FORMAT = Format(
    name="calico",
    title="flow logs of Calico Enterprise and Calico Cloud: JSON lines, or Elasticsearch's hits of them",
    row="connections of an interval, as one side reports them",
    recognise=_recognise,
    fields=lambda _: _COLUMNS,
    read=_read,
    lacks=(
        "aggregated records have no source port and no addresses: their connections cannot be followed, and rules by "
        "CIDR are unknown for ends outside the cluster",
        "both sides report a flow between two pods, as rows of their own",
    ),
)
