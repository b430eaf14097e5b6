"""Plots as SVG: the entries of the fullest nodes over time, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, isnan
from typing import TYPE_CHECKING

from .sizing import name_of
from .svg import BLUE, FAINT, GREY, INK, RED, Panel, document, nice, sample, shortened, text
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
_TOPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 604800)


def occupancy_plot(result: Sizing) -> str:
    """Draw the entries of the nodes that are closest to their maximum: live ones, and how many may be allocated."""
    tables = sorted(result.final.tables, key=lambda table: (-table.allocated_bound, table.node, table.table))
    shown = [table for table in tables if table.peak_live][:MOST_PANELS]
    columns = 1 if len(shown) <= _FEW else 2
    rows = ceil(len(shown) / columns)
    step = _TITLE + _PANEL_HEIGHT + _AXIS + _GAP
    height = _HEAD + max(rows, 1) * step
    most = _reach(result, shown)
    parts = list(_head(result, any(0 < table.current.entries <= most for table in shown)))
    width = (WIDTH - columns * (_LEFT + _RIGHT)) / columns
    for number, table in enumerate(shown):
        left = (number % columns) * (WIDTH / columns) + _LEFT
        top = _HEAD + number // columns * step + _TITLE
        parts += _panel(result, table, left, top, width, most)
    if not shown:
        parts.append(text(WIDTH / 2, _HEAD + 60, "no entries", FAINT, "middle"))
    return document(WIDTH, height, parts)


def _cases(result: Sizing) -> list[tuple[str, Case, str]]:
    """List the cases with their words and colours, the one to be sized for last and on top."""
    if result.candidate is None:
        return [("", result.baseline, BLUE)]
    return [("before: ", result.baseline, GREY), ("after: ", result.candidate, BLUE)]


def _head(result: Sizing, has_limit: bool) -> Iterator[str]:
    noun = "Cilium's conntrack maps" if result.final.fleet.kube_proxy is None else "Conntrack entries"
    changes = f": {'; '.join(result.changes)}" if result.changes else ""
    words = f"{noun} over {duration(result.seconds)}{changes}"
    yield text(_LEFT, 26, shortened(words, 84), INK, "start", 'font-size="16" font-weight="600"')
    x = float(_LEFT)
    for label, _, colour in _cases(result):
        for words, dashes in ((f"{label}live", ""), (f"{label}allocated at most", ' stroke-dasharray="4 3"')):
            yield sample(x, 48, colour, f' stroke-width="2"{dashes}')
            yield text(x + 28, 52, words, INK, "start")
            x += 42 + 6.4 * len(words)
    if has_limit:
        yield sample(x, 48, RED, ' stroke-width="1.5"')
        yield text(x + 28, 52, "maximum now", INK, "start")


def _reach(result: Sizing, shown: Sequence[TableSize]) -> float:
    """Return how many entries all panels reach up to: what is held, and maxima that are not far above."""
    held = 1.0
    for table in shown:
        for _, case, _ in _cases(result):
            if (row := _row(case, table)) is not None:
                held = max([held, *_numbers(case.curves.bound[row].tolist())])
    near = [float(table.current.entries) for table in shown if table.current.entries <= 1.6 * held]
    return nice(1.03 * max(held, *near) if near else 1.03 * held, _TOPS)


def _panel(result: Sizing, table: TableSize, left: float, top: float, width: float, most: float) -> Iterator[str]:
    cases = [(case, colour, _row(case, table)) for _, case, colour in _cases(result)]
    limit = table.current.entries
    is_near = 0 < limit <= most
    panel = Panel(left, top, width, _PANEL_HEIGHT, result.begin, result.end, most)
    yield text(left, top - 9, name_of(table), INK, "start", 'font-weight="600"')
    if limit and not is_near:
        yield text(left + width, top - 9, f"maximum now: {limit:,}", RED, "end")
    yield from _grid(panel)
    for case, colour, row in cases:
        if row is not None:
            live, bound = (_drawn(panel, case, curve[row].tolist()) for curve in (case.curves.most, case.curves.bound))
            yield panel.area(live, bound, colour)
            yield panel.curve(bound, colour, ' stroke-dasharray="4 3" stroke-width="1.2"')
            yield panel.curve(live, colour, ' stroke-width="1.8"')
    if is_near:
        yield f'<path d="M{left:.1f} {panel.y(limit):.1f}h{width:.1f}" stroke="{RED}" stroke-width="1.5"/>'
    yield panel.axes()


def _drawn(panel: Panel, case: Case, values: Sequence[float]) -> list[tuple[float, float]]:
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


def _grid(panel: Panel) -> Iterator[str]:
    step = nice(panel.most / 4)
    for number in range(floor(panel.most / step) + 1):
        yield from panel.rule(number * step, f"{number * step:,.0f}")
    seconds = (panel.last - panel.first) / 1e9
    apart = next((each for each in _TIME_STEPS if seconds / each <= panel.width / 90), _TIME_STEPS[-1]) * 1_000_000_000
    days = seconds > 86_400
    for time in range(-(-int(panel.first) // apart) * apart, int(panel.last) + 1, apart):
        words = moment(time)[5:16] if days else moment(time)[11:16] if apart >= 60_000_000_000 else moment(time)[11:]
        yield from panel.tick(time, words)
