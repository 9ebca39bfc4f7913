"""What each BALANCE asked for, what the choice reached, and what the frames were like."""

from lightly_pipeline.report.gather.histograms import columns_of
from lightly_pipeline.report.gather.material import Material
from lightly_pipeline.report.numbers import Balance

_OTHERS = "(all others)"


def balances(material: Material) -> tuple[Balance, ...]:
    """Returns the shares of classes, one balance after the other, as configured."""
    outcomes = [one for one in material.summary["strategies"] if "target" in one]
    entries = [
        entry
        for entry in material.config.selection.strategies
        if entry.strategy.type == "BALANCE" and entry.strategy.strength != 0
    ]
    columns = columns_of(material) if entries else None
    found = []
    for entry, outcome in zip(entries, outcomes, strict=True):
        assert columns is not None
        classes = columns.classes(entry.input).take(material.candidates)
        sums = dict(zip(classes.names, classes.sums.tolist(), strict=True))
        total = sum(sums.values())
        asked = outcome["target"]
        pool = {name: sums.get(name, 0.0) / total if total else 0.0 for name in asked}
        if _OTHERS in asked:
            pool[_OTHERS] = max(0.0, 1 - sum(pool.values())) if total else 0.0
        found.append(Balance(outcome["name"], asked, outcome["achieved"], pool))
    return tuple(found)
