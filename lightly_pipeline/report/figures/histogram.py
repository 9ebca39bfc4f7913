"""One number or category of the frames: the candidates beside the choice, and its threshold."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.figures.chart import BarChart, Bars, Rule, number, shares
from lightly_pipeline.report.numbers import Histogram

_METRICS = ("min", "median", "mean", "max")
_SIGNS = {
    "BIGGER": ">",
    "BIGGER_EQUAL": ">=",
    "SMALLER": "<",
    "SMALLER_EQUAL": "<=",
}


def histogram_chart(histogram: Histogram) -> BarChart:
    """Returns shares by bin, of the candidates and of the chosen frames."""
    bars = (
        Bars("pool", "pool", shares(histogram.pool), histogram.pool.tolist()),
        Bars("chosen", "choice", shares(histogram.chosen), histogram.chosen.tolist()),
    )
    rules: tuple[Rule, ...] = ()
    if histogram.threshold is not None:
        operation, value = histogram.threshold
        sign = _SIGNS.get(operation, operation)
        rules = (
            Rule(value, f"kept {sign} {number(value)}: {histogram.n_removed:,} frames removed"),
        )
    return BarChart(
        title=histogram.name,
        description=_description(histogram, rules),
        x_label=histogram.name,
        y_label="percent of frames",
        edges=None if histogram.edges is None else histogram.edges.tolist(),
        labels=histogram.labels,
        bars=bars,
        rules=rules,
    )


def _description(histogram: Histogram, rules: tuple[Rule, ...]) -> str:
    n_pool, n_chosen = int(histogram.pool.sum()), int(histogram.chosen.sum())
    parts = [
        _group(histogram, f"pool of {n_pool:,}", histogram.pool, histogram.pool_metrics),
        _group(histogram, f"{n_chosen:,} chosen", histogram.chosen, histogram.chosen_metrics),
        *(rule.label for rule in rules),
    ]
    return f"{histogram.name}: {'; '.join(parts)}."


def _group(
    histogram: Histogram, name: str, counts: NDArray[np.int64], metrics: Mapping[str, float]
) -> str:
    if metrics:
        figures = (f"{key} {number(metrics[key])}" for key in _METRICS if key in metrics)
        return f"{name}: {', '.join(figures)}"
    return f"{name}: most in {_bin(histogram, int(counts.argmax()))}" if counts.any() else name


def _bin(histogram: Histogram, i: int) -> str:
    if histogram.edges is None:
        return histogram.labels[i]
    return f"{number(float(histogram.edges[i]))} to {number(float(histogram.edges[i + 1]))}"
