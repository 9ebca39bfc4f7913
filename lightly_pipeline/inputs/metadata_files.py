"""Reads users' metadata: only the keys that are asked for, only files that there are.

What a file says of a key is in `metadata.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lightly_pipeline.candidates.rows import FrameRows, rows_by_name, video_stem
from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import LightlyPipelineError
from lightly_pipeline.inputs.files import in_threads, list_names, read_json
from lightly_pipeline.inputs.metadata import (
    METADATA_FOLDER,
    MetadataKey,
    is_about,
    value_of,
)
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_SHOWN = 5
_IMAGE_ENDINGS = ("png", "jpg", "jpeg", "webp", "bmp", "tiff")
_Files = dict[str, list[tuple[NDArray[np.int64], tuple[str, ...]]]]


def read_metadata(
    store: Datasource, keys: Mapping[str, MetadataKey], rows: FrameRows
) -> dict[str, NDArray[Any]]:
    """Returns the value of every row by key: the frame's, else its video's, else the default.

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
    values: dict[str, NDArray[Any]] = {
        path: np.full(len(rows), key.default, dtype=object) for path, key in keys.items()
    }
    names = list_names(store, METADATA_FOLDER)
    for level in (_video_files(rows, names), _frame_files(rows, names)):
        for name, document in in_threads(_reader(store), level):
            location = store.location(_path(name))
            fitting = [places for places, called in level[name] if is_about(document, called)]
            for places in fitting:
                _set_values(keys, document, location, values, places)
            if not fitting:
                _logger.warning("%s: passed over: its file_name is another one", location)
    return {path: _as_column(keys[path], column, rows) for path, column in values.items()}


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
    return tuple(f"{last}.{ending}" for ending in _IMAGE_ENDINGS)


def _set_values(
    keys: Mapping[str, MetadataKey],
    document: Any,
    location: str,
    values: dict[str, NDArray[Any]],
    places: NDArray[np.int64],
) -> None:
    for key in keys.values():
        value = value_of(key, document, location)
        if value is not None:
            values[key.path][places] = value


def _as_column(key: MetadataKey, column: NDArray[Any], rows: FrameRows) -> NDArray[Any]:
    if not key.is_numeric:
        return column
    missing = [row for row, value in enumerate(column.tolist()) if value is None]
    if missing:
        shown = ", ".join(rows.describe(row) for row in missing[:_SHOWN])
        raise LightlyPipelineError(
            f"metadata key {key.path}: {len(missing)} of {len(rows)} frames have no value, and the "
            f"schema gives no defaultValue ({shown}{', ...' if len(missing) > _SHOWN else ''})"
        )
    return column.astype(np.float64)
