"""From strategies and plain arrays to the objective and the rows that thresholds leave.

What an entry of `selection_config.strategies` reads is looked up and checked here, before any work:
lengths, kinds, NaN, negative weights, unknown classes. The formulas are in `objective.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionInput, StrategyEntry
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError

_SHOWN = 10
_COMPARE = {
    "SMALLER": np.less,
    "SMALLER_EQUAL": np.less_equal,
    "BIGGER": np.greater,
    "BIGGER_EQUAL": np.greater_equal,
}


@dataclass(frozen=True, slots=True)
class Categories:
    """What predictions of one task say about each row.

    Attributes:
        names: The C categories of the task.
        distribution: Shape (N, C), float64, at least 0: summed class probabilities of the row's
            objects (CLASS_DISTRIBUTION).
        counts: Shape (N, C), float64, at least 0: numbers of objects (CATEGORY_COUNT).
    """

    names: tuple[str, ...]
    distribution: NDArray[np.float64]
    counts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that strategies may read, for N rows.

    Attributes:
        n_rows: N.
        metadata: By key, shape (N,): numbers, or strings, bools or objects for categories.
        scores: By (task, score), shape (N,).
        categories: By task.
        queries: By (dataset id or None, tag name): shape (Q, d).
        seed: Of RANDOM inputs without `random_seed`.
    """

    n_rows: int
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    categories: Mapping[str, Categories] = field(default_factory=dict)
    queries: Mapping[tuple[str | None, str], NDArray[np.float32]] = field(default_factory=dict)
    seed: int = 1

    def numbers(self, source: SelectionInput) -> NDArray[np.float64]:
        """Returns the number per row that an input stands for, shape (N,).

        Raises:
            LightlyPipelineError: It is missing, of the wrong length, not numeric, NaN or infinite.
        """
        name = name_of(source)
        if source.type == "RANDOM":
            seed = self.seed if source.random_seed is None else source.random_seed
            return random_numbers(self.n_rows, seed)
        if source.type == "METADATA":
            values = _found(self.metadata, source.key, name, "metadata")
            if np.asarray(values).dtype.kind not in "iuf":
                raise LightlyPipelineError(
                    f"{name} holds {_kind(values)}, not numbers: it goes with BALANCE only"
                )
        elif source.type == "SCORES":
            values = _found(self.scores, (source.task, source.score), name, "scores")
        else:
            found = _found(self.categories, source.task, name, "categories")
            wanted = source.categories or found.names
            columns = [_class_place(label, found.names, name) for label in wanted]
            counts = self._checked(found.counts, name, found.names)
            values = counts[:, columns].sum(axis=1)
        return self._checked(values, name)

    def classes(self, source: SelectionInput) -> "Classes":
        """Returns the class row of each row.

        Raises:
            LightlyPipelineError: It is missing, of the wrong length, numeric, NaN or infinite.
        """
        name = name_of(source)
        if source.type == "METADATA":
            values = np.asarray(_found(self.metadata, source.key, name, "metadata"))
            if values.dtype.kind in "iuf":
                raise LightlyPipelineError(
                    f"{name} holds numbers, not categories: it goes with WEIGHTS and THRESHOLD; "
                    "for BALANCE give strings or booleans"
                )
            self._check_length(values, name)
            return _one_hot(values)
        found = _found(self.categories, source.task, name, "categories")
        rows = self._checked(found.distribution, name, found.names)
        table, groups = np.unique(rows, axis=0, return_inverse=True)
        return Classes(found.names, table, groups.reshape(-1).astype(np.int64), closed=True)

    def query(self, source: SelectionInput) -> NDArray[np.float32]:
        """Returns the vectors that SIMILARITY compares with, shape (Q, d).

        Raises:
            LightlyPipelineError: They are missing, or there is none.
        """
        name = name_of(source)
        vectors = _found(self.queries, (source.dataset_id, source.tag_name), name, "queries")
        if vectors.ndim != 2 or not len(vectors):
            raise LightlyPipelineError(
                f"{name}: the query has no vectors to be similar to (shape {vectors.shape})"
            )
        return np.array(vectors, dtype=np.float32, order="C")

    def _checked(
        self, values: NDArray[Any], name: str, classes: tuple[str, ...] = ()
    ) -> NDArray[np.float64]:
        numbers = np.asarray(values, dtype=np.float64)
        self._check_length(numbers, name)
        if classes and (numbers.ndim != 2 or numbers.shape[1] != len(classes)):
            raise LightlyPipelineError(
                f"{name}: expected {len(classes)} columns, one per class, got shape {numbers.shape}"
            )
        finite = np.isfinite(numbers)
        bad = np.flatnonzero(~finite if not classes else ~finite.all(axis=1))
        if len(bad):
            raise LightlyPipelineError(
                f"{name} is NaN or infinite in {_rows(bad, self.n_rows)}: give these frames a "
                "value, for example by a default in the schema, or leave them out"
            )
        if classes and (numbers < 0).any():
            bad = np.flatnonzero((numbers < 0).any(axis=1))
            raise LightlyPipelineError(f"{name} is negative in {_rows(bad, self.n_rows)}")
        return numbers

    def _check_length(self, values: NDArray[Any], name: str) -> None:
        if values.ndim == 0 or len(values) != self.n_rows:
            raise LightlyPipelineError(
                f"{name} has shape {values.shape}, but there are {self.n_rows} embeddings: give "
                "one entry per row"
            )


@dataclass(frozen=True, slots=True)
class Classes:
    """Class rows, with equal ones stored once.

    Attributes:
        names: Of the C classes.
        table: Shape (G, C), float64.
        groups: Shape (N,), int64, into `table`.
        closed: No other class can exist, so that an unknown one in a target is a mistake.
    """

    names: tuple[str, ...]
    table: NDArray[np.float64]
    groups: NDArray[np.int64]
    closed: bool

    @property
    def sums(self) -> NDArray[np.float64]:
        """Sum over all rows, shape (C,)."""
        counts = np.bincount(self.groups, minlength=len(self.table)).astype(np.float64)
        sums: NDArray[np.float64] = counts @ self.table
        return sums


def name_of(source: SelectionInput) -> str:
    """Returns how an input is called to the user, such as "METADATA lightly.sharpness"."""
    parts = [source.type, source.name, source.task, source.score, source.key]
    parts += [source.dataset_id, source.tag_name, *(source.categories or [])]
    return " ".join(part for part in parts if part)


def random_numbers(n: int, seed: int) -> NDArray[np.float64]:
    """Returns n numbers in [0, 1): 53 bits each of the PCG64 stream, the same everywhere."""
    raw = np.random.PCG64(seed % 2**64).random_raw(n)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def kept_by_thresholds(entries: Sequence[StrategyEntry], inputs: Inputs) -> NDArray[np.bool_]:
    """Returns which rows pass every THRESHOLD, shape (N,)."""
    kept = np.ones(inputs.n_rows, dtype=bool)
    for entry in entries:
        if entry.strategy.type == "THRESHOLD":
            compare = _COMPARE[str(entry.strategy.operation)]
            kept &= compare(inputs.numbers(entry.input), entry.strategy.threshold or 0.0)
    return kept


def check_not_negative(values: NDArray[np.float64], name: str) -> None:
    """Refuses negative weights, whose logarithm does not exist.

    Raises:
        LightlyPipelineError: Names their number, the first rows and what to do.
    """
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise LightlyPipelineError(
            f"{name} is negative in {_rows(bad, len(values))}: WEIGHTS next to other strategies, "
            "or with a limit on the sum, needs values of at least 0 (the objective is a product "
            "of sums); shift the values so that the smallest is 0, or use WEIGHTS alone"
        )


def _found(known: Mapping[Any, Any], key: Any, name: str, where: str) -> Any:
    if key in known:
        return known[key]
    text = key if isinstance(key, str) else " ".join(part for part in key if part)
    names = [k if isinstance(k, str) else " ".join(part for part in k if part) for k in known]
    close = get_close_matches(text, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(names) or 'nothing'}"
    raise InvalidConfigurationError(f"{name}: {text} is not in the {where} given; {hint}")


def _class_place(label: str, names: tuple[str, ...], name: str) -> int:
    if label in names:
        return names.index(label)
    close = get_close_matches(label, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(names)}"
    raise InvalidConfigurationError(f"{name} has no category {label}; {hint}")


def _one_hot(values: NDArray[Any]) -> Classes:
    """Returns categories as class rows; None is no class and counts for none."""
    texts = np.array(["" if value is None else class_name(value) for value in values.tolist()])
    missing = np.array([value is None for value in values.tolist()], dtype=bool)
    names, places = np.unique(texts[~missing], return_inverse=True)
    groups = np.full(len(values), len(names), dtype=np.int64)
    groups[~missing] = places
    table = np.vstack([np.eye(len(names)), np.zeros((1, len(names)))])
    return Classes(tuple(str(name) for name in names), table, groups, closed=False)


def class_name(value: Any) -> str:
    """Returns how a category is written in a target: booleans as in JSON and YAML."""
    return str(value).lower() if isinstance(value, bool | np.bool_) else str(value)


def _kind(values: Any) -> str:
    return "booleans" if np.asarray(values).dtype.kind == "b" else "categories"


def _rows(indices: NDArray[np.int64], n_rows: int) -> str:
    shown = ", ".join(map(str, indices[:_SHOWN])) + (", ..." if len(indices) > _SHOWN else "")
    return f"{len(indices)} of {n_rows} rows (rows {shown})"
