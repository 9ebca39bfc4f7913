"""Greedy selection with a positive DIVERSITY strength, without scoring every candidate every time.

The sequence is that of `direct.py`. Why: D only falls while rows are chosen, so what is known of a
row's D (`lazy/blocks.py`) bounds it from above, and with it the row's score. A round bounds all
scores once and makes the rows of the highest bounds the active set, with their exact D. Then it
picks from the active set for as long as its best row exceeds what any row outside can have by now:
the highest bound outside, plus the drift of A, of the sums W and of the class factors since the
round began.

With a negative strength scores rise as D falls and none of this holds; nothing is gained without
DIVERSITY. `engines.py` leaves both to the direct engine.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.lazy.active_set import ActiveSet
from lightly_pipeline.selection.lazy.blocks import LazyBlocks
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Diversity,
    Objective,
    Weights,
    log_sum,
)
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

MAX_GROUPS = 256
"""Distinct class rows up to which the engine keeps a bound for each."""
_MIN_ACTIVE, _MAX_ACTIVE = 1024, 16384
_MIN_ACTIVE_PER_GROUP = 32
# Scores looked at while serving, in rows of all: above, a smaller active set is cheaper.
_LONG_ROUND = 16
# Two scores are rounded, each by half a unit; the rest is room for the logarithms' last bits.
_ROUNDING_UNITS = 2.0


def n_groups(objective: Objective, n_rows: int) -> int:
    """Returns the number of distinct class rows, over all BALANCE strategies together."""
    return int(_joint_groups(objective, n_rows).max(initial=0)) + 1


def pick_lazily(
    embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
) -> float | None:
    """Picks into `tally` until it stops; returns the largest D afterwards.

    The objective has a DIVERSITY strategy of positive strength and at least one other strategy.
    """
    for row in preselected.tolist():
        tally.join(row)
    state = _Rows(embeddings, tally, preselected)
    if not tally.n_chosen:
        state.pick_first()
    n_active = _MIN_ACTIVE
    while tally.stopped_by is None:
        bounds = state.bounds()
        if not (bounds > -np.inf).any():
            tally.exhaust(left_over=bool(state.is_free.any()))
            break
        active, outside = state.split(bounds, n_active)
        n_served = _serve(state, active, outside)
        state.settle(active, n_served)
        n_active = _next_size(n_active, n_served, len(embeddings))
    return state.largest_squared() if tally.n_chosen else None


def _next_size(n_active: int, n_served: int, n_rows: int) -> int:
    """Returns the size of the next active set, by what serving cost against starting a round."""
    if not n_served:
        # All active rows score as outside ones may, within the slack: only more of them decide.
        return n_active * 4
    if n_served * n_active < n_rows:
        return min(2 * n_active, _MAX_ACTIVE)
    if n_served * n_active > _LONG_ROUND * n_rows:
        return max(min(n_active, _MAX_ACTIVE) // 2, _MIN_ACTIVE)
    return n_active


@dataclass(frozen=True, slots=True)
class _Outside:
    """What rows outside the active set could score at the start of a round.

    Attributes:
        best: Shape (G,), the highest bound by class group, -inf for none.
        squared: Least and largest bound of D.
        values: Least and largest value by strategy; (0, 0) for others than WEIGHTS.
        spread: A at the start.
        sums: W by strategy.
        factors: Shape (G,), the class factors.
    """

    best: NDArray[np.float64]
    squared: tuple[float, float]
    values: list[tuple[float, float]]
    spread: float
    sums: list[float]
    factors: NDArray[np.float64]


class _Rows:
    """All rows: which are free, and what is known of their D.

    Attributes:
        is_free: Shape (N,): neither chosen nor preselected.
        groups: Shape (N,): class group of each row.
    """

    def __init__(
        self, embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
    ) -> None:
        self.tally = tally
        n = len(embeddings)
        self.is_free = np.ones(n, dtype=bool)
        self.is_free[preselected] = False
        self.groups = _joint_groups(tally.objective, n)
        self._n_groups = int(self.groups.max(initial=0)) + 1
        # Rows group by group, and where each group begins.
        self._members = np.argsort(self.groups, kind="stable")
        self._begins = np.searchsorted(self.groups[self._members], np.arange(1, self._n_groups))
        self._first_of_group = np.unique(self.groups, return_index=True)[1]
        self._blocks = LazyBlocks(embeddings, n_picks=len(preselected) + tally.k)
        self._blocks.choose(preselected)

    def pick_first(self) -> None:
        """Picks the first row of all, for which D has no say."""
        scores = self._scores(np.full(len(self.groups), np.inf))
        best = int(np.argmax(scores))
        if scores[best] == -np.inf:
            self.tally.exhaust(left_over=bool(self.is_free.any()))
        elif self.tally.take(best, np.inf):
            self.is_free[best] = False
            self._blocks.choose(np.array([best]))

    def bounds(self) -> NDArray[np.float64]:
        """Returns what no row's score exceeds, -inf for rows that cannot be picked."""
        return self._scores(self._blocks.bounds())

    def factors(self) -> NDArray[np.float64]:
        """Returns the class factors by group, shape (G,)."""
        total = np.zeros(self._n_groups)
        for i, strategy in enumerate(self.tally.objective.strategies):
            if isinstance(strategy, Balance):
                total += self.tally.factors(i)[strategy.groups[self._first_of_group]]
        return total

    def split(self, bounds: NDArray[np.float64], n_active: int) -> tuple[ActiveSet, _Outside]:
        """Returns the active set with its exact D, and what is outside.

        Args:
            bounds: As `bounds()` gives them; lowered where blocks are refreshed.
            n_active: About how many active rows are wanted.
        """
        blocks = self._blocks
        is_active = self._reaches_threshold(bounds, n_active)
        while len(refreshed := blocks.refresh(blocks.blocks_of(np.flatnonzero(is_active)))):
            self._lower_bounds(bounds, blocks.rows_of(refreshed))
            is_active = self._reaches_threshold(bounds, n_active)
        rows = np.flatnonzero(is_active)
        active = blocks.active_set(rows, blocks.exact_distances(rows))
        return active, self._outside(bounds, is_active)

    def settle(self, active: ActiveSet, n_served: int) -> None:
        """Keeps what a round found out: its picks, and the D of the other active rows."""
        picks = np.array(self.tally.picks[len(self.tally.picks) - n_served :], dtype=np.int64)
        self.is_free[picks] = False
        self._blocks.settle(active, picks)

    def largest_squared(self) -> float:
        """Returns the largest exact D of all rows, 0 if every row is chosen."""
        return self._blocks.largest_squared()

    def _scores(self, squared: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = self.tally.scores(self.tally.objective, squared)
        allowed = self.tally.admissible(self.tally.objective)
        scores[~(self.is_free if allowed is None else self.is_free & allowed)] = -np.inf
        return scores

    def _reaches_threshold(self, bounds: NDArray[np.float64], n_active: int) -> NDArray[np.bool_]:
        """Returns which rows are active: those of the highest bounds in each class group."""
        per_group = max(n_active // self._n_groups, _MIN_ACTIVE_PER_GROUP)
        if self._n_groups == 1:
            return (bounds >= _nth_largest(bounds, per_group)) & (bounds > -np.inf)
        by_group = np.split(bounds[self._members], self._begins)
        thresholds = np.array([_nth_largest(group, per_group) for group in by_group])
        return (bounds >= thresholds[self.groups]) & (bounds > -np.inf)

    def _lower_bounds(self, bounds: NDArray[np.float64], rows: NDArray[np.int64]) -> None:
        rows = rows[bounds[rows] > -np.inf]
        view = self.tally.objective.take(rows)
        bounds[rows] = self.tally.scores(view, self._blocks.bounds(rows))

    def _outside(self, bounds: NDArray[np.float64], is_active: NDArray[np.bool_]) -> _Outside:
        others = np.flatnonzero(~is_active & (bounds > -np.inf))
        best = np.full(self._n_groups, -np.inf)
        np.maximum.at(best, self.groups[others], bounds[others])
        values = [
            _span(s.values[others]) if isinstance(s, Weights) else (0.0, 0.0)
            for s in self.tally.objective.strategies
        ]
        spread = self.tally.spread.total if self.tally.spread else 0.0
        squared = _span(self._blocks.bounds(others))
        return _Outside(best, squared, values, spread, self.tally.sums, self.factors())


def _serve(state: _Rows, active: ActiveSet, outside: _Outside) -> int:
    """Picks from the active rows while they are sure to hold the best; returns how many."""
    tally = state.tally
    view = tally.objective.take(active.rows)
    n_served = 0
    while tally.stopped_by is None:
        scores = tally.scores(view, active.distances)
        allowed = tally.admissible(view)
        scores[active.is_chosen if allowed is None else active.is_chosen | ~allowed] = -np.inf
        best = int(np.argmax(scores))
        if scores[best] == -np.inf or scores[best] <= _bound(state, outside):
            break
        number = tally.n_chosen
        if not tally.take(int(active.rows[best]), float(active.distances[best])):
            break
        active.choose(best, number)
        n_served += 1
    return n_served


def _bound(state: _Rows, outside: _Outside) -> float:
    """Returns what no row outside the active set can exceed by now."""
    tally = state.tally
    drift = 0.0
    for i, strategy in enumerate(tally.objective.strategies):
        if isinstance(strategy, Diversity):
            assert tally.spread is not None
            now, then, ends = tally.spread.total, outside.spread, outside.squared
        elif isinstance(strategy, Weights):
            now, then, ends = tally.sums[i], outside.sums[i], outside.values[i]
        else:
            continue
        values = np.array(ends)
        change = log_sum(strategy.strength, now, values) - log_sum(strategy.strength, then, values)
        drift += float(change.max())
    best = outside.best + (state.factors() - outside.factors + drift) / tally.unit
    return float(best.max()) + _ROUNDING_UNITS


def _joint_groups(objective: Objective, n_rows: int) -> NDArray[np.int64]:
    """Returns a number per row, the same for rows that are equal to every BALANCE strategy."""
    joint = np.zeros(n_rows, dtype=np.int64)
    for strategy in objective.strategies:
        if isinstance(strategy, Balance):
            groups = joint * len(strategy.table) + strategy.groups
            joint = np.unique(groups, return_inverse=True)[1].reshape(-1)
    return joint


def _nth_largest(values: NDArray[np.float64], n: int) -> float:
    return float(np.partition(values, -n)[-n]) if n < len(values) else -np.inf


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    return (float(values.min()), float(values.max())) if len(values) else (1.0, 1.0)
