"""Selection by Lightly's `selection_config` on plain arrays.

Puts the parts together: checks, thresholds, objective, engine, figures. Which engine serves which
objective is decided here; all of them give the sequence of `direct.py`.
"""

import logging
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig, SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection import figures
from lightly_pipeline.selection.inputs import Categories, Inputs, kept_by_thresholds
from lightly_pipeline.selection.mixture.direct import is_by_value, pick_by_value, pick_directly
from lightly_pipeline.selection.mixture.objective import Balance, Diversity, Objective, Weights
from lightly_pipeline.selection.mixture.rounds import MAX_GROUPS, n_groups, pick_lazily
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.result import SelectionResult, StrategyOutcome
from lightly_pipeline.selection.strategies import build_objective
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.vectors.threads import one_blas_thread

_logger = logging.getLogger(__name__)
# Below these the direct engine is as fast: measured at 128 dimensions.
_LAZY_FROM_PICKS = 250
_LAZY_FROM_PRODUCTS = 3_000_000_000


def select(
    embeddings: NDArray[np.float32] | GridEmbeddings,
    selection_config: SelectionConfig | Mapping[str, Any],
    *,
    preselected: NDArray[np.int64] | Sequence[int] | None = None,
    metadata: Mapping[str, NDArray[Any]] | None = None,
    scores: Mapping[tuple[str, str], NDArray[np.float64]] | None = None,
    categories: Mapping[str, Categories] | None = None,
    queries: Mapping[tuple[str | None, str], NDArray[np.float32]] | None = None,
    normalize: bool = True,
    seed: int = 1,
    approximate_diversity: ApproximateDiversityConfig | Mapping[str, Any] | None = None,
    progress: Progress = silent,
) -> SelectionResult:
    """Chooses rows by the strategies of a configuration.

    THRESHOLD strategies remove rows first. Then, one at a time, the candidate is taken that
    maximises the product over all other strategies of objective^strength (see `objective.py`).
    Exact: distances are Euclidean between the embeddings on the grid of 2^-25; scores of several
    strategies are rounded to 2^-40 (times the next power of two above the sum of strengths), those
    of a single one compared as they are; ties go to the lowest index. So the choice is the same on
    every machine and number of threads.

    Args:
        embeddings: Shape (N, d), float32, candidates and preselected rows; left as they are
            (copied). To spare the copy, pass what `prepare_embeddings` made of them.
        selection_config: A model, or a mapping in Lightly's shape.
        preselected: Distinct rows that count as chosen already, in their order. They are never
            returned or removed by a THRESHOLD, and do not count towards n_samples and sums.
        metadata: METADATA inputs by key, shape (N,): numbers for WEIGHTS and THRESHOLD; strings,
            booleans or objects (None: no class) for BALANCE.
        scores: SCORES inputs by (task, score), shape (N,), numbers.
        categories: PREDICTIONS inputs by task.
        queries: SIMILARITY queries by (dataset id or None for this one, tag name), shape (Q, d).
        normalize: Bring rows and queries to unit length; with prepared embeddings, say how they
            were prepared.
        seed: Of RANDOM inputs without `random_seed`.
        approximate_diversity: Look at a part of the candidates, with DIVERSITY alone: a model, or
            a mapping such as {"every_nth": 10}. The result's `coverage_bound` says what it costs.
        progress: Told about picks, and about rows where TYPICALITY searches neighbours.

    Returns:
        The chosen rows with figures. `n_samples` and `proportion_samples` count new picks; the
        proportion is of all rows that are not preselected, before any THRESHOLD.

    Raises:
        InvalidConfigurationError: The configuration is wrong, or asks for an input not given.
        LightlyPipelineError: Embeddings are NaN, infinite or zero; an input has the wrong length
            or kind, is NaN, or negative where that cannot be weighed.

    Example:
        >>> import numpy as np
        >>> rows = np.array([[1, 0], [1, 0.1], [0, 1]], dtype=np.float32)
        >>> diversity = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
        >>> select(rows, {"n_samples": 2, "strategies": [diversity]}).indices.tolist()
        [0, 2]
    """
    config = _model(selection_config)
    chosen_before = _checked_rows(preselected, len(embeddings))
    inputs = Inputs(
        len(embeddings), metadata or {}, scores or {}, categories or {}, queries or {}, seed
    )
    approximate = ApproximateDiversityConfig.from_block(
        approximate_diversity or {}, "approximate_diversity"
    )
    approximate.check_goes_with(config)
    with one_blas_thread():
        return _select(embeddings, config, chosen_before, inputs, normalize, approximate, progress)


def _select(
    embeddings: NDArray[np.float32] | GridEmbeddings,
    config: SelectionConfig,
    preselected: NDArray[np.int64],
    inputs: Inputs,
    normalize: bool,
    approximate: ApproximateDiversityConfig,
    progress: Progress,
) -> SelectionResult:
    if not isinstance(embeddings, GridEmbeddings):
        copy = np.array(embeddings, dtype=np.float32, order="C")
        embeddings = prepare_embeddings(copy, normalize=normalize)
    rows = _participants(config, inputs, preselected)
    part = embeddings if len(rows) == len(embeddings) else embeddings.take(rows)
    objective = build_objective(
        config.strategies, inputs, part, rows, normalize=normalize, progress=progress
    )
    wanted = n_to_select(config, len(embeddings) - len(preselected))
    tally = Tally(objective, part, min(wanted, len(rows) - len(preselected)), progress)
    before = np.searchsorted(rows, preselected)
    if approximate.is_wanted:
        bound = _pick_from_a_part(part, tally, before, approximate)
        return _result(embeddings, part, rows, tally, preselected, None, bound)
    rest_squared = _pick(part, tally, before)
    return _result(embeddings, part, rows, tally, preselected, rest_squared, None)


def n_to_select(selection_config: SelectionConfig, n_candidates: int) -> int:
    """Returns how many rows a configuration asks for, at most all of them.

    `proportion_samples` is rounded down, but a share above 0 gives at least one row.

    >>> diversity = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
    >>> config = {"proportion_samples": 0.1, "strategies": [diversity]}
    >>> n_to_select(SelectionConfig.from_block(config), 39)
    3
    """
    if selection_config.proportion_samples is None:
        return min(selection_config.n_samples or 0, n_candidates)
    share = selection_config.proportion_samples
    if share == 0 or n_candidates == 0:
        return 0
    # A tenth of 30 is 3, though 0.1 * 30 may come out a hair below.
    return max(1, floor(share * n_candidates + 1e-9))


def _model(config: SelectionConfig | Mapping[str, Any]) -> SelectionConfig:
    if not isinstance(config, SelectionConfig):
        config = SelectionConfig.from_block(config, "selection_config")
    if any(entry.input.kind == "EMBEDDINGS with task" for entry in config.strategies):
        raise InvalidConfigurationError(
            "not supported yet: EMBEDDINGS with task (object embeddings); remove task to compare "
            "whole images"
        )
    return config


def _checked_rows(
    preselected: NDArray[np.int64] | Sequence[int] | None, n_rows: int
) -> NDArray[np.int64]:
    rows = np.asarray([] if preselected is None else preselected)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise LightlyPipelineError("preselected must be a sequence of row indices")
    rows = rows.astype(np.int64)
    outside = rows[(rows < 0) | (rows >= n_rows)]
    if len(outside):
        raise LightlyPipelineError(
            f"preselected names row {outside[0]}, but there are {n_rows} embeddings"
        )
    if len(np.unique(rows)) < len(rows):
        raise LightlyPipelineError("preselected names a row twice")
    return rows


def _participants(
    config: SelectionConfig, inputs: Inputs, preselected: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns the rows that take part: those that pass the thresholds, and the preselected."""
    kept = kept_by_thresholds(config.strategies, inputs)
    kept[preselected] = True
    return np.flatnonzero(kept)


def _pick(part: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64]) -> float | None:
    """Runs the engine that serves the objective; returns the largest D afterwards, where known."""
    objective = tally.objective
    if is_by_value(objective):
        pick_by_value(tally, preselected, len(part))
        return None
    alone = len(objective.strategies) == 1 and objective.diversity
    if alone and alone.strength > 0:
        return _pick_farthest_first(part, tally, preselected, alone)
    pick = pick_lazily if _is_worth_laziness(part, tally) else pick_directly
    with part.read_here_and_there():
        return pick(part, tally, preselected)


def _is_worth_laziness(part: GridEmbeddings, tally: Tally) -> bool:
    """Returns whether the lazy engine can serve the objective, and is faster than the direct."""
    objective = tally.objective
    if not objective.diversity or objective.diversity.strength < 0:
        return False
    if tally.k < _LAZY_FROM_PICKS or tally.k * part.vectors.size < _LAZY_FROM_PRODUCTS:
        return False
    return n_groups(objective, len(part)) <= MAX_GROUPS


def _pick_farthest_first(
    part: GridEmbeddings, tally: Tally, preselected: NDArray[np.int64], diversity: Diversity
) -> float:
    from lightly_pipeline.selection.kcenter.greedy import farthest_first

    found = farthest_first(
        part,
        tally.k,
        preselected=preselected,
        stop_squared_distance=diversity.minimum_squared,
        progress=tally.progress,
    )
    stopped_by = "n_samples" if len(found.indices) == tally.k else "minimum_distance"
    tally.adopt(found.indices, found.squared_distances, stopped_by)
    return 0.0 if found.next_squared_distance is None else found.next_squared_distance


def _pick_from_a_part(
    part: GridEmbeddings,
    tally: Tally,
    preselected: NDArray[np.int64],
    approximate: ApproximateDiversityConfig,
) -> float:
    """Picks for DIVERSITY alone without looking at all rows; returns the coverage bound."""
    from lightly_pipeline.selection.kcenter.approximate import pick_approximately

    diversity = tally.objective.diversity
    assert diversity is not None
    found = pick_approximately(
        part,
        tally.k,
        approximate,
        preselected=preselected,
        stop_squared_distance=diversity.minimum_squared,
        progress=tally.progress,
    )
    if found.stopped_by == "candidates_exhausted":
        _logger.warning(
            "approximate_diversity leaves %d of %d candidates to choose from, and %d are wanted: "
            "all of them are chosen; look at more to get the rest",
            found.n_looked_at,
            len(part) - len(preselected),
            tally.k,
        )
    tally.adopt(found.indices, found.squared_distances, found.stopped_by)
    return found.coverage_bound


def _result(
    embeddings: GridEmbeddings,
    part: GridEmbeddings,
    rows: NDArray[np.int64],
    tally: Tally,
    preselected: NDArray[np.int64],
    rest_squared: float | None,
    coverage_bound: float | None,
) -> SelectionResult:
    picks = np.array(tally.picks, dtype=np.int64)
    before = np.searchsorted(rows, preselected)
    chosen = np.concatenate([before, picks])
    n_candidates = len(rows) - len(preselected)
    if rest_squared is None:
        radius, coverage_rows = figures.coverage(part, chosen)
    else:
        radius, coverage_rows = float(np.sqrt(rest_squared)) * part.scale, len(part)
    if tally.objective.diversity:
        distances = np.sqrt(np.array(tally.squared_distances)) * part.scale
    else:
        distances = figures.pick_distances(part, before, picks)
    exhausted = len(picks) == n_candidates and tally.stopped_by == "n_samples"
    return SelectionResult(
        indices=rows[picks],
        distances=distances,
        decided_by=tuple(_name(tally.objective, place) for place in tally.decided_by),
        coverage_radius=radius,
        coverage_rows=coverage_rows,
        coverage_bound=coverage_bound,
        stopped_by="candidates_exhausted" if exhausted else str(tally.stopped_by),
        n_candidates=n_candidates,
        n_removed_by_threshold=len(embeddings) - len(rows),
        n_preselected=len(preselected),
        strategies=tuple(
            _outcome(tally, place) for place in range(len(tally.objective.strategies))
        ),
        neighbors_before=figures.neighbor_summary(part),
        neighbors_after=figures.neighbor_summary(part, picks),
    )


def _name(objective: Objective, place: int) -> str:
    return objective.strategies[place].label if objective.strategies else "order of rows"


def _outcome(tally: Tally, place: int) -> StrategyOutcome:
    strategy = tally.objective.strategies[place]
    n_decided = tally.decided_by.count(place)
    if isinstance(strategy, Weights):
        return StrategyOutcome(
            strategy.label, strategy.strength, n_decided, sum=tally.sum_of(place)
        )
    if isinstance(strategy, Balance):
        shares = strategy.shares(tally.totals_of(place))
        return StrategyOutcome(
            strategy.label,
            strategy.strength,
            n_decided,
            target=dict(zip(strategy.classes, strategy.target.tolist(), strict=True)),
            achieved=dict(zip(strategy.classes, shares.tolist(), strict=True)),
        )
    return StrategyOutcome(strategy.label, strategy.strength, n_decided)
