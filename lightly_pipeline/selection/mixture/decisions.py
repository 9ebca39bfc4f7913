"""Which strategy decided a pick.

The one whose factor, to the power of its strength, favours the pick most over an ordinary
candidate: the largest strength * (ln O(pick) - mean of ln O over the candidates of a fixed sample),
the first in the configuration on ties. The sample is up to 128 evenly spaced rows, without those
chosen already; so the answer does not depend on the engine, and costs next to nothing.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.mixture.objective import Objective
from lightly_pipeline.selection.vectors.distances import squared_to
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

SAMPLE_ROWS = 128


def evenly_spaced(n_rows: int, wanted: int) -> NDArray[np.int64]:
    """Returns up to `wanted` row indices, evenly spaced over all rows."""
    return np.unique(np.linspace(0, max(n_rows - 1, 0), min(n_rows, wanted)).astype(np.int64))


class Sample:
    """The ordinary candidates that picks are compared with.

    Attributes:
        view: The objective for the sample's rows.
        squared: Their D.
    """

    def __init__(self, objective: Objective, embeddings: GridEmbeddings) -> None:
        self._embeddings = embeddings
        self._rows = evenly_spaced(len(embeddings), SAMPLE_ROWS)
        self._is_candidate = np.ones(len(self._rows), dtype=bool)
        self._keeps_distances = objective.diversity is not None
        self.view = objective.take(self._rows)
        self.squared = np.full(len(self._rows), np.inf)

    def join(self, row: int) -> None:
        """Counts a row as chosen."""
        self._is_candidate[self._rows == row] = False
        if self._keeps_distances:
            np.minimum(
                self.squared, squared_to(self._embeddings, self._rows, row), out=self.squared
            )

    def decide(
        self,
        terms: list[NDArray[np.float64] | float],
        of_pick: list[NDArray[np.float64] | float],
    ) -> int:
        """Returns the place of the strategy that decided.

        Args:
            terms: strength * ln O per strategy, of the sample's rows.
            of_pick: The same of the pick.
        """
        if not self._is_candidate.any():
            return 0
        advantages = [
            float(np.sum(pick))
            - float(np.mean(np.broadcast_to(term, self._rows.shape)[self._is_candidate]))
            for term, pick in zip(terms, of_pick, strict=True)
        ]
        return int(np.argmax(advantages))
