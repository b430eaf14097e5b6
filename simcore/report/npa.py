"""Connections in the formats of np-guard's netpol-analyzer: its names, IPv4, ports from 1, nothing unknown."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from io import StringIO

from ..analyses.connectivity import NodeEnd, RangeEnd
from ..analyses.connectivity.differences import Differences
from ..analyses.connectivity.listing import Listing
from ..analyses.connectivity.results import End
from ..model.addresses import Family
from ..model.cluster import Pod
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, PROTOCOL_NAMES, PortRange

NOTHING = "No Connections"
EVERYTHING = "All Connections"


def npa_name(pod: Pod) -> str:
    """Name what a pod belongs to as netpol-analyzer does: by its direct controller, ``namespace/name[Kind]``."""
    if not pod.owners:
        return f"{pod.namespace}/{pod.name}[Pod]"
    return f"{pod.namespace}/{pod.owners[0].name}[{pod.owners[0].kind or 'Pod'}]"


def npa_end(end: End) -> str:
    """Name an end: a workload, or ranges of addresses outside."""
    if isinstance(end, RangeEnd):
        return ",".join(f"{first}-{last}" for first, last in end.ranges) + "[External]"
    if isinstance(end, NodeEnd):
        raise ValueError("netpol-analyzer knows no nodes: find connections without them")
    return end.workload


def npa_rows(listing: Listing) -> list[tuple[str, str, str]]:
    """List source, destination and connections of each pair, sorted; of a workload whose pods differ, all together."""
    found: dict[tuple[str, str], list[PortRange]] = {}
    for source, destination, ports in listing.pairs():
        if is_ipv4(source) and is_ipv4(destination) and (allowed := from_one(ports.allowed)):
            found.setdefault((npa_end(source), npa_end(destination)), []).extend(allowed)
    return sorted((*pair, npa_ports(ranges)) for pair, ranges in found.items() if pair[0] != pair[1])


def npa_txt(rows: Iterable[tuple[str, str, str]]) -> str:
    """Make the text of `reach --format npa-txt`."""
    return "".join(f"{source} => {destination} : {ports}\n" for source, destination, ports in rows)


def npa_csv(rows: Iterable[Sequence[str]]) -> str:
    """Make the text of `reach --format npa-csv`."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("src", "dst", "conn"))
    writer.writerows(rows)
    return out.getvalue()


def is_ipv4(end: End) -> bool:
    """Whether netpol-analyzer knows such an end."""
    return not isinstance(end, RangeEnd) or end.example.family is Family.V4


def from_one(ranges: Sequence[PortRange]) -> list[PortRange]:
    """Leave out port 0, which netpol-analyzer does not know."""
    return [PortRange(one.protocol, max(one.first, 1), one.last) for one in ranges if one.last > 0]


def npa_ports(ranges: Iterable[PortRange]) -> str:
    """Write ports: ``SCTP 1-65535,TCP 80-90,443``, ``All Connections``."""
    spans = _joined(ranges)
    if not spans:
        return NOTHING
    if all(spans.get(protocol) == [(1, LAST_PORT)] for protocol in PORT_PROTOCOLS):
        return EVERYTHING
    names = sorted((PROTOCOL_NAMES[protocol], found) for protocol, found in spans.items())
    return ",".join(f"{name} {','.join(_span(*span) for span in found)}" for name, found in names)


def _joined(ranges: Iterable[PortRange]) -> Mapping[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for one in sorted(ranges):
        spans = found.setdefault(one.protocol, [])
        first, last = one.first, one.last
        if spans and first <= spans[-1][1] + 1:
            before = spans.pop()
            first, last = before[0], max(before[1], last)
        spans.append((first, last))
    return found


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def npa_diff(found: Differences) -> str:
    """Make the text of `diff --format npa-txt`."""
    sides = set(found.only_before), set(found.only_after)
    pairs: dict[tuple[str, str], tuple[list[PortRange], list[PortRange]]] = {}
    for source, destination, change in found.pairs():
        names = npa_end(source.end), npa_end(destination.end)
        if is_ipv4(source.end) and is_ipv4(destination.end) and names[0] != names[1]:
            before, after = pairs.setdefault(names, ([], []))
            before += from_one(change.before.allowed)
            after += from_one(change.after.allowed)
    lines = [_diff_line(names, (npa_ports(one), npa_ports(other)), sides) for names, (one, other) in pairs.items()]
    return "\n".join(["Connectivity diff:", *sorted(filter(None, lines))]) + "\n"


def _diff_line(ends: tuple[str, str], refs: tuple[str, str], sides: tuple[set[str], set[str]]) -> str:
    """Write a pair, and which of its workloads are on one side only; nothing where it is as before."""
    if refs[0] == refs[1]:
        return ""
    kind = "added" if refs[0] == NOTHING else "removed" if refs[1] == NOTHING else "changed"
    told = [
        f", workloads-diff-info: workload {' and '.join(names)} {word}"
        for side, word in zip(sides, ("removed", "added"), strict=True)
        if (names := [name for name in ends if name in side])
    ]
    head = f"diff-type: {kind}, source: {ends[0]}, destination: {ends[1]}"
    return f"{head}, ref1: {refs[0]}, ref2: {refs[1]}{''.join(told)}"
