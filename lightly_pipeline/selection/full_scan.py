"""Farthest-first by one pass over all rows per pick: the fastest way for few picks.

Each pass is a matrix-vector product at the speed of memory. Many picks are the business of the
rounds in `kcenter.py`.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.distances import products_with, sieve_slack
from lightly_pipeline.selection.grid import GridEmbeddings
from lightly_pipeline.selection.pick_list import PickList
from lightly_pipeline.selection.sequence import Sequence

_MAX_CANDIDATES = 256


def scan_per_pick(embeddings: GridEmbeddings, known: NDArray[np.int64], sequence: Sequence) -> bool:
    """Continues a sequence until it is finished.

    The farthest row has the lowest score within twice the error of float32; the few rows that do
    are compared exactly.

    Args:
        embeddings: All rows.
        known: Rows chosen before the sequence began.
        sequence: Holds a first row if there are no known ones.

    Returns:
        Whether the sequence was finished: False where very many rows are equally far within the
        error of float32, and each pass would compare them anew.
    """
    scan = _Scan(embeddings, len(known) + sequence.k)
    scan.apply(np.append(known, sequence.rows).astype(np.int64))
    while not sequence.is_finished:
        rows = scan.candidates()
        if len(rows) > _MAX_CANDIDATES:
            return False
        distances, _ = scan.picks.nearest_to(rows)
        best = int(np.argmax(distances))
        if sequence.offer(int(rows[best]), float(distances[best])):
            scan.apply(rows[best : best + 1])
    return True


class _Scan:
    """Scores of all rows: minus half the squared distance to the nearest pick, in float32."""

    def __init__(self, embeddings: GridEmbeddings, capacity: int) -> None:
        n = len(embeddings)
        self._vectors = np.asarray(embeddings.vectors)
        # Equal norms change no order.
        self._half_norms = (
            None if embeddings.is_unit else (embeddings.squared_norms / 2).astype(np.float32)
        )
        self._margin = np.float32(2 * sieve_slack(embeddings.vectors.shape[1]))
        self._scores = np.full(n, -np.inf, np.float32)
        self._products = np.empty(n, np.float32)
        self.picks = PickList(embeddings, capacity)

    def apply(self, rows: NDArray[np.int64]) -> None:
        """Adds rows as picks, a pass for each."""
        for row in rows:
            products_with(self._vectors, row, out=self._products)
            if self._half_norms is not None:
                self._products -= self._half_norms[row]
            np.maximum(self._scores, self._products, out=self._scores)
        self.picks.append(rows)
        self._scores[rows] = np.inf

    def candidates(self) -> NDArray[np.int64]:
        """Returns the rows that can be the farthest, ascending."""
        scores = self._scores
        if self._half_norms is not None:
            scores = np.subtract(scores, self._half_norms, out=self._products)
        # argmin and a look-up are several times faster than min.
        return np.flatnonzero(scores <= scores[scores.argmin()] + self._margin)
