"""The objective of a selection: one factor per strategy, multiplied to the power of its strength.

At every step the candidate x is taken that maximises the product over strategies of
O(S + x)^strength, in logarithms. Factors, as Lightly's engine has them:

- DIVERSITY: A + D(x), D the squared distance to the nearest chosen row, A the sum over chosen
  rows of the squared distance to their nearest other chosen row, as of now;
- DIVERSITY of objects: the same with objects in place of rows, D(x) the mean over those of x;
- WEIGHTS, and TYPICALITY and SIMILARITY, which are weights of their own making: W + w(x), W the
  sum over chosen rows, or over their objects;
- BALANCE: 1 / H, H = - sum over classes of target * ln(max(q, 1e-10)), q the shares of the classes
  among the chosen rows and x.

A factor of 0 counts as the smallest positive float64, so that 0 for all candidates says nothing.
Rows without objects have it where objects are compared.
What the factors are made of is in `strategies/`, whom they make chosen in `direct.py` and
`rounds.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.vectors.grid import GridEmbeddings
from lightly_pipeline.selection.vectors.parts import NOTHING, Parts

Distances = Mapping[int, NDArray[np.float64]]
"""D of some rows by the place of the DIVERSITY strategy in the objective."""

_TINY = float(np.finfo(np.float64).tiny)
_SMALLEST_SHARE = 1e-10
# Logarithms differ in the last bits between C libraries, sums with their order.
_RESOLUTION = 2.0**-40
_SMALLEST_UNIT = float(np.finfo(np.float64).smallest_subnormal)


@dataclass(frozen=True, slots=True)
class Diversity:
    """Far from what is chosen.

    Attributes:
        label: How the strategy is called to the user.
        strength: Power of the factor.
        minimum_squared: Stop when the best candidate's D is below; in units of the grid.
        objects: Objects that are compared; None where rows are.
    """

    label: str
    strength: float
    minimum_squared: float = 0.0
    objects: Parts | None = None

    def concerns(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns which of some rows have anything that is compared."""
        if self.objects is None:
            return np.ones(len(rows), dtype=bool)
        has_objects: NDArray[np.bool_] = self.objects.counts(rows) > 0
        return has_objects

    def is_too_near(self, squared: float) -> bool:
        """Returns whether a row of this D ends the selection: none does without objects."""
        return NOTHING < squared < self.minimum_squared

    def compared(self, embeddings: GridEmbeddings) -> Parts:
        """Returns what is compared, given the rows."""
        return Parts(embeddings) if self.objects is None else self.objects


@dataclass(frozen=True, slots=True)
class Weights:
    """A large sum of a number per row.

    Attributes:
        label: How the strategy is called to the user.
        strength: Power of the factor.
        values: Shape (N,), float64, finite; at least 0 unless the strategy stands alone. NOTHING
            for rows without the objects that they are made from.
        minimum: Stop when the best candidate's value is below.
        max_sum: Stop once the new picks' values sum up to this.
        target_range: (lower, upper): stop once the sum reaches the lower, never exceed the upper;
            infinite where there is no such bound.
        gains: Shape (N,): what W grows by once a row is chosen, the sum over its objects; None
            where these are the values.
        neighbor_recall: TYPICALITY: share of the true neighbours that the values are made from;
            None for other strategies, and where it is all of them.
    """

    label: str
    strength: float
    values: NDArray[np.float64]
    minimum: float | None = None
    max_sum: float | None = None
    target_range: tuple[float, float] | None = None
    gains: NDArray[np.float64] | None = None
    neighbor_recall: float | None = None

    def take(self, rows: NDArray[np.int64]) -> "Weights":
        """Returns the strategy for some rows."""
        gains = None if self.gains is None else self.gains[rows]
        return replace(self, values=self.values[rows], gains=gains)

    def gain(self, row: int) -> float:
        """Returns what W grows by once a row is chosen."""
        return float((self.values if self.gains is None else self.gains)[row])

    def concerns(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns which of some rows have a value."""
        has_value: NDArray[np.bool_] = self.values[rows] != NOTHING
        return has_value

    def is_below_minimum(self, row: int) -> bool:
        """Returns whether a row's value is strictly below the minimum."""
        return self.minimum is not None and bool(NOTHING < self.values[row] < self.minimum)


@dataclass(frozen=True, slots=True)
class Balance:
    """Shares of classes close to a target.

    Attributes:
        label: How the strategy is called to the user.
        strength: Power of the factor.
        classes: Names of the C classes.
        target: Shape (C,), float64, sums to 1.
        table: Shape (G, C), float64: the distinct class rows.
        groups: Shape (N,), int64: each row's place in `table`.
    """

    label: str
    strength: float
    classes: tuple[str, ...]
    target: NDArray[np.float64]
    table: NDArray[np.float64]
    groups: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> "Balance":
        """Returns the strategy for some rows."""
        return replace(self, groups=self.groups[rows])

    def concerns(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Returns which of some rows it speaks of: all."""
        return np.ones(len(rows), dtype=bool)

    def log_factors(self, totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns strength * ln O for each row of `table`, given the class sums of the chosen."""
        return -self.strength * np.log(np.maximum(self.cross_entropy(totals + self.table), _TINY))

    def cross_entropy(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns H of class sums, shape (..., C)."""
        logs = np.log(np.maximum(self.shares(sums), _SMALLEST_SHARE))
        entropy: NDArray[np.float64] = -(logs * self.target).sum(axis=-1)
        return entropy

    def shares(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns class sums, shape (..., C), divided by their whole; sums of 0 stay 0."""
        whole = sums.sum(axis=-1, keepdims=True)
        shares: NDArray[np.float64] = sums / np.where(whole > 0, whole, 1.0)
        return shares


Strategy = Diversity | Weights | Balance


@dataclass(frozen=True, slots=True)
class Objective:
    """All strategies of a selection, for the same N rows; strengths of 0 are left out.

    Attributes:
        strategies: In the order of the configuration.
    """

    strategies: tuple[Strategy, ...]

    def take(self, rows: NDArray[np.int64]) -> "Objective":
        """Returns the objective for some rows."""
        return Objective(
            tuple(s if isinstance(s, Diversity) else s.take(rows) for s in self.strategies)
        )

    @property
    def diversities(self) -> dict[int, Diversity]:
        """The DIVERSITY strategies by their places: at most one for rows, and one for each task."""
        return {i: s for i, s in enumerate(self.strategies) if isinstance(s, Diversity)}

    @property
    def of_rows(self) -> int | None:
        """The place of the DIVERSITY strategy that compares rows, if there is one."""
        return next((i for i, s in self.diversities.items() if s.objects is None), None)

    @property
    def unit(self) -> float:
        """What scores are rounded to: equal multiples are ties, which go to the lowest index.

        2^-40 times the smallest power of two that is no less than the sum of the strengths' sizes.
        """
        strengths = sum(abs(strategy.strength) for strategy in self.strategies)
        if not strengths:
            return _RESOLUTION
        # Powers of two can be halved exactly down to this.
        return max(_RESOLUTION * float(2.0 ** np.ceil(np.log2(strengths))), _SMALLEST_UNIT)


def log_sum(strength: float, chosen: float, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns strength * ln(chosen + value) for each value."""
    result: NDArray[np.float64] = strength * np.log(np.maximum(chosen + values, _TINY))
    return result
