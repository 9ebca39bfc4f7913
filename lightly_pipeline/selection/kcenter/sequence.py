"""The rows a selection has taken so far, and when it ends.

Whoever knows the farthest row offers it here; finding that row is in `greedy.py` and
`full_scan.py`.
"""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.progress import Progress

_PROGRESS_EVERY = 64


class Sequence:
    """A farthest-first sequence under way.

    Attributes:
        k: Rows wanted.
        rows: Rows taken, in order.
        distances: Squared distance of each to the nearest row chosen before.
        next_distance: Of the row that was not taken because it was enough; None if none is left.
        is_finished: Whether nothing more is wanted or left.
    """

    def __init__(
        self,
        n_rows: int,
        known: NDArray[np.int64],
        k: int,
        stop_squared_distance: float,
        progress: Progress,
    ) -> None:
        self._n_rows, self._known = n_rows, known
        self._stop, self._progress = stop_squared_distance, progress
        self.k = k
        self.rows: list[int] = []
        self.distances: list[float] = []
        self.next_distance: float | None = None
        self.is_finished = False

    def offer(self, row: int, distance: float) -> bool:
        """Takes the farthest row that is left, unless that is one too many or too near.

        Returns:
            Whether exactly this row was taken and others may follow.
        """
        if len(self.rows) == self.k or distance < self._stop:
            self.next_distance = distance
            self.is_finished = True
            return False
        if distance == 0:
            self._take_copies()
            return False
        self.rows.append(row)
        self.distances.append(distance)
        if len(self.rows) % _PROGRESS_EVERY == 0:
            self.report()
        self.is_finished = len(self.rows) + len(self._known) == self._n_rows
        return True

    def report(self) -> None:
        """Tells the progress callback how many rows were taken."""
        self._progress("select", len(self.rows), self.k, "picks")

    def _take_copies(self) -> None:
        """Fills up in index order: every row that is left equals a chosen one."""
        left = np.ones(self._n_rows, np.bool_)
        left[self._known] = False
        left[self.rows] = False
        copies = np.flatnonzero(left)
        wanted = copies[: self.k - len(self.rows)].tolist()
        self.rows += wanted
        self.distances += [0.0] * len(wanted)
        self.next_distance = 0.0 if len(wanted) < len(copies) else None
        self.is_finished = True
