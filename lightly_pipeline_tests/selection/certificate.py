"""Proves a farthest-first sequence right after the fact, where the definition takes too long.

A sequence is right exactly if for every row x and every step t at which x is not chosen yet, the
distance of x to the picks before t is at most that of pick t, and less if x has the lower index.
Independent of the engine: nothing of it is used.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 2048


def first_wrong_step(vectors: NDArray[np.float32], picks: NDArray[np.int64]) -> int | None:
    """Returns the first step whose pick was not the farthest row; None if all were.

    Float32 products with their error bound clear nearly all rows; the others are computed in
    float64, which is exact on the grid.

    Args:
        vectors: Shape (N, d), on the grid, norms of at most 1.
        picks: Shape (k,), beginning with row 0.
    """
    dim = vectors.shape[1]
    slack = 4 * (dim * 2.0**-24 + 1e-6)
    chosen = vectors[picks].astype(np.float64)
    own = _own_distances(chosen)
    half_norms = np.einsum("ij,ij->i", chosen, chosen) / 2
    columns, single = np.ascontiguousarray(vectors[picks].T), half_norms.astype(np.float32)
    # At most twice (half the row's norm less its score) may be what the next pick has.
    limits = own[1:].astype(np.float32) - np.float32(slack)
    wrong: list[int] = []
    for start in range(0, len(vectors), _BLOCK_ROWS):
        rows = vectors[start : start + _BLOCK_ROWS]
        norms = np.einsum("ij,ij->i", rows, rows)
        scores = rows @ columns[:, :-1]
        scores -= single[:-1]
        np.maximum.accumulate(scores, axis=1, out=scores)
        scores *= -2
        scores += norms[:, None]
        suspects = np.flatnonzero((scores > limits).any(axis=1)) + start
        for part in np.array_split(suspects, max(1, len(suspects) // 256)):
            wrong += _wrong_steps(vectors, part, picks, chosen, half_norms, own)
    return min(wrong, default=None)


def _own_distances(chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns each pick's squared distance to the picks before it; inf for the first."""
    norms = np.einsum("ij,ij->i", chosen, chosen)
    own = np.full(len(chosen), np.inf)
    for start in range(0, len(chosen), 256):
        stop = min(start + 256, len(chosen))
        products = chosen[start:stop] @ chosen[:stop].T
        pairs = norms[start:stop, None] + norms[:stop] - 2 * products
        pairs[np.arange(stop) >= np.arange(start, stop)[:, None]] = np.inf
        own[start:stop] = pairs.min(axis=1)
    return own


def _wrong_steps(
    vectors: NDArray[np.float32],
    rows: NDArray[np.int64],
    picks: NDArray[np.int64],
    chosen: NDArray[np.float64],
    half_norms: NDArray[np.float64],
    own: NDArray[np.float64],
) -> list[int]:
    exact = vectors[rows].astype(np.float64)
    squared = np.einsum("ij,ij->i", exact, exact)[:, None] - 2 * (exact @ chosen.T - half_norms)
    before = np.minimum.accumulate(squared, axis=1)[:, :-1]
    farther = (before > own[1:]) | ((before == own[1:]) & (rows[:, None] < picks[1:]))
    # The step at which a row is chosen itself; it does not count from then on.
    ends = np.full(len(rows), len(picks))
    steps = {int(row): step for step, row in enumerate(picks)}
    for i, row in enumerate(rows.tolist()):
        ends[i] = steps.get(row, len(picks))
    farther &= np.arange(1, len(picks)) < ends[:, None]
    return [int(step) + 1 for step in np.nonzero(farther)[1]]
