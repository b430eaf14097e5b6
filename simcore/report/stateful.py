"""What reports say of connections: classes of rows, what lets them pass, which way they run; what a change cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .structure import Column, Line, Section, Span, Table, Tone, line, strong
from .words import count, iso_time, share

if TYPE_CHECKING:
    from ..analyses.sessions.oriented import OpenLost, StateCounts

_CLASSES = {
    "new": "opens a connection, or repeats what was not answered: policy is asked",
    "established": "belongs to a connection that was let through",
    "invalid": "answers what was denied, or belongs to no connection that could be there",
    "none": "has no protocol, or an end that is not known",
}
_PASSED_BY = {
    "rule": "policy lets its connection in",
    "established": "goes on with one, from the end that opened it",
    "reply": "comes back on one, whatever policy says of that direction",
}
_EVIDENCE = {
    "flags": "by its SYN, or by that of its connection",
    "ports": "by the port that a service would have",
    "first-seen": "by which end was seen first",
}
MODELS = ("keep", "reevaluate")


def state_sections(state: StateCounts) -> list[Section]:
    """Show how the rows of a capture make up connections."""
    rows = sum(state.classes.values())
    kind = "one row a direction" if state.one_way else "both directions in a row"
    title = line(strong(count(state.connections, "connection")), f", {kind}")
    classes = Table(
        (Column("class"), Column("rows", True), Column("share", True), Column("meaning")),
        tuple(
            (line(word), line(f"{number:,}"), line(share(number, rows)), line(_CLASSES[word]))
            for word, number in state.classes.items()
            if number or word != "none"
        ),
    )
    passed = Table(
        (Column("passed by"), Column("rows", True), Column("share", True), Column("meaning")),
        tuple(
            (line(word), line(f"{number:,}"), line(share(number, rows)), line(_PASSED_BY[word]))
            for word, number in state.passed_by.items()
        ),
    )
    told = Table(
        (Column("oriented by"), Column("to server", True), Column("to client", True), Column("meaning")),
        tuple(
            (
                line(word),
                line(f"{state.orientation['forward'][word]:,}"),
                line(f"{state.orientation['reverse'][word]:,}"),
                line(meaning),
            )
            for word, meaning in _EVIDENCE.items()
        ),
    )
    return [Section(title, (classes,)), Section((), (passed,)), Section((), (told,))]


def state_notes(state: StateCounts) -> list[Line]:
    """Tell which rows are judged as others, and which could not be taken at their own time."""
    notes = []
    joined = sum(state.joined.values())
    if joined:
        also = f"; in {count(state.joined['source'], 'row')} the client's too" if state.joined["source"] else ""
        notes.append(
            line(
                f"{count(joined, 'row')} {_were(joined)} recorded before a Service's address was translated{also}. "
                "They are judged as the same connection is after it, which is counted once."
            )
        )
    if state.node_sources:
        notes.append(
            line(
                f"{count(state.node_sources, 'row')} {_runs(state.node_sources)} from a node to a pod on another one. "
                "The node may stand for somebody else, whose address was translated; judged as recorded."
            )
        )
    if state.late:
        notes.append(
            line(
                f"{count(state.late, 'row')} came later than the reorder window and {_were(state.late)} taken at its "
                "end; --reorder makes it longer."
            )
        )
    if state.untimed:
        notes.append(
            line(f"{count(state.untimed, 'row')} had no time and {_were(state.untimed)} taken where they stand.")
        )
    return notes


def _runs(number: int) -> str:
    return "runs" if number == 1 else "run"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def cut_section(cut: OpenLost, on_change: str) -> Section:
    """Show what breaks at once and what breaks later, under both models of a change in mid-connection."""
    heads = (Column("on_change"), Column("lost now", True), Column("lost at the next reconnect", True))
    rows = []
    for model in MODELS:
        now, later = lost_under(cut, model)
        chosen = " (chosen)" if model == on_change else ""
        rows.append(
            (line(strong(model), chosen), line(Span(f"{now:,}", Tone.BAD if now else Tone.PLAIN)), line(f"{later:,}"))
        )
    title = line(
        strong("Connections that the change cuts"),
        f": {cut.connections:,}, of which {cut.open_at_end:,} are open when the capture ends",
    )
    return Section(title, (Table(heads, tuple(rows)),))


def lost_under(cut: OpenLost, model: str) -> tuple[int, int]:
    """Return how many connections are lost now, and at the next reconnect, under one model."""
    now = cut.open_at_end if model == "reevaluate" else 0
    return now, cut.connections - now


def state_json(state: StateCounts) -> dict[str, object]:
    """Write what was found of connections as JSON does."""
    is_empty = not sum(state.classes.values())
    return {
        "connections": state.connections,
        "one_way": state.one_way,
        "classes": dict(state.classes),
        "passed_by": dict(state.passed_by),
        "orientation": {way: dict(numbers) for way, numbers in state.orientation.items()},
        "joined": dict(state.joined),
        "node_sources": state.node_sources,
        "late_rows": state.late,
        "untimed_rows": state.untimed,
        "begin": iso_time(None if is_empty else state.begin),
        "end": iso_time(None if is_empty else state.end),
    }


def cut_json(cut: OpenLost, on_change: str) -> dict[str, object]:
    """Write what a change cuts as JSON does."""
    return {
        "connections": cut.connections,
        "open_at_end": cut.open_at_end,
        "on_change": on_change,
        **{
            model: dict(zip(("lost_now", "lost_at_reconnect"), lost_under(cut, model), strict=True)) for model in MODELS
        },
    }
