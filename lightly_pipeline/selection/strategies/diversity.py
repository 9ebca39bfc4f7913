"""DIVERSITY: far from what is chosen."""

from collections.abc import Sequence

from lightly_pipeline.selection.mixture.objective import Diversity, Strategy
from lightly_pipeline.selection.strategies.task import StrategyTask


def build(task: StrategyTask) -> Diversity:
    """Returns the factor A + D(x) with its distance to stop at."""
    wanted = task.options.stopping_condition_minimum_distance or 0.0
    minimum = wanted / task.among.embeddings.scale
    return Diversity(task.label, task.options.strength, minimum * minimum)


def joined(strategies: Sequence[Strategy]) -> list[Strategy]:
    """Joins several DIVERSITY strategies, which have the same objective: strengths add up."""
    several = [s for s in strategies if isinstance(s, Diversity)]
    if len(several) < 2:
        return list(strategies)
    one = Diversity(
        several[0].label.removesuffix(" (1)"),
        sum(s.strength for s in several),
        max(s.minimum_squared for s in several),
    )
    others: list[Strategy] = [s for s in strategies if not isinstance(s, Diversity)]
    return [one, *others] if one.strength else others
