"""Which picks cannot be nearer to any row of a block than what its rows have.

By the triangle inequality, from the block's centre: a pick that is at least as far from it as every
row's offset from the centre plus the row's distance to its nearest pick is nearer to none of them.
By angles for unit vectors, by lengths otherwise.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.lazy.nearest import CHOSEN

_MAX_ANGLE = np.pi
_SMALLEST_LENGTH = 1e-6


class Reach:
    """Centre of every block and how far its rows are from it, found when first needed."""

    def __init__(
        self, n_blocks: int, block_rows: int, dim: int, slack: float, *, unit: bool
    ) -> None:
        self._slack, self._unit = slack, unit
        self._is_known = np.zeros(n_blocks, np.bool_)
        self._centres = np.empty((n_blocks, dim), np.float32)
        self._half_norms = np.zeros(n_blocks, np.float32)
        self._offsets = np.zeros((n_blocks, block_rows), np.float32)
        self._ones = np.ones(block_rows, np.float32)

    def unknown(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns which of some blocks are to be described before they can be asked about."""
        return blocks[~self._is_known[blocks]]

    def forget(self, blocks: NDArray[np.int64]) -> None:
        """Drops what is known of blocks whose rows changed."""
        self._is_known[blocks] = False

    def describe(
        self, block: int, rows: NDArray[np.float32], squared_norms: NDArray[np.float64] | None
    ) -> None:
        """Finds the centre of a block and the rows' distances from it, rounded up.

        Args:
            block: Number of the block.
            rows: Its vectors, as float32 products filter with them.
            squared_norms: Of the rows; None for unit vectors.
        """
        # Any centre is valid, so that float32 will do: a product is several times faster than mean.
        centre = (self._ones[: len(rows)] @ rows).astype(np.float64) / len(rows)
        if squared_norms is None:
            if np.sqrt(centre @ centre) <= _SMALLEST_LENGTH:
                # Rows that cancel out have no direction: any centre is valid.
                centre = rows[0].astype(np.float64)
            centre /= np.sqrt(centre @ centre)
        self._centres[block] = centre
        products = rows @ self._centres[block]
        if squared_norms is None:
            # Safe against rounding: angles are taken at their largest.
            offsets = np.arccos(np.clip(products - self._slack, -1, 1))
        else:
            norm = float(self._centres[block].astype(np.float64) @ self._centres[block])
            self._half_norms[block] = norm / 2
            squared = squared_norms + norm - 2 * products
            offsets = np.sqrt(np.maximum(squared, 0) + 2 * self._slack) + 1e-6
        self._offsets[block, : len(rows)] = offsets
        self._is_known[block] = True

    def picks_reaching(
        self,
        blocks: NDArray[np.int64],
        scores: NDArray[np.float32],
        vectors: NDArray[np.float32],
        half_norms: NDArray[np.float32],
    ) -> NDArray[np.bool_]:
        """Returns which picks may be nearer to a row of a block, shape (blocks, picks).

        Args:
            blocks: Blocks that have been described.
            scores: Shape (blocks, rows of a block): of their rows.
            vectors: Shape (picks, d).
            half_norms: Shape (picks,): half their squared norms.
        """
        products = self._centres[blocks] @ vectors.T
        if self._unit:
            nearest = np.arccos(np.clip(scores + np.float32(1 - self._slack), -1, 1))
            reach = self._largest(blocks, scores, nearest)
            limits = np.where(reach < _MAX_ANGLE, np.cos(reach) - 2 * self._slack, -np.inf)
        else:
            nearest = np.sqrt(np.maximum(-2 * scores, 0) + np.float32(4 * self._slack))
            reach = self._largest(blocks, scores, nearest)
            products -= half_norms
            limits = self._half_norms[blocks] - reach.astype(np.float64) ** 2 / 2
            limits -= 4 * self._slack
        reaching: NDArray[np.bool_] = products > limits[:, None].astype(np.float32)
        return reaching

    def _largest(
        self, blocks: NDArray[np.int64], scores: NDArray[np.float32], nearest: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        reach: NDArray[np.float32] = np.where(
            scores == CHOSEN, 0, self._offsets[blocks] + nearest
        ).max(axis=1)
        return reach
