"""The picks of a selection that is under way, with their vectors side by side.

Answers which pick is nearest to given rows, exactly, and how far picks are from each other. Which
rows become picks is for the rounds to decide.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.distances import squared_to_all
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_MAX_PAIRS = 2**20
_SAMPLE = 256


class PickList:
    """Picks in order; a pick's number is its place.

    Attributes:
        rows: Shape (capacity,), int64: row of each pick.
        vectors: Shape (capacity, d), float32.
        half_norms: Shape (capacity,), float32: half the squared norm of each.
    """

    def __init__(self, embeddings: GridEmbeddings, capacity: int) -> None:
        self._embeddings = embeddings
        self._n = 0
        self.rows = np.empty(capacity, np.int64)
        self.vectors = np.empty((capacity, embeddings.vectors.shape[1]), np.float32)
        self.half_norms = np.empty(capacity, np.float32)

    def __len__(self) -> int:
        return self._n

    def append(self, rows: NDArray[np.int64]) -> None:
        """Adds rows as picks, in their order."""
        end = self._n + len(rows)
        if end > len(self.rows):
            capacity = max(end, 2 * len(self.rows))
            self.rows = np.resize(self.rows, capacity)
            self.vectors = np.resize(self.vectors, (capacity, self.vectors.shape[1]))
            self.half_norms = np.resize(self.half_norms, capacity)
        self.rows[self._n : end] = rows
        self.vectors[self._n : end] = self._embeddings.vectors[rows]
        self.half_norms[self._n : end] = self._embeddings.squared_norms[rows] / 2
        self._n = end

    def nearest_to(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Returns the exact squared distance of rows to their nearest picks, and the numbers.

        The lowest number on ties.
        """
        others = self.rows[: len(self)]
        distances, numbers = np.empty(len(rows)), np.empty(len(rows), np.int32)
        block_rows = max(1, _MAX_PAIRS // max(1, len(others)))
        for start in range(0, len(rows), block_rows):
            part = slice(start, start + block_rows)
            squared = squared_to_all(self._embeddings, rows[part], others)
            numbers[part] = squared.argmin(axis=1)
            distances[part] = squared.min(axis=1)
        return distances, numbers

    def typical_squared_distance(self) -> float:
        """Returns about the median of the squared distances between picks."""
        step = -(-len(self) // _SAMPLE)
        vectors, half_norms = self.vectors[: len(self) : step], self.half_norms[: len(self) : step]
        squared = 2 * (half_norms[:, None] + half_norms - vectors @ vectors.T)
        return float(np.median(squared))
