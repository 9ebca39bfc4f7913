"""The frame table of one video: a Parquet file with one row per sampled frame.

Written in row groups while decoding goes on, read back whole or for single frames. What a row
means is defined by `lightly_pipeline.video` (`FrameRow`); images and embeddings are elsewhere.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from lightly_pipeline.datasources import Datasource, read_file
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.tables import columns
from lightly_pipeline.video import FrameRow, Quality

FRAMES_FILE = "frames.parquet"
ROWS_PER_GROUP = 8192
QUALITY_COLUMNS = tuple(column.name for column in columns.QUALITY_COLUMNS)

SCHEMA = pa.schema(
    [
        pa.field(column.name, pa.type_for_alias(column.type), nullable=column.nullable)
        for column in (*columns.OWN_COLUMNS, *columns.QUALITY_COLUMNS)
    ]
)

COLUMNS: dict[str, Any] = {field.name: field.type.to_pandas_dtype() for field in SCHEMA}
"""NumPy type by name of column."""


class FrameTableWriter:
    """Appends frame rows to an open file, a row group at a time.

    Attributes:
        n_damaged: Damaged frames so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd")
        self._rows: list[FrameRow] = []
        self.n_damaged = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def append(self, row: FrameRow) -> None:
        """Adds one row; rows come in ascending index order."""
        self._rows.append(row)
        self.n_damaged += row.damaged
        if len(self._rows) >= ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(_to_table(self._rows))
            self._rows.clear()


def read_rows(store: Datasource, folder: str) -> list[FrameRow]:
    """Returns all rows of the table in `folder`, in index order: of every frame, or a sample.

    Raises:
        DatasourceError: The file is cut or damaged.
    """
    with _naming_damage(store, folder):
        return read_file(store, f"{folder}/{FRAMES_FILE}", rows_of)


def rows_of(file: BinaryIO) -> list[FrameRow]:
    """Returns all rows of a table from its open file."""
    table = _open_table(file).read()
    values_of: list[list[Any]] = [table.column(name).to_pylist() for name in SCHEMA.names]
    n_own = len(SCHEMA) - len(QUALITY_COLUMNS)
    return [
        FrameRow(*(*values[:n_own], Quality(*values[n_own:])))
        for values in zip(*values_of, strict=True)
    ]


def read_columns(store: Datasource, folder: str, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Returns columns of the table in `folder` by name, each in index order.

    Raises:
        DatasourceError: The file is cut or damaged.
    """

    def columns_of(file: BinaryIO) -> dict[str, NDArray[Any]]:
        table = _open_table(file).read(columns=list(names))
        return {name: np.asarray(table.column(name)) for name in names}

    with _naming_damage(store, folder):
        return read_file(store, f"{folder}/{FRAMES_FILE}", columns_of)


@contextmanager
def _naming_damage(store: Datasource, folder: str) -> Iterator[None]:
    """Says which file it is, where pyarrow only says that one is wrong."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        # What the disk says has a number; what pyarrow says of a file's content has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise DatasourceError(
            f"{store.location(f'{folder}/{FRAMES_FILE}')} is cut or damaged ({error}): run "
            "`lightly-pipeline rebuild`, which has the next run make it again"
        ) from error


def _open_table(file: BinaryIO) -> pq.ParquetFile:
    # `pq.read_table` loads pyarrow's query engine first, which takes 0.1 CPU seconds.
    return pq.ParquetFile(file, pre_buffer=True)


def _to_table(rows: Sequence[FrameRow]) -> pa.Table:
    values = {
        name: [getattr(row.quality if name in QUALITY_COLUMNS else row, name) for row in rows]
        for name in SCHEMA.names
    }
    return pa.table(values, schema=SCHEMA)
