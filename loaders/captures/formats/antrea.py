"""Flow records of Antrea's Flow Exporter and Flow Aggregator: JSON, CSV as in ClickHouse, in S3 and in its log."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from simcore.model.policy import Direction, PolicyRef

from ..records.deriving import NO_TEXT, added, among, first_told, is_icmp, numbers_of, only, told_times, unit_of
from ..records.fields import is_json, read_records
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tables import Layout, Table, read_table
from ..streams import Source, is_parquet
from ..texts import map_distinct

_ENDS = ("source", "destination")
_POLICY = ("Name", "Namespace", "Type", "RuleAction")
_WANTED = (
    *("flowStartSeconds", "flowEndSeconds", "protocolIdentifier"),
    *(f"{end}{part}" for end in _ENDS for part in ("IP", "IPv4Address", "IPv6Address", "TransportPort")),
    *(f"{end}{part}" for end in _ENDS for part in ("PodNamespace", "PodName", "NodeName")),
    *("packetDeltaCount", "reversePacketDeltaCount", "octetDeltaCount", "reverseOctetDeltaCount"),
    *(f"{way.word}NetworkPolicy{part}" for way in Direction for part in _POLICY),
)
_TELLING = {"sourceTransportPort", "destinationTransportPort", "protocolIdentifier"}
_PODS = {"sourcePodName", "destinationPodName"}

_LOGGED = (
    *("flowStartSeconds", "flowEndSeconds", "sourceIP", "destinationIP", "sourceTransportPort"),
    *("destinationTransportPort", "protocolIdentifier", "sourcePodName", "sourcePodNamespace", "sourceNodeName"),
    *("destinationPodName", "destinationPodNamespace", "destinationNodeName", "", "", ""),
    *("ingressNetworkPolicyName", "ingressNetworkPolicyNamespace", "", "ingressNetworkPolicyRuleAction"),
    *("ingressNetworkPolicyType", "egressNetworkPolicyName", "egressNetworkPolicyNamespace", ""),
    *("egressNetworkPolicyRuleAction", "egressNetworkPolicyType"),
)
"""Columns of the Flow Aggregator's log (flowLogger); newer releases add others at the end."""
_UPLOADED = (
    *("flowStartSeconds", "flowEndSeconds", "", "", "", "sourceIP", "destinationIP", "sourceTransportPort"),
    *("destinationTransportPort", "protocolIdentifier", "", "", "packetDeltaCount", "octetDeltaCount", "", ""),
    *("reversePacketDeltaCount", "reverseOctetDeltaCount", "sourcePodName", "sourcePodNamespace", "sourceNodeName"),
    *("destinationPodName", "destinationPodNamespace", "destinationNodeName", "", "", ""),
    *("ingressNetworkPolicyName", "ingressNetworkPolicyNamespace", "", "ingressNetworkPolicyRuleAction"),
    *("ingressNetworkPolicyType", "egressNetworkPolicyName", "egressNetworkPolicyNamespace", ""),
    *("egressNetworkPolicyRuleAction", "egressNetworkPolicyType"),
)
"""Columns of the files that it uploads (s3Uploader); labels and others follow."""
_ADDRESS = r"[0-9a-f.:]+"
_ROWS = {
    re.compile(rf"\d{{10}},\d{{10}},{_ADDRESS},{_ADDRESS},\d+,\d+,\w[\w -]*,(?:[^,]*,){{18,}}[^,]*"): _LOGGED,
    re.compile(
        rf"\d{{10}},\d{{10}},\d+,\d+,\d,{_ADDRESS},{_ADDRESS},\d+,\d+,\d+,(?:\d+,){{8}}(?:[^,]*,){{18,}}.*"
    ): _UPLOADED,
}
_REFS = {
    "1": "NetworkPolicy",
    "k8snetworkpolicy": "NetworkPolicy",
    "2": "NetworkPolicy.crd.antrea.io",
    "antreanetworkpolicy": "NetworkPolicy.crd.antrea.io",
    "3": "ClusterNetworkPolicy.crd.antrea.io",
    "antreaclusternetworkpolicy": "ClusterNetworkPolicy.crd.antrea.io",
}
_VERDICTS = {
    **dict.fromkeys(("1", "allow"), "forwarded"),
    **dict.fromkeys(("2", "drop", "3", "reject"), "dropped"),
}
_PASSED = ("0", "1", "Allow")
"""Actions of flows that went through, 0 where no policy decided."""
_FIELDS = (
    *("time", "end_time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("packets", "bytes", "source_pod", "destination_pod", "node", "observed_verdict"),
    *(f"{way.word}_{part}" for way in Direction for part in ("verdict", "reason", "policies")),
)
_NO_ADDRESSES = ("0.0.0.0", "::")


class _Rows(Table):
    """Rows of CSV, with header lines anywhere or without any."""

    marks = re.compile(rb'(?m)^"?[A-Za-z][A-Za-z0-9]*"?[,\t][^\n]*sourceTransportPort')
    hints = (b"sourceTransportPort",)

    def __init__(self) -> None:
        super().__init__(_WANTED)

    def turn(self, line: str) -> str | None:
        """Read a header line."""
        self.layout = _layout(line)
        return None

    def guess(self, line: str) -> Layout | None:
        """Tell by a row whether the Flow Aggregator logged it or uploaded it."""
        found = next((names for row, names in _ROWS.items() if row.fullmatch(line)), None)
        return Layout(found, quote="'" if found is _UPLOADED else "", is_open=True) if found else None


def _layout(header: str) -> Layout:
    if "\t" in header:
        return Layout(tuple(header.split("\t")), "\t", absent=("", "-", r"\N"))
    return Layout(tuple(name.strip('"') for name in header.split(",")), quote='"', absent=("", "-", r"\N"))


def _recognise(sample: Sample) -> bool:
    if sample.parquet is not None:
        return _is_record(sample.parquet)
    if any(_is_record(_opened(found)) for found in sample.objects):
        return True
    lines = [line.decode("utf-8", "replace") for line in sample.lines[:20]]
    return any(_is_record(_layout(line).columns) or any(row.fullmatch(line) for row in _ROWS) for line in lines)


def _is_record(names: Collection[str]) -> bool:
    return set(names) >= _TELLING and not _PODS.isdisjoint(names)


def _opened(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the elements of a record, which may lie in a message of IPFIX."""
    inner = found.get("ipfix")
    return inner if isinstance(inner, dict) else found


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    if is_parquet(source.path) or is_json(source):
        return map(_columns, read_records(source, reading, _WANTED, opened=_opened))
    return map(_columns, read_table(source, reading, _Rows()))


def _columns(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Make the columns of a flow."""
    held = dict(zip(batch.schema.names, batch.columns, strict=True))
    ports = pc.invert(is_icmp(numbers_of(held["protocolIdentifier"])))
    made = {
        "time": _times(held["flowStartSeconds"]),
        "end_time": _times(held["flowEndSeconds"]),
        "protocol": held["protocolIdentifier"],
        "packets": added([held["packetDeltaCount"], held["reversePacketDeltaCount"]]),
        "bytes": added([held["octetDeltaCount"], held["reverseOctetDeltaCount"]]),
        "node": first_told([held["sourceNodeName"], held["destinationNodeName"]], ("",)),
        "observed_verdict": _observed(held),
    }
    for end in _ENDS:
        addresses = [held[f"{end}{part}"] for part in ("IP", "IPv4Address", "IPv6Address")]
        made[f"{end}_address"] = first_told(addresses, _NO_ADDRESSES)
        made[f"{end}_port"] = only(ports, held[f"{end}TransportPort"])
        made[f"{end}_pod"] = pc.binary_join_element_wise(held[f"{end}PodNamespace"], held[f"{end}PodName"], "/")
    for way in Direction:
        made |= _side(held, way.word)
    return pa.RecordBatch.from_pydict({name: made[name] for name in _FIELDS})


def _times(texts: pa.Array) -> pa.Array:
    return told_times(texts, unit_of(texts, "s"))


def _side(held: Mapping[str, pa.Array], way: str) -> dict[str, pa.Array]:
    """Say what policies made of a flow at one end, and which."""
    kind, namespace, name = (held[f"{way}NetworkPolicy{part}"] for part in ("Type", "Namespace", "Name"))
    verdict = _verdict(held, way)
    dropped = among(verdict, ("dropped",))
    reason = pc.if_else(name.is_valid(), "POLICY_DENY", "POLICY_DENIED")
    joined = pc.binary_join_element_wise(*(each.fill_null("") for each in (kind, namespace, name)), "\n")
    return {
        f"{way}_verdict": verdict,
        f"{way}_reason": only(dropped, reason),
        f"{way}_policies": map_distinct(joined, _policy, pa.string()),
    }


def _verdict(held: Mapping[str, pa.Array], way: str) -> pa.Array:
    return map_distinct(held[f"{way}NetworkPolicyRuleAction"], lambda word: _VERDICTS.get(word.lower()), pa.string())


def _observed(held: Mapping[str, pa.Array]) -> pa.Array:
    """Say what became of a flow as a whole: it went through where no policy dropped it, and none need have decided."""
    dropped = reduce(pc.or_, [among(_verdict(held, way.word), ("dropped",)) for way in Direction])
    actions = [held[f"{way.word}NetworkPolicyRuleAction"] for way in Direction]
    passed = reduce(pc.or_, [among(action, _PASSED) for action in actions])
    return pc.if_else(dropped, "dropped", pc.if_else(passed, "forwarded", NO_TEXT))


def _policy(joined: str) -> str | None:
    kind, namespace, name = joined.split("\n", 2)
    ref = _REFS.get(kind.lower())
    return str(PolicyRef(ref, namespace, name)) if ref and name else None


FORMAT = Format(
    "antrea",
    "Antrea's Flow Exporter and Flow Aggregator: JSON, CSV, Parquet",
    "connection, both directions, since the record before",
    _recognise,
    lambda _sample: _FIELDS,
    _read,
    lacks=(
        "no TCP flags, no types of ICMP",
        "of a connection between nodes each Flow Exporter tells its own half; the Flow Aggregator joins them",
        "what rules at layer 7 look at is not read",
    ),
)
