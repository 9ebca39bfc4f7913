"""The boxes that a prediction file gives the objects of one frame.

Pure functions of documents; everything else that a file says is in `predictions.py`, files are read
in `box_files.py`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from lightly_pipeline.errors import InvalidConfigurationError
from lightly_pipeline.inputs.predictions import Task, parse_prediction
from lightly_pipeline.video.boxes import Boxes

TASKS_WITH_BOXES = ("object-detection", "keypoint-detection", "instance-segmentation")
_FORM = "expected [x, y, width, height] in pixels"


def check_has_boxes(task: Task) -> None:
    """Refuses a task whose predictions are of whole frames.

    Raises:
        InvalidConfigurationError: Names the types of tasks that have objects.
    """
    if task.task_type not in TASKS_WITH_BOXES:
        raise InvalidConfigurationError(
            f"prediction task {task.name} is {task.task_type}, which has no boxes: an input of "
            f"EMBEDDINGS with task takes {', '.join(TASKS_WITH_BOXES)}, or a name of "
            "selection_config.auto_tasks"
        )


def parse_boxes(document: Any, task: Task) -> Boxes:
    """Returns the boxes of a file's entries, in their order.

    Without a `bbox`, an entry of keypoints has the box around those of a confidence above 0.

    Raises:
        ValueError: The first thing that is wrong with the file, as `parse_prediction` says it, or a
            box without area.
    """
    parse_prediction(document, task)
    boxes = np.empty((len(document["predictions"]), 4))
    for number, entry in enumerate(document["predictions"]):
        try:
            boxes[number] = _box(entry)
        except (ValueError, TypeError, OverflowError) as error:
            raise ValueError(f"predictions[{number}]: {error}") from None
    return boxes


def _box(entry: Mapping[str, Any]) -> list[float]:
    keypoints = entry.get("keypoints")
    if keypoints and not entry.get("bbox"):
        return _box_around(keypoints)
    numbers = [float(number) for number in entry["bbox"]]
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise ValueError(f"bbox: {_FORM}")
    if not (numbers[2] > 0 and numbers[3] > 0):
        raise ValueError(f"the box {entry['bbox']} has no area: {_FORM}")
    return numbers


def _box_around(keypoints: list[float]) -> list[float]:
    points = np.array(keypoints, dtype=np.float64).reshape(-1, 3)
    seen = points[points[:, 2] > 0, :2]
    size = np.ptp(seen, axis=0) if len(seen) else np.zeros(2)
    if not (size > 0).all():
        raise ValueError("no bbox, and no box around its keypoints of a confidence above 0")
    return [*seen.min(axis=0), *size]
