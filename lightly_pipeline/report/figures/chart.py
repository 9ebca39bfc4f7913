"""A picture of lines or bars, as values: whoever draws it adds colours and sizes only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Role = Literal["choice", "random", "even", "pool", "asked"]
"""What a line or bar stands for; it has the same colour in every picture."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `y` over `x`, both ascending in x, without NaN."""

    name: str
    role: Role
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over one axis; `description` says in words what they show."""

    title: str
    description: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar per bin.

    Attributes:
        name: For the legend.
        role: What it stands for.
        heights: Of the bars, in the unit of the axis.
        counts: What a table shows of each bar; None where the heights say it.
    """

    name: str
    role: Role
    heights: Sequence[float]
    counts: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the bars at `x`, with its meaning."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Groups of bars.

    Attributes:
        title: Of the picture.
        description: What it shows, in words.
        x_label: Of the axis of bins.
        y_label: Of the heights.
        edges: Of the bins of numbers, one more than there are bars; None for categories.
        labels: Of the categories; empty for numbers.
        bars: Each as long as there are bins.
        rules: Such as the thresholds.
        log_y: Whether the axis of heights is logarithmic.
    """

    title: str
    description: str
    x_label: str
    y_label: str
    edges: Sequence[float] | None
    labels: tuple[str, ...]
    bars: tuple[Bars, ...]
    rules: tuple[Rule, ...] = ()
    log_y: bool = False


def shares(counts: NDArray[np.int64]) -> list[float]:
    """Returns counts as percent of their sum, so that 500 frames compare with a million."""
    total = int(counts.sum())
    percent: list[float] = (counts * (100.0 / total) if total else counts * 0.0).tolist()
    return percent


def number(value: float) -> str:
    """Returns a number for people, with three digits that count.

    >>> number(0.123456), number(1234567.0), number(3.0)
    ('0.123', '1,234,567', '3')
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
