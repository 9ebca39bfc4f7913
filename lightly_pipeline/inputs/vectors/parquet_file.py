"""Vectors in Parquet: the columns of the CSV, or one column `embedding` of lists."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.vectors.blocks import (
    FILENAMES,
    MASKED,
    SELECTED,
    Block,
    Mistakes,
    as_float32,
    columns_of,
    flags_of,
)
from lightly_pipeline.inputs.vectors.place import Place

_BATCH_ROWS = 8192


class ParquetFile:
    """A `VectorFile` in Parquet; rows are counted from 0.

    Args:
        place: The file.

    Raises:
        LightlyPipelineError: It has no columns of this kind.
    """

    def __init__(self, place: Place) -> None:
        self._place, self.location, self.mistakes = place, place.location, Mistakes()
        with place.open() as file:
            opened = self._opened(file)
            schema = opened.schema_arrow
            self._columns = columns_of(schema.names, self.location, may_be_list=True)
            self._check(schema)
            self.dim = self._dim(opened)
        self.unknown = self._columns.unknown

    def blocks(self) -> Iterator[Block]:
        """Yields all good rows in order.

        Raises:
            LightlyPipelineError: It cannot be read on.
        """
        n_rows = 0
        with self._place.open() as file:
            batches = self._opened(file).iter_batches(_BATCH_ROWS, columns=self._columns.wanted)
            try:
                for batch in batches:
                    yield self._block(batch, n_rows)
                    n_rows += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise LightlyPipelineError(
                    f"{self.location} is damaged after {self.where(n_rows)}: {error}"
                ) from error

    def where(self, row: int) -> str:
        """Returns the number of a row."""
        return f"row {row}"

    def key(self, number: int) -> str:
        """Returns the column of a number, or its place in the list."""
        if self._columns.is_list:
            return f"{self._columns.embedding[0]}[{number}]"
        return self._columns.embedding[number]

    def _opened(self, file: Any) -> Any:
        try:
            return pq.ParquetFile(file, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise LightlyPipelineError(f"{self.location} is no Parquet file: {error}") from error

    def _check(self, schema: Any) -> None:
        """Refuses columns of other types than names and numbers."""
        kind = schema.field(FILENAMES).type
        if not (_is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type))):
            raise LightlyPipelineError(f"{self.location}: {FILENAMES} is {kind}, not text")
        for name in self._columns.embedding:
            found = schema.field(name).type
            kind = found.value_type if self._columns.is_list and _is_list(found) else found
            is_fit = _is_list(found) == self._columns.is_list and _is_number(kind)
            if not is_fit:
                wanted = "a list of numbers" if self._columns.is_list else "a number"
                raise LightlyPipelineError(f"{self.location}: {name} is {found}, not {wanted}")

    def _dim(self, opened: Any) -> int:
        """Returns the length of a vector: that of the type, or of the first list."""
        if not self._columns.is_list:
            return len(self._columns.embedding)
        (name,) = self._columns.embedding
        kind = opened.schema_arrow.field(name).type
        if pa.types.is_fixed_size_list(kind):
            return int(kind.list_size)
        first = next(opened.iter_batches(1, columns=[name]), None)
        dim = len(first.column(0)[0]) if first is not None and first.column(0)[0].is_valid else 0
        if first is not None and not dim:
            raise LightlyPipelineError(f"{self.location}: row 0: {name} has no numbers")
        return dim

    def _block(self, batch: Any, first_row: int) -> Block:
        def where(row: int) -> str:
            return self.where(first_row + row)

        names = batch.column(0).cast(pa.string())
        for row in np.flatnonzero(_nulls(names)):
            self.mistakes.no_numbers.add(f"{where(int(row))}: {FILENAMES} is missing")
        vectors = (
            self._lists(batch, where) if self._columns.is_list else self._numbers(batch, where)
        )
        wrong = self.mistakes.no_numbers
        return Block(
            names.fill_null(""),
            vectors,
            flags_of(batch, MASKED, wrong, where),
            flags_of(batch, SELECTED, wrong, where),
        )

    def _numbers(self, batch: Any, where: Any) -> NDArray[np.float32]:
        vectors = np.empty((batch.num_rows, self.dim), dtype=np.float32)
        for number, name in enumerate(self._columns.embedding):
            column = batch.column(number + 1)
            for row in np.flatnonzero(_nulls(column)) if column.null_count else ():
                self.mistakes.no_numbers.add(f"{where(int(row))}: {name} is missing")
            vectors[:, number] = as_float32(_filled(column))
        return vectors

    def _lists(self, batch: Any, where: Any) -> NDArray[np.float32]:
        column = batch.column(1)
        lengths = np.asarray(pc.list_value_length(column).fill_null(-1))
        for row in np.flatnonzero(lengths != self.dim):
            values = "no list" if lengths[row] < 0 else f"{lengths[row]} values"
            self.mistakes.ragged.add(f"{where(int(row))}: {values}, others have {self.dim}")
        vectors = np.zeros((batch.num_rows, self.dim), dtype=np.float32)
        good = np.flatnonzero(lengths == self.dim)
        flat = (
            column.take(pa.array(good)).flatten() if len(good) < len(lengths) else column.flatten()
        )
        for place in np.flatnonzero(_nulls(flat)) if flat.null_count else ():
            at, number = divmod(int(place), self.dim)
            self.mistakes.no_numbers.add(f"{where(int(good[at]))}: {self.key(number)} is missing")
        vectors[good] = as_float32(_filled(flat)).reshape(-1, self.dim)
        return vectors


def _nulls(column: Any) -> NDArray[np.bool_]:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False), dtype=bool)


def _filled(column: Any) -> NDArray[Any]:
    """Returns numbers, 0 for what is missing."""
    numbers = column.fill_null(0) if column.null_count else column
    values: NDArray[Any] = numbers.to_numpy(zero_copy_only=False)
    return values


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: Any) -> bool:
    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
