"""What a selection achieved, as plain data."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """The chosen rows and how well they cover the rest.

    Attributes:
        indices: Shape (k,), int64, rows in the order of picks.
        distances: Shape (k,), float64, Euclidean distance of each pick to the nearest one before
            it (inf for the first).
        coverage_radius: Largest distance of any row to its nearest pick; None without candidates.
        stopped_by: "n_samples", "minimum_distance" or "candidates_exhausted".
        n_candidates: Rows that could have been chosen.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    coverage_radius: float | None
    stopped_by: str
    n_candidates: int

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures as JSON-able values, without the rows themselves."""
        finite = self.distances[np.isfinite(self.distances)]
        return {
            "n_selected": len(self.indices),
            "n_candidates": self.n_candidates,
            "coverage_radius": self.coverage_radius,
            "minimum_distance": float(finite.min()) if len(finite) else None,
            "stopped_by": self.stopped_by,
        }
