"""Exact squared distances to the nearest chosen row, kept up to date cheaply.

Float32 products only filter which rows a chosen one can have come nearer to; those are evaluated in
float64, exact on the grid. Which row is chosen is decided elsewhere.
"""

from collections.abc import Iterable, Iterator

import faiss
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.grid import GridEmbeddings

BLOCK_ROWS = 256
_MAX_PANEL = 512
_EXACT_ROWS = 2048
_PASS_ROWS = 2048


def filter_slack(dim: int) -> float:
    """Returns a bound on the error of any float32 dot product of vectors of norm at most 1.

    Higham 2002 (gamma_d), with room for the rounding of float32 norms.
    """
    unit = 2.0**-24
    return dim * unit / (1 - dim * unit) + 2e-6


class FilterRows:
    """All rows as float32 products filter with them: compact ones where there are such.

    Attributes:
        slack: Bound on the error of a product of a row with a vector of norm at most 1.
        is_on_disk: Whether rows are read from a file.
    """

    def __init__(self, embeddings: GridEmbeddings, block_rows: int) -> None:
        dim = embeddings.vectors.shape[1]
        # Plain arrays slice several times faster than memory maps of the same memory.
        self._rows = np.asarray(embeddings.vectors)
        self._compact = embeddings.compact
        self._buffer = np.empty((block_rows, dim), np.float32)
        self.is_on_disk = isinstance(embeddings.vectors, np.memmap) and not self._compact
        self.slack = filter_slack(dim)
        if self._compact:
            self.slack = self._compact.widened(self.slack)

    def read(self, where: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Returns up to `block_rows` rows; valid until the next call."""
        if self._compact:
            return self._compact.read(where, out=self._buffer)
        if isinstance(where, slice):
            return self._rows[where]
        # The mode makes NumPy write to `out` directly.
        return np.take(self._rows, where, axis=0, out=self._buffer[: len(where)], mode="clip")


def products_with(
    vectors: NDArray[np.float32], vector: NDArray[np.float32], *, out: NDArray[np.float32]
) -> None:
    """Writes the float32 products of vectors with another to `out`, shape (N,).

    One pass at the speed of memory, which FAISS reaches and NumPy's `@` does not always.
    """
    faiss.fvec_inner_products_ny(  # type: ignore[attr-defined]
        faiss.swig_ptr(out),
        faiss.swig_ptr(vector),
        faiss.swig_ptr(vectors),
        vectors.shape[1],
        len(vectors),
    )


def lower_to_nearest(
    squared: NDArray[np.float64],
    embeddings: GridEmbeddings,
    others: GridEmbeddings,
    chosen: NDArray[np.int64],
    blocks: Iterable[slice],
    largest_norm: float = 1.0,
) -> None:
    """Lowers `squared` of some blocks of rows to the nearest of some other rows.

    Args:
        squared: Shape (N,), float64; changed in place.
        embeddings: N rows.
        others: Rows of the same scale, which may be the same ones.
        chosen: Which of `others` count.
        blocks: Slices of rows of `embeddings`.
        largest_norm: No norm of the others exceeds it.
    """
    blocks = list(blocks)
    filter_rows = FilterRows(embeddings, max((b.stop - b.start for b in blocks), default=1))
    slack = filter_rows.slack * largest_norm**2
    for start in range(0, len(chosen), _MAX_PANEL):
        panel = chosen[start : start + _MAX_PANEL]
        vectors, norms = others.vectors[panel], others.squared_norms[panel]
        columns = np.ascontiguousarray(vectors.T)
        half_norms = (norms / 2).astype(np.float32)
        for block in blocks:
            # Half the row's norm less half the squared distance.
            scores = filter_rows.read(block) @ columns - half_norms
            rows, places = _promising(scores, embeddings, squared, block, slack)
            np.minimum.at(squared, rows, _exact(embeddings, rows, vectors, norms, places))


def _promising(
    scores: NDArray[np.float32],
    embeddings: GridEmbeddings,
    squared: NDArray[np.float64],
    block: slice,
    slack: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the pairs (row, column of scores) that may hold a row's new nearest."""
    best = scores.max(axis=1)
    bound = (embeddings.squared_norms[block] - squared[block]) / 2 - slack
    hit = np.flatnonzero(best > bound)
    floor = np.maximum(bound[hit], best[hit] - 2 * slack)
    rows, places = np.nonzero(scores[hit] > floor[:, None])
    return hit[rows] + block.start, places


def _exact(
    embeddings: GridEmbeddings,
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32],
    norms: NDArray[np.float64],
    places: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Returns the squared distance of each pair (rows[i], vectors[places[i]])."""
    squared = embeddings.squared_norms[rows] + norms[places]
    for start in range(0, len(rows), _EXACT_ROWS):
        part = slice(start, start + _EXACT_ROWS)
        left = embeddings.vectors[rows[part]].astype(np.float64)
        right = vectors[places[part]].astype(np.float64)
        squared[part] -= 2 * np.einsum("ij,ij->i", left, right)
    return squared


def squared_between(
    embeddings: GridEmbeddings, rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Returns the squared distance of each pair (rows[i], others[i])."""
    return _exact(embeddings, rows, embeddings.vectors, embeddings.squared_norms, others)


def squared_to(
    embeddings: GridEmbeddings, rows: NDArray[np.int64], other: int
) -> NDArray[np.float64]:
    """Returns the squared distance of each row to one other."""
    squared = np.empty(len(rows))
    vector = embeddings.vectors[other].astype(np.float64)
    for start in range(0, len(rows), _EXACT_ROWS):
        part = slice(start, start + _EXACT_ROWS)
        squared[part] = embeddings.vectors[rows[part]].astype(np.float64) @ vector
    squared *= -2
    squared += embeddings.squared_norms[rows] + embeddings.squared_norms[other]
    return squared


def squared_to_all(
    embeddings: GridEmbeddings,
    rows: NDArray[np.int64],
    others: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Returns the squared distances of rows to others, by default all, by float64 products.

    Shape (rows, others).
    """
    n_others = len(embeddings) if others is None else len(others)
    vectors = embeddings.vectors[rows].astype(np.float64)
    squared = np.empty((len(rows), n_others))
    for start in range(0, n_others, _EXACT_ROWS):
        part = slice(start, start + _EXACT_ROWS)
        columns = embeddings.vectors[part if others is None else others[part]]
        np.matmul(vectors, columns.astype(np.float64).T, out=squared[:, part])
    squared *= -2
    squared += embeddings.squared_norms if others is None else embeddings.squared_norms[others]
    squared += embeddings.squared_norms[rows][:, None]
    return squared


def squared_to_earlier(
    embeddings: GridEmbeddings, chosen: NDArray[np.int64], start: int
) -> NDArray[np.float64]:
    """Returns the squared distances of `chosen[start:]` to the nearest row chosen before each.

    inf where there is none.
    """
    squared = squared_to_all(embeddings, chosen[start:], chosen)
    own = np.arange(start, len(chosen))[:, None]
    squared[np.arange(len(chosen)) >= own] = np.inf
    nearest: NDArray[np.float64] = squared.min(axis=1)
    return nearest


class NearestChosen:
    """D of every row: its squared distance to the nearest chosen row, inf before there is one.

    Attributes:
        squared: Shape (N,), float64.
    """

    def __init__(self, embeddings: GridEmbeddings) -> None:
        self.embeddings = embeddings
        self.squared = np.full(len(embeddings), np.inf)
        self._rows = FilterRows(embeddings, _PASS_ROWS)
        self._products = np.empty(len(embeddings), dtype=np.float32)

    def add(self, row: int) -> None:
        """Takes one more chosen row into account, by one pass over all rows."""
        norms = self.embeddings.squared_norms
        vector = self.embeddings.vectors[row].copy()
        for start in range(0, len(norms), _PASS_ROWS):
            block = slice(start, start + _PASS_ROWS)
            products_with(self._rows.read(block), vector, out=self._products[block])
        bound = (norms + norms[row] - self.squared) / 2 - self._rows.slack
        near = np.flatnonzero(self._products > bound)
        self.squared[near] = np.minimum(self.squared[near], squared_to(self.embeddings, near, row))

    def add_to_blocks(self, chosen: NDArray[np.int64], blocks: Iterable[slice]) -> None:
        """Takes chosen rows into account in some blocks of rows, by matrix products."""
        lower_to_nearest(self.squared, self.embeddings, self.embeddings, chosen, blocks)


def blocks_of(n_rows: int, block_rows: int = BLOCK_ROWS) -> Iterator[slice]:
    """Yields consecutive blocks of rows, by default such that stay in the cache."""
    return (slice(i, min(i + block_rows, n_rows)) for i in range(0, n_rows, block_rows))
