"""Figures about a finished selection: how well it covers, how far its rows are apart.

All at bounded cost: exact where that is affordable, else over evenly spaced rows.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.mixture.decisions import evenly_spaced
from lightly_pipeline.selection.result import DistanceSummary
from lightly_pipeline.selection.vectors.distances import (
    blocks_of,
    lower_to_nearest,
    squared_to_all,
    squared_to_earlier,
)
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

# Pairs of rows that a figure may cost: seconds at 128 dimensions.
_COVERAGE_PAIRS = 2_000_000_000
_PICK_PAIRS = 400_000_000
_NEIGHBOR_PAIRS = 250_000_000
_MIN_SAMPLE, _MAX_SAMPLE = 64, 2000
_BLOCK_ROWS = 64
# Bounds the copy of the rows that coverage is measured on.
_MEASURED_AT_ONCE = 65536
_COLUMNS = 2048


def coverage(embeddings: GridEmbeddings, chosen: NDArray[np.int64]) -> tuple[float | None, int]:
    """Returns the largest distance of a row to its nearest chosen one, and the rows measured.

    All rows, or evenly spaced ones where rows times chosen exceed 2 * 10^9.
    """
    if not len(chosen) or not len(embeddings):
        return None, 0
    n_rows = max(_MIN_SAMPLE, _COVERAGE_PAIRS // len(chosen))
    rows = np.arange(len(embeddings))
    if n_rows < len(embeddings):
        rows = evenly_spaced(len(embeddings), n_rows)
    largest = 0.0
    for start in range(0, len(rows), _MEASURED_AT_ONCE):
        measured = embeddings.in_memory(rows[start : start + _MEASURED_AT_ONCE])
        squared = np.full(len(measured), np.inf)
        lower_to_nearest(squared, measured, embeddings, chosen, blocks_of(len(measured)))
        largest = max(largest, float(squared.max()))
    return float(np.sqrt(largest)) * embeddings.scale, len(rows)


def pick_distances(
    embeddings: GridEmbeddings, preselected: NDArray[np.int64], picks: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Returns the distance of each pick to the nearest row chosen before it; inf without one.

    NaN for all where picks times chosen rows exceed 4 * 10^8.
    """
    if len(picks) * (len(picks) + len(preselected)) > _PICK_PAIRS:
        return np.full(len(picks), np.nan)
    chosen = np.concatenate([preselected, picks])
    squared = np.full(len(picks), np.inf)
    for start in range(0, len(picks), _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, len(picks))
        known = chosen[: len(preselected) + stop]
        squared[start:stop] = squared_to_earlier(embeddings, known, len(preselected) + start)
    distances: NDArray[np.float64] = np.sqrt(squared) * embeddings.scale
    return distances


def neighbor_distances(
    embeddings: GridEmbeddings, rows: NDArray[np.int64] | None = None
) -> NDArray[np.float64]:
    """Returns how far rows are from their nearest other row; empty for fewer than two.

    Measured for up to 2,000 evenly spaced rows, fewer where there are over 125,000 rows; each
    against all.

    Args:
        embeddings: N rows.
        rows: Those that count, by default all.
    """
    n = len(embeddings) if rows is None else len(rows)
    if n < 2:
        return np.empty(0)
    places = evenly_spaced(n, min(_MAX_SAMPLE, max(_MIN_SAMPLE, _NEIGHBOR_PAIRS // n)))
    all_rows = np.arange(n) if rows is None else rows
    nearest = np.full(len(places), np.inf)
    for start in range(0, n, _COLUMNS):
        part = all_rows[start : start + _COLUMNS]
        pairs = squared_to_all(embeddings, all_rows[places], part)
        within = np.flatnonzero((places >= start) & (places < start + len(part)))
        pairs[within, places[within] - start] = np.inf
        np.minimum(nearest, pairs.min(axis=1), out=nearest)
    distances: NDArray[np.float64] = np.sqrt(nearest) * embeddings.scale
    return distances


def summary(distances: NDArray[np.float64]) -> DistanceSummary | None:
    """Returns the figures of some distances; None where there are none."""
    if not len(distances):
        return None
    p10, p50, p90 = (float(value) for value in np.percentile(distances, [10, 50, 90]))
    return DistanceSummary(
        n_rows=len(distances),
        mean=float(distances.mean()),
        min=float(distances.min()),
        p10=p10,
        p50=p50,
        p90=p90,
        max=float(distances.max()),
    )
