"""TYPICALITY: how dense the neighbourhood of each row is, or of its objects on average.

t(x) = mean over the K nearest other rows of exp(-d / s), s the mean over all rows of their mean
distance to these. FAISS finds the neighbours, float64 evaluates their distances.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.mixture.decisions import evenly_spaced
from lightly_pipeline.selection.mixture.objective import Weights
from lightly_pipeline.selection.strategies.task import StrategyTask
from lightly_pipeline.selection.vectors.distances import (
    filter_slack,
    squared_between,
    squared_to_all,
)
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_logger = logger_of(__name__)
DEFAULT_NEIGHBORS = 20
"""TYPICALITY without `num_nearest_neighbors`, as LightlyStudio has it."""
# Up to here all pairs are compared; above, an inverted file finds almost all neighbours.
EXACT_ROWS = 50_000
_TRAINING_ROWS = 50_000
_PROBES = 16
_SEED = 1
# More neighbours than wanted: duplicates and float32 near-ties push true ones down.
_SPARE = 8
_BLOCK_ROWS = 4096
_DENSE_BLOCK_ROWS = 128
# Rows that the recall is measured on, and what is too little to go without a word.
_RECALL_ROWS, _LOW_RECALL = 64, 0.95


def build(task: StrategyTask) -> Weights:
    """Returns the factor W + t(x) with the typicality to stop at.

    Of objects, neighbours are among all of them, t(x) is their mean, and W sums up those of all.
    """
    options, parts = task.options, task.parts
    values, recall = typicality(
        parts.embeddings,
        options.num_nearest_neighbors or DEFAULT_NEIGHBORS,
        progress=task.among.progress,
    )
    if recall is not None and recall < _LOW_RECALL:
        _logger.warning(
            "%s: only %.0f %% of the nearest neighbours were found (measured on %d rows); these "
            "embeddings have no neighbourhoods, and their typicality says little",
            task.label,
            100 * recall,
            _RECALL_ROWS,
        )
    minimum = options.stopping_condition_minimum_typicality
    return Weights(
        task.label,
        options.strength,
        parts.means(values),
        minimum=minimum,
        gains=parts.sums(values) if task.source.task else None,
        neighbor_recall=recall,
    )


def typicality(
    embeddings: GridEmbeddings, n_neighbors: int, *, progress: Progress = silent
) -> tuple[NDArray[np.float64], float | None]:
    """Returns the typicality of each row, and how many of their neighbours were found.

    Exact up to 50,000 rows. Above, an IVF index with 4 * sqrt(N) cells trained on every
    N/50,000-th row with a fixed seed, 16 cells probed; it holds a second copy of the vectors.

    Args:
        embeddings: N rows.
        n_neighbors: K; at most the N - 1 others count.
        progress: Called with the number of rows done.

    Returns:
        Shape (N,), float64, in (0, 1]; 1 if all rows are equal, or for a single row. And the share
        of the true K nearest among the neighbours found, for 64 evenly spaced rows; None where all
        pairs were compared.
    """
    n = len(embeddings)
    k = min(n_neighbors, n - 1)
    if k <= 0:
        return np.ones(n), None
    index = neighbor_index(embeddings)
    nearest = np.empty((n, k))
    for start in range(0, n, _BLOCK_ROWS):
        rows = np.arange(start, min(start + _BLOCK_ROWS, n))
        nearest[rows] = np.sqrt(nearest_squared(embeddings, index, rows, k))
        progress("typicality", int(rows[-1]) + 1, n, "rows")
    recall = None if n <= EXACT_ROWS else _recall(embeddings, nearest)
    scale = float(nearest.mean(axis=1).mean())
    if scale == 0:
        return np.ones(n), recall
    nearest /= -scale
    typical: NDArray[np.float64] = np.exp(nearest, out=nearest).mean(axis=1)
    return typical, recall


def _recall(embeddings: GridEmbeddings, nearest: NDArray[np.float64]) -> float:
    """Returns the share of neighbours that are as near as the true ones, for some rows."""
    rows = evenly_spaced(len(embeddings), _RECALL_ROWS)
    k = nearest.shape[1]
    true = np.sqrt(nearest_squared_by_all_pairs(embeddings, rows, k))
    return float((nearest[rows] <= true[:, -1:]).mean())


def neighbor_index(embeddings: GridEmbeddings) -> Any:
    """Returns the FAISS index that `nearest_squared` searches."""
    n, dim = embeddings.vectors.shape
    if n <= EXACT_ROWS:
        flat = faiss.IndexFlatL2(dim)
        flat.add(embeddings.vectors)
        return flat
    n_cells = int(4 * np.sqrt(n))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dim), dim, n_cells)
    index.cp.seed = _SEED
    index.cp.max_points_per_centroid = n
    index.cp.min_points_per_centroid = 1
    index.train(np.ascontiguousarray(embeddings.vectors[:: max(1, n // _TRAINING_ROWS)]))
    index.add(embeddings.vectors)
    index.nprobe = _PROBES
    return index


def nearest_squared(
    embeddings: GridEmbeddings, index: Any, rows: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """Returns the squared distances to the k nearest other rows, ascending, shape (rows, k)."""
    found, ids = index.search(embeddings.vectors[rows], min(k + _SPARE + 1, len(embeddings)))
    pairs = squared_between(embeddings, np.repeat(rows, ids.shape[1]), ids.reshape(-1))
    squared = pairs.reshape(ids.shape)
    # By id, since duplicates may come before the row itself.
    squared[(ids == rows[:, None]) | (ids < 0)] = np.inf
    squared.sort(axis=1)
    nearest = squared[:, :k]
    unsure = ~np.isfinite(nearest[:, -1])
    if index.ntotal <= EXACT_ROWS and ids.shape[1] < index.ntotal:
        # Float32 may have ranked a true neighbour below all that were found.
        unsure |= nearest[:, -1] > found[:, -1] - 4 * filter_slack(embeddings.vectors.shape[1])
    nearest[unsure] = nearest_squared_by_all_pairs(embeddings, rows[unsure], k)
    return nearest


def nearest_squared_by_all_pairs(
    embeddings: GridEmbeddings, rows: NDArray[np.int64], k: int
) -> NDArray[np.float64]:
    """Returns what `nearest_squared` does, by float64 products with all rows."""
    nearest = np.empty((len(rows), k))
    for start in range(0, len(rows), _DENSE_BLOCK_ROWS):
        part = rows[start : start + _DENSE_BLOCK_ROWS]
        squared = squared_to_all(embeddings, part)
        squared[np.arange(len(part)), part] = np.inf
        squared.partition(k - 1, axis=1)
        nearest[start : start + len(part)] = np.sort(squared[:, :k], axis=1)
    return nearest
