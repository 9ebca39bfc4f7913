"""SIMILARITY: how near each row, or the best of its objects, is to the nearest query vector."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.mixture.objective import Weights
from lightly_pipeline.selection.strategies.task import StrategyTask
from lightly_pipeline.selection.vectors.distances import blocks_of, lower_to_nearest
from lightly_pipeline.selection.vectors.grid import (
    GridEmbeddings,
    exact_norms,
    prepare_embeddings,
    rounded,
)


def build(task: StrategyTask) -> Weights:
    """Returns the factor W + similarity(x): of objects the largest; W sums up those of all.

    Raises:
        LightlyPipelineError: The query cannot be compared.
    """
    query, parts = task.among.columns.query(task.source), task.parts
    values = np.empty(0)
    if len(parts.embeddings):
        try:
            values = similarity(parts.embeddings, query, normalize=task.among.normalize)
        except LightlyPipelineError as error:
            raise LightlyPipelineError(f"the query of {task.label}: {error}") from None
    gains = parts.sums(values) if task.source.task else None
    return Weights(task.label, task.options.strength, parts.largest(values), gains=gains)


def similarity(
    embeddings: GridEmbeddings, query: NDArray[np.float32], *, normalize: bool
) -> NDArray[np.float64]:
    """Returns exp(-d / mean of d) of each row, d the distance to its nearest query vector.

    Distances are exact for normalised vectors; 2 * N * Q * d multiply-adds. All rows equal to a
    query have the value 1.

    Args:
        embeddings: N rows.
        query: Shape (Q, d), float32; overwritten.
        normalize: Bring queries to unit length, as the rows were.

    Returns:
        Shape (N,), float64, in (0, 1].
    """
    if query.shape[1] != embeddings.vectors.shape[1]:
        raise LightlyPipelineError(
            f"its vectors have {query.shape[1]} dimensions, embeddings "
            f"{embeddings.vectors.shape[1]}; both must come from the same encoder"
        )
    on_grid = _at_scale(prepare_embeddings(query, normalize=normalize), embeddings.scale)
    squared = np.full(len(embeddings), np.inf)
    largest = max(1.0, float(np.sqrt(on_grid.squared_norms.max())))
    lower_to_nearest(
        squared,
        embeddings,
        on_grid,
        np.arange(len(on_grid)),
        blocks_of(len(embeddings)),
        largest_norm=largest,
    )
    # Above norms of 1 the last bits may be off, below 0 for equal vectors.
    distances = np.sqrt(np.maximum(squared, 0.0))
    mean = float(distances.mean()) if len(distances) else 0.0
    return np.exp(-distances / mean) if mean > 0 else np.ones(len(embeddings))


def _at_scale(query: GridEmbeddings, scale: float) -> GridEmbeddings:
    """Returns queries in units of `scale`, on the grid."""
    if query.scale == scale:
        return query
    factor = query.scale / scale
    vectors = rounded(query.vectors.astype(np.float64) * factor).astype(np.float32)
    return GridEmbeddings(vectors, exact_norms(vectors), scale)
