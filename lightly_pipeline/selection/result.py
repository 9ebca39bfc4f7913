"""What a selection achieved, as plain data."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class DistanceSummary:
    """How far rows are from their nearest other row: Euclidean distances.

    Attributes:
        n_rows: Rows measured: all, or evenly spaced ones where there are many.
        mean: Mean distance.
        min: Smallest distance.
        p10: 10th percentile.
        p50: Median.
        p90: 90th percentile.
        max: Largest distance.
    """

    n_rows: int
    mean: float
    min: float
    p10: float
    p50: float
    p90: float
    max: float


@dataclass(frozen=True, slots=True)
class StrategyOutcome:
    """What became of one strategy.

    Attributes:
        name: Type and input, such as "BALANCE of METADATA weather".
        strength: As configured.
        n_decided: Picks that it decided.
        sum: WEIGHTS, TYPICALITY, SIMILARITY: sum of the new picks' values, of a task over all their
            objects.
        neighbor_recall: TYPICALITY of more than 50,000 rows: share of the true nearest neighbours
            that its values are made from, measured on 64 rows.
        target: BALANCE: wanted share by class; "(all others)" for what the targets leave.
        achieved: BALANCE: share by class among the chosen rows, preselected ones included.
        n_objects: DIVERSITY of a task: objects in the new picks.
        coverage_radius: DIVERSITY of a task: largest distance of an object to the nearest chosen
            one; None where none is chosen.
    """

    name: str
    strength: float
    n_decided: int
    sum: float | None = None
    neighbor_recall: float | None = None
    target: dict[str, float] | None = None
    achieved: dict[str, float] | None = None
    n_objects: int | None = None
    coverage_radius: float | None = None


@dataclass(frozen=True, slots=True)
class ThresholdOutcome:
    """What became of one THRESHOLD.

    Attributes:
        name: Of its input, such as "METADATA lightly.sharpness".
        operation: As configured, such as "BIGGER".
        value: As configured.
        n_removed: Candidates that it removes, whatever the others remove.
    """

    name: str
    operation: str
    value: float
    n_removed: int


@dataclass(frozen=True, slots=True)
class SelectionResult:
    """The chosen rows, why they were chosen, and how well they cover the rest.

    Attributes:
        indices: Shape (k,), int64, rows in the order of picks; preselected ones are not among them.
        distances: Shape (k,), float64, Euclidean distance of each pick to the nearest row chosen
            before it, preselected ones included; inf if there was none. NaN for all where they
            cost too much: over 20,000 picks without DIVERSITY.
        decided_by: Name of the strategy that decided each pick (see `decisions.py`).
        coverage_radius: Largest distance of any candidate to its nearest chosen row; None if
            nothing is chosen.
        coverage_rows: Rows that it was measured on: all, or evenly spaced ones, which makes it a
            lower bound, where rows times chosen rows exceed 2 * 10^9 without exact DIVERSITY.
        coverage_bound: With `approximate_diversity`: what `coverage_radius` on all rows does not
            exceed. None where DIVERSITY is exact or not wanted.
        stopped_by: "n_samples", "candidates_exhausted", "minimum_distance", "minimum_typicality",
            "max_sum" or "target_range".
        candidates: Shape (n_candidates,), int64, ascending: rows that could have been chosen, which
            are neither preselected nor removed by a threshold.
        n_removed_by_threshold: Rows that a THRESHOLD removed.
        n_preselected: Rows that counted as chosen from the start.
        strategies: What became of each strategy.
        thresholds: What became of each THRESHOLD.
        neighbors_before: Distances among all rows that took part, candidates and preselected.
        neighbors_after: Distances among the picks.
        neighbor_distances: Those that `neighbors_before` sums up.
        object_distances: By name of the DIVERSITY strategy of a task, shape (k,): root of the mean
            squared distance of each pick's objects to the nearest ones chosen before; inf if there
            was none, 0 without objects.
    """

    indices: NDArray[np.int64]
    distances: NDArray[np.float64]
    decided_by: tuple[str, ...]
    coverage_radius: float | None
    coverage_rows: int
    coverage_bound: float | None
    stopped_by: str
    candidates: NDArray[np.int64]
    n_removed_by_threshold: int
    n_preselected: int
    strategies: tuple[StrategyOutcome, ...]
    thresholds: tuple[ThresholdOutcome, ...]
    neighbors_before: DistanceSummary | None
    neighbors_after: DistanceSummary | None
    neighbor_distances: NDArray[np.float64]
    object_distances: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def n_candidates(self) -> int:
        """How many rows could have been chosen."""
        return len(self.candidates)

    @property
    def minimum_distance(self) -> float | None:
        """Smallest distance of a pick to another pick or a preselected row."""
        finite = self.distances[np.isfinite(self.distances)]
        return float(finite.min()) if len(finite) else None

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures as JSON-able values, without the rows themselves."""
        return {
            "n_selected": len(self.indices),
            "n_candidates": self.n_candidates,
            "n_preselected": self.n_preselected,
            "n_removed_by_threshold": self.n_removed_by_threshold,
            "stopped_by": self.stopped_by,
            "coverage_radius": self.coverage_radius,
            "coverage_rows": self.coverage_rows,
            "coverage_bound": self.coverage_bound,
            "minimum_distance": self.minimum_distance,
            "nearest_neighbor_distances": {
                "before": asdict(self.neighbors_before) if self.neighbors_before else None,
                "after": asdict(self.neighbors_after) if self.neighbors_after else None,
            },
            "decided_by": dict(Counter(self.decided_by)),
            "strategies": [_without_none(asdict(outcome)) for outcome in self.strategies],
            "thresholds": [asdict(outcome) for outcome in self.thresholds],
        }


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
