"""Which rows are copies of others: pure functions on arrays.

Rows that are equal on the grid are found by the selection; what happens to copies is the caller's
decision.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def first_equal(values: NDArray[Any], known: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns for each value the lowest position of an equal one, shape (N,).

    Args:
        values: Shape (N,).
        known: Shape (N,); a value that is not known equals none.
    """
    first = np.arange(len(values))
    places = np.flatnonzero(known)
    _, lowest, inverse = np.unique(values[places], return_index=True, return_inverse=True)
    first[places] = places[lowest[inverse]]
    return first


def copies(first: NDArray[np.int64], preselected: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Returns which rows equal a preselected row, or a row before them, shape (N,).

    Args:
        first: Shape (N,): for each row the lowest row that is equal to it.
        preselected: Rows that are never copies themselves.
    """
    has_preselected = np.zeros(len(first), dtype=bool)
    has_preselected[first[preselected]] = True
    is_copy: NDArray[np.bool_] = (first != np.arange(len(first))) | has_preselected[first]
    is_copy[preselected] = False
    return is_copy
