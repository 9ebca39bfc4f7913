"""D of rows, kept up to date pick by pick: what the direct engine scores with.

The lazy engine, which does without most of it, has `lazy/`.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.distances import (
    NearestChosen,
    blocks_of,
    lower_to_nearest,
    squared_to,
)
from lightly_pipeline.selection.vectors.parts import Parts

# A few picks at a time: larger blocks cost less overhead.
_BLOCK_ROWS = 2048


class RowDistances:
    """D of every row: the mean over its parts of their squared distance to the nearest chosen one.

    Attributes:
        squared: Shape (N,), float64; inf before a part is chosen, NOTHING without parts.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._nearest = NearestChosen(parts.embeddings)
        self.squared = parts.unknown()
        self._is_known = False

    def add(self, rows: NDArray[np.int64]) -> None:
        """Takes more chosen rows into account, by one pass over all parts."""
        chosen = self._parts.of(rows)
        if not len(chosen):
            return
        if len(chosen) == 1:
            self._nearest.add(int(chosen[0]))
        else:
            n_parts = len(self._parts.embeddings)
            self._nearest.add_to_blocks(chosen, blocks_of(n_parts, _BLOCK_ROWS))
        self.squared = self._parts.mean_squared(self._nearest.squared)
        self._is_known = True

    @property
    def largest(self) -> float | None:
        """The largest D of a part; None before one is chosen."""
        return float(self._nearest.squared.max()) if self._is_known else None


class SampleDistances:
    """D of a few rows.

    Attributes:
        squared: Shape (n,), float64, as `RowDistances` has them.
    """

    def __init__(self, parts: Parts, rows: NDArray[np.int64]) -> None:
        self._all, self._numbers, self._parts = parts, parts.of(rows), parts.take(rows)
        self._nearest = np.full(len(self._parts.embeddings), np.inf)
        self.squared = self._parts.unknown()

    def add(self, row: int) -> None:
        """Takes one more chosen row into account."""
        chosen = self._all.of(np.array([row]))
        if not len(chosen) or not len(self._nearest):
            return
        if len(chosen) == 1:
            squared = squared_to(self._all.embeddings, self._numbers, int(chosen[0]))
            np.minimum(self._nearest, squared, out=self._nearest)
        else:
            blocks = blocks_of(len(self._nearest))
            lower_to_nearest(
                self._nearest, self._parts.embeddings, self._all.embeddings, chosen, blocks
            )
        self.squared = self._parts.mean_squared(self._nearest)
