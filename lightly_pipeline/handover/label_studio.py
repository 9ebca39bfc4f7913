"""Label Studio: tasks with pre-annotations, and the labeling interface that goes with them.

Tasks refer to images where they are. Label Studio serves s3:// addresses by a storage that was
connected to it, and files of a folder by its local file serving.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from lightly_pipeline.handover.cvat import xml_text
from lightly_pipeline.handover.frames import HandedFrame, HandedRun, PlaceOf
from lightly_pipeline.handover.predictions import PredictedTask, Prediction, field_names

IMAGE = "image"
_BOXES = "RectangleLabels"
_LOCAL_FILES = "/data/local-files/?d="


def files(run: HandedRun, place_of: PlaceOf) -> Iterator[tuple[str, bytes]]:
    """Yields the tasks in the order of picks, and the interface."""
    names = field_names(run.tasks, [IMAGE])
    tasks = [_task(frame, place_of, run.tasks, names) for frame in run.frames]
    yield "tasks.json", json.dumps(tasks, indent=1).encode()
    yield "interface.xml", _interface(run.tasks, names)


def image_url(location: str) -> str:
    """Returns a location as Label Studio reads it: a path as its local file serving does."""
    return location if "://" in location else _LOCAL_FILES + quote(location.lstrip("/"))


def _task(
    frame: HandedFrame,
    place_of: PlaceOf,
    tasks: tuple[PredictedTask, ...],
    names: dict[str, str],
) -> dict[str, Any]:
    return {
        "data": {IMAGE: image_url(place_of(frame)), "name": frame.name, **frame.facts()},
        "predictions": [
            {"model_version": task.name, "result": list(_results(frame, task, names[task.name]))}
            for task in tasks
            if frame.of_task(task)
        ],
    }


def _results(frame: HandedFrame, task: PredictedTask, name: str) -> Iterator[dict[str, Any]]:
    shared = {
        "to_name": IMAGE,
        "original_width": frame.width,
        "original_height": frame.height,
        "image_rotation": 0,
    }
    for number, prediction in enumerate(frame.of_task(task)):
        score = {} if prediction.score is None else {"score": prediction.score}
        for part, (kind, value) in enumerate(_values(prediction, frame)):
            region = {"id": f"{name}-{number}-{part}", "from_name": _control(task, name, kind)}
            yield {**region, **shared, **score, "type": kind, "value": value}


def _values(prediction: Prediction, frame: HandedFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the kind and the value of each region; places are in percent of the image."""
    label = [xml_text(prediction.label)]
    x_share, y_share = 100 / frame.width, 100 / frame.height
    if prediction.mask is not None:
        rle = prediction.mask.label_studio_bytes()
        yield "brushlabels", {"format": "rle", "rle": rle, "brushlabels": label}
        return
    for x, y, _ in prediction.keypoints:
        point = {"x": x * x_share, "y": y * y_share, "width": 0.5}
        yield "keypointlabels", {**point, "keypointlabels": label}
    if prediction.box is not None:
        x, y, width, height = prediction.box
        place = {"x": x * x_share, "y": y * y_share}
        size = {"width": width * x_share, "height": height * y_share, "rotation": 0}
        yield "rectanglelabels", {**place, **size, "rectanglelabels": label}
    elif not prediction.keypoints:
        yield "choices", {"choices": label}


def _interface(tasks: tuple[PredictedTask, ...], names: dict[str, str]) -> bytes:
    view = ET.Element("View")
    ET.SubElement(view, "Header", {"value": "$name"})
    ET.SubElement(view, "Image", {"name": IMAGE, "value": f"${IMAGE}", "zoom": "true"})
    for task in tasks:
        for tag in _tags(task):
            name = _control(task, names[task.name], tag)
            control = ET.SubElement(view, tag, {"name": name, "toName": IMAGE})
            entry = "Choice" if tag == "Choices" else "Label"
            for category in task.task.categories:
                ET.SubElement(control, entry, {"value": xml_text(category)})
    ET.indent(view)
    return ET.tostring(view, encoding="unicode").encode()


def _tags(task: PredictedTask) -> tuple[str, ...]:
    if task.is_classification:
        return ("Choices",)
    if task.has_masks:
        return ("BrushLabels", _BOXES)
    return ("KeyPointLabels", _BOXES) if task.has_points else (_BOXES,)


def _control(task: PredictedTask, name: str, tag: str) -> str:
    """Returns the name of a task's control: boxes beside something else have one of their own."""
    is_second = tag.lower() == _BOXES.lower() and len(_tags(task)) > 1
    return f"{name}-boxes" if is_second else name
