"""Selection by Lightly's `selection_config` on plain arrays.

Turns strategies into calls of the engine and amounts into counts; the algorithm is in
`kcenter.py`, the rules for embeddings in `grid.py`.
"""

from collections.abc import Mapping
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.kcenter import Picks, farthest_first
from lightly_pipeline.selection.result import SelectionResult


def select(
    embeddings: NDArray[np.float32] | GridEmbeddings,
    selection_config: SelectionConfig | Mapping[str, Any],
    *,
    normalize: bool = True,
    progress: Progress = silent,
) -> SelectionResult:
    """Chooses diverse rows.

    Exact greedy k-center: distances are Euclidean between the embeddings on the grid, ties go to
    the lowest index, so the choice is the same on every machine and number of threads.

    Args:
        embeddings: Shape (N, d), float32; left as they are (copied). To spare the copy, pass what
            `prepare_embeddings` made of them.
        selection_config: A model, or a mapping in Lightly's shape: EMBEDDINGS + DIVERSITY.
        normalize: Bring rows to unit length first; for plain arrays only.
        progress: Told about picks.

    Raises:
        InvalidConfigurationError: The configuration is wrong.
        LightlyPipelineError: Embeddings are NaN, infinite or zero.
    """
    config = _model(selection_config)
    if not isinstance(embeddings, GridEmbeddings):
        copy = np.array(embeddings, dtype=np.float32, order="C")
        embeddings = prepare_embeddings(copy, normalize=normalize)
    wanted = n_to_select(config, len(embeddings))
    minimum = _minimum_distance(config) / embeddings.scale
    picks = farthest_first(
        embeddings, wanted, stop_squared_distance=minimum * minimum, progress=progress
    )
    return _result(picks, embeddings, wanted)


def n_to_select(selection_config: SelectionConfig, n_candidates: int) -> int:
    """Returns how many rows a configuration asks for, at most all of them.

    `proportion_samples` is rounded down, but a share above 0 gives at least one row.
    """
    if selection_config.proportion_samples is None:
        return min(selection_config.n_samples or 0, n_candidates)
    share = selection_config.proportion_samples
    if share == 0 or n_candidates == 0:
        return 0
    # A tenth of 30 is 3, though 0.1 * 30 may come out a hair below.
    return max(1, floor(share * n_candidates + 1e-9))


def _model(config: SelectionConfig | Mapping[str, Any]) -> SelectionConfig:
    if isinstance(config, SelectionConfig):
        return config
    return SelectionConfig.from_block(config)


def _minimum_distance(config: SelectionConfig) -> float:
    kinds = [(entry.input.type, entry.strategy.type) for entry in config.strategies]
    if kinds != [("EMBEDDINGS", "DIVERSITY")]:
        raise InvalidConfigurationError(
            "selection_config.strategies: exactly one EMBEDDINGS + DIVERSITY strategy is supported"
        )
    return float(config.strategies[0].strategy.stopping_condition_minimum_distance or 0.0)


def _result(picks: Picks, embeddings: GridEmbeddings, wanted: int) -> SelectionResult:
    n_candidates = len(embeddings)
    rest = picks.next_squared_distance
    if len(picks.indices) < wanted:
        stopped_by = "minimum_distance"
    elif len(picks.indices) == n_candidates:
        stopped_by = "candidates_exhausted"
    else:
        stopped_by = "n_samples"
    radius = float(np.sqrt(rest)) * embeddings.scale if rest is not None else 0.0
    return SelectionResult(
        indices=picks.indices,
        distances=np.sqrt(picks.squared_distances) * embeddings.scale,
        coverage_radius=radius if len(picks.indices) else None,
        stopped_by=stopped_by,
        n_candidates=n_candidates,
    )
