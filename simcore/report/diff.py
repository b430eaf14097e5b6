"""The report of `diff`: what becomes of all possible connections, and which rules decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..analyses.connectivity.differences import DifferenceGroup, Differences
from ..analyses.connectivity.units import Unit
from ..model.flows import Judgement, Verdict
from ..model.groups import Change
from ..model.policy import Direction
from ..model.ports import PortRange
from .ends import Naming, end_json, end_text, nodes_note, ports_text, ranges_json
from .groups import judgement_json
from .reach import markdown_cell
from .structure import Column, Entry, Line, Report, Section, Span, Table, Tone, faint, line, strong, unbroken
from .whatif import MEANINGS
from .words import count, judgement_fields, outcome_line, telling

Judged = tuple[Judgement | None, Judgement | None]
Judge = Callable[[Unit, Unit, int, int], Judged]
"""Judges one port between two units on both sides; None where one of them is not there."""

CHANGES = (Change.LOST, Change.GAINED, Change.UNKNOWN)
KINDS = {
    "added": "nothing was possible before",
    "removed": "nothing is possible any more",
    "changed": "other ports than before",
}
MOST_STRETCHES = 8
"""Stretches of ports of one change that are asked about; those beyond are taken to be decided as the last."""

SEVERAL: Judged = (None, None)
"""Stands for ends that have several addresses, where the one that was asked about does not tell of them all."""
SEVERAL_WORDS = "it depends on the addresses of these ends; explain tells of each"


@dataclass(frozen=True, slots=True)
class Row:
    """Ports between some sources and destinations of which the same becomes, by the same rules as far as was asked."""

    sources: tuple[Unit, ...]
    destinations: tuple[Unit, ...]
    ports: tuple[PortRange, ...]
    pairs: int
    judged: Judged


def rows_of(found: Differences, change: Change, judge: Judge) -> Iterator[Row]:
    """Yield what is lost, gained, or changed to or from what cannot be told, with who decides."""
    for group in found.groups:
        for ports_change, destinations in group.changes:
            if ports := ports_change.of(change):
                yield from _by_judgement(group, destinations, ports, change, judge)


def _by_judgement(
    group: DifferenceGroup, destinations: tuple[Unit, ...], ports: tuple[PortRange, ...], change: Change, judge: Judge
) -> Iterator[Row]:
    source, destination = next(
        (one, other) for one in group.sources for other in destinations[:2] if not (one is other and one.is_single)
    )
    found: dict[Judged, list[PortRange]] = {}
    judged: Judged = (None, None)
    for number, one in enumerate(ports):
        if number < MOST_STRETCHES:
            judged = judge(source, destination, one.protocol, one.first)
            judged = judged if _between(judged) is change else SEVERAL
        found.setdefault(judged, []).append(one)
    pairs = group.pairs(destinations)
    yield from (Row(group.sources, destinations, tuple(some), pairs, each) for each, some in found.items())


def _between(judged: Judged) -> Change:
    """Name the change that was found; ends that are not there have no connection."""
    before, after = (Verdict.DENY if judgement is None else judgement.verdict for judgement in judged)
    return Change.between(before, after)


def diff(found: Differences, judge: Judge, limit: int) -> Report:
    """Show what is lost and gained, and why."""
    sections = [Section((), (_table(found),))]
    sections += [_section(found, change, judge, limit) for change in CHANGES if found.changes[change]]
    return Report(
        line("What becomes of all possible connections"),
        (headline(found),),
        sections=tuple(sections) if found.groups else (),
        notes=tuple(map(line, _notes(found))),
    )


def headline(found: Differences) -> Line:
    """Say in a sentence what becomes of connections."""
    if not found.groups:
        return line("No connection is lost, and none is gained.")
    lost, gained = found.changes[Change.LOST], found.changes[Change.GAINED]
    parts: list[str | Span] = [Span(f"{count(lost, 'pair')} would lose", Tone.BAD) if lost else "No pair would lose"]
    parts += [" ports, ", Span(f"{count(gained, 'pair')} would gain", Tone.GOOD) if gained else "none would gain"]
    return line(*parts, " some.")


def _table(found: Differences) -> Table:
    rows = [(line(kind), line(f"{found.kinds[kind]:,}"), line(meaning)) for kind, meaning in KINDS.items()]
    rows += [
        (line(Span(change.value, MEANINGS[change][1])), line(f"{found.changes[change]:,}"), line(_meaning(change)))
        for change in CHANGES
    ]
    return Table((Column("pairs that are"), Column("pairs", True), Column("meaning")), tuple(rows))


def _meaning(change: Change) -> str:
    return f"with ports {MEANINGS[change][0]}"


def _section(found: Differences, change: Change, judge: Judge, limit: int) -> Section:
    sources, destinations = _naming(found)
    shown: list[Entry | Line] = []
    left = pairs = 0
    for number, row in enumerate(rows_of(found, change, judge if limit else _unasked)):
        if number < limit:
            shown.append(_entry(row, sources, destinations))
        else:
            left, pairs = left + 1, pairs + row.pairs
    if left:
        shown.append(
            line(faint(f"... and {count(left, 'more entry', 'more entries')}, {count(pairs, 'pair')}: see --limit"))
        )
    title = line(Span(change.value, MEANINGS[change][1]), f": {MEANINGS[change][0]}")
    return Section(title, tuple(shown))


def _unasked(_source: Unit, _destination: Unit, _protocol: int, _port: int) -> Judged:
    return None, None


def _naming(found: Differences) -> tuple[Naming, Naming]:
    naming = Naming(unit.end for unit in found.units)
    return naming, naming


def _entry(row: Row, sources: Naming, destinations: Naming) -> Entry:
    heading = line(
        strong(unbroken(ports_text(row.ports))),
        f"  {count(row.pairs, 'pair')} from " if row.pairs > 1 else "  from ",
        *sources.line([unit.end for unit in row.sources]),
        "  to ",
        *destinations.line([unit.end for unit in row.destinations]),
    )
    before, after = row.judged
    directions = telling(before, after)
    if row.judged == SEVERAL:
        return Entry(heading, (("why", line(SEVERAL_WORDS)),))
    return Entry(heading, (*_fields("before", before, directions), *_fields("after", after, directions)))


def _fields(label: str, judgement: Judgement | None, directions: tuple[Direction, ...]) -> list[tuple[str, Line]]:
    if judgement is None:
        return [(label, line("not there"))]
    return judgement_fields(label, judgement, directions)


def _notes(found: Differences) -> list[str]:
    notes = []
    for names, side in ((found.only_before, "baseline"), (found.only_after, "candidate")):
        if names:
            notes.append(f"only in the {side}: {', '.join(names[:20])}" + (", ..." if len(names) > 20 else ""))
    if found.groups:
        notes.append("rules are those that decide about one pair and port of each entry")
        both = nodes_note(found.before.found), nodes_note(found.after.found)
        notes += [max(both, key=len)] if any(both) else []
    return notes


def diff_json(found: Differences, judge: Judge) -> dict[str, object]:
    """Make the JSON of `diff --format json`."""
    return {
        "pairs": {kind: found.kinds[kind] for kind in KINDS},
        **{change.value: found.changes[change] for change in CHANGES},
        "only_before": found.only_before,
        "only_after": found.only_after,
        "ends": [end_json(unit.end) for unit in found.units],
        "changes": [
            {
                "change": change.value,
                "sources": [end_text(unit.end) for unit in row.sources],
                "destinations": [end_text(unit.end) for unit in row.destinations],
                "ports": ranges_json(row.ports),
                "pairs": row.pairs,
                "before": None if row.judged[0] is None else judgement_json(row.judged[0]),
                "after": None if row.judged[1] is None else judgement_json(row.judged[1]),
            }
            for change in CHANGES
            for row in rows_of(found, change, judge)
        ],
    }


def diff_markdown(found: Differences, judge: Judge, limit: int) -> str:
    """Make the text of `diff --format md`: a short table, and the details folded, for a pull request."""
    lines = ["### What becomes of all possible connections", "", _text(headline(found))]
    if found.groups:
        lines += ["", "| | pairs | |", "| --- | ---: | --- |"]
        lines += [f"| {kind} | {found.kinds[kind]:,} | {meaning} |" for kind, meaning in KINDS.items()]
        lines += [f"| {change.value} | {found.changes[change]:,} | {_meaning(change)} |" for change in CHANGES]
    for change in CHANGES:
        if found.changes[change]:
            lines += ["", *_details(found, change, judge, limit)]
    lines += [text for note in _notes(found) for text in ("", markdown_cell(line(note)))]
    return "\n".join(lines) + "\n"


def _details(found: Differences, change: Change, judge: Judge, limit: int) -> list[str]:
    sources, destinations = _naming(found)
    summary = f"{change.value}: {count(found.changes[change], 'pair')}"
    lines = [f"<details><summary>{summary}</summary>", "", "| ports | from | to | before | after |"]
    lines.append("| --- | --- | --- | --- | --- |")
    left = 0
    for number, row in enumerate(rows_of(found, change, judge if limit else _unasked)):
        if number >= limit:
            left += 1
            continue
        directions = telling(*row.judged)
        cells = (
            line(ports_text(row.ports)),
            sources.line([unit.end for unit in row.sources]),
            destinations.line([unit.end for unit in row.destinations]),
            *(_why(row, judgement, directions) for judgement in row.judged),
        )
        lines.append("| " + " | ".join(map(markdown_cell, cells)) + " |")
    if left:
        lines += ["", f"... and {count(left, 'more entry', 'more entries')}"]
    return [*lines, "", "</details>"]


def _why(row: Row, judgement: Judgement | None, directions: Sequence[Direction]) -> Line:
    if judgement is None:
        return line(SEVERAL_WORDS if row.judged == SEVERAL else "not there")
    word = {Verdict.ALLOW: "allowed", Verdict.DENY: "denied", Verdict.UNKNOWN: "unknown"}[judgement.verdict]
    outcomes = [outcome_line(judgement.outcome(direction), direction) for direction in directions]
    return line(word, *(span for outcome in outcomes for span in (Span("; "), *outcome)))


def _text(parts: Line) -> str:
    return "".join(span.text for span in parts)
