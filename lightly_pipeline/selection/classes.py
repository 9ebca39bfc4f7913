"""Classes of rows, as BALANCE counts them: one class, several, or shares of several.

How they are balanced is in `strategies/balance.py`.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Classes:
    """Class rows, with equal ones stored once.

    Attributes:
        names: Of the C classes.
        table: Shape (G, C), float64.
        groups: Shape (N,), int64, into `table`.
        closed: No other class can exist, so that an unknown one in a target is a mistake.
    """

    names: tuple[str, ...]
    table: NDArray[np.float64]
    groups: NDArray[np.int64]
    closed: bool

    @property
    def sums(self) -> NDArray[np.float64]:
        """Sum over all rows, shape (C,)."""
        counts = np.bincount(self.groups, minlength=len(self.table)).astype(np.float64)
        sums: NDArray[np.float64] = counts @ self.table
        return sums

    def take(self, rows: NDArray[np.int64]) -> "Classes":
        """Returns the classes of some rows."""
        return replace(self, groups=self.groups[rows])


def distinct_rows(names: tuple[str, ...], rows: NDArray[np.float64]) -> Classes:
    """Returns shape (N, C) as classes of which there are no others."""
    table, groups = np.unique(rows, axis=0, return_inverse=True)
    return Classes(names, table, groups.reshape(-1).astype(np.int64), closed=True)


def one_hot(values: NDArray[Any]) -> Classes:
    """Returns categories as class rows; None is no class and counts for none."""
    texts = np.array(["" if value is None else class_name(value) for value in values.tolist()])
    missing = np.array([value is None for value in values.tolist()], dtype=bool)
    names, places = np.unique(texts[~missing], return_inverse=True)
    groups = np.full(len(values), len(names), dtype=np.int64)
    groups[~missing] = places
    table = np.vstack([np.eye(len(names)), np.zeros((1, len(names)))])
    return Classes(tuple(str(name) for name in names), table, groups, closed=False)


def class_name(value: Any) -> str:
    """Returns how a category is written in a target: booleans as in JSON and YAML."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)
