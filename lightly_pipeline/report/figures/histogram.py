"""One number or category of the frames: the candidates beside the choice, and its threshold."""

from lightly_pipeline.report.figures.chart import BarChart, Bars, Rule, number, shares
from lightly_pipeline.report.numbers import Histogram

_SIGNS = {
    "BIGGER": ">",
    "BIGGER_EQUAL": ">=",
    "SMALLER": "<",
    "SMALLER_EQUAL": "<=",
}


def histogram_chart(histogram: Histogram) -> BarChart:
    """Returns shares by bin, of the candidates and of the chosen frames."""
    bars = (
        Bars("candidates", "pool", shares(histogram.pool), histogram.pool.tolist()),
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
    text = f"{histogram.name} of {n_pool:,} candidates and {n_chosen:,} chosen frames"
    if n_pool and n_chosen:
        text += f"; most of the candidates: {_bin(histogram, int(histogram.pool.argmax()))}"
        text += f", of the choice: {_bin(histogram, int(histogram.chosen.argmax()))}"
    return "; ".join([text, *(rule.label for rule in rules)]) + "."


def _bin(histogram: Histogram, i: int) -> str:
    if histogram.edges is None:
        return histogram.labels[i]
    return f"{number(float(histogram.edges[i]))} to {number(float(histogram.edges[i + 1]))}"
