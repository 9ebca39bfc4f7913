"""Embeddings on a grid where float64 distances are exact.

Rounding every coordinate to a multiple of 2^-25 (2^-24 from 0.5 on, where float32 knows no others)
makes each product a multiple of 2^-50 and each
partial sum of a dot product of vectors of norm <= 1 an integer below 2^51 in those units: float64
gives the exact value in any order, on any machine and number of threads. Equal means equal, and
ties can go to the lowest index. Choosing frames is elsewhere.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.vectors.compact import CompactRows, rounded_to_16_bits
from lightly_pipeline.selection.vectors.matrix import empty_matrix, scattered_reads

_GRID = 2.0**25
_BLOCK_ROWS = 1024
_SHOWN = 10
# Rounding to the grid moves a unit vector of up to 1,000 coordinates by at most this, squared.
_UNIT_TOLERANCE = 1e-6
# Shorter rows, in units of the rounding that they may suffer, are not told apart as they should.
_SHORTEST = 100.0


@dataclass(frozen=True, slots=True)
class GridEmbeddings:
    """Embeddings ready for selection.

    Attributes:
        vectors: Shape (N, d), float32, C-contiguous, on the grid, norms at most 1.
        squared_norms: Shape (N,), float64, exact.
        scale: Distances between the given embeddings are `scale` times those between `vectors`;
            1 for normalised ones, else a power of two.
        compact: The vectors once more, in memory, where they themselves lie on disk.
    """

    vectors: NDArray[np.float32]
    squared_norms: NDArray[np.float64]
    scale: float
    compact: CompactRows | None = None

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

    def read_here_and_there(self) -> AbstractContextManager[None]:
        """Returns a context for work that reads compact rows in order, the vectors out of order."""
        return scattered_reads(self.vectors) if self.compact else nullcontext()

    def in_memory(self, rows: NDArray[np.int64]) -> "GridEmbeddings":
        """Returns a copy of some rows that lies in memory, whatever these do."""
        return GridEmbeddings(self.vectors[rows], self.squared_norms[rows], self.scale)

    def take(self, rows: NDArray[np.int64]) -> "GridEmbeddings":
        """Returns a copy of some rows, on disk where these are."""
        vectors = empty_matrix(len(rows), self.vectors.shape[1], on_disk=self.compact is not None)
        for start in range(0, len(rows), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS)
            vectors[part] = self.vectors[rows[part]]
        compact = self.compact and CompactRows(self.compact.numbers[rows], self.compact.error)
        return GridEmbeddings(vectors, self.squared_norms[rows], self.scale, compact)


def prepare_embeddings(
    embeddings: NDArray[np.float32], *, normalize: bool = True, compact: bool = False
) -> GridEmbeddings:
    """Puts embeddings on the grid, in place: no second matrix is needed.

    Args:
        embeddings: Shape (N, d), float32, C-contiguous, writable; overwritten.
        normalize: Bring every row to unit length first, in float64.
        compact: Keep the rows in 16 bits a number, too, and read these where that is enough: for
            a memory-mapped file. Half the memory that the rows would need; the same picks.

    Raises:
        LightlyPipelineError: Rows are NaN or infinite, or zero where they must be normalised; or
            they are not, and most are so much shorter than the longest that rounding blurs them.
    """
    _check(embeddings)
    scale = 1.0 if normalize else _scale_of(embeddings)
    norms = np.empty(len(embeddings), dtype=np.float64)
    numbers = np.empty(embeddings.shape, dtype=np.int16) if compact else None
    error = 0.0
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
        if numbers is not None:
            error = max(error, rounded_to_16_bits(block, out=numbers[start : start + len(block)]))
    if problems:
        _refuse(np.concatenate(problems), len(embeddings), normalize)
    small = None if numbers is None else CompactRows(numbers, error)
    return GridEmbeddings(embeddings, norms, scale, small)


def rounded(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns vectors of norm at most 1 on the grid, where they stay when rounded to float32."""
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
    if not embeddings.shape[1]:
        raise LightlyPipelineError("embeddings have no columns: there is nothing to compare")
    if not embeddings.flags.c_contiguous or not embeddings.flags.writeable:
        raise LightlyPipelineError("embeddings must be C-contiguous and writable; pass a copy")


def _refuse(indices: NDArray[np.int64], n_rows: int, normalize: bool) -> None:
    shown = ", ".join(map(str, indices[:_SHOWN])) + (", ..." if len(indices) > _SHOWN else "")
    kinds = "NaN, infinite or zero" if normalize else "NaN or infinite"
    raise LightlyPipelineError(
        f"{len(indices)} of {n_rows} embeddings are {kinds} (rows {shown}) and cannot be compared: "
        "remove these frames or repair the encoder that made them"
    )


def _scale_of(embeddings: NDArray[np.float32]) -> float:
    """Returns the power of two above all lengths.

    Raises:
        LightlyPipelineError: The grid at this scale cannot hold most of the rows.
    """
    lengths = np.empty(len(embeddings))
    for start in range(0, len(embeddings), _BLOCK_ROWS):
        rows = embeddings[start : start + _BLOCK_ROWS].astype(np.float64)
        lengths[start : start + len(rows)] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    lengths = np.where(np.isfinite(lengths), lengths, 0.0)
    longest = int(lengths.argmax()) if len(lengths) else 0
    scale = _power_of_two_above(float(lengths.max(initial=0.0)))
    shortest = _SHORTEST * np.sqrt(embeddings.shape[1]) * scale / _GRID
    others = lengths[lengths > 0]
    if len(others) and np.median(others) < shortest:
        raise LightlyPipelineError(
            f"embeddings are of too different lengths to be compared exactly: the longest is "
            f"{lengths[longest]:.4g} (row {longest}), half of them are below "
            f"{np.median(others):.4g}; remove or repair the long ones, or normalize"
        )
    return scale


def _power_of_two_above(value: float) -> float:
    return float(2.0 ** np.ceil(np.log2(value))) if value > 0 else 1.0
