"""A of the DIVERSITY objective: how far apart what is chosen is by now.

How far candidates are from it is in `nearest.py` and `lazy/`.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.distances import filter_slack, squared_to
from lightly_pipeline.selection.vectors.parts import Parts

_GRID_SQUARED = 2.0**50


class Spread:
    """A: the sum over chosen parts of the squared distance to their nearest other chosen part.

    Kept exactly, in whole numbers of 2^-50, so that it does not depend on the order of summation.
    """

    def __init__(self, parts: Parts) -> None:
        dim = parts.embeddings.vectors.shape[1]
        self._parts, self._embeddings = parts, parts.embeddings
        self._slack = filter_slack(dim)
        self._vectors = np.empty((64, dim), dtype=np.float32)
        self._numbers = np.empty(64, dtype=np.int64)
        self._nearest = np.empty(64)
        self._n = 0
        self._units = 0

    @property
    def total(self) -> float:
        """A; 0 for fewer than two chosen parts."""
        return self._units / _GRID_SQUARED if self._n > 1 else 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no part is chosen yet: there is nothing that candidates could be far from."""
        return not self._n

    def join(self, row: int) -> None:
        """Adds a chosen row."""
        for part in self._parts.of(np.array([row])).tolist():
            self._join(part)

    def _join(self, part: int) -> None:
        if self._n == len(self._numbers):
            self._grow()
        n, norms = self._n, self._embeddings.squared_norms
        vector = self._embeddings.vectors[part]
        nearest = np.inf
        if n:
            products = self._vectors[:n] @ vector
            half = (norms[self._numbers[:n]] + norms[part]) / 2
            best = float((products - half).max())
            hit = np.flatnonzero(
                (products > half - self._nearest[:n] / 2 - self._slack)
                | (products - half >= best - 2 * self._slack)
            )
            squared = squared_to(self._embeddings, self._numbers[hit], part)
            nearest = float(squared.min())
            self._lower(hit, squared)
        self._vectors[n], self._numbers[n], self._nearest[n] = vector, part, nearest
        self._n += 1
        if np.isfinite(nearest):
            self._units += int(nearest * _GRID_SQUARED)

    def _lower(self, hit: NDArray[np.int64], squared: NDArray[np.float64]) -> None:
        """Moves chosen parts nearer to a new one, in their distances and in the sum."""
        before = self._nearest[hit]
        lower = squared < before
        known = before[lower]
        gone = known[np.isfinite(known)]
        self._units -= sum(int(value * _GRID_SQUARED) for value in gone.tolist())
        self._units += sum(int(value * _GRID_SQUARED) for value in squared[lower].tolist())
        self._nearest[hit[lower]] = squared[lower]

    def _grow(self) -> None:
        size = 2 * len(self._numbers)
        self._vectors = np.resize(self._vectors, (size, self._vectors.shape[1]))
        self._numbers = np.resize(self._numbers, size)
        self._nearest = np.resize(self._nearest, size)
