"""Exact greedy farthest-first selection (k-center greedy, Gonzalez 1985).

Every step takes the row farthest from all rows taken so far, the lowest index on ties. Rounds: the
farthest rows, as far as bounds tell, become hot and get exact distances; picks are served from
them as long as no other row can be farther. How the bounds are kept is in `lazy_blocks.py`, the
hot rows in `hot_rows.py`, small numbers of picks in `full_scan.py`.

Float32 products only sieve; what decides is float64 on the grid of `grid.py`, which is exact. So
the result does not depend on the BLAS, the threads or the block sizes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.kcenter.full_scan import scan_in_passes
from lightly_pipeline.selection.kcenter.hot_rows import (
    HotRows,
    farthest_positions,
    score_of_farthest,
)
from lightly_pipeline.selection.kcenter.lazy_blocks import LazyBlocks
from lightly_pipeline.selection.kcenter.sequence import Sequence
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.threads import one_blas_thread

# Below this many picks it is faster to look at all rows each time.
_LAZY_FROM_PICKS = 256
_BLOCK_ROWS = 256
# Small blocks are tighter; that pays for their overhead when they see many picks.
_SMALL_BLOCK_ROWS, _SMALL_BLOCKS_FROM = 64, 5000
# Hot rows are copied: more of them make fewer rounds but take memory.
_MIN_HOT, _MAX_HOT, _HOT_SHARE = 1024, 16384, 64
_INNER_HOT = 1024
_EVERYTHING = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Picks:
    """A farthest-first sequence.

    Attributes:
        indices: Shape (k,), int64.
        squared_distances: Shape (k,), float64: to the nearest row chosen before; inf if there was
            none.
        next_squared_distance: Of the pick that would have come next; None if no row is left.
    """

    indices: NDArray[np.int64]
    squared_distances: NDArray[np.float64]
    next_squared_distance: float | None


@one_blas_thread()
def farthest_first(
    embeddings: GridEmbeddings,
    k: int,
    *,
    preselected: NDArray[np.int64] | None = None,
    stop_squared_distance: float = 0.0,
    progress: Progress = silent,
) -> Picks:
    """Picks up to k rows, each the farthest from those before.

    Args:
        embeddings: N rows on the grid; consecutive ones near each other make it faster.
        k: Rows wanted, the preselected ones not counted; at most all others are given.
        preselected: Rows that count as chosen already, in any order: they are never returned, and
            the first pick is the row farthest from them.
        stop_squared_distance: Stop when the best row is strictly nearer than this.
        progress: Told about picks.

    Returns:
        The picks; without preselected rows the first is row 0. The sequence for k is a prefix of
        that for any larger k.
    """
    known = np.unique(np.asarray([] if preselected is None else preselected, dtype=np.int64))
    k = min(k, len(embeddings) - len(known))
    if k <= 0:
        return Picks(np.empty(0, np.int64), np.empty(0), None)
    sequence = Sequence(len(embeddings), known, k, stop_squared_distance, progress)
    if not len(known):
        sequence.offer(0, np.inf)
    is_short = k + len(known) < _LAZY_FROM_PICKS
    with embeddings.read_here_and_there():
        if not (is_short and scan_in_passes(embeddings, known, sequence)):
            _Rounds(embeddings, known, sequence).run()
    sequence.report()
    return Picks(
        np.array(sequence.rows, dtype=np.int64),
        np.array(sequence.distances),
        sequence.next_distance,
    )


class _Rounds:
    """Serves picks in rounds from the farthest rows.

    Exact: a row outside the hot ones has a score above theta, so its squared distance is less
    than the bound -2 theta + 2 slack and only falls. While the best hot row reaches the bound, no
    other row can beat or tie it.
    """

    def __init__(
        self, embeddings: GridEmbeddings, known: NDArray[np.int64], sequence: Sequence
    ) -> None:
        self._embeddings, self._sequence = embeddings, sequence
        n_picks = sequence.k + len(known)
        small = n_picks >= _SMALL_BLOCKS_FROM
        self._blocks = LazyBlocks(
            embeddings,
            _SMALL_BLOCK_ROWS if small else _BLOCK_ROWS,
            capacity=len(known) + min(sequence.k, 2 * _MAX_HOT),
        )
        self._n_known = len(known)
        self._n_hot = _MIN_HOT
        self._max_hot = max(_MIN_HOT, min(_MAX_HOT, len(embeddings) // _HOT_SHARE))
        self._blocks.choose(known)
        self._blocks.choose(np.array(sequence.rows, dtype=np.int64))

    def run(self) -> None:
        """Picks until the sequence is finished."""
        while not self._sequence.is_finished:
            self._round()

    def _round(self) -> None:
        """Serves the picks of one round; its hot rows are freed before the next are copied."""
        hot, bound = self._hot()
        n_before = len(self._sequence.rows)
        self._serve(hot, bound)
        served = np.array(self._sequence.rows[n_before:], dtype=np.int64)
        self._settle(hot, served)
        self._resize(len(served))

    def _hot(self) -> tuple[HotRows, float]:
        """Returns the farthest rows, and what every other row's squared distance is less than."""
        blocks = self._blocks
        theta = self._theta()
        while len(stale := blocks.stale(theta)):
            blocks.refresh(stale)
            theta = self._theta()
        blocks.regroup()
        rows = blocks.rows_up_to(theta)
        bound = -np.inf if theta == _EVERYTHING else -2.0 * theta + 2 * blocks.slack
        distances = blocks.exact_distances(rows)
        size = min(self._n_hot, self._max_hot)
        if len(rows) > 2 * size:
            part, cut = farthest_positions(distances, size)
            rows, distances, bound = rows[part], distances[part], max(bound, cut)
        return HotRows(self._embeddings, rows, distances, blocks.nearest(rows)), bound

    def _theta(self) -> float:
        """Returns a score that about `_n_hot` rows do not exceed, and no chosen row."""
        return min(float(score_of_farthest(self._blocks.scores, self._n_hot)), _EVERYTHING)

    def _serve(self, hot: HotRows, bound: float) -> None:
        """Takes picks from the hot rows as long as they are sure to hold the farthest."""
        bound = max(bound, 0.0)
        if len(hot) <= 2 * _INNER_HOT:
            self._serve_directly(hot, bound)
            return
        while not self._sequence.is_finished and hot.distances[hot.farthest()] >= bound:
            part, cut = hot.farthest_part(_INNER_HOT)
            first = len(self._sequence.rows)
            self._serve_directly(part, max(bound, cut))
            served = np.array(self._sequence.rows[first:], dtype=np.int64)
            if len(served) and not self._sequence.is_finished:
                hot.apply(served, self._n_known + first)

    def _serve_directly(self, hot: HotRows, bound: float) -> None:
        sequence = self._sequence
        while not sequence.is_finished:
            best = hot.farthest()
            distance = float(hot.distances[best])
            if distance < bound:
                return
            number = self._n_known + len(sequence.rows)
            if sequence.offer(int(hot.rows[best]), distance):
                hot.choose(best, number)

    def _settle(self, hot: HotRows, served: NDArray[np.int64]) -> None:
        if self._sequence.is_finished:
            return
        self._blocks.choose(served)
        left = ~hot.is_chosen
        self._blocks.settle(hot.rows[left], hot.distances[left], hot.nearest[left])
        self._blocks.update_worst(hot.rows)

    def _resize(self, n_served: int) -> None:
        if n_served == 0:
            # All hot rows are as far as others within the slack: only more of them decide.
            self._n_hot *= 4
        elif n_served < self._n_hot // 16:
            self._n_hot = min(2 * self._n_hot, self._max_hot)
