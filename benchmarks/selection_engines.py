"""Farthest-first by several means, for `benchmarks.selection`: one function per engine.

Each gives the rows it picks from unit vectors, beginning with row 0. Peers are imported when
they are measured; they are no dependencies.
"""

from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.kcenter.greedy import farthest_first

Indices = NDArray[np.int64]


def ours(embeddings: GridEmbeddings, k: int) -> Indices:
    """The engine of this package."""
    return farthest_first(embeddings, k).indices


def numpy_loop(embeddings: GridEmbeddings, k: int) -> Indices:
    """One `X @ x` per pick."""
    vectors = embeddings.vectors
    return _loop(vectors, k, lambda row, out: np.matmul(vectors, vectors[row], out=out))


def faiss_loop(embeddings: GridEmbeddings, k: int) -> Indices:
    """One `fvec_inner_products_ny` per pick."""
    vectors = embeddings.vectors
    n, dim = vectors.shape

    def products(row: int, out: NDArray[np.float32]) -> None:
        vector = vectors[row].copy()
        pointers = [faiss.swig_ptr(array) for array in (out, vector, vectors)]
        faiss.fvec_inner_products_ny(*pointers, dim, n)

    return _loop(vectors, k, products)


def mundig(embeddings: GridEmbeddings, k: int) -> Indices:
    """Lightly's published engine (PyPI: lightly-mundig)."""
    from lightly_mundig import Selection

    selection = Selection()
    selection.add_diversifying_strategy(embeddings.vectors, 1.0)
    return np.array(selection.run_selection([], len(embeddings), k), dtype=np.int64)


def voronoi(embeddings: GridEmbeddings, k: int) -> Indices:
    """scikit-matter's farthest point sampling with Voronoi cells (PyPI: skmatter)."""
    from skmatter.sample_selection import VoronoiFPS

    selector = VoronoiFPS(n_to_select=k, initialize=0).fit(embeddings.vectors)
    return np.asarray(selector.selected_idx_, dtype=np.int64)


def _loop(
    vectors: NDArray[np.float32], k: int, products: Callable[[int, NDArray[np.float32]], object]
) -> Indices:
    n = len(vectors)
    picks = np.zeros(k, np.int64)
    squared, new = np.full(n, np.inf, np.float32), np.empty(n, np.float32)
    for i in range(1, k):
        products(int(picks[i - 1]), new)
        np.multiply(new, -2, out=new)
        new += 2
        np.minimum(squared, new, out=squared)
        squared[picks[i - 1]] = -1
        picks[i] = squared.argmax()
    return picks


ENGINES: dict[str, Callable[[GridEmbeddings, int], Indices]] = {
    "ours": ours,
    "NumPy loop": numpy_loop,
    "FAISS loop": faiss_loop,
    "lightly-mundig": mundig,
    "skmatter Voronoi": voronoi,
}
