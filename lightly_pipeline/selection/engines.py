"""Which engine serves an objective. All of them give the sequence of `mixture/direct.py`."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig
from lightly_pipeline.logs import logger_of
from lightly_pipeline.selection.mixture.direct import is_by_value, pick_by_value, pick_directly
from lightly_pipeline.selection.mixture.groups import MAX_GROUPS, n_groups
from lightly_pipeline.selection.mixture.objective import Diversity
from lightly_pipeline.selection.mixture.rounds import pick_lazily
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.parts import Parts

_logger = logger_of(__name__)
# Below these the direct engine is as fast: measured at 128 dimensions.
_LAZY_FROM_PICKS = 250
_LAZY_FROM_PRODUCTS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an engine knows of the rows that it did not pick.

    Attributes:
        largest_squared: The largest D of a row, or of an object, by place of the DIVERSITY
            strategy; None where there is nothing to be far from.
        bound: With `approximate_diversity`: what no row is farther from its nearest pick.
    """

    largest_squared: dict[int, float | None] = field(default_factory=dict)
    bound: float | None = None


def pick(
    part: GridEmbeddings,
    tally: Tally,
    preselected: NDArray[np.int64],
    approximate: ApproximateDiversityConfig,
) -> Coverage:
    """Picks into `tally` by the engine that serves its objective."""
    objective = tally.objective
    if approximate.is_wanted:
        return _pick_from_a_part(part, tally, preselected, approximate)
    if is_by_value(objective):
        pick_by_value(tally, preselected, len(part))
        return Coverage()
    only = objective.strategies[0] if len(objective.strategies) == 1 else None
    if isinstance(only, Diversity) and only.objects is None and only.strength > 0:
        return _pick_farthest_first(part, tally, preselected, only)
    pick_mixture = pick_lazily if _is_worth_laziness(part, tally) else pick_directly
    with ExitStack() as stack:
        for strategy in objective.diversities.values():
            compared = strategy.compared(part).embeddings
            stack.enter_context(compared.read_here_and_there())
        return Coverage(pick_mixture(part, tally, preselected))


def _is_worth_laziness(part: GridEmbeddings, tally: Tally) -> bool:
    """Returns whether the lazy engine can serve the objective, and is faster than the direct."""
    objective = tally.objective
    diversities = objective.diversities.values()
    if not diversities or any(strategy.strength < 0 for strategy in diversities):
        return False
    compared = [strategy.compared(part) for strategy in diversities]
    n_products = sum(_products_per_pick(parts) for parts in compared)
    if tally.k < _LAZY_FROM_PICKS or tally.k * n_products < _LAZY_FROM_PRODUCTS:
        return False
    return n_groups(objective, len(part)) <= MAX_GROUPS


def _products_per_pick(parts: Parts) -> float:
    """Returns the multiply-adds of comparing all parts with those of one row."""
    return parts.embeddings.vectors.size * len(parts.embeddings) / max(len(parts), 1)


def _pick_farthest_first(
    part: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64], diversity: Diversity
) -> Coverage:
    from lightly_pipeline.selection.kcenter.greedy import farthest_first

    found = farthest_first(
        part,
        tally.k,
        preselected=preselected,
        stop_squared_distance=diversity.minimum_squared,
        progress=tally.progress,
    )
    stopped_by = "n_samples" if len(found.indices) == tally.k else "minimum_distance"
    tally.adopt(found.indices, found.squared_distances, stopped_by)
    return Coverage({0: found.next_squared_distance or 0.0})


def _pick_from_a_part(
    part: GridEmbeddings,
    tally: Tally,
    preselected: NDArray[np.int64],
    approximate: ApproximateDiversityConfig,
) -> Coverage:
    """Picks for DIVERSITY alone without looking at all rows."""
    from lightly_pipeline.selection.kcenter.approximate import pick_approximately

    diversity = tally.objective.diversities[0]
    found = pick_approximately(
        part,
        tally.k,
        approximate,
        preselected=preselected,
        stop_squared_distance=diversity.minimum_squared,
        progress=tally.progress,
    )
    if found.stopped_by == "candidates_exhausted":
        _logger.warning(
            "approximate_diversity leaves %d of %d candidates to choose from, and %d are wanted: "
            "all of them are chosen; look at more to get the rest",
            found.n_looked_at,
            len(part) - len(preselected),
            tally.k,
        )
    tally.adopt(found.indices, found.squared_distances, found.stopped_by)
    return Coverage(bound=found.coverage_bound)
