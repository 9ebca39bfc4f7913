"""THRESHOLD: which rows are candidates at all. A filter, not a factor of the objective."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import StrategyEntry
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.selection.columns import Columns, name_of
from lightly_pipeline.selection.result import ThresholdOutcome

_COMPARE = {
    "SMALLER": np.less,
    "SMALLER_EQUAL": np.less_equal,
    "BIGGER": np.greater,
    "BIGGER_EQUAL": np.greater_equal,
}


def kept_rows(
    entries: Sequence[StrategyEntry], columns: Columns, preselected: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], tuple[ThresholdOutcome, ...]]:
    """Returns which rows pass every THRESHOLD, shape (N,), and what each removes.

    Preselected rows always pass.

    Raises:
        LightlyPipelineError: There are candidates, and none passes: names each THRESHOLD with how
            many it keeps and the range of their values.
    """
    kept, is_candidate = np.ones((2, columns.n_rows), dtype=bool)
    is_candidate[preselected] = False
    told = []
    outcomes = []
    for entry in entries:
        if entry.strategy.type != "THRESHOLD":
            continue
        values = columns.numbers(entry.input)
        passes = _COMPARE[str(entry.strategy.operation)](values, entry.strategy.threshold or 0.0)
        kept &= passes
        n_kept = int(passes[is_candidate].sum())
        told.append(_told(entry, values[is_candidate], n_kept))
        outcomes.append(_outcome(entry, int(is_candidate.sum()) - n_kept))
    if is_candidate.any() and not kept[is_candidate].any():
        raise LightlyPipelineError(
            f"no frame is left to choose from: {'; '.join(told)}. Change threshold or operation, "
            "or remove the strategy"
        )
    kept[preselected] = True
    return kept, tuple(outcomes)


def _outcome(entry: StrategyEntry, n_removed: int) -> ThresholdOutcome:
    options = entry.strategy
    return ThresholdOutcome(
        name_of(entry.input), str(options.operation), options.threshold or 0.0, n_removed
    )


def _told(entry: StrategyEntry, values: NDArray[np.float64], n_kept: int) -> str:
    if not len(values):
        return ""
    return (
        f"THRESHOLD of {name_of(entry.input)} {entry.strategy.operation} "
        f"{entry.strategy.threshold:g} keeps {n_kept} of {len(values)}, whose values go from "
        f"{values.min():.6g} to {values.max():.6g}"
    )
