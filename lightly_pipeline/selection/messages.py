"""How rows are named in messages."""

import numpy as np
from numpy.typing import NDArray

_SHOWN = 10


def shown_rows(indices: NDArray[np.int64], n_rows: int) -> str:
    """Returns such as "12 of 900 rows (rows 3, 17, ...)"."""
    shown = ", ".join(map(str, indices[:_SHOWN])) + (", ..." if len(indices) > _SHOWN else "")
    return f"{len(indices)} of {n_rows} rows (rows {shown})"
