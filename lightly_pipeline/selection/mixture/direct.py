"""Greedy selection by the letter: every candidate is scored before every pick.

The engine for objectives without DIVERSITY, for negative DIVERSITY strengths and for few picks;
`rounds.py` gives the same sequence with less work where there are only positive ones.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.mixture.nearest import RowDistances
from lightly_pipeline.selection.mixture.objective import Objective, Weights
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings


def pick_directly(
    embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
) -> dict[int, float | None]:
    """Picks into `tally` until it stops.

    Costs N * d multiply-adds per pick with DIVERSITY, M * d per object of a pick for M objects, N
    logarithms per other strategy.

    Returns:
        By place of the DIVERSITY strategy: the largest D of a row, or of an object, afterwards;
        None where there is nothing to be far from.
    """
    objective = tally.objective
    for row in preselected.tolist():
        tally.join(row)
    nearest = {
        i: RowDistances(strategy.compared(embeddings))
        for i, strategy in objective.diversities.items()
    }
    for distances in nearest.values():
        distances.add(preselected)
    free = np.ones(len(embeddings), dtype=bool)
    free[preselected] = False
    while tally.stopped_by is None:
        allowed = tally.admissible(objective)
        usable = free if allowed is None else free & allowed
        if not usable.any():
            tally.exhaust(left_over=bool(free.any()))
            break
        squared = {i: distances.squared for i, distances in nearest.items()}
        scores = tally.scores(objective, squared)
        scores[~usable] = -np.inf
        best = int(np.argmax(scores))
        if not tally.take(best, {i: float(values[best]) for i, values in squared.items()}):
            break
        free[best] = False
        for distances in nearest.values():
            distances.add(np.array([best]))
    return {i: distances.largest for i, distances in nearest.items()}


def pick_by_value(tally: Tally, preselected: NDArray[np.int64], n_rows: int) -> None:
    """Picks in the order of one WEIGHTS strategy's values, which no pick changes; or of rows.

    One sort for the whole run, in place of a pass per pick.
    """
    for row in preselected.tolist():
        tally.join(row)
    strategy = tally.objective.strategies[0] if tally.objective.strategies else None
    assert strategy is None or isinstance(strategy, Weights)
    keys = -np.sign(strategy.strength) * strategy.values if strategy else np.zeros(n_rows)
    order = np.argsort(keys, kind="stable")
    free = np.ones(n_rows, dtype=bool)
    free[preselected] = False
    upper = strategy.target_range[1] if strategy and strategy.target_range else np.inf
    left_over = False
    for row in order[free[order]].tolist():
        if tally.stopped_by:
            return
        if strategy and tally.sum_of(0) + strategy.values[row] > upper:
            left_over = True
            continue
        tally.take(row, {})
    if not tally.stopped_by:
        tally.exhaust(left_over=left_over)


def is_by_value(objective: Objective) -> bool:
    """Returns whether `pick_by_value` can serve an objective."""
    strategies = objective.strategies
    return not strategies or (len(strategies) == 1 and isinstance(strategies[0], Weights))
