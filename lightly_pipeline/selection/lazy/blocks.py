"""Rows in blocks that learn of new picks only when somebody asks.

This is what farthest-first (`kcenter/`) and mixtures of strategies (`mixture/`) share. D, a row's
squared distance to its nearest pick, only falls while rows are picked, so an old one is a valid
bound. A selection goes in rounds:

1. Ask for bounds, and find the rows that may be picked next.
2. `refresh` the blocks of these rows; look again where that refreshed any.
3. Get the exact D of these rows (`exact_distances`, `active_set`), and pick among them for as long
   as no other row can be better.
4. Hand back what is known by then (`settle`).

Which rows may be picked next, and for how long these are better than all others, is for the caller
to say. What a block knows is in `nearest.py`, which picks it can leave out in `reach.py`. Where the
given order makes no blocks of neighbours, rows change places (`row_order.py`).
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.lazy.active_set import ActiveSet, score_of_farthest
from lightly_pipeline.selection.lazy.nearest import CHOSEN, NearestPicks
from lightly_pipeline.selection.lazy.pick_list import PickList
from lightly_pipeline.selection.lazy.reach import Reach
from lightly_pipeline.selection.lazy.row_order import RowOrder, order_by_nearness
from lightly_pipeline.selection.vectors.distances import FilterRows, squared_between
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

_BLOCK_ROWS = 256
# Small blocks are tighter; that pays for their overhead when they see many picks.
_SMALL_BLOCK_ROWS, _SMALL_BLOCKS_FROM = 64, 5000
_MAX_RESERVED = 32768
_PANEL = 512
_GROUP = 64
# Bounds the memory of a group's triangle test.
_SPAN = 8192
# Rows change places once there are some picks to tell them apart, and as long as the triangle
# inequality leaves out no more than this share of what blocks have missed.
_REGROUP_FROM_PICKS, _MAX_LEFT_OUT = 64, 0.05


class LazyBlocks:
    """Scores of all rows against a growing list of picks, refreshed block by block.

    A row's *score* is minus half its squared distance to the nearest pick that its block has seen,
    within `slack`: inf for picks, -inf before there is any. Scores only rise.

    Attributes:
        picks: The picks; every block has seen a prefix of them.
        slack: Bound on the error of a score.
    """

    def __init__(self, embeddings: GridEmbeddings, n_picks: int) -> None:
        """Begins without picks.

        Args:
            embeddings: N rows.
            n_picks: About how many picks there are going to be.
        """
        n, dim = embeddings.vectors.shape
        rows = _SMALL_BLOCK_ROWS if n_picks >= _SMALL_BLOCKS_FROM else _BLOCK_ROWS
        n_blocks = -(-n // rows)
        self.picks = PickList(embeddings, capacity=min(n_picks, _MAX_RESERVED))
        self._embeddings, self._block_rows = embeddings, rows
        self._rows = FilterRows(embeddings, rows)
        self.slack = self._rows.slack
        self._order = RowOrder(n)
        self._unit = embeddings.is_unit
        self._nearest = NearestPicks(n, rows, _PANEL, self.slack, unit=self._unit)
        self._reach = Reach(n_blocks, rows, dim, self.slack, unit=self._unit)
        # No score in a block is lower, and how many picks it has seen.
        self._lowest = np.full(n_blocks, -np.inf, np.float32)
        self._seen = np.zeros(n_blocks, np.int64)
        # For rows with lower scores the triangle inequality is not tried.
        self._far = -np.inf
        self._n_missed = self._n_shown = 0

    def choose(self, rows: NDArray[np.int64]) -> None:
        """Adds rows as picks and takes them out of the running."""
        self.picks.append(rows)
        self._nearest.choose(self._order.places(rows))

    def score_of_farthest(self, n_wanted: int) -> np.float32:
        """Returns a score that about `n_wanted` rows do not exceed, from a sample of the rows.

        inf, the score of picks, where there are no more than that.
        """
        return score_of_farthest(self._nearest.scores, n_wanted)

    def rows_up_to(self, score: float) -> NDArray[np.int64]:
        """Returns the rows whose scores are at most this, ascending."""
        return self._order.rows(np.flatnonzero(self._nearest.scores <= score))

    def blocks_up_to(self, score: float) -> NDArray[np.int64]:
        """Returns the blocks that may hold a row with a score of at most this."""
        return np.flatnonzero(self._lowest <= score)

    def blocks_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the blocks that rows are in, each once."""
        is_meant = np.zeros(len(self._seen), np.bool_)
        is_meant[self._order.places(rows) // self._block_rows] = True
        return np.flatnonzero(is_meant)

    def rows_of(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rows of blocks, ascending."""
        places = blocks[:, None] * self._block_rows + np.arange(self._block_rows)
        return self._order.rows(places[places < len(self._nearest.scores)])

    def refresh(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shows blocks the picks they have not seen; returns which blocks had missed any."""
        missed = behind = self._behind(blocks)
        while len(behind):
            for seen in np.unique(self._seen[behind]):
                group = behind[self._seen[behind] == seen]
                for start in range(0, len(group), _GROUP):
                    self._refresh_group(group[start : start + _GROUP], int(seen))
            behind = self._behind(behind)
        return missed

    def bound_of(self, score: float) -> float:
        """Returns what the D of no row with a score of at least this exceeds."""
        return 2 * (self.slack - score)

    def bounds(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Returns what the D of some rows, by default all, does not exceed; 0 for picks."""
        scores = self._nearest.scores
        scores = self._order.by_row(scores) if rows is None else scores[self._order.places(rows)]
        return np.maximum(2 * (self.slack - scores.astype(np.float64)), 0.0)

    def exact_distances(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns D of rows of blocks that have seen all picks."""
        doubtful = rows[self._nearest.is_doubtful[self._order.places(rows)]]
        if len(doubtful):
            distances, numbers = self.picks.nearest_to(doubtful)
            self._nearest.settle(self._order.places(doubtful), distances, numbers)
        nearest = self.picks.rows[self._numbers(rows)]
        return squared_between(self._embeddings, rows, nearest)

    def active_set(self, rows: NDArray[np.int64], distances: NDArray[np.float64]) -> ActiveSet:
        """Returns rows to pick from, given what `exact_distances` returned for them."""
        return ActiveSet(self._embeddings, rows, distances, self._numbers(rows))

    def settle(self, active: ActiveSet, picks: NDArray[np.int64]) -> None:
        """Ends a round: takes over the picks from its active set, and the exact D of the others."""
        self._regroup()
        self.choose(picks)
        left = ~active.is_chosen
        places = self._order.places(active.rows[left])
        self._nearest.settle(places, active.distances[left], active.nearest[left])
        self._tighten(self.blocks_of(active.rows))

    def largest_squared(self) -> float:
        """Returns the largest D of all rows: 0 if all are picks. Refreshes what that takes."""
        scores = self._nearest.scores
        while np.isfinite(lowest := scores.min(initial=CHOSEN)):
            reached = float(lowest) + 2 * self.slack
            if not len(self.refresh(self.blocks_up_to(reached))):
                return float(self.exact_distances(self.rows_up_to(reached)).max())
        return 0.0

    def _behind(self, blocks: NDArray[np.int64]) -> NDArray[np.int64]:
        return blocks[self._seen[blocks] < len(self.picks)]

    def _numbers(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        return self._nearest.numbers[self._order.places(rows)]

    def _tighten(self, blocks: NDArray[np.int64]) -> None:
        self._lowest[blocks] = self._nearest.by_block[blocks].min(axis=1)

    def _regroup(self) -> None:
        """Lets rows of blocks that have seen all picks change places, if blocks are of no use.

        That is, if since the last call the triangle inequality left out nearly nothing. Far rows
        then share blocks, so that others need not be refreshed with them; near rows share them
        with neighbours. Rows that are read from a file stay in its order.
        """
        left_out = 1 - self._n_shown / max(self._n_missed, 1)
        self._n_missed = self._n_shown = 0
        n_picks = len(self.picks)
        if n_picks < _REGROUP_FROM_PICKS or left_out > _MAX_LEFT_OUT or self._rows.is_on_disk:
            return
        n_whole = len(self._nearest.scores) // self._block_rows
        blocks = np.flatnonzero(self._seen[:n_whole] == n_picks)
        # A row whose nearest pick is about as far as picks are from each other has no neighbours.
        self._far = -self.picks.typical_squared_distance() / 4
        scores, numbers = self._nearest.of_blocks(blocks)
        order = order_by_nearness(scores, numbers, self._far, n_picks)
        self._order.permute(blocks, self._block_rows, order)
        self._nearest.permute(blocks, order)
        self._reach.forget(blocks)
        self._tighten(blocks)

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
        self._tighten(blocks)
        self._n_missed += len(blocks) * (end - seen)

    def _show_reaching(self, blocks: NDArray[np.int64], first: int, end: int) -> None:
        """Shows blocks a range of picks, as far as these may be nearer to any row."""
        is_far = self._lowest[blocks] < self._far
        for block in blocks[is_far].tolist():
            self._show(block, np.arange(first, end))
        blocks = blocks[~is_far]
        for block in self._reach.unknown(blocks).tolist():
            self._reach.describe(block, self._read(block), self._squared_norms(block))
        reaching = self._reach.picks_reaching(
            blocks,
            self._nearest.by_block[blocks],
            self.picks.vectors[first:end],
            self.picks.half_norms[first:end],
        )
        for block, reaches in zip(blocks.tolist(), reaching, strict=True):
            self._show(block, np.flatnonzero(reaches) + first)

    def _show(self, block: int, new: NDArray[np.int64]) -> None:
        """Updates the rows of a block for some picks, given by their numbers."""
        if not len(new):
            return
        self._n_shown += len(new)
        rows, norms = self._read(block), self._squared_norms(block)
        self._nearest.show(block, rows, norms, self.picks, new)

    def _read(self, block: int) -> NDArray[np.float32]:
        return self._rows.read(self._order.at(self._slice(block)))

    def _squared_norms(self, block: int) -> NDArray[np.float64] | None:
        """Returns the squared norms of a block's rows; None for unit vectors, which need none."""
        if self._unit:
            return None
        return self._embeddings.squared_norms[self._order.at(self._slice(block))]

    def _slice(self, block: int) -> slice:
        start = block * self._block_rows
        return slice(start, min(start + self._block_rows, len(self._nearest.scores)))
