"""Numbers and categories of the frames: over all that took part, and over the chosen ones.

The quality numbers of the frame tables, and everything else that a strategy read.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import StrategyEntry
from lightly_pipeline.inputs.quality import KEY_PREFIX, column_of
from lightly_pipeline.report.gather.material import Material
from lightly_pipeline.report.numbers import Distances, Histogram
from lightly_pipeline.selection.columns import Columns

_BINS = 30
_DISTANCE_BINS = 40
_MAX_LABELS = 30
_OTHERS = "(all others)"
_READ_AS_NUMBERS = ("WEIGHTS", "THRESHOLD")


def histograms(
    material: Material, quality: Mapping[str, NDArray[np.float32]]
) -> tuple[Histogram, ...]:
    """Returns the histograms of a choice: quality numbers first, then inputs as configured.

    Args:
        material: The selection.
        quality: Numbers by column, of the rows that belong to candidates' videos.
    """
    pool = np.setdiff1d(np.arange(material.pool.n_candidate_rows), material.before)
    found = {name: _of_numbers(name, v, pool, material.chosen) for name, v in quality.items()}
    more = []
    thresholds = iter(material.summary.get("thresholds", ()))
    columns = columns_of(material)
    for entry in material.config.selection.strategies:
        threshold = next(thresholds, None) if entry.strategy.type == "THRESHOLD" else None
        for made in _of_entry(entry, columns, pool, material.chosen):
            one = found.get(made.name, made)
            if threshold is not None and one.threshold is not None:
                # Another THRESHOLD on the same number has a histogram of its own.
                more.append(_with_threshold(made, threshold, material))
            elif threshold is not None:
                found[made.name] = _with_threshold(one, threshold, material)
            else:
                found[made.name] = one
    return (*found.values(), *more)


def columns_of(material: Material) -> Columns:
    """Returns what the strategies read, frame by frame."""
    inputs = material.inputs
    return Columns(
        len(material.pool.rows),
        inputs.metadata,
        inputs.scores,
        inputs.categories,
        seed=material.config.lightly.seed,
    )


def distances(name: str, values: NDArray[np.float64], n_all: int) -> Distances | None:
    """Returns the histogram of some distances; None where there are none.

    Args:
        name: What they are between.
        values: The distances.
        n_all: Frames that they are a sample of, or all of them.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    counts, edges = np.histogram(
        values, bins=_DISTANCE_BINS, range=(0.0, float(values.max()) or 1.0)
    )
    n_measured = len(values) if len(values) < n_all else None
    return Distances(name, edges, counts.astype(np.int64), _metrics(values), n_measured)


def _with_threshold(one: Histogram, threshold: Mapping[str, Any], material: Material) -> Histogram:
    frames_each = material.config.worker.selected_sequence_length
    return replace(
        one,
        threshold=(threshold["operation"], threshold["value"]),
        n_removed=threshold["n_removed"] * frames_each,
    )


def _of_entry(
    entry: StrategyEntry, columns: Columns, pool: NDArray[np.int64], chosen: NDArray[np.int64]
) -> Iterator[Histogram]:
    """Yields the histogram of what a strategy read, if that was a number or a category."""
    source, kind = entry.input, entry.strategy.type
    if kind in _READ_AS_NUMBERS and (source.type != "RANDOM" or kind == "THRESHOLD"):
        yield _of_numbers(_name(entry), columns.numbers(source), pool, chosen)
    elif kind == "BALANCE" and source.type == "METADATA":
        classes = columns.classes(source)
        pool_counts, chosen_counts = classes.take(pool).sums, classes.take(chosen).sums
        yield _of_counts(_name(entry), classes.names, pool_counts, chosen_counts)
    elif kind == "BALANCE":
        found = columns.categories[str(source.task)]
        pool_counts, chosen_counts = found.counts[pool].sum(0), found.counts[chosen].sum(0)
        yield _of_counts(_name(entry), found.names, pool_counts, chosen_counts)


def _name(entry: StrategyEntry) -> str:
    source = entry.input
    if source.type == "METADATA":
        key = str(source.key)
        column = column_of(key) if key.startswith(KEY_PREFIX) else ""
        return column or key
    if source.type == "SCORES":
        return f"{source.score} of {source.task}"
    if source.type == "PREDICTIONS":
        return " ".join(["objects of", str(source.task), *(source.categories or ())])
    return str(source.type).lower()


def _of_numbers(
    name: str, values: NDArray[Any], pool: NDArray[np.int64], chosen: NDArray[np.int64]
) -> Histogram:
    of_pool = values[pool].astype(np.float64)
    of_chosen = values[chosen].astype(np.float64)
    edges = _edges(of_pool)
    return Histogram(
        name,
        edges,
        (),
        np.histogram(of_pool, edges)[0].astype(np.int64),
        np.histogram(of_chosen, edges)[0].astype(np.int64),
        pool_metrics=_metrics(of_pool),
        chosen_metrics=_metrics(of_chosen),
    )


def _edges(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the edges of bins: one per whole number where there are few of them."""
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not np.isfinite([low, high]).all():
        return np.array([0.0, 1.0])
    if high - low <= _BINS and (np.rint(values) == values).all():
        return np.arange(low - 0.5, high + 1)
    if low == high:
        return np.array([low - 0.5, high + 0.5])
    return np.linspace(low, high, _BINS + 1)


def _of_counts(
    name: str,
    labels: Iterable[str],
    of_pool: NDArray[np.float64],
    of_chosen: NDArray[np.float64],
) -> Histogram:
    """Returns a histogram of categories, the most frequent of the pool first."""
    names = list(labels)
    order = np.argsort(-of_pool, kind="stable")
    shown, rest = order[:_MAX_LABELS], order[_MAX_LABELS:]
    texts = [names[place] for place in shown]
    counts = [np.rint(values[shown]).astype(np.int64) for values in (of_pool, of_chosen)]
    if len(rest):
        texts.append(_OTHERS)
        counts = [
            np.append(shown_counts, np.int64(round(float(values[rest].sum()))))
            for shown_counts, values in zip(counts, (of_pool, of_chosen), strict=True)
        ]
    return Histogram(name, None, tuple(texts), counts[0], counts[1])


def _metrics(values: NDArray[np.float64]) -> dict[str, float]:
    """Returns the figures of some numbers; none of none."""
    if not len(values):
        return {}
    return {
        "mean": float(values.mean()),
        "std": float(values.std()),
        "min": float(values.min()),
        "median": float(np.median(values)),
        "max": float(values.max()),
    }
