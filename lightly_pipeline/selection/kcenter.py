"""Exact greedy farthest-first selection (k-center greedy, Gonzalez 1985).

Every step takes the row farthest from all rows taken so far, the lowest index on ties. Float32
products by FAISS and BLAS only sieve: which rows a pick can possibly bring nearer. What passes is
evaluated in float64, exact on the grid of `grid.py`, so the result does not depend on the BLAS,
the threads or the block sizes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.grid import GridEmbeddings

# Below this many picks one pass per pick is the fastest way there is.
_BATCHED_FROM = 100
_BLOCK_ROWS = 256
_MAX_PANEL = 512
_MIN_HOT, _MAX_HOT = 1024, 16384
_PROGRESS_EVERY = 64
_CHOSEN = -1.0


@dataclass(frozen=True, slots=True)
class Picks:
    """A farthest-first sequence.

    Attributes:
        indices: Shape (k,), int64.
        squared_distances: Shape (k,), float64: to the nearest row chosen before; inf if there was none.
        next_squared_distance: Of the pick that would have come next; None if no row is left.
    """

    indices: NDArray[np.int64]
    squared_distances: NDArray[np.float64]
    next_squared_distance: float | None


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
        embeddings: N rows on the grid.
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
    state = _State(embeddings, stop_squared_distance, k, progress)
    if _begin(state, known):
        _pass_per_pick(state) if k < _BATCHED_FROM else _batched(state)
    rest = float(state.distances.max())
    picks = state.picks
    progress("select", len(picks), k, "picks")
    return Picks(
        np.array(picks, dtype=np.int64),
        np.array(state.picked_distances),
        rest if rest != _CHOSEN else None,
    )


class _State:
    """Squared distances of all rows to the picks that were applied to them."""

    def __init__(self, embeddings: GridEmbeddings, stop: float, k: int, progress: Progress) -> None:
        self.rows = embeddings.vectors
        self.norms = embeddings.squared_norms
        self.stop, self.k = stop, k
        self.distances = np.full(len(embeddings), np.inf)
        self.picks: list[int] = []
        self.picked_distances: list[float] = []
        self._progress = progress
        dim = self.rows.shape[1]
        unit = 2.0**-24
        # Bound on any float32 evaluation of a dot product of vectors of norm <= 1 (Higham 2002,
        # gamma_d), with room for the norms' rounding.
        self.slack = dim * unit / (1 - dim * unit) + 2e-6

    @property
    def is_full(self) -> bool:
        return len(self.picks) >= self.k

    def take(self, row: int, distance: float) -> None:
        """Notes a pick; applying it to the other rows is the caller's next step."""
        self.picks.append(row)
        self.picked_distances.append(distance)
        self.distances[row] = _CHOSEN
        if len(self.picks) % _PROGRESS_EVERY == 0:
            self._progress("select", len(self.picks), self.k, "picks")

    def exact(self, rows: NDArray[np.int64], picks: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the squared distance of each pair (rows[i], picks[i])."""
        products = np.einsum(
            "ij,ij->i", self.rows[rows], self.rows[picks], dtype=np.float64, casting="safe"
        )
        squared: NDArray[np.float64] = self.norms[rows] + self.norms[picks] - 2 * products
        return squared

    def may_improve(
        self, products: NDArray[np.float32], rows: slice | NDArray[np.int64], pick_norm: float
    ) -> NDArray[np.bool_]:
        """Returns where a pick of that norm can be nearer than all applied before it."""
        bound = (self.norms[rows] + pick_norm - self.distances[rows]) / 2 - self.slack
        improved: NDArray[np.bool_] = products > bound
        return improved


def _begin(state: _State, known: NDArray[np.int64]) -> bool:
    """Applies what is chosen already and takes the first row; returns whether there was one."""
    if not len(known):
        state.take(0, np.inf)
        return True
    state.distances[known] = _CHOSEN
    _apply(state, known)
    best = int(np.argmax(state.distances))
    if state.distances[best] < state.stop:
        return False
    state.take(best, float(state.distances[best]))
    return True


def _pass_per_pick(state: _State) -> None:
    """Applies each pick to all rows before the next is chosen."""
    products = np.empty(len(state.rows), dtype=np.float32)
    everything = slice(None)
    while True:
        pick = state.picks[-1]
        vector = state.rows[pick].copy()
        faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
            faiss.swig_ptr(products),
            faiss.swig_ptr(vector),
            faiss.swig_ptr(state.rows),
            state.rows.shape[1],
            len(state.rows),
        )
        hits = np.flatnonzero(state.may_improve(products, everything, state.norms[pick]))
        _improve(state, hits, pick)
        if state.is_full:
            return
        best = int(np.argmax(state.distances))
        if state.distances[best] < state.stop:
            return
        state.take(best, float(state.distances[best]))


def _improve(state: _State, rows: NDArray[np.int64], pick: int) -> None:
    """Lowers the distances of rows to that of a pick, in blocks to bound memory."""
    for start in range(0, len(rows), 2048):
        part = rows[start : start + 2048]
        squared = state.exact(part, np.full(len(part), pick))
        state.distances[part] = np.minimum(state.distances[part], squared)


def _batched(state: _State) -> None:
    """Serves many picks from the few farthest rows, then applies them all at once.

    Exact: distances only fall, so a row outside the hot set, below `theta` when the round starts,
    stays below it; while the best hot row reaches `theta` no outsider can beat or tie it.
    """
    _apply(state, np.array(state.picks))
    n_hot = _MIN_HOT
    while not state.is_full:
        if state.distances.max() == 0:
            _take_duplicates(state)
            return
        hot, theta = _hot_rows(state.distances, n_hot)
        start = len(state.picks)
        if len(hot) > 4 * _MAX_HOT:
            # So many ties that copying them would double the matrix: the first of them is next.
            finished = _serve(state, hot[:1], theta)
        else:
            finished = _serve(state, hot, theta)
        served = np.array(state.picks[start:])
        _apply(state, served)
        if finished:
            return
        if len(served) < n_hot // 16:
            n_hot = min(2 * n_hot, _MAX_HOT)


def _take_duplicates(state: _State) -> None:
    """Fills up with rows that equal a pick, in index order, unless a distance is asked for."""
    if state.stop > 0:
        return
    for row in np.flatnonzero(state.distances == 0)[: state.k - len(state.picks)]:
        state.take(int(row), 0.0)


def _hot_rows(distances: NDArray[np.float64], n_hot: int) -> tuple[NDArray[np.int64], float]:
    """Returns the rows at or above a threshold that about `n_hot` rows reach."""
    n_hot = min(n_hot, len(distances))
    theta = float(np.partition(distances, -n_hot)[-n_hot])
    if theta < 0:
        theta = 0.0
    return np.flatnonzero(distances >= theta), theta


def _serve(state: _State, hot: NDArray[np.int64], theta: float) -> bool:
    """Picks from the hot rows while they are sure to hold the best; returns whether to stop."""
    distances = state.distances[hot]
    vectors = state.rows[hot]
    norms = state.norms[hot]
    while not state.is_full:
        best = int(np.argmax(distances))
        if distances[best] < state.stop:
            return bool(distances[best] >= theta) or theta <= state.stop
        if distances[best] < theta:
            return False
        pick = int(hot[best])
        state.take(pick, float(distances[best]))
        distances[best] = _CHOSEN
        products = vectors @ vectors[best]
        bound = (norms + norms[best] - distances) / 2 - state.slack
        near = np.flatnonzero((products > bound) & (distances != _CHOSEN))
        squared = state.exact(hot[near], np.full(len(near), pick))
        distances[near] = np.minimum(distances[near], squared)
    return True


def _apply(state: _State, picks: NDArray[np.int64]) -> None:
    """Applies picks to all rows, by products of blocks that stay in the cache."""
    for start in range(0, len(picks), _MAX_PANEL):
        panel = picks[start : start + _MAX_PANEL]
        columns = np.ascontiguousarray(state.rows[panel].T)
        half_norms = (state.norms[panel] / 2).astype(np.float32)
        for rows in _blocks(len(state.rows)):
            _apply_block(state, rows, panel, columns, half_norms)


def _apply_block(
    state: _State,
    rows: slice,
    panel: NDArray[np.int64],
    columns: NDArray[np.float32],
    half_norms: NDArray[np.float32],
) -> None:
    # Half the squared distance less half the row's norm: what a pick's product must exceed.
    scores = state.rows[rows] @ columns - half_norms
    best = scores.max(axis=1)
    bound = (state.norms[rows] - state.distances[rows]) / 2 - state.slack
    hit = np.flatnonzero((best > bound) & (state.distances[rows] != _CHOSEN))
    if not len(hit):
        return
    floor = np.maximum(bound[hit], best[hit] - 2 * state.slack)
    pair_rows, pair_picks = np.nonzero(scores[hit] > floor[:, None])
    indices = hit[pair_rows] + rows.start
    np.minimum.at(state.distances, indices, state.exact(indices, panel[pair_picks]))


def _blocks(n_rows: int) -> Iterator[slice]:
    return (slice(i, min(i + _BLOCK_ROWS, n_rows)) for i in range(0, n_rows, _BLOCK_ROWS))
