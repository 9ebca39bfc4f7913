"""From the entries of `selection_config.strategies` to the objective of a selection."""

from collections.abc import Callable, Sequence

from lightly_pipeline.config import StrategyEntry
from lightly_pipeline.selection.columns import name_of
from lightly_pipeline.selection.mixture.objective import Objective, Strategy, Weights
from lightly_pipeline.selection.strategies import (
    balance,
    diversity,
    similarity,
    typicality,
    weights,
)
from lightly_pipeline.selection.strategies.task import Participants, StrategyTask

# THRESHOLD is a filter, which is applied before there is an objective.
BUILDERS: dict[str, Callable[[StrategyTask], Strategy]] = {
    "DIVERSITY": diversity.build,
    "TYPICALITY": typicality.build,
    "SIMILARITY": similarity.build,
    "WEIGHTS": weights.build,
    "BALANCE": balance.build,
}


def build_objective(entries: Sequence[StrategyEntry], among: Participants) -> Objective:
    """Returns the objective for the rows that take part.

    Args:
        entries: The strategies; THRESHOLD and strengths of 0 are skipped.
        among: The rows.
    """
    wanted = [e for e in entries if e.strategy.type in BUILDERS and e.strategy.strength != 0]
    strategies = diversity.joined(
        [
            BUILDERS[entry.strategy.type](StrategyTask(label, entry.input, entry.strategy, among))
            for entry, label in zip(wanted, _labels(wanted), strict=True)
        ]
    )
    for strategy in strategies:
        # What is made from objects is never negative.
        if not isinstance(strategy, Weights) or strategy.gains is not None:
            continue
        if len(strategies) > 1 or strategy.max_sum or strategy.target_range:
            weights.check_not_negative(strategy.values, strategy.label)
    return Objective(tuple(strategies))


def _labels(entries: Sequence[StrategyEntry]) -> list[str]:
    """Returns a distinct name for each strategy, such as "WEIGHTS of METADATA lightly.snr"."""
    names = [f"{entry.strategy.type} of {name_of(entry.input)}" for entry in entries]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    ]
