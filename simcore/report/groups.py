"""Groups of flows, as reports show them; shared by replay and what-if."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.flows import Judgement, Outcome
from ..model.groups import Cause, Example, FlowGroup
from ..model.policy import Direction
from .structure import Entry, Line, Member, faint, line, strong, unbroken
from .words import (
    count,
    iso_time,
    judgement_fields,
    part_of,
    period,
    protocol_json,
    protocol_port,
    request_json,
    size,
    telling,
)

Fate = tuple[object, ...]


def group_entries(groups: Sequence[FlowGroup]) -> tuple[Entry, ...]:
    """Show groups, those with the same rules deciding together: who to whom, how much, and one flow of it."""
    fates: dict[Fate, list[FlowGroup]] = {}
    for group in groups:
        fates.setdefault(_fate(group), []).append(group)
    return tuple(map(_entry, fates.values()))


def _fate(group: FlowGroup) -> Fate:
    """Return what decides about a group: its verdicts, and the directions that tell why."""
    judgements = [judgement for judgement in (group.before, group.after) if judgement is not None]
    outcomes = [j.outcome(direction) for j in judgements for direction in telling(group.before, group.after)]
    return group.is_dns, group.cause, *(judgement.verdict for judgement in judgements), *outcomes


def _entry(groups: list[FlowGroup]) -> Entry:
    """Show groups that one fate has in common."""
    first = groups[0]
    directions = telling(first.before, first.after)
    fields: list[tuple[str, Line]] = []
    if first.before is None:
        fields += judgement_fields("verdict", first.after, directions)
    else:
        fields += judgement_fields("before", first.before, directions)
        fields += judgement_fields("after", first.after, directions)
        if first.cause is not None:
            fields.append(("cause", cause_line(first.cause)))
    flows = count(sum(group.flows for group in groups), "flow")
    what = f"{flows} of name resolution" if first.is_dns else flows
    return Entry(line(strong(what), f" between {count(len(groups), 'pair')}"), tuple(fields), tuple(map(_pair, groups)))


def _pair(group: FlowGroup) -> Member:
    name = unbroken(protocol_port(group.protocol, group.port))
    who = line(strong(f"{group.source} -> {group.destination}"), f"  {name}")
    details = tuple(line(faint(text)) for text in (_amount(group), example_words(group.example)) if text)
    return Member(f"{group.flows:,}", (who, *details))


def _amount(group: FlowGroup) -> str:
    parts = [unbroken(count(group.packets, "packet"))] if group.packets else []
    if group.bytes:
        parts.append(unbroken(size(group.bytes)))
    if seen := period(group.first_seen, group.last_seen):
        parts.append(unbroken(seen))
    return ", ".join(parts)


def example_words(example: Example) -> str:
    """Write a flow of a group, and where it is in the capture."""
    source = _end(example.source, example.source_port)
    destination = _end(example.destination, example.destination_port)
    place = unbroken(f"row {example.row:,} of {example.file.rpartition('/')[2]}")
    carried = f", {replace(example.request, http_headers=None)}" if example.request else ""
    return f"such as {source} -> {destination}{carried}, {place}"


def _end(end: str, port: int | None) -> str:
    """Write ``10.0.0.1:53 (shop/dns)``."""
    if port is None:
        return end
    address, space, pod = end.partition(" ")
    return f"[{address}]:{port}{space}{pod}" if ":" in address else f"{address}:{port}{space}{pod}"


def cause_line(cause: Cause) -> Line:
    """Name the edit behind a change, and where the policy is, or was, written."""
    return line(strong(str(cause.policy)), f" is {cause.edit.value} ", faint(unbroken(f"({cause.place})")))


def group_json(group: FlowGroup) -> dict[str, object]:
    """Write one group as JSON does."""
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
        "cause": None if group.cause is None else cause_json(group.cause),
        "example": example_json(group.example),
    }


def example_json(example: Example) -> dict[str, object]:
    """Write a flow of a group as JSON does."""
    return {
        "file": example.file,
        "row": example.row,
        "time": iso_time(example.time),
        "source": example.source,
        "source_port": example.source_port,
        "destination": example.destination,
        "destination_port": example.destination_port,
        **({"request": request_json(example.request)} if example.request else {}),
    }


def cause_json(cause: Cause) -> dict[str, object]:
    """Write the edit behind a change as JSON does."""
    return {
        "policy": str(cause.policy),
        "edit": cause.edit.value,
        "file": cause.place.file,
        "line": cause.place.line or None,
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
