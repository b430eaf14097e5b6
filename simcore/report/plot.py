"""Plots as SVG: the entries of the fullest nodes over time, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isnan, log10
from typing import TYPE_CHECKING

from .sizing import name_of
from .words import duration, moment

if TYPE_CHECKING:
    from ..analyses.sizing.cases import Case, Sizing
    from ..analyses.sizing.sizes import TableSize

MOST_PANELS = 6
MOST_POINTS = 200
WIDTH = 960
_PANEL_HEIGHT, _TITLE, _AXIS, _LEFT, _RIGHT, _GAP = 150, 26, 26, 64, 16, 18
_HEAD = 74
_FEW = 3
_INK, _FAINT, _GRID, _LIMIT = "#1f2937", "#6b7280", "#e5e7eb", "#dc2626"
_BEFORE, _AFTER = "#94a3b8", "#2563eb"
_STEPS = (1, 2, 5, 10)
_TOPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)


@dataclass(frozen=True, slots=True)
class _Panel:
    """Where a node's curves are drawn, and to what scale."""

    left: float
    top: float
    width: float
    first: int
    last: int
    most: float

    def x(self, time: float) -> float:
        return self.left + self.width * (time - self.first) / max(self.last - self.first, 1)

    def y(self, entries: float) -> float:
        return self.top + _PANEL_HEIGHT * (1 - entries / self.most)


def occupancy_plot(result: Sizing) -> str:
    """Draw the entries of the nodes that are closest to their maximum: live ones, and how many may be allocated."""
    tables = sorted(result.final.tables, key=lambda table: (-table.allocated_bound, table.node, table.table))
    shown = [table for table in tables if table.peak_live][:MOST_PANELS]
    columns = 1 if len(shown) <= _FEW else 2
    rows = ceil(len(shown) / columns)
    step = _TITLE + _PANEL_HEIGHT + _AXIS + _GAP
    height = _HEAD + max(rows, 1) * step
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    most = _reach(result, shown)
    parts += _head(result, any(0 < table.current.entries <= most for table in shown))
    width = (WIDTH - columns * (_LEFT + _RIGHT)) / columns
    for number, table in enumerate(shown):
        left = (number % columns) * (WIDTH / columns) + _LEFT
        top = _HEAD + number // columns * step + _TITLE
        parts += _panel(result, table, left, top, width, most)
    if not shown:
        parts.append(_text(WIDTH / 2, _HEAD + 60, "no entries", _FAINT, "middle"))
    return "\n".join([*parts, "</svg>", ""])


def _cases(result: Sizing) -> list[tuple[str, Case, str]]:
    """List the cases with their words and colours, the one to be sized for last and on top."""
    if result.candidate is None:
        return [("", result.baseline, _AFTER)]
    return [("before: ", result.baseline, _BEFORE), ("after: ", result.candidate, _AFTER)]


def _head(result: Sizing, has_limit: bool) -> Iterator[str]:
    noun = "Cilium's conntrack maps" if result.final.fleet.kube_proxy is None else "Conntrack entries"
    changes = f": {'; '.join(result.changes)}" if result.changes else ""
    words = f"{noun} over {duration(result.seconds)}{changes}"
    yield _text(_LEFT, 26, _shortened(words, 84), _INK, "start", 'font-size="16" font-weight="600"')
    x = float(_LEFT)
    for label, _, colour in _cases(result):
        for words, dashes in ((f"{label}live", ""), (f"{label}allocated at most", ' stroke-dasharray="4 3"')):
            yield f'<line x1="{x:.1f}" y1="48" x2="{x + 22:.1f}" y2="48" stroke="{colour}" stroke-width="2"{dashes}/>'
            yield _text(x + 28, 52, words, _INK, "start")
            x += 42 + 6.4 * len(words)
    if has_limit:
        yield f'<line x1="{x:.1f}" y1="48" x2="{x + 22:.1f}" y2="48" stroke="{_LIMIT}" stroke-width="1.5"/>'
        yield _text(x + 28, 52, "maximum now", _INK, "start")


def _reach(result: Sizing, shown: Sequence[TableSize]) -> float:
    """Return how many entries all panels reach up to: what is held, and maxima that are not far above."""
    held = 1.0
    for table in shown:
        for _, case, _ in _cases(result):
            if (row := _row(case, table)) is not None:
                held = max([held, *_numbers(case.curves.bound[row].tolist())])
    near = [float(table.current.entries) for table in shown if table.current.entries <= 1.6 * held]
    return _nice(1.03 * max(held, *near) if near else 1.03 * held, _TOPS)


def _panel(result: Sizing, table: TableSize, left: float, top: float, width: float, most: float) -> Iterator[str]:
    cases = [(case, colour, _row(case, table)) for _, case, colour in _cases(result)]
    limit = table.current.entries
    is_near = 0 < limit <= most
    panel = _Panel(left, top, width, result.begin, result.end, most)
    yield _text(left, top - 9, name_of(table), _INK, "start", 'font-weight="600"')
    if limit and not is_near:
        yield _text(left + width, top - 9, f"maximum now: {limit:,}", _LIMIT, "end")
    yield from _grid(panel)
    for case, colour, row in cases:
        if row is not None:
            live, bound = (_drawn(panel, case, curve[row].tolist()) for curve in (case.curves.most, case.curves.bound))
            yield _area(panel, live, bound, colour)
            yield _curve(panel, bound, colour, ' stroke-dasharray="4 3" stroke-width="1.2"')
            yield _curve(panel, live, colour, ' stroke-width="1.8"')
    if is_near:
        yield f'<path d="M{left:.1f} {panel.y(limit):.1f}h{width:.1f}" stroke="{_LIMIT}" stroke-width="1.5"/>'
    yield f'<path d="M{left:.1f} {top:.1f}v{_PANEL_HEIGHT}h{width:.1f}" fill="none" stroke="{_FAINT}"/>'


def _drawn(panel: _Panel, case: Case, values: Sequence[float]) -> list[tuple[float, float]]:
    """Return the points of a curve, some bins taken together by the most of them where there are many."""
    together = ceil(len(values) / MOST_POINTS)
    points = []
    for start in range(0, len(values), together):
        time = int(case.curves.times[start]) + case.curves.bin * together / 2
        if some := _numbers(values[start : start + together]):
            points.append((min(max(time, panel.first), panel.last), max(some)))
    return points


def _row(case: Case, table: TableSize) -> int | None:
    """Return where a table stands in the curves of a case."""
    name = (table.node, table.table)
    return case.curves.names.index(name) if name in case.curves.names else None


def _numbers(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values if not isnan(value)]


def _grid(panel: _Panel) -> Iterator[str]:
    step = _nice(panel.most / 4)
    for number in range(floor(panel.most / step) + 1):
        y = panel.y(number * step)
        yield f'<path d="M{panel.left:.1f} {y:.1f}h{panel.width:.1f}" stroke="{_GRID}"/>'
        yield _text(panel.left - 8, y + 4, f"{number * step:,.0f}", _FAINT, "end")
    seconds = (panel.last - panel.first) / 1e9
    apart = next((each for each in _TIME_STEPS if seconds / each <= panel.width / 90), _TIME_STEPS[-1]) * 1_000_000_000
    days = seconds > 86_400
    for time in range(-(-panel.first // apart) * apart, panel.last + 1, apart):
        x = panel.x(time)
        words = moment(time)[5:16] if days else moment(time)[11:16] if apart >= 60_000_000_000 else moment(time)[11:]
        yield f'<path d="M{x:.1f} {panel.top + _PANEL_HEIGHT:.1f}v4" stroke="{_FAINT}"/>'
        yield _text(x, panel.top + _PANEL_HEIGHT + 17, words, _FAINT, "middle")


def _points(panel: _Panel, curve: Sequence[tuple[float, float]]) -> list[str]:
    return [f"{panel.x(time):.1f} {panel.y(value):.1f}" for time, value in curve]


def _curve(panel: _Panel, curve: Sequence[tuple[float, float]], colour: str, style: str) -> str:
    return f'<path d="M{"L".join(_points(panel, curve))}" fill="none" stroke="{colour}"{style}/>'


def _area(
    panel: _Panel, below: Sequence[tuple[float, float]], above: Sequence[tuple[float, float]], colour: str
) -> str:
    points = [*_points(panel, above), *_points(panel, below)[::-1]]
    return f'<path d="M{"L".join(points)}Z" fill="{colour}" fill-opacity="0.15"/>'


def _nice(value: float, steps: Sequence[float] = _STEPS) -> float:
    """Round up to one of some steps times a power of ten."""
    power = 10.0 ** floor(log10(max(value, 1.0)))
    return power * next(step for step in steps if step * power >= min(value, 10 * power))


def _shortened(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 3]}..."


def _text(x: float, y: float, words: str, colour: str, anchor: str, style: str = "") -> str:
    style = f" {style}" if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{style}>{escape(words)}</text>'
