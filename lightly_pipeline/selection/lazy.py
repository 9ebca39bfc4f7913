"""Greedy selection with a positive DIVERSITY strength, without scoring every candidate every time.

The sequence is that of `direct.py`. Why: D only falls while rows are chosen, so a stored D is never
too low, nor is the score made of it. A round scores all rows once, takes those with the highest
scores as the hot set and makes sure that their D is up to date. Then it picks from the hot set for
as long as its best row exceeds what any row outside can have by now: the highest score outside,
plus the drift of A, of the sums W and of the class factors since the round began.

With a negative strength scores rise as D falls and none of this holds; nothing is gained without
DIVERSITY. `selector.py` leaves both to the direct engine.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.distances import (
    BLOCK_ROWS,
    lower_to_nearest,
    sieve_slack,
    squared_to,
)
from lightly_pipeline.selection.grid import GridEmbeddings
from lightly_pipeline.selection.objective import Balance, Diversity, Objective, Weights, log_sum
from lightly_pipeline.selection.tally import Tally

MAX_GROUPS = 256
"""Distinct class rows up to which the engine keeps a bound for each."""
_MIN_HOT, _MAX_HOT = 1024, 16384
_MIN_HOT_PER_GROUP = 32
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
    n_hot = _MIN_HOT
    while tally.stopped_by is None:
        started = perf_counter()
        scores = state.scores()
        if not (scores > -np.inf).any():
            tally.exhaust(left_over=bool(state.is_free.any()))
            break
        hot, outside = state.split(scores, n_hot)
        prepared = perf_counter()
        _serve(state, hot, outside)
        served = perf_counter() - prepared
        if 2 * served < prepared - started:
            n_hot = min(2 * n_hot, _MAX_HOT)
        elif served > 2 * (prepared - started):
            n_hot = max(n_hot // 2, _MIN_HOT)
    state.refresh(np.arange(len(state.n_seen)))
    return float(state.squared.max()) if tally.n_chosen else None


@dataclass(frozen=True, slots=True)
class _Outside:
    """What rows outside the hot set could score at the start of a round.

    Attributes:
        best: Shape (G,), the highest score by class group, -inf for none.
        squared: Least and largest stored D.
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
    """All rows: which are free, and a D for each that is never too low.

    Attributes:
        squared: Shape (N,): D as of when the row's block was last refreshed.
        is_free: Shape (N,): neither chosen nor preselected.
        n_seen: Shape (blocks,): how many chosen rows each block has seen.
        groups: Shape (N,): class group of each row.
    """

    def __init__(
        self, embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
    ) -> None:
        self.embeddings, self.tally = embeddings, tally
        n = len(embeddings)
        self.squared = np.full(n, np.inf)
        self.is_free = np.ones(n, dtype=bool)
        self.is_free[preselected] = False
        self.n_seen = np.zeros(-(-n // BLOCK_ROWS), dtype=np.int64)
        self.groups = _joint_groups(tally.objective, n)
        self._n_groups = int(self.groups.max(initial=0)) + 1
        self._first_of_group = np.unique(self.groups, return_index=True)[1]
        self._preselected = preselected
        self.slack = sieve_slack(embeddings.vectors.shape[1])

    @property
    def chosen(self) -> NDArray[np.int64]:
        return np.concatenate([self._preselected, np.array(self.tally.picks, dtype=np.int64)])

    def scores(self) -> NDArray[np.float64]:
        """Returns a score per row that is never too low; -inf for what cannot be picked."""
        scores = self.tally.scores(self.tally.objective, self.squared)
        allowed = self.tally.admissible(self.tally.objective)
        scores[~(self.is_free if allowed is None else self.is_free & allowed)] = -np.inf
        return scores

    def factors(self) -> NDArray[np.float64]:
        """Returns the class factors by group, shape (G,)."""
        total = np.zeros(self._n_groups)
        for i, strategy in enumerate(self.tally.objective.strategies):
            if isinstance(strategy, Balance):
                total += self.tally.factors(i)[strategy.groups[self._first_of_group]]
        return total

    def split(self, scores: NDArray[np.float64], n_hot: int) -> tuple[NDArray[np.int64], _Outside]:
        """Returns the hot rows, their blocks refreshed, and what is outside.

        Args:
            scores: As `scores()` gives them; brought up to date where blocks are refreshed.
            n_hot: About how many hot rows are wanted.
        """
        while True:
            is_hot = self._reaches_threshold(scores, n_hot)
            blocks = np.unique(np.flatnonzero(is_hot) // BLOCK_ROWS)
            stale = blocks[self.n_seen[blocks] < self.tally.n_chosen]
            if not len(stale):
                return np.flatnonzero(is_hot), self._outside(scores, is_hot)
            self.refresh(stale)
            self._rescore(scores, stale)

    def refresh(self, blocks: NDArray[np.int64]) -> None:
        """Brings the D of some blocks of rows up to date."""
        chosen = self.chosen
        for seen in np.unique(self.n_seen[blocks]):
            same = blocks[self.n_seen[blocks] == seen]
            lower_to_nearest(
                self.squared,
                self.embeddings,
                self.embeddings,
                chosen[seen:],
                [slice(b * BLOCK_ROWS, (b + 1) * BLOCK_ROWS) for b in same.tolist()],
            )
            self.n_seen[same] = len(chosen)

    def _reaches_threshold(self, scores: NDArray[np.float64], n_hot: int) -> NDArray[np.bool_]:
        """Returns which rows are hot: those of the best scores in each class group."""
        per_group = max(n_hot // self._n_groups, _MIN_HOT_PER_GROUP)
        if self._n_groups == 1:
            return (scores >= _nth_largest(scores, per_group)) & (scores > -np.inf)
        thresholds = np.array(
            [_nth_largest(scores[self.groups == g], per_group) for g in range(self._n_groups)]
        )
        return (scores >= thresholds[self.groups]) & (scores > -np.inf)

    def _rescore(self, scores: NDArray[np.float64], blocks: NDArray[np.int64]) -> None:
        rows = (blocks[:, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).reshape(-1)
        rows = rows[rows < len(scores)]
        rows = rows[scores[rows] > -np.inf]
        scores[rows] = self.tally.scores(self.tally.objective.take(rows), self.squared[rows])

    def _outside(self, scores: NDArray[np.float64], is_hot: NDArray[np.bool_]) -> _Outside:
        others = np.flatnonzero(~is_hot & (scores > -np.inf))
        best = np.full(self._n_groups, -np.inf)
        np.maximum.at(best, self.groups[others], scores[others])
        values = [
            _span(s.values[others]) if isinstance(s, Weights) else (0.0, 0.0)
            for s in self.tally.objective.strategies
        ]
        spread = self.tally.spread.total if self.tally.spread else 0.0
        sums = self.tally.sums
        return _Outside(best, _span(self.squared[others]), values, spread, sums, self.factors())


def _serve(state: _Rows, hot: NDArray[np.int64], outside: _Outside) -> None:
    """Picks from the hot rows while they are sure to hold the best one."""
    tally, embeddings = state.tally, state.embeddings
    view = tally.objective.take(hot)
    squared, is_free = state.squared[hot], np.ones(len(hot), dtype=bool)
    vectors, norms = embeddings.vectors[hot], embeddings.squared_norms[hot]
    n_picked = 0
    while tally.stopped_by is None:
        scores = tally.scores(view, squared)
        allowed = tally.admissible(view)
        scores[~(is_free if allowed is None else is_free & allowed)] = -np.inf
        best = int(np.argmax(scores))
        if scores[best] == -np.inf or (n_picked and scores[best] <= _bound(state, outside)):
            break
        if not tally.take(int(hot[best]), float(squared[best])):
            break
        n_picked += 1
        is_free[best] = state.is_free[hot[best]] = False
        products = vectors @ vectors[best]
        limit = (norms + norms[best] - squared) / 2 - state.slack
        near = np.flatnonzero(products > limit)
        exact = squared_to(embeddings, hot[near], int(hot[best]))
        squared[near] = np.minimum(squared[near], exact)
        if tally.n_chosen == 1:
            break
    state.squared[hot] = squared


def _bound(state: _Rows, outside: _Outside) -> float:
    """Returns what no row outside the hot set can exceed by now."""
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
