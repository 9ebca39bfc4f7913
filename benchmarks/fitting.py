"""Fits the default encoder's linear map in closed form.

Whitens what varies within scenes and under changes of light, noise and colour, so that distances
are left to what tells scenes apart. Pure linear algebra in float64; where scenes come from is the
fitting script's business (`benchmarks/fit_encoder.py`).
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RANK, DIM = 256, 128
SHRINKAGE, EXPONENT = 0.1, 0.125
ALTERATION_WEIGHTS = {"flicker": 0.5, "noise": 0.5, "grey": 0.1}

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearMap:
    """`(features - mean) @ matrix`: mean of shape (551,), matrix of shape (551, dim), float32."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def apply(self, features: NDArray[np.float32]) -> Matrix:
        """Returns raw embeddings, shape (N, dim)."""
        return (features.astype(np.float64) - self.mean) @ self.matrix.astype(np.float64)


def fit(
    features: NDArray[np.float32],
    scenes: NDArray[np.int64],
    changes: Mapping[str, NDArray[np.float32]],
    blocks: Sequence[int],
    *,
    dim: int = DIM,
) -> LinearMap:
    """Fits the map (recipe: within-scene whitening, closed form).

    Args:
        features: Shape (N, 551), one row per frame.
        scenes: Shape (N,), the scene of each frame; scenes weigh the same, however long.
        changes: By kind of alteration, features of the altered less those of the plain frame.
        blocks: Lengths of the parts of a row that are scaled on their own.
        dim: Length of an embedding.
    """
    x = features.astype(np.float64)
    weights = _scene_weights(scenes)
    mean = weights @ x
    scale = _block_scales(x - mean, weights, blocks)
    centred = (x - mean) / scale
    basis = _eigenvectors(_scatter(centred, weights))[:, :RANK]
    y = centred @ basis
    within = _within_scenes(y, scenes)
    for kind, change in changes.items():
        moved = change.astype(np.float64) / scale @ basis
        within += ALTERATION_WEIGHTS[kind] / 2 * _scatter(moved, weights)
    rank = basis.shape[1]
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / rank * np.eye(rank)
    values, vectors = np.linalg.eigh(within)
    whitener = vectors / np.sqrt(values)
    spread, rotation = np.linalg.eigh(_scatter(y @ whitener, weights))
    spread, rotation = spread[::-1][:dim], rotation[:, ::-1][:, :dim]
    damping = (np.maximum(spread, 0) + 1e-4 * spread[0]) ** -EXPONENT
    matrix = (basis @ whitener @ rotation * damping) / scale[:, None]
    return LinearMap(mean.astype(np.float32), _signed(matrix).astype(np.float32))


def _scene_weights(scenes: NDArray[np.int64]) -> Matrix:
    _, inverse, counts = np.unique(scenes, return_inverse=True, return_counts=True)
    weights: Matrix = 1.0 / counts[inverse]
    normalised: Matrix = weights / weights.sum()
    return normalised


def _block_scales(centred: Matrix, weights: Matrix, blocks: Sequence[int]) -> Matrix:
    """Returns, per column, the root of its block's mean squared norm."""
    borders = np.cumsum([0, *blocks])
    scales = [
        np.sqrt(weights @ (centred[:, a:b] ** 2).sum(1)) for a, b in itertools.pairwise(borders)
    ]
    return np.repeat(scales, blocks)


def _scatter(rows: Matrix, weights: Matrix) -> Matrix:
    scatter: Matrix = (rows * weights[:, None]).T @ rows
    return scatter


def _eigenvectors(matrix: Matrix) -> Matrix:
    """Returns eigenvectors as columns, by falling eigenvalue."""
    vectors: Matrix = np.linalg.eigh(matrix)[1][:, ::-1]
    return vectors


def _within_scenes(y: Matrix, scenes: NDArray[np.int64]) -> Matrix:
    """Returns the mean over scenes of each scene's unbiased covariance."""
    kept = [y[scenes == scene] for scene in np.unique(scenes)]
    covariances = [np.cov(rows, rowvar=False) for rows in kept if len(rows) > 1]
    mean: Matrix = np.sum(covariances, axis=0) / len(kept)
    return mean


def _signed(matrix: Matrix) -> Matrix:
    """Makes each column's largest entry positive, so that a refit gives the same file."""
    largest = matrix[np.abs(matrix).argmax(0), np.arange(matrix.shape[1])]
    signed: Matrix = matrix * np.sign(largest)
    return signed
