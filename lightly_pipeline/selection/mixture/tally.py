"""What is chosen so far, the scores that follow from it, and when to stop.

The bookkeeping that the direct and the lazy engine share, so that they cannot differ. How distances
are kept is in `lazy/` and `vectors/distances.py`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress
from lightly_pipeline.selection.mixture.decisions import Sample
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Diversity,
    Objective,
    Weights,
    log_sum,
)
from lightly_pipeline.selection.result import StrategyOutcome
from lightly_pipeline.selection.vectors.distances import Spread
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_PROGRESS_EVERY = 64


class Tally:
    """The chosen rows, preselected and picked, as the strategies see them.

    Attributes:
        picks: Rows in the order of picks.
        squared_distances: D of each pick when it was picked; inf when nothing was chosen yet.
        decided_by: Place of the strategy that decided each pick.
        stopped_by: Why the run ended; None while it goes on.
        unit: What scores are whole numbers of.
        n_chosen: Preselected rows and picks.
    """

    def __init__(
        self, objective: Objective, embeddings: GridEmbeddings, k: int, progress: Progress
    ) -> None:
        self.objective = objective
        self.k = k
        self.picks: list[int] = []
        self.squared_distances: list[float] = []
        self.decided_by: list[int] = []
        self.stopped_by: str | None = None if k else "n_samples"
        self.spread = Spread(embeddings) if objective.diversity else None
        self.n_chosen = 0
        self.progress = progress
        # With one strategy there is nothing to compare.
        self._sample = Sample(objective, embeddings) if len(objective.strategies) > 1 else None
        self.unit = objective.unit
        self._sums = [0.0] * len(objective.strategies)
        self._new_sums = [0.0] * len(objective.strategies)
        self._totals = [
            np.zeros(len(s.classes)) if isinstance(s, Balance) else np.empty(0)
            for s in objective.strategies
        ]
        self._factors: list[NDArray[np.float64] | None] = [None] * len(objective.strategies)

    def join(self, row: int) -> None:
        """Counts a row as chosen: a preselected one, or a pick."""
        self.n_chosen += 1
        if self.spread:
            self.spread.join(row)
        if self._sample:
            self._sample.join(row)
        for i, strategy in enumerate(self.objective.strategies):
            if isinstance(strategy, Weights):
                self._sums[i] += float(strategy.values[row])
            elif isinstance(strategy, Balance):
                self._totals[i] = self._totals[i] + strategy.table[strategy.groups[row]]
                self._factors[i] = None

    def terms(
        self, view: Objective, squared: NDArray[np.float64]
    ) -> list[NDArray[np.float64] | float]:
        """Returns strength * ln O of each strategy, for the rows of a view.

        Args:
            view: The objective, or what it is for some rows.
            squared: D of these rows.
        """
        return [self._term(i, view, squared) for i in range(len(view.strategies))]

    def scores(self, view: Objective, squared: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns what is maximised, for the rows of a view: whole numbers of `objective.unit`."""
        if len(view.strategies) == 1 and isinstance(view.strategies[0], Diversity):
            sign = np.sign(view.strategies[0].strength)
            return sign * squared if self.n_chosen else np.zeros(len(squared))
        total = np.zeros(len(squared))
        for term in self.terms(view, squared):
            total += term
        return np.rint(total / self.unit, out=total)

    def factors(self, i: int) -> NDArray[np.float64]:
        """Returns strength * ln O of BALANCE strategy i for each of its groups."""
        known = self._factors[i]
        if known is None:
            strategy = self.objective.strategies[i]
            assert isinstance(strategy, Balance)
            known = self._factors[i] = strategy.log_factors(self._totals[i])
        return known

    def admissible(self, view: Objective) -> NDArray[np.bool_] | None:
        """Returns which rows of a view exceed no target_range; None where there is none."""
        allowed = None
        for i, strategy in enumerate(view.strategies):
            if isinstance(strategy, Weights) and strategy.target_range:
                fits = self._new_sums[i] + strategy.values <= strategy.target_range[1]
                allowed = fits if allowed is None else allowed & fits
        return allowed

    def take(self, row: int, squared: float) -> bool:
        """Picks the best row unless it meets a stopping condition; returns whether it did.

        Args:
            row: The best candidate of the combined score.
            squared: Its D; inf when nothing is chosen yet.
        """
        self.stopped_by = self._stop_before(row, squared)
        if self.stopped_by:
            return False
        self.decided_by.append(self._decide(row, squared))
        self.join(row)
        self.picks.append(row)
        self.squared_distances.append(squared)
        for i, strategy in enumerate(self.objective.strategies):
            if isinstance(strategy, Weights):
                self._new_sums[i] += float(strategy.values[row])
        if len(self.picks) % _PROGRESS_EVERY == 0:
            self.progress("select", len(self.picks), self.k, "picks")
        self.stopped_by = self._stop_after()
        return True

    def exhaust(self, *, left_over: bool) -> None:
        """Ends the run because no candidate is left, or none that fits a target_range."""
        self.stopped_by = "target_range" if left_over else "candidates_exhausted"

    def adopt(
        self, picks: NDArray[np.int64], squared: NDArray[np.float64], stopped_by: str
    ) -> None:
        """Takes over the run of an engine for DIVERSITY alone, which keeps no sums."""
        self.picks, self.squared_distances = picks.tolist(), squared.tolist()
        self.decided_by = [0] * len(picks)
        self.stopped_by = stopped_by

    @property
    def sums(self) -> list[float]:
        """W by strategy: the sums of the chosen rows' values; 0 for others than WEIGHTS."""
        return list(self._sums)

    def sum_of(self, i: int) -> float:
        """Returns the sum of the new picks' values for WEIGHTS strategy i."""
        return self._new_sums[i]

    def outcome(self, i: int) -> StrategyOutcome:
        """Returns what became of strategy i."""
        strategy = self.objective.strategies[i]
        outcome = StrategyOutcome(strategy.label, strategy.strength, self.decided_by.count(i))
        if isinstance(strategy, Weights):
            recall = strategy.neighbor_recall
            return replace(outcome, sum=self._new_sums[i], neighbor_recall=recall)
        if isinstance(strategy, Balance):
            shares = strategy.shares(self._totals[i])
            return replace(
                outcome,
                target=dict(zip(strategy.classes, strategy.target.tolist(), strict=True)),
                achieved=dict(zip(strategy.classes, shares.tolist(), strict=True)),
            )
        return outcome

    def _decide(self, row: int, squared: float) -> int:
        if not self._sample:
            return 0
        pick = self.objective.take(np.array([row]))
        return self._sample.decide(
            self.terms(self._sample.view, self._sample.squared),
            self.terms(pick, np.array([squared])),
        )

    def _term(
        self, i: int, view: Objective, squared: NDArray[np.float64]
    ) -> NDArray[np.float64] | float:
        strategy = view.strategies[i]
        if isinstance(strategy, Weights):
            return log_sum(strategy.strength, self._sums[i], strategy.values)
        if isinstance(strategy, Balance):
            return self.factors(i)[strategy.groups]
        if not self.n_chosen or self.spread is None:
            return 0.0
        return log_sum(strategy.strength, self.spread.total, squared)

    def _stop_before(self, row: int, squared: float) -> str | None:
        for strategy in self.objective.strategies:
            if isinstance(strategy, Diversity) and squared < strategy.minimum_squared:
                return "minimum_distance"
            if isinstance(strategy, Weights) and strategy.is_below_minimum(row):
                return "minimum_typicality"
        return None

    def _stop_after(self) -> str | None:
        for i, strategy in enumerate(self.objective.strategies):
            if not isinstance(strategy, Weights):
                continue
            if strategy.max_sum is not None and self._new_sums[i] >= strategy.max_sum:
                return "max_sum"
            if strategy.target_range and self._new_sums[i] >= strategy.target_range[0]:
                return "target_range"
        return "n_samples" if len(self.picks) >= self.k else None
