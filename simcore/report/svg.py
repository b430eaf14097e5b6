"""Drawing in SVG: the frame, panels with axes, curves, areas and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

INK, FAINT, GRID = "#1f2937", "#6b7280", "#e5e7eb"
GREY, BLUE, RED = "#94a3b8", "#2563eb", "#dc2626"
STEPS = (1, 2, 5, 10)
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Where curves are drawn, and to what scale.

    Attributes
    ----------
    left, top, width, height : float
        In pixels.
    first, last : float
        What the horizontal axis spans.
    most : float
        Where the vertical axis ends; it begins at 0.
    logarithmic : bool
        Whether the horizontal axis is.
    """

    left: float
    top: float
    width: float
    height: float
    first: float
    last: float
    most: float
    logarithmic: bool = False

    def x(self, value: float) -> float:
        """Return where a value lies horizontally."""
        if self.logarithmic:
            return self.left + self.width * log10(value / self.first) / max(log10(self.last / self.first), 1e-9)
        return self.left + self.width * (value - self.first) / max(self.last - self.first, 1)

    def y(self, value: float) -> float:
        """Return where a value lies vertically."""
        return self.top + self.height * (1 - value / self.most)

    def points(self, curve: Points) -> list[str]:
        """Write points as a path has them."""
        return [f"{self.x(x):.1f} {self.y(y):.1f}" for x, y in curve]

    def curve(self, curve: Points, colour: str, style: str) -> str:
        """Draw a line from point to point."""
        return f'<path d="M{"L".join(self.points(curve))}" fill="none" stroke="{colour}"{style}/>'

    def area(self, below: Points, above: Points, colour: str) -> str:
        """Draw what lies between two lines."""
        points = [*self.points(above), *self.points(below)[::-1]]
        return f'<path d="M{"L".join(points)}Z" fill="{colour}" fill-opacity="0.15"/>'

    def rule(self, value: float, words: str) -> list[str]:
        """Draw a horizontal line of the grid and name it."""
        y = self.y(value)
        return [
            f'<path d="M{self.left:.1f} {y:.1f}h{self.width:.1f}" stroke="{GRID}"/>',
            text(self.left - 8, y + 4, words, FAINT, "end"),
        ]

    def tick(self, value: float, words: str) -> list[str]:
        """Mark a place of the horizontal axis and name it."""
        x = self.x(value)
        return [
            f'<path d="M{x:.1f} {self.top + self.height:.1f}v4" stroke="{FAINT}"/>',
            text(x, self.top + self.height + 17, words, FAINT, "middle"),
        ]

    def axes(self) -> str:
        """Draw both axes."""
        return (
            f'<path d="M{self.left:.1f} {self.top:.1f}v{self.height}h{self.width:.1f}" fill="none" stroke="{FAINT}"/>'
        )


def document(width: float, height: float, parts: Iterable[str]) -> str:
    """Put parts into a white frame; this is the whole file."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="Helvetica, Arial, DejaVu Sans, sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    )
    return "\n".join([*head, *parts, "</svg>", ""])


def text(x: float, y: float, words: str, colour: str, anchor: str, style: str = "") -> str:
    """Write words; `anchor` is start, middle or end."""
    style = f" {style}" if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{style}>{escape(words)}</text>'


def sample(x: float, y: float, colour: str, style: str = ' stroke-width="2"') -> str:
    """Draw a short line for a legend."""
    return f'<line x1="{x:.1f}" y1="{y:g}" x2="{x + 22:.1f}" y2="{y:g}" stroke="{colour}"{style}/>'


def nice(value: float, steps: Sequence[float] = STEPS) -> float:
    """Round up to one of some steps times a power of ten."""
    power = 10.0 ** floor(log10(max(value, 1.0)))
    return power * next(step for step in steps if step * power >= min(value, 10 * power))


def shortened(words: str, most: int) -> str:
    """Cut words that are too long for their place."""
    return words if len(words) <= most else f"{words[: most - 3]}..."
