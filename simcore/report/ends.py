"""Ends of possible connections, and what is possible between them, as reports write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby

from ..analyses.connectivity import Connectivity, NodeEnd, Ports, RangeEnd, WorkloadEnd
from ..analyses.connectivity.results import End
from ..model.addresses import Address, Family
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, PROTOCOL_NAMES, PortRange
from .structure import Line, Span, Tone, line, strong, unbroken
from .words import count

MOST_RANGES = 3
"""Ranges of one end that are written; the rest is counted."""
MOST_NAMES = 8
"""Ends that are named in one place; the rest is counted."""
MOST_NODES = 2
"""Nodes of one end that are named; the rest is counted."""
FEWEST_FOLDED = 4
"""From this many workloads on, all those of a namespace are named together."""


def end_text(end: End) -> str:
    """Name an end: a workload, also by how many of its pods are meant where these differ, nodes, or ranges."""
    if isinstance(end, NodeEnd):
        return _nodes_text(end.nodes)
    if isinstance(end, RangeEnd):
        texts = [range_text(*ends) for ends in end.ranges]
        more = len(texts) - MOST_RANGES
        return ", ".join(texts[:MOST_RANGES]) + (f" and {more:,} more ranges" if more > 0 else "")
    if end.pods == end.total:
        return end.workload
    names = "" if end.example == end.workload.replace("/Pod/", "/") else f", such as {end.example}"
    return f"{end.workload} ({end.pods:,} of {count(end.total, 'pod')}{names})"


def _nodes_text(names: Sequence[str]) -> str:
    texts = [f"node/{name}" for name in names[:MOST_NODES]]
    more = len(names) - MOST_NODES
    if len(names) == 1:
        return texts[0]
    return f"{len(names):,} nodes ({', '.join(texts)}{f' and {more:,} more' if more > 0 else ''})"


def range_text(first: Address, last: Address) -> str:
    """Write a range as a block where it is one, else as its first and last address."""
    size = last.value - first.value + 1
    length = first.family.bits - (size.bit_length() - 1)
    if size & (size - 1) == 0 and first.value % size == 0:
        return str(first) if size == 1 else f"{first}/{length}"
    return f"{first}-{last}"


def ports_text(ranges: Sequence[PortRange]) -> str:
    """Write port ranges: ``TCP 80,443-445; UDP``, ``all ports``; a protocol alone is all of its ports."""
    if tuple(ranges) == tuple(map(PortRange, PORT_PROTOCOLS)):
        return "all ports"
    parts = []
    for protocol, spans in groupby(ranges, lambda one: one.protocol):
        numbers = [span_text(one) for one in spans]
        name = PROTOCOL_NAMES[protocol]
        parts.append(name if numbers == [f"0-{LAST_PORT}"] else f"{name} {','.join(numbers)}")
    return "; ".join(parts)


def span_text(one: PortRange) -> str:
    """Write the numbers of a range: ``80``, ``80-90``."""
    return str(one.first) if one.first == one.last else f"{one.first}-{one.last}"


def possible_line(ports: Ports) -> Line:
    """Say what is possible, doubts apart."""
    parts = []
    if ports.allowed:
        parts.append(strong(unbroken(ports_text(ports.allowed))))
    if ports.unknown:
        parts.append(Span(unbroken(f"unknown on {ports_text(ports.unknown)}"), Tone.DOUBT))
    return line(*(piece for number, part in enumerate(parts) for piece in (("; ",) if number else ()) + (part,)))


class Naming:
    """Names many ends in few words, given all that there are."""

    def __init__(self, ends: Iterable[End]) -> None:
        known = list(ends)
        self._workloads = sum(isinstance(end, WorkloadEnd) for end in known)
        self._nodes = sum(isinstance(end, NodeEnd) for end in known)
        self._ranges = Counter(end.example.family for end in known if isinstance(end, RangeEnd))
        self._of_namespace = Counter(namespace_of(end) for end in known)

    def texts(self, ends: Sequence[End]) -> list[str]:
        """Name ends, those of one namespace together where all of it is meant."""
        workloads = [end for end in ends if isinstance(end, WorkloadEnd)]
        ranges = [end for end in ends if isinstance(end, RangeEnd)]
        if len(workloads) == self._workloads >= FEWEST_FOLDED:
            found = [f"every workload ({self._workloads:,})"]
        else:
            found = self._by_namespace(workloads)
        nodes = [end for end in ends if isinstance(end, NodeEnd)]
        if len(nodes) == self._nodes and (number := sum(len(end.nodes) for end in nodes)) > MOST_NODES:
            return [*found, f"every node ({number:,})", *self._outside(ranges)]
        return [*found, *map(end_text, nodes), *self._outside(ranges)]

    def _outside(self, ranges: Sequence[RangeEnd]) -> list[str]:
        here = Counter(end.example.family for end in ranges)
        whole = [family for family in here if here[family] == self._ranges[family] > 1]
        if len(whole) == len(Family):
            return ["every outside address"]
        named = [f"every outside IPv{int(family)} address" for family in whole]
        return [*named, *(end_text(end) for end in ranges if end.example.family not in whole)]

    def _by_namespace(self, workloads: Sequence[WorkloadEnd]) -> list[str]:
        here = Counter(map(namespace_of, workloads))
        whole = {name for name, number in here.items() if number == self._of_namespace[name] >= FEWEST_FOLDED}
        named = dict.fromkeys(
            f"all of {namespace} ({count(here[namespace], 'workload')})" if namespace in whole else end_text(end)
            for end in workloads
            for namespace in [namespace_of(end)]
        )
        return list(named)

    def line(self, ends: Sequence[End]) -> Line:
        """Name ends in a line; of many, some."""
        texts = self.texts(ends)
        more = len(texts) - MOST_NAMES
        shown = [unbroken(text) if len(text) < 60 else text for text in texts[:MOST_NAMES]]
        return line(", ".join(shown), f" and {more:,} more" if more > 0 else "")


def namespace_of(end: End) -> str:
    """Name the namespace of a workload; the empty text for nodes and ranges."""
    return end.workload.partition("/")[0] if isinstance(end, WorkloadEnd) else ""


def end_json(end: End) -> dict[str, object]:
    """Make the JSON of an end."""
    if isinstance(end, RangeEnd):
        return {"name": end_text(end), "ranges": [f"{first}-{last}" for first, last in end.ranges]}
    if isinstance(end, NodeEnd):
        return {"name": end_text(end), "nodes": list(end.nodes)}
    return {
        "name": end_text(end),
        "workload": end.workload,
        "pods": end.pods,
        "of_pods": end.total,
        "example": end.example,
    }


def ranges_json(ranges: Sequence[PortRange]) -> list[dict[str, object]]:
    """Make the JSON of port ranges."""
    return [{"protocol": PROTOCOL_NAMES[one.protocol], "first": one.first, "last": one.last} for one in ranges]


def nodes_note(found: Connectivity) -> str:
    """Say how nodes are told of; the empty text where none are."""
    who = "hostNetwork pods are told of as their nodes, and these" if found.has_nodes else "nodes are told of"
    if not found.has_nodes and not any(isinstance(end, NodeEnd) for end in found.ends):
        return ""
    return f"{who} towards pods of other nodes; what a pod and its own node may do besides is not among it"


def ports_json(ports: Ports) -> dict[str, object]:
    """Make the JSON of what is possible."""
    return {
        "allowed": ranges_json(ports.allowed),
        "unknown": ranges_json(ports.unknown),
        "without_ports": ports.other.word,
    }
