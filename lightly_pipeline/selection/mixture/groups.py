"""Rows that BALANCE cannot tell apart: what holds for one of them holds for its group."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.selection.mixture.objective import Balance, Objective

MAX_GROUPS = 256
"""Distinct class rows up to which the lazy engine keeps a bound for each."""


def n_groups(objective: Objective, n_rows: int) -> int:
    """Returns the number of distinct class rows, over all BALANCE strategies together."""
    return int(joint_groups(objective, n_rows).max(initial=0)) + 1


def joint_groups(objective: Objective, n_rows: int) -> NDArray[np.int64]:
    """Returns a number per row, the same for rows that are equal to every BALANCE strategy."""
    joint = np.zeros(n_rows, dtype=np.int64)
    for strategy in objective.strategies:
        if isinstance(strategy, Balance):
            groups = joint * len(strategy.table) + strategy.groups
            joint = np.unique(groups, return_inverse=True)[1].reshape(-1)
    return joint
