"""Which earlier choice each chosen frame is nearest to."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.vectors.distances import squared_to_all

_MAX_PAIRS = 100_000_000
_ROWS_AT_ONCE = 256


def nearest_earlier(
    embeddings: GridEmbeddings,
    chosen: NDArray[np.int64],
    before: NDArray[np.int64],
    sequence_length: int,
) -> tuple[int | None, ...]:
    """Returns by rank the rank of the nearest frame chosen before, the first of equally near ones.

    None for the first, and where a frame of an earlier run is nearer; for all where pairs exceed
    10^8. Frames of one sequence are chosen at once, so none of them is before another.

    Args:
        embeddings: Of all rows.
        chosen: Shape (k,): rows in the order of picks.
        before: Shape (P,): rows that earlier runs chose.
        sequence_length: Frames per chosen sequence.
    """
    n = len(chosen)
    if n * (n // 2 + len(before)) > _MAX_PAIRS:
        return (None,) * n
    ranks: list[int | None] = []
    for start in range(0, n, _ROWS_AT_ONCE):
        own = np.arange(start, min(start + _ROWS_AT_ONCE, n))
        squared = squared_to_all(embeddings, chosen[own], chosen[: own[-1] + 1])
        first_of_own = own - own % sequence_length
        squared[np.arange(squared.shape[1]) >= first_of_own[:, None]] = np.inf
        nearest, smallest = squared.argmin(axis=1), squared.min(axis=1)
        limit = np.full(len(own), np.inf)
        if len(before):
            limit = squared_to_all(embeddings, chosen[own], before).min(axis=1)
        is_there = np.isfinite(smallest) & (smallest <= limit)
        ranks += [int(r) if there else None for r, there in zip(nearest, is_there, strict=True)]
    return tuple(ranks)
