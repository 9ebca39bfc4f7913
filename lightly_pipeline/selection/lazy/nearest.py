"""What is known of each row's nearest pick, and how float32 products add to it.

A product only filters: where it cannot tell which pick is nearest, or whether a new one is nearer,
the row is *doubtful* and needs exact distances before anyone may rely on it. Rows are known here by
their places in blocks; which blocks are shown which picks is in `blocks.py`.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.lazy.pick_list import PickList
from lightly_pipeline.selection.lazy.row_order import permute_blocks

CHOSEN = np.float32(np.inf)
"""Score of rows that were chosen, and of the padding of the last block."""


class NearestPicks:
    """The nearest pick of each row among those it was shown.

    Attributes:
        scores: Shape (N,), float32: minus half the squared distance to the nearest pick, with an
            error of at most the slack; CHOSEN for picks, -inf before there is any.
        by_block: The scores, shape (blocks, rows of a block), padded with CHOSEN.
        numbers: Shape (N + padding,), int32: number of the nearest pick; sure unless doubtful.
        is_doubtful: Shape (N + padding,): whether another pick may be nearer.
    """

    def __init__(
        self, n_rows: int, block_rows: int, max_panel: int, slack: float, *, unit: bool
    ) -> None:
        n_blocks = -(-n_rows // block_rows)
        self._block_rows, self._max_panel, self._unit = block_rows, max_panel, unit
        self._margin = np.float32(2 * slack)
        self.by_block = np.full((n_blocks, block_rows), CHOSEN, np.float32)
        self.scores = self.by_block.reshape(-1)[:n_rows]
        self.scores[:] = -np.inf
        self.numbers = np.zeros(n_blocks * block_rows, np.int32)
        self.is_doubtful = np.zeros(n_blocks * block_rows, np.bool_)
        self._index = np.arange(block_rows)
        self._products = np.empty(block_rows * max_panel, np.float32)

    def choose(self, places: NDArray[np.integer]) -> None:
        """Takes rows out of the running."""
        self.scores[places] = CHOSEN

    def settle(
        self,
        places: NDArray[np.integer],
        distances: NDArray[np.float64],
        numbers: NDArray[np.int32],
    ) -> None:
        """Takes over what is exactly known of rows that were not chosen."""
        self.scores[places] = -distances / 2
        self.numbers[places] = numbers
        self.is_doubtful[places] = False

    def of_blocks(self, blocks: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Returns the scores and the numbers of some whole blocks, one block after the other."""
        numbers = self.numbers.reshape(-1, self._block_rows)[blocks]
        return self.by_block[blocks].reshape(-1), numbers.reshape(-1)

    def permute(self, blocks: NDArray[np.int64], order: NDArray[np.int64]) -> None:
        """Permutes the rows of some whole blocks, as `permute_blocks` does."""
        for values in (self.scores, self.numbers, self.is_doubtful):
            permute_blocks(values, blocks, self._block_rows, order)

    def show(
        self,
        block: int,
        rows: NDArray[np.float32],
        squared_norms: NDArray[np.float64] | None,
        picks: PickList,
        new: NDArray[np.int64],
    ) -> None:
        """Takes picks into account for the rows of a block.

        Args:
            block: Number of the block.
            rows: Its vectors, as float32 products filter with them.
            squared_norms: Of the rows; None for unit vectors.
            picks: All picks.
            new: Numbers of those that are shown, ascending.
        """
        half = None if squared_norms is None else (squared_norms / 2).astype(np.float32)
        for start in range(0, len(new), self._max_panel):
            panel = new[start : start + self._max_panel]
            first, last = int(panel[0]), int(panel[-1]) + 1
            is_range = last - first == len(panel)
            vectors = picks.vectors[first:last] if is_range else picks.vectors[panel]
            products = self._products[: len(rows) * len(panel)].reshape(len(rows), len(panel))
            np.matmul(rows, vectors.T, out=products)
            if half is not None:
                products -= picks.half_norms[panel]
            self._take_over(block, products, half, panel)

    def _take_over(
        self,
        block: int,
        products: NDArray[np.float32],
        half_norms: NDArray[np.float32] | None,
        panel: NDArray[np.int64],
    ) -> None:
        """Raises the scores of a block's rows to the best of a panel; `products` is overwritten."""
        # argmax and a gather are several times faster than max along rows.
        index = self._index[: len(products)]
        best = products.argmax(axis=1)
        top = products[index, best]
        score = top - (np.float32(1) if half_norms is None else half_norms)
        old = self.by_block[block, : len(products)]
        near = score > old - self._margin
        if not near.any():
            return
        products[index, best] = -np.inf
        second = products[index, products.argmax(axis=1)]
        several = second > top - self._margin
        clear = (score > old + self._margin) & ~several
        begin = block * self._block_rows
        where = slice(begin, begin + len(products))
        numbers = panel[best].astype(np.int32)
        doubt = near & ~clear & (several | (numbers != self.numbers[where]))
        is_doubtful = self.is_doubtful[where]
        is_doubtful &= ~clear
        is_doubtful |= doubt
        better = score > old
        np.copyto(old, score, where=better)
        np.copyto(self.numbers[where], numbers, where=better)
