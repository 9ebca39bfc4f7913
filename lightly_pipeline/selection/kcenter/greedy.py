"""Exact greedy farthest-first selection (k-center greedy, Gonzalez 1985).

Every step takes the row farthest from all rows taken so far, the lowest index on ties. Rounds: the
farthest rows, as far as bounds tell, are the active set and get exact distances; picks are served
from them as long as no other row can be farther. How the bounds are kept is in `lazy/`, small
numbers of picks in `full_scan.py`.

Float32 products only filter; what decides is float64 on the grid of `grid.py`, which is exact. So
the result does not depend on the BLAS, the threads or the block sizes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.kcenter.full_scan import scan_in_passes
from lightly_pipeline.selection.kcenter.sequence import Sequence
from lightly_pipeline.selection.lazy.active_set import ActiveSet, farthest_positions
from lightly_pipeline.selection.lazy.blocks import LazyBlocks
from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.threads import one_blas_thread

# Below this many picks it is faster to look at all rows each time.
_LAZY_FROM_PICKS = 256
# Active rows are copied: more of them make fewer rounds but take memory.
_MIN_ACTIVE, _MAX_ACTIVE, _ACTIVE_SHARE = 1024, 16384, 64
_INNER_ACTIVE = 1024
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
        progress: Called with the number of picks.

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

    Exact: a row outside the active set has a score above theta, so its squared distance is less
    than the bound of theta and only falls. While the best active row reaches the bound, no other
    row can beat or tie it.
    """

    def __init__(
        self, embeddings: GridEmbeddings, known: NDArray[np.int64], sequence: Sequence
    ) -> None:
        self._sequence = sequence
        self._blocks = LazyBlocks(embeddings, n_picks=len(known) + sequence.k)
        self._n_known = len(known)
        self._n_active = _MIN_ACTIVE
        self._max_active = max(_MIN_ACTIVE, min(_MAX_ACTIVE, len(embeddings) // _ACTIVE_SHARE))
        self._blocks.choose(known)
        self._blocks.choose(np.array(sequence.rows, dtype=np.int64))

    def run(self) -> None:
        """Picks until the sequence is finished."""
        while not self._sequence.is_finished:
            self._round()

    def _round(self) -> None:
        """Serves the picks of one round; its active set is freed before the next is copied."""
        active, bound = self._farthest()
        n_before = len(self._sequence.rows)
        self._serve(active, bound)
        served = np.array(self._sequence.rows[n_before:], dtype=np.int64)
        if not self._sequence.is_finished:
            self._blocks.settle(active, served)
        self._resize(len(served))

    def _farthest(self) -> tuple[ActiveSet, float]:
        """Returns the farthest rows, and what every other row's squared distance is less than."""
        blocks = self._blocks
        theta = self._theta()
        while len(blocks.refresh(blocks.blocks_up_to(theta))):
            theta = self._theta()
        rows = blocks.rows_up_to(theta)
        bound = -np.inf if theta == _EVERYTHING else blocks.bound_of(theta)
        distances = blocks.exact_distances(rows)
        size = min(self._n_active, self._max_active)
        if len(rows) > 2 * size:
            part, cut = farthest_positions(distances, size)
            rows, distances, bound = rows[part], distances[part], max(bound, cut)
        return blocks.active_set(rows, distances), bound

    def _theta(self) -> float:
        """Returns a score that about `_n_active` rows do not exceed, and no chosen row."""
        return min(float(self._blocks.score_of_farthest(self._n_active)), _EVERYTHING)

    def _serve(self, active: ActiveSet, bound: float) -> None:
        """Takes picks from the active set as long as it is sure to hold the farthest row."""
        bound = max(bound, 0.0)
        if len(active) <= 2 * _INNER_ACTIVE:
            self._serve_directly(active, bound)
            return
        while not self._sequence.is_finished and active.distances[active.farthest()] >= bound:
            part, cut = active.farthest_part(_INNER_ACTIVE)
            first = len(self._sequence.rows)
            self._serve_directly(part, max(bound, cut))
            served = np.array(self._sequence.rows[first:], dtype=np.int64)
            if len(served) and not self._sequence.is_finished:
                active.apply(served, self._n_known + first)

    def _serve_directly(self, active: ActiveSet, bound: float) -> None:
        sequence = self._sequence
        while not sequence.is_finished:
            best = active.farthest()
            distance = float(active.distances[best])
            if distance < bound:
                return
            number = self._n_known + len(sequence.rows)
            if sequence.offer(int(active.rows[best]), distance):
                active.choose(best, number)

    def _resize(self, n_served: int) -> None:
        if n_served == 0:
            # All active rows are as far as others within the slack: only more of them decide.
            self._n_active *= 4
        elif n_served < self._n_active // 16:
            self._n_active = min(2 * self._n_active, self._max_active)
