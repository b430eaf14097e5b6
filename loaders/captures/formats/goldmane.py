"""Calico's flows as Goldmane aggregates them and Whisker shows them: JSON lines, or the list of the REST interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pyarrow as pa

from ..calico.ends import Kind, end_of
from ..calico.traces import action_of, decider, opening_of, sided
from ..records.format import Format
from ..records.objects import read_objects
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tabling import labels_of, moment_of, part, port_of, text_of, to_batches, total
from ..streams import Source

_COLUMNS = (
    *("time", "end_time", "destination_port", "protocol", "packets", "bytes", "source_pod", "destination_pod"),
    *("observed_verdict", "egress_verdict", "ingress_verdict", "egress_policies", "ingress_policies"),
    *("source_labels", "destination_labels", "record"),
)
_KINDS: Mapping[object, Kind] = {
    "WorkloadEndpoint": "pod",
    "HostEndpoint": "node",
    "NetworkSet": "set",
    "Network": "net",
    1: "pod",
    2: "node",
    3: "set",
    4: "net",
}
_REPORTERS = {"src": "src", "1": "src", "dst": "dst", "2": "dst"}
_TRACES = ("enforced", "enforced_policies", "enforcedPolicies")
_TOLD = ("source_name", "dest_name", "reporter", "action")
"""Fields that every record has."""


def _recognise(sample: Sample) -> bool:
    return any(_is_flow(_flat(found)) for value in sample.objects for found in _listed(value))


def _listed(value: Mapping[str, Any]) -> list[Any]:
    items = value.get("items")
    return items if isinstance(items, list) else [value]


def _is_flow(flow: Mapping[str, Any]) -> bool:
    return all(_get(flow, name) is not None for name in _TOLD) and "source_name_aggr" not in flow


def _flat(value: object) -> Mapping[str, Any]:
    """Bring a record as gRPC prints it, its key in an object of its own, to the form of Whisker's."""
    if not isinstance(value, dict):
        return {}
    flow = value["flow"] if isinstance(value.get("flow"), dict) else value
    key = next((flow[name] for name in ("Key", "key") if isinstance(flow.get(name), dict)), None)
    return flow if key is None else {**flow, **key}


def _get(flow: Mapping[str, Any], name: str) -> Any:
    found = flow.get(name)
    return flow.get(_camel(name)) if found is None else found


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    return to_batches(_rows(source, reading), _COLUMNS)


def _rows(source: Source, reading: Reading) -> Iterator[tuple[object, ...]]:
    for place, value in read_objects(source, reading, "items"):
        flow = _flat(value)
        if _is_flow(flow):
            yield _row(flow)
        elif value.keys() <= {"meta", "items", "total_results"}:
            reading.leave_out("lists without flows")
        else:
            missing = next(name for name in _TOLD if _get(flow, name) is None)
            reading.complain(source, place, f"this is no flow of Calico's: it has no {missing}")


def _row(flow: Mapping[str, Any]) -> tuple[object, ...]:
    policies = part(flow, "policies")
    trace = next((policies[name] for name in _TRACES if name in policies), None)
    action = action_of(_get(flow, "action"))
    reporter = _REPORTERS.get((text_of(_get(flow, "reporter")) or "").lower(), "")
    protocol = _get(flow, "protocol")
    return (
        moment_of(_get(flow, "start_time")),
        moment_of(_get(flow, "end_time")),
        port_of(_get(flow, "dest_port")),
        _get(flow, "proto") if protocol is None else protocol,
        total(_get(flow, "packets_in"), _get(flow, "packets_out")),
        total(_get(flow, "bytes_in"), _get(flow, "bytes_out")),
        _end(flow, "source"),
        _end(flow, "dest"),
        action,
        *sided(reporter, action, decider(trace)),
        labels_of(_get(flow, "source_labels")),
        labels_of(_get(flow, "dest_labels")),
        opening_of(_get(flow, "num_connections_started"), action),
    )


def _end(flow: Mapping[str, Any], end: str) -> str | None:
    kind = _get(flow, f"{end}_type")
    known = _KINDS.get(kind, "") if isinstance(kind, (str, int)) else ""
    return end_of(known, _get(flow, f"{end}_namespace"), _get(flow, f"{end}_name"))


FORMAT = Format(
    name="goldmane",
    title="Calico's Goldmane and Whisker: JSON lines, or the list of flows of their REST interface",
    row="an aggregate of connections of 15 seconds, as one side reports it",
    recognise=_recognise,
    fields=lambda _: _COLUMNS,
    read=_read,
    lacks=(
        "no addresses: rules by CIDR are unknown for ends outside the cluster, and where pods of one name differ",
        "no source port: connections cannot be followed",
        "both sides report a flow between two pods, as rows of their own",
    ),
)
