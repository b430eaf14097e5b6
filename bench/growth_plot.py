"""Curves of growth as SVG, a chart beside the other."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from simcore.report.svg import BLUE, FAINT, GREY, INK, STEPS, Panel, Points, document, nice, sample, text

WIDTH, HEIGHT = 960, 250
_TOP, _BOTTOM, _LEFT, _RIGHT = 84, 46, 56, 14
_COLOURS = (BLUE, GREY)
_TOPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)


@dataclass(frozen=True)
class Chart:
    """What grows, and curves by what they tell."""

    title: str
    curves: Mapping[str, Points]


def draw(title: str, charts: Sequence[Chart]) -> str:
    """Draw charts in a row, all to the same height."""
    most = max(y for chart in charts for curve in chart.curves.values() for _, y in curve)
    top = _round_up(1.05 * most, _TOPS)
    width = WIDTH / len(charts)
    parts = [text(_LEFT, 26, title, INK, "start", 'font-size="16" font-weight="600"')]
    parts += _legend(list(charts[0].curves))
    for number, chart in enumerate(charts):
        xs = [x for curve in chart.curves.values() for x, _ in curve]
        panel = Panel(
            number * width + _LEFT, _TOP, width - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM, min(xs), max(xs), top, True
        )
        parts += _chart(panel, chart)
    return document(WIDTH, HEIGHT, parts)


def _round_up(value: float, steps: Sequence[float]) -> float:
    """Round up to a nice number, also below one."""
    return nice(value * 1e6, steps) / 1e6


def _legend(names: Sequence[str]) -> Iterator[str]:
    if len(names) < 2:
        return
    x = float(_LEFT)
    for name, colour in zip(names, _COLOURS, strict=False):
        yield sample(x, 48, colour)
        yield text(x + 28, 52, name, INK, "start")
        x += 42 + 6.4 * len(name)


def _chart(panel: Panel, chart: Chart) -> Iterator[str]:
    middle = panel.left + panel.width / 2
    yield text(middle, panel.top + panel.height + 36, chart.title, FAINT, "middle")
    step = _round_up(panel.most / 4, STEPS)
    for number in range(int(panel.most / step + 1e-9) + 1):
        yield from panel.rule(number * step, f"{number * step:,.3g}")
    for x in dict.fromkeys(x for curve in chart.curves.values() for x, _ in curve):
        yield from panel.tick(x, _short(x))
    yield panel.axes()
    for curve, colour in reversed(list(zip(chart.curves.values(), _COLOURS, strict=False))):
        yield panel.curve(curve, colour, ' stroke-width="1.8"')
        yield from (f'<circle cx="{panel.x(x):.1f}" cy="{panel.y(y):.1f}" r="3" fill="{colour}"/>' for x, y in curve)


def _short(value: float) -> str:
    """Write a count in three digits: 100, 1k, 99.9k."""
    return f"{value:.3g}" if value < 1000 else f"{value / 1000:.3g}k"
