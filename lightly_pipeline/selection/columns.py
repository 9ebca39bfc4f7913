"""The columns that strategies read besides embeddings: numbers or classes, one entry per row.

What an entry of `selection_config.strategies` names is looked up and checked here, before any work:
shapes, kinds, NaN, unknown names. Where the columns come from is not known here; what strategies
make of them is in `strategies/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.config import SelectionInput
from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.selection.classes import Classes, distinct_rows, one_hot
from lightly_pipeline.selection.messages import shown_rows
from lightly_pipeline.selection.objects import Objects, check

QueryKey = tuple[str | None, str] | tuple[str | None, str, str]
_NUMBERS, _TRUTHS = "iuf", "b"


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
class Columns:
    """Everything that strategies may read, for N rows.

    Attributes:
        n_rows: N.
        metadata: By key, shape (N,): numbers, or strings, bools or objects for categories.
        scores: By (task, score), shape (N,).
        categories: By task.
        queries: By (dataset id or None, tag name), of objects by (dataset id or None, tag name,
            task): shape (Q, d).
        objects: By task.
        seed: Of RANDOM inputs without `random_seed`.
    """

    n_rows: int
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    scores: Mapping[tuple[str, str], NDArray[np.float64]] = field(default_factory=dict)
    categories: Mapping[str, Categories] = field(default_factory=dict)
    queries: Mapping[QueryKey, NDArray[np.float32]] = field(default_factory=dict)
    objects: Mapping[str, Objects] = field(default_factory=dict)
    seed: int = 1

    def numbers(self, source: SelectionInput) -> NDArray[np.float64]:
        """Returns the number per row that an input stands for, shape (N,).

        Raises:
            LightlyPipelineError: It is missing, of the wrong shape, not numeric, NaN or infinite.
        """
        name = name_of(source)
        if source.type == "RANDOM":
            seed = self.seed if source.random_seed is None else source.random_seed
            return random_numbers(self.n_rows, seed)
        if source.type == "METADATA":
            values = _array(_found(self.metadata, source.key, name, "metadata"), name)
            if values.dtype.kind not in _NUMBERS:
                kind = "booleans" if values.dtype.kind in _TRUTHS else "categories"
                raise LightlyPipelineError(
                    f"{name} holds {kind}, not numbers: it goes with BALANCE only"
                )
            return self._finite(values, name)
        if source.type == "SCORES":
            key = (source.task, source.score)
            return self._finite(_array(_found(self.scores, key, name, "scores"), name), name)
        found = self._categories(source)
        wanted = source.categories or found.names
        columns = [_class_place(label, found.names, name) for label in wanted]
        counts = self._by_class(found.counts, name, found.names)[:, columns]
        sums: NDArray[np.float64] = counts.sum(axis=1)
        return sums

    def classes(self, source: SelectionInput) -> Classes:
        """Returns the class row of each row.

        Raises:
            LightlyPipelineError: It is missing, of the wrong shape, numeric, NaN or infinite.
        """
        name = name_of(source)
        if source.type == "METADATA":
            values = _array(_found(self.metadata, source.key, name, "metadata"), name)
            if values.dtype.kind in _NUMBERS:
                raise LightlyPipelineError(
                    f"{name} holds numbers, not categories: it goes with WEIGHTS and THRESHOLD; "
                    "for BALANCE give strings or booleans"
                )
            self._check_shape(values, name, (self.n_rows,))
            return one_hot(values)
        found = self._categories(source)
        return distinct_rows(found.names, self._by_class(found.distribution, name, found.names))

    def query(self, source: SelectionInput) -> NDArray[np.float32]:
        """Returns the vectors that SIMILARITY compares with, shape (Q, d); a copy.

        Raises:
            LightlyPipelineError: They are missing, no vectors, or there is none.
        """
        name = name_of(source)
        key = (source.dataset_id, source.tag_name, source.task)[: 3 if source.task else 2]
        vectors = _array(_found(self.queries, key, name, "queries"), name)
        if vectors.ndim != 2 or not vectors.size or vectors.dtype.kind not in _NUMBERS:
            raise LightlyPipelineError(
                f"{name}: the query has no vectors to be similar to ({vectors.dtype} of shape "
                f"{vectors.shape}); give numbers of shape (vectors, dimensions)"
            )
        return np.array(vectors, dtype=np.float32, order="C")

    def objects_of(self, task: str) -> Objects:
        """Returns the objects of a task.

        Raises:
            LightlyPipelineError: They are missing, or do not fit the rows.
        """
        name = f"EMBEDDINGS {task}"
        return check(_found(self.objects, task, name, "objects"), self.n_rows, name)

    def _categories(self, source: SelectionInput) -> Categories:
        name = name_of(source)
        found = _found(self.categories, source.task, name, "categories")
        if not isinstance(found, Categories):
            raise LightlyPipelineError(
                f"{name}: categories of a task are given as Categories(names, distribution, "
                f"counts), not as {type(found).__name__}"
            )
        if not len(found.names):
            raise LightlyPipelineError(f"{name}: the task has no categories")
        return found

    def _by_class(
        self, values: NDArray[Any], name: str, names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Returns numbers of at least 0 per row and class, shape (N, C)."""
        numbers = self._finite(_array(values, name), name, (self.n_rows, len(names)))
        if (numbers < 0).any():
            bad = np.flatnonzero((numbers < 0).any(axis=1))
            raise LightlyPipelineError(f"{name} is negative in {shown_rows(bad, self.n_rows)}")
        return numbers

    def _finite(
        self, values: NDArray[Any], name: str, shape: tuple[int, ...] | None = None
    ) -> NDArray[np.float64]:
        """Returns values as numbers of a shape, by default (N,)."""
        self._check_shape(values, name, shape or (self.n_rows,))
        if values.dtype.kind not in _NUMBERS + _TRUTHS:
            raise LightlyPipelineError(f"{name} holds {values.dtype}, not numbers")
        numbers = values.astype(np.float64)
        bad = np.flatnonzero(~np.isfinite(numbers.reshape(self.n_rows, -1)).all(axis=1))
        if len(bad):
            raise LightlyPipelineError(
                f"{name} is NaN or infinite in {shown_rows(bad, self.n_rows)}: give these frames "
                "a value, for example by a default in the schema, or leave them out"
            )
        return numbers

    def _check_shape(self, values: NDArray[Any], name: str, shape: tuple[int, ...]) -> None:
        if values.shape == shape:
            return
        entry = "one entry" if len(shape) == 1 else f"{shape[1]} columns, one per class,"
        raise LightlyPipelineError(
            f"{name} has shape {values.shape}, but there are {self.n_rows} embeddings: give "
            f"{entry} per row, shape {shape}"
        )


def name_of(source: SelectionInput) -> str:
    """Returns how an input is called to the user, such as "METADATA lightly.sharpness"."""
    parts = [source.type, source.name, source.task, source.score, source.key]
    parts += [source.dataset_id, source.tag_name, *(source.categories or [])]
    return " ".join(part for part in parts if part)


def random_numbers(n: int, seed: int) -> NDArray[np.float64]:
    """Returns n numbers in [0, 1): 53 bits each of the PCG64 stream, the same everywhere."""
    raw = np.random.PCG64(seed % 2**64).random_raw(n)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _array(values: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError:
        raise LightlyPipelineError(f"{name} is no array: its entries differ in length") from None


def _found(known: Mapping[Any, Any], key: Any, name: str, where: str) -> Any:
    if key in known:
        return known[key]
    text, names = _key_text(key), [_key_text(one) for one in known]
    close = get_close_matches(text, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(names) or 'nothing'}"
    raise InvalidConfigurationError(f"{name}: {text} is not in the {where} given; {hint}")


def _key_text(key: Any) -> str:
    return " ".join(str(part) for part in key if part) if isinstance(key, tuple) else str(key)


def _class_place(label: str, names: tuple[str, ...], name: str) -> int:
    if label in names:
        return names.index(label)
    close = get_close_matches(label, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there is {', '.join(names)}"
    raise InvalidConfigurationError(f"{name} has no category {label}; {hint}")
