"""What is compared of each row: the row itself, or objects in it.

D of a row is the mean over its parts of their squared distance to the nearest chosen part. Keeping
these distances up to date is in `distances.py` and `lazy/`.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.grid import GridEmbeddings

NOTHING = -(2.0**1000)
"""What a row without parts has for D, or any other value: with it, every objective is 0."""
# Squared distances are whole numbers of 2^-50, of at most 2^52 of them: so many can be summed up.
_UNIT_BITS, _SUMMABLE = 50, 2**11 - 1
# A sum of a million float64 numbers is never off by so much, relatively.
_ROUNDING = 2.0**-30
_Number = TypeVar("_Number", np.int64, np.float64)


@dataclass(frozen=True, slots=True)
class Parts:
    """M parts of N rows, those of a row together, in the order of the rows.

    Attributes:
        embeddings: Of the parts.
        starts: Shape (N + 1,), int64: row i has the parts starts[i] to starts[i + 1]; None where
            every row is its own and only part.
    """

    embeddings: GridEmbeddings
    starts: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Returns N."""
        return len(self.embeddings) if self.starts is None else len(self.starts) - 1

    def counts(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Returns how many parts some rows have, by default all."""
        if self.starts is None:
            return np.ones(len(self) if rows is None else len(rows), np.int64)
        if rows is None:
            return np.diff(self.starts)
        counts: NDArray[np.int64] = self.starts[rows + 1] - self.starts[rows]
        return counts

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the numbers of the parts of some rows, row by row."""
        return rows if self.starts is None else members(self.starts, rows)

    def rows_of(self, parts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the rows that some parts, ascending, are in: ascending, each once."""
        if self.starts is None:
            return parts
        rows = np.searchsorted(self.starts, parts, side="right") - 1
        return rows[np.append(True, rows[1:] != rows[:-1])] if len(rows) else rows

    def take(self, rows: NDArray[np.int64]) -> "Parts":
        """Returns a copy of the parts of some rows that lies in memory."""
        taken = self.embeddings.in_memory(self.of(rows))
        if self.starts is None:
            return Parts(taken)
        return Parts(taken, np.append(0, np.cumsum(self.counts(rows))))

    def unknown(self, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Returns D of some rows before any part is chosen: inf, or NOTHING."""
        return np.where(self.counts(rows) > 0, np.inf, NOTHING)

    def mean_squared(
        self, squared: NDArray[np.float64], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Returns D of some rows, by default all, from that of their parts.

        The sum is exact, so that it does not depend on the order of summation. For a row of more
        than 2,047 parts their D are rounded down first, by less than its number of parts * 2^-61.

        Args:
            squared: Of these rows' parts, row by row: finite.
            rows: The rows.
        """
        if self.starts is None:
            return squared
        counts = self.counts(rows)
        most = int(counts.max(initial=0))
        bits = _UNIT_BITS - (-(-most // _SUMMABLE) - 1).bit_length()
        units = (squared * 2.0**bits).astype(np.int64)
        sums = _by_row(np.add, units, counts).astype(np.float64)
        return _or_nothing(sums / np.maximum(counts, 1) / 2.0**bits, counts)

    def mean_bounds(
        self, bounds: NDArray[np.float64], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Returns what D of some rows does not exceed, from such bounds of their parts."""
        if self.starts is None:
            return bounds
        counts = self.counts(rows)
        sums = _by_row(np.add, bounds, counts)
        return _or_nothing(sums / np.maximum(counts, 1) * (1 + _ROUNDING), counts)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the sum of each row's values of its parts."""
        if self.starts is None:
            return values
        rows = np.repeat(np.arange(len(self)), self.counts())
        # One after the other, in their order: the same on every machine.
        sums = np.bincount(rows, weights=values, minlength=len(self))
        return sums.astype(np.float64, copy=False)

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the mean of each row's values of its parts, or NOTHING."""
        counts = self.counts()
        return _or_nothing(self.sums(values) / np.maximum(counts, 1), counts)

    def largest(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns the largest of each row's values of its parts, or NOTHING."""
        counts = self.counts()
        return _or_nothing(_by_row(np.maximum, values, counts), counts)


def members(starts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the numbers from starts[row] up to starts[row + 1], row by row."""
    first = starts[rows]
    counts = starts[rows + 1] - first
    before = np.cumsum(counts) - counts
    return np.repeat(first - before, counts) + np.arange(counts.sum())


def _or_nothing(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    values[counts == 0] = NOTHING
    return values


def _by_row(
    what: np.ufunc, values: NDArray[_Number], counts: NDArray[np.int64]
) -> NDArray[_Number]:
    """Returns a reduction of consecutive values, `counts` of them a row; 0 where there are none."""
    reduced = np.zeros(len(counts), values.dtype)
    # `reduceat` does not know empty rows.
    filled = np.flatnonzero(counts)
    if len(filled):
        reduced[filled] = what.reduceat(values, (np.cumsum(counts) - counts)[filled])
    return reduced
