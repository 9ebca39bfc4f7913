"""Which engine serves an objective. All of them give the sequence of `mixture/direct.py`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig
from lightly_pipeline.logs import logger_of
from lightly_pipeline.selection.mixture.direct import is_by_value, pick_by_value, pick_directly
from lightly_pipeline.selection.mixture.objective import Diversity
from lightly_pipeline.selection.mixture.rounds import MAX_GROUPS, n_groups, pick_lazily
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_logger = logger_of(__name__)
# Below these the direct engine is as fast: measured at 128 dimensions.
_LAZY_FROM_PICKS = 250
_LAZY_FROM_PRODUCTS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Coverage:
    """What an engine knows of the rows that it did not pick.

    Attributes:
        largest_squared: Their largest D; None where it did not look.
        bound: With `approximate_diversity`: what no row is farther from its nearest pick.
    """

    largest_squared: float | None = None
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
    alone = len(objective.strategies) == 1 and objective.diversity
    if alone and alone.strength > 0:
        return _pick_farthest_first(part, tally, preselected, alone)
    pick_mixture = pick_lazily if _is_worth_laziness(part, tally) else pick_directly
    with part.read_here_and_there():
        return Coverage(pick_mixture(part, tally, preselected))


def _is_worth_laziness(part: GridEmbeddings, tally: Tally) -> bool:
    """Returns whether the lazy engine can serve the objective, and is faster than the direct."""
    objective = tally.objective
    if not objective.diversity or objective.diversity.strength < 0:
        return False
    if tally.k < _LAZY_FROM_PICKS or tally.k * part.vectors.size < _LAZY_FROM_PRODUCTS:
        return False
    return n_groups(objective, len(part)) <= MAX_GROUPS


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
    return Coverage(found.next_squared_distance or 0.0)


def _pick_from_a_part(
    part: GridEmbeddings,
    tally: Tally,
    preselected: NDArray[np.int64],
    approximate: ApproximateDiversityConfig,
) -> Coverage:
    """Picks for DIVERSITY alone without looking at all rows."""
    from lightly_pipeline.selection.kcenter.approximate import pick_approximately

    diversity = tally.objective.diversity
    assert diversity is not None
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
