"""Reads users' metadata: only the keys that are asked for, only files that there are.

What a file says of a key is in `metadata.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows, rows_by_name, video_stem
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.bulk_files import IMAGE_ENDINGS, find_bulk
from lightly_pipeline.inputs.files import in_threads, list_names, read_json
from lightly_pipeline.inputs.metadata import (
    METADATA_FOLDER,
    MetadataKey,
    is_about,
    value_of,
)
from lightly_pipeline.inputs.metadata_bulk import BULK_METADATA, read_bulk_metadata
from lightly_pipeline.inputs.metadata_columns import ValueColumn
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_SHOWN = 5
_Files = dict[str, list[tuple[NDArray[np.int64], tuple[str, ...]]]]


def plan_bulk_metadata(store: Datasource, keys: Iterable[str]) -> None:
    """Looks at the file that speaks of many frames, if there is one, before any work.

    Raises:
        LightlyPipelineError: There are two, or it does not name what its lines speak of.
    """
    bulk = find_bulk(store, BULK_METADATA)
    if bulk is None:
        return
    for key in bulk.missing_columns(list(keys)):
        _logger.warning("%s has no column %s: no frame has a value from it", bulk.location, key)


def read_metadata(
    store: Datasource, keys: Mapping[str, MetadataKey], rows: FrameRows
) -> dict[str, NDArray[Any]]:
    """Returns the value of every row by key: the frame's, else its video's, else the default.

    What a file says goes over what a line of the file for many frames says of the same.

    Args:
        store: The LIGHTLY datasource.
        keys: Entries of the schema by key.
        rows: The frames.

    Returns:
        Shape (N,) each: float64, or categories as objects, None where there is none.

    Raises:
        LightlyPipelineError: A file is wrong, or a frame has no number; names file and key.
    """
    if not keys:
        return {}
    values = {path: ValueColumn.of(key, len(rows), key.default) for path, key in keys.items()}
    names = list_names(store, METADATA_FOLDER)
    bulk = read_bulk_metadata(store, keys, rows)
    if bulk:
        bulk.set_videos(values)
    _read_level(store, _video_files(rows, names), values)
    if bulk:
        bulk.set_frames(values)
    _read_level(store, _frame_files(rows, names), values)
    return {path: _as_column(column, rows) for path, column in values.items()}


def _read_level(store: Datasource, level: _Files, values: Mapping[str, ValueColumn]) -> None:
    """Sets what files say, each of the rows that it is about."""
    for name, document in in_threads(_reader(store), level):
        location = store.location(_path(name))
        fitting = [places for places, called in level[name] if is_about(document, called)]
        if not fitting:
            _logger.warning("%s: passed over: its file_name is another one", location)
        for places, column in product(fitting, values.values()):
            try:
                column.set(places, value_of(column.key, document))
            except ValueError as error:
                raise LightlyPipelineError(f"{location}: {error}") from None


def _reader(store: Datasource) -> Callable[[str], Any]:
    return lambda name: read_json(store, _path(name))


def _path(name: str) -> str:
    return f"{METADATA_FOLDER}{name}.json"


def _video_files(rows: FrameRows, names: set[str]) -> _Files:
    """Returns, by name of file, the rows of each video it may be about and the video's name."""
    files: _Files = {}
    for video, places in rows.of_video():
        name = video_stem(video.path)
        if name in names and not video.images:
            files.setdefault(name, []).append((places, (video.path.rpartition("/")[2],)))
    return files


def _frame_files(rows: FrameRows, names: set[str]) -> _Files:
    return {
        name: list(_called(name, places, rows))
        for name, places in sorted(rows_by_name(rows, names).items())
    }


def _called(
    name: str, places: list[int], rows: FrameRows
) -> Iterator[tuple[NDArray[np.int64], tuple[str, ...]]]:
    """Yields rows that a file may be about, and what they are called there.

    Images of several formats may share a file's name: each is called as it is.
    """
    of_images = [row for row in places if rows.videos[rows.owner[row]].images]
    for row in of_images:
        yield np.array([row], dtype=np.int64), (rows.frame(row)[0].rpartition("/")[2],)
    if not of_images:
        yield np.array(places, dtype=np.int64), _image_names(name)


def _image_names(name: str) -> tuple[str, ...]:
    last = name.rpartition("/")[2]
    return tuple(f"{last}.{ending}" for ending in IMAGE_ENDINGS)


def _as_column(column: ValueColumn, rows: FrameRows) -> NDArray[Any]:
    missing = np.flatnonzero(np.isnan(column.values)) if column.key.is_numeric else ()
    if len(missing):
        shown = ", ".join(rows.describe(int(row)) for row in missing[:_SHOWN])
        raise LightlyPipelineError(
            f"metadata key {column.key.path}: {len(missing)} of {len(rows)} frames have no value, "
            f"and the schema gives no defaultValue ({shown}"
            f"{', ...' if len(missing) > _SHOWN else ''})"
        )
    return column.values
