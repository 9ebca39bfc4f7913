"""What a BALANCE asked for, what the choice reached, what there was."""

from lightly_pipeline.report.figures.chart import BarChart, Bars, number
from lightly_pipeline.report.numbers import Balance


def balance_chart(balance: Balance) -> BarChart:
    """Returns shares by class: asked, reached and of the candidates."""
    classes = tuple(dict.fromkeys([*balance.asked, *balance.reached, *balance.pool]))
    asked, reached, pool = (
        [100 * shares.get(name, 0.0) for name in classes]
        for shares in (balance.asked, balance.reached, balance.pool)
    )
    named = (
        f"{name}: asked {number(a)} %, reached {number(r)} %, candidates {number(p)} %"
        for name, a, r, p in zip(classes, asked, reached, pool, strict=True)
    )
    return BarChart(
        title=balance.strategy,
        description=f"{balance.strategy}. {'; '.join(named)}.",
        x_label="class",
        y_label="percent",
        edges=None,
        labels=classes,
        bars=(
            Bars("asked", "asked", asked),
            Bars("reached", "choice", reached),
            Bars("candidates", "pool", pool),
        ),
    )
