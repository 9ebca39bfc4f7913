"""Writes boxes of another tool's files as a prediction task: a line per frame, schema, task list.

Reading files is in `formats.py`, finding frames in `names.py`; what is written is what
`inputs` reads.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightly_pipeline.datasources import Datasource, datasource_at, list_videos
from lightly_pipeline.errors import (
    InvalidConfigurationError,
    LightlyPipelineError,
    ObjectNotFoundError,
)
from lightly_pipeline.inputs.bulk_files import JSON_LINES, NAME, find_bulk
from lightly_pipeline.inputs.files import read_json
from lightly_pipeline.inputs.prediction_files import bulk_stem
from lightly_pipeline.inputs.predictions import (
    Task,
    parse_prediction,
    parse_task,
    schema_path,
)
from lightly_pipeline.inputs.relevant import Cases
from lightly_pipeline.inputs.writing import list_task
from lightly_pipeline.intake.formats import LabelledBox, Labels, read_labels
from lightly_pipeline.intake.names import FrameFinder
from lightly_pipeline.tables.catalog import read_catalog

_TASK_TYPE = "object-detection"
_TASK_NAME = re.compile(r"(?!\.)[a-zA-Z0-9_+=,.@:-]+(/(?!\.)[a-zA-Z0-9_+=,.@:-]+)*")


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was written.

    Attributes:
        task: Name of the task.
        location: The file that was written.
        n_frames: Frames in it.
        n_predictions: Boxes in it.
        categories: Names of the task's categories.
        unmatched: Images that are no frames, with the first of them.
        left_out: What could not be read or used, with the first cases.
        knows_videos: Whether names were compared with the videos that there are.
    """

    task: str
    location: str
    n_frames: int
    n_predictions: int
    categories: tuple[str, ...]
    unmatched: Cases
    left_out: Cases
    knows_videos: bool


def import_predictions(
    lightly: Datasource | str | Path,
    source: str | Path,
    *,
    tool: str,
    task: str,
    videos: Datasource | str | Path | None = None,
) -> ImportResult:
    """Writes boxes of another tool's files as a prediction task of a dataset.

    Images are named as their frames are; a box without a score is certain. An earlier import of
    the task is replaced; files of single frames stay, and go over it.

    Args:
        lightly: The LIGHTLY datasource, a folder, or s3://bucket/prefix/.
        source: COCO's or Label Studio's JSON file, YOLO's data.yaml, or the folder of Pascal VOC's
            XML files.
        tool: "coco", "yolo", "pascal-voc" or "label-studio".
        task: Name of the task; it is made if there is none.
        videos: Where the videos are, to compare names with; by default those of the last listing.

    Raises:
        InvalidConfigurationError: There is no such format, or the task is of another kind.
        LightlyPipelineError: The files are not the tool's, or speak of no frame.
        MissingExtraError: The package that reads them is not installed.
        DatasourceError: A store failed.
    """
    if not _TASK_NAME.fullmatch(task):
        raise InvalidConfigurationError(
            f"task name {task!r}: give letters, digits and any of _+=,.@:- in parts apart by /"
        )
    store = datasource_at(lightly)
    labels = read_labels(Path(source), tool)
    schema = _schema(store, task, labels.categories, str(source))
    known = _videos(store, videos)
    writing = _Writing(schema, labels, FrameFinder(known))
    path = bulk_stem(schema) + JSON_LINES
    _check_free(store, schema)
    with store.writer(path) as file:
        for line in writing.lines():
            file.write(line)
        if not writing.n_frames:
            raise LightlyPipelineError(f"{source}: {_nothing(writing)}")
    _write_schema(store, schema)
    list_task(store, task)
    return ImportResult(
        task=task,
        location=store.location(path),
        n_frames=writing.n_frames,
        n_predictions=writing.n_boxes,
        categories=schema.categories,
        unmatched=writing.unmatched,
        left_out=labels.problems,
        knows_videos=known is not None,
    )


class _Writing:
    """Makes lines of images, and counts what becomes of them."""

    def __init__(self, task: Task, labels: Labels, finder: FrameFinder) -> None:
        self._task, self._labels, self._finder = task, labels, finder
        self._ids = dict(zip(task.categories, task.category_ids, strict=True))
        self._seen: set[str] = set()
        self.unmatched = Cases()
        self.n_frames = self.n_boxes = 0

    def lines(self) -> Iterator[bytes]:
        """Yields a line for every frame that an image stands for."""
        for image, boxes in self._labels.images:
            try:
                frame = self._finder.frame_of(image)
            except ValueError as error:
                self.unmatched.add(f"{image} ({error})")
                continue
            if frame in self._seen:
                self._labels.problems.add(f"{image}: another image is the same frame, {frame}")
                continue
            entries = list(self._entries(image, boxes))
            self._seen.add(frame)
            self.n_frames += 1
            self.n_boxes += len(entries)
            document = {NAME: frame, "predictions": entries}
            yield json.dumps(document).encode() + b"\n"

    def _entries(self, image: str, boxes: Iterable[LabelledBox]) -> Iterator[dict[str, Any]]:
        """Yields the entries of a frame, those that a run would take."""
        for found in boxes:
            name = self._labels.categories.get(found.category)
            entry = {
                "category_id": None if name is None else self._ids[name],
                "bbox": list(found.box),
                "score": 1.0 if found.score is None else found.score,
            }
            try:
                if name is None:
                    raise ValueError(f"category {found.category} has no name")
                parse_prediction({"predictions": [entry]}, self._task)
            except ValueError as error:
                reason = str(error).removeprefix("predictions[0]: ")
                self._labels.problems.add(f"{image}: {reason}")
            else:
                yield entry


def _nothing(writing: _Writing) -> str:
    first = "; ".join(writing.unmatched.first)
    return f"none of its images is a frame ({first})" if first else "it speaks of no image"


def _videos(store: Datasource, videos: Datasource | str | Path | None) -> list[str] | None:
    """Returns the paths of the videos that there are; None where nothing was listed yet."""
    if videos is not None:
        return [video.path for video in list_videos(datasource_at(videos))]
    catalog = read_catalog(store)
    return None if catalog is None else [video.path for video in catalog.videos]


def _schema(store: Datasource, name: str, categories: Mapping[int, str], source: str) -> Task:
    """Returns the task's schema: that which is there, or one of the categories.

    Raises:
        InvalidConfigurationError: What is there is of another kind, or lacks a category.
    """
    path = schema_path(name)
    try:
        task = parse_task(read_json(store, path), name, store.location(path))
    except ObjectNotFoundError:
        entries = [{"id": number, "name": label} for number, label in sorted(categories.items())]
        document = {"task_type": _TASK_TYPE, "categories": entries}
        return parse_task(document, name, source)
    missing = [label for label in categories.values() if label not in task.categories]
    if task.task_type != _TASK_TYPE or missing:
        lacks = f"has no category {', '.join(missing)}" if missing else f"is {task.task_type}"
        raise InvalidConfigurationError(
            f"task {name} is there already and {lacks} ({store.location(path)}): choose another "
            "name for the task"
        )
    return task


def _check_free(store: Datasource, task: Task) -> None:
    bulk = find_bulk(store, bulk_stem(task))
    if bulk and not bulk.path.endswith(JSON_LINES):
        raise LightlyPipelineError(
            f"{bulk.location} is there already: remove it, or choose another name for the task"
        )


def _write_schema(store: Datasource, task: Task) -> None:
    path = schema_path(task.name)
    if store.stat(path) is not None:
        return
    entries = [
        {"id": number, "name": label}
        for number, label in zip(task.category_ids, task.categories, strict=True)
    ]
    document = {"task_type": task.task_type, "categories": entries}
    store.write(path, json.dumps(document, indent=1).encode())
