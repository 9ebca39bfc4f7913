"""What is chosen so far, the scores that follow from it, and when to stop.

The bookkeeping that the direct and the lazy engine share, so that they cannot differ. How distances
are kept is in `lazy/` and `nearest.py`.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress
from lightly_pipeline.selection.mixture.decisions import Sample
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Distances,
    Diversity,
    Objective,
    Weights,
    log_sum,
)
from lightly_pipeline.selection.mixture.spread import Spread
from lightly_pipeline.selection.result import StrategyOutcome
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.parts import NOTHING

_PROGRESS_EVERY = 64
# More than any D: what rows with parts have before there is one to be far from.
_FAR = 8.0


class Tally:
    """The chosen rows, preselected and picked, as the strategies see them.

    Attributes:
        picks: Rows in the order of picks.
        squared_distances: By place of the DIVERSITY strategy: D of each pick when it was picked;
            inf when there was nothing to be far from yet.
        decided_by: Place of the strategy that decided each pick.
        stopped_by: Why the run ended; None while it goes on.
        unit: What scores are whole numbers of.
        spreads: A by place of the DIVERSITY strategy; none where one is alone, which needs no A.
        n_chosen: Preselected rows and picks.
    """

    def __init__(
        self, objective: Objective, embeddings: GridEmbeddings, k: int, progress: Progress
    ) -> None:
        self.objective = objective
        self.k = k
        self.picks: list[int] = []
        self.squared_distances: dict[int, list[float]] = {i: [] for i in objective.diversities}
        self.decided_by: list[int] = []
        self.stopped_by: str | None = None if k else "n_samples"
        self.n_chosen = 0
        self.progress = progress
        # With one strategy there is nothing to compare.
        is_mixture = len(objective.strategies) > 1
        self._sample = Sample(objective, embeddings) if is_mixture else None
        compared = objective.diversities if is_mixture else {}
        self.spreads = {i: Spread(s.compared(embeddings)) for i, s in compared.items()}
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
        for spread in self.spreads.values():
            spread.join(row)
        if self._sample:
            self._sample.join(row)
        for i, strategy in enumerate(self.objective.strategies):
            if isinstance(strategy, Weights):
                self._sums[i] += strategy.gain(row)
            elif isinstance(strategy, Balance):
                self._totals[i] = self._totals[i] + strategy.table[strategy.groups[row]]
                self._factors[i] = None

    def terms(self, view: Objective, squared: Distances) -> list[NDArray[np.float64]]:
        """Returns strength * ln O of each strategy, for the rows of a view.

        Args:
            view: The objective, or what it is for some rows.
            squared: D of these rows.
        """
        return [self._term(i, view, squared) for i in range(len(view.strategies))]

    def scores(self, view: Objective, squared: Distances) -> NDArray[np.float64]:
        """Returns what is maximised, for the rows of a view: whole numbers of `objective.unit`.

        D itself where DIVERSITY is alone.
        """
        if not self.spreads and squared:
            (distances,) = squared.values()
            sign = 1.0 if view.strategies[0].strength > 0 else -1.0
            return sign * np.minimum(distances, _FAR)
        total, *others = self.terms(view, squared)
        for term in others:
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

    def take(self, row: int, squared: Mapping[int, float]) -> bool:
        """Picks the best row unless it meets a stopping condition; returns whether it did.

        Args:
            row: The best candidate of the combined score.
            squared: Its D by place of the strategy; inf when there is nothing to be far from yet.
        """
        self.stopped_by = self._stop_before(row, squared)
        if self.stopped_by:
            return False
        self.decided_by.append(self._decide(row, squared))
        self.join(row)
        self.picks.append(row)
        for i, distance in squared.items():
            self.squared_distances[i].append(distance)
        for i, strategy in enumerate(self.objective.strategies):
            if isinstance(strategy, Weights):
                self._new_sums[i] += strategy.gain(row)
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
        self.picks, self.squared_distances = picks.tolist(), {0: squared.tolist()}
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
        if strategy.objects is not None:
            counts = strategy.objects.counts(np.array(self.picks, dtype=np.int64))
            return replace(outcome, n_objects=int(counts.sum()))
        return outcome

    def _decide(self, row: int, squared: Mapping[int, float]) -> int:
        if not self._sample:
            return 0
        pick = self.objective.take(np.array([row]))
        return self._sample.decide(
            self.terms(self._sample.view, self._sample.squared),
            self.terms(pick, {i: np.array([distance]) for i, distance in squared.items()}),
        )

    def _term(self, i: int, view: Objective, squared: Distances) -> NDArray[np.float64]:
        strategy = view.strategies[i]
        if isinstance(strategy, Weights):
            return log_sum(strategy.strength, self._sums[i], strategy.values)
        if isinstance(strategy, Balance):
            return self.factors(i)[strategy.groups]
        spread = self.spreads[i]
        if spread.is_empty:
            without = log_sum(strategy.strength, 0.0, np.array([NOTHING]))
            return np.where(np.isinf(squared[i]), 0.0, without)
        return log_sum(strategy.strength, spread.total, squared[i])

    def _stop_before(self, row: int, squared: Mapping[int, float]) -> str | None:
        for i, strategy in enumerate(self.objective.strategies):
            if isinstance(strategy, Diversity) and strategy.is_too_near(squared[i]):
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
