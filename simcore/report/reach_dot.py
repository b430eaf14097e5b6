"""All possible connections as a graph for Graphviz: workloads in boxes of their namespaces, an edge for each pair."""

from __future__ import annotations

from collections.abc import Iterator

from ..analyses.connectivity import NodeEnd, Ports, RangeEnd
from ..analyses.connectivity.listing import Listing
from ..analyses.connectivity.results import End
from .ends import end_text, namespace_of, ports_text

_HEAD = (
    "digraph connections {",
    '  graph [rankdir=LR, fontname="Helvetica", compound=true];',
    '  node [shape=box, style="rounded,filled", fillcolor="#ffffff", fontname="Helvetica", fontsize=11];',
    '  edge [fontname="Helvetica", fontsize=9, color="#2563eb"];',
)


def reach_dot(listing: Listing) -> str:
    """Make the text of `reach --format dot`."""
    ends = {end_text(end): end for end in (*listing.sources.values(), *listing.destinations.values())}
    lines = [*_HEAD, *_namespaces(ends), *_edges(listing), "}", ""]
    return "\n".join(lines)


def _namespaces(ends: dict[str, End]) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for name, end in ends.items():
        found.setdefault(namespace_of(end), []).append(name)
    for number, (namespace, names) in enumerate(sorted(found.items())):
        if namespace:
            yield f"  subgraph cluster_{number} {{"
            yield f'    label={_quoted(namespace)}; style="rounded,filled"; fillcolor="#f3f4f6"; color="#9ca3af";'
            yield from (f"    {_quoted(name)} [label={_quoted(name.partition('/')[2])}];" for name in names)
            yield "  }"
        else:
            yield from (f"  {_quoted(name)} [{_shape(ends[name])}];" for name in names)


def _shape(end: End) -> str:
    shape, colour = ("box3d", "#e0e7ff") if isinstance(end, NodeEnd) else ("ellipse", "#fef3c7")
    return f'shape={shape}, fillcolor="{colour}"'


def _edges(listing: Listing) -> Iterator[str]:
    for source, destination, ports in listing.pairs():
        ends = f"{_quoted(end_text(source))} -> {_quoted(end_text(destination))}"
        yield f"  {ends} [{_look(ports, source, destination)}];"


def _look(ports: Ports, source: End, destination: End) -> str:
    words = [ports_text(ports.allowed)] if ports.allowed else []
    words += [f"unknown on {ports_text(ports.unknown)}"] if ports.unknown else []
    doubt = "" if ports.allowed else ', style=dashed, color="#d97706"'
    outside = ", weight=0" if isinstance(source, RangeEnd) or isinstance(destination, RangeEnd) else ""
    return f"label={_quoted('; '.join(words))}{doubt}{outside}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
