"""Embeddings on a grid where float64 distances are exact.

Rounding every coordinate to a multiple of 2^-25 makes each product a multiple of 2^-50 and each
partial sum of a dot product of vectors of norm <= 1 an integer below 2^51 in those units: float64
gives the exact value in any order, on any machine and number of threads. Equal means equal, and
ties can go to the lowest index. Choosing frames is in `kcenter.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError

_GRID = 2.0**25
_BLOCK_ROWS = 1024
_SHOWN = 10
# Rounding to the grid moves a unit vector of up to 1,000 coordinates by at most this, squared.
_UNIT_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class GridEmbeddings:
    """Embeddings ready for selection.

    Attributes:
        vectors: Shape (N, d), float32, C-contiguous, on the grid, norms at most 1.
        squared_norms: Shape (N,), float64, exact.
        scale: Distances between the given embeddings are `scale` times those between `vectors`;
            1 for normalised ones, else a power of two.
    """

    vectors: NDArray[np.float32]
    squared_norms: NDArray[np.float64]
    scale: float

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def is_unit(self) -> bool:
        """Whether all norms are 1 within what the grid allows."""
        norms = self.squared_norms
        return bool(
            norms.min(initial=1) >= 1 - _UNIT_TOLERANCE
            and norms.max(initial=1) <= 1 + _UNIT_TOLERANCE
        )


def prepare_embeddings(
    embeddings: NDArray[np.float32], *, normalize: bool = True
) -> GridEmbeddings:
    """Puts embeddings on the grid, in place: no second matrix is needed.

    Args:
        embeddings: Shape (N, d), float32, C-contiguous, writable; overwritten.
        normalize: Bring every row to unit length first, in float64.

    Raises:
        LightlyPipelineError: Rows are NaN or infinite, or zero where they must be normalised.
    """
    _check(embeddings)
    scale = 1.0 if normalize else _power_of_two_above(_largest_norm(embeddings))
    norms = np.empty(len(embeddings), dtype=np.float64)
    problems: list[NDArray[np.int64]] = []
    for start in range(0, len(embeddings), _BLOCK_ROWS):
        block = embeddings[start : start + _BLOCK_ROWS]
        rows = block.astype(np.float64)
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        bad = ~np.isfinite(lengths) | (normalize & (lengths == 0))
        if bad.any():
            problems.append(np.flatnonzero(bad) + start)
            continue
        rows /= lengths[:, None] if normalize else scale
        block[:] = rounded(rows)
        norms[start : start + len(block)] = exact_norms(block)
    if problems:
        _refuse(np.concatenate(problems), len(embeddings), normalize)
    return GridEmbeddings(embeddings, norms, scale)


def rounded(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns vectors of norm at most 1 on the grid, where float32 holds them as they are."""
    on_grid: NDArray[np.float64] = np.rint(vectors * _GRID) / _GRID
    return on_grid


def exact_norms(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Returns the squared norms of vectors on the grid, shape (N,)."""
    exact = vectors.astype(np.float64)
    norms: NDArray[np.float64] = np.einsum("ij,ij->i", exact, exact)
    return norms


def _check(embeddings: NDArray[np.float32]) -> None:
    if embeddings.ndim != 2 or embeddings.dtype != np.float32:
        raise LightlyPipelineError(
            f"embeddings must be a float32 array of shape (N, d), not {embeddings.dtype} of shape "
            f"{embeddings.shape}"
        )
    if not embeddings.flags.c_contiguous or not embeddings.flags.writeable:
        raise LightlyPipelineError("embeddings must be C-contiguous and writable; pass a copy")


def _refuse(indices: NDArray[np.int64], n_rows: int, normalize: bool) -> None:
    shown = ", ".join(map(str, indices[:_SHOWN])) + (", ..." if len(indices) > _SHOWN else "")
    kinds = "NaN, infinite or zero" if normalize else "NaN or infinite"
    raise LightlyPipelineError(
        f"{len(indices)} of {n_rows} embeddings are {kinds} (rows {shown}) and cannot be compared: "
        "remove these frames or repair the encoder that made them"
    )


def _largest_norm(embeddings: NDArray[np.float32]) -> float:
    largest = 0.0
    for start in range(0, len(embeddings), _BLOCK_ROWS):
        rows = embeddings[start : start + _BLOCK_ROWS].astype(np.float64)
        squared = np.einsum("ij,ij->i", rows, rows)
        finite = squared[np.isfinite(squared)]
        largest = max(largest, float(finite.max(initial=0.0)))
    return float(np.sqrt(largest))


def _power_of_two_above(value: float) -> float:
    return float(2.0 ** np.ceil(np.log2(value))) if value > 0 else 1.0
