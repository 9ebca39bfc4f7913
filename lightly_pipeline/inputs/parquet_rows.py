"""Rows of a Parquet file as documents: what the same lines in JSON would say.

Columns of structs and columns with dots in their names are the same here. What a document means
is not known in this module; pyarrow is imported by it alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.hints import did_you_mean

_NAME, _METADATA = "file_name", "metadata"
_ROWS = 8192
_BUFFER_BYTES = 4 * 1024 * 1024
_Tree = dict[str, Any]


def missing_columns(file: BinaryIO, wanted: Sequence[str], location: str) -> list[str]:
    """Returns which of `wanted` are neither columns nor fields of structs.

    Raises:
        LightlyPipelineError: It is not Parquet, or has no column of names; says what it has.
    """
    known = _column_paths(_open(file, location))
    if _NAME not in known:
        raise LightlyPipelineError(f"{location}: no column {_NAME}; {did_you_mean(_NAME, known)}")
    return [
        path for path in wanted if not any(k == path or k.startswith(f"{path}.") for k in known)
    ]


def row_documents(
    file: BinaryIO, columns: Sequence[str], location: str
) -> Iterator[list[dict[str, Any]]]:
    """Yields the documents of rows, some thousands at a time.

    Args:
        file: The open file.
        columns: What is wanted besides the name: top-level columns, or keys of metadata, which may
            lie in a struct `metadata` or beside the name.
        location: The file, for messages.

    Raises:
        LightlyPipelineError: It is not Parquet, or damaged.
    """
    parquet = _open(file, location)
    wanted = [_NAME, *columns, *(f"{_METADATA}.{path}" for path in columns)]
    with _naming(location):
        for batch in parquet.iter_batches(_ROWS, columns=wanted, use_threads=False):
            tree: _Tree = {}
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                _add(tree, name.split("."), column, location)
            yield _documents(tree, len(batch))


def _open(file: BinaryIO, location: str) -> pq.ParquetFile:
    with _naming(location):
        return pq.ParquetFile(file, buffer_size=_BUFFER_BYTES)


@contextmanager
def _naming(location: str) -> Iterator[None]:
    """Says which file cannot be read."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise LightlyPipelineError(f"{location}: cannot be read as Parquet: {error}") from None


def _column_paths(parquet: pq.ParquetFile) -> list[str]:
    paths = [parquet.schema.column(i).path for i in range(len(parquet.schema))]
    return [path.removeprefix(f"{_METADATA}.") for path in paths]


def _add(tree: _Tree, path: list[str], column: pa.Array, location: str) -> None:
    """Puts a column at its place in the tree of columns; a struct is a tree of its fields."""
    inner = tree
    for part in path[:-1]:
        inner = inner.setdefault(part, {})
    if pa.types.is_struct(column.type):
        for name, field in zip(column.type.names, column.flatten(), strict=True):
            _add(tree, [*path, name], field, location)
        return
    if not isinstance(inner, dict) or path[-1] in inner:
        raise LightlyPipelineError(f"{location}: column {'.'.join(path)} is there twice")
    inner[path[-1]] = _values(column)


def _documents(tree: _Tree, n_rows: int) -> list[dict[str, Any]]:
    """Returns a document per row; keys of metadata are inside `metadata`, wherever they were."""
    names = tree.pop(_NAME, None) or [None] * n_rows
    beside = {key: value for key, value in tree.items() if key not in (_METADATA, "predictions")}
    inside = tree.get(_METADATA, {})
    made: _Tree = {_NAME: names}
    if "predictions" in tree:
        made["predictions"] = tree["predictions"]
    if isinstance(inside, dict):
        made[_METADATA] = {**beside, **inside}
    return _rows(made, n_rows)


def _rows(tree: _Tree, n_rows: int) -> list[dict[str, Any]]:
    if not tree:
        return [{} for _ in range(n_rows)]
    columns = [
        _rows(value, n_rows) if isinstance(value, dict) else value for value in tree.values()
    ]
    return [dict(zip(tree, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(array: pa.Array) -> list[Any]:
    """Returns the values as `to_pylist` does, several times as fast where they are nested."""
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        values, found, start = _values(array.flatten()), [], 0
        for length in pc.list_value_length(array).to_pylist():
            found.append(None if length is None else values[start : start + length])
            start += length or 0
        return found
    if pa.types.is_struct(kind) and kind.num_fields:
        columns = [_values(field) for field in array.flatten()]
        rows: list[Any] = [
            dict(zip(kind.names, row, strict=True)) for row in zip(*columns, strict=True)
        ]
        if array.null_count:
            return [
                row if is_valid else None
                for row, is_valid in zip(rows, array.is_valid().to_pylist(), strict=True)
            ]
        return rows
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number and not array.null_count:
        return array.to_numpy(zero_copy_only=False).tolist()  # type: ignore[no-any-return]
    return array.to_pylist()  # type: ignore[no-any-return]
