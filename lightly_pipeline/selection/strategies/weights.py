"""WEIGHTS: a large sum of a number per row."""

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.messages import shown_rows
from lightly_pipeline.selection.mixture.objective import Weights
from lightly_pipeline.selection.strategies.task import StrategyTask


def build(task: StrategyTask) -> Weights:
    """Returns the factor W + w(x) with what its sum may come to."""
    span = task.options.target_range
    return Weights(
        task.label,
        task.options.strength,
        task.numbers,
        max_sum=task.options.stopping_condition_max_sum,
        target_range=(_bound(span.min_sum), _bound(span.max_sum)) if span else None,
    )


def _bound(given: float | None) -> float:
    """Returns a sum at which something ends: one that is never reached where none is given."""
    return np.inf if given is None else given


def check_not_negative(values: NDArray[np.float64], name: str) -> None:
    """Refuses negative weights, whose logarithm does not exist.

    Raises:
        LightlyPipelineError: Names their number, the first rows and what to do.
    """
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise LightlyPipelineError(
            f"{name} is negative in {shown_rows(bad, len(values))}: WEIGHTS next to other "
            "strategies, or with a limit on the sum, needs values of at least 0 (the objective is "
            "a product of sums); shift the values so that the smallest is 0, or use WEIGHTS alone"
        )
