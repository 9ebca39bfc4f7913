"""Rows that are exactly equal on the grid."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_BLOCK_ROWS = 4096
_SEED = 1


def exact_duplicates(embeddings: GridEmbeddings) -> NDArray[np.int64]:
    """Returns for each row the lowest index of a row equal to it: its own if it is the first.

    Rows are sorted by a 64-bit hash and compared where hashes agree.

    Args:
        embeddings: N rows on the grid.

    Returns:
        Shape (N,), int64. Rows whose entry is not their own index are duplicates.
    """
    hashes = _hashes(embeddings.vectors)
    first = np.arange(len(embeddings))
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]]) + 1
    by_hash: dict[int, list[int]] = {}
    for place in same.tolist():
        row = int(order[place])
        firsts = by_hash.setdefault(int(hashes[row]), [int(first[order[place - 1]])])
        equal = (
            f for f in firsts if np.array_equal(embeddings.vectors[f], embeddings.vectors[row])
        )
        first[row] = next(equal, row)
        if first[row] == row:
            firsts.append(row)
    return first


def _hashes(vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
    """Returns a hash per row that is the same for equal rows, whatever the sign of their zeros."""
    odd = np.random.PCG64(_SEED).random_raw(vectors.shape[1]) | np.uint64(1)
    hashes = np.empty(len(vectors), dtype=np.uint64)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        bits = (vectors[start : start + _BLOCK_ROWS] + np.float32(0)).view(np.uint32)
        hashes[start : start + len(bits)] = (bits * odd).sum(axis=1, dtype=np.uint64)
    return hashes
