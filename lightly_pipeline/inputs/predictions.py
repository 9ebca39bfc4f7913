"""Predictions of one task: its schema, and what one file says of one frame.

Pure functions of documents; what becomes of the entries is in `entries.py`, files are read in
`prediction_files.py`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightly_pipeline.errors import InvalidConfigurationError, LightlyPipelineError
from lightly_pipeline.hints import did_you_mean
from lightly_pipeline.inputs import scores
from lightly_pipeline.inputs.entries import Entry

TASKS_PATH = ".lightly/predictions/tasks.json"
_SUM_TOLERANCE = 1e-3
_PLAIN_NUMBERS = {int, float}


@dataclass(frozen=True, slots=True)
class Task:
    """A task's schema.

    Attributes:
        name: Of its folder.
        task_type: A key of `scores.SCORES_OF_TASK`.
        category_ids: In the order of the files' probabilities: ascending.
        categories: Their names.
    """

    name: str
    task_type: str
    category_ids: tuple[int, ...]
    categories: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its files are."""
        return task_folder(self.name)


def task_folder(name: str) -> str:
    """Returns the folder of a task."""
    return f".lightly/predictions/{name}/"


def schema_path(name: str) -> str:
    """Returns where the schema of a task is."""
    return task_folder(name) + "schema.json"


def check_task(document: Any, wanted: str, location: str) -> None:
    """Refuses a task that is not listed.

    Raises:
        LightlyPipelineError: The list is not one.
        InvalidConfigurationError: The task is not in it; names the nearest.
    """
    listed = parse_task_names(document, location)
    if wanted not in listed:
        raise InvalidConfigurationError(
            f"prediction task {wanted!r} is not listed in {location}; "
            f"{did_you_mean(wanted, listed)}"
        )


def parse_task_names(document: Any, location: str) -> list[str]:
    """Returns the names in a list of tasks.

    Raises:
        LightlyPipelineError: It is none.
    """
    if not isinstance(document, list) or not all(isinstance(name, str) for name in document):
        raise LightlyPipelineError(f"{location}: expected a list of task names")
    return document


def parse_task(document: Any, name: str, location: str) -> Task:
    """Returns the schema of a task.

    Raises:
        LightlyPipelineError: Names the file and what is wrong with it.
    """
    task_type = document.get("task_type") if isinstance(document, Mapping) else None
    if task_type not in scores.SCORES_OF_TASK:
        known = list(scores.SCORES_OF_TASK)
        raise LightlyPipelineError(
            f"{location}: task_type {task_type!r} is not known; "
            f"{did_you_mean(str(task_type), known)}"
        )
    entries = document.get("categories")
    if not isinstance(entries, list) or not entries:
        raise LightlyPipelineError(f"{location}: expected a list of categories with id and name")
    by_id: dict[int, str] = {}
    for entry in entries:
        fields: Mapping[str, Any] = entry if isinstance(entry, Mapping) else {}
        number: Any = fields.get("id")
        label: Any = fields.get("name")
        if not _is_whole(number) or number < 0 or not isinstance(label, str):
            raise LightlyPipelineError(f"{location}: category {entry!r} needs id >= 0 and name")
        if number in by_id:
            raise LightlyPipelineError(f"{location}: category id {number} is there twice")
        by_id[number] = label
    ids = tuple(sorted(by_id))
    return Task(name, task_type, ids, tuple(by_id[number] for number in ids))


def check_score(task: Task, score: str) -> None:
    """Refuses a score that predictions of the task do not give.

    Raises:
        InvalidConfigurationError: Names those that they do.
    """
    known = scores.SCORES_OF_TASK[task.task_type]
    if score not in known:
        raise InvalidConfigurationError(
            f"task {task.name} ({task.task_type}) gives no score {score!r}"
            f"; {did_you_mean(score, known)}; it gives {', '.join(known)}"
        )


def check_categories(task: Task, wanted: Sequence[str]) -> None:
    """Refuses categories that the task does not have.

    Raises:
        InvalidConfigurationError: Names the nearest.
    """
    for name in wanted:
        if name not in task.categories:
            raise InvalidConfigurationError(
                f"task {task.name} has no category {name!r}; {did_you_mean(name, task.categories)}"
            )


def parse_prediction(document: Any, task: Task) -> list[Entry]:
    """Returns the entries of a prediction file, or of a line that says the same.

    Raises:
        ValueError: The first thing that is wrong with it; the caller skips and reports the file.
    """
    entries = document.get("predictions") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("expected an object with a list of predictions")
    parsed = []
    for number, entry in enumerate(entries):
        try:
            parsed.append(_parse_entry(entry, task))
        except ValueError as error:
            raise ValueError(f"predictions[{number}]: {error}") from None
    return parsed


def _parse_entry(entry: Any, task: Task) -> Entry:
    if not isinstance(entry, dict):
        raise ValueError("expected an object")
    number = entry.get("category_id")
    try:
        category = task.category_ids.index(number if _is_whole(number) else -1)
    except ValueError:
        raise ValueError(f"category_id {number!r} is not in the task's schema") from None
    probabilities = _probabilities(entry.get("probabilities"), task)
    if task.task_type == "classification":
        return Entry(category, probabilities, max(probabilities or (1.0,)))
    confidence = _share(entry.get("score"), "score")
    if task.task_type == "semantic-segmentation":
        return Entry(category, probabilities, confidence, _mask_share(entry.get("segmentation")))
    if task.task_type == "keypoint-detection":
        keypoints = _keypoints(entry.get("keypoints"))
        return Entry(category, probabilities, confidence, 1.0, keypoints)
    _check_box(entry.get("bbox"))
    return Entry(category, probabilities, confidence)


def _probabilities(value: Any, task: Task) -> list[float] | None:
    """Returns probabilities of sum 1; None where none are given."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != len(task.categories):
        raise ValueError(f"expected {len(task.categories)} probabilities, one per category")
    shares = [_share(item, "probability") for item in value]
    total = math.fsum(shares)
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(f"probabilities sum to {total:.4g}, not 1")
    return [share / total for share in shares]


def _mask_share(value: Any) -> float:
    """Returns the share of pixels that a run-length mask covers: runs of 0 and 1 in turn."""
    if not isinstance(value, list) or not all(_is_whole(n) and n >= 0 for n in value):
        raise ValueError("segmentation: expected run lengths, whole numbers of at least 0")
    total = sum(value)
    return sum(value[1::2]) / total if total else 0.0


def _keypoints(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) % 3 or not _are_numbers(value):
        raise ValueError("keypoints: expected x, y and confidence of each, in turn")
    return tuple(_share(item, "keypoint confidence") for item in value[2::3])


def _check_box(value: Any) -> None:
    if not isinstance(value, list) or len(value) != 4 or not _are_numbers(value):
        raise ValueError("bbox: expected [x, y, width, height] in pixels")


def _share(value: Any, what: str) -> float:
    if type(value) is float and 0 <= value <= 1:
        return value
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{what} {value!r} is not a number from 0 to 1")
    return float(value)


def _are_numbers(values: list[Any]) -> bool:
    """Returns whether all are finite numbers; at once where they are what JSON makes of them."""
    if _PLAIN_NUMBERS.issuperset(map(type, values)):
        try:
            return math.isfinite(math.fsum(values))
        except (OverflowError, ValueError):
            pass
    return all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
