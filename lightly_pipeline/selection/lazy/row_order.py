"""Which row is at which place, and in what order rows are best kept in blocks.

Rows begin at their own places, in the order they were given, and change places among each other.
What is known of the rows, and when changing places pays, is in `blocks.py`.
"""

import numpy as np
from numpy.typing import NDArray


class RowOrder:
    """Rows by place and places by row; takes memory only once rows have changed places."""

    def __init__(self, n_rows: int) -> None:
        self._n_rows = n_rows
        self._rows: NDArray[np.int32] | None = None
        self._places = np.empty(0, np.int32)

    def at(self, places: slice) -> slice | NDArray[np.int32]:
        """Returns the rows at consecutive places."""
        return places if self._rows is None else self._rows[places]

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rows at some places, ascending."""
        return places if self._rows is None else np.sort(self._rows[places]).astype(np.int64)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | NDArray[np.int32]:
        """Returns the places of some rows."""
        return rows if self._rows is None else self._places[rows]

    def by_row(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns values of all places in the order of rows: a view until rows change places."""
        return values if self._rows is None else values[self._places]

    def permute(self, blocks: NDArray[np.int64], block_rows: int, order: NDArray[np.int64]) -> None:
        """Changes the places of the rows of some whole blocks, as `permute_blocks` does."""
        if self._rows is None:
            self._rows = np.arange(self._n_rows, dtype=np.int32)
            self._places = self._rows.copy()
        permute_blocks(self._rows, blocks, block_rows, order)
        first = (blocks * block_rows).astype(np.int32)
        places = first[:, None] + np.arange(block_rows, dtype=np.int32)
        self._places[self._rows[places]] = places


def permute_blocks(
    values: NDArray[np.generic],
    blocks: NDArray[np.int64],
    block_rows: int,
    order: NDArray[np.int64],
) -> None:
    """Permutes the values of some whole blocks among each other, in place.

    Args:
        values: Shape (N,).
        blocks: Numbers of blocks of `block_rows` values.
        block_rows: Values in a block.
        order: Which of the values of these blocks, one block after the other, comes next.
    """
    n_whole = len(values) // block_rows
    by_block = values[: n_whole * block_rows].reshape(n_whole, block_rows)
    by_block[blocks] = by_block[blocks].reshape(-1)[order].reshape(len(blocks), block_rows)


def order_by_nearness(
    scores: NDArray[np.float32], nearest: NDArray[np.int32], far: float, n_picks: int
) -> NDArray[np.int64]:
    """Returns an order in which far rows are together, and near ones with their neighbours.

    Rows with scores below `far` come first, the others by their nearest picks; either by score.

    Args:
        scores: Shape (M,): minus half the squared distance to the nearest pick; inf if chosen.
        nearest: Shape (M,): number of the nearest pick.
        far: Score below which it does not matter which pick is the nearest.
        n_picks: All numbers of picks are below.
    """
    group_bits = n_picks.bit_length()
    # The bits of float32 numbers that are not negative have their order, and so have the first.
    words = np.abs(np.minimum(scores, 0)).view(np.uint32) >> np.uint32(group_bits)
    groups = (nearest + 1).astype(np.uint32) << np.uint32(32 - group_bits)
    groups[scores < far] = 0
    words |= groups
    # Sorting keys that end in the position takes half the memory of argsort.
    keys = words.astype(np.int64) << 32
    keys |= np.arange(len(keys))
    keys.view(np.uint64).sort()
    keys &= 2**32 - 1
    return keys
