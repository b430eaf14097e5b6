"""The report of `bench`: figures of this machine beside the published ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .structure import Column, Report, Section, Table, faint, line
from .words import size as bytes_words

if TYPE_CHECKING:
    from ..analyses.pace import Pace

Figures = Mapping[str, Any]
_COLUMNS = (Column("figure"), Column("here", True), Column("published", True), Column("here / published", True))


def pace_json(
    result: Pace, size: str, peak_bytes: int | None, machine: str, version: str, published: Figures | None
) -> dict[str, Any]:
    """Return the figures as `bench --format json` writes them; `published` is the same of another machine, or null."""
    return {
        "size": size,
        "version": version,
        "machine": machine,
        "pods": result.pods,
        "policies": result.policies,
        "flows": result.flows,
        "threads": result.threads,
        "judged_one_thread": round(result.one_thread),
        "judged_all_threads": round(result.all_threads),
        "replayed": round(result.replay),
        "replay_to_decoding": round(result.to_decode, 3),
        "build_seconds": round(result.build_seconds, 4),
        "table_bytes": result.table_bytes,
        "peak_bytes": peak_bytes,
        "published": None if published is None else dict(published),
    }


def pace(figures: Figures) -> Report:
    """Make the report of what `pace_json` returns."""
    other = figures["published"]
    head = f"Size {figures['size']}: {figures['pods']:,} pods, {figures['policies']:,} policies"
    threads = figures["threads"]
    rows = [
        _row("flows judged a second, one thread", figures, other, "judged_one_thread"),
        _row(f"flows judged a second, {threads} threads", figures, other, "judged_all_threads"),
        _row(f"flows replayed a second, {threads} threads", figures, other, "replayed"),
        _row("time of a replay / of bare decoding", figures, other, "replay_to_decoding"),
        _row("time to build tables", figures, other, "build_seconds"),
        _row("tables", figures, other, "table_bytes"),
        _row("peak memory of the process", figures, other, "peak_bytes"),
    ]
    return Report(
        line(f"{head}, {figures['flows']:,} flows"),
        summary=(line(figures["machine"]),),
        sections=(Section((), (Table(_COLUMNS, tuple(rows)),)),),
        notes=_notes(other, threads),
    )


def _row(what: str, figures: Figures, other: Figures | None, name: str) -> tuple[Any, ...]:
    here, there = figures[name], None if other is None else other[name]
    ratio = f"{here / there:.2f}" if here is not None and there else ""
    return line(what), line(_words(name, here)), line(_words(name, there)), line(ratio)


def _words(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("_bytes"):
        return bytes_words(int(value))
    if name == "build_seconds":
        return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"
    return f"{value:.2f}" if name == "replay_to_decoding" else f"{value / 1e6:.1f} M"


def _notes(other: Figures | None, threads: int) -> tuple[Any, ...]:
    if other is None:
        return (line("Nothing was published of this size."),)
    told = f"Published: flowverdict {other['version']} with {other['threads']} threads on {other['machine']}."
    notes = [line(faint(told))]
    if other["threads"] != threads:
        notes.append(line(f"The machines differ in threads: {threads} here, {other['threads']} there."))
    return tuple(notes)
