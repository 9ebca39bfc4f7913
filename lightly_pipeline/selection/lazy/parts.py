"""D of rows by what blocks know of their parts: the rows themselves, or objects.

A row's D is the mean over its parts, so bounds of these bound it, and it only falls as theirs do.
What blocks know is in `blocks.py`; which rows are picked is for the rounds to decide.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.lazy.blocks import LazyBlocks
from lightly_pipeline.selection.vectors.parts import Parts


class ActiveParts:
    """The rows that picks are made from, with their exact D.

    Attributes:
        distances: Shape (n,), float64: D; of chosen rows below 0 or without meaning.
        part_set: The parts of these rows; None where no part was chosen before.
    """

    def __init__(self, parts: Parts, blocks: LazyBlocks, rows: NDArray[np.int64]) -> None:
        self._parts, self._rows = parts, rows
        counts = parts.counts(rows)
        self._ends = np.cumsum(counts)
        self._begins = self._ends - counts
        self._next = len(blocks.picks)
        if not self._next:
            self.part_set = None
            self.distances = parts.unknown(rows)
            return
        numbers = parts.of(rows)
        self.part_set = blocks.active_set(numbers, blocks.exact_distances(numbers))
        self.distances = parts.mean_squared(self.part_set.distances, rows)

    @property
    def is_blank(self) -> bool:
        """Whether no part was chosen before."""
        return self.part_set is None

    def choose(self, position: int) -> None:
        """Chooses the row at a position, and lowers the others' D."""
        begin, end = int(self._begins[position]), int(self._ends[position])
        if self.part_set is None or begin == end:
            return
        if end - begin == 1:
            self.part_set.choose(begin, self._next)
        else:
            self.part_set.apply(self.part_set.rows[begin:end], self._next)
        self._next += end - begin
        self.distances = self._parts.mean_squared(self.part_set.distances, self._rows)


class ActiveRows:
    """The rows that a round picks from, for all DIVERSITY strategies.

    Attributes:
        rows: Shape (n,), int64, ascending.
        parts: What is known of their parts, by place of the strategy.
        is_chosen: Shape (n,): picked in this round.
    """

    def __init__(self, rows: NDArray[np.int64], parts: dict[int, ActiveParts]) -> None:
        self.rows, self.parts = rows, parts
        self.is_chosen = np.zeros(len(rows), dtype=bool)

    @property
    def squared(self) -> dict[int, NDArray[np.float64]]:
        """D of the rows by place of the strategy."""
        return {i: parts.distances for i, parts in self.parts.items()}

    def choose(self, position: int) -> None:
        """Makes the row at a position a pick."""
        self.is_chosen[position] = True
        for parts in self.parts.values():
            parts.choose(position)


class LazyParts:
    """Bounds of the D of all rows, which come near it where that is asked for.

    Attributes:
        parts_per_row: On average, rounded up, at least 1.
    """

    def __init__(self, parts: Parts, n_rows: int) -> None:
        """Begins without picks.

        Args:
            parts: Of all rows.
            n_rows: About how many rows are going to be picked.
        """
        self._parts = parts
        self.parts_per_row = max(-(-len(parts.embeddings) // max(len(parts), 1)), 1)
        self._blocks = LazyBlocks(parts.embeddings, n_picks=n_rows * self.parts_per_row)

    @property
    def is_empty(self) -> bool:
        """Whether no part is chosen yet: there is nothing to be far from."""
        return not len(self._blocks.picks)

    def choose(self, rows: NDArray[np.int64]) -> None:
        """Adds rows as picks."""
        self._blocks.choose(self._parts.of(rows))

    def bounds(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Returns what the D of some rows, by default all, does not exceed."""
        if self.is_empty:
            return self._parts.unknown(rows)
        numbers = None if rows is None else self._parts.of(rows)
        return self._parts.mean_bounds(self._blocks.bounds(numbers), rows)

    def refresh(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Shows the blocks of some rows the picks they have missed.

        Returns:
            The rows of which more is known than before, ascending.
        """
        blocks = self._blocks.blocks_of(self._parts.of(rows))
        return self._parts.rows_of(self._blocks.rows_of(self._blocks.refresh(blocks)))

    def active(self, rows: NDArray[np.int64]) -> ActiveParts:
        """Returns refreshed rows to pick from."""
        return ActiveParts(self._parts, self._blocks, rows)

    def settle(self, active: ActiveParts, picks: NDArray[np.int64]) -> None:
        """Ends a round: takes over its picks, and the exact D of the other active parts."""
        chosen = self._parts.of(picks)
        if active.part_set is None:
            self._blocks.choose(chosen)
        else:
            self._blocks.settle(active.part_set, chosen)

    def largest_squared(self) -> float | None:
        """Returns the largest exact D of a part, 0 if all are chosen; None before one is."""
        return None if self.is_empty else self._blocks.largest_squared()
