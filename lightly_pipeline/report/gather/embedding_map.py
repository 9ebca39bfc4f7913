"""The embeddings in two dimensions: those along which they differ most, or UMAP's.

UMAP: McInnes, Healy, Melville, "UMAP: Uniform Manifold Approximation and Projection", 2018.
"""

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.extras import package
from lightly_pipeline.report.numbers import EmbeddingMap
from lightly_pipeline.selection import GridEmbeddings
from lightly_pipeline.selection.mixture.decisions import evenly_spaced

# The axes are found on so many candidates, evenly spaced; all of them are on the map.
_FITTED = 20_000
_POINTS = 10_000
_CELLS = 80
# Around each point, as UMAP has it by default.
_NEIGHBOURS = 15
_MARGIN = 0.02
_ROWS_AT_ONCE = 16_384


def embedding_map(
    embeddings: GridEmbeddings,
    candidates: NDArray[np.int64],
    chosen: NDArray[np.int64],
    owner: NDArray[np.int32],
    index: NDArray[np.int64],
    times: NDArray[np.float64],
    *,
    method: Literal["pca", "umap"] = "pca",
    name_of: Callable[[int], str] = lambda _: "",
) -> EmbeddingMap | None:
    """Returns a map of the candidates; None with fewer than two dimensions or candidates.

    None, too, where nothing was chosen. UMAP needs some more candidates than it looks at around
    each (15): with fewer the map is one of principal components.

    Args:
        embeddings: Of all rows.
        candidates: Rows that could be chosen.
        chosen: Rows in the order of picks.
        owner: Place of its video by row.
        index: Frame index by row.
        times: Presentation time by row, NaN where unknown.
        method: Principal components of all candidates, or UMAP of those that are shown as points.
        name_of: Gives the name of a row that is an image.

    Raises:
        MissingExtraError: UMAP is asked for and not installed.
    """
    if len(candidates) < 2 or not len(chosen) or embeddings.vectors.shape[1] < 2:
        return None
    shown = evenly_spaced(len(candidates), _POINTS)
    rows = candidates[shown]
    explained: tuple[float, ...] = ()
    is_umap = method == "umap" and len(rows) > 2 * _NEIGHBOURS
    if is_umap:
        places, of_chosen = _umap(embeddings, rows, chosen)
        points = places
    else:
        places, of_chosen, explained = _principal(embeddings, candidates, chosen)
        points = places[shown]
    extent = _extent(places)
    density, _, _ = np.histogram2d(
        places[:, 1], places[:, 0], bins=_CELLS, range=(extent[2:], extent[:2])
    )
    return EmbeddingMap(
        method="UMAP" if is_umap else "PCA",
        explained=explained,
        density=density.astype(np.int64),
        extent=extent,
        points=points.astype(np.float32),
        point_video=owner[rows],
        point_time_s=times[rows],
        point_frame=index[rows],
        chosen=of_chosen.astype(np.float32),
        point_name=tuple(filter(None, map(name_of, rows.tolist()))),
    )


def _umap(
    embeddings: GridEmbeddings, rows: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the places of some candidates and of the chosen frames; the same every time."""
    both, where = np.unique(np.concatenate([rows, chosen]), return_inverse=True)
    vectors = embeddings.vectors[both].astype(np.float32)
    with warnings.catch_warnings():
        # That a seed means one thread is what is wanted.
        warnings.simplefilter("ignore")
        reducer = package("umap", "umap").UMAP(n_neighbors=_NEIGHBOURS, random_state=0, n_jobs=1)
        places = reducer.fit_transform(vectors).astype(np.float64)[where]
    return places[: len(rows)], places[len(rows) :]


def _principal(
    embeddings: GridEmbeddings, candidates: NDArray[np.int64], chosen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[float, ...]]:
    """Returns the places of all candidates and of the chosen frames, and the axes' shares."""
    fitted = candidates[evenly_spaced(len(candidates), _FITTED)]
    mean, axes, explained = _principal_axes(embeddings.vectors[fitted])
    axes *= embeddings.scale
    places = np.empty((len(candidates), 2))
    for start in range(0, len(candidates), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        places[part] = (embeddings.vectors[candidates[part]] - mean) @ axes
    return places, (embeddings.vectors[chosen] - mean) @ axes, explained


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
