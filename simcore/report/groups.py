"""Groups of flows, as reports show them; shared by replay and what-if."""

from __future__ import annotations

from ..model.flows import Judgement, Outcome
from ..model.groups import Example, FlowGroup
from ..model.policy import Direction
from .structure import Entry, Line, faint, line, strong, unbroken
from .words import (
    count,
    iso_time,
    judgement_fields,
    moment,
    part_of,
    period,
    protocol_json,
    protocol_port,
    size,
    telling,
)


def group_entry(group: FlowGroup) -> Entry:
    """Show one group: who to whom, how much, which rules decide, and one flow of it."""
    name = protocol_port(group.protocol, group.port)
    heading = line(
        strong(f"{group.source} -> {group.destination}"), "  ", unbroken(f"{name} (DNS)" if group.is_dns else name)
    )
    directions = telling(group.before, group.after)
    fields: list[tuple[str, Line]] = [("flows", _amount(group))]
    if group.before is not None:
        fields += judgement_fields("before", group.before, directions)
        fields += judgement_fields("after", group.after, directions)
    else:
        fields += judgement_fields("verdict", group.after, directions)
    fields.append(("example", _example(group.example)))
    return Entry(heading, tuple(fields))


def _amount(group: FlowGroup) -> Line:
    amounts = [count(group.packets, "packet")] if group.packets else []
    if group.bytes:
        amounts.append(size(group.bytes))
    total = f"{group.flows:,} ({', '.join(amounts)})" if amounts else f"{group.flows:,}"
    seen = period(group.first_seen, group.last_seen)
    return line(f"{total}, {unbroken(seen)}" if seen else total)


def _example(example: Example) -> Line:
    source = _end(example.source, example.source_port)
    destination = _end(example.destination, example.destination_port)
    time = "" if example.time is None else f"{moment(example.time)}  "
    return line(f"{time}{source} -> {destination}  ", faint(f"{example.file} row {example.row:,}"))


def _end(end: str, port: int | None) -> str:
    """Write ``10.0.0.1:53 (shop/dns)``."""
    if port is None:
        return end
    address, space, pod = end.partition(" ")
    return f"[{address}]:{port}{space}{pod}" if ":" in address else f"{address}:{port}{space}{pod}"


def group_json(group: FlowGroup) -> dict[str, object]:
    """Write one group as JSON does."""
    example = group.example
    return {
        "change": group.change.value,
        "dns": group.is_dns,
        "source": group.source,
        "destination": group.destination,
        "protocol": protocol_json(group.protocol),
        "port": group.port,
        "flows": group.flows,
        "packets": group.packets,
        "bytes": group.bytes,
        "first_seen": iso_time(group.first_seen),
        "last_seen": iso_time(group.last_seen),
        "before": None if group.before is None else judgement_json(group.before),
        "after": judgement_json(group.after),
        "example": {
            "file": example.file,
            "row": example.row,
            "time": iso_time(example.time),
            "source": example.source,
            "source_port": example.source_port,
            "destination": example.destination,
            "destination_port": example.destination_port,
        },
    }


def judgement_json(judgement: Judgement) -> dict[str, object]:
    """Write a verdict and both its directions as JSON does."""
    return {
        "verdict": judgement.verdict.word,
        **{direction.word: outcome_json(judgement.outcome(direction)) for direction in Direction},
    }


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """Write one direction as JSON does, with the deciding rule and its place."""
    rule = outcome.rule
    return {
        "verdict": outcome.verdict.word,
        "reason": str(outcome),
        "policy": None if rule is None else str(rule.policy),
        "rule": None if rule is None else part_of(rule),
        "file": None if rule is None else rule.place.file,
        "line": None if rule is None else rule.place.line or None,
    }
