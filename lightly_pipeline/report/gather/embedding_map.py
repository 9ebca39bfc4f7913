"""The embeddings in two dimensions: those along which they differ most."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.report.numbers import EmbeddingMap
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.mixture.decisions import evenly_spaced

# The axes are found on so many candidates, evenly spaced; all of them are on the map.
_FITTED = 20_000
_POINTS = 10_000
_CELLS = 80
_MARGIN = 0.02
_ROWS_AT_ONCE = 16_384


def embedding_map(
    embeddings: GridEmbeddings,
    candidates: NDArray[np.int64],
    chosen: NDArray[np.int64],
    owner: NDArray[np.int32],
    index: NDArray[np.int64],
    times: NDArray[np.float64],
) -> EmbeddingMap | None:
    """Returns a map by principal components; None with fewer than two dimensions or candidates.

    None, too, where nothing was chosen.

    Args:
        embeddings: Of all rows.
        candidates: Rows that could be chosen.
        chosen: Rows in the order of picks.
        owner: Place of its video by row.
        index: Frame index by row.
        times: Presentation time by row, NaN where unknown.
    """
    if len(candidates) < 2 or not len(chosen) or embeddings.vectors.shape[1] < 2:
        return None
    fitted = candidates[evenly_spaced(len(candidates), _FITTED)]
    mean, axes, explained = _principal_axes(embeddings.vectors[fitted])
    axes *= embeddings.scale
    places = np.empty((len(candidates), 2))
    for start in range(0, len(candidates), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        places[part] = (embeddings.vectors[candidates[part]] - mean) @ axes
    shown = evenly_spaced(len(candidates), _POINTS)
    rows = candidates[shown]
    extent = _extent(places)
    density, _, _ = np.histogram2d(
        places[:, 1], places[:, 0], bins=_CELLS, range=(extent[2:], extent[:2])
    )
    return EmbeddingMap(
        method="PCA",
        explained=explained,
        density=density.astype(np.int64),
        extent=extent,
        points=places[shown].astype(np.float32),
        point_video=owner[rows],
        point_time_s=times[rows],
        point_frame=index[rows],
        chosen=((embeddings.vectors[chosen] - mean) @ axes).astype(np.float32),
    )


def _principal_axes(
    vectors: NDArray[np.float32],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, ...]]:
    """Returns the mean, the two axes of largest variance as columns, and their shares of it.

    Their largest coordinate is positive, so that the map does not depend on the library.
    """
    rows = vectors.astype(np.float64)
    mean = rows.mean(axis=0)
    rows -= mean
    variances, axes = np.linalg.eigh(rows.T @ rows / len(rows))
    axes = axes[:, [-1, -2]]
    largest = np.abs(axes).argmax(axis=0)
    axes *= np.where(axes[largest, [0, 1]] < 0, -1.0, 1.0)
    total = max(float(variances.sum()), np.finfo(np.float64).tiny)
    shares = (float(max(variances[place], 0.0)) / total for place in (-1, -2))
    return mean, axes, tuple(shares)


def _extent(places: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Returns (left, right, bottom, top) around all places, with a margin."""
    low, high = places.min(axis=0), places.max(axis=0)
    margin = np.maximum((high - low) * _MARGIN, 1e-6)
    (left, bottom), (right, top) = low - margin, high + margin
    return float(left), float(right), float(bottom), float(top)
