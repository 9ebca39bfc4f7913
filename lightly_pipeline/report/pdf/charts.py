"""Pictures of lines and bars on a page of the PDF; their values come from `figures/`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightly_pipeline.report.figures.chart import BarChart, LineChart, Role, number
from lightly_pipeline.report.pdf.document import Colour, Page, fitted

MUTED: Colour = (0.32, 0.36, 0.41)
RULED: Colour = (0.84, 0.86, 0.88)
ALERT: Colour = (0.70, 0.15, 0.12)
COLOURS: dict[Role, Colour] = {
    "choice": (0.0, 0.39, 0.68),
    "random": (0.72, 0.29, 0.0),
    "even": (0.0, 0.48, 0.35),
    "pool": (0.66, 0.70, 0.74),
    "asked": (0.49, 0.25, 0.55),
}
_DASHES: dict[Role, tuple[float, ...]] = {"random": (4, 2), "even": (1.2, 1.5)}
_LEFT, _BOTTOM, _TOP = 34.0, 26.0, 30.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a page."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where the values of a picture lie on the page."""

    inside: Box
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        low, high = self.x_range
        return self.inside.x + self.inside.width * (value - low) / ((high - low) or 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        part = (value - low) / ((high - low) or 1)
        return self.inside.y + self.inside.height * min(max(part, 0.0), 1.0)


def draw_lines(page: Page, box: Box, chart: LineChart) -> None:
    """Draws lines with axes, title and legend."""
    xs = [x for line in chart.lines for x in line.x] or [0.0, 1.0]
    top = max((y for line in chart.lines for y in line.y), default=1.0)
    axes = _Axes(_inside(box), (min(xs), max(xs)), (0.0, top * 1.05 or 1.0))
    _frame(page, box, chart, [(line.name, line.role) for line in chart.lines])
    _y_axis(page, axes, ticks(*axes.y_range), number)
    _x_axis(page, axes, ticks(*axes.x_range))
    for line in chart.lines:
        points = [(axes.x(x), axes.y(y)) for x, y in zip(line.x, line.y, strict=True)]
        colour = COLOURS[line.role]
        if len(points) > 1:
            page.line(points, colour, 1.6, _DASHES.get(line.role, ()))
        else:
            page.dots(points, 4, colour)


def draw_bars(page: Page, box: Box, chart: BarChart) -> None:
    """Draws bars with axes, title, legend and rules."""
    scale: Callable[[float], float] = _logarithm if chart.log_y else float
    heights = [[scale(height) for height in bars.heights] for bars in chart.bars]
    top = max((max(bars, default=0.0) for bars in heights), default=0.0) * 1.05 or 1.0
    n = max((len(bars) for bars in heights), default=0)
    edges = chart.edges if chart.edges is not None else [float(i) for i in range(n + 1)]
    axes = _Axes(_inside(box), (edges[0], edges[-1]), (0.0, top))
    named = [(bars.name, bars.role) for bars in chart.bars] if len(chart.bars) > 1 else []
    _frame(page, box, chart, named)
    if chart.log_y:
        _y_axis(page, axes, range(math.ceil(top)), lambda power: number(10.0**power))
    else:
        _y_axis(page, axes, ticks(0.0, top), number)
    for i, bars in enumerate(chart.bars):
        for j, height in enumerate(heights[i]):
            left, width = _bar(chart, axes, edges, i, j)
            page.box(left, axes.inside.y, width, axes.y(height) - axes.inside.y, COLOURS[bars.role])
    if chart.edges is None:
        _names(page, axes, chart.labels)
    else:
        _x_axis(page, axes, ticks(*axes.x_range))
    for rule in chart.rules:
        _rule(page, axes, rule.x, rule.label)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Returns round numbers between two.

    >>> ticks(0, 60)
    [0.0, 20.0, 40.0, 60.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.ceil(low / step), math.floor(high / step * (1 + 1e-9))
    return [round(i * step, 12) for i in range(first, last + 1)]


def _logarithm(height: float) -> float:
    """Gives one frame a height of its own: no bar means none."""
    return math.log10(height) + 0.15 if height > 0 else 0.0


def _bar(
    chart: BarChart, axes: _Axes, edges: Sequence[float], i: int, j: int
) -> tuple[float, float]:
    """Returns left edge and width: bins of numbers overlap, categories stand side by side."""
    left, right = axes.x(edges[j]), axes.x(edges[j + 1])
    width = right - left
    if chart.edges is not None:
        part = 0.5 if i else 0.94
        return left + width * (1 - part) / 2, width * part
    part = width * 0.8 / len(chart.bars)
    return left + width * 0.1 + i * part, part


def _inside(box: Box) -> Box:
    return Box(box.x + _LEFT, box.y + _BOTTOM, box.width - _LEFT - 6, box.height - _BOTTOM - _TOP)


def _frame(
    page: Page, box: Box, chart: LineChart | BarChart, legend: Sequence[tuple[str, Role]]
) -> None:
    top = box.y + box.height
    page.text((box.x, top - 9), fitted(chart.title, 9, box.width * 0.95), 9, bold=True)
    x = box.x + _LEFT
    for name, role in legend:
        page.line([(x, top - 19), (x + 14, top - 19)], COLOURS[role], 2, _DASHES.get(role, ()))
        page.text((x + 18, top - 21.5), name, 7)
        x += 30 + 4.2 * len(name)
    middle = box.x + _LEFT + (box.width - _LEFT) / 2
    page.text((middle, box.y + 3), chart.x_label, 7, colour=MUTED, align=0.5)
    page.text((box.x, top - 21.5), chart.y_label[:8], 6, colour=MUTED)


def _y_axis(page: Page, axes: _Axes, values: Sequence[float], said: Callable[[float], str]) -> None:
    inside = axes.inside
    for value in values:
        y = axes.y(value)
        page.line([(inside.x, y), (inside.x + inside.width, y)], RULED, 0.4)
        page.text((inside.x - 3, y - 2.5), said(value), 7, colour=MUTED, align=1)


def _x_axis(page: Page, axes: _Axes, values: Sequence[float]) -> None:
    inside = axes.inside
    page.line([(inside.x, inside.y), (inside.x + inside.width, inside.y)], MUTED, 0.5)
    for value in values:
        page.text((axes.x(value), inside.y - 9), number(value), 7, colour=MUTED, align=0.5)


def _names(page: Page, axes: _Axes, names: Sequence[str]) -> None:
    inside = axes.inside
    page.line([(inside.x, inside.y), (inside.x + inside.width, inside.y)], MUTED, 0.5)
    width = inside.width / max(len(names), 1)
    for i, name in enumerate(names):
        at = (inside.x + width * (i + 0.5), inside.y - 9)
        page.text(at, fitted(name, 7, max(width, 16)), 7, colour=MUTED, align=0.5)


def _rule(page: Page, axes: _Axes, value: float, label: str) -> None:
    low, high = axes.x_range
    inside = axes.inside
    top = inside.y + inside.height
    x = axes.x(min(max(value, low), high))
    page.line([(x, inside.y), (x, top)], ALERT, 1, (3, 2))
    is_right = x > inside.x + inside.width / 2
    page.text((x - 3 if is_right else x + 3, top - 6), label, 6.5, align=1.0 if is_right else 0.0)
