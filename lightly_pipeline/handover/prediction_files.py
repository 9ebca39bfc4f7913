"""Reads what a dataset predicts for chosen frames: tasks, and files per frame or for many.

What makes a file usable is `inputs`' to say; here are the shapes in it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.datasources import Datasource
from lightly_pipeline.errors import (
    DatasourceError,
    InvalidConfigurationError,
    LightlyPipelineError,
    ObjectNotFoundError,
)
from lightly_pipeline.handover.masks import Mask
from lightly_pipeline.handover.predictions import Box, PredictedTask, Prediction, Size
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.inputs.files import in_threads, read_json, read_required
from lightly_pipeline.inputs.prediction_files import prediction_lines, read_task_names
from lightly_pipeline.inputs.predictions import (
    Task,
    parse_prediction,
    parse_task,
    schema_path,
    task_folder,
)
from lightly_pipeline.layout import frame_name
from lightly_pipeline.logs import logger_of

_logger = logger_of(__name__)
_SHOWN = 5
_Lines = dict[str, tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class WantedFrame:
    """A frame that predictions are wanted of.

    Attributes:
        video: Path of its video.
        n_frames: Decoded frames of that video; 0 for an image, which is no frame of one.
        frame_index: Its position there.
        frame_size: (width, height) in pixels, which predictions refer to; None when unknown.
        image_size: (width, height) of its image.
    """

    video: str
    n_frames: int
    frame_index: int
    frame_size: Size | None
    image_size: Size

    @property
    def stem(self) -> str:
        """The name of its files, without ending."""
        if not self.n_frames:
            return self.video.rpartition(".")[0]
        name = frame_name(self.video, self.frame_index, self.n_frames, "json")
        return name.removesuffix(".json")


def read_tasks(store: Datasource, only: str | None = None) -> list[PredictedTask]:
    """Returns the tasks that a dataset has predictions of, in the order of its list.

    Args:
        store: The LIGHTLY datasource.
        only: The one that is wanted; all by default, less those whose schema is wrong.

    Raises:
        InvalidConfigurationError: There is no such task.
        LightlyPipelineError: The list, or the schema of the wanted task, is missing or wrong.
    """
    listed = read_task_names(store)
    if only is not None and only not in listed:
        hint = did_you_mean(only, listed) if listed else "there are no predictions"
        raise InvalidConfigurationError(f"no prediction task {only!r}; {hint}")
    tasks = []
    for name in [only] if only is not None else dict.fromkeys(listed):
        try:
            tasks.append(_read_task(store, name))
        except LightlyPipelineError as error:
            if only is not None:
                raise
            _logger.warning("predictions of task %s are left out: %s", name, error)
    return tasks


def _read_task(store: Datasource, name: str) -> PredictedTask:
    path = schema_path(name)
    document = read_required(store, path, f"prediction task {name}")
    task = parse_task(document, name, store.location(path))
    by_id = {entry["id"]: entry for entry in document["categories"]}
    entries = [by_id[number] for number in task.category_ids]
    return PredictedTask(
        task,
        tuple(_names(entry.get("keypoint_names")) for entry in entries),
        tuple(_pairs(entry.get("keypoint_skeleton")) for entry in entries),
    )


def _names(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _pairs(value: Any) -> tuple[tuple[int, int], ...]:
    pairs = value if isinstance(value, list) else []
    return tuple(
        (pair[0], pair[1])
        for pair in pairs
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(i, int) for i in pair)
    )


def read_predictions(
    store: Datasource, tasks: Sequence[PredictedTask], frames: Sequence[WantedFrame]
) -> tuple[list[tuple[Prediction, ...]], dict[str, str]]:
    """Reads the predictions of frames; a file that is wrong is left out and reported.

    Args:
        store: The LIGHTLY datasource.
        tasks: Whose predictions.
        frames: The frames.

    Returns:
        What is predicted for each frame, in the order of tasks and entries, and the reason by
        location of what was left out.

    Raises:
        LightlyPipelineError: A file for many frames cannot be read at all.
    """
    found: list[list[Prediction]] = [[] for _ in frames]
    skipped: dict[str, str] = {}
    wanted = {frame.stem for frame in frames}
    lines = {task.name: _read_lines(store, task.task, wanted) for task in tasks}

    def read(job: tuple[int, PredictedTask]) -> tuple[list[Prediction], dict[str, str]]:
        number, task = job
        return _read_frame(store, task, frames[number], lines[task.name])

    jobs = [(number, task) for number in range(len(frames)) for task in tasks]
    for (number, _), (predictions, reasons) in in_threads(read, jobs):
        found[number] += predictions
        skipped |= reasons
    for location, reason in list(skipped.items())[:_SHOWN]:
        _logger.warning("%s: left out: %s", location, reason)
    return [tuple(predictions) for predictions in found], skipped


def _read_lines(store: Datasource, task: Task, wanted: Collection[str]) -> _Lines:
    """Returns what a task's file for many frames says of some, and where, by name of frame."""
    found: _Lines = {}
    for location, stem, document in prediction_lines(store, task):
        if stem in wanted:
            found.setdefault(stem, (location, document))
    return found


def _document(
    store: Datasource, task: Task, stem: str, lines: _Lines
) -> tuple[Any, str, dict[str, str]]:
    """Returns what is said of a frame (None for nothing), where, and what could not be used.

    Its own file goes over the line that speaks of it.
    """
    path = f"{task_folder(task.name)}{stem}.json"
    location = store.location(path)
    reasons: dict[str, str] = {}
    try:
        document = read_json(store, path)
        parse_prediction(document, task)
        return document, location, reasons
    except ObjectNotFoundError:
        pass
    except DatasourceError:
        raise
    except (ValueError, LightlyPipelineError) as error:
        reasons[location] = str(error)
    if stem not in lines:
        return None, location, reasons
    location, document = lines[stem]
    try:
        parse_prediction(document, task)
    except ValueError as error:
        return None, location, {**reasons, location: str(error)}
    return document, location, reasons


def _read_frame(
    store: Datasource, task: PredictedTask, frame: WantedFrame, lines: _Lines
) -> tuple[list[Prediction], dict[str, str]]:
    document, location, reasons = _document(store, task.task, frame.stem, lines)
    if document is None:
        return [], reasons
    if task.is_classification:
        return [_classified(entry, task.task) for entry in document["predictions"]], reasons
    if frame.frame_size is None:
        reasons[location] = "the size of the frame that it refers to is not known any more"
        return [], reasons
    made: list[Prediction] = []
    for number, entry in enumerate(document["predictions"]):
        prediction = _located(entry, task, frame.frame_size)
        if prediction is None:
            reasons[f"{location} predictions[{number}]"] = (
                f"segmentation: its runs do not cover {frame.frame_size[0]}x{frame.frame_size[1]} "
                "pixels"
            )
        else:
            made.append(prediction.scaled(frame.frame_size, frame.image_size))
    return made, reasons


def _classified(entry: Mapping[str, Any], task: Task) -> Prediction:
    category = task.category_ids.index(entry["category_id"])
    probabilities = entry.get("probabilities")
    score = float(probabilities[category]) if probabilities else None
    return Prediction(task.name, category, task.categories[category], score)


def _located(entry: Mapping[str, Any], task: PredictedTask, frame: Size) -> Prediction | None:
    """Returns an entry that says where something is; None when its mask is of another size."""
    category = task.task.category_ids.index(entry["category_id"])
    mask = _mask(entry.get("segmentation"), frame) if task.has_masks else None
    has_runs = task.has_masks and isinstance(entry.get("segmentation"), list)
    if has_runs and mask is None:
        return None
    keypoints = tuple(_triples(entry.get("keypoints") or ()))
    box = entry.get("bbox")
    return Prediction(
        task.name,
        category,
        task.task.categories[category],
        float(entry["score"]),
        _box(box) if isinstance(box, list) and len(box) == 4 else _box_around(mask, keypoints),
        mask,
        keypoints,
    )


def _box(value: Sequence[float]) -> Box:
    return float(value[0]), float(value[1]), float(value[2]), float(value[3])


def _mask(runs: Any, frame: Size) -> Mask | None:
    usable = isinstance(runs, list) and all(isinstance(n, int) and n >= 0 for n in runs)
    if not usable or sum(runs) != frame[0] * frame[1]:
        return None
    return Mask(tuple(runs), *frame)


def _triples(values: Sequence[float]) -> Iterator[tuple[float, float, float]]:
    for start in range(0, len(values), 3):
        yield float(values[start]), float(values[start + 1]), float(values[start + 2])


def _box_around(mask: Mask | None, keypoints: Sequence[tuple[float, float, float]]) -> Box | None:
    """Returns the box of what is there, for entries that give none."""
    if mask is not None:
        return mask.box()
    seen = [(x, y) for x, y, score in keypoints if score > 0] or [(x, y) for x, y, _ in keypoints]
    if not seen:
        return None
    left, top = min(x for x, _ in seen), min(y for _, y in seen)
    return left, top, max(x for x, _ in seen) - left, max(y for _, y in seen) - top
