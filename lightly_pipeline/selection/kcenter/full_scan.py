"""Farthest-first by few passes over all rows: the fastest way for few picks.

The farthest rows after a pass are copied; picks are served from them as long as no other row can
be farther, and the next pass shows all rows the new picks in one matrix product. Many picks are
the business of `greedy.py`, which does not look at all rows each time.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.kcenter.sequence import Sequence
from lightly_pipeline.selection.lazy.active_set import score_of_farthest
from lightly_pipeline.selection.vectors.distances import (
    FilterRows,
    squared_to_all,
    squared_to_earlier,
)
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_BLOCK_BYTES = 2**20
_PANEL = 256
_MIN_ACTIVE, _ACTIVE_SHARE = 1024, 64


def scan_in_passes(
    embeddings: GridEmbeddings, known: NDArray[np.int64], sequence: Sequence
) -> bool:
    """Continues a sequence until it is finished.

    Args:
        embeddings: All rows.
        known: Rows chosen before the sequence began.
        sequence: Holds a first row if there are no known ones.

    Returns:
        Whether the sequence was finished: False where very many rows are equally far within the
        error of float32.
    """
    chosen = np.append(known, sequence.rows).astype(np.int64)
    scan, n_seen = _Scan(embeddings), 0
    while not sequence.is_finished:
        scan.see(chosen[n_seen:])
        n_seen = len(chosen)
        active = scan.active_rows()
        rows = active.choose(sequence.k + 1 - len(sequence.rows), chosen)
        if not rows:
            return False
        chosen = np.append(chosen, rows)
        distances = squared_to_earlier(embeddings, chosen, n_seen)
        for row, distance in zip(rows, distances.tolist(), strict=True):
            if not sequence.offer(row, distance):
                return True
    return True


class _Scan:
    """Scores of all rows: minus half the squared distance to the nearest pick, in float32."""

    def __init__(self, embeddings: GridEmbeddings) -> None:
        n, dim = embeddings.vectors.shape
        self._embeddings = embeddings
        self._half_norms = (embeddings.squared_norms / 2).astype(np.float32)
        self._scores = np.full(n, -np.inf, np.float32)
        self._block_rows = max(64, _BLOCK_BYTES // (4 * dim))
        self._rows = FilterRows(embeddings, self._block_rows)
        self._n_active = max(_MIN_ACTIVE, n // _ACTIVE_SHARE)

    def see(self, picks: NDArray[np.int64]) -> None:
        """Raises the scores for new picks and takes these out of the running."""
        for start in range(0, len(picks), _PANEL):
            panel = picks[start : start + _PANEL]
            vectors = self._embeddings.vectors[panel]
            half_norms = self._half_norms[panel, None]
            for begin in range(0, len(self._scores), self._block_rows):
                block = slice(begin, begin + self._block_rows)
                products = vectors @ self._rows.read(block).T
                products -= half_norms
                best = products.max(axis=0)
                best -= self._half_norms[block]
                np.maximum(self._scores[block], best, out=self._scores[block])
        self._scores[picks] = np.inf

    def active_rows(self) -> "_ActiveRows":
        """Returns the farthest rows; all others have scores of at least their limit."""
        scores = self._scores
        limit = score_of_farthest(scores, self._n_active)
        rows = np.flatnonzero(scores < limit)
        if len(rows) > 2 * self._n_active:
            limit = np.partition(scores[rows], self._n_active)[self._n_active]
            rows = rows[scores[rows] < limit]
        margin = np.float32(2 * self._rows.slack)
        return _ActiveRows(self._embeddings, rows, scores[rows], limit, margin)


class _ActiveRows:
    """A copy of the farthest rows, small enough for the cache."""

    def __init__(
        self,
        embeddings: GridEmbeddings,
        rows: NDArray[np.int64],
        scores: NDArray[np.float32],
        limit: np.float32,
        margin: np.float32,
    ) -> None:
        self._embeddings, self._rows, self._scores, self._limit = embeddings, rows, scores, limit
        self._vectors = np.asarray(embeddings.vectors)[rows]
        self._half_norms = (embeddings.squared_norms[rows] / 2).astype(np.float32)
        self._margin = margin

    def choose(self, n_wanted: int, chosen: NDArray[np.int64]) -> list[int]:
        """Chooses the next rows, as far as they are sure to be among these.

        The farthest row has the lowest score within twice the error of float32; if several rows
        do, they are compared exactly.

        Args:
            n_wanted: Rows wanted at most.
            chosen: All rows chosen before.

        Returns:
            The rows in order; none if more rows than these can be the farthest.
        """
        picks: list[int] = []
        scores, products = self._scores, np.empty_like(self._scores)
        while len(scores) and len(picks) < n_wanted:
            # argmin and a look-up are several times faster than min.
            lowest = scores[scores.argmin()]
            is_sure = lowest + self._margin < self._limit
            # Where the farthest equals a pick, all that are left do: the caller takes them at once.
            if not is_sure or (picks and lowest >= -self._margin):
                break
            near = np.flatnonzero(scores <= lowest + self._margin)
            best = int(near[0]) if len(near) == 1 else self._farthest(near, chosen, picks)
            np.matmul(self._vectors, self._vectors[best], out=products)
            products -= self._half_norms
            products -= self._half_norms[best]
            np.maximum(scores, products, out=scores)
            scores[best] = np.inf
            picks.append(int(self._rows[best]))
        return picks

    def _farthest(
        self, near: NDArray[np.int64], chosen: NDArray[np.int64], picks: list[int]
    ) -> int:
        """Returns which of the rows at some positions is the farthest, the lowest on ties."""
        others = np.append(chosen, np.array(picks, dtype=np.int64))
        squared = squared_to_all(self._embeddings, self._rows[near], others)
        return int(near[squared.min(axis=1).argmax()])
