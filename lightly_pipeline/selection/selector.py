"""Selection by Lightly's `selection_config` on plain arrays.

Puts the parts together: checks, thresholds, objective, engine, figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig, SelectionConfig
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.logs import logger_of
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection import figures
from lightly_pipeline.selection.columns import Categories, Columns, QueryKey
from lightly_pipeline.selection.engines import Coverage, pick
from lightly_pipeline.selection.mixture.objective import Diversity, Objective
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.objects import Objects, parts_of
from lightly_pipeline.selection.result import SelectionResult, StrategyOutcome, ThresholdOutcome
from lightly_pipeline.selection.strategies.build import build_objective
from lightly_pipeline.selection.strategies.task import Participants
from lightly_pipeline.selection.strategies.threshold import kept_rows
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.vectors.parts import Parts
from lightly_pipeline.selection.vectors.threads import one_blas_thread

_logger = logger_of(__name__)


def select(
    embeddings: NDArray[np.float32] | GridEmbeddings,
    selection_config: SelectionConfig | Mapping[str, Any],
    *,
    preselected: NDArray[np.int64] | Sequence[int] | None = None,
    metadata: Mapping[str, NDArray[Any]] | None = None,
    scores: Mapping[tuple[str, str], NDArray[np.float64]] | None = None,
    categories: Mapping[str, Categories] | None = None,
    queries: Mapping[QueryKey, NDArray[np.float32]] | None = None,
    objects: Mapping[str, Objects] | None = None,
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
        queries: SIMILARITY queries by (dataset id or None for this one, tag name), shape (Q, d);
            for objects by (dataset id or None, tag name, task).
        objects: EMBEDDINGS inputs with a task, by task.
        normalize: Bring rows, objects and queries to unit length; with prepared ones, say how they
            were prepared.
        seed: Of RANDOM inputs without `random_seed`.
        approximate_diversity: Look at a part of the candidates, with DIVERSITY alone: a model, or
            a mapping such as {"every_nth": 10}. The result's `coverage_bound` says what it costs.
        progress: Called with the number of picks, and of rows where TYPICALITY searches neighbours.

    Returns:
        The chosen rows with figures. `n_samples` and `proportion_samples` count new picks; the
        proportion is of all rows that are not preselected, before any THRESHOLD.

    Raises:
        InvalidConfigurationError: The configuration is wrong, or asks for an input not given.
        LightlyPipelineError: Embeddings are NaN, infinite or zero, or (not normalised) of such
            different lengths that the grid cannot hold them; a column has the wrong shape or kind,
            is NaN, or negative where that cannot be weighed; THRESHOLD leaves no candidate.

    Example:
        >>> import numpy as np
        >>> rows = np.array([[1, 0], [1, 0.1], [0, 1]], dtype=np.float32)
        >>> diversity = {"input": {"type": "EMBEDDINGS"}, "strategy": {"type": "DIVERSITY"}}
        >>> select(rows, {"n_samples": 2, "strategies": [diversity]}).indices.tolist()
        [0, 2]
    """
    config = _model(selection_config, normalize=normalize)
    if not isinstance(embeddings, GridEmbeddings):
        embeddings = prepare_embeddings(_copied(embeddings), normalize=normalize)
    chosen_before = _checked_rows(preselected, len(embeddings))
    given = {
        "metadata": metadata,
        "scores": scores,
        "categories": categories,
        "queries": queries,
        "objects": objects,
    }
    columns = Columns(len(embeddings), **_mappings(given), seed=seed)
    approximate = ApproximateDiversityConfig.from_block(
        approximate_diversity or {}, "approximate_diversity"
    )
    approximate.check_goes_with(config)
    with one_blas_thread():
        return _select(embeddings, config, chosen_before, columns, normalize, approximate, progress)


def _select(
    embeddings: GridEmbeddings,
    config: SelectionConfig,
    preselected: NDArray[np.int64],
    columns: Columns,
    normalize: bool,
    approximate: ApproximateDiversityConfig,
    progress: Progress,
) -> SelectionResult:
    kept, thresholds = kept_rows(config.strategies, columns, preselected)
    rows = np.flatnonzero(kept)
    part = embeddings if len(rows) == len(embeddings) else embeddings.take(rows)
    objects = _objects(config, columns, rows, normalize=normalize)
    among = Participants(rows, part, columns, objects, normalize, progress)
    objective = build_objective(config.strategies, among)
    wanted = n_to_select(config, len(embeddings) - len(preselected))
    tally = Tally(objective, part, min(wanted, len(rows) - len(preselected)), progress)
    coverage = pick(part, tally, np.searchsorted(rows, preselected), approximate)
    return _result(among, tally, preselected, coverage, thresholds)


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


def _model(config: SelectionConfig | Mapping[str, Any], *, normalize: bool) -> SelectionConfig:
    if not isinstance(config, SelectionConfig):
        config = SelectionConfig.from_block(config, "selection_config")
    config.check_distances(normalize=normalize)
    return config


def _objects(
    config: SelectionConfig, columns: Columns, rows: NDArray[np.int64], *, normalize: bool
) -> dict[str, Parts]:
    """Returns the objects of some rows, of each task that a strategy compares."""
    inputs = [entry.input for entry in config.strategies if entry.strategy.strength != 0]
    tasks = dict.fromkeys(one.task for one in inputs if one.type == "EMBEDDINGS" and one.task)
    given = {task: columns.objects_of(task) for task in tasks}
    return {task: _parts(task, given[task], rows, normalize=normalize) for task in tasks}


def _parts(task: str, objects: Objects, rows: NDArray[np.int64], *, normalize: bool) -> Parts:
    try:
        parts = parts_of(objects, rows, normalize=normalize)
    except LightlyPipelineError as error:
        raise LightlyPipelineError(f"the objects of task {task}: {error}") from None
    if not len(parts.embeddings):
        _logger.warning("no frame has an object of task %s: its strategies say nothing", task)
    return parts


def _copied(embeddings: Any) -> NDArray[np.float32]:
    try:
        return np.array(embeddings, dtype=np.float32, order="C")
    except (TypeError, ValueError):
        raise LightlyPipelineError(
            "embeddings are no matrix of numbers: give a float32 array of shape (N, d)"
        ) from None


def _mappings(given: Mapping[str, Any]) -> dict[str, Any]:
    for name, columns in given.items():
        if columns is not None and not isinstance(columns, Mapping):
            raise LightlyPipelineError(
                f"{name} must be a mapping from names to arrays, not {type(columns).__name__}"
            )
    return {name: columns or {} for name, columns in given.items()}


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


def _result(
    among: Participants,
    tally: Tally,
    preselected: NDArray[np.int64],
    coverage: Coverage,
    thresholds: tuple[ThresholdOutcome, ...],
) -> SelectionResult:
    rows, part = among.rows, among.embeddings
    picks = np.array(tally.picks, dtype=np.int64)
    before = np.searchsorted(rows, preselected)
    chosen = np.concatenate([before, picks])
    candidates = np.setdiff1d(rows, preselected, assume_unique=True)
    radius, coverage_rows = _coverage(among, tally, chosen, coverage)
    of_rows = tally.objective.of_rows
    if of_rows is not None:
        distances = np.sqrt(np.array(tally.squared_distances[of_rows])) * part.scale
    else:
        distances = figures.pick_distances(part, before, picks)
    before_distances = figures.neighbor_distances(part)
    exhausted = len(picks) == len(candidates) and tally.stopped_by == "n_samples"
    return SelectionResult(
        indices=rows[picks],
        distances=distances,
        decided_by=tuple(_name(tally.objective, place) for place in tally.decided_by),
        coverage_radius=radius,
        coverage_rows=coverage_rows,
        coverage_bound=coverage.bound,
        stopped_by="candidates_exhausted" if exhausted else str(tally.stopped_by),
        candidates=candidates,
        n_removed_by_threshold=among.columns.n_rows - len(rows),
        n_preselected=len(preselected),
        strategies=tuple(
            _outcome(tally, i, coverage) for i in range(len(tally.objective.strategies))
        ),
        thresholds=thresholds,
        neighbors_before=figures.summary(before_distances),
        neighbors_after=figures.summary(figures.neighbor_distances(part, picks)),
        neighbor_distances=before_distances,
        object_distances=_object_distances(tally),
    )


def _coverage(
    among: Participants, tally: Tally, chosen: NDArray[np.int64], coverage: Coverage
) -> tuple[float | None, int]:
    """Returns the largest distance of a row to its nearest chosen one, and the rows measured."""
    part, place = among.embeddings, tally.objective.of_rows
    largest = None if place is None else coverage.largest_squared.get(place)
    if largest is None:
        return figures.coverage(part, chosen)
    return float(np.sqrt(largest)) * part.scale, len(part)


def _outcome(tally: Tally, i: int, coverage: Coverage) -> StrategyOutcome:
    """Returns what became of a strategy, with what only the engine knows of objects."""
    outcome, strategy = tally.outcome(i), tally.objective.strategies[i]
    largest = coverage.largest_squared.get(i)
    if not isinstance(strategy, Diversity) or strategy.objects is None or largest is None:
        return outcome
    radius = float(np.sqrt(largest)) * strategy.objects.embeddings.scale
    return replace(outcome, coverage_radius=radius)


def _object_distances(tally: Tally) -> dict[str, NDArray[np.float64]]:
    """Returns how far the objects of each pick were, by DIVERSITY strategy of a task."""
    return {
        strategy.label: np.sqrt(np.maximum(tally.squared_distances[i], 0.0))
        * strategy.objects.embeddings.scale
        for i, strategy in tally.objective.diversities.items()
        if strategy.objects is not None
    }


def _name(objective: Objective, place: int) -> str:
    return objective.strategies[place].label if objective.strategies else "order of rows"
