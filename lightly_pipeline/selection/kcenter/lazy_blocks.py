"""How near every row is to its nearest pick, known only as well as somebody asked.

Rows are kept in blocks of neighbours. A block learns of new picks when it is refreshed, by one
float32 product with all picks it missed; picks that cannot be nearer to any of its rows than what
they have are left out by the triangle inequality. Where the given order makes no blocks of
neighbours, rows change places (`row_order.py`). Which blocks to refresh, and which row is next, is
the caller's business (`kcenter.py`). Float32 only sieves: `HotRows` and the flags kept here
say where exact distances are needed.

A row's *score* is minus half its squared distance to the nearest pick it has seen. Scores only
rise, so an old one is a valid bound: no row is farther than its score says.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.kcenter.pick_list import PickList
from lightly_pipeline.selection.kcenter.row_order import RowOrder, order_by_nearness, permute_blocks
from lightly_pipeline.selection.vectors.distances import SieveRows, squared_between
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

CHOSEN = np.float32(np.inf)
"""Score of rows that were chosen, and of the padding of the last block."""

_PANEL = 512
_GROUP = 64
# Bounds the memory of a group's triangle test.
_SPAN = 8192
_MAX_ANGLE = np.pi
# Rows change places once there are some picks to tell them apart, and as long as the triangle
# inequality leaves out no more than this share of what blocks have missed.
_REGROUP_FROM_PICKS, _MAX_LEFT_OUT = 64, 0.05


@dataclass(slots=True)
class _Geometry:
    """Centre of every block and how far its rows are from it: angles for unit vectors."""

    is_known: NDArray[np.bool_]
    centres: NDArray[np.float32]
    half_norms: NDArray[np.float32]
    offsets: NDArray[np.float32]


class LazyBlocks:
    """Scores of all rows against a growing list of picks, refreshed block by block.

    A step of a greedy selection is: find the rows that may be best by `scores`; `refresh` the
    blocks they are in as long as `stale` names some; get those rows' exact distances
    (`exact_distances`), choose among them, tell `picks`, and hand what is now known about them
    back (`settle`). Scores outside need no update before somebody asks.

    Attributes:
        scores: Shape (N,), float32: minus half the squared distance to the nearest pick seen,
            within `slack`; CHOSEN for chosen rows; -inf before any pick. By row as long as
            `regroup` is not called, in an order of its own afterwards.
        picks: The picks; every block has seen a prefix of them.
        slack: Bound on the error of a score.
    """

    def __init__(self, embeddings: GridEmbeddings, block_rows: int, capacity: int) -> None:
        n, dim = embeddings.vectors.shape
        n_blocks = -(-n // block_rows)
        self._embeddings = embeddings
        self._rows = SieveRows(embeddings, block_rows)
        self._block_rows = block_rows
        self._by_block = np.full((n_blocks, block_rows), CHOSEN, np.float32)
        self.scores = self._by_block.reshape(-1)[:n]
        self.scores[:] = -np.inf
        self._nearest = np.zeros(n_blocks * block_rows, np.int32)
        self._ambiguous = np.zeros(n_blocks * block_rows, np.bool_)
        self._worst = np.full(n_blocks, -np.inf, np.float32)
        self._seen = np.zeros(n_blocks, np.int64)
        self._order = RowOrder(n)
        # For rows with lower scores the triangle inequality is not tried.
        self._far = -np.inf
        self._n_missed = self._n_shown = 0
        self._unit = embeddings.is_unit
        self._geometry = _Geometry(
            np.zeros(n_blocks, np.bool_),
            np.empty((n_blocks, dim), np.float32),
            np.zeros(n_blocks, np.float32),
            np.zeros((n_blocks, block_rows), np.float32),
        )
        self.picks = PickList(embeddings, capacity)
        self.slack = self._rows.slack
        self._margin = np.float32(2 * self.slack)
        self._index = np.arange(block_rows)
        self._ones = np.ones(block_rows, np.float32)
        self._products = np.empty(block_rows * _PANEL, np.float32)

    def choose(self, rows: NDArray[np.int64]) -> None:
        """Adds rows as picks and takes them out of the running."""
        self.picks.append(rows)
        self.scores[self._order.places(rows)] = CHOSEN

    def rows_up_to(self, theta: float) -> NDArray[np.int64]:
        """Returns the rows whose scores are at most theta, ascending."""
        return self._order.rows(np.flatnonzero(self.scores <= theta))

    def stale(self, theta: float) -> NDArray[np.int64]:
        """Returns the blocks that may hold a score of at most theta and have not seen all picks."""
        return np.flatnonzero((self._worst <= theta) & (self._seen < len(self.picks)))

    def behind(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns which of some blocks have not seen all picks."""
        return blocks[self._seen[blocks] < len(self.picks)]

    def refresh(self, blocks: NDArray[np.int64]) -> None:
        """Shows blocks the picks they have not seen."""
        while len(blocks := self.behind(blocks)):
            for seen in np.unique(self._seen[blocks]):
                group = blocks[self._seen[blocks] == seen]
                for start in range(0, len(group), _GROUP):
                    self._refresh_group(group[start : start + _GROUP], int(seen))

    def exact_distances(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns the exact squared distance of rows of fresh blocks to their nearest picks."""
        doubtful = rows[self._ambiguous[self._order.places(rows)]]
        if len(doubtful):
            self.settle(doubtful, *self.picks.nearest_to(doubtful))
        nearest = self.picks.rows[self.nearest(rows)]
        return squared_between(self._embeddings, rows, nearest)

    def settle(
        self,
        rows: NDArray[np.int64],
        distances: NDArray[np.float64],
        nearest: NDArray[np.int32],
    ) -> None:
        """Takes over what is exactly known of rows that were not chosen."""
        places = self._order.places(rows)
        self.scores[places] = -distances / 2
        self._nearest[places] = nearest
        self._ambiguous[places] = False

    def nearest(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Returns the number of each row's nearest pick; true after `exact_distances`."""
        return self._nearest[self._order.places(rows)]

    def update_worst(self, rows: NDArray[np.int64]) -> None:
        """Tightens the bounds of the blocks of rows whose scores rose or that were chosen."""
        blocks = np.unique(self._order.places(rows) // self._block_rows)
        self._worst[blocks] = self._by_block[blocks].min(axis=1)

    def regroup(self) -> None:
        """Lets rows of blocks that have seen all picks change places, if blocks are of no use.

        That is, if since the last call the triangle inequality left out nearly nothing. Far rows
        then share blocks, so that others need not be refreshed with them; near rows share them
        with neighbours. Rows that are read from a file stay in its order.
        """
        left_out = 1 - self._n_shown / max(self._n_missed, 1)
        self._n_missed = self._n_shown = 0
        n_picks, rows = len(self.picks), self._block_rows
        if n_picks < _REGROUP_FROM_PICKS or left_out > _MAX_LEFT_OUT or self._rows.is_on_disk:
            return
        blocks = np.flatnonzero(self._seen[: len(self.scores) // rows] == n_picks)
        # A row whose nearest pick is about as far as picks are from each other has no neighbours.
        self._far = -self.picks.typical_squared_distance() / 4
        order = order_by_nearness(
            self._by_block[blocks].reshape(-1),
            self._nearest.reshape(-1, rows)[blocks].reshape(-1),
            self._far,
            n_picks,
        )
        self._order.permute(blocks, rows, order)
        for values in (self.scores, self._nearest, self._ambiguous):
            permute_blocks(values, blocks, rows, order)
        self._geometry.is_known[blocks] = False
        self._worst[blocks] = self._by_block[blocks].min(axis=1)

    def _refresh_group(self, blocks: NDArray[np.int64], seen: int) -> None:
        """Shows blocks that have seen equally many picks the next `_SPAN` of them."""
        end = min(len(self.picks), seen + _SPAN)
        first = seen or min(end, _PANEL)
        if not seen:
            for block in blocks.tolist():
                self._show(block, np.arange(first))
        if first < end:
            self._show_reaching(blocks, first, end)
        self._seen[blocks] = end
        self._worst[blocks] = self._by_block[blocks].min(axis=1)
        self._n_missed += len(blocks) * (end - seen)

    def _show_reaching(self, blocks: NDArray[np.int64], first: int, end: int) -> None:
        """Shows blocks a range of picks, as far as these may be nearer to any row."""
        is_far = self._worst[blocks] < self._far
        for block in blocks[is_far].tolist():
            self._show(block, np.arange(first, end))
        blocks = blocks[~is_far]
        for block in blocks[~self._geometry.is_known[blocks]].tolist():
            self._describe(block)
        for block, reaching in zip(
            blocks.tolist(), self._reaching(blocks, first, end), strict=True
        ):
            self._show(block, np.flatnonzero(reaching) + first)

    def _describe(self, block: int) -> None:
        """Finds the centre of a block and the rows' distances from it, rounded up."""
        geometry, rows = self._geometry, self._read(block)
        # Any centre is valid, so that float32 will do: a product is several times faster than mean.
        centre = (self._ones[: len(rows)] @ rows).astype(np.float64) / len(rows)
        if self._unit:
            if np.sqrt(centre @ centre) <= 1e-6:
                # Rows that cancel out have no direction: any centre is valid.
                centre = rows[0].astype(np.float64)
            centre /= np.sqrt(centre @ centre)
        centres = geometry.centres
        centres[block] = centre
        products = rows @ centres[block]
        if self._unit:
            # Safe against rounding: angles are taken at their largest.
            offsets = np.arccos(np.clip(products - self.slack, -1, 1))
        else:
            norm = float(centres[block].astype(np.float64) @ centres[block])
            geometry.half_norms[block] = norm / 2
            squared = self._squared_norms(block) + norm - 2 * products
            offsets = np.sqrt(np.maximum(squared, 0) + 2 * self.slack) + 1e-6
        geometry.offsets[block, : len(rows)] = offsets
        geometry.is_known[block] = True

    def _reaching(self, blocks: NDArray[np.int64], first: int, end: int) -> NDArray[np.bool_]:
        """Returns which picks may be nearer to a row of a block than its nearest is.

        By the triangle inequality a pick at a distance of at least offset + distance to the
        nearest pick, for every row of the block, is nearer to none.
        """
        scores = self._by_block[blocks]
        geometry = self._geometry
        products = geometry.centres[blocks] @ self.picks.vectors[first:end].T
        if self._unit:
            nearest = np.arccos(np.clip(scores + np.float32(1 - self.slack), -1, 1))
            reach = np.where(scores == CHOSEN, 0, geometry.offsets[blocks] + nearest).max(axis=1)
            limits = np.where(reach < _MAX_ANGLE, np.cos(reach) - 2 * self.slack, -np.inf)
        else:
            nearest = np.sqrt(np.maximum(-2 * scores, 0) + 2 * self._margin)
            reach = np.where(scores == CHOSEN, 0, geometry.offsets[blocks] + nearest).max(axis=1)
            products -= self.picks.half_norms[first:end]
            limits = geometry.half_norms[blocks] - reach.astype(np.float64) ** 2 / 2
            limits -= 4 * self.slack
        keep: NDArray[np.bool_] = products > limits[:, None].astype(np.float32)
        return keep

    def _show(self, block: int, new: NDArray[np.int64]) -> None:
        """Updates the rows of a block for some picks, given by their numbers."""
        if not len(new):
            return
        self._n_shown += len(new)
        rows = self._read(block)
        for start in range(0, len(new), _PANEL):
            self._show_panel(block, rows, new[start : start + _PANEL])

    def _show_panel(self, block: int, rows: NDArray[np.float32], new: NDArray[np.int64]) -> None:
        first, last = int(new[0]), int(new[-1]) + 1
        dense = last - first == len(new)
        vectors = self.picks.vectors[first:last] if dense else self.picks.vectors[new]
        products = self._products[: len(rows) * len(new)].reshape(len(rows), len(new))
        np.matmul(rows, vectors.T, out=products)
        if not self._unit:
            products -= self.picks.half_norms[new]
        # argmax and a gather are several times faster than max along rows.
        index = self._index[: len(rows)]
        best = products.argmax(axis=1)
        top = products[index, best]
        begin = block * self._block_rows
        old = self._by_block[block, : len(rows)]
        if self._unit:
            score = top - np.float32(1)
        else:
            half = self._squared_norms(block) / 2
            score = top - half.astype(np.float32)
        near = score > old - self._margin
        if not near.any():
            return
        products[index, best] = -np.inf
        second = products[index, products.argmax(axis=1)]
        several = second > top - self._margin
        clear = (score > old + self._margin) & ~several
        where = slice(begin, begin + len(rows))
        number = new[best].astype(np.int32)
        doubt = near & ~clear & (several | (number != self._nearest[where]))
        ambiguous = self._ambiguous[where]
        ambiguous &= ~clear
        ambiguous |= doubt
        better = score > old
        np.copyto(old, score, where=better)
        np.copyto(self._nearest[where], number, where=better)

    def _read(self, block: int) -> NDArray[np.float32]:
        return self._rows.read(self._order.at(self._slice(block)))

    def _squared_norms(self, block: int) -> NDArray[np.float64]:
        return self._embeddings.squared_norms[self._order.at(self._slice(block))]

    def _slice(self, block: int) -> slice:
        start = block * self._block_rows
        return slice(start, min(start + self._block_rows, len(self.scores)))
