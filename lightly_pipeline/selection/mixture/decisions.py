"""Which strategy decided a pick.

The one whose factor, to the power of its strength, favours the pick most over an ordinary
candidate: the largest strength * (ln O(pick) - mean of ln O over the candidates of a fixed sample),
the first in the configuration on ties. The sample is up to 128 evenly spaced rows, without those
chosen already, and without those that have no objects where these are compared; so the answer does
not depend on the engine, and costs next to nothing.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.mixture.nearest import SampleDistances
from lightly_pipeline.selection.mixture.objective import Distances, Objective
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

SAMPLE_ROWS = 128


def evenly_spaced(n_rows: int, wanted: int) -> NDArray[np.int64]:
    """Returns up to `wanted` row indices, evenly spaced over all rows."""
    return np.unique(np.linspace(0, max(n_rows - 1, 0), min(n_rows, wanted)).astype(np.int64))


class Sample:
    """The ordinary candidates that picks are compared with.

    Attributes:
        view: The objective for the sample's rows.
    """

    def __init__(self, objective: Objective, embeddings: GridEmbeddings) -> None:
        self._rows = evenly_spaced(len(embeddings), SAMPLE_ROWS)
        self._is_candidate = np.ones(len(self._rows), dtype=bool)
        self.view = objective.take(self._rows)
        self._concerned = [s.concerns(self._rows) for s in objective.strategies]
        self._distances = {
            i: SampleDistances(strategy.compared(embeddings), self._rows)
            for i, strategy in objective.diversities.items()
        }

    @property
    def squared(self) -> Distances:
        """D of the sample's rows."""
        return {i: distances.squared for i, distances in self._distances.items()}

    def join(self, row: int) -> None:
        """Counts a row as chosen."""
        self._is_candidate[self._rows == row] = False
        for distances in self._distances.values():
            distances.add(row)

    def decide(
        self,
        terms: list[NDArray[np.float64]],
        of_pick: list[NDArray[np.float64]],
    ) -> int:
        """Returns the place of the strategy that decided.

        Args:
            terms: strength * ln O per strategy, of the sample's rows.
            of_pick: The same of the pick.
        """
        if not self._is_candidate.any():
            return 0
        advantages = [
            self._advantage(term, float(pick[0]), concerned)
            for term, pick, concerned in zip(terms, of_pick, self._concerned, strict=True)
        ]
        return int(np.argmax(advantages))

    def _advantage(
        self, term: NDArray[np.float64], of_pick: float, concerned: NDArray[np.bool_]
    ) -> float:
        """Returns how much a strategy favours the pick over the rows that it speaks of."""
        ordinary = term[self._is_candidate & concerned]
        return of_pick - float(ordinary.mean()) if len(ordinary) else 0.0
