"""Writes what people know of frames and videos into LIGHTLY, in the form that runs read.

A file per frame or video, and the schemas that go with them. Whatever is written was parsed before
as a run parses it, so that a mistake shows here and not in a run.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightly_pipeline.datasources import Datasource, is_video_path
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    LightlyPipelineError,
    PreconditionFailedError,
)
from lightly_pipeline.inputs.files import read_required
from lightly_pipeline.inputs.metadata import METADATA_FOLDER, SCHEMA_PATH, parse_schema
from lightly_pipeline.inputs.predictions import (
    TASKS_PATH,
    Task,
    parse_prediction,
    parse_task,
    schema_path,
)

_FRAME = re.compile(r".+-\d+-[^/.-]+")
_TASK_NAME = re.compile(r"[a-zA-Z0-9_+=,.@:/-]+")
_MAX_RACES = 20


def write_metadata(store: Datasource, filename: str, metadata: Mapping[str, Any]) -> None:
    """Writes the metadata of a video, of one of its frames, or of an image.

    Args:
        store: The LIGHTLY datasource.
        filename: Path of the video relative to INPUT, or name of the frame's image.
        metadata: Values by key; may be nested.

    Raises:
        InvalidConfigurationError: There is no such name, or a value is none of JSON's.
        DatasourceError: The store failed.
    """
    stem = stem_of(filename)
    kind = "frame" if _FRAME.fullmatch(stem) else "image"
    kind = "video" if is_video_path(filename) else kind
    document = {"file_name": filename, "type": kind, "metadata": dict(metadata)}
    store.write(f"{METADATA_FOLDER}{stem}.json", _json(document, filename))


def add_to_metadata_schema(store: Datasource, entries: Sequence[Mapping[str, Any]]) -> None:
    """Adds entries to the schema of metadata, in place of those of the same path.

    Args:
        store: The LIGHTLY datasource.
        entries: Each with name, path, defaultValue and valueDataType.

    Raises:
        LightlyPipelineError: An entry is wrong, or what is there is no schema.
        DatasourceError: The store failed.
    """
    parse_schema(list(entries), "the new entries")
    paths = {entry["path"] for entry in entries}

    def added(document: Any) -> list[Any]:
        parse_schema(document, store.location(SCHEMA_PATH))
        return [entry for entry in document if entry["path"] not in paths] + list(entries)

    _change(store, SCHEMA_PATH, added)


def write_task(store: Datasource, name: str, schema: Mapping[str, Any]) -> Task:
    """Writes the schema of a prediction task, and lists the task.

    Args:
        store: The LIGHTLY datasource.
        name: Of the task.
        schema: With task_type and categories.

    Raises:
        InvalidConfigurationError: There is no such name.
        LightlyPipelineError: The schema is wrong, or the list of tasks is none.
        DatasourceError: The store failed.
    """
    is_path = all(part not in ("", ".", "..") for part in name.split("/"))
    if not (_TASK_NAME.fullmatch(name) and is_path):
        raise InvalidConfigurationError(
            f"task name {name!r}: use letters, digits and _+=,.@:- with single slashes between"
        )
    path = schema_path(name)
    task = parse_task(schema, name, path)
    store.write(path, _json(schema, path))
    list_task(store, name)
    return task


def list_task(store: Datasource, name: str) -> None:
    """Adds a task to the list of tasks, unless it is there; what others add meanwhile stays.

    Raises:
        LightlyPipelineError: The list is none.
        DatasourceError: The store failed.
    """

    def listed(document: Any) -> list[str]:
        if not isinstance(document, list):
            location = store.location(TASKS_PATH)
            raise LightlyPipelineError(f"{location}: expected a list of task names")
        return document if name in document else [*document, name]

    _change(store, TASKS_PATH, listed)


def write_prediction(
    store: Datasource, task: Task, filename: str, predictions: Sequence[Mapping[str, Any]]
) -> None:
    """Writes what a task predicts for a frame, in place of what it predicted before.

    Args:
        store: The LIGHTLY datasource.
        task: The task.
        filename: Name of the frame's image.
        predictions: Entries of the prediction file.

    Raises:
        InvalidConfigurationError: There is no such name, or an entry does not fit the task.
        DatasourceError: The store failed.
    """
    document = {"file_name": filename, "predictions": list(predictions)}
    try:
        parse_prediction(document, task)
    except ValueError as error:
        raise InvalidConfigurationError(f"task {task.name}, {filename}: {error}") from None
    store.write(f"{task.folder}{stem_of(filename)}.json", _json(document, filename))


def stem_of(filename: str) -> str:
    """Returns a name without its extension, as files about it are called.

    Raises:
        InvalidConfigurationError: It leads elsewhere.
    """
    stem, dot, _ = filename.rpartition(".")
    if not dot or any(part in ("", ".", "..") for part in stem.split("/")):
        raise InvalidConfigurationError(
            f"{filename!r} is no name of a video or frame: it is relative to INPUT, without ./ and "
            "../, and ends in an extension"
        )
    return stem


def _json(document: Any, what: str) -> bytes:
    try:
        return json.dumps(document, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidConfigurationError(f"{what}: cannot be written as JSON: {error}") from None


def _change(store: Datasource, path: str, changed: Callable[[Any], Any]) -> None:
    """Writes what a function makes of a JSON list, again when somebody else was faster.

    Where that is what is there already, nothing is written.
    """
    for _ in range(_MAX_RACES):
        found = store.stat(path)
        document = [] if found is None else read_required(store, path, path)
        wanted = changed(document)
        if found is not None and wanted == document:
            return
        content = _json(wanted, path)
        try:
            if found is None:
                store.write(path, content, if_absent=True)
            else:
                store.write(path, content, if_match=found.etag)
        except PreconditionFailedError:
            continue
        return
    raise DatasourceError(f"{store.location(path)} was changed by others meanwhile; try again")
