"""All possible connections as a matrix in SVG: sources as rows, destinations as columns, namespaces side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from ..analyses.connectivity import NodeEnd, RangeEnd
from ..analyses.connectivity.blocks import NODES, Blocks, Group
from ..analyses.connectivity.listing import Listing
from .ends import end_text, ports_text
from .svg import FAINT, GRID, INK, document, shortened, text
from .words import count, share

MOST_ENDS = 80
"""Ends of a side from which on namespaces stand for their workloads."""
_NAMES = 40
_HEAD, _FOOT, _BAND, _MARGIN = 70, 46, 22, 16
_LETTER = 6.2
_OUTSIDE = "outside"
_COLOURS = ("#1d4ed8", "#93c5fd", "#f59e0b")
_NO_PAIR, _LINE = "#e5e7eb", "#6b7280"
_WORDS = ("all ports", "some ports", "unknown")


def reach_svg(listing: Listing, found: Blocks) -> str:
    """Draw the matrix; `found` is that of the listing's blocks of at most `MOST_ENDS`."""
    return _Matrix(listing, found).drawn()


class _Matrix:
    """Where everything is drawn."""

    def __init__(self, listing: Listing, found: Blocks) -> None:
        self._listing = listing
        self._found = found
        self._cell = _cell_size(max(len(found.sources), len(found.destinations)))
        self._rows, self._columns = (list(self._labels(side)) for side in (found.sources, found.destinations))
        band = 0 if found.folded else _BAND
        longest = [min(max(map(len, labels), default=0), _NAMES) for labels in (self._rows, self._columns)]
        self._left = _MARGIN + band + _LETTER * longest[0] + 10
        self._top = _HEAD + band + _LETTER * longest[1] + 10

    def _labels(self, side: Sequence[Group]) -> Iterator[str]:
        """Name groups; where there is no room to name a namespace beside its workloads, with it."""
        for namespace, members in groupby(side, lambda group: group.namespace):
            groups = list(members)
            is_named = _fits(namespace, len(groups) * self._cell)
            yield from (self._label(group, namespace, is_named) for group in groups)

    def _label(self, group: Group, namespace: str, is_named: bool) -> str:
        name = end_text(group.ends[0])
        if namespace == NODES:
            nodes = sum(len(end.nodes) for end in group.ends if isinstance(end, NodeEnd))
            return name if len(group.ends) == 1 else f"{NODES} ({nodes:,})"
        if not namespace:
            family = f"outside IPv{int(group.ends[0].example.family)}" if isinstance(group.ends[0], RangeEnd) else ""
            return name if len(group.ends) == 1 else f"{family} ({count(len(group.ends), 'range')})"
        if self._found.folded:
            return f"{namespace} ({len(group.ends):,})"
        return name.partition("/")[2] if is_named else name

    def drawn(self) -> str:
        width = self._left + self._cell * len(self._columns) + _MARGIN
        height = self._top + self._cell * len(self._rows) + _FOOT
        return document(
            round(max(width, 560)),
            round(height),
            [*self._head(), *self._names(), *self._cells(), *self._lines(), *self._bands(), *self._legend(height)],
        )

    def _head(self) -> Iterator[str]:
        pairs, open_ = int(self._found.pairs.sum()), int(self._found.kinds[:2].sum())
        yield text(_MARGIN, 24, "All possible connections", INK, "start", 'font-size="16" font-weight="600"')
        what = "namespaces" if self._found.folded else "workloads"
        words = f"rows: {what} as sources; columns: as destinations; {open_:,} of {pairs:,} pairs open"
        yield text(_MARGIN, 44, f"{words} ({share(open_, pairs)})", FAINT, "start")
        if self._found.folded:
            yield text(_MARGIN, 60, "the height of a colour is its share of the pairs", FAINT, "start")

    def _names(self) -> Iterator[str]:
        size = f'font-size="{min(11.0, self._cell - 1):g}"'
        for place, label in enumerate(self._rows):
            y = self._top + self._cell * (place + 0.5) + 3.5
            yield text(self._left - 6, y, shortened(label, _NAMES), INK, "end", size)
        for place, label in enumerate(self._columns):
            x, y = self._left + self._cell * (place + 0.5) + 3.5, self._top - 6
            turned = f'{size} transform="rotate(-90 {x:.1f} {y:.1f})"'
            yield text(x, y, shortened(label, _NAMES), INK, "start", turned)

    def _cells(self) -> Iterator[str]:
        pairs, kinds = self._found.pairs.tolist(), self._found.kinds.tolist()
        for row in range(len(self._rows)):
            for column in range(len(self._columns)):
                counts = [kind[row][column] for kind in kinds]
                x, y = self._left + self._cell * column, self._top + self._cell * row
                if not pairs[row][column]:
                    yield _rect(x, y, self._cell, self._cell, _NO_PAIR)
                elif any(counts):
                    yield from self._cell_at(x, y, row, column, counts, pairs[row][column])

    def _cell_at(self, x: float, y: float, row: int, column: int, counts: Sequence[int], pairs: int) -> Iterator[str]:
        yield f"<g><title>{escape(self._told(row, column, counts, pairs))}</title>"
        yield _rect(x, y, self._cell, self._cell, "#ffffff")
        bottom = y + self._cell
        for number, colour in zip(counts, _COLOURS, strict=True):
            if number:
                high = max(self._cell * number / pairs, 1.5)
                bottom = max(bottom - high, y)
                yield _rect(x, bottom, self._cell, min(high, y + self._cell - bottom), colour)
        yield "</g>"

    def _told(self, row: int, column: int, counts: Sequence[int], pairs: int) -> str:
        source, destination = self._found.sources[row], self._found.destinations[column]
        names = " to ".join(
            self._full(group, label)
            for group, label in ((source, self._rows[row]), (destination, self._columns[column]))
        )
        if len(source.ends) == len(destination.ends) == 1:
            return f"{names}: {self._ports(row, column)}"
        parts = [f"{number:,} on {words}" for number, words in zip(counts[:2], _WORDS[:2], strict=True) if number]
        parts += [f"{counts[2]:,} unknown"] if counts[2] else []
        return f"{names}: of {count(pairs, 'pair')} {', '.join(parts)}"

    def _full(self, group: Group, label: str) -> str:
        return end_text(group.ends[0]) if len(group.ends) == 1 else label

    def _ports(self, row: int, column: int) -> str:
        ports = self._listing.ports_of(self._found.sources[row].number, self._found.destinations[column].number)
        parts = [ports_text(ports.allowed)] if ports.allowed else []
        return "; ".join([*parts, *([f"unknown on {ports_text(ports.unknown)}"] if ports.unknown else [])])

    def _lines(self) -> Iterator[str]:
        """Draw the grid, and heavier lines between namespaces."""
        wide, high = self._cell * len(self._columns), self._cell * len(self._rows)
        for side, is_row in ((self._found.sources, True), (self._found.destinations, False)):
            for place in range(len(side) + 1):
                at = self._cell * place
                where = f"M{self._left:.1f} {self._top + at:.1f}h{wide:.1f}"
                if not is_row:
                    where = f"M{self._left + at:.1f} {self._top:.1f}v{high:.1f}"
                colour, thick = (_LINE, 0.8) if self._is_border(side, place) else (GRID, 0.5)
                yield f'<path d="{where}" stroke="{colour}" stroke-width="{thick}"/>'

    def _is_border(self, side: Sequence[Group], place: int) -> bool:
        if place in (0, len(side)):
            return True
        return not self._found.folded and side[place - 1].namespace != side[place].namespace

    def _bands(self) -> Iterator[str]:
        """Name the namespaces beside their workloads."""
        if self._found.folded:
            return
        style = 'font-size="11" font-weight="600"'
        for is_row, side in ((True, self._found.sources), (False, self._found.destinations)):
            place = 0.0
            for namespace, members in groupby(group.namespace for group in side):
                long = self._cell * sum(1 for _ in members)
                middle, place = place + long / 2, place + long
                name = namespace or _OUTSIDE
                if _fits(namespace, long) and is_row:
                    x, y = _MARGIN + 8, self._top + middle
                    yield text(x, y, name, FAINT, "middle", f'{style} transform="rotate(-90 {x:.1f} {y:.1f})"')
                elif _fits(namespace, long):
                    yield text(self._left + middle, _HEAD + 10, name, FAINT, "middle", style)

    def _legend(self, height: float) -> Iterator[str]:
        x, y = float(_MARGIN), height - 24
        for words, colour in zip((*_WORDS, "none", "no pair"), (*_COLOURS, "#ffffff", _NO_PAIR), strict=True):
            box = f'width="12" height="12" fill="{colour}" stroke="{_LINE}" stroke-width="0.5"'
            yield f'<rect x="{x:.1f}" y="{y:.1f}" {box}/>'
            yield text(x + 18, y + 10, words, INK, "start")
            x += 42 + 1.1 * _LETTER * len(words)


def _fits(namespace: str, long: float) -> bool:
    """Whether there is room for a namespace's name beside its workloads."""
    return long >= 7 * len(namespace or _OUTSIDE)


def _cell_size(ends: int) -> float:
    return next((size for most, size in ((16, 24.0), (40, 16.0)) if ends <= most), 11.0)


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
