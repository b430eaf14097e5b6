"""The report of `conntrack`: what a kernel would make of each packet, and what became of the table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..model.conntrack import RULESETS, Conntrack, CtClass
from ..model.ports import TCP
from .packets import ANSWERS, FLAGS, Row, ends_of, kind_of, protocol_of, rows_of
from .structure import Choice, Column, Line, Report, Section, Span, Table, Tone, faint, line, strong
from .words import count, iso_time, period, protocol_json, share

if TYPE_CHECKING:
    import pyarrow as pa

    from ..analyses.conntrack.tracked import Peak, Tracked

_TONES = {CtClass.INVALID: Tone.DOUBT, CtClass.UNTRACKED: Tone.DOUBT, CtClass.NONE: Tone.BAD}
_MEANINGS = {
    CtClass.NEW: "the first of a connection, until it is answered",
    CtClass.ESTABLISHED: "a reply, or follows one",
    CtClass.RELATED: "an expected connection, or an ICMP error",
    CtClass.INVALID: "refused by the tracker",
    CtClass.UNTRACKED: "not tracked, by a rule or by its type",
    CtClass.NONE: "the table was full; no rule was asked",
}


def conntrack(tracked: Tracked, settings: Conntrack, ruleset: str, clients: str) -> Report:
    """Make the report.

    Parameters
    ----------
    tracked : Tracked
        What the packets came to.
    settings : Conntrack
        The kernel's settings.
    ruleset : str
        Name of the ruleset.
    clients : str
        The clients' networks, in words.
    """
    sections = []
    if tracked.shown:
        sections.append(Section(line(strong("Packets"), _of_all(tracked)), (_packets(tracked),)))
    if tracked.packets:
        sections += [
            Section(line(strong("Classes")), (_classes(tracked),)),
            Section(line(strong("Entries")), (_entries(tracked, settings),)),
        ]
    return Report(
        line(f"{count(tracked.packets, 'packet')} tracked with ruleset {ruleset}"),
        summary=tuple(_summary(tracked)),
        warnings=tuple(_warnings(tracked, ruleset, clients)),
        sections=tuple(sections),
        notes=tuple(_notes(tracked)),
    )


def _summary(tracked: Tracked) -> Iterator[Line]:
    if not tracked.packets:
        return
    dropped = tracked.packets - tracked.accepted
    answer = f"{dropped:,} would be dropped, {tracked.accepted:,} would pass" if dropped else "All would pass"
    yield line(f"{answer}. {period(tracked.first_time, tracked.last_time)}.")


def _warnings(tracked: Tracked, ruleset: str, clients: str) -> Iterator[Line]:
    if tracked.packets and not tracked.from_clients and RULESETS[ruleset].new_from == ("a",):
        yield line(
            f"No packet enters at side a, the clients' side ({clients}), so no client opens a connection. "
            "Name their networks with --client CIDR, or give the packets a column side."
        )
    if lost := tracked.classes[CtClass.NONE, False]:
        yield line(f"The table was full: {count(lost, 'packet')} dropped before any rule was asked.")


def _notes(tracked: Tracked) -> Iterator[Line]:
    if tracked.shown:
        yield line(
            "timeout: seconds until the packet's entry expires, right after it. count: entries allocated; "
            "expired ones count until somebody takes them out (CT-6.1)."
        )
    if tracked.packets and not {"sequence", "acknowledgement", "length"} <= set(tracked.columns):
        yield line(
            "The capture lacks sequence, acknowledgement or length: every TCP packet is taken to be in its window, "
            "and its data to be acknowledged (CT-2.50)."
        )


def _of_all(tracked: Tracked) -> str:
    shown = sum(packets.num_rows for packets, _ in tracked.shown)
    return "" if shown == tracked.packets else f", the first {shown:,} of {tracked.packets:,} (--limit)"


_TIME, _NUMBER = Column("time", right=True), Column("#", right=True)
_ENDS = (Column("protocol"), Column("source -> destination"))
_ANSWER = (
    Column("verdict"),
    Column("class"),
    Column("state"),
    Column("assured"),
    Column("timeout", right=True),
    Column("count", right=True),
)


def _packets(tracked: Tracked) -> Choice:
    """List packets with both their ends; where that is too wide, number the connections and list them apart."""
    numbers: dict[tuple[object, ...], tuple[int, Row]] = {}
    wide, narrow = [], []
    for packets, answers in tracked.shown:
        for row in rows_of(packets, answers):
            end, other = (row["source"], row["source_port"]), (row["destination"], row["destination_port"])
            key = (row["protocol"], row["icmp_id"], *sorted((end, other), key=str))
            number, first = numbers.setdefault(key, (len(numbers) + 1, row))
            arrow = "->" if (first["source"], first["source_port"]) == end else "<-"
            time, size = line(_since(row["time"], tracked)), line(f"{row['length']:,}" if row["length"] else "")
            kind = kind_of(row)
            wide.append((time, line(protocol_of(row)), line(ends_of(row)), line(kind), size, *_answer(row)))
            narrow.append((time, line(str(number)), line(f"{arrow} {kind}"), *_answer(row)))
    connections = [(line(str(number)), line(protocol_of(row)), line(ends_of(row))) for number, row in numbers.values()]
    return Choice(
        Table((_TIME, *_ENDS, Column("packet"), Column("bytes", right=True), *_ANSWER), tuple(wide)),
        (
            Table((_NUMBER, *_ENDS), tuple(connections)),
            Table((_TIME, _NUMBER, Column("packet"), *_ANSWER), tuple(narrow)),
        ),
    )


def _since(time: int, tracked: Tracked) -> str:
    return f"{(time - (tracked.first_time or 0)) / 1e9:,.3f}"


def _answer(row: Row) -> tuple[Line, ...]:
    kind = CtClass[row["ct_class"].upper()]
    return (
        (Span("ACCEPT", Tone.GOOD) if row["verdict"] == "accept" else Span("DROP", Tone.BAD),),
        (Span(row["ct_class"], _TONES.get(kind, Tone.PLAIN)),),
        line(row["ct_state"] or ""),
        line(faint("yes") if row["assured"] else ""),
        line("" if row["timeout"] is None else f"{row['timeout']:,.1f}".removesuffix(".0")),
        line(f"{row['count']:,}"),
    )


def _classes(tracked: Tracked) -> Table:
    rows = []
    for kind in CtClass:
        accepted, dropped = tracked.classes[kind, True], tracked.classes[kind, False]
        if accepted or dropped:
            total = accepted + dropped
            numbers = (f"{total:,}", share(total, tracked.packets), f"{accepted:,}", f"{dropped:,}", _MEANINGS[kind])
            rows.append(((Span(kind.word, _TONES.get(kind, Tone.PLAIN)),), *map(line, numbers)))
    names = ("packets", "share", "accepted", "dropped")
    heads = (Column("class"), *(Column(name, right=True) for name in names), Column("meaning"))
    return Table(heads, tuple(rows))


def _entries(tracked: Tracked, settings: Conntrack) -> Table:
    limit = settings.nf_conntrack_max
    found: tuple[tuple[str, Peak, int], ...] = (
        ("allocated", tracked.allocated, tracked.last_allocated),
        ("live", tracked.live, tracked.last_live),
    )
    rows = tuple(
        (
            line(name),
            line(f"{peak.entries:,}"),
            line(share(peak.entries, limit) if limit else "no limit"),
            line(f"{_since(peak.time, tracked)} s" if peak.entries else ""),
            line(f"{last:,}"),
        )
        for name, peak, last in found
    )
    names = ("most", "of the maximum", "at", "at the end")
    return Table((Column("entries"), *(Column(name, right=True) for name in names)), rows)


def conntrack_json(packets: pa.RecordBatch, answers: pa.RecordBatch) -> str:
    """Write a line of JSON for each packet of a batch."""
    return "".join(json.dumps(_json(row)) + "\n" for row in rows_of(packets, answers))


def _json(row: Row) -> Row:
    return {
        "time": iso_time(row["time"]),
        **{name: row[name] for name in ("source", "source_port", "destination", "destination_port")},
        "protocol": protocol_json(row["protocol"]),
        "flags": FLAGS[row["flags"] or 0] if row["protocol"] == TCP else None,
        **{name: row[name] for name in ("icmp_type", "icmp_code", "icmp_id")},
        **{name: row[name] for name in ANSWERS},
    }
