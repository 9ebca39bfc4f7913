"""The embeddings of every frame that a run chose from, as CSV in Lightly's form, or as Parquet.

Columns `filenames`, `embedding_0`, ..., `labels` (0) and `selected` (1 for chosen frames); copies
that were left out are not in it. Written video by video: a million frames are never in memory.
On demand, as the tables hold the same in a third of the bytes.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.earlier import EmbeddedVideo
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.handover.pool import CandidatePool, read_pool
from lightly_pipeline.progress import Progress, silent

CSV_FILE = "embeddings.csv"
PARQUET_FILE = "embeddings.parquet"
Rows = tuple[list[str], NDArray[np.float32], NDArray[np.bool_]]
"""Names of R frames, their embeddings (R, dim), and which were chosen."""


def write_embeddings_csv(
    store: Datasource,
    run_id: str,
    target: Datasource,
    *,
    path: str = CSV_FILE,
    progress: Progress = silent,
) -> int:
    """Writes the embeddings as CSV and returns the number of rows.

    Args:
        store: The LIGHTLY datasource.
        run_id: Id of the run.
        target: Where the file goes.
        path: Its name.
        progress: Told how many videos are written.

    Raises:
        LightlyPipelineError: The run has no selection, or its candidates cannot be found.
        DatasourceError: A store failed.
    """
    pool = read_pool(store, run_id)
    return write_csv(target, path, pool.dim, candidate_rows(pool, progress))


def write_csv(target: Datasource, path: str, dim: int, batches: Iterable[Rows]) -> int:
    """Writes embeddings of `dim` numbers as CSV and returns the number of rows."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    flag = pa.int8()
    schema = pa.schema(
        [
            ("filenames", pa.string()),
            *((f"embedding_{number}", pa.float32()) for number in range(dim)),
            ("labels", flag),
            ("selected", flag),
        ]
    )
    n_rows = 0
    with target.writer(path) as file, pa_csv.CSVWriter(file, schema) as writer:
        for filenames, vectors, selected in batches:
            if not filenames:
                continue
            columns = [pa.array(column) for column in np.ascontiguousarray(vectors.T)]
            labels = pa.array(np.zeros(len(filenames), np.int8))
            arrays = [pa.array(filenames), *columns, labels, pa.array(selected, flag)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            n_rows += len(filenames)
    return n_rows


def write_embeddings_parquet(
    store: Datasource,
    run_id: str,
    target: Datasource,
    *,
    path: str = PARQUET_FILE,
    progress: Progress = silent,
) -> int:
    """Writes the embeddings as Parquet, each a list of float32, and returns the number of rows.

    Arguments and errors are those of `write_embeddings_csv`.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    pool = read_pool(store, run_id)
    dim, n_rows = pool.dim, 0
    fields: list[tuple[str, Any]] = [
        ("filenames", pa.string()),
        ("embedding", pa.list_(pa.float32(), dim)),
        ("selected", pa.bool_()),
    ]
    schema = pa.schema(fields)
    with target.writer(path) as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for filenames, vectors, selected in candidate_rows(pool, progress):
            arrays = [
                pa.array(filenames, pa.string()),
                pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), dim),
                pa.array(selected),
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            n_rows += len(filenames)
    return n_rows


def candidate_rows(pool: CandidatePool, progress: Progress) -> Iterator[Rows]:
    """Yields the names, the embeddings (R, dim) and whether they were chosen, video by video."""
    chosen = {(frame.video, frame.frame_index) for frame in pool.record.frames}
    for done, video in enumerate(pool.videos, start=1):
        yield _of_video(pool, video, chosen)
        progress("export", done, len(pool.videos), "videos")


def _of_video(pool: CandidatePool, video: EmbeddedVideo, chosen: set[tuple[str, int]]) -> Rows:
    vectors = np.empty((len(video.indices), video.dim), dtype=np.float32)
    video.read_embeddings_into(vectors)
    names = [pool.name_of(video, index) for index in video.indices.tolist()]
    rows = video.as_rows()
    selected = np.array([rows.frame(i) in chosen for i in video.indices.tolist()], bool)
    kept = np.array([name not in pool.duplicates for name in names], bool) | selected
    return (
        [name for name, keep in zip(names, kept, strict=True) if keep],
        vectors[kept],
        selected[kept],
    )
