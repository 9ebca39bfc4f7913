"""DIVERSITY: far from what is chosen, by rows or by their objects."""

from collections.abc import Sequence
from dataclasses import replace

from lightly_pipeline.selection.mixture.objective import Diversity, Strategy
from lightly_pipeline.selection.strategies.task import StrategyTask


def build(task: StrategyTask) -> Diversity:
    """Returns the factor A + D(x) with its distance to stop at."""
    parts = task.parts
    wanted = task.options.stopping_condition_minimum_distance or 0.0
    minimum = wanted / parts.embeddings.scale
    objects = parts if task.source.task else None
    return Diversity(task.label, task.options.strength, minimum * minimum, objects)


def joined(strategies: Sequence[Strategy]) -> list[Strategy]:
    """Joins DIVERSITY strategies that compare the same, and so have the same objective.

    Their strengths add up; the one they become stands where the first of them stood.
    """
    alike: dict[int, list[Diversity]] = {}
    for strategy in strategies:
        if isinstance(strategy, Diversity):
            alike.setdefault(id(strategy.objects), []).append(strategy)
    left: list[Strategy] = []
    for strategy in strategies:
        if not isinstance(strategy, Diversity):
            left.append(strategy)
        elif strategy is alike[id(strategy.objects)][0]:
            left.append(_sum_of(alike[id(strategy.objects)]))
    return [s for s in left if not isinstance(s, Diversity) or s.strength]


def _sum_of(several: list[Diversity]) -> Diversity:
    first, *others = several
    if not others:
        return first
    return replace(
        first,
        label=first.label.removesuffix(" (1)"),
        strength=sum(s.strength for s in several),
        minimum_squared=max(s.minimum_squared for s in several),
    )
