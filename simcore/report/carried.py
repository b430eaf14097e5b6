"""What reports tell of requests: how many flows they decide, and which a proxy looks at that nobody has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .structure import Column, Line, Section, Table, line
from .words import count, part_of, rule_line, share

if TYPE_CHECKING:
    from ..analyses.carried import RequestCounts

_UNSEEN = "let through to a proxy that looks at requests which the capture does not show"


def request_notes(counts: RequestCounts, flows: int) -> list[Line]:
    """Tell how many flows were decided by their request; nothing if none was."""
    if not counts.decided:
        return []
    return [line(f"{count(counts.decided, 'flow')} ({share(counts.decided, flows)}) decided by their request.")]


def request_sections(counts: RequestCounts, flows: int, limit: int) -> list[Section]:
    """Tell which flows are let through on condition, and by which rules; nothing if none is."""
    if not counts.on_condition:
        return []
    title = line(f"{count(counts.on_condition, 'flow')} ({share(counts.on_condition, flows)}) {_UNSEEN}")
    rows = tuple(
        (line(f"{number:,}"), rule_line(rule), line(rule.condition or str(rule.requests)))
        for rule, number in counts.rules[:limit]
    )
    sections = [Section(title, (Table((Column("flows", right=True), Column("rule"), Column("condition")), rows),))]
    if hidden := len(counts.rules) - len(rows):
        sections.append(Section((), (line(f"... and {count(hidden, 'more rule')} (--limit)"),)))
    return sections


def request_json(counts: RequestCounts) -> dict[str, object]:
    """Make the JSON of both."""
    found: dict[str, object] = {"by_request": counts.decided} if counts.decided else {}
    if counts.on_condition:
        found["on_condition"] = {
            "flows": counts.on_condition,
            "rules": [
                {
                    "policy": str(rule.policy),
                    "rule": part_of(rule),
                    "condition": rule.condition or str(rule.requests),
                    "file": rule.place.file,
                    "line": rule.place.line or None,
                    "flows": number,
                }
                for rule, number in counts.rules
            ],
        }
    return found
