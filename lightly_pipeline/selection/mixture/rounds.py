"""Greedy selection with positive DIVERSITY strengths, without scoring every candidate every time.

The sequence is that of `direct.py`. Why: D only falls while rows are chosen, so what is known of a
row's D (`lazy/parts.py`) bounds it from above, and with it the row's score. A round bounds all
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

from lightly_pipeline.selection.lazy.parts import ActiveRows, LazyParts
from lightly_pipeline.selection.mixture.groups import joint_groups
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Distances,
    Diversity,
    Weights,
    log_sum,
)
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.parts import NOTHING

# In parts, of which objects make several a row.
_MIN_ACTIVE, _MAX_ACTIVE = 1024, 16384
_MIN_ACTIVE_PER_GROUP = 32
# Scores looked at while serving, in rows of all: above, a smaller active set is cheaper.
_LONG_ROUND = 16
# Two scores are rounded, each by half a unit; the rest is room for the logarithms' last bits.
_ROUNDING_UNITS = 2.0


def pick_lazily(
    embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
) -> dict[int, float | None]:
    """Picks into `tally` until it stops.

    The objective has at least one DIVERSITY strategy, and none of negative strength.

    Returns:
        By place of the DIVERSITY strategy: the largest D of a row, or of an object, afterwards;
        None where there is nothing to be far from.
    """
    for row in preselected.tolist():
        tally.join(row)
    state = _Rows(embeddings, tally, preselected)
    n_active = max(_MIN_ACTIVE // state.parts_per_row, 1)
    while tally.stopped_by is None:
        if state.is_blank:
            state.pick_first()
            continue
        bounds = state.bounds()
        if not (bounds > -np.inf).any():
            tally.exhaust(left_over=bool(state.is_free.any()))
            break
        active, outside = state.split(bounds, n_active)
        n_served = _serve(state, active, outside)
        state.settle(active, n_served)
        n_active = _next_size(n_active, n_served, len(embeddings), state.parts_per_row)
    return state.largest_squared()


def _next_size(n_active: int, n_served: int, n_rows: int, parts_per_row: int) -> int:
    """Returns the size of the next active set, by what serving cost against starting a round.

    A pick is compared with the parts of all active rows once for each part of its own.
    """
    if not n_served:
        # All active rows score as outside ones may, within the slack: only more of them decide.
        return n_active * 4
    least, most = (max(size // parts_per_row, 1) for size in (_MIN_ACTIVE, _MAX_ACTIVE))
    cost = n_served * n_active * parts_per_row
    if cost < n_rows:
        return min(2 * n_active, most)
    if cost > _LONG_ROUND * n_rows:
        return max(min(n_active, most) // 2, least)
    return n_active


@dataclass(frozen=True, slots=True)
class _Outside:
    """What rows outside the active set could score at the start of a round.

    Attributes:
        best: Shape (G,), the highest bound by class group, -inf for none.
        squared: Ends of the bounds of D by DIVERSITY strategy; the last is inf where there is
            nothing to be far from.
        values: Ends of the values by strategy; (0, 0) for others than WEIGHTS.
        spreads: A at the start by DIVERSITY strategy.
        sums: W by strategy.
        factors: Shape (G,), the class factors.
    """

    best: NDArray[np.float64]
    squared: dict[int, tuple[float, ...]]
    values: list[tuple[float, ...]]
    spreads: dict[int, float]
    sums: list[float]
    factors: NDArray[np.float64]


class _Rows:
    """All rows: which are free, and what is known of their D.

    Attributes:
        is_free: Shape (N,): neither chosen nor preselected.
        parts_per_row: What is compared of a row, on average, where that is most.
        distances: What is known of D, by place of the DIVERSITY strategy.
        groups: Shape (N,): class group of each row.
    """

    def __init__(
        self, embeddings: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]
    ) -> None:
        self.tally = tally
        n = len(embeddings)
        self.is_free = np.ones(n, dtype=bool)
        self.is_free[preselected] = False
        self.groups = joint_groups(tally.objective, n)
        self._n_groups = int(self.groups.max(initial=0)) + 1
        # Rows group by group, and where each group begins.
        self._members = np.argsort(self.groups, kind="stable")
        self._begins = np.searchsorted(self.groups[self._members], np.arange(1, self._n_groups))
        self._first_of_group = np.unique(self.groups, return_index=True)[1]
        self.distances = {
            i: LazyParts(strategy.compared(embeddings), len(preselected) + tally.k)
            for i, strategy in tally.objective.diversities.items()
        }
        for distances in self.distances.values():
            distances.choose(preselected)
        self.parts_per_row = max(known.parts_per_row for known in self.distances.values())

    @property
    def is_blank(self) -> bool:
        """Whether no DIVERSITY strategy has anything yet that rows could be far from."""
        return all(distances.is_empty for distances in self.distances.values())

    def pick_first(self) -> None:
        """Picks the best row while D is not known of any."""
        squared = {i: distances.bounds() for i, distances in self.distances.items()}
        scores = self._scores(squared)
        best = int(np.argmax(scores))
        if scores[best] == -np.inf:
            self.tally.exhaust(left_over=bool(self.is_free.any()))
        elif self.tally.take(best, {i: float(values[best]) for i, values in squared.items()}):
            self.is_free[best] = False
            for distances in self.distances.values():
                distances.choose(np.array([best]))

    def bounds(self) -> NDArray[np.float64]:
        """Returns what no row's score exceeds, -inf for rows that cannot be picked."""
        return self._scores({i: distances.bounds() for i, distances in self.distances.items()})

    def factors(self) -> NDArray[np.float64]:
        """Returns the class factors by group, shape (G,)."""
        total = np.zeros(self._n_groups)
        for i, strategy in enumerate(self.tally.objective.strategies):
            if isinstance(strategy, Balance):
                total += self.tally.factors(i)[strategy.groups[self._first_of_group]]
        return total

    def split(self, bounds: NDArray[np.float64], n_active: int) -> tuple[ActiveRows, _Outside]:
        """Returns the active set with its exact D, and what is outside.

        Args:
            bounds: As `bounds()` gives them; lowered where blocks are refreshed.
            n_active: About how many active rows are wanted.
        """
        is_active = self._reaches_threshold(bounds, n_active)
        while len(refreshed := self._refresh(np.flatnonzero(is_active))):
            self._lower_bounds(bounds, refreshed)
            is_active = self._reaches_threshold(bounds, n_active)
        rows = np.flatnonzero(is_active)
        active = ActiveRows(rows, {i: known.active(rows) for i, known in self.distances.items()})
        return active, self._outside(bounds, is_active)

    def settle(self, active: ActiveRows, n_served: int) -> None:
        """Keeps what a round found out: its picks, and the D of the other active rows."""
        picks = np.array(self.tally.picks[len(self.tally.picks) - n_served :], dtype=np.int64)
        self.is_free[picks] = False
        for i, distances in self.distances.items():
            distances.settle(active.parts[i], picks)

    def largest_squared(self) -> dict[int, float | None]:
        """Returns the largest exact D of all rows, or of their objects, 0 if all are chosen."""
        return {i: distances.largest_squared() for i, distances in self.distances.items()}

    def _refresh(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Lets rows learn of the picks they have missed; returns of which more is known now."""
        refreshed = [distances.refresh(rows) for distances in self.distances.values()]
        return refreshed[0] if len(refreshed) == 1 else np.unique(np.concatenate(refreshed))

    def _scores(self, squared: Distances) -> NDArray[np.float64]:
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
        squared = {i: distances.bounds(rows) for i, distances in self.distances.items()}
        bounds[rows] = self.tally.scores(view, squared)

    def _outside(self, bounds: NDArray[np.float64], is_active: NDArray[np.bool_]) -> _Outside:
        others = np.flatnonzero(~is_active & (bounds > -np.inf))
        best = np.full(self._n_groups, -np.inf)
        np.maximum.at(best, self.groups[others], bounds[others])
        values = [
            _ends(s.values[others]) if isinstance(s, Weights) else (0.0, 0.0)
            for s in self.tally.objective.strategies
        ]
        spreads = {i: spread.total for i, spread in self.tally.spreads.items()}
        squared = {i: _ends(known.bounds()[others]) for i, known in self.distances.items()}
        return _Outside(best, squared, values, spreads, self.tally.sums, self.factors())


def _serve(state: _Rows, active: ActiveRows, outside: _Outside) -> int:
    """Picks from the active rows while they are sure to hold the best; returns how many."""
    tally = state.tally
    view = tally.objective.take(active.rows)
    n_served = 0
    while tally.stopped_by is None:
        squared = active.squared
        scores = tally.scores(view, squared)
        allowed = tally.admissible(view)
        scores[active.is_chosen if allowed is None else active.is_chosen | ~allowed] = -np.inf
        best = int(np.argmax(scores))
        if scores[best] == -np.inf or scores[best] <= _bound(state, outside):
            break
        if not tally.take(
            int(active.rows[best]), {i: float(values[best]) for i, values in squared.items()}
        ):
            break
        active.choose(best)
        n_served += 1
        if _has_begun(tally, active):
            break
    return n_served


def _has_begun(tally: Tally, active: ActiveRows) -> bool:
    """Returns whether a strategy got something to be far from, which changes all its factors."""
    return any(
        parts.is_blank and not tally.spreads[i].is_empty for i, parts in active.parts.items()
    )


def _bound(state: _Rows, outside: _Outside) -> float:
    """Returns what no row outside the active set can exceed by now."""
    tally = state.tally
    if not tally.spreads:
        # DIVERSITY alone is compared by D, which only falls.
        return float(outside.best.max())
    drift = 0.0
    for i, strategy in enumerate(tally.objective.strategies):
        if isinstance(strategy, Diversity):
            if np.isinf(outside.squared[i][-1]):
                continue
            now, then, ends = tally.spreads[i].total, outside.spreads[i], outside.squared[i]
        elif isinstance(strategy, Weights):
            now, then, ends = tally.sums[i], outside.sums[i], outside.values[i]
        else:
            continue
        values = np.array(ends)
        change = log_sum(strategy.strength, now, values) - log_sum(strategy.strength, then, values)
        drift += float(change.max())
    best = outside.best + (state.factors() - outside.factors + drift) / tally.unit
    return float(best.max()) + _ROUNDING_UNITS


def _nth_largest(values: NDArray[np.float64], n: int) -> float:
    return float(np.partition(values, -n)[-n]) if n < len(values) else -np.inf


def _ends(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Returns the least and the largest value, after NOTHING where rows have that."""
    if not len(values):
        return (1.0, 1.0)
    least, largest = float(values.min()), float(values.max())
    if least > NOTHING or largest == NOTHING:
        return (least, largest)
    return (NOTHING, *_ends(values[values > NOTHING]))
