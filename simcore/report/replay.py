"""The report of `replay`: what the policies do to a capture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..model.flows import Reason, Verdict
from ..model.policy import Direction
from .carried import request_json, request_notes, request_sections
from .groups import group_entries, group_json
from .names import name_notes, name_warnings, names_json
from .stateful import state_json, state_notes, state_sections
from .structure import Column, Line, Report, Section, Table, line, strong, verdict_span
from .words import count, share, words_of

if TYPE_CHECKING:
    from ..analyses.groups import Groups
    from ..analyses.replay import ReplayResult


def replay(result: ReplayResult, limit: int) -> Report:
    """Make the report: counts, denied and unknown groups, and why verdicts are unknown."""
    denied = result.groups.judged(Verdict.DENY)
    unknown = result.groups.judged(Verdict.UNKNOWN)
    sections = [Section((), (_counts(result),))]
    sections += groups_section(line(strong("Denied"), ", most flows first"), denied, limit)
    sections += groups_section(line(strong("Unknown"), ", most flows first"), unknown, limit)
    if result.unknown_reasons:
        sections.append(Section(line(strong("Why verdicts are unknown")), (_reasons(result.unknown_reasons),)))
    sections += request_sections(result.requests, result.flows, limit)
    notes = settled_notes(result.settled, result.flows) + request_notes(result.requests, result.flows)
    notes += name_notes(result.names)
    if result.state is not None:
        sections += state_sections(result.state)
        notes += state_notes(result.state)
    return Report(
        line(f"{count(result.flows, 'flow')} replayed"),
        warnings=name_warnings(result.names),
        sections=tuple(sections),
        notes=tuple(notes),
    )


def settled_notes(settled: int, flows: int) -> list[Line]:
    """Tell how many flows were decided by what a rule asks for besides the destination port; nothing if none was."""
    if not settled:
        return []
    return [line(f"{count(settled, 'flow')} ({share(settled, flows)}) decided by source port or ICMP type.")]


def settled_json(settled: int) -> dict[str, object]:
    """Make the JSON of the same."""
    return {"by_source_port_or_icmp_type": settled} if settled else {}


def _counts(result: ReplayResult) -> Table:
    counts = {Verdict.ALLOW: result.allowed, Verdict.DENY: result.denied, Verdict.UNKNOWN: result.unknown}
    rows = tuple(
        ((verdict_span(verdict),), line(f"{number:,}"), line(share(number, result.flows)))
        for verdict, number in counts.items()
    )
    return Table((Column("verdict"), Column("flows", right=True), Column("share", right=True)), rows)


def _reasons(reasons: Mapping[str, int]) -> Table:
    rows = tuple(
        (line(reason), line(f"{number:,}"), line(_reason_words(reason)))
        for reason, number in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    )
    return Table((Column("reason"), Column("flows", right=True), Column("meaning")), rows)


def _reason_words(code: str) -> str:
    name = code.partition(" ")[0]
    return words_of(Reason(name), Direction.INGRESS) if name in set(Reason) else ""


def groups_section(title: Line, groups: Groups, limit: int) -> list[Section]:
    """Show at most `limit` groups, and tell how many are left out; no group, no section."""
    if not groups:
        return []
    shown = groups[:limit]
    sections: list[Section] = [Section(title, group_entries(shown))]
    if hidden := len(groups) - len(shown):
        more = f"... and {count(hidden, 'more pair')} with {count(groups.flows - shown.flows, 'flow')} (--limit)"
        sections.append(Section((), (line(more),)))
    return sections


def replay_json(result: ReplayResult) -> dict[str, object]:
    """Make the JSON of `replay --format json`."""
    state = {} if result.state is None else {"stateful": state_json(result.state)}
    return {
        "flows": result.flows,
        "allowed": result.allowed,
        "denied": result.denied,
        "unknown": result.unknown,
        "unknown_reasons": dict(sorted(result.unknown_reasons.items())),
        **settled_json(result.settled),
        **names_json(result.names),
        **request_json(result.requests),
        **state,
        "groups": [group_json(group) for group in result.groups],
    }
