"""Selection by Lightly's `selection_config` on plain arrays.

Puts the parts together: checks, thresholds, objective, engine, figures.
"""

from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import ApproximateDiversityConfig, SelectionConfig
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection import figures
from lightly_pipeline.selection.columns import Categories, Columns
from lightly_pipeline.selection.engines import Coverage, pick
from lightly_pipeline.selection.mixture.objective import Objective
from lightly_pipeline.selection.mixture.tally import Tally
from lightly_pipeline.selection.result import SelectionResult, ThresholdOutcome
from lightly_pipeline.selection.strategies.build import build_objective
from lightly_pipeline.selection.strategies.task import Participants
from lightly_pipeline.selection.strategies.threshold import kept_rows
from lightly_pipeline.selection.vectors.grid import GridEmbeddings, prepare_embeddings
from lightly_pipeline.selection.vectors.threads import one_blas_thread


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
    given = {"metadata": metadata, "scores": scores, "categories": categories, "queries": queries}
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
    among = Participants(rows, part, columns, normalize, progress)
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
    if any(entry.input.kind == "EMBEDDINGS with task" for entry in config.strategies):
        raise InvalidConfigurationError(
            "not supported yet: EMBEDDINGS with task (object embeddings); remove task to compare "
            "whole images"
        )
    config.check_distances(normalize=normalize)
    return config


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
    if coverage.largest_squared is None:
        radius, coverage_rows = figures.coverage(part, chosen)
    else:
        radius = float(np.sqrt(coverage.largest_squared)) * part.scale
        coverage_rows = len(part)
    if tally.objective.diversity:
        distances = np.sqrt(np.array(tally.squared_distances)) * part.scale
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
        strategies=tuple(tally.outcome(i) for i in range(len(tally.objective.strategies))),
        thresholds=thresholds,
        neighbors_before=figures.summary(before_distances),
        neighbors_after=figures.summary(figures.neighbor_distances(part, picks)),
        neighbor_distances=before_distances,
    )


def _name(objective: Objective, place: int) -> str:
    return objective.strategies[place].label if objective.strategies else "order of rows"
