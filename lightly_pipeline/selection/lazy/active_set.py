"""The active set of a round: the few rows that picks are made from, with exact distances.

A copy small enough for the processor's cache, and how to tell the farthest rows by their scores.
Which rows are active, and for how long they are sure to hold the best of all, is for the rounds to
decide (`kcenter/`, `mixture/`).
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.distances import filter_slack, squared_between
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_CHOSEN = -1.0
# Scores of a block, so that it stays in the cache.
_BLOCK_ROWS, _BLOCK_SCORES = 256, 2**16
_SAMPLE = 65536


def score_of_farthest(scores: NDArray[np.float32], n_wanted: int) -> np.float32:
    """Returns a score that about `n_wanted` rows do not exceed, from a sample of the rows.

    inf, the score of chosen rows, where there are no more than that.
    """
    step = -(-len(scores) // _SAMPLE)
    sample = scores[::step]
    wanted = -(-n_wanted // step)
    if wanted >= len(sample):
        return np.float32(np.inf)
    return np.float32(np.partition(sample, wanted)[wanted])


def farthest_positions(
    distances: NDArray[np.float64], size: int
) -> tuple[NDArray[np.int64], float]:
    """Returns the positions of the largest distances, ascending, and the least among them.

    All other distances are smaller. Where more than 2 `size` tie, only the first of the largest
    is returned: the others equal it at most, at higher positions.
    """
    if size >= len(distances):
        return np.arange(len(distances)), 0.0
    cut = max(float(np.partition(distances, -size)[-size]), 0.0)
    positions = np.flatnonzero(distances >= cut)
    if len(positions) <= 2 * size:
        return positions, cut
    first = int(np.argmax(distances))
    return np.array([first]), float(distances[first])


class ActiveSet:
    """Rows whose distances are exact, and whose nearest picks are known by number.

    Attributes:
        rows: Shape (M,), int64, ascending.
        distances: Shape (M,), float64, squared; -1 once chosen.
        nearest: Shape (M,), int32: number of the nearest pick.
    """

    def __init__(
        self,
        embeddings: GridEmbeddings,
        rows: NDArray[np.int64],
        distances: NDArray[np.float64],
        nearest: NDArray[np.int32],
    ) -> None:
        self._embeddings = embeddings
        self._slack = filter_slack(embeddings.vectors.shape[1])
        self.rows, self.distances, self.nearest = rows, distances, nearest
        self._vectors = np.asarray(embeddings.vectors)[rows]
        self._half_norms = embeddings.squared_norms[rows] / 2

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_chosen(self) -> NDArray[np.bool_]:
        """Which of the rows were chosen."""
        chosen: NDArray[np.bool_] = self.distances == _CHOSEN
        return chosen

    def farthest(self) -> int:
        """Returns the position of the farthest row, the lowest row on ties."""
        return int(np.argmax(self.distances))

    def choose(self, position: int, number: int) -> None:
        """Chooses the row at a position as pick `number` and lowers the others' distances."""
        self.distances[position] = _CHOSEN
        products = self._vectors @ self._vectors[position]
        # What a product must exceed for the pick to be nearer than the nearest so far.
        bound = self._half_norms - self.distances / 2 + (self._half_norms[position] - self._slack)
        near = np.flatnonzero((products > bound) & (self.distances != _CHOSEN))
        self._lower(near, np.full(len(near), self.rows[position]), np.full(len(near), number))

    def farthest_part(self, size: int) -> "tuple[ActiveSet, float]":
        """Returns about the `size` farthest rows, and what no other row exceeds."""
        part, cut = farthest_positions(self.distances, size)
        rows, distances, nearest = self.rows[part], self.distances[part], self.nearest[part]
        return ActiveSet(self._embeddings, rows, distances, nearest), cut

    def apply(self, picks: NDArray[np.int64], first_number: int) -> None:
        """Lowers distances for picks that were chosen elsewhere; chosen rows are marked."""
        self.distances[np.searchsorted(self.rows, picks)] = _CHOSEN
        vectors = np.asarray(self._embeddings.vectors)[picks]
        half_norms = self._embeddings.squared_norms[picks] / 2
        block_rows = max(_BLOCK_ROWS, _BLOCK_SCORES // max(len(picks), 1))
        for start in range(0, len(self), block_rows):
            where = slice(start, start + block_rows)
            scores = self._vectors[where] @ vectors.T - half_norms.astype(np.float32)
            self._apply_block(start, scores, picks, first_number)

    def _apply_block(
        self, start: int, scores: NDArray[np.float32], picks: NDArray[np.int64], first: int
    ) -> None:
        where = slice(start, start + len(scores))
        best = scores[np.arange(len(scores)), scores.argmax(axis=1)]
        bound = self._half_norms[where] - self.distances[where] / 2 - self._slack
        hit = np.flatnonzero((best > bound) & (self.distances[where] != _CHOSEN))
        if not len(hit):
            return
        floor = np.maximum(bound[hit], best[hit] - 2 * self._slack)
        i, columns = np.nonzero(scores[hit] > floor[:, None])
        self._lower(hit[i] + start, picks[columns], columns + first)

    def _lower(
        self, positions: NDArray[np.int64], picks: NDArray[np.int64], numbers: NDArray[np.int64]
    ) -> None:
        """Lowers distances to those of pairs of row and pick where these are nearer."""
        squared = squared_between(self._embeddings, self.rows[positions], picks)
        np.minimum.at(self.distances, positions, squared)
        nearer = squared == self.distances[positions]
        self.nearest[positions[nearer]] = numbers[nearer]
