"""The report of `reach`: who may reach whom, on which ports."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator
from io import StringIO

from ..analyses.connectivity import Exposure, NodeEnd, RangeEnd, WorkloadEnd
from ..analyses.connectivity.listing import Group, Listing
from ..analyses.connectivity.results import End
from .ends import Naming, end_json, end_text, nodes_note, ports_json, ports_text, possible_line
from .exposure import exposure_json, exposure_sections
from .structure import Entry, Line, Report, Section, faint, line, strong
from .words import count


def reach(listing: Listing, limit: int, exposed: Exposure | None = None) -> Report:
    """Show groups of sources, and what each may reach; then exposure, if it was asked for."""
    groups = listing.groups
    naming = Naming(listing.sources.values()), Naming(listing.destination_list)
    shown = tuple(_entry(group, *naming) for group in groups[:limit])
    left = groups[limit:]
    rest = [] if not left else [line(faint(_rest(left)))]
    sections = [Section(line(strong("Connections")), (*shown, *rest))] if groups else []
    if exposed:
        sections += exposure_sections(exposed, limit)
    return Report(
        line("All possible connections"),
        _summary(listing),
        sections=tuple(sections),
        notes=tuple(_notes(listing, exposed)),
    )


def _summary(listing: Listing) -> tuple[Line, ...]:
    sources, destinations = (_counted(ends.values()) for ends in (listing.sources, listing.destinations))
    head = line(strong(count(listing.count, "pair")), " may connect, from ", sources, " to ", destinations, ".")
    if not listing.count:
        head = line(strong("No pair"), " may connect, from ", sources, " to ", destinations, ".")
    if not listing.is_doubtful:
        return (head,)
    return head, line("Some cannot be told: they are marked unknown; flowverdict explain says why.")


def _counted(ends: Collection[End]) -> str:
    workloads, nodes, ranges = counts(ends)
    parts = [count(workloads, "workload"), *([count(nodes, "node")] if nodes else [])]
    return f"{', '.join(parts)} and {count(ranges, 'outside range')}"


def counts(ends: Collection[End]) -> tuple[int, int, int]:
    """Count workloads, nodes and ranges."""
    workloads, ranges = (sum(isinstance(end, kind) for end in ends) for kind in (WorkloadEnd, RangeEnd))
    return workloads, sum(len(end.nodes) for end in ends if isinstance(end, NodeEnd)), ranges


def _notes(listing: Listing, exposed: Exposure | None) -> Iterator[Line]:
    if listing.count:
        yield line(
            "replies are always let through; Services stand for the pods behind them; a pod always reaches itself"
        )
    if listing.count and (note := nodes_note(listing.found)):
        yield line(note)
    if exposed:
        yield line(
            "pods that do not exist yet are judged by what binds the workload; what will bind them may let through less"
        )
        if any(one.anybody.ports.unknown for one in exposed.exposed):
            yield line("unknown to or from any pod: it depends on the address that it gets, or cannot be told at all")


def _rest(groups: tuple[Group, ...]) -> str:
    pairs = count(sum(group.pairs for group in groups), "pair")
    return f"... and {count(len(groups), 'more group')} of sources with {pairs}: see --limit, or --format csv"


def _entry(group: Group, sources: Naming, destinations: Naming) -> Entry:
    fields = tuple(
        ("", line(*possible_line(ports), "  to ", *destinations.line(ends))) for ports, ends in group.reached
    )
    return Entry(line(strong("from "), *sources.line(group.sources)), fields)


def reach_json(listing: Listing, exposed: Exposure | None = None) -> dict[str, object]:
    """Make the JSON of `reach --format json`: ends by name, the groups of sources that may reach the same, exposure."""
    workloads, nodes, ranges = counts({**listing.sources, **listing.destinations}.values())
    both = [*listing.sources.values(), *listing.destination_list]
    named = {end_text(end): end for end in both}
    return {
        "workloads": workloads,
        "nodes": nodes,
        "ranges": ranges,
        "pairs": listing.count,
        "ends": [end_json(end) for end in named.values()],
        "groups": [
            {
                "sources": list(map(end_text, group.sources)),
                "pairs": group.pairs,
                "reached": [
                    {**ports_json(ports), "destinations": list(map(end_text, reached))}
                    for ports, reached in group.reached
                ],
            }
            for group in listing.groups
        ],
        **(exposure_json(exposed) if exposed else {}),
    }


def reach_csv(listing: Listing) -> str:
    """Make the text of `reach --format csv`: a row for each pair."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("source", "destination", "allowed", "unknown"))
    for source, destination, ports in listing.pairs():
        writer.writerow((end_text(source), end_text(destination), ports_text(ports.allowed), ports_text(ports.unknown)))
    return out.getvalue()


def reach_markdown(listing: Listing, limit: int, exposed: Exposure | None = None) -> str:
    """Make the text of `reach --format md`: a table with a row for each group of sources and port set; exposure."""
    sources, destinations = Naming(listing.sources.values()), Naming(listing.destination_list)
    lines = ["| from | ports | to |", "| --- | --- | --- |"]
    for group in listing.groups[:limit]:
        for ports, ends in group.reached:
            cells = (sources.line(group.sources), possible_line(ports), destinations.line(ends))
            lines.append("| " + " | ".join(markdown_cell(cell) for cell in cells) + " |")
    if left := listing.groups[limit:]:
        lines += ["", _rest(left)]
    if exposed:
        lines += markdown_sections(exposure_sections(exposed, limit))
    return "\n".join(lines) + "\n"


def markdown_sections(sections: Iterable[Section]) -> list[str]:
    """Write sections of entries and lines as headings and lists."""
    lines: list[str] = []
    for section in sections:
        lines += ["", f"**{markdown_cell(section.title)}**", ""]
        for item in section.items:
            if isinstance(item, Entry):
                lines.append(f"- {markdown_cell(item.heading)}")
                lines += [f"  - {markdown_cell(each)}" for _, each in item.fields]
            elif isinstance(item, tuple):
                lines += ["", markdown_cell(item)]
    return lines


def markdown_cell(cell: Line) -> str:
    """Write a line as a cell of a Markdown table."""
    text = "".join(span.text for span in cell).replace("\u00a0", " ")
    return text.replace("|", "\\|").replace("*", "\\*")
