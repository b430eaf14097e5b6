"""Exposure in the formats of np-guard's netpol-analyzer: its words for selectors and for ports with names."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from ..analyses.connectivity import Exposure, Openness, RangeEnd, Stranger
from ..analyses.connectivity.listing import Listing
from ..model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from ..model.policy import Direction
from ..model.ports import PORT_PROTOCOLS, PROTOCOL_NAMES, NamedPort
from .exposure import namespace_named
from .npa import EVERYTHING as ALL_CONNECTIONS
from .npa import NOTHING, from_one, is_ipv4, npa_end, npa_ports

_HEADS = {Direction.EGRESS: ("Egress Exposure:", "=>"), Direction.INGRESS: ("Ingress Exposure:", "<=")}
Row = tuple[str, str, str]
"""A workload, who is meant, and connections."""


def exposure_rows(found: Exposure, listing: Listing) -> dict[Direction, list[Row]]:
    """List in each direction who is open to what, addresses outside among them."""
    rows: dict[Direction, set[Row]] = {direction: set() for direction in Direction}
    for one in found.exposed:
        if words := _connections(one.anybody):
            rows[one.direction].add((one.workload, "entire-cluster", words))
        for number, openness in one.others:
            words = _connections(openness)
            if words != _connections(one.anybody):
                rows[one.direction].add((one.workload, npa_stranger(found.strangers[number]), words or NOTHING))
    of_direction = {(one.direction, one.workload) for one in found.exposed}
    for direction, name, outside, words in _outside(listing):
        if (direction, name) in of_direction:
            rows[direction].add((name, outside, words))
    return {direction: sorted(each) for direction, each in rows.items()}


def _outside(listing: Listing) -> Iterator[tuple[Direction, str, str, str]]:
    for source, destination, ports in listing.pairs():
        allowed = from_one(ports.allowed)
        if allowed and is_ipv4(source) and is_ipv4(destination):
            if isinstance(destination, RangeEnd):
                yield Direction.EGRESS, npa_end(source), npa_end(destination), npa_ports(allowed)
            elif isinstance(source, RangeEnd):
                yield Direction.INGRESS, npa_end(destination), npa_end(source), npa_ports(allowed)


def _connections(openness: Openness) -> str:
    """Write what is let through; the empty text where nothing is."""
    allowed = from_one(openness.ports.allowed)
    numbers = npa_ports(allowed) if allowed else ""
    if numbers == ALL_CONNECTIONS or not openness.named:
        return numbers
    return ",".join(filter(None, (numbers, *_names(openness.named))))


def _names(named: Iterable[NamedPort]) -> Iterator[str]:
    """Write names of ports; one that is meant whatever the protocol without any."""
    protocols: dict[str, list[int]] = {}
    for one in named:
        protocols.setdefault(one.name, []).append(one.protocol)
    by_protocol: dict[str, list[str]] = {}
    for name, numbers in protocols.items():
        for word in [""] if len(numbers) == len(PORT_PROTOCOLS) else [PROTOCOL_NAMES[number] for number in numbers]:
            by_protocol.setdefault(word, []).append(name)
    yield from (f"{protocol} {','.join(names)}" for protocol, names in sorted(by_protocol.items()))


def npa_stranger(stranger: Stranger) -> str:
    """Name whom a selector means."""
    known = stranger.known
    labels = LabelSelector((*known.pods.requirements, *known.accounts.requirements))
    pods = "[all pods]" if labels == EVERYTHING else f"[pod with {{{_selector(labels)}}}]"
    if name := namespace_named(known.namespaces):
        return f"{name}/{pods}"
    if known.namespaces == EVERYTHING:
        return f"[all namespaces]/{pods}"
    return f"[namespace with {{{_selector(known.namespaces)}}}]/{pods}"


def _selector(selector: LabelSelector) -> str:
    plain = [each for each in selector.requirements if not _is_written_out(each)]
    labels = [f"{each.key}={value}" for each in plain for value in each.values]
    return ",".join([*labels, *(_expression(each) for each in selector.requirements if _is_written_out(each))])


def _is_written_out(requirement: Requirement) -> bool:
    is_label = requirement.operator is Operator.IN and len(requirement.values) == 1
    return requirement.is_expression or not is_label


def _expression(requirement: Requirement) -> str:
    values = " ".join(sorted(requirement.values))
    return f"{{Key:{requirement.key},Operator:{requirement.operator},Values:[{values}],}}"


def exposure_txt(found: Exposure, listing: Listing) -> str:
    """Make what `reach --format npa-txt --exposure` adds to the connections."""
    rows = exposure_rows(found, listing)
    width = max((len(row[0]) for each in rows.values() for row in each), default=0)
    parts = [
        "\n".join(
            [_HEADS[way][0], *(f"{name:<{width}} \t{_HEADS[way][1]} \t{who} : {what}" for name, who, what in each)]
        )
        for way, each in rows.items()
        if each
    ]
    unprotected = sorted(
        {f"{one.workload} is not protected on {one.direction.name.title()}" for one in found.unprotected}
    )
    if unprotected:
        parts.append("\n".join(["Workloads not protected by network policies:", *unprotected]))
    return "\nExposure Analysis Result:\n" + "\n\n".join(parts) + "\n"


def exposure_csv(found: Exposure, listing: Listing) -> str:
    """Make what `reach --format npa-csv --exposure` adds to the connections."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("Exposure Analysis Result:", "", ""))
    for direction, rows in exposure_rows(found, listing).items():
        if rows:
            writer.writerow((_HEADS[direction][0], "", ""))
            writer.writerow(("src", "dst", "conn") if direction is Direction.EGRESS else ("dst", "src", "conn"))
            writer.writerows(rows)
    return out.getvalue()
