"""Entries of `selection_config.strategies` as the objective of a selection.

What each strategy type makes of its input and options, for the rows that thresholds left. Reading
and checking the inputs is in `inputs.py`, TYPICALITY and SIMILARITY in modules of their own.
"""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionStrategy, StrategyEntry
from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.progress import Progress, silent
from lightly_pipeline.selection.inputs import (
    Classes,
    Inputs,
    check_not_negative,
    class_name,
    name_of,
)
from lightly_pipeline.selection.mixture.objective import (
    Balance,
    Diversity,
    Objective,
    Strategy,
    Weights,
)
from lightly_pipeline.selection.similarity import similarity
from lightly_pipeline.selection.typicality import typicality
from lightly_pipeline.selection.vectors.grid import GridEmbeddings

DEFAULT_NEIGHBORS = 20
"""TYPICALITY without `num_nearest_neighbors`, as LightlyStudio has it."""
_logger = logging.getLogger(__name__)
_FULL = 1 - 1e-9
_OTHER = "(all others)"


def build_objective(
    entries: Sequence[StrategyEntry],
    inputs: Inputs,
    embeddings: GridEmbeddings,
    rows: NDArray[np.int64],
    *,
    normalize: bool,
    progress: Progress = silent,
) -> Objective:
    """Returns the objective for some rows.

    Args:
        entries: The strategies; THRESHOLD and strengths of 0 are passed over.
        inputs: What they read, for all N rows.
        embeddings: Of `rows` only.
        rows: Shape (n,), of the rows that take part.
        normalize: Bring queries to unit length.
        progress: Told about rows where neighbours are searched.
    """
    wanted = [e for e in entries if e.strategy.type != "THRESHOLD" and e.strategy.strength != 0]
    labels = _labels(wanted)
    strategies = [
        _strategy(entry, label, inputs, embeddings, rows, normalize, progress)
        for entry, label in zip(wanted, labels, strict=True)
    ]
    strategies = _one_diversity(strategies)
    for strategy in strategies:
        limited = isinstance(strategy, Weights) and (strategy.max_sum or strategy.target_range)
        if isinstance(strategy, Weights) and (len(strategies) > 1 or limited):
            check_not_negative(strategy.values, strategy.label)
    return Objective(tuple(strategies))


def _strategy(
    entry: StrategyEntry,
    label: str,
    inputs: Inputs,
    embeddings: GridEmbeddings,
    rows: NDArray[np.int64],
    normalize: bool,
    progress: Progress,
) -> Strategy:
    options = entry.strategy
    if options.type == "DIVERSITY":
        minimum = (options.stopping_condition_minimum_distance or 0.0) / embeddings.scale
        return Diversity(label, options.strength, minimum * minimum)
    if options.type == "TYPICALITY":
        n_neighbors = options.num_nearest_neighbors or DEFAULT_NEIGHBORS
        values = typicality(embeddings, n_neighbors, progress=progress)
        minimum_typicality = options.stopping_condition_minimum_typicality
        return Weights(label, options.strength, values, minimum=minimum_typicality)
    if options.type == "SIMILARITY":
        query = inputs.query(entry.input)
        return Weights(label, options.strength, similarity(embeddings, query, normalize=normalize))
    if options.type == "BALANCE":
        classes = inputs.classes(entry.input)
        part = Classes(classes.names, classes.table, classes.groups[rows], classes.closed)
        return _balance(label, options, part)
    span = options.target_range
    return Weights(
        label,
        options.strength,
        inputs.numbers(entry.input)[rows],
        max_sum=options.stopping_condition_max_sum,
        target_range=(span.min_sum, span.max_sum) if span else None,
    )


def _labels(entries: Sequence[StrategyEntry]) -> list[str]:
    """Returns a distinct name for each strategy, such as "WEIGHTS of METADATA lightly.snr"."""
    names = [f"{entry.strategy.type} of {name_of(entry.input)}" for entry in entries]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: i + 1].count(name)})"
        for i, name in enumerate(names)
    ]


def _one_diversity(strategies: Sequence[Strategy]) -> list[Strategy]:
    """Joins several DIVERSITY strategies, which have the same objective: strengths add up."""
    several = [s for s in strategies if isinstance(s, Diversity)]
    if len(several) < 2:
        return list(strategies)
    joined = Diversity(
        several[0].label.removesuffix(" (1)"),
        sum(s.strength for s in several),
        max(s.minimum_squared for s in several),
    )
    others: list[Strategy] = [s for s in strategies if not isinstance(s, Diversity)]
    return [joined, *others] if joined.strength else others


def _balance(label: str, options: SelectionStrategy, classes: Classes) -> Balance:
    if options.distribution in ("UNIFORM", "INPUT"):
        present = np.flatnonzero(classes.sums > 0)
        shares = classes.sums[present] if options.distribution == "INPUT" else np.ones(len(present))
        names = tuple(classes.names[i] for i in present)
        table, target = classes.table[:, present], shares / max(shares.sum(), 1.0)
        return Balance(label, options.strength, names, target, table, classes.groups)
    wanted = _target(options, classes, label)
    table = np.stack([_column(classes, name) for name in wanted], axis=1)
    shares = np.array(list(wanted.values()))
    names = tuple(wanted)
    others = [i for i, name in enumerate(classes.names) if name not in wanted]
    if others or shares.sum() < _FULL:
        table = np.column_stack([table, classes.table[:, others].sum(axis=1)])
        shares, names = np.append(shares, max(0.0, 1 - shares.sum())), (*names, _OTHER)
    return Balance(label, options.strength, names, shares / shares.sum(), table, classes.groups)


def _target(options: SelectionStrategy, classes: Classes, label: str) -> dict[str, float]:
    """Returns the target by the names that the data have, case of booleans aside."""
    target: dict[str, float] = {}
    for given, share in (options.target or {}).items():
        name = class_name(given == "True") if given in ("True", "False") else given
        name = given if given in classes.names else name
        if name not in classes.names and classes.closed:
            raise InvalidConfigurationError(
                f"{label}: target names the class {given}, which the task does not have; "
                f"it has {', '.join(classes.names)}"
            )
        if name not in classes.names:
            _logger.warning(
                "%s: no frame has the class %s that the target names; there is %s",
                label,
                given,
                ", ".join(classes.names),
            )
        target[name] = share
    return target


def _column(classes: Classes, name: str) -> NDArray[np.float64]:
    if name not in classes.names:
        return np.zeros(len(classes.table))
    return classes.table[:, classes.names.index(name)]
